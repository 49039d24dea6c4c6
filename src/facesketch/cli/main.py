"""The verbs, and how an error ends one: with a single line and exit code 2.

Verb modules import heavy packages inside their functions, so that `--help` is fast.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cyclopts
from cyclopts.exceptions import CycloptsError

from facesketch import __version__
from facesketch.cli.console import accept_any_text, in_flags, note, say
from facesketch.devices import sleep_soon
from facesketch.errors import FacesketchError

app = cyclopts.App(
    name="facesketch",
    help="Turn face photos into artists' sketches, and sketches into photos: train, compare and use models.",
    version=__version__,
    version_flags=["--version"],
    help_flags=["--help", "-h"],
    suppress_keyboard_interrupt=False,
)
_VERBS = (
    *("methods:methods", "data:app", "faces:app", "train:train", "translate:translate", "export:export"),
    *("evaluate:evaluate", "compare:compare", "study:study", "report:report", "search:app", "serve:serve"),
    *("models:app", "doctor:doctor", "push:push"),
)
for _verb in _VERBS:
    app.command(f"facesketch.cli.{_verb}", name=_verb.partition(":")[0])

_PACKAGES = (
    *("numpy", "pillow", "onnxruntime", "torch", "lightning-fabric", "torchmetrics"),
    *("lancedb", "fastapi", "onnx", "openvino", "ray"),
)


@app.command
def versions() -> None:
    """Print the versions of facesketch, Python and the packages that facesketch uses, for a bug report."""
    from importlib.metadata import PackageNotFoundError, version

    lines = [f"facesketch {__version__}", f"Python {platform.python_version()} on {platform.platform()}"]
    for name in _PACKAGES:
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name} not installed")
    say(*lines)


@app.command
def completion(shell: Literal["bash", "zsh", "fish", "powershell"], /) -> None:
    """Print a script that lets your shell complete the commands and options of facesketch.

    For bash, make the folder ~/.local/share/bash-completion/completions, and type `facesketch completion bash >
    ~/.local/share/bash-completion/completions/facesketch`.

    Args:
        shell: The shell to print it for.
    """
    sys.stdout.write(app.generate_completion(shell=shell))


def main(tokens: Sequence[str] | None = None) -> None:
    """Run one verb; a user's mistake ends in one line and exit code 2."""
    accept_any_text()
    sleep_soon()
    words = sys.argv[1:] if tokens is None else tokens
    if not words or words[0].startswith("-"):
        app.resolved_commands()  # imports every verb, as the help lists what each does
    try:
        app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()  # an output that cannot be written fails here and not at exit
    except FacesketchError as error:
        _stop(in_flags(str(error)))
    except CycloptsError as error:
        from pydantic import ValidationError

        from facesketch.config import RunConfig, explain

        wrong = error.__cause__
        _stop(explain(wrong, RunConfig) if isinstance(wrong, ValidationError) else " ".join(str(error).split()))
    except KeyboardInterrupt as error:
        note(f"facesketch: {in_flags(str(error)) or 'stopped'}")
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  Python would fail to flush the old one at exit
            _stop("standard output cannot be written: the disk is full; free some space, or write elsewhere")
        if error.filename is None:
            raise
        _stop(f"{error.filename}: {(error.strerror or 'error').lower()}")


def _stop(message: str) -> None:
    note(f"facesketch: {message}")
    raise SystemExit(2) from None
