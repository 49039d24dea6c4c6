"""The square on which synthetic faces are drawn: unit coordinates in, antialiased fields out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from facesketch.data.synthetic.face import Points

Field = NDArray[np.float64]
ZOOM = 1.12
"""How much larger than in its own unit square the head stands in the frame, about the middle."""


class Canvas:
    """A square of `side` working pixels; shapes are drawn on `fine` pixels a side and averaged down.

    `x` (1, side) and `y` (side, 1) are the unit coordinates of the working pixels.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self._oversample = max(3, -(-512 // side))
        self.fine = side * self._oversample
        centres = ((np.arange(side) + 0.5) / side - 0.5) / ZOOM + 0.5
        self.x: Field = centres[None, :]
        self.y: Field = centres[:, None]

    def blank(self, value: int = 0) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        """Return a fine `L` picture to draw on, and its pen."""
        image = Image.new("L", (self.fine, self.fine), value)
        return image, ImageDraw.Draw(image)

    def shrink(self, image: Image.Image) -> Field:
        """Return a fine picture as a (side, side) field in [0, 1]."""
        return np.asarray(image.reduce(self._oversample), dtype=np.float64) / 255.0

    def place(self, points: Points) -> Points:
        """Return unit coordinates as fine pixels.

        They are rounded to a thousandth because pens cut off fractions: what lies on a whole pixel by construction must
        stay on it whatever the machine's last bit says.
        """
        return np.asarray(np.round(((points - 0.5) * ZOOM + 0.5) * self.fine, 3))

    def dots(self, points: Points) -> list[float]:
        """Return (N, 2) unit coordinates as the flat list of fine pixels that a pen takes."""
        flat: list[float] = self.place(points).ravel().tolist()
        return flat

    def paths(self, strands: Points) -> list[list[float]]:
        """Return (S, P, 2) unit coordinates as S flat lists of fine pixels."""
        rows: list[list[float]] = self.place(strands).reshape(len(strands), -1).tolist()
        return rows

    def width(self, length: float) -> int:
        """Return a unit length as a pen's width in fine pixels, at least 1."""
        return max(1, round(length * ZOOM * self.fine))

    def pixels(self, length: float) -> float:
        """Return a unit length in working pixels."""
        return length * ZOOM * self.side

    def mask(self, *outlines: Points) -> Field:
        """Return the filled outlines as a field in [0, 1]."""
        image, pen = self.blank()
        for outline in outlines:
            pen.polygon(self.dots(outline), fill=255)
        return self.shrink(image)

    def lines(self, curves: Iterable[Points], width: float) -> Field:
        """Return open curves, `width` unit lengths thick, as a field in [0, 1]."""
        image, pen = self.blank()
        thick = self.width(width)
        for curve in curves:
            pen.line(self.dots(curve), fill=255, width=thick, joint="curve")
        return self.shrink(image)

    def blur(self, field: Field, radius: float) -> Field:
        """Return a field in [0, 1] blurred with a Gaussian of `radius` unit lengths."""
        image = Image.fromarray((np.clip(field, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
        return np.asarray(image.filter(ImageFilter.GaussianBlur(self.pixels(radius))), dtype=np.float64) / 255.0

    def shift(self, field: Field, across: float, down: float) -> Field:
        """Return a field moved by unit lengths; what comes in repeats the edge."""
        rows = np.clip(np.arange(self.side) - round(self.pixels(down)), 0, self.side - 1)
        columns = np.clip(np.arange(self.side) - round(self.pixels(across)), 0, self.side - 1)
        return field[rows][:, columns]

    def spot(self, at: Points, across: float, down: float) -> Field:
        """Return a Gaussian spot of height 1 around a point."""
        return np.asarray(
            np.exp(-0.5 * ((self.y - at[1]) / down) ** 2) * np.exp(-0.5 * ((self.x - at[0]) / across) ** 2)
        )
