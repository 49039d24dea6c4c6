"""Cuts of the least error, against every other cut, and patches joined along them."""

from __future__ import annotations

import itertools

import pytest
import torch

from facesketch.methods.mrf import least_cut, quilt
from facesketch.methods.patches import Grid

GRID = Grid(patch=6, step=4, radius=0, side=14, count=3)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_cut_has_less_error(seed: int) -> None:
    torch.manual_seed(seed)
    error = torch.rand(2, 5, 4)
    found = least_cut(error)
    assert found.shape == (2, 5)
    for one, path in zip(error, found, strict=True):
        paths = [
            each
            for each in itertools.product(range(4), repeat=5)
            if all(abs(before - after) <= 1 for before, after in itertools.pairwise(each))
        ]
        assert tuple(path.tolist()) in paths
        sums = {each: sum(float(one[row, column]) for row, column in enumerate(each)) for each in paths}
        assert sums[tuple(path.tolist())] == pytest.approx(min(sums.values()), abs=1e-6)


def test_patches_of_one_picture_are_that_picture() -> None:
    picture = torch.rand(3, 14, 14)
    patches = picture.unfold(1, 6, 4).unfold(2, 6, 4).permute(1, 2, 3, 4, 0)
    assert torch.equal(quilt(patches, GRID), picture)


def test_every_pixel_is_of_one_patch_and_none_is_a_mixture() -> None:
    shades = torch.arange(9.0).view(3, 3, 1, 1, 1) + 1
    joined = quilt(shades.expand(3, 3, 6, 6, 1), GRID)[0]
    for y, x in itertools.product(range(14), repeat=2):
        covering = {
            float(shades[row, column])
            for row, column in itertools.product(range(3), repeat=2)
            if row * 4 <= y < row * 4 + 6 and column * 4 <= x < column * 4 + 6
        }
        assert float(joined[y, x]) in covering


def test_the_cut_runs_where_two_patches_agree() -> None:
    left, right = torch.zeros(6, 6), torch.ones(6, 6)
    left[:, 4:], right[:, :2] = torch.tensor([0.0, 0.4]), torch.tensor([0.9, 0.4])
    patches = torch.stack([torch.stack([left, right])] * 2)[..., None]
    joined = quilt(patches, Grid(patch=6, step=4, radius=0, side=10, count=2))[0]
    torch.testing.assert_close(joined[0], torch.tensor([0, 0, 0, 0, 0, 0.4, 1, 1, 1, 1]))
