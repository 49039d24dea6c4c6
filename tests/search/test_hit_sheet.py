"""The hit sheet: what stands on it, and that nothing is cut off or covers anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facesketch.search import hit_sheet as sheet
from facesketch.search.answer import LEAD, Answer, Hit, percent, plain
from facesketch.search.embedding.describer import Probe
from facesketch.search.hit_sheet import ACROSS, CELL, hit_sheet

SKETCH, MADE = (10, 200, 10), (200, 10, 200)
RED = (201, 3, 3)


def _plain(colour: tuple[int, int, int], size: tuple[int, int] = CELL) -> Image.Image:
    return Image.new("RGB", size, colour)


def _answer(
    hits: int = 3, *, label: str = "", absent: float = 0.25, elsewhere: float = 0.25, notice: str = ""
) -> Answer:
    vector = np.zeros(2, np.float32)
    found = [
        Hit(place, f"/photos/{place}.jpg", f"p{place}", label or f"p{place}", 0.9 - place / 100, 0.5 / hits)
        for place in range(1, hits + 1)
    ]
    probe = Probe(sketch=vector, photo=vector, framed=_plain(SKETCH), translated=_plain(MADE))
    return Answer(found, absent, elsewhere, "fused", 1058, 7, (probe,), notice)


def _draw(answer: Answer, pictures: list[Image.Image | None] | None = None) -> NDArray[np.uint8]:
    if pictures is None:
        pictures = [_plain(RED) for _ in answer.hits]
    return np.asarray(hit_sheet(answer, pictures, gallery="mugshots", probe="sketch.png", when="2026-11-22 22:12 UTC"))


def _places(page: NDArray[np.uint8], colour: tuple[int, int, int] | str) -> NDArray[np.intp]:
    """Return the (row, column) of every pixel of a colour."""
    rgb = tuple(bytes.fromhex(colour[1:])) if isinstance(colour, str) else colour
    return np.argwhere((page == rgb).all(axis=-1))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return every line that gets written from here on, and how far down it stands."""
    lines: list[tuple[str, int]] = []
    write = sheet._Page.write

    def note(page: sheet._Page, line: str, size: int, colour: str, bold: bool, left: int) -> None:
        lines.append((line, page.y))
        write(page, line, size, colour, bold, left)

    monkeypatch.setattr(sheet._Page, "write", note)
    return lines


def test_sheet_holds_the_whole_answer(written: list[tuple[str, int]]) -> None:
    answer = _answer(label="Anna", notice="faces are sought the old way")
    _draw(answer)
    lines = [line for line, _ in written]
    text = " ".join(lines)
    assert answer.verdict in text
    assert LEAD in text
    assert "faces are sought the old way" in text
    assert "sketch.png in mugshots (version 7, 1,058 photos), route fused, 2026-11-22 22:12 UTC" in text
    for place in (1, 2, 3):
        assert f"{place}. Anna" in lines
        assert f"score {0.9 - place / 100:.3f}" in lines
        assert f"p{place}, {place}.jpg" in lines
    assert lines.count("chance 17 %") == 3


def test_control_characters_in_names_are_not_drawn(written: list[tuple[str, int]]) -> None:
    answer = _answer(1, label="An\x1b[31mna\x00 \r\nM\x7f\u202e\udcff")
    hits = [replace(answer.hits[0], key="/photos/a\nb\x01c\udcff.jpg")]
    page = hit_sheet(
        replace(answer, hits=hits), [None], gallery="mug\nshots", probe="sket\tch\udcff.png", when="2026-11-22"
    )
    assert page.width == 1456
    text = " ".join(line for line, _ in written)
    assert "1. An [31mna M" in text
    assert "a b c .jpg" in text
    assert "sket ch .png in mug shots" in text


def test_names_keep_their_letters() -> None:
    for name in ("Zoë O’Neill", "می\u200cخواهم", "李四", "a  b"):
        assert plain(name) == name


def test_the_warning_stands_between_the_sketch_and_the_hits() -> None:
    page = _draw(_answer())
    warning = _places(page, sheet._TINT)[:, 0]
    assert _places(page, SKETCH)[:, 0].max() < warning.min()
    assert _places(page, MADE)[:, 0].max() < warning.min()
    assert warning.max() < _places(page, RED)[:, 0].min()
    assert np.ptp(_places(page, sheet._TINT)[:, 1]) > 0.85 * page.shape[1]


def test_every_face_is_shown_whole_and_hits_break_into_rows() -> None:
    page = _draw(_answer(ACROSS + 2))
    faces = _places(page, RED)
    inside = (CELL[0] - 2) * (CELL[1] - 2)  # but for the thin edge
    assert len(faces) == (ACROSS + 2) * inside
    assert len(_places(page, SKETCH)) == len(_places(page, MADE)) == inside
    assert len(np.unique(faces[:, 0])) == 2 * (CELL[1] - 2)
    assert len(np.unique(faces[:, 1])) == ACROSS * (CELL[0] - 2)


def test_pictures_keep_their_proportions() -> None:
    wide = _places(_draw(_answer(1), [_plain(RED, (80, 20))]), RED)
    assert (np.ptp(wide, axis=0) + 1).tolist() == [CELL[0] // 4, CELL[0] - 2]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_any_picture_is_shown(mode: str) -> None:
    assert _draw(_answer(1), [Image.new(mode, (20, 25))]).shape[2] == 3


def test_a_hit_without_a_picture_leaves_a_marked_place() -> None:
    page = _draw(_answer(2), [_plain(RED), None])
    assert len(_places(page, RED)) == (CELL[0] - 2) * (CELL[1] - 2)
    assert len(_places(page, sheet._EMPTY)) > 0.9 * CELL[0] * CELL[1]


@pytest.mark.parametrize(("absent", "elsewhere"), [(0.25, 0.25), (0.9, 0.1), (0.0, 0.0), (1.0, 0.0)])
def test_the_bar_shows_the_three_chances_as_they_are(absent: float, elsewhere: float) -> None:
    page = _draw(_answer(absent=absent, elsewhere=elsewhere))
    left = sheet._Page.column(2)
    whole = page.shape[1] - sheet._MARGIN - left
    shares = {sheet._HITS: 1 - absent - elsewhere, sheet._ELSEWHERE: elsewhere, sheet._ABSENT: absent}
    bar = min(_places(page, colour)[0, 0] for colour in shares)
    for colour, share in shares.items():
        assert (_places(page[[bar]], colour)[:, 1] >= left).all()
        assert len(_places(page[[bar]], colour)) == pytest.approx(share * whole, abs=1)


@pytest.mark.parametrize("label", ["x" * 200, "Maximilian von und zu Habsburg-Lothringen der Dritte", "a"])
def test_long_names_stay_in_their_column(label: str) -> None:
    page = _draw(_answer(ACROSS, label=label))
    below = _places(page, RED)[:, 0].max() + 4
    for column in range(1, ACROSS):
        gutter = slice(sheet._Page.column(column) - sheet._GUTTER + 2, sheet._Page.column(column) - 2)
        assert (page[below:, gutter] == 255).all()
    assert (page[:, -sheet._MARGIN + 2 :] == 255).all(), "and the right margin is free"


def test_figures_stay_level_beside_a_name_of_two_lines(written: list[tuple[str, int]]) -> None:
    answer = _answer(2)
    long = Hit(2, "/photos/2.jpg", "p2", "Bartholomew Fotheringham", 0.5, 0.1)
    _draw(replace(answer, hits=[answer.hits[0], long]))
    lines = [line for line, _ in written]
    assert {"2. Bartholomew", "Fotheringham"} <= set(lines)
    assert len({down for line, down in written if line.startswith("score")}) == 1


def test_a_narrowed_search_says_nothing_of_the_others(written: list[tuple[str, int]]) -> None:
    _draw(replace(_answer(), where=("gender=female",)))
    page = " ".join(line for line, _ in written)
    assert "not among the photos searched" in page
    assert "in this gallery" not in page


def test_a_page_of_many_hits_is_as_long_as_it_has_to_be() -> None:
    few, many = _draw(_answer(1)), _draw(_answer(60))
    assert len(_places(many, RED)) == 60 * (CELL[0] - 2) * (CELL[1] - 2)
    assert few.shape[0] < 1300 < 12 * CELL[1] < many.shape[0]
    assert (many[-20:] == 255).all()


def test_an_empty_gallery_gives_a_sheet_without_hits() -> None:
    page = _draw(replace(_answer(), hits=[], absent=1.0, elsewhere=0.0, size=0))
    assert len(_places(page, RED)) == 0
    assert len(_places(page, SKETCH)) > 0


@pytest.mark.parametrize(
    ("chance", "said"),
    [
        (0.0, "< 1 %"),
        (0.0099, "< 1 %"),
        (0.01, "1 %"),
        (0.125, "12 %"),
        (0.99, "99 %"),
        (0.991, "> 99 %"),
        (1.0, "> 99 %"),
    ],
)
def test_no_chance_is_a_certainty(chance: float, said: str) -> None:
    assert percent(chance) == said


def test_another_number_of_pictures_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="every hit has a picture"):
        _draw(_answer(2), [None])


def test_several_pictures_are_all_shown() -> None:
    answer = _answer()
    (one,) = answer.probes
    photo = replace(one, sketch=None, framed=_plain(RED), translated=None)
    page = _draw(replace(answer, probes=(one, photo, one, one)), [None] * 3)
    assert len(_places(page, SKETCH)) > 2.9 * (CELL[0] - 2) * (CELL[1] - 2)
    assert len(_places(page, RED)) > 0.9 * (CELL[0] - 2) * (CELL[1] - 2)
    assert len(_places(page, MADE)) == 0, "what is made of one of several sketches is not"
