"""Quarter turns: a picture that was stored on its side or upside down, shown upright and back."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from facesketch.faces.warp import Matrix

Turn = Literal[0, 90, 180, 270]
"""Degrees clockwise."""

_TRANSPOSED = {
    90: Image.Transpose.ROTATE_270,  # Pillow counts against the clock
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


def turned(image: Image.Image, turn: Turn) -> Image.Image:
    """Return a picture turned clockwise, every pixel as it was."""
    return image if turn == 0 else image.transpose(_TRANSPOSED[turn])


def turning(size: tuple[int, int], turn: Turn) -> Matrix:
    """Return the matrix that takes places in a picture to places in the turned picture.

    Args:
        size: (width, height) of the picture before it is turned.
        turn: how far.
    """
    width, height = size
    rows = {
        0: [[1, 0, 0], [0, 1, 0]],
        90: [[0, -1, height], [1, 0, 0]],
        180: [[-1, 0, width], [0, -1, height]],
        270: [[0, 1, 0], [-1, 0, width]],
    }
    return np.array(rows[turn], dtype=np.float64)
