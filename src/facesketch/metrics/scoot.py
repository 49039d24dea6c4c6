"""Scoot, structure co-occurrence texture (Fan et al., "Scoot: A Perceptual Metric for Facial Sketches", ICCV 2019)."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from facesketch.metrics.base import metric

LEVELS = 6
BLOCKS = 4
OFFSETS = ((0, 1), (-1, 1), (-1, 0), (-1, -1))

_Area = tuple[slice, slice]


# Blocks of 4x4 have 42 pairs for 36 bins, so that rounding the averaged counts can never leave a block empty.
@metric("Scoot", smallest=4 * BLOCKS)
def scoot(result: Tensor, truth: Tensor) -> Tensor:
    """Return how alike two sketches are in the texture of each of 4x4 blocks, in (0, 1], 1 for equal textures.

    Grey is cut to 6 levels. In every block the co-occurrences of levels are counted over four neighbours, averaged over
    them and rounded; the block's two features are contrast and energy. The score is 1 / (1 + distance of the two
    32-vectors), as in the authors' code: `floor(6 grey / 255)` levels, the counts not symmetric, halves rounded up.

    Examples:
        >>> sketches = torch.rand(1, 1, 64, 64) * 255
        >>> scoot(sketches, sketches)
        tensor([1.])
    """
    distance = (_features(result[:, 0]) - _features(truth[:, 0])).square().sum((1, 2)).sqrt()
    return torch.reciprocal(1 + distance)


def _features(images: Tensor) -> Tensor:
    """Return contrast and energy of every block: (N, H, W) to (N, 16, 2)."""
    # In float64 6 * grey / 255 is exact at the boundaries 85 and 170, where a reciprocal would not be.
    levels = torch.floor(images.double() * LEVELS / 255).clamp(max=LEVELS - 1).long()
    bins = (BLOCKS * BLOCKS + 1) * LEVELS * LEVELS  # the last block takes the pairs that lie in two
    picture = torch.arange(len(images), device=images.device)[:, None, None] * bins
    total = torch.zeros(len(images) * bins, dtype=torch.int64, device=images.device)
    for (here, there), block in _neighbours(images.shape[-2], images.shape[-1], str(images.device)):
        code = levels[:, *here] * LEVELS + levels[:, *there] + block + picture
        total += torch.bincount(code.flatten(), minlength=len(total))
    mean = (total + len(OFFSETS) // 2) // len(OFFSETS)  # of the four counts, rounded, halves up
    counts = mean.view(len(images), -1, LEVELS * LEVELS)[:, :-1].double()  # (N, 16, 36)
    shares = counts / counts.sum(-1, keepdim=True)
    level = torch.arange(LEVELS, device=images.device, dtype=shares.dtype)
    squared_gap = (level[:, None] - level[None, :]).square().flatten()  # (36,)
    return torch.stack([shares @ squared_gap, shares.square().sum(-1)], dim=-1)


@lru_cache(maxsize=8)
def _neighbours(rows: int, columns: int, device: str) -> list[tuple[tuple[_Area, _Area], Tensor]]:
    """Return, for each offset, the two areas of all pairs of neighbours, and the first bin of each pair's block."""

    def blocks(length: int) -> Tensor:
        """Return which of the blocks every row or column lies in; boundaries are rounded down."""
        bounds = torch.tensor([length * block // BLOCKS for block in range(1, BLOCKS)])
        return torch.bucketize(torch.arange(length), bounds, right=True)

    def shifted(shift: int, length: int) -> tuple[slice, slice]:
        """Return the places that have a neighbour `shift` away, and those neighbours."""
        return slice(max(0, -shift), length - max(0, shift)), slice(max(0, shift), length - max(0, -shift))

    block = blocks(rows)[:, None] * BLOCKS + blocks(columns)
    found = []
    for down, right in OFFSETS:
        (here_row, there_row), (here_column, there_column) = shifted(down, rows), shifted(right, columns)
        here, there = (here_row, here_column), (there_row, there_column)
        own = torch.where(block[here] == block[there], block[here], BLOCKS * BLOCKS)
        found.append(((here, there), (own * LEVELS * LEVELS).to(device)))
    return found
