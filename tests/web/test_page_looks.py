"""How the page looks and is used: any width, light and dark, by keys alone, by those who do not see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facesketch.serve.routes.page import FOLDER

_VIEWS = ("translate", "draw", "compare", "search", "runs")
_NAMED = {"button", "link", "textbox", "combobox", "slider", "checkbox", "radio", "progressbar", "image", "application"}
_COLOURS = """(() => {
    const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
    const canvas = new OffscreenCanvas(1, 1), paint = canvas.getContext('2d', {willReadFrequently: true});
    const over = (colours) => {
        paint.clearRect(0, 0, 1, 1);
        for (const colour of colours) { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); }
        return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), worst = {};
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !node.checkVisibility({visibilityProperty: true})) continue;
        if (node.closest('.visually-hidden, :disabled, option, .slider, .skip')) continue;
        const behind = [];
        for (let each = node; each; each = each.parentElement) behind.unshift(getComputedStyle(each).backgroundColor);
        const paper = over(behind), ink = over([...behind, getComputedStyle(node).color]);
        const [light, dark] = [luminance(paper), luminance(ink)].sort((one, other) => other - one);
        const words = walker.currentNode.data.trim().slice(0, 30);
        worst[`${node.tagName}.${node.className} ${words}`] = (light + 0.05) / (dark + 0.05);
    }
    return worst;
})()"""
"""The contrast of all words that can be seen, as WCAG 2 counts it."""


def _fill(page: Any, view: str, portraits: Path) -> None:
    """Show a view with something in it."""
    page.get(f"location.hash = '{view}'")
    sketch = next((portraits / "sketches").iterdir())
    if view == "translate":
        page.files("#translate-intake input[type=file]", sketch, sketch)
        page.wait("document.querySelectorAll('.film.done').length === 2")
    elif view == "draw":
        page.wait("!document.getElementById('drawn-photo').hidden")
    elif view == "search":
        page.files("#search-body input[type=file]", sketch)
        page.wait("[...document.querySelectorAll('.hit img')].filter(each => each.naturalWidth).length === 4")
    elif view == "compare":
        page.click("#compare-example")
        page.wait("document.querySelectorAll('#compare-grid img').length > 5")
    else:
        page.wait("document.querySelector('.sample img')")


def _check_structure(page: Any, view: str) -> None:
    ids = page.get("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert sorted(set(ids)) == sorted(ids)
    assert page.get("document.documentElement.lang") == "en-GB"
    count = "document.querySelectorAll('body > {0}, header > {0}').length"
    assert [page.get(count.format(mark)) for mark in ("header", "nav", "main", "footer")] == [1, 1, 1, 1]
    assert page.get("document.querySelectorAll('nav [aria-current=page]').length") == 1
    assert page.get("document.querySelector('nav [aria-current]').hash") == f"#{view}"
    unlabelled = "[...document.querySelectorAll('img:not([alt]), svg:not([aria-hidden]):not([role=img])')].length"
    assert page.get(unlabelled) == 0
    assert page.get("document.querySelectorAll('[style*=\"color\"], [onclick]').length") == 0


@pytest.mark.parametrize("view", _VIEWS)
def test_every_view_fits_reads_and_is_well_built(page: Any, portraits: Path, view: str) -> None:
    empty = page.get(_COLOURS)
    _fill(page, view, portraits)
    for width in (320, 360, 768, 1280, 3840):
        page.size(width, 800, touch=width < 800)
        wide = page.get("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], f"{view} scrolls sideways at {width}"
    page.size(1280, 900)
    for scheme in ("light", "dark"):
        page.colours(scheme)
        found = empty | page.get(_COLOURS)
        assert len(found) > 10
        faint = {words: round(ratio, 2) for words, ratio in page.get(_COLOURS).items() if ratio < 4.5}
        assert faint == {}, f"{view}, {scheme}"
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in tree if not node["ignored"] and node["role"]["value"] in _NAMED]
    assert len(controls) > 5
    assert [node["role"]["value"] for node in controls if not node["name"]["value"].strip()] == []
    _check_structure(page, view)
    assert page.complaints == []


def test_it_follows_the_system_until_it_is_told_otherwise(page: Any, everything: str) -> None:
    paper = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert min(page.get(paper)) > 240
    page.colours("dark")
    assert max(page.get(paper)) < 40
    page.click("#theme")
    assert min(page.get(paper)) > 240, "light, whatever the system says"
    assert "Light" in page.get("document.getElementById('theme').getAttribute('aria-label')")
    page.go(everything)
    assert min(page.get(paper)) > 240, "the choice is kept"
    page.click("#theme")
    page.colours("light")
    assert max(page.get(paper)) < 40, "dark, whatever the system says"


def test_keys_alone_are_enough(page: Any) -> None:
    focused = "document.activeElement"
    page.press("Tab")
    assert page.get(f"{focused}.className") == "skip"
    page.press("Enter")
    assert page.get(f"{focused}.id") == "main"
    for _ in range(12):
        page.press("Tab")
        seen = page.get(f"getComputedStyle({focused}).outlineStyle !== 'none' || {focused}.type === 'file'")
        assert seen, page.get(f"{focused}.outerHTML")
        if page.get(f"{focused}.id") == "example-start":
            break
    page.press("Enter")
    page.wait("document.querySelector('.slider input')")
    page.get(f"{focused}.blur()")
    for _ in range(20):
        page.press("Tab")
        if page.get(f"{focused}.matches('.slider input')"):
            break
    page.press("Home")
    assert page.get(f"{focused}.value") == "0"
    ring = page.get("getComputedStyle(document.querySelector('.divider'), '::after').outlineStyle")
    assert ring != "none", "the knob shows that it has the focus"
    page.press("Tab")
    assert page.get(f"{focused}.id") == "save"


def test_a_view_that_is_chosen_is_announced_and_can_be_returned_to(page: Any) -> None:
    page.click("nav a[href='#draw']")
    page.wait("document.activeElement.id === 'draw-title'")
    assert page.get("document.title") == "Draw · facesketch"
    page.get("history.back()")
    page.wait("document.title === 'Translate · facesketch'")
    assert page.get("document.getElementById('draw').hidden")


def test_fingers_find_large_enough_targets_on_a_phone(new_page: Callable[[], Any], everything: str) -> None:
    page = new_page()
    page.size(360, 740, touch=True)
    page.go(everything)
    for view in _VIEWS:
        page.get(f"location.hash = '{view}'")
        small = "[...document.querySelectorAll('button, select, nav a')].filter(each => each.offsetParent)"
        small += ".map(each => [each.outerHTML.slice(0, 60), each.getBoundingClientRect().height])"
        assert [found for found in page.get(small) if found[1] < 40] == []


def test_nothing_in_the_page_comes_from_elsewhere_or_stands_inline() -> None:
    html = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert re.search(r"<style|\sstyle=|\son\w+=|javascript:", html) is None
    assert re.findall(r"<script(?![^>]*\ssrc=)", html) == []
    for path in (each for each in FOLDER.iterdir() if each.suffix != ".jpg"):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)) == [], path
        assert len(text.splitlines()) < 400, path
        for name in re.findall(r"""(?:from "\./|page/)([\w.-]+\.\w+)""", text):
            assert (FOLDER / name).is_file(), f"{path.name} names {name}"
