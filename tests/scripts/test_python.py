"""`scripts/python` prints the newest interpreter that fits and runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "python"
FITS, OLD, BROKEN = f'exec "{sys.executable}" "$@"', "exit 1", "echo 'not set up' >&2; exit 127"

Put = Callable[[str, str], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Return a function that puts an interpreter on the PATH."""

    def write(name: str, does: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(0o755)
        return path

    return write


def _chosen(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    variables = clean | {"PATH": str(folder)} | environment
    return subprocess.run(["/bin/bash", SCRIPT], env=variables, capture_output=True, text=True, check=False)


def test_newest_interpreter_that_runs_is_chosen(tmp_path: Path, put: Put) -> None:
    put("python3.13", BROKEN)
    put("python3.12", FITS)
    put("python3.11", FITS)
    assert _chosen(tmp_path).stdout == "python3.12\n"


def test_interpreter_without_version_in_its_name_is_chosen(tmp_path: Path, put: Put) -> None:
    put("python3", FITS)
    assert _chosen(tmp_path).stdout == "python3\n"


def test_python_variable_overrides_the_choice(tmp_path: Path, put: Put) -> None:
    put("python3.13", FITS)
    own = put("my python", FITS)
    assert _chosen(tmp_path, PYTHON=str(own)).stdout == f"{own}\n"


@pytest.mark.parametrize("named", ["", "python3.10", "python-that-is-not-there"])
def test_no_fitting_interpreter_exits_with_one_line(tmp_path: Path, put: Put, named: str) -> None:
    put("python3.10", OLD)
    answer = _chosen(tmp_path, PYTHON=named)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.count("\n") == 1
    assert "expected Python 3.11 to 3.13 with venv" in answer.stderr
    assert (named or "python3.12") in answer.stderr
