"""The square on which synthetic faces are drawn: curves in, antialiased fields out.

Coordinates are (x, y) with y down, from the middle between the eyes, in widths of the square, so that the same face can
be drawn at any size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

Field = NDArray[np.float64]
Points = NDArray[np.float64]

_ZOOM = 1.12  # how much larger than its own unit square a head is drawn
_EYE_LINE = 0.4832  # how far down the eyes lie


def curve(*knots: tuple[float, float], closed: bool = False, mirror: bool = False) -> Points:
    """Return the Catmull-Rom curve through the knots, (N, 2), with eight points per knot.

    Args:
        knots: the points to pass through.
        closed: join the end to the start.
        mirror: the knots lead from the middle to the right; begin with their mirror images, on the left.
    """
    p = np.array(knots, dtype=np.float64)
    p = np.concatenate([flipped(p[:0:-1]), p]) if mirror else p
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    p = np.concatenate([ends[0], p, ends[1]])
    a, b, c, d = (part[:, None] for part in (p[:-3], p[1:-2], p[2:-1], p[3:]))
    t = (np.arange(8) / 8)[None, :, None]
    line = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    line = line.reshape(-1, 2)
    return line if closed else np.concatenate([line, p[-2:-1]])


def flipped(points: Points) -> Points:
    """Return points on the other side of the face."""
    return np.asarray(points * np.array([-1.0, 1.0]))


def both(*curves: Points) -> list[Points]:
    """Return curves and their mirror images."""
    return [*curves, *(flipped(each) for each in curves)]


class Canvas:
    """A square of `side` pixels; shapes are drawn on several times as many and averaged down.

    `x` (1, side) and `y` (side, 1) are the coordinates of the pixels.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self._oversample = max(3, -(-512 // side))
        self._fine = side * self._oversample
        centres = ((np.arange(side) + 0.5) / side - 0.5) / _ZOOM
        self.x: Field = centres[None, :]
        self.y: Field = centres[:, None] + 0.5 - _EYE_LINE

    def mask(self, *outlines: Points) -> Field:
        """Return the filled outlines as a field in [0, 1]."""
        image = Image.new("L", (self._fine, self._fine))
        for outline in outlines:
            ImageDraw.Draw(image).polygon(self._place(outline).ravel().tolist(), fill=255)
        return self._shrunk(image)

    def lines(self, strands: Points, widths: ArrayLike, levels: ArrayLike) -> Field:
        """Return (S, P, 2) open curves as a field in [0, 1]; where they cross, the last one shows."""
        image = Image.new("L", (self._fine, self._fine))
        pen, count = ImageDraw.Draw(image), len(strands)
        pixels = np.broadcast_to(np.round(np.multiply(widths, _ZOOM * self._fine)), count).astype(int).clip(1)
        fills = np.broadcast_to(np.multiply(levels, 255.0), count).astype(int)
        dots = self._place(strands).reshape(count, -1)
        for path, width, fill in zip(dots.tolist(), pixels.tolist(), fills.tolist(), strict=True):
            pen.line(path, fill=fill, width=width)
        return self._shrunk(image)

    def spots(self, *rows: tuple[float, float, float, float, float]) -> Field:
        """Return the sum of Gaussians (x, y, across, down, height); one that is off the middle is mirrored too."""
        table = [(side * x, *row) for x, *row in rows for side in ((-1, 1) if x else (1,))]
        x, y, across, down, height = np.array(table, dtype=np.float64).T[:, :, None]
        return np.asarray(
            (height * np.exp(-0.5 * ((self.y.T - y) / down) ** 2)).T @ np.exp(-0.5 * ((self.x - x) / across) ** 2)
        )

    def blur(self, field: Field, radius: float) -> Field:
        """Return a field in [0, 1] blurred with a Gaussian of that standard deviation."""
        image = Image.fromarray((np.clip(field, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
        soft = image.filter(ImageFilter.GaussianBlur(radius * _ZOOM * self.side))
        return np.asarray(soft, dtype=np.float64) / 255.0

    def shift(self, field: Field, across: float, down: float) -> Field:
        """Return a field moved to the right and down; what comes in repeats the edge."""
        rows, columns = (
            np.clip(np.arange(self.side) - round(by * _ZOOM * self.side), 0, self.side - 1) for by in (down, across)
        )
        return field[rows][:, columns]

    def _shrunk(self, image: Image.Image) -> Field:
        return np.asarray(image.reduce(self._oversample), dtype=np.float64) / 255.0

    def _place(self, points: Points) -> Points:
        """Return points in fine pixels.

        They are rounded to a thousandth because pens cut off fractions: what lies on a whole pixel by construction must
        stay on it whatever the machine's last bit says.
        """
        unit = (points + np.array([0.0, _EYE_LINE - 0.5])) * _ZOOM + 0.5
        return np.asarray(np.round(unit * self._fine, 3))
