"""The page of the study's figures: in its order, with pictures or losses, and honest about what is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from facesketch.cli.report import report as verb
from facesketch.study.report.figures import build_figures

Fabricate = Callable[..., Path]


def _sections(text: str) -> dict[int, str]:
    parts = re.split(r"<h2>Figure (\d+)\. ", text)
    return {int(number): body for number, body in zip(parts[1::2], parts[2::2], strict=True)}


def test_figures_come_in_the_studys_order_with_pictures_or_losses(tmp_path: Path, fabricate: Fabricate) -> None:
    page = build_figures(fabricate(tmp_path / "study", missing=["conv-ae-bce.sketch2photo"], named=True))
    assert page == tmp_path / "study" / "figures.html"
    sections = _sections(page.read_text(encoding="utf-8"))
    assert list(sections) == list(range(12, 25))
    pictures = {12, 15, 16, 19, 20, 22, 23}
    for number, body in sections.items():
        assert body.count("<img ") == (number in pictures)
        charts = {13: 3, 14: 2, 17: 3, 18: 3, 21: 2, 24: 2}.get(number, 0)
        assert body.count('class="chart"') == charts
    assert "photo, MSE, MAE, BCE, true sketch" in sections[12]
    assert "sketch, MSE, MAE, true photo" in sections[15]
    assert "lowest .1235 at epoch 48" in sections[13]


def test_a_missing_family_is_reported(tmp_path: Path, fabricate: Fabricate, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.html"
    verb(fabricate(tmp_path / "study", only=["conv-ae"]), out=out, figures=True)
    assert capsys.readouterr().out == f"{out}\n"
    text = out.read_text(encoding="utf-8")
    assert text.count("No cell of this figure has finished,") == 9
    assert re.findall(r"https?://|src=\"(?!data:)", text) == []
