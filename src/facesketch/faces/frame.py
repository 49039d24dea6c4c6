"""The frame that aligned faces share: its size, and where the eyes lie in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from facesketch.errors import FaceError

Point = tuple[float, float]


@dataclass(frozen=True)
class FaceFrame:
    """A frame for faces, in pixels from its top left corner; the default is that of CUHK's published crops.

    Examples:
        >>> from facesketch.faces import FaceFrame
        >>> frame = FaceFrame()
        >>> frame.width, frame.height, frame.eyes
        (200, 250, ((75.0, 125.0), (125.0, 125.0)))

    Attributes:
        width: pixels across.
        height: pixels down.
        left_eye: (x, y) of the eye on the picture's left, which is the person's right eye.
        right_eye: (x, y) of the eye on the picture's right.

    Raises:
        FaceError: a side below 8 pixels, an eye outside of the frame, or eyes in one place.
    """

    width: int = 200
    height: int = 250
    left_eye: Point = (75.0, 125.0)
    right_eye: Point = (125.0, 125.0)

    def __post_init__(self) -> None:
        """Refuse a frame into which no face can be put."""
        sizes, eyes = (self.width, self.height), (self.left_eye, self.right_eye)
        if min(sizes) < 8:
            raise FaceError(f"a face frame of {self.width}x{self.height}", "expected at least 8x8 pixels")
        inside = all(0 <= x <= self.width and 0 <= y <= self.height for x, y in eyes)
        if not inside or self.eye_distance < 1:
            raise FaceError(
                f"eyes at {eyes} in a face frame of {self.width}x{self.height}", "expected two places in it"
            )

    @property
    def eyes(self) -> tuple[Point, Point]:
        """Return both eyes, the one on the picture's left first."""
        return self.left_eye, self.right_eye

    @property
    def eye_distance(self) -> float:
        """Return the pixels from eye to eye."""
        return math.dist(self.left_eye, self.right_eye)

    def widened(self, margin: float) -> FaceFrame:
        """Return a frame that shows more around the same face: on each side `margin` times its own sides."""
        across, down = round(margin * self.width), round(margin * self.height)
        left, right = ((x + across, y + down) for x, y in self.eyes)
        return FaceFrame(self.width + 2 * across, self.height + 2 * down, left, right)


FRAME = FaceFrame()
"""The default frame."""
