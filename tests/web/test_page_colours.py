"""The choices of the page that are shown as pictures and swatches: styles, skin tones and colours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

_RESULT = "document.querySelector('#stage .slider:not(.waiting) img')?.src"


def _swatch(page: Any, view: str, part: str, value: str) -> None:
    page.get(f"document.querySelector('input[name={view}-{part}][value=\"{value}\"]').click()")


def _changes(page: Any, result: str, act: Callable[[], None]) -> None:
    """Do something, and wait until it has changed the result."""
    before = page.get(result)
    act()
    page.wait(f"{result} && {result} !== {json.dumps(before)}")


def test_styles_are_shown_on_the_face_itself(page: Any, portraits: Path) -> None:
    page.files("#translate-intake input[type=file]", portraits / "photos" / "face-0001.png")
    page.wait("document.querySelectorAll('#translate .look img').length === 4")
    shown = page.get("[...document.querySelectorAll('#translate .look img')].map(each => each.src)")
    assert len(set(shown)) == 4
    assert page.get("document.querySelector('.look[aria-pressed=true]').innerText") == "Soft pencil"
    _changes(page, _RESULT, lambda: page.click(".look[value=fs2k-1]"))
    assert page.get("document.querySelector('.look[aria-pressed=true]').innerText") == "Ink"
    assert "Ink" in page.get("document.querySelector('.headline').innerText")
    assert page.complaints == []


def test_a_photo_follows_the_colours_that_are_clicked(page: Any, portraits: Path) -> None:
    palette = "document.querySelector('#translate .palette').checkVisibility()"
    page.files("#translate-intake input[type=file]", portraits / "sketches" / "face-0001.png")
    page.wait(_RESULT)
    assert page.get(palette)
    _changes(page, _RESULT, lambda: _swatch(page, "translate", "skin", "9"))
    _changes(page, _RESULT, lambda: _swatch(page, "translate", "hair", "#c6a56b"))
    other = "document.querySelector('#translate [aria-label=\"Another colour for the background\"]')"
    pick = f"{other}.value = '#ff0000'; {other}.dispatchEvent(new Event('change'))"
    _changes(page, _RESULT, lambda: page.get(pick))
    assert page.get("document.querySelector('[name=translate-background]:checked')") is None
    page.get("document.querySelector('input[name=translate-direction][value=photo2sketch]').click()")
    page.wait(f"{_RESULT} && document.querySelector('#translate-side h2').textContent === 'Sketch from a photo'")
    assert not page.get(palette), "a sketch has no colours"
    assert page.complaints == []


def test_a_face_is_shown_in_three_skin_tones_on_request(page: Any, portraits: Path) -> None:
    tones = "[...document.querySelectorAll('#translate .palette .look img')].map(each => each.src)"
    page.files("#translate-intake input[type=file]", portraits / "sketches" / "face-0001.png")
    page.wait(_RESULT)
    assert page.get(tones) == []
    page.click("#translate .palette > button")
    page.wait(f"{tones}.length === 3")
    assert len(set(page.get(tones))) == 3
    _changes(page, _RESULT, lambda: page.click("#translate .palette .look[value='8']"))
    assert page.get("document.querySelector('input[name=translate-skin]:checked').value") == "8"


def test_the_photo_of_a_drawing_follows_the_colours(page: Any) -> None:
    photo = "document.getElementById('drawn-photo').src"
    page.get("location.hash = 'draw'")
    page.wait("!document.getElementById('drawn-photo').hidden")
    assert page.get("document.querySelector('#draw .palette').checkVisibility()")
    _changes(page, photo, lambda: _swatch(page, "draw", "skin", "2"))
    _changes(page, photo, lambda: _swatch(page, "draw", "background", "#1d1c1b"))
    page.click("#draw .palette > button")
    page.wait("document.querySelectorAll('#draw .palette .look img').length === 3")
    assert page.complaints == []
