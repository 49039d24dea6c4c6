"""Fit a picture into a frame by shrinking and mirrored padding, never by stretching."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.images.io import to_array


class _Sliceable(Protocol):
    def __getitem__(self, key: Any, /) -> Any: ...


Sliced = TypeVar("Sliced", bound=_Sliceable)


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in its frame, so that it can be cut out again.

    Attributes:
        original: (width, height) of the picture before fitting.
        content: (width, height) of the picture inside the frame.
        offset: (left, top) of the picture inside the frame.
    """

    original: tuple[int, int]
    content: tuple[int, int]
    offset: tuple[int, int]

    def cut(self, frame: Sliced) -> Sliced:
        """Return the picture's part of a (..., H, W) frame, which is an array or a tensor."""
        (left, top), (width, height) = self.offset, self.content
        part: Sliced = frame[..., top : top + height, left : left + width]
        return part


def content_size(original: tuple[int, int], longest: int | None) -> tuple[int, int]:
    """Return (width, height) shrunk so that the longer side is at most `longest`; never enlarged."""
    width, height = original
    if longest is None or max(width, height) <= longest:
        return width, height
    scale = longest / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def fit(
    image: Image.Image, channels: int, *, longest: int | None, frame: tuple[int, int] | None = None, multiple: int = 1
) -> tuple[NDArray[np.uint8], Placement]:
    """Shrink a picture to at most `longest` and pad it by mirroring to a frame; nothing is stretched.

    Args:
        image: an `L` or `RGB` picture.
        channels: 1 or 3.
        longest: most pixels of the longer side, or None to keep the size.
        frame: (width, height) of the frame; when None, each side is padded up to the next `multiple`.
        multiple: what both sides of the frame are a multiple of when `frame` is None.

    Returns:
        An (H, W, C) uint8 array of the frame's size, and where the picture lies in it.
    """
    original, content = image.size, content_size(image.size, longest)
    if content != original:
        image = image.resize(content, Image.Resampling.BICUBIC, reducing_gap=3.0)
    width, height = frame or (math.ceil(content[0] / multiple) * multiple, math.ceil(content[1] / multiple) * multiple)
    across, down = width - content[0], height - content[1]
    assert across >= 0, "the frame must hold the picture"
    assert down >= 0, "the frame must hold the picture"
    left, top = across // 2, down // 2
    array = np.pad(to_array(image, channels), ((top, down - top), (left, across - left), (0, 0)), mode="symmetric")
    return array, Placement(original, content, (left, top))
