"""Two descriptions of aligned faces to search by, without weights: raw pixels and oriented gradients.

Both take (N, 1 or 3, H, W) pictures, values 0 to 255, and return rows that `facesketch.metrics.retrieval` compares.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from facesketch.errors import DataError
from facesketch.images.tensors import with_channels
from facesketch.metrics.base import require_pictures
from facesketch.metrics.retrieval import Array

_ORIENTATIONS = 9
_BLOCK = 2


def raw_pixels(images: Tensor) -> Array:
    """Return the grey pixels of each picture less their mean, at unit length, so that light and contrast drop out.

    The inner product of two of the (N, H W) rows is their correlation. A picture of one grey gives zeros.
    """
    pixels = _luma(images).reshape(len(images), -1)
    pixels = pixels - pixels.mean(axis=1, keepdims=True)
    return np.asarray(pixels / np.maximum(np.linalg.norm(pixels, axis=1, keepdims=True), 1e-12))


def hog(images: Tensor, cell: int = 10) -> Array:
    """Return histograms of oriented gradients (Dalal & Triggs, CVPR 2005).

    Nine unsigned orientations per cell, weighted by the gradient's length; blocks of 2x2 cells, one cell apart, each
    normalised, clipped at 0.2 and normalised again. Rows and columns beyond the last whole cell are left out. There are
    (H // cell - 1) (W // cell - 1) blocks of 36 numbers; cells of 10 pixels divide the 200x250 frame evenly.

    Raises:
        DataError: a side is shorter than two cells.
    """
    grey = _luma(images)
    count, height, width = grey.shape
    rows, columns = height // cell, width // cell
    if min(rows, columns) < _BLOCK:
        raise DataError(f"{width}x{height} pictures", f"HOG with cells of {cell} needs at least {2 * cell}x{2 * cell}")
    down, across = np.zeros_like(grey), np.zeros_like(grey)  # central differences, which are 0 along the border
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    bins = (np.rad2deg(np.arctan2(down, across)) % 180 * (_ORIENTATIONS / 180)).astype(np.int64)
    bins, length = np.minimum(bins, _ORIENTATIONS - 1), np.hypot(down, across)
    whole = np.s_[:, : rows * cell, : columns * cell]
    of_bins = (
        (length * (bins == each))[whole].reshape(count, rows, cell, columns, cell) for each in range(_ORIENTATIONS)
    )
    cells = np.stack([each.sum(axis=(2, 4)) for each in of_bins], axis=-1) / cell**2  # (N, rows, columns, 9)
    corners = [cells[:, i : rows - 1 + i, j : columns - 1 + j] for i in range(_BLOCK) for j in range(_BLOCK)]
    blocks = np.concatenate(corners, axis=-1)  # (N, rows - 1, columns - 1, 36)
    return _normalised(np.minimum(_normalised(blocks), 0.2)).reshape(count, -1)


def _luma(images: Tensor) -> Array:
    """Return (N, H, W) luma, which is not rounded."""
    require_pictures("a set of pictures", images)
    grey: Array = with_channels(images.detach().cpu().double(), 1)[:, 0].numpy()
    return grey


def _normalised(blocks: Array) -> Array:
    scaled: Array = blocks / np.sqrt(np.square(blocks).sum(axis=-1, keepdims=True) + 1e-10)
    return scaled
