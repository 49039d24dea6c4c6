"""`scripts/python` names the newest interpreter that fits, of those that are there and run."""

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
    """Return what puts an interpreter of some name on the PATH."""

    def write(name: str, does: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(0o755)
        return path

    return write


def _named(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    there = clean | {"PATH": str(folder)} | environment
    return subprocess.run(["/bin/bash", SCRIPT], env=there, capture_output=True, text=True, check=False)


def test_the_newest_that_runs_is_taken(tmp_path: Path, put: Put) -> None:
    put("python3.13", BROKEN)
    put("python3.12", FITS)
    put("python3.11", FITS)
    assert _named(tmp_path).stdout == "python3.12\n"


def test_one_that_is_not_called_by_its_version_will_do(tmp_path: Path, put: Put) -> None:
    put("python3", FITS)
    assert _named(tmp_path).stdout == "python3\n"


def test_python_names_another(tmp_path: Path, put: Put) -> None:
    put("python3.13", FITS)
    own = put("my python", FITS)
    assert _named(tmp_path, PYTHON=str(own)).stdout == f"{own}\n"


@pytest.mark.parametrize("named", ["", "python3.10", "python-that-is-not-there"])
def test_where_none_fits_one_line_says_so(tmp_path: Path, put: Put, named: str) -> None:
    put("python3.10", OLD)
    answer = _named(tmp_path, PYTHON=named)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.count("\n") == 1
    assert "expected 3.11 to 3.13 with venv" in answer.stderr
    assert (named or "python3.12") in answer.stderr
