"""The page where you draw: strokes, undoing them, and the photo that follows them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from tests.web.conftest import Held, NewPage, Save

_INK = """paper => {
    const copy = new OffscreenCanvas(paper.width, paper.height), paint = copy.getContext('2d');
    paint.drawImage(paper, 0, 0);
    const dark = paint.getImageData(0, 0, paper.width, paper.height).data.filter((_, place) => place % 4 === 0);
    return [Math.round(dark.reduce((sum, each) => sum + 255 - each, 0) / 255), 255 - Math.min(...new Set(dark))];
}"""
_INPUT = "#draw-board input[type=file]"
_SHARES = (0.2, 0.4, 0.6, 0.8)
_PAUSE = 350  # ms; the page waits 250 for another stroke


def _ink(page: Page) -> int:
    """Return how much black there is on the paper, in pixels."""
    return page.locator("#paper").evaluate(_INK)[0]


def _settled(page: Page) -> None:
    expect(page.locator("#drawn-photo")).to_be_visible()
    expect(page.locator(".developed.at-work")).to_have_count(0)


def _open(page: Page) -> None:
    page.get_by_role("link", name="Draw").click()


@pytest.fixture
def board(page: Page) -> Page:
    """Return the page with blank paper."""
    _open(page)
    _settled(page)
    page.get_by_label("Start from").select_option("blank")
    expect(page.locator("#drawn-photo")).to_be_hidden()
    assert _ink(page) == 0
    return page


def _points(page: Page, height: float, shares: tuple[float, ...] = _SHARES) -> list[tuple[float, float]]:
    """Return points of the page on a line across the paper, which is scrolled into view."""
    paper = page.locator("#paper")
    paper.scroll_into_view_if_needed()
    box = paper.bounding_box()
    return [(box["x"] + box["width"] * share, box["y"] + box["height"] * height) for share in shares]


def _stroke(page: Page, height: float, shares: tuple[float, ...] = _SHARES) -> None:
    first, *others = _points(page, height, shares)
    page.mouse.move(*first)
    page.mouse.down()
    for point in others:
        page.mouse.move(*point)
    page.mouse.up()


def test_it_begins_with_a_face_and_its_photo(page: Page) -> None:
    _open(page)
    _settled(page)
    strong = _ink(page)
    assert strong > 10_000, "a face lies under the drawing"
    page.get_by_label("Its strength").fill("20")
    assert _ink(page) < strong / 2


def test_blank_paper_gives_a_hint_until_something_is_drawn(board: Page) -> None:
    hint, strength = board.locator(".paper-hint"), board.get_by_label("Its strength")
    expect(hint).to_be_visible()
    expect(strength).to_be_disabled()  # there is no face whose strength could be set
    _stroke(board, 0.3)
    expect(hint).to_be_hidden()
    board.get_by_label("Clear all strokes").click()
    expect(hint).to_be_visible()
    board.get_by_label("Start from").select_option("example")
    expect(strength).to_be_enabled()
    expect(hint).to_be_hidden()


def test_too_little_to_be_a_face_gives_a_hint_instead_of_a_mask(page: Page) -> None:
    _open(page)
    _settled(page)
    hint = page.locator(".blank-photo")
    page.get_by_label("Its strength").fill("0")
    expect(hint).to_contain_text("strength")
    page.get_by_label("Its strength").fill("50")
    _settled(page)
    expect(hint).to_be_hidden()
    page.keyboard.press("e")
    page.get_by_label("Width").fill("30")
    for row in range(16):
        _stroke(page, (row + 0.5) / 16, (0, 0.5, 1))
    expect(hint).to_be_visible()


def test_strokes_are_undone_and_redone(board: Page) -> None:
    undo, redo, clear = (board.get_by_label(name) for name in ("Undo", "Redo", "Clear all strokes"))
    _stroke(board, 0.3)
    one = _ink(board)
    assert one > 500
    _stroke(board, 0.6)
    two = _ink(board)
    assert two > 1.8 * one
    undo.click()
    assert _ink(board) == one
    board.keyboard.press("Control+z")
    assert _ink(board) == 0
    board.keyboard.press("Control+Shift+z")
    redo.click()
    assert _ink(board) == two
    expect(redo).to_be_disabled()
    clear.click()
    assert _ink(board) == 0
    undo.click()
    assert _ink(board) == two


def test_the_eraser_removes_what_it_passes_over(board: Page) -> None:
    _stroke(board, 0.5)
    drawn = _ink(board)
    board.keyboard.press("e")
    _stroke(board, 0.5, (0.5, 0.7, 0.9))
    assert 0.3 * drawn < _ink(board) < 0.75 * drawn


def test_a_pen_that_is_pressed_harder_draws_wider_and_darker(board: Page) -> None:
    session = board.context.new_cdp_session(board)  # Playwright has no pen
    drawn = [(0, 0)]
    for height, force in ((0.4, 0.1), (0.6, 0.9)):
        points = _points(board, height)
        kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1), "mouseReleased"]
        for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
            values = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
            session.send("Input.dispatchMouseEvent", values | {"pointerType": "pen", "force": force})
        drawn.append(board.locator("#paper").evaluate(_INK))
    (_, (soft, grey), (both, black)) = drawn
    assert both - soft > 4 * soft
    assert black > grey + 40


def test_you_can_draw_with_keys_alone(board: Page) -> None:
    board.locator("#paper").focus()
    for _ in range(5):
        board.keyboard.press("Shift+ArrowRight")
    assert _ink(board) == 0, "the pencil is not down yet"
    board.keyboard.press("Space")
    for _ in range(5):
        board.keyboard.press("Shift+ArrowDown")
    down = _ink(board)
    assert down > 300
    board.keyboard.press("Space")
    board.keyboard.press("Shift+ArrowDown")
    assert _ink(board) == down
    board.keyboard.press("Control+z")
    assert _ink(board) == 0


def test_one_request_runs_at_a_time_and_the_last_one_has_every_stroke(board: Page) -> None:
    held = Held(board, "**/v1/translate")
    board.get_by_label("Width").fill("30")
    for height in (0.2, 0.3, 0.4):
        _stroke(board, height)
    held.wait(1)
    for height in (0.5, 0.6):
        _stroke(board, height)
        board.wait_for_timeout(_PAUSE)
    held.wait(1)
    held.routes[0].continue_()
    held.wait(2)  # the strokes that came meanwhile share a request
    _stroke(board, 0.7)
    board.wait_for_timeout(_PAUSE)
    held.wait(2)
    held.routes[1].continue_()
    held.wait(3)
    held.routes[2].continue_()
    _settled(board)
    board.wait_for_timeout(_PAUSE)
    held.wait(3)


def test_your_own_picture_is_traced(board: Page, portraits: Path) -> None:
    board.set_input_files(_INPUT, portraits / "photos" / "face-0001.png")
    expect(board.get_by_label("Start from")).to_have_value("own")
    _settled(board)
    assert _ink(board) > 10_000


@pytest.mark.parametrize("chosen", ["own", "blank"])
def test_an_example_that_comes_late_does_not_replace_a_later_choice(page: Page, portraits: Path, chosen: str) -> None:
    held, start = Held(page, "**/v1/translate", "astronaut.jpg"), page.get_by_label("Start from")
    _open(page)
    held.wait(1)
    if chosen == "own":
        page.set_input_files(_INPUT, portraits / "photos" / "face-0001.png")
    else:
        start.select_option(chosen)
    expect(start).to_have_value(chosen)
    before = _ink(page)
    assert (before > 10_000) == (chosen == "own")
    held.let_go(0)
    assert _ink(page) == before
    expect(start).to_have_value(chosen)
    expect(page.locator(".starts .working")).to_have_count(0)


def test_a_face_that_is_given_before_the_server_answers_stays(
    new_page: NewPage, everything: str, portraits: Path
) -> None:
    page = new_page()
    held, example = Held(page, "**/v1/health"), Held(page, "**/page/astronaut.jpg")
    page.goto(f"{everything}#draw")
    held.wait(1)
    page.set_input_files(_INPUT, portraits / "photos" / "face-0001.png")
    expect(page.get_by_label("Start from")).to_have_value("own")
    before = _ink(page)
    held.let_go(0)
    _settled(page)
    assert _ink(page) == before
    assert example.routes == []


def test_a_stroke_stays_whole_when_a_face_arrives_meanwhile(board: Page) -> None:
    held = Held(board, "**/v1/translate", "astronaut.jpg")
    board.get_by_label("Start from").select_option("example")
    held.wait(1)
    points = _points(board, 0.5)
    board.mouse.move(*points[0])
    board.mouse.down()
    board.mouse.move(*points[1])
    assert _ink(board) > 100
    held.let_go(0)
    assert _ink(board) > 10_000, "the face is there"
    for point in points[2:]:
        board.mouse.move(*point)
    board.mouse.up()
    drawn = _ink(board)
    for name in ("Undo", "Redo"):
        board.get_by_label(name).click()
    assert _ink(board) == drawn, "it was whole before it was drawn again"


def test_drawing_and_photo_are_saved_and_searched_with(board: Page, saved: Save) -> None:
    board.get_by_label("Width").fill("30")
    for height in (0.3, 0.5):
        _stroke(board, height)
    _settled(board)
    files = [saved(board.get_by_label(f"Download the {what}")) for what in ("photo", "drawing")]
    assert [path.name for path in files] == ["drawn-photo.png", "drawing.png"]
    with Image.open(files[0]) as photo, Image.open(files[1]) as drawing:
        assert photo.mode == "RGB"
        assert photo.width / photo.height == drawing.width / drawing.height == 0.8
    board.get_by_role("button", name="Search with it").click()
    expect(board).to_have_url(re.compile("#search$"))
    expect(board.locator(".hit")).to_have_count(4)
