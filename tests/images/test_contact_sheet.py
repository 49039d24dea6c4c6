from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from facesketch.images.contact_sheet import GAP, PAPER, sheet


def _count(page: Image.Image, picture: Image.Image) -> int:
    cell = np.asarray(picture.convert("RGB"))
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(page), cell.shape)
    return int((windows == cell).all(axis=(-3, -2, -1)).sum())


def _plain(colour: tuple[int, int, int], size: tuple[int, int] = (30, 20)) -> Image.Image:
    return Image.new("RGB", size, colour)


def test_every_picture_stands_in_its_place() -> None:
    colours = [[(200, 0, 0), (0, 200, 0)], [(0, 0, 200), (90, 90, 90)]]
    page = sheet([[_plain(colour) for colour in row] for row in colours], ["photo", "sketch"])
    middles = {}
    for row in colours:
        for colour in row:
            assert _count(page, _plain(colour)) == 1
            y, x = np.argwhere((np.asarray(page) == colour).all(axis=-1)).mean(axis=0)
            middles[colour] = (x, y)
    assert middles[(200, 0, 0)][0] == middles[(0, 0, 200)][0] < middles[(0, 200, 0)][0] == middles[(90, 90, 90)][0]
    assert middles[(200, 0, 0)][1] == middles[(0, 200, 0)][1] < middles[(0, 0, 200)][1]


def test_pictures_are_shrunk_into_the_cell_in_proportion() -> None:
    page = np.asarray(sheet([[_plain((200, 0, 0), (100, 50))]], ["x"], cell=(40, 40)))
    places = np.argwhere((page == (200, 0, 0)).all(axis=-1))
    assert (np.ptp(places, axis=0) + 1).tolist() == [20, 40]


def test_small_pictures_are_not_enlarged() -> None:
    page = np.asarray(sheet([[_plain((200, 0, 0), (10, 8))]], ["x"], cell=(40, 40)))
    assert int((page == (200, 0, 0)).all(axis=-1).sum()) == 80


def test_empty_places_stay_paper() -> None:
    page = sheet([[None, _plain((200, 0, 0))], [_plain((0, 0, 200)), None]], ["", ""])
    assert _count(page, _plain((200, 0, 0))) == _count(page, _plain((0, 0, 200))) == 1
    assert page.getpixel((GAP, page.height // 2)) == PAPER


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "P"])
def test_any_mode_is_shown(mode: str) -> None:
    assert sheet([[Image.new(mode, (30, 20))]], ["x"]).mode == "RGB"


def test_labels_make_room_for_themselves() -> None:
    bare, labelled, long = (
        sheet([[_plain((200, 0, 0))]], ["x"], labels) for labels in ((), ["face"], ["a face with a long name"])
    )
    assert bare.width < labelled.width < long.width
    ink = (np.asarray(long)[:, : long.width - 40] < 128).all(axis=-1)
    assert ink.any(), "the label is there"
    assert _count(long, _plain((200, 0, 0))) == 1, "and covers no picture"


def test_titles_of_two_lines_stand_above_the_pictures() -> None:
    one, two = (sheet([[_plain((200, 0, 0))]], [text]) for text in ("one", "one\ntwo"))
    assert one.height < two.height
    assert _count(two, _plain((200, 0, 0))) == 1
    assert int(np.asarray(two).max(axis=-1).min()) < 128, "and there they are read"


def test_a_row_too_short_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="every row must fill every column"):
        sheet([[_plain((0, 0, 0))]], ["a", "b"])
