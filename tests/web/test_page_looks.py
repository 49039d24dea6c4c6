"""How the page looks and is used: any width, light and dark, by keys alone, by those who do not see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facesketch.serve.routes.page import FOLDER

_VIEWS = ("translate", "draw", "compare", "search", "runs")
_AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
_needs_axe = pytest.mark.skipif(not _AXE.exists(), reason="no axe-core found: npm ci --prefix tests/web installs it")
_VIOLATIONS = """axe.run({resultTypes: ['violations']}).then(found => found.violations.map(each =>
    `${each.id}: ${each.nodes.slice(0, 3).map(node => `${node.html.slice(0, 120)} ${node.failureSummary}`)}`))"""


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


@pytest.mark.parametrize("view", _VIEWS)
def test_every_view_fits_any_width(page: Any, portraits: Path, view: str) -> None:
    _fill(page, view, portraits)
    for width in (320, 360, 768, 1280, 3840):
        page.size(width, 800, touch=width < 800)
        wide = page.get("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], f"{view} scrolls sideways at {width}"
    ids = page.get("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert sorted(set(ids)) == sorted(ids)
    assert page.get("document.querySelectorAll('nav [aria-current=page]').length") == 1
    assert page.get("document.querySelector('nav [aria-current]').hash") == f"#{view}"
    assert page.get("document.querySelectorAll('[style*=\"color\"], [onclick]').length") == 0
    assert page.complaints == []


@_needs_axe
@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("view", _VIEWS)
def test_axe_finds_no_fault(page: Any, portraits: Path, view: str, filled: bool) -> None:
    if filled:
        _fill(page, view, portraits)
    else:
        page.get(f"location.hash = '{view}'")
    _check_with_axe(page, view)


@_needs_axe
def test_axe_finds_no_fault_in_the_page_about_the_api(new_page: Callable[[], Any], everything: str) -> None:
    page = new_page()
    page.go(f"{everything}docs")
    _check_with_axe(page, "docs")


def _check_with_axe(page: Any, view: str) -> None:
    page.get(f"{_AXE.read_text(encoding='utf-8')}; 0")
    for width, scheme in ((1280, "light"), (390, "dark"), (390, "light"), (1280, "dark")):
        page.size(width, 900, touch=width < 800)
        page.colours(scheme)
        assert page.get(_VIOLATIONS) == [], f"{view}, {width} wide, {scheme}"
        wide = page.get("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], f"{view} scrolls sideways at {width}"


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
