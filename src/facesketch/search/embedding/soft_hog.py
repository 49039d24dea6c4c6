"""Oriented gradients of an aligned face that tolerate a shift of a few pixels; they need no weights.

The classic histogram (Dalal & Triggs, CVPR 2005) counts each pixel in one cell, and finds fewer people when the eyes of
sketch and photo are three pixels apart. Here the picture is blurred first, and every gradient counts in all cells near
it, weighted by a Gaussian. Both are sums over rows and columns with fixed weights: products of small matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.faces.frame import FRAME

Vector = NDArray[np.float32]

_CELL = 16  # pixels from one cell's centre to the next
_SPREAD = 4.0  # pixels, the Gaussian by which a gradient counts in the cells around it
_BLUR = 2.0  # pixels, the Gaussian before gradients are taken; it removes hatching and the grain of skin
_ORIENTATIONS = 9
_CLIP = 0.2
_SMALL_PRODUCT = 1 << 18  # multiplications up to which OpenBLAS uses one thread
_ROWS, _COLUMNS = FRAME.height // _CELL, FRAME.width // _CELL
DIMENSION = (_ROWS - 1) * (_COLUMNS - 1) * 4 * _ORIENTATIONS
"""Numbers in a description."""


def describe(faces: Sequence[Image.Image]) -> Vector:
    """Return one unit vector per picture.

    Args:
        faces: N pictures in the frame, 200x250, of any mode.

    Returns:
        (N, DIMENSION); the inner product of two is between 0 and 1, and 1 for the same picture. A picture of one grey
        gives zeros.
    """
    rows = [_described(np.asarray(face.convert("L"), dtype=np.float32)) for face in faces]
    return np.stack(rows) if rows else np.zeros((0, DIMENSION), np.float32)


def _described(grey: Vector) -> Vector:
    """Return (DIMENSION,) of (H, W)."""
    assert grey.shape == (FRAME.height, FRAME.width), "faces are in the frame"
    soft = _times(_times(grey, _blurring(FRAME.width).T).T, _blurring(FRAME.height).T).T  # (H, W)
    cells = _cells(_gradients(soft))  # (9, rows, columns)
    corners = [cells[:, i : _ROWS - 1 + i, j : _COLUMNS - 1 + j] for i in (0, 1) for j in (0, 1)]
    blocks = np.concatenate(corners)  # (36, rows - 1, columns - 1)
    flat = _unit(np.minimum(_unit(blocks), _CLIP)).ravel()
    length = float(np.linalg.norm(flat))  # about 12 for a face
    return np.asarray(flat / length if length > 0.01 else np.zeros_like(flat), dtype=np.float32)


def _gradients(grey: Vector) -> Vector:
    """Return (9, H, W): each gradient's length, shared between the two orientations that it lies between."""
    down, across = np.zeros_like(grey), np.zeros_like(grey)
    down[1:-1] = grey[2:] - grey[:-2]
    across[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    place = np.arctan2(down, across) % np.pi * (_ORIENTATIONS / np.pi) - 0.5  # bin centres lie at whole numbers
    below = np.floor(place)
    length, share = np.hypot(down, across), place - below
    channels = np.zeros((_ORIENTATIONS, *grey.shape), np.float32)
    first = below.astype(np.intp) % _ORIENTATIONS
    np.put_along_axis(channels, first[None], (length * (1 - share))[None], axis=0)
    np.put_along_axis(channels, (first[None] + 1) % _ORIENTATIONS, (length * share)[None], axis=0)
    return channels


def _cells(channels: Vector) -> Vector:
    """Return (9, rows, columns)."""
    narrow = _times(channels.reshape(-1, FRAME.width), _pooling(FRAME.width).T)  # (9 H, columns)
    return np.asarray(_pooling(FRAME.height) @ narrow.reshape(_ORIENTATIONS, FRAME.height, _COLUMNS), dtype=np.float32)


def _times(rows: Vector, matrix: Vector) -> Vector:
    """Return rows @ matrix, a few rows at a time.

    BLAS splits larger products among threads of its own, which mostly wait for each other when several faces are
    described at once.
    """
    few = max(1, _SMALL_PRODUCT // matrix.size)
    return np.concatenate([rows[start : start + few] @ matrix for start in range(0, len(rows), few)])


def _unit(blocks: Vector) -> Vector:
    length = np.sqrt(np.square(blocks).sum(axis=0, keepdims=True) + 0.1)  # 0.1: grain of less than a grey level
    return np.asarray(blocks / length, dtype=np.float32)


@cache
def _blurring(size: int) -> Vector:
    """Return (size, size): each row a Gaussian around its own place, normalised within the picture."""
    places = np.arange(size, dtype=np.float32)
    return _gaussian(places, places, _BLUR)


@cache
def _pooling(size: int) -> Vector:
    """Return (size // cell, size): each row a cell's mean, after a Gaussian."""
    places = np.arange(size, dtype=np.float32)
    spread = _gaussian(places, places, _SPREAD)
    count = size // _CELL
    return np.asarray(spread[: count * _CELL].reshape(count, _CELL, size).mean(axis=1))


def _gaussian(to: Vector, of: Vector, spread: float) -> Vector:
    weights = np.exp(-np.square(to[:, None] - of[None]) / (2 * spread * spread))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
