"""The report in a real browser: it fits a phone, follows the dark scheme, and loads nothing from elsewhere."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.web.conftest import PHONE, NewPage

from facesketch.evaluation.results import Results
from facesketch.study.grid import plan
from facesketch.study.report.build import build_report
from facesketch.study.study import Study

_MEASURES = ("PSNR (dB)", "SSIM", "MS-SSIM", "FSIM", "FSIMc", "Scoot", "LPIPS (alex)", "LPIPS (vgg)", "identity")
_STEMS = tuple(f"face-{number:02d}" for number in range(6))


def _name(title: str) -> str:
    """Return the key of a measure: lpips-alex for LPIPS (alex)."""
    return title.lower().replace(" (", "-").rstrip(")")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of the report of a study with one result, in every measure, so that its table is wide."""
    folder = tmp_path_factory.mktemp("web") / "study"
    cells = tuple(plan("quick", only=["pencil"]))
    study = Study(Path("/data/faces"), folder, cells, "quick")
    folder.mkdir()
    value = {"data": "/data/faces", "preset": "quick", "seeds": 1, "cells": [asdict(cell) for cell in cells]}
    (folder / "plan.json").write_text(json.dumps(value))
    measure = {"better": "higher", "mean": 0.5, "low": 0.4, "high": 0.6, "values": [0.5] * len(_STEMS)}
    value = {"name": "pencil", "direction": "photo2sketch", "protocol": "own", "split": "test", "stems": _STEMS}
    value |= {"subjects": _STEMS, "stems_hash": "0" * 64, "model": {"method": "pencil", "path": "pencil"}}
    value |= {"metrics": {_name(title): measure | {"title": title} for title in _MEASURES}}
    Results.model_validate(value).save(study.result_file("pencil"))
    for name in ("photo", "pencil", "sketch"):
        (folder / "pictures" / name).mkdir(parents=True)
        Image.new("L", (40, 50), 90).save(folder / "pictures" / name / "face-00.png")
    Image.new("RGB", (1600, 400), (90, 90, 90)).save(folder / "samples.png")
    return build_report(folder).as_uri()


def test_it_does_not_scroll_sideways_on_a_phone(new_page: NewPage, report: str) -> None:
    page = new_page(**PHONE)
    page.goto(report)
    for _ in range(2):
        scrolled, shown = page.locator("html").evaluate("root => [root.scrollWidth, root.clientWidth]")
        assert scrolled == shown == 390
        page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    inside = page.locator("*").evaluate_all(
        "all => all.filter(each => /auto|scroll/.test(getComputedStyle(each).overflowX)).map(each => each.outerHTML)"
    )
    assert inside == []


def test_tables_are_copied_as_csv_and_latex(new_page: NewPage, report: str) -> None:
    page = new_page()
    page.goto(report)
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    copied = {}
    for form in ("CSV", "LaTeX"):
        page.locator(".copy").first.get_by_role("button", name=form).click()
        copied[form] = page.evaluate("window.copied")
    head, first = copied["CSV"].splitlines()
    assert head == "Rank,Method,FSIM ↑,SSIM ↑,LPIPS ↑,interval"
    assert first == "baseline,pencil filter,0.500,0.500,0.500,0.400 to 0.600"
    lines = copied["LaTeX"].splitlines()
    assert lines[:2] == [r"\begin{tabular}{rlrrrr}", r"\toprule"]
    assert r"Rank & Method & FSIM $\uparrow$ &" in lines[2]
    assert r"baseline & pencil filter & 0.500 & 0.500 & 0.500 & 0.400 to 0.600 \\" in lines


def test_it_is_dark_where_the_reader_prefers_that(new_page: NewPage, report: str) -> None:
    page = new_page()
    page.goto(report)
    shots = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        with Image.open(io.BytesIO(page.screenshot())) as image:
            shots[scheme] = np.asarray(image.convert("L"), dtype=float)
    assert np.median(shots["light"]) > 240
    assert np.median(shots["dark"]) < 40
    assert shots["light"].min() < 60, "dark words on light paper"
    assert shots["dark"].max() > 200, "light words on dark paper"
