"""Three descriptions of a face to search by: raw pixels, oriented gradients, and the SFace embedding.

The first two need no weights and no face finding; they take aligned pictures of one size. All three return rows that
`facesketch.metrics.retrieval` compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facesketch.errors import ImageError
from facesketch.faces.sface import SFace
from facesketch.images.io import LUMA

Array = NDArray[np.float64]

_ORIENTATIONS = 9
_BLOCK = 2


def raw_pixels(images: Tensor) -> Array:
    """Return the grey pixels of each picture less their mean, at unit length, so that light and contrast drop out.

    Args:
        images: (N, 1 or 3, H, W), values 0 to 255.

    Returns:
        (N, H W); the inner product of two rows is their correlation. A picture of one grey gives zeros.
    """
    pixels = _grey(images).reshape(len(images), -1)
    pixels -= pixels.mean(axis=1, keepdims=True)
    return np.asarray(pixels / np.maximum(np.linalg.norm(pixels, axis=1, keepdims=True), 1e-12))


def hog(images: Tensor, cell: int = 10) -> Array:
    """Return histograms of oriented gradients (Dalal & Triggs, CVPR 2005).

    Nine unsigned orientations per cell, weighted by the gradient's length; blocks of 2x2 cells, one cell apart, each
    normalised, clipped at 0.2 and normalised again. Rows and columns beyond the last whole cell are left out.

    Args:
        images: (N, 1 or 3, H, W), values 0 to 255.
        cell: side of a cell in pixels; 10 divides the 200x250 frame evenly.

    Returns:
        (N, 36 B) with B = (H // cell - 1) (W // cell - 1) blocks.

    Raises:
        ImageError: a side is shorter than two cells.
    """
    grey = _grey(images)
    count, height, width = grey.shape
    rows, columns = height // cell, width // cell
    if min(rows, columns) < _BLOCK:
        raise ImageError(f"{width}x{height} pictures", f"HOG with cells of {cell} needs at least {2 * cell}x{2 * cell}")
    length, orientation = _gradients(grey)
    length, orientation = (a[:, : rows * cell, : columns * cell] for a in (length, orientation))
    bins = np.minimum((orientation * (_ORIENTATIONS / 180)).astype(np.int64), _ORIENTATIONS - 1)
    cells = np.stack([_sum_cells(length * (bins == b), cell) for b in range(_ORIENTATIONS)], axis=-1) / cell**2
    corners = [cells[:, i : rows - 1 + i, j : columns - 1 + j] for i in range(_BLOCK) for j in range(_BLOCK)]
    blocks = np.concatenate(corners, axis=-1)  # (N, rows - 1, columns - 1, 36)
    return _normalised(np.minimum(_normalised(blocks), 0.2)).reshape(count, -1)


def _grey(images: Tensor) -> Array:
    """Return (N, H, W) luma."""
    if images.ndim != 4 or images.shape[1] not in {1, 3}:
        raise ImageError(f"pictures of shape {tuple(images.shape)}", "expected (N, 1 or 3, H, W)")
    values = images.detach().cpu().double()
    grey = values[:, 0] if values.shape[1] == 1 else torch.einsum("nchw,c->nhw", values, values.new_tensor(LUMA))
    return grey.clone().numpy()


def _gradients(grey: Array) -> tuple[Array, Array]:
    """Return the length and the orientation in [0, 180) of central differences, which are 0 along the border."""
    down, across = np.zeros_like(grey), np.zeros_like(grey)
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    return np.hypot(down, across), np.rad2deg(np.arctan2(down, across)) % 180


def _sum_cells(values: Array, cell: int) -> Array:
    count, height, width = values.shape
    total: Array = values.reshape(count, height // cell, cell, width // cell, cell).sum(axis=(2, 4))
    return total


def _normalised(blocks: Array) -> Array:
    scaled: Array = blocks / np.sqrt(np.square(blocks).sum(axis=-1, keepdims=True) + 1e-10)
    return scaled


class FaceEmbedding:
    """SFace's description of pictures that are tensors; `facesketch.faces.sface` does the work.

    Args:
        model: SFace (`sface` of the fetched weights).
        detector: YuNet, or None.

    Raises:
        CheckpointError: OpenCV cannot read a file.
    """

    def __init__(self, model: Path, detector: Path | None = None) -> None:
        self._sface = SFace(model, detector)

    def embed(self, images: Tensor) -> Array:
        """Return one unit vector per picture; the inner product of two is their cosine similarity, 1 for the same.

        Args:
            images: (N, 1 or 3, H, W), RGB or grey, values 0 to 255.

        Returns:
            (N, 128).

        Raises:
            ImageError: no face is found in a picture that is not of the aligned frame's shape.
        """
        return self._sface.describe(list(_pictures(images)))


def _pictures(images: Tensor) -> Iterator[NDArray[np.uint8]]:
    """Yield each picture as (H, W, 3), red first."""
    if images.ndim != 4 or images.shape[1] not in {1, 3}:
        raise ImageError(f"pictures of shape {tuple(images.shape)}", "expected (N, 1 or 3, H, W)")
    for image in images:
        values = image.detach().cpu().double().round().clamp(0, 255).to(torch.uint8).expand(3, -1, -1)
        yield values.permute(1, 2, 0).numpy()
