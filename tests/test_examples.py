"""The examples in docstrings run and give what they say."""

from __future__ import annotations

import doctest
import importlib
import shutil
from pathlib import Path

import pytest

import facesketch
from facesketch.data.synthetic.draw import write_sample

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(facesketch.__file__).parent
FILES = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text("utf-8")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What examples suppose: `pairs`, a photo `me.jpg` and a run `runs/first`."""
    folder = tmp_path_factory.mktemp("examples")
    write_sample(folder / "pairs", pairs=9, size=128, seed=3)
    shutil.copyfile(ROOT / "docs" / "pictures" / "astronaut.jpg", folder / "me.jpg")
    facesketch.train("dense-ae", folder / "runs" / "first", data=folder / "pairs", epochs=1, size=32, quiet=True)
    return folder


@pytest.mark.parametrize("file", FILES, ids=str)
def test_examples_run(file: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    parts = [part for part in file.with_suffix("").parts if part != "__init__"]
    results = doctest.testmod(importlib.import_module(".".join(["facesketch", *parts])))
    assert results.attempted
    assert not results.failed
