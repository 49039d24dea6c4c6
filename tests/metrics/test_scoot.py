from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.feature import graycomatrix
from torch import Tensor

from facesketch.metrics.scoot import scoot


def _pictures(seed: int, height: int, width: int, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, max(2, height // 4), max(2, width // 4), generator=generator) * 255
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="nearest").round()


def _block_features(block: NDArray[np.uint8]) -> list[float]:
    """Return contrast and energy of one block of levels, by scikit-image's co-occurrence matrix."""
    angles = [0, -math.pi / 4, -math.pi / 2, -3 * math.pi / 4]  # rows grow downwards
    counts = graycomatrix(block, [1], angles, levels=6)[:, :, 0, :]
    mean = np.floor(counts.mean(axis=2) + 0.5)
    share = mean / mean.sum()
    contrast = sum(share[i, j] * (i - j) ** 2 for i in range(6) for j in range(6))
    return [float(contrast), float((share**2).sum())]


def _reference(result: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    vectors = []
    for image in (result, truth):
        levels = np.minimum(image * 6 // 255, 5).astype(np.uint8)
        rows = [math.floor(image.shape[0] * k / 4) for k in range(5)]
        columns = [math.floor(image.shape[1] * k / 4) for k in range(5)]
        vector: list[float] = []
        for i in range(4):
            for j in range(4):
                vector += _block_features(levels[rows[i] : rows[i + 1], columns[j] : columns[j + 1]])
        vectors.append(np.array(vector))
    return float(1 / (1 + np.linalg.norm(vectors[0] - vectors[1])))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 48), (63, 50), (250, 200)])
def test_scoot_is_the_per_block_one(height: int, width: int) -> None:
    result, truth = _pictures(1, height, width), _pictures(2, height, width)
    expected = _reference(result[0, 0].long().numpy(), truth[0, 0].long().numpy())
    assert float(scoot(result, truth)) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), height=st.integers(16, 45), width=st.integers(16, 45))
def test_scoot_is_the_per_block_one_at_any_size(seed: int, height: int, width: int) -> None:
    result, truth = _pictures(seed, height, width, 3), _pictures(seed + 1, height, width, 3)
    pairs = zip(result[:, 0].long().numpy(), truth[:, 0].long().numpy(), strict=True)
    expected = [_reference(some_result, some_truth) for some_result, some_truth in pairs]
    np.testing.assert_allclose(scoot(result, truth).numpy(), expected, atol=1e-6)


def test_stripes_against_white_by_hand() -> None:
    # In a 4x4 block of stripes the four counts add up to 17 times 0-255, 13 times 255-0 and 6 of each with itself.
    # Their quarters round to 4, 3, 2 and 2: contrast 25 * 7 / 11, energy 33 / 121; a flat block has 0 and 1.
    stripes = torch.zeros(1, 1, 16, 16)
    stripes[..., 1::2] = 255
    distance = 4 * math.hypot(25 * 7 / 11, 1 - 33 / 121)
    assert float(scoot(stripes, torch.full((1, 1, 16, 16), 255.0))) == pytest.approx(1 / (1 + distance), rel=1e-6)


@pytest.mark.parametrize(("below", "above"), [(42, 43), (84, 85), (127, 128), (169, 170), (212, 213)])
def test_levels_begin_where_six_times_grey_over_255_is_whole(below: int, above: int) -> None:
    flat = torch.full((1, 1, 16, 16), float(below))
    touched = flat.clone()
    touched[..., 1::2] = above
    assert float(scoot(touched, flat)) < 1
    touched[..., 1::2] = below - 1
    assert float(scoot(touched, flat)) == 1
    touched[...], touched[..., 1::2] = above, above + 1
    assert float(scoot(touched, flat)) == 1


def test_scoot_sees_where_the_texture_is() -> None:
    left, right = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    left[..., :32:2] = 255
    right[..., 32::2] = 255
    assert float(scoot(left, right)) < 0.1
