"""The other views of the page: comparing, searching, watching trainings; and what is not there."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.web.conftest import Held, NewPage, Save, Serve, Shelved

_SEARCH_INPUT = "#search-body input[type=file]"


def _show(page: Page, view: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=view).click()


def _search(page: Page, portraits: Path) -> None:
    _show(page, "Search")
    page.set_input_files(_SEARCH_INPUT, next((portraits / "sketches").iterdir()))


def test_one_picture_goes_through_every_style(page: Page, saved: Save) -> None:
    _show(page, "Compare")
    page.locator("#compare-example").click()
    grid = page.locator("#compare-grid")
    titles = ["The photo", "Soft pencil", "Outlines", "Ink", "Shaded", "pencil"]
    expect(grid.locator("h2")).to_have_text(titles)
    expect(grid.locator("img")).to_have_count(len(titles))
    assert len(set(grid.locator("img").evaluate_all("all => all.map(each => each.src)"))) == len(titles)
    packed = saved(page.locator(".compare-head button"))
    assert packed.name == "facesketch-comparison.zip"
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(titles)


def test_a_sketch_is_searched_for(page: Page, shelved: Shelved, portraits: Path) -> None:
    _search(page, portraits)
    expect(page.locator("#search-lede")).to_contain_text("4 photos")
    hits = page.locator(".hit")
    expect(hits).to_have_count(4)
    for picture in hits.locator("img").all():
        expect(picture).to_have_js_property("naturalWidth", 96)
    expect(page.locator(".verdict")).to_have_text("Perhaps Anna (chance 40 %).")
    expect(page.locator(".lead-box")).to_contain_text("A hit is a lead, not an identification.")
    assert " ".join(hits.nth(1).inner_text().split()) == "Place 2 Ben p2 Chance 20 % Score 0.700"
    shares = page.locator(".chances .share > span").evaluate_all("all => all.map(each => parseFloat(each.style.width))")
    assert abs(sum(shares) - 100) < 0.01
    assert shelved.routes[-1] == ("fused", 10, 0.5)
    page.get_by_label("What to compare").select_option("to-photo")
    page.get_by_label("Hits").select_option("5")
    expect(page.locator(".search-result")).to_contain_text("A photo made from the sketch")
    assert shelved.routes[-1] == ("to-photo", 5, 0.5)


def test_a_gallery_of_too_few_people_shows_no_chance(
    page: Page, shelved: Shelved, portraits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelved, "few", True)
    _search(page, portraits)
    hits = page.locator(".hit")
    expect(hits).to_have_count(4)
    expect(page.locator(".verdict")).to_contain_text("Too few people")
    assert " ".join(hits.nth(1).inner_text().split()) == "Place 2 Ben p2 Score 0.700"
    expect(page.locator(".chances, .hit .share")).to_have_count(0)
    expect(page.locator("#search-body")).not_to_contain_text("NaN")


@pytest.mark.parametrize("first", [0, 1])
def test_the_last_search_is_the_one_that_is_shown(page: Page, portraits: Path, first: int) -> None:
    held, result = Held(page, "**/v1/search"), page.locator("#search-result")
    _search(page, portraits)
    held.wait(1)
    page.get_by_label("What to compare").select_option("to-photo")
    held.wait(2)
    held.let_go(first)
    expect(result).to_have_attribute("aria-busy", str(first == 0).lower())
    held.let_go(1 - first)
    expect(result).to_have_attribute("aria-busy", "false")
    expect(result).to_contain_text("A photo made from the sketch")


def test_trainings_are_watched_as_they_go(page: Page, runs: Path) -> None:
    _show(page, "Runs")
    charts, sample = page.locator(".chart svg"), page.locator(".sample img")
    expect(charts).to_have_count(4)
    labels = charts.evaluate_all("all => all.map(each => each.getAttribute('aria-label'))")
    assert "from 9 at step 1 to 0.231 at step 39" in labels[0]
    assert labels[1].startswith("Distance to the true picture: ")
    assert labels[1].count(" at step 39") == 2, "losses that belong together share a chart"
    assert all(len(words) > 30 for words in page.locator(".chart > p").all_inner_texts())
    expect(page.locator(".run")).to_contain_text("39")
    expect(sample).to_have_attribute("alt", re.compile("^Sample 2 of first"))
    line = {"event": "step", "step": 40, "epoch": 2, "losses": {"generator": 5.0, "l1": 3.0}}
    with (runs / "first" / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    expect(charts.first).to_have_attribute("aria-label", re.compile("to 5 at step 40$"))
    page.locator("#runs-sample").select_option("1")
    expect(sample).to_have_attribute("alt", re.compile("^Sample 1 of first"))


def test_two_trainings_are_compared(page: Page, runs: Path) -> None:
    dashed = page.locator(".line.dashed")
    shutil.copytree(runs / "first", runs / "second")
    try:
        _show(page, "Runs")
        other = page.get_by_label("Compare with")
        expect(other.locator("option")).to_have_count(2)
        expect(dashed).to_have_count(0)
        other.select_option(index=1)
        expect(dashed).to_have_count(5)
        charts = page.locator(".chart").all()
        lines = [(chart.locator(".line.dashed").count(), chart.locator(".line").count()) for chart in charts]
        assert lines == [(1, 2), (2, 4), (1, 2), (1, 2)], "each line of the one has one of the other beside it"
    finally:
        shutil.rmtree(runs / "second")
    expect(dashed).to_have_count(0)


def test_a_training_that_is_shown_can_be_chosen_again(page: Page) -> None:
    _show(page, "Runs")
    samples = page.locator("#runs-sample")
    expect(samples.locator("option")).to_have_count(3)
    page.locator(".run").click()
    expect(samples.locator("option")).to_have_count(3)
    expect(samples).to_have_value("latest")


def test_a_training_that_cannot_be_read_says_why(page: Page, runs: Path) -> None:
    (runs / "damaged").mkdir()
    try:
        (runs / "damaged" / "config.toml").write_text("direction = ")
        _show(page, "Runs")
        page.locator(".run").filter(has_text="damaged").click()
        expect(page.locator(".run-detail")).to_contain_text(
            "This training cannot be read: the settings file is not TOML"
        )
        expect(page.locator("#runs")).not_to_contain_text("config.toml")
        expect(page.get_by_label("Compare with")).to_be_hidden()
        expect(page.get_by_text("Settings", exact=True)).to_be_hidden()
    finally:
        shutil.rmtree(runs / "damaged")


def test_the_api_is_described_by_the_server_alone(new_page: NewPage, everything: str) -> None:
    page = new_page(f"{everything}docs")
    expect(page.locator("main")).to_contain_text("POST /v1/translate")
    rows = page.locator("section:has(#translate) tbody tr").all_inner_texts()
    assert any(row.startswith("direction\tphoto2sketch, sketch2photo\t") for row in rows)
    assert any(row.startswith("face\tinteger, 1 to 1000; 1 by default\t") for row in rows)


def test_what_a_server_does_not_have_is_not_offered(new_page: NewPage, serving: Serve) -> None:
    url = serving()
    page = new_page(url)
    assert page.locator("nav a").filter(visible=True).all_inner_texts() == ["Translate", "Draw", "Compare"]
    page.goto(f"{url}#search")
    expect(page.locator("#search")).to_contain_text("start the server with it")
    page.goto(f"{url}#runs")
    expect(page.locator("#runs")).to_contain_text("Start the server with")


@pytest.mark.parametrize("view", ["draw", "compare"])
def test_an_address_of_a_view_leaves_the_header_in_sight(new_page: NewPage, everything: str, view: str) -> None:
    page = new_page(f"{everything}#{view}", viewport={"width": 1000, "height": 500})
    assert page.evaluate("scrollY") == 0
    assert page.locator(".top").bounding_box()["y"] >= 0
