"""The frame that aligned faces share: its size, and where the eyes lie in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from facesketch.errors import CheckpointError, FaceError

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

    def header(self) -> dict[str, Any]:
        """Return the frame as a model's header holds it: plain numbers and lists."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_header(cls, header: Mapping[str, Any] | None) -> FaceFrame | None:
        """Return the frame that a model's header describes, or None where it describes none.

        Raises:
            CheckpointError: it is not such a description.
        """
        if header is None:
            return None
        try:
            (left_x, left_y), (right_x, right_y) = header["left_eye"], header["right_eye"]
            left, right = (float(left_x), float(left_y)), (float(right_x), float(right_y))
            return cls(int(header["width"]), int(header["height"]), left, right)
        except (KeyError, TypeError, ValueError, FaceError) as error:
            said = f"the model's header describes its faces as {header!r}"
            raise CheckpointError(said, "expected width, height, left_eye and right_eye") from error


FRAME = FaceFrame()
"""The default frame."""
