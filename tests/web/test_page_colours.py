"""The choices of the page that are shown as pictures and swatches: styles, skin tones and colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from tests.web.conftest import Held

_INPUT = "#translate-intake input[type=file]"


def _result(page: Page) -> Locator:
    return page.locator("#stage .slider:not(.waiting) img").first


@contextmanager
def _changing(image: Locator) -> Iterator[None]:
    """Wait until what is done inside has changed an image."""
    before = image.get_attribute("src") or ""
    yield
    expect(image).not_to_have_attribute("src", before)


def _sources(images: Locator) -> set[str]:
    return set(images.evaluate_all("all => all.map(each => each.src)"))


def test_styles_are_shown_on_the_face_itself(page: Page, portraits: Path) -> None:
    page.set_input_files(_INPUT, portraits / "photos" / "face-0001.png")
    looks, chosen = page.locator("#translate .look"), page.locator(".look[aria-pressed=true]")
    expect(looks.locator("img")).to_have_count(4)
    assert len(_sources(looks.locator("img"))) == 4
    expect(chosen).to_have_text("Soft pencil")
    with _changing(_result(page)):
        looks.get_by_text("Ink").click()
    expect(chosen).to_have_text("Ink")
    expect(page.locator(".headline")).to_contain_text("Ink")


def test_a_photo_follows_the_colours_that_are_clicked(page: Page, portraits: Path) -> None:
    page.set_input_files(_INPUT, portraits / "sketches" / "face-0001.png")
    result, palette = _result(page), page.locator("#translate .palette")
    expect(palette).to_be_visible()
    with _changing(result):
        palette.get_by_label("9 of 10 on the Monk scale").check()
    with _changing(result):
        palette.get_by_label("Blond").check()
    with _changing(result):
        palette.get_by_label("Another colour for the background").fill("#ff0000")
    expect(page.locator("[name=translate-background]:checked")).to_have_count(0)
    page.get_by_label("To sketch").check()
    expect(page.get_by_role("heading", name="Sketch from a photo")).to_be_visible()
    expect(palette).to_be_hidden()


def test_a_face_is_shown_in_three_skin_tones_on_request(page: Page, portraits: Path) -> None:
    page.set_input_files(_INPUT, portraits / "sketches" / "face-0001.png")
    tones = page.locator("#translate .palette .look")
    expect(_result(page)).to_be_visible()
    expect(tones.locator("img")).to_have_count(0)
    held = Held(page, "**/v1/translate", "face.jpg")
    page.locator("#translate").get_by_role("button", name="Compare three skin tones").click()
    for number in range(3):
        held.wait(number + 1)
        sent = held.routes[number].request.post_data_buffer
        assert b"\r\nnatural\r\n" in sent, "in the style of the photo beside them"
        held.routes[number].continue_()
    expect(tones.locator("img")).to_have_count(3)
    assert len(_sources(tones.locator("img"))) == 3
    with _changing(_result(page)):
        tones.get_by_text("Dark").click()
    expect(page.locator("input[name=translate-skin]:checked")).to_have_value("8")


def test_the_photo_of_a_drawing_follows_the_colours(page: Page) -> None:
    page.get_by_role("link", name="Draw").click()
    photo, palette = page.locator("#drawn-photo"), page.locator("#draw .palette")
    expect(photo).to_be_visible()
    with _changing(photo):
        palette.get_by_label("2 of 10 on the Monk scale").check()
    with _changing(photo):
        palette.get_by_role("group", name="Background").get_by_label("Black").check()
    palette.get_by_role("button", name="Compare three skin tones").click()
    expect(palette.locator(".look img")).to_have_count(3)
