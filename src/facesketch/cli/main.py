"""The verbs, and what happens when one of them cannot do what was asked.

Verb modules are light: whatever imports torch is imported inside the function that needs it, so `--help` answers at
once.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cyclopts
from cyclopts.exceptions import CycloptsError
from pydantic import ValidationError

from facesketch import __version__
from facesketch.cli import (
    compare,
    data,
    evaluate,
    export,
    faces,
    methods,
    models,
    report,
    search,
    serve,
    study,
    train,
    translate,
)
from facesketch.cli.console import accept_any_text, in_flags, note
from facesketch.config import RunConfig, explain
from facesketch.errors import FacesketchError

app = cyclopts.App(
    name="facesketch",
    help="Face photo to artist's sketch, and sketch to photo: train, compare and use every family of models.",
    version=__version__,
    version_flags=["--version"],
    help_flags=["--help", "-h"],
    suppress_keyboard_interrupt=False,
)
app.command(methods.methods)
app.command(data.app)
app.command(faces.app)
app.command(train.train)
app.command(translate.translate)
app.command(export.export)
app.command(evaluate.evaluate)
app.command(compare.compare)
app.command(study.study)
app.command(report.report)
app.command(search.app)
app.command(serve.serve)
app.command(models.app)


def main(tokens: Sequence[str] | None = None) -> None:
    """Run one verb; a user's mistake ends in one line and exit code 2."""
    accept_any_text()
    try:
        app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()  # what cannot be written is told here, and not on the way out
    except FacesketchError as error:
        _stop(in_flags(str(error)))
    except CycloptsError as error:
        wrong = error.__cause__
        _stop(explain(wrong, RunConfig) if isinstance(wrong, ValidationError) else " ".join(str(error).split()))
    except KeyboardInterrupt as error:
        note(f"facesketch: {str(error) or 'stopped'}")
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  what waits in it cannot be written on the way out
        _stop("standard output cannot be written: the disk is full; free some room, or write elsewhere")


def _stop(message: str) -> None:
    note(f"facesketch: {message}")
    raise SystemExit(2) from None
