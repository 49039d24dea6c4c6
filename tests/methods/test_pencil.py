"""The pencil filter against the same written with scipy."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import facesketch
from facesketch.errors import ConfigError
from facesketch.inference.engines.pencil_engine import PencilEngine
from facesketch.inference.translator import load
from facesketch.methods.families import FAMILIES
from facesketch.methods.registry import resolve


def _smooth(height: int, width: int) -> NDArray[np.float64]:
    noise = np.random.default_rng(4).random((3, height, width))
    return np.stack([gaussian_filter(plane, 3) for plane in noise]).clip(0, 1)


def _dodge(photo: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Colour dodge as it is told: grey, invert, blur the negative, divide by what the blurred negative leaves."""
    grey = np.tensordot([0.299, 0.587, 0.114], photo, axes=1)
    negative = gaussian_filter(1.0 - grey, sigma, truncate=3.0, mode="nearest")
    return np.minimum(1.0, grey / np.maximum(1.0 - negative, 1e-3))


def _draw(photo: NDArray[np.float64], sigma: float = 5.0) -> NDArray[np.float32]:
    """Return the sketch of a photo (3, H, W) in [0, 1], (H, W) in [0, 1]."""
    drawn = PencilEngine(sigma).run((photo[None] * 2 - 1).astype(np.float32), "photo2sketch")
    assert (drawn.shape, drawn.dtype) == ((1, 1, *photo.shape[1:]), np.float32)
    return (drawn[0, 0] + 1) / 2


@pytest.mark.parametrize(("height", "width"), [(256, 256), (200, 256), (256, 100), (128, 96)])
@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_it_is_the_colour_dodge(height: int, width: int, sigma: float) -> None:
    photo = _smooth(height, width)
    np.testing.assert_allclose(_draw(photo, sigma), _dodge(photo, sigma * max(height, width) / 256), atol=2e-5)


def test_a_long_strip_takes_little_memory() -> None:
    photo = np.full((3, 20, 6000), 0.5)
    tracemalloc.start()
    _draw(photo)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 40 << 20


def test_each_picture_of_a_batch_is_drawn_by_itself() -> None:
    photos = np.stack([_smooth(48, 40), 1 - _smooth(48, 40)])
    drawn = PencilEngine().run((photos * 2 - 1).astype(np.float32), "photo2sketch")
    for one, photo in zip(drawn, photos, strict=True):
        np.testing.assert_array_equal((one[0] + 1) / 2, _draw(photo))


def test_flat_areas_turn_white_and_black_stays_black() -> None:
    np.testing.assert_allclose(_draw(np.full((3, 40, 40), 0.3)), 1, atol=1e-5)
    assert not _draw(np.zeros((3, 40, 40))).any()


def test_an_edge_becomes_a_dark_line_on_white() -> None:
    photo = np.full((3, 64, 64), 0.8)
    photo[:, :, 32:] = 0.4
    line = _draw(photo)[32]
    assert line[32] < 0.8
    assert line[:20].min() > 0.99
    assert line[50:].min() > 0.99
    assert line.argmin() in (32, 33)


def test_it_does_one_direction_in_one_hand() -> None:
    translator = load("pencil")
    assert translator.directions == FAMILIES["pencil"].directions == ("photo2sketch",)
    assert translator.config.method.options == {"sigma": 5.0}
    with pytest.raises(ConfigError, match="style 'ink'; this model has one style"):
        facesketch.load("pencil", style="ink")
    with pytest.raises(ConfigError, match="pencil does not support sketch2photo"):
        resolve(translator.config.model_copy(update={"direction": "sketch2photo"}))
