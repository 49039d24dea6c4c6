"""The command line as a whole: light to start, one line for a mistake, never a traceback."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from facesketch import __version__
from facesketch.cli.main import app, main
from facesketch.errors import FacesketchError

LIGHT = """
import json, sys, time
from facesketch.cli.main import app, main

def run(words):
    try:
        main(words)
    except SystemExit as ended:
        assert ended.code in (0, None), (words, ended.code)

verbs = [name for name in app if not name.startswith("-")]
for words in ([], ["--help"], ["-h"], ["--version"], ["versions"], *([verb, "--help"] for verb in verbs)):
    run(words)
print(json.dumps({"verbs": verbs, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""


def test_help_and_version_load_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout.splitlines()[-1])
    assert {"train", "translate", "methods", "data"} <= set(seen["verbs"])
    heavy = {"torch", "lightning_fabric", "numpy", "PIL", "safetensors", "torchmetrics", "cv2", "matplotlib", "scipy"}
    assert not heavy & set(seen["modules"])


def test_version(command: Callable[..., Any]) -> None:
    answer = command("--version")
    assert (answer.code, answer.out.strip(), answer.err) == (0, __version__, "")


def test_versions_of_what_is_installed_and_what_is_not(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facesketch.cli.main._PACKAGES", ("pillow", "no-such-package"))
    answer = command("versions")
    lines = answer.out.splitlines()
    assert (answer.code, lines[0]) == (0, f"facesketch {__version__}")
    assert lines[2:] == [f"pillow {version('pillow')}", "no-such-package not installed"]


def test_without_a_verb_the_verbs_are_listed(command: Callable[..., Any]) -> None:
    answer = command()
    assert answer.code == 0
    assert "train" in answer.out
    assert "translate" in answer.out


def test_a_verb_that_is_none_is_refused_with_the_nearest(refused: Callable[..., str]) -> None:
    assert 'Did you mean "translate"?' in refused("translat", "a.png")
    assert "frobnicate" in refused("frobnicate")


@pytest.mark.parametrize("verb", ["methods", "translate"])
def test_an_option_that_is_none_is_refused_with_the_nearest(verb: str, refused: Callable[..., str]) -> None:
    words = {"methods": ["--sise"], "translate": ["a.png", "--model", "m", "--out", "b.png", "--overwite"]}[verb]
    line = refused(verb, *words).lower()
    assert "unknown option" in line
    assert "did you mean" in line
    assert {"methods": "--size", "translate": "--overwrite"}[verb] in line


def test_a_value_of_the_wrong_type_is_refused(refused: Callable[..., str]) -> None:
    assert "--size" in refused("methods", "--size", "large")
    line = refused("translate", "a.png", "--model", "m", "--out", "b.png", "--weights", "newest")
    assert "--weights" in line
    assert "best" in line
    assert "last" in line


def test_a_missing_option_is_named(refused: Callable[..., str]) -> None:
    assert "--out" in refused("translate", "a.png", "--model", "pencil")


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (FacesketchError("one line"), 2, "facesketch: one line\n"),
        (KeyboardInterrupt(), 130, "facesketch: stopped\n"),
        (KeyboardInterrupt("go on with `resume` run"), 130, "facesketch: go on with --resume run\n"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_how_a_command_ends(
    raised: BaseException, code: int, said: str, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr("facesketch.methods.registry.family", fail)
    answer = command("methods", "pix2pix")
    assert (answer.code, answer.out, answer.err) == (code, "", said)


def test_our_own_mistakes_stay_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("ours")

    monkeypatch.setattr("facesketch.methods.registry.family", fail)
    with pytest.raises(AssertionError, match="ours"):
        main(["methods", "pix2pix"])


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "facesketch", "train", "pix2pix"], capture_output=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"facesketch: no folder for the run; give one with --out\n"
    assert list(tmp_path.iterdir()) == []


def test_every_verb_and_option_says_what_it_is_for() -> None:
    assert app.help
    for verb in (app[name] for name in app if name[0] != "-"):
        assert verb.help, verb.name
        for each in [verb] if verb.default_command else [verb[name] for name in verb if name[0] != "-"]:
            for argument in each.assemble_argument_collection(parse_docstring=True):
                options = argument.field_info.kind is inspect.Parameter.VAR_KEYWORD  # those of a method
                assert argument.parameter.help or argument.children or options, f"{each.name}: {argument.name}"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [["methods"], ["--version"], ["search", "--help"]])
def test_a_full_standard_output_is_one_line(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "facesketch", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "facesketch: standard output cannot be written: the disk is full; free some space, or write elsewhere\n"
    )
