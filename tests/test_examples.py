"""The examples in docstrings run and give what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import facesketch

PACKAGE = Path(facesketch.__file__).parent
# the examples of `training` need pairs, and tests/training/test_trainer.py runs them on some
FILES = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")) if path.parent.name != "training"]


@pytest.mark.parametrize("file", [str(file) for file in FILES if ">>> " in (PACKAGE / file).read_text("utf-8")])
def test_examples_run(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"facesketch.{file.removesuffix('.py').replace('/', '.')}")
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed
