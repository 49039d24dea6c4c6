"""The other views of the page: comparing, searching, watching trainings; and what is not there."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

_STYLES = 4


def _text(page: Any, selector: str) -> str:
    return page.get(f"document.querySelector('{selector}').innerText")


def test_one_picture_goes_through_every_style(page: Any, tmp_path: Path) -> None:
    page.keep_downloads(tmp_path / "downloads")
    page.click("nav a[href='#compare']")
    page.click("#compare-example")
    page.wait(f"document.querySelectorAll('#compare-grid .card').length === {_STYLES + 2}")
    page.wait("!document.querySelector('#compare-grid .working')")
    titles = page.get("[...document.querySelectorAll('#compare-grid h2')].map(each => each.textContent)")
    assert titles == ["The photo", "Soft pencil", "Outlines", "Ink", "Shaded", "pencil"]
    assert len(set(page.get("[...document.querySelectorAll('#compare-grid img')].map(each => each.src)"))) == len(
        titles
    )
    page.click(".compare-head button")
    with zipfile.ZipFile(page.downloaded("facesketch-comparison.zip")) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(titles)
    assert page.complaints == []


def test_a_sketch_is_searched_for(page: Any, shelved: Any, portraits: Path) -> None:
    page.click("nav a[href='#search']")
    assert "4 photos" in _text(page, "#search-lede")
    page.files("#search-body input[type=file]", next((portraits / "sketches").iterdir()))
    page.wait("document.querySelectorAll('.hit img').length === 4")
    page.wait("[...document.querySelectorAll('.hit img')].every(each => each.naturalWidth === 96)")
    assert _text(page, ".verdict").replace("\u00a0", " ") == "Perhaps Anna (chance 40 %)."
    assert "A hit is a lead, not an identification." in _text(page, ".lead-box")
    assert " ".join(_text(page, ".hit:nth-child(2)").split()) == "Place 2 Ben p2 Chance 20 % Score 0.700"
    shares = page.get(
        "[...document.querySelectorAll('.chances .share > span')].map(each => parseFloat(each.style.width))"
    )
    assert abs(sum(shares) - 100) < 0.01
    assert shelved.routes[-1] == ("fused", 10, 0.5)
    for name, value in (("search-route", "to-photo"), ("search-top", "5")):
        change = f"s.value = '{value}'; s.dispatchEvent(new Event('change'));"
        page.get(f"(s => {{ {change} }})(document.getElementById('{name}'))")
    page.wait("document.querySelector('.search-result').innerText.includes('A photo made from the sketch')")
    assert shelved.routes[-1] == ("to-photo", 5, 0.5)
    assert page.complaints == []


def test_a_gallery_of_too_few_shows_no_chance(
    page: Any, shelved: Any, portraits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelved, "few", True)
    page.click("nav a[href='#search']")
    page.files("#search-body input[type=file]", next((portraits / "sketches").iterdir()))
    page.wait("document.querySelectorAll('.hit img').length === 4")
    assert "Too few people" in _text(page, ".verdict")
    assert " ".join(_text(page, ".hit:nth-child(2)").split()) == "Place 2 Ben p2 Score 0.700"
    assert page.get("document.querySelectorAll('.chances, .hit .share').length") == 0
    assert "NaN" not in _text(page, "#search-body")
    assert page.complaints == []


@pytest.mark.parametrize("first", [0, 1])
def test_the_last_search_is_the_one_that_is_shown(page: Any, portraits: Path, first: int) -> None:
    page.hold("/v1/search")
    page.click("nav a[href='#search']")
    page.files("#search-body input[type=file]", next((portraits / "sketches").iterdir()))
    page.wait("held.length === 1")
    change = "s.value = 'to-photo'; s.dispatchEvent(new Event('change'));"
    page.get(f"(s => {{ {change} }})(document.getElementById('search-route'))")
    page.wait("held.length === 2")
    page.let_go(first)
    ended = str(first == 0).lower()
    assert page.get("document.getElementById('search-result').getAttribute('aria-busy')") == ended
    page.let_go(1 - first)
    assert page.get("document.getElementById('search-result').getAttribute('aria-busy')") == "false"
    assert "A photo made from the sketch" in _text(page, ".search-result")
    assert page.complaints == []


def test_trainings_are_watched_as_they_go(page: Any, runs: Path) -> None:
    page.click("nav a[href='#runs']")
    page.wait("document.querySelectorAll('.chart svg').length === 4 && document.querySelector('.sample img')")
    labels = page.get("[...document.querySelectorAll('.chart svg')].map(each => each.getAttribute('aria-label'))")
    assert "from 9 at step 1 to 0.231 at step 39" in labels[0]
    assert labels[1].startswith("Distance to the true picture: ")
    assert labels[1].count(" at step 39") == 2, "losses that belong together share a chart"
    assert page.get("[...document.querySelectorAll('.chart > p')].every(each => each.innerText.length > 30)")
    assert "39" in _text(page, ".run")
    line = {"event": "step", "step": 40, "epoch": 2, "losses": {"generator": 5.0, "l1": 3.0}}
    with (runs / "first" / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    page.wait("document.querySelector('.chart svg').getAttribute('aria-label').endsWith('to 5 at step 40')", seconds=10)
    assert page.get("document.querySelector('.sample img').alt").startswith("Sample 2 of first")
    page.get("(s => { s.value = '1'; s.dispatchEvent(new Event('change')); })(document.getElementById('runs-sample'))")
    page.wait("document.querySelector('.sample img').alt.startsWith('Sample 1 of first')")
    assert page.complaints == []


def test_two_trainings_are_compared(page: Any, runs: Path) -> None:
    shutil.copytree(runs / "first", runs / "second")
    try:
        page.click("nav a[href='#runs']")
        page.wait("document.getElementById('runs-other').options.length === 2", seconds=10)
        assert page.get("document.querySelectorAll('.line.dashed').length") == 0
        other = "document.getElementById('runs-other')"
        page.get(f"{other}.selectedIndex = 1; {other}.dispatchEvent(new Event('change'))")
        page.wait("document.querySelectorAll('.line.dashed').length > 0", seconds=10)
        lines = page.get("[...document.querySelectorAll('.chart')].map(each => each.querySelectorAll('.line').length)")
        assert lines == [2, 4, 2, 2], "each line of the one has one of the other beside it"
    finally:
        shutil.rmtree(runs / "second")
    page.wait("document.querySelectorAll('.line.dashed').length === 0", seconds=10)
    assert page.complaints == []


def test_a_training_that_is_shown_can_be_chosen_again(page: Any) -> None:
    page.click("nav a[href='#runs']")
    page.wait("document.getElementById('runs-sample').options.length === 3")
    page.click(".run")
    page.wait("document.getElementById('runs-sample').options.length === 3", seconds=10)
    assert page.get("document.getElementById('runs-sample').value") == "latest"
    assert page.complaints == []


def test_the_api_is_described_by_the_server_alone(new_page: Callable[[], Any], everything: str) -> None:
    page = new_page()
    page.go(f"{everything}docs")
    assert "POST /v1/translate" in _text(page, "main")
    rows = page.get("[...document.querySelectorAll('section:has(#translate) tbody tr')].map(each => each.innerText)")
    assert any(row.startswith("direction\tphoto2sketch, sketch2photo\t") for row in rows)
    assert any(row.startswith("face\tinteger, 1 to 1000; 1 by default\t") for row in rows)
    assert {urlsplit(url).netloc for url in page.requests} == {urlsplit(everything).netloc}
    assert page.complaints == []


def test_what_a_server_does_not_have_is_not_offered(new_page: Callable[[], Any], serving: Callable[..., str]) -> None:
    page, url = new_page(), serving()
    page.go(url)
    shown = page.get("[...document.querySelectorAll('nav a')].filter(each => each.offsetParent).map(each => each.text)")
    assert shown == ["Translate", "Draw", "Compare"]
    page.get("location.hash = 'search'")
    page.wait("document.getElementById('search').innerText.includes('start the server with it')")
    page.get("location.hash = 'runs'")
    page.wait("document.getElementById('runs').innerText.includes('Start the server with')")
    assert page.complaints == []


@pytest.mark.parametrize("view", ["draw", "compare"])
def test_an_address_of_a_view_leaves_the_header_in_sight(
    new_page: Callable[[], Any], everything: str, view: str
) -> None:
    page = new_page()
    page.size(1000, 500)
    page.go(f"{everything}#{view}")
    assert page.get("scrollY") == 0
    assert page.get("document.querySelector('.top').getBoundingClientRect().top") >= 0
