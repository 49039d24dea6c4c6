"""The page where one draws: strokes, what takes them back, and the photo that follows them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

_COUNTED = """
window.flying = 0; window.most = 0; window.sent = []; window.delay = 0;
const fetched = window.fetch;
window.fetch = async (address, options) => {
    if (!String(address).endsWith("/v1/translate")) return fetched(address, options);
    window.most = Math.max(window.most, ++window.flying);
    window.sent.push(performance.now());
    await new Promise((done) => setTimeout(done, window.delay));
    try { return await fetched(address, options); } finally { window.flying -= 1; }
};
"""
_INK = """(() => {
    const paper = document.getElementById('paper'), copy = new OffscreenCanvas(paper.width, paper.height);
    const paint = copy.getContext('2d', {willReadFrequently: true});
    paint.drawImage(paper, 0, 0);
    const data = paint.getImageData(0, 0, paper.width, paper.height).data;
    let sum = 0;
    for (let place = 0; place < data.length; place += 4) sum += 255 - data[place];
    return Math.round(sum / 255);
})()"""
"""How much black there is on the paper, in pixels."""
_SETTLED = "!document.getElementById('drawn-photo').hidden && !document.querySelector('.developed.at-work')"


@pytest.fixture
def board(page: Any) -> Any:
    """Return the page with blank paper."""
    page.get(_COUNTED)
    page.click("nav a[href='#draw']")
    page.wait(_SETTLED)
    _choose(page, "draw-start", "blank")
    page.wait("document.getElementById('drawn-photo').hidden")
    assert page.get(_INK) == 0
    return page


def _choose(page: Any, name: str, value: str) -> None:
    page.get(
        f"(s => {{ s.value = '{value}'; s.dispatchEvent(new Event('input')); s.dispatchEvent(new Event('change')); }})"
        f"(document.getElementById('{name}'))"
    )


def _stroke(page: Any, height: float, **more: Any) -> None:
    left, top, across, down = page.place("#paper")
    page.drag([(left + across * share, top + down * height) for share in (0.2, 0.4, 0.6, 0.8)], **more)


def test_it_begins_with_a_face_and_its_photo(page: Any) -> None:
    page.click("nav a[href='#draw']")
    page.wait(_SETTLED)
    strong = page.get(_INK)
    assert strong > 10_000, "a face lies under the drawing"
    _choose(page, "draw-opacity", "20")
    assert page.get(_INK) < strong / 2
    assert page.complaints == []


def test_blank_paper_gives_a_hint_until_something_is_drawn(board: Any) -> None:
    hint = "document.querySelector('.paper-hint').checkVisibility()"
    strength = "document.getElementById('draw-opacity').disabled"
    assert board.get(hint)
    assert board.get(strength), "there is no face whose strength could be set"
    _stroke(board, 0.3)
    assert not board.get(hint)
    board.click("[aria-label='Clear all strokes']")
    assert board.get(hint)
    _choose(board, "draw-start", "example")
    board.wait(f"!({strength})")
    assert not board.get(hint)


def test_too_little_to_be_a_face_gives_a_hint_instead_of_a_mask(page: Any) -> None:
    page.click("nav a[href='#draw']")
    page.wait(_SETTLED)
    hint = "document.querySelector('.blank-photo').checkVisibility()"
    _choose(page, "draw-opacity", "0")
    page.wait(hint)
    assert "strength" in page.get("document.querySelector('.blank-photo').innerText")
    _choose(page, "draw-opacity", "50")
    page.wait(_SETTLED)
    assert not page.get(hint)
    page.press("e")
    _choose(page, "draw-size", "30")
    left, top, across, down = page.place("#paper")
    for row in range(16):
        page.drag([(left + across * share, top + down * (row + 0.5) / 16) for share in (0, 0.5, 1)])
    page.wait(hint)
    assert page.complaints == []


def test_strokes_are_taken_back_and_made_again(board: Any) -> None:
    _stroke(board, 0.3)
    one = board.get(_INK)
    assert one > 500
    _stroke(board, 0.6)
    two = board.get(_INK)
    assert two > 1.8 * one
    board.click("[aria-label=Undo]")
    assert board.get(_INK) == one
    board.press("z", control=True)
    assert board.get(_INK) == 0
    board.press("z", control=True, shift=True)
    board.click("[aria-label=Redo]")
    assert board.get(_INK) == two
    assert board.get("document.querySelector('[aria-label=Redo]').disabled")
    board.click("[aria-label='Clear all strokes']")
    assert board.get(_INK) == 0
    board.click("[aria-label=Undo]")
    assert board.get(_INK) == two


def test_the_eraser_takes_away_what_it_passes_over(board: Any) -> None:
    _stroke(board, 0.5)
    drawn = board.get(_INK)
    board.press("e")
    left, top, across, down = board.place("#paper")
    board.drag([(left + across * share, top + down * 0.5) for share in (0.5, 0.7, 0.9)])
    assert 0.3 * drawn < board.get(_INK) < 0.75 * drawn


def test_a_pen_that_is_pressed_harder_draws_wider_and_darker(board: Any) -> None:
    darkest = _INK.replace("sum += 255 - data[place]", "sum = Math.max(sum, 255 * (255 - data[place]))")
    _stroke(board, 0.4, pointerType="pen", force=0.1)
    soft, grey = board.get(_INK), board.get(darkest)
    _stroke(board, 0.6, pointerType="pen", force=0.9)
    assert board.get(_INK) - soft > 4 * soft
    assert board.get(darkest) > grey + 40


def test_it_can_be_drawn_with_keys_alone(board: Any) -> None:
    board.get("document.getElementById('paper').focus()")
    for _ in range(5):
        board.press("ArrowRight", shift=True)
    assert board.get(_INK) == 0, "the pencil is not down yet"
    board.press(" ")
    for _ in range(5):
        board.press("ArrowDown", shift=True)
    down = board.get(_INK)
    assert down > 300
    board.press(" ")
    board.press("ArrowDown", shift=True)
    assert board.get(_INK) == down
    board.press("z", control=True)
    assert board.get(_INK) == 0


def test_one_request_flies_at_a_time_and_the_last_stroke_is_seen(board: Any) -> None:
    board.get("window.delay = 900")
    _choose(board, "draw-size", "30")
    before = board.get("window.sent.length")
    for height in (0.3, 0.4, 0.5, 0.6, 0.7):
        _stroke(board, height)
        time.sleep(0.35)  # longer than it waits for another stroke, and shorter than an answer takes
    _stroke(board, 0.2)
    board.wait("window.flying === 1")
    _stroke(board, 0.8)
    last = board.get("performance.now()")
    board.wait(f"window.sent.at(-1) > {last} && window.flying === 0 && {_SETTLED}", seconds=10)
    assert board.get("window.most") == 1
    assert 3 <= board.get("window.sent.length") - before < 7, "strokes that came meanwhile share a request"


def test_a_picture_of_ones_own_is_traced(board: Any, portraits: Path) -> None:
    board.files("#draw-board input[type=file]", portraits / "photos" / "face-0001.png")
    board.wait("document.getElementById('draw-start').value === 'own'")
    board.wait(_SETTLED)
    assert board.get(_INK) > 10_000


@pytest.mark.parametrize("chosen", ["own", "blank"])
def test_an_example_that_comes_late_leaves_what_was_chosen_meanwhile(page: Any, portraits: Path, chosen: str) -> None:
    page.hold("/v1/translate", "astronaut.jpg")
    page.click("nav a[href='#draw']")
    page.wait("held.length === 1")
    if chosen == "own":
        page.files("#draw-board input[type=file]", portraits / "photos" / "face-0001.png")
    else:
        _choose(page, "draw-start", chosen)
    page.wait(f"document.getElementById('draw-start').value === '{chosen}'")
    before = page.get(_INK)
    assert (before > 10_000) == (chosen == "own")
    page.let_go(0)
    assert page.get(_INK) == before
    assert page.get("document.getElementById('draw-start').value") == chosen
    assert page.get("document.querySelector('.starts .working')") is None
    assert page.complaints == []


def test_a_face_that_is_given_before_the_server_answers_stays(
    new_page: Callable[[], Any], everything: str, portraits: Path
) -> None:
    page = new_page()
    page.hold("/v1/health")
    page.go(f"{everything}#draw", ready="held.length === 1")
    page.files("#draw-board input[type=file]", portraits / "photos" / "face-0001.png")
    page.wait("document.getElementById('draw-start').value === 'own'")
    before = page.get(_INK)
    page.let_go(0)
    page.wait(_SETTLED)
    assert page.get(_INK) == before
    assert not any(url.endswith("/page/astronaut.jpg") for url in page.requests)


def test_a_stroke_under_way_is_whole_though_a_face_arrives(board: Any) -> None:
    board.hold("/v1/translate", "astronaut.jpg")
    _choose(board, "draw-start", "example")
    board.wait("held.length === 1")
    left, top, across, down = board.place("#paper")
    points = [(left + across * share, top + down * 0.5) for share in (0.2, 0.4, 0.6, 0.8)]
    board.mouse("mousePressed", *points[0], buttons=1)
    board.mouse("mouseMoved", *points[1], buttons=1)
    assert board.get(_INK) > 100
    board.let_go(0)
    assert board.get(_INK) > 10_000, "the face is there"
    for point in points[2:]:
        board.mouse("mouseMoved", *point, buttons=1)
    board.mouse("mouseReleased", *points[-1])
    drawn = board.get(_INK)
    for name in ("Undo", "Redo"):
        board.click(f"[aria-label={name}]")
    assert board.get(_INK) == drawn, "it was whole before it was drawn again"


def test_drawing_and_photo_are_saved_and_searched_with(board: Any, tmp_path: Path) -> None:
    _choose(board, "draw-size", "30")
    for height in (0.3, 0.5):
        _stroke(board, height)
    board.wait(_SETTLED)
    board.keep_downloads(tmp_path / "downloads")
    board.click("[aria-label='Download the photo']")
    board.click("[aria-label='Download the drawing']")
    with (
        Image.open(board.downloaded("drawn-photo.png")) as photo,
        Image.open(board.downloaded("drawing.png")) as drawing,
    ):
        assert photo.mode == "RGB"
        assert photo.width / photo.height == drawing.width / drawing.height == 0.8
    board.click("#draw-search")
    board.wait("location.hash === '#search' && document.querySelectorAll('.hit').length === 4")
