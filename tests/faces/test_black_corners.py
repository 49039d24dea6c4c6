"""Black corners: strips and wedges of a levelling are filled, hair, clothes and night are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from facesketch.data.synthetic.draw import draw_pair
from facesketch.faces import fill_corners
from facesketch.faces.black_corners import black_corners

Pixels = NDArray[np.uint8]


def plain(width: int = 200, height: int = 250, colour: tuple[int, ...] = (90, 150, 210)) -> Pixels:
    return np.full((height, width, 3), colour, dtype=np.uint8)


def turned(degrees: float, size: tuple[int, int] = (200, 250)) -> tuple[Image.Image, NDArray[np.bool_]]:
    """Return a plain picture turned about its centre, as a levelling does it, and where it is black."""
    whole = Image.new("L", size, 255).rotate(degrees, Image.Resampling.BICUBIC)
    covered = np.asarray(whole) > 0
    return Image.fromarray(plain(*size)).rotate(degrees, Image.Resampling.BICUBIC), ~covered


@pytest.mark.parametrize("degrees", [-12.0, -6.0, -3.0, 3.0, 6.0, 12.0])
@pytest.mark.parametrize("size", [(200, 250), (800, 1000), (64, 80)])
def test_the_wedges_of_a_turn_are_filled(degrees: float, size: tuple[int, int]) -> None:
    image, black = turned(degrees, size)
    assert black.mean() > 0.01
    filled = np.asarray(fill_corners(image)).astype(int)
    assert (np.abs(filled - (90, 150, 210)).max(axis=-1)[black] < 12).mean() > 0.97
    assert not black_corners(fill_corners(image)).any(), "filled once for all"


@given(side=st.integers(0, 3), depth=st.integers(2, 40), lean=st.floats(-0.1, 0.1))
def test_a_strip_along_any_side_is_filled(side: int, depth: int, lean: float) -> None:
    square = plain(200, 200)
    along = np.arange(200)
    edge = np.maximum(depth + lean * along, 0).round().astype(int)
    square[np.arange(200)[:, None] < edge] = 0
    strip = np.rot90(square, side)
    black = (strip == 0).all(axis=-1)
    found = black_corners(Image.fromarray(strip))
    if (edge > 0).mean() > 0.3 and edge.max() < 55:
        assert found[black].mean() > 0.95
        assert np.asarray(fill_corners(Image.fromarray(strip))).min() > 60
    assert not found[~black].any()


def test_strips_along_two_sides_are_filled() -> None:
    page = np.full((250, 200), 240, dtype=np.uint8)
    down = np.arange(250)[:, None]
    page[np.arange(200)[None] > 188 + down * 0.04] = 0
    page[down > 242 - np.arange(200)[None] * 0.03] = 0
    found = black_corners(Image.fromarray(page))
    assert found[page == 0].all(), "the corner that they share belongs to both"
    assert np.asarray(fill_corners(Image.fromarray(page))).min() > 200


def test_a_page_is_filled_with_paper_and_not_with_strokes() -> None:
    page = np.full((250, 200), 235, dtype=np.uint8)
    page[:, 20:24] = 60  # a stroke beside the strip
    page[:, :12] = 0
    filled = np.asarray(fill_corners(Image.fromarray(page)))
    assert filled[:, :12].min() > 215
    assert (filled[:, 20:24] == 60).all()


def test_what_mixed_with_the_black_is_filled_too() -> None:
    page = np.full((250, 200), 235, dtype=np.uint8)
    page[:, :10], page[:, 10], page[:, 11] = 0, 80, 170
    assert np.asarray(fill_corners(Image.fromarray(page))).min() > 215


def test_hair_and_clothes_at_the_border_stay() -> None:
    rng = np.random.default_rng(0)
    picture = plain()
    edge = 200 + 30 * np.sin(np.arange(200) / 25) + rng.normal(0, 3, 200)  # shoulders
    picture[np.arange(250)[:, None] > edge] = 5
    image = Image.fromarray(picture)
    assert fill_corners(image) is image


@pytest.mark.parametrize("level", [0, 10])
def test_night_stays(level: int) -> None:
    picture = np.full((250, 200, 3), level, dtype=np.uint8)
    picture[60:235, 50:150] = (200, 160, 140)  # a face before it
    image = Image.fromarray(picture)
    assert fill_corners(image) is image


def test_black_in_the_middle_of_a_side_stays() -> None:
    picture = plain()
    picture[:10, 50:150] = 0
    image = Image.fromarray(picture)
    assert fill_corners(image) is image


def test_a_black_picture_stays() -> None:
    image = Image.new("L", (200, 250))
    assert fill_corners(image) is image


@pytest.mark.parametrize("seed", range(6))
def test_faces_without_corners_are_given_back(seed: int) -> None:
    for image in draw_pair(np.random.default_rng(seed), 250):
        assert fill_corners(image) is image


@given(st.integers(8, 60), st.integers(8, 60), st.integers(0, 2**32 - 1), st.sampled_from(["L", "RGB"]))
def test_any_picture_keeps_its_size_and_mode(width: int, height: int, seed: int, mode: str) -> None:
    rng = np.random.default_rng(seed)
    shape = (height, width) if mode == "L" else (height, width, 3)
    image = Image.fromarray((rng.integers(0, 256, shape) * rng.integers(0, 2)).astype(np.uint8))
    filled = fill_corners(image)
    assert (filled.size, filled.mode) == (image.size, image.mode)
    assert (filled is image) == (not black_corners(image).any() or black_corners(image).all())
