"""The settings in examples/ are understood, and say what to expect as docs/results.md does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facesketch.config import configure
from facesketch.methods.registry import resolve
from facesketch.study.grid import Cell

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "examples").glob("*.toml"))
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


def test_there_are_examples() -> None:
    assert len(FILES) >= 4


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_settings_are_understood_and_their_scores_are_those_of_the_results(file: Path) -> None:
    config = resolve(configure(None, {}, file))
    assert config.method.name == file.stem
    first, second = file.read_text(encoding="utf-8").splitlines()[:2]
    assert re.search(r"[0-9.]+ (s|min) on two cores", first)
    assert f"--config examples/{file.name}" in second
    ssim, fsim = re.findall(r"(?:SSIM|FSIM) (0[.][0-9]+)", first)
    family = Cell(file.stem, file.stem, None).family
    assert re.search(rf"^\| \d+ \| {family}[^|]*\| {fsim} [^|]+\| {ssim} ", RESULTS, re.MULTILINE), "not in the results"
