"""Scoot, structure co-occurrence texture (Fan et al., "Scoot: A Perceptual Metric for Facial Sketches", ICCV 2019)."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from facesketch.metrics.base import checked, grey, in_chunks

LEVELS = 6
BLOCKS = 4
OFFSETS = ((0, 1), (-1, 1), (-1, 0), (-1, -1))
# Blocks of 4x4 have 42 pairs for 36 bins, so that rounding the averaged counts can never leave a block empty.
SMALLEST = 4 * BLOCKS

_Area = tuple[slice, slice]


def scoot(result: Tensor, truth: Tensor) -> Tensor:
    """Return how alike two sketches are in the texture of each of 4x4 blocks, 1 for equal textures.

    Grey is cut to 6 levels. In every block the co-occurrences of levels are counted over four neighbours, averaged over
    them and rounded; the block's two features are contrast and energy. The score is 1 / (1 + distance of the two
    32-vectors), as in the authors' code: `floor(6 grey / 255)` levels, the counts not symmetric, halves rounded up.

    Args:
        result: (N, 1 or 3, H, W), uint8 or floating, values in 0..255.
        truth: (N, 1 or 3, H, W), the same.

    Returns:
        (N,) float32 in (0, 1]; higher is better.

    Raises:
        DataError: the pictures are not fit to be compared, or a side is under 16 pixels.
    """
    result, truth = checked("scoot", result, truth, smallest=SMALLEST)
    return in_chunks(_scoot, grey(result)[:, 0], grey(truth)[:, 0])


def _scoot(result: Tensor, truth: Tensor) -> Tensor:
    distance = (_features(result) - _features(truth)).square().sum((1, 2)).sqrt()
    return torch.reciprocal(1 + distance).to(torch.float32)


def _features(images: Tensor) -> Tensor:
    """Return contrast and energy of every block: (N, H, W) to (N, 16, 2)."""
    counts = _co_occurrences(images)  # (N, 16, 36)
    shares = counts / counts.sum(-1, keepdim=True)
    level = torch.arange(LEVELS, device=images.device, dtype=shares.dtype)
    squared_gap = (level[:, None] - level[None, :]).square().flatten()  # (36,)
    return torch.stack([shares @ squared_gap, shares.square().sum(-1)], dim=-1)


def _co_occurrences(images: Tensor) -> Tensor:
    """Return the rounded mean over the offsets of every block's co-occurrence counts: (N, H, W) to (N, 16, 36)."""
    # In float64 6 * grey / 255 is exact at the boundaries 85 and 170, where a reciprocal would not be.
    levels = torch.floor(images.to(torch.float64) * LEVELS / 255).clamp(max=LEVELS - 1).to(torch.int64)
    bins = (BLOCKS * BLOCKS + 1) * LEVELS * LEVELS  # the last block takes the pairs that lie in two
    picture = torch.arange(len(images), device=images.device)[:, None, None] * bins
    total = torch.zeros(len(images) * bins, dtype=torch.int64, device=images.device)
    for (here, there), block in _neighbours(images.shape[-2], images.shape[-1], str(images.device)):
        code = levels[:, *here] * LEVELS + levels[:, *there] + block + picture
        total += torch.bincount(code.flatten(), minlength=len(total))
    # The four counts are averaged and rounded, halves up.
    mean = (total + len(OFFSETS) // 2) // len(OFFSETS)
    return mean.view(len(images), -1, LEVELS * LEVELS)[:, :-1].to(torch.float64)


@lru_cache(maxsize=8)
def _neighbours(rows: int, columns: int, device: str) -> list[tuple[tuple[_Area, _Area], Tensor]]:
    """Return, for each offset, the two areas of all pairs of neighbours, and the first bin of each pair's block."""
    block = _blocks(rows)[:, None] * BLOCKS + _blocks(columns)
    found = []
    for down, right in OFFSETS:
        (here_row, there_row), (here_column, there_column) = _shifted(down, rows), _shifted(right, columns)
        here, there = (here_row, here_column), (there_row, there_column)
        own = torch.where(block[here] == block[there], block[here], BLOCKS * BLOCKS)
        found.append(((here, there), (own * LEVELS * LEVELS).to(device)))
    return found


def _shifted(shift: int, length: int) -> tuple[slice, slice]:
    """Return the places that have a neighbour `shift` away, and those neighbours."""
    return slice(max(0, -shift), length - max(0, shift)), slice(max(0, shift), length - max(0, -shift))


def _blocks(length: int) -> Tensor:
    """Return which of the blocks every row or column lies in; boundaries are rounded down."""
    bounds = torch.tensor([length * block // BLOCKS for block in range(1, BLOCKS)])
    return torch.bucketize(torch.arange(length), bounds, right=True)
