"""A face in a picture, and where its eyes are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from facesketch.faces.frame import Point
from facesketch.faces.turns import Turn, turning
from facesketch.faces.warp import Matrix, inverse, moved


@dataclass(frozen=True)
class Face:
    """A face in a picture, in that picture's pixels from its top left corner.

    Examples:
        >>> from facesketch.faces import Face
        >>> face = Face(box=(10, 10, 90, 110), eyes=((35, 50), (65, 50)))
        >>> face.area
        9900

    Attributes:
        box: (left, top, width, height); may reach beyond the picture.
        eyes: (x, y) of both eyes, where `FaceFrame` means them; the one on the left of the upright picture first.
        points: (5, 2) eyes, nose and corners of the mouth as YuNet gives them; None where YuNet was not used.
        score: how sure YuNet is, 0 to 1.
        turn: how many degrees clockwise the picture has to be turned to show the face upright: 0, 90, 180 or 270.
    """

    box: tuple[float, float, float, float]
    eyes: tuple[Point, Point]
    points: NDArray[np.float64] | None = field(default=None, compare=False)
    score: float = 0.0
    turn: Turn = 0

    @property
    def area(self) -> float:
        """The area of the box, in square pixels."""
        return self.box[2] * self.box[3]

    def upright(self, size: tuple[int, int]) -> Face:
        """Return the face as a picture of this size shows it once turned upright."""
        return self if self.turn == 0 else replace(self._moved(turning(size, self.turn)), turn=0)

    def turned_back(self, size: tuple[int, int], turn: Turn) -> Face:
        """Return the upright face of a turned picture of this size as the original picture shows it."""
        if turn == 0:
            return self
        before = size if turn == 180 else size[::-1]
        return replace(self._moved(inverse(turning(before, turn))), turn=turn)

    def _moved(self, matrix: Matrix) -> Face:
        left, top, width, height = self.box
        corners = moved(matrix, np.array([(left, top), (left + width, top + height)]))
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        (first_x, first_y), (second_x, second_y) = moved(matrix, np.array(self.eyes)).tolist()
        points = None if self.points is None else moved(matrix, self.points)
        box, eyes = (left, top, right - left, bottom - top), ((first_x, first_y), (second_x, second_y))
        return replace(self, box=box, eyes=eyes, points=points)
