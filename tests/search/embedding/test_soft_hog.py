"""Oriented gradients: unit rows that tell people apart and bear a shift, and are those of a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageChops
from scipy.ndimage import gaussian_filter1d

from facesketch.search.embedding import soft_hog
from facesketch.search.evaluation.distractors import draw_framed


@pytest.fixture(scope="module")
def faces() -> list[Image.Image]:
    return [draw_framed(5, number) for number in range(4)]


def _plain(picture: Image.Image) -> np.ndarray:
    """The same, pixel by pixel and block by block; borders are weighed as the module weighs them."""
    grey = np.asarray(picture.convert("L"), dtype=float)
    ones = np.ones_like(grey)

    def smooth(values: np.ndarray, spread: float) -> np.ndarray:
        def blur(x: np.ndarray) -> np.ndarray:
            cut = {"sigma": spread, "mode": "constant", "truncate": 40}
            return gaussian_filter1d(gaussian_filter1d(x, axis=0, **cut), axis=1, **cut)

        return blur(values) / blur(ones)

    grey = smooth(grey, 2.0)
    channels = np.zeros((9, *grey.shape))
    for row in range(grey.shape[0]):
        for column in range(grey.shape[1]):
            down = grey[row + 1, column] - grey[row - 1, column] if 0 < row < grey.shape[0] - 1 else 0.0
            across = grey[row, column + 1] - grey[row, column - 1] if 0 < column < grey.shape[1] - 1 else 0.0
            place = np.degrees(np.arctan2(down, across)) % 180 / 20 - 0.5
            low = int(np.floor(place))
            channels[low % 9, row, column] += np.hypot(down, across) * (1 - (place - low))
            channels[(low + 1) % 9, row, column] += np.hypot(down, across) * (place - low)
    channels = np.stack([smooth(channel, 4.0) for channel in channels])
    cells = channels[:, :240, :192].reshape(9, 15, 16, 12, 16).mean(axis=(2, 4))
    parts = np.zeros((36, 14, 11))
    for row in range(14):
        for column in range(11):
            block = cells[:, row : row + 2, column : column + 2].transpose(1, 2, 0).ravel()
            block = np.minimum(block / np.sqrt((block**2).sum() + 0.1), 0.2)
            parts[:, row, column] = block / np.sqrt((block**2).sum() + 0.1)
    return parts.ravel() / np.linalg.norm(parts)


def test_descriptions_equal_those_of_a_plain_loop(faces: list[Image.Image]) -> None:
    np.testing.assert_allclose(soft_hog.describe(faces[:1])[0], _plain(faces[0]), atol=1e-5)


def test_rows_are_of_unit_length(faces: list[Image.Image]) -> None:
    rows = soft_hog.describe(faces)
    assert rows.shape == (4, soft_hog.DIMENSION)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


def test_a_plain_picture_gives_zeros_and_no_picture_no_rows() -> None:
    assert not soft_hog.describe([Image.new("L", (200, 250), 90)]).any()
    assert soft_hog.describe([]).shape == (0, soft_hog.DIMENSION)


def test_colour_light_and_contrast_hardly_matter(faces: list[Image.Image]) -> None:
    darker = faces[0].point(lambda value: 40 + value // 2)
    rows = soft_hog.describe([faces[0], faces[0].convert("L"), darker])
    assert (rows @ rows[0])[1:].min() > 0.98


def test_a_few_pixels_beside_matter_less_than_another_face(faces: list[Image.Image]) -> None:
    moved = ImageChops.offset(faces[0], 3, -3)
    rows = soft_hog.describe([moved, *faces])
    likeness = rows[1:] @ rows[0]
    assert likeness[0] > 0.9
    assert likeness[0] - likeness[1:].max() > 0.1
