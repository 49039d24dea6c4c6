"""The script that prints a study's numbers for the docs."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from facesketch.study.claims import ledger
from facesketch.study.study import Study

from .conftest import Fabricate

_SCRIPT = Path(__file__).parents[3] / "scripts" / "results_page.py"


def _page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> str:
    monkeypatch.setattr("sys.argv", [_SCRIPT.name, *map(str, words)])
    runpy.run_path(str(_SCRIPT), run_name="__main__")
    return capsys.readouterr().out


def test_page_has_every_table_and_claim(
    fabricate: Fabricate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fabricate(tmp_path / "study")
    page = _page(monkeypatch, capsys, folder)
    for claim in ledger(Study.read(folder)):
        said = f"**{claim.number}. {claim.text}** {claim.verdict.capitalize()}. {claim.why}"
        assert said in " ".join(page.split())
    widths = [[line.count("|") for line in part.splitlines()] for part in page.split("\n\n") if part.startswith("|")]
    assert len(widths) == 6, "main and other measures in both directions, costs, losses"
    assert all(len(set(each)) == 1 for each in widths)


def test_a_folder_without_a_study_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _page(monkeypatch, capsys, tmp_path)
    assert "holds no study" in capsys.readouterr().err.splitlines()[-1]


def test_brief_page_has_only_the_main_measures(
    fabricate: Fabricate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = _page(monkeypatch, capsys, fabricate(tmp_path / "study"), "--brief")
    assert page.count("### ") == 2
    assert "| 1 | CycleGAN | 0.700 [0.680, 0.720] | 0.600 [0.580, 0.620] | 0.300 [0.280, 0.320] |" in page
