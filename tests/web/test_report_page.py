"""The report in a real browser: it fits a phone, follows the dark scheme, and asks nobody for anything."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facesketch.evaluation.results import Results
from facesketch.study.grid import plan
from facesketch.study.report.build import build_report
from facesketch.study.study import Study

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
)
_MEASURES = ("PSNR (dB)", "SSIM", "MS-SSIM", "FSIM", "FSIMc", "Scoot", "LPIPS (alex)", "LPIPS (vgg)", "identity")
_STEMS = tuple(f"face-{number:02d}" for number in range(6))


def _name(title: str) -> str:
    """Return the key of a measure: lpips-alex for LPIPS (alex)."""
    return title.lower().replace(" (", "-").rstrip(")")


@pytest.fixture(scope="module")
def browser() -> str:
    """Return a Chromium, or skip."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium found: install one to see the page in a browser")
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a study with one result, in every measure, so that its table is wide."""
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
    return build_report(folder)


def _run(browser: str, tmp_path: Path, *arguments: str) -> str:
    words = [browser, *_QUIET, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def _screenshot(browser: str, page: Path, tmp_path: Path, *arguments: str) -> np.ndarray:
    picture = tmp_path / "page.png"
    _run(browser, tmp_path, f"--screenshot={picture}", "--window-size=900,700", *arguments, page.as_uri())
    with Image.open(picture) as image:
        return np.asarray(image.convert("L"), dtype=float)


def test_it_does_not_scroll_sideways_on_a_phone(browser: str, page: Path, tmp_path: Path) -> None:
    frame = tmp_path / "phone.html"
    measure = "const d=f.contentDocument.documentElement; document.title=d.scrollWidth+' of '+d.clientWidth"
    measure += "+[...d.querySelectorAll('details')].map(each => { each.open = true; return ''; }).join('')"
    inside = (
        "[...d.querySelectorAll('*')].filter(e => /auto|scroll/.test(f.contentWindow.getComputedStyle(e).overflowX))"
    )
    frame.write_text(
        f'<!doctype html><title>none</title><iframe id="f" width="380" height="800" style="border:0" '
        f'src="{page.as_uri()}" onload="const f=this; {measure}; '
        f"document.title += ', open '+d.scrollWidth+', '+{inside}.length+' inside'\"></iframe>"
    )
    shown = _run(browser, tmp_path, "--allow-file-access-from-files", "--dump-dom", frame.as_uri())
    found = re.findall(r"<title>(.*?)</title>", shown)
    assert found == ["380 of 380, open 380, 0 inside"]


def test_tables_are_copied_as_csv_and_latex(new_page: Callable[[], Any], page: Path) -> None:
    shown = new_page()
    shown.go(page.as_uri(), "document.querySelector('.copy button')")
    shown.get("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    copied = {}
    for number, form in enumerate(("CSV", "LaTeX"), start=1):
        shown.click(f".copy button:nth-child({number})")
        shown.wait("window.copied")
        copied[form] = shown.get("window.copied")
        shown.get("window.copied = ''")
    head, first = copied["CSV"].splitlines()
    assert head == "Rank,Method,FSIM ↑,SSIM ↑,LPIPS ↑,interval"
    assert first == "baseline,pencil filter,0.500,0.500,0.500,0.400 to 0.600"
    lines = copied["LaTeX"].splitlines()
    assert lines[:2] == [r"\begin{tabular}{rlrrrr}", r"\toprule"]
    assert r"Rank & Method & FSIM $\uparrow$ &" in lines[2]
    assert r"baseline & pencil filter & 0.500 & 0.500 & 0.500 & 0.400 to 0.600 \\" in lines
    assert shown.complaints == []


def test_it_is_dark_where_the_reader_wants_it(browser: str, page: Path, tmp_path: Path) -> None:
    light = _screenshot(browser, page, tmp_path)
    dark = _screenshot(browser, page, tmp_path, "--blink-settings=preferredColorScheme=0")
    assert np.median(light) > 240
    assert np.median(dark) < 40
    assert light.min() < 60, "dark words on light paper"
    assert dark.max() > 200, "light words on dark paper"
