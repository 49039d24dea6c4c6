"""How the page looks and works: at any width, in light and dark, with keys alone and with a screen reader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.web.conftest import PHONE, NewPage

from facesketch.serve.routes.page import FOLDER

_VIEWS = ("translate", "draw", "compare", "search", "runs")
_AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
_needs_axe = pytest.mark.skipif(not _AXE.exists(), reason="no axe-core found: npm ci --prefix tests/web installs it")
_VIOLATIONS = """axe.run({resultTypes: ['violations']}).then(found => found.violations.map(each =>
    `${each.id}: ${each.nodes.slice(0, 3).map(node => `${node.html.slice(0, 120)} ${node.failureSummary}`)}`))"""


def _show(page: Page, view: str) -> None:
    page.locator(f"nav a[href='#{view}']").click()
    expect(page.locator(f"#{view}")).to_be_visible()  # the page answers to the new address a moment later


def _fill(page: Page, view: str, portraits: Path) -> None:
    """Show a view with something in it."""
    _show(page, view)
    sketch = next((portraits / "sketches").iterdir())
    if view == "translate":
        page.set_input_files("#translate-intake input[type=file]", [sketch, sketch])
        expect(page.locator(".film.done")).to_have_count(2)
    elif view == "draw":
        expect(page.locator("#drawn-photo")).to_be_visible()
    elif view == "search":
        page.set_input_files("#search-body input[type=file]", sketch)
        pictures = page.locator(".hit img")
        expect(pictures).to_have_count(4)
        for picture in pictures.all():
            expect(picture).not_to_have_js_property("naturalWidth", 0)
    elif view == "compare":
        page.locator("#compare-example").click()
        expect(page.locator("#compare-grid img")).to_have_count(6)
    else:
        expect(page.locator(".sample img")).to_be_visible()


def _check_width(page: Page) -> None:
    scrolled, shown = page.locator("html").evaluate("root => [root.scrollWidth, root.clientWidth]")
    assert scrolled <= shown, f"{page.url} scrolls sideways at {page.viewport_size}"


def _check_with_axe(page: Page) -> None:
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(_VIOLATIONS) == [], f"{page.url}, {page.viewport_size}, {scheme}"
        _check_width(page)


@pytest.mark.parametrize("view", _VIEWS)
def test_every_view_fits_any_width(page: Page, portraits: Path, view: str) -> None:
    _fill(page, view, portraits)
    for width in (320, 360, 768, 1280, 3840):
        page.set_viewport_size({"width": width, "height": 800})
        _check_width(page)
    ids = page.locator("[id]").evaluate_all("all => all.map(each => each.id)")
    assert sorted(set(ids)) == sorted(ids)
    current = page.locator("nav [aria-current=page]")
    expect(current).to_have_count(1)
    expect(current).to_have_attribute("href", f"#{view}")
    expect(page.locator("[style*='color'], [onclick]")).to_have_count(0)


@_needs_axe
@pytest.mark.parametrize("device", [{}, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("view", _VIEWS)
def test_axe_finds_no_fault(
    new_page: NewPage, everything: str, portraits: Path, view: str, device: dict[str, object]
) -> None:
    page = new_page(everything, **device)
    _show(page, view)
    _check_with_axe(page)
    _fill(page, view, portraits)
    _check_with_axe(page)


@_needs_axe
@pytest.mark.parametrize("device", [{}, PHONE], ids=["wide", "phone"])
def test_axe_finds_no_fault_in_the_page_about_the_api(
    new_page: NewPage, everything: str, device: dict[str, object]
) -> None:
    _check_with_axe(new_page(f"{everything}docs", **device))


def test_it_follows_the_system_until_it_is_told_otherwise(page: Page, everything: str) -> None:
    def paper() -> list[int]:
        colour = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        return [int(each) for each in re.findall(r"\d+", colour)]

    assert min(paper()) > 240
    page.emulate_media(color_scheme="dark")
    assert max(paper()) < 40
    theme = page.get_by_role("button", name="Colours:")
    theme.click()
    assert min(paper()) > 240, "light, whatever the system says"
    expect(theme).to_have_accessible_name(re.compile("Light"))
    page.goto(everything)
    assert min(paper()) > 240, "the choice is kept"
    theme.click()
    page.emulate_media(color_scheme="light")
    assert max(paper()) < 40, "dark, whatever the system says"


def test_keys_alone_are_enough(page: Page) -> None:
    focused = page.locator(":focus")
    page.keyboard.press("Tab")
    expect(focused).to_have_class("skip")
    page.keyboard.press("Enter")
    expect(focused).to_have_id("main")
    for _ in range(12):
        page.keyboard.press("Tab")
        assert focused.evaluate("it => getComputedStyle(it).outlineStyle !== 'none' || it.type === 'file'")
        if focused.get_attribute("id") == "example-start":
            break
    page.keyboard.press("Enter")
    slider = page.locator(".slider input")
    expect(slider).to_be_attached()
    page.evaluate("document.activeElement.blur()")
    for _ in range(20):
        page.keyboard.press("Tab")
        if slider.evaluate("it => it.matches(':focus')"):
            break
    page.keyboard.press("Home")
    expect(slider).to_have_value("0")
    ring = page.locator(".divider").evaluate("it => getComputedStyle(it, '::after').outlineStyle")
    assert ring != "none", "the knob shows that it has the focus"
    page.keyboard.press("Tab")
    expect(focused).to_have_id("save")


def test_a_view_that_is_chosen_is_announced_and_can_be_returned_to(page: Page) -> None:
    _show(page, "draw")
    expect(page.locator("#draw-title")).to_be_focused()
    expect(page).to_have_title("Draw · facesketch")
    page.go_back()
    expect(page).to_have_title("Translate · facesketch")
    expect(page.locator("#draw")).to_be_hidden()


def test_fingers_find_large_enough_targets_on_a_phone(new_page: NewPage, everything: str) -> None:
    page = new_page(everything, **PHONE | {"viewport": {"width": 360, "height": 740}})
    for view in _VIEWS:
        _show(page, view)
        targets = page.locator("button, select, nav a").filter(visible=True)
        heights = targets.evaluate_all("all => all.map(each => [each.outerHTML, each.getBoundingClientRect().height])")
        assert [found for found in heights if found[1] < 40] == []
        _check_width(page)


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
