"""The pencil filter against the same written with scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from facesketch.config import DataConfig
from facesketch.errors import ConfigError
from facesketch.methods import METHODS, build, resolve
from facesketch.methods.pencil import Pencil, PencilOptions
from facesketch.translate import load


def _pencil(sigma: float = 5.0, **data: int) -> Pencil:
    return Pencil(PencilOptions(sigma=sigma), DataConfig(**data), "photo2sketch")


def _smooth(height: int, width: int, channels: int = 3) -> NDArray[np.float64]:
    noise = np.random.default_rng(4).random((channels, height, width))
    return np.stack([gaussian_filter(plane, 3) for plane in noise]).clip(0, 1)


def _dodge(photo: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Colour dodge as it is told: grey, invert, blur the negative, divide by what the blurred negative leaves."""
    grey = np.tensordot([0.299, 0.587, 0.114], photo, axes=1) if len(photo) == 3 else photo[0]
    negative = gaussian_filter(1.0 - grey, sigma, truncate=3.0, mode="nearest")
    return np.minimum(1.0, grey / np.maximum(1.0 - negative, 1e-3))


def _draw(pencil: Pencil, photo: NDArray[np.float64]) -> Tensor:
    images = torch.from_numpy(photo[None] * 2 - 1).float()
    return (pencil.translate(images, "photo2sketch") + 1) / 2


@pytest.mark.parametrize(("height", "width"), [(256, 256), (200, 256), (256, 100)])
@pytest.mark.parametrize("sigma", [2.0, 5.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_the_colour_dodge(height: int, width: int, sigma: float, channels: int) -> None:
    photo = _smooth(height, width, channels)
    drawn = _draw(_pencil(sigma), photo)
    assert drawn.shape == (1, 1, height, width)
    np.testing.assert_allclose(drawn[0, 0].numpy(), _dodge(photo, sigma), atol=2e-5)


def test_the_blur_grows_with_the_picture() -> None:
    photo = _smooth(128, 96)
    np.testing.assert_allclose(_draw(_pencil(4.0), photo)[0, 0].numpy(), _dodge(photo, 2.0), atol=2e-5)


def test_flat_areas_turn_white_and_black_stays_black() -> None:
    assert torch.allclose(_draw(_pencil(), np.full((3, 40, 40), 0.3)), torch.ones(1, 1, 40, 40), atol=1e-5)
    assert torch.equal(_draw(_pencil(), np.zeros((3, 40, 40))), torch.zeros(1, 1, 40, 40))


def test_an_edge_becomes_a_dark_line_on_white() -> None:
    photo = np.full((3, 64, 64), 0.8)
    photo[:, :, 32:] = 0.4
    line = _draw(_pencil(), photo)[0, 0, 32].numpy()
    assert line[32] < 0.8
    assert line[:20].min() > 0.99
    assert line[50:].min() > 0.99
    assert line.argmin() in (32, 33)


def test_colour_sketches_are_grey_in_three_channels() -> None:
    drawn = _draw(_pencil(sketch_channels=3), _smooth(32, 32))
    assert drawn.shape == (1, 3, 32, 32)
    assert torch.equal(drawn[:, 0], drawn[:, 2])


def test_it_cannot_be_trained_and_does_one_direction() -> None:
    translator = load("pencil")
    assert translator.directions == METHODS["pencil"].directions == ("photo2sketch",)
    method = build(translator.config)
    assert sum(parameter.numel() for parameter in method.parameters()) == 0
    assert method.optimisers(1e-3) == {}
    with pytest.raises(ConfigError, match="pencil cannot do sketch2photo"):
        resolve(translator.config.model_copy(update={"direction": "sketch2photo"}))
