"""Find the black corners that an earlier alignment left, and fill them with a continuation of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.faces.warp import continued, near_outside

_BLACK = 24  # of 255: the lightest channel of what JPEG makes of black beside something light
_DEEPEST = 0.3  # of the sides across: black that reaches farther is clothes, hair or night
_LEAST = 0.25  # of a side must be black, so that a curl of hair does not count
_NIGHT = 0.25  # where black reaches deeper from more than this share of a side, it is the background, not a strip
_STRAIGHT = 1.5  # pixels by which the inner edge may leave a straight line, in a picture of the frame's size
_AGREEING = 0.85  # share of the edge that must be so straight
_USUAL = 250  # longer side of that size
_RIM = 2  # pixels beyond the edge, in such a picture, that mixed with the black

Mask = NDArray[np.bool_]


def black_corners(image: Image.Image) -> Mask:
    """Return where a picture is black because it was turned or shifted: strips and wedges with a straight edge.

    Each begins in a corner, runs along at least a quarter of a side, and is at most 0.3 of the picture deep. Black hair
    and clothes at the border have edges that are not straight.

    Args:
        image: `L` or `RGB`.

    Returns:
        (H, W) bool.
    """
    found = np.zeros((image.height, image.width), dtype=bool)
    width, height = image.size
    border = (0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height)
    if not any(_is_dark(image.crop(side)).mean() >= _LEAST for side in border):
        return found  # most pictures end here, so that large ones cost little
    dark, unit = _is_dark(image), max(image.size) / _USUAL
    for turns in range(4):  # each side in turn is the upper one
        runs = _along_top(np.rot90(dark, turns), max(unit, 1.0))
        upper = np.rot90(found, turns)
        upper |= np.arange(len(upper))[:, None] < runs
    return found


def _is_dark(image: Image.Image) -> Mask:
    array = np.asarray(image)
    return np.asarray((array if array.ndim == 2 else array.max(axis=-1)) < _BLACK)


def _along_top(dark: Mask, unit: float) -> NDArray[np.int64]:
    """Return how deep black hangs from the upper side, (W,) in pixels, if it is a strip or a wedge; 0 elsewhere."""
    height, width = dark.shape
    none = np.zeros(width, dtype=np.int64)
    if dark[0].mean() < _LEAST:
        return none
    deepest = int(_DEEPEST * height)
    runs = np.logical_and.accumulate(dark[: deepest + 1], axis=0).sum(axis=0)
    others = runs > deepest  # columns of a strip along another side, which hang from this one too
    if others.mean() > _NIGHT:
        return none
    black = (runs > 0) | others
    first, last = np.logical_and.accumulate(black), np.logical_and.accumulate(black[::-1])[::-1]
    part = first if first.sum() >= last.sum() else last  # the longer stretch that begins in a corner
    hanging = np.flatnonzero(part & (runs > 0) & ~others)
    if len(hanging) < max(_LEAST * width, 3):
        return none
    # a straight line through most of the edge: its slope and its level are medians
    depths, half, off = runs[hanging], len(hanging) // 2, _STRAIGHT * unit
    rest = len(hanging) - half
    slope = np.median((depths[half:] - depths[:rest]) / (hanging[half:] - hanging[:rest]))
    edge = np.poly1d((slope, np.median(depths - slope * hanging)))
    if (np.abs(runs[hanging] - edge(hanging)) <= off).mean() < _AGREEING:
        return none
    # what hangs deeper than the line belongs to another side; a corner of two strips belongs to both
    deep = np.minimum(runs, np.ceil(edge(np.arange(width)) + off).astype(np.int64))
    return np.where(part, deep, 0).clip(min=0)


def fill_corners(image: Image.Image) -> Image.Image:
    """Return a picture whose black corners hold a soft continuation of it; the same picture where it has none.

    CUHK's published crops have them: 48 of the 100 test photos and 63 of their sketches. A network that pads by
    mirroring would see a black stripe in the middle of the paper, and draw something there.

    Args:
        image: `L` or `RGB`.

    Examples:
        >>> picture = Image.new("L", (100, 100), 200)
        >>> picture.paste(0, (0, 0, 100, 9))
        >>> fill_corners(picture).getpixel((50, 2))
        200
    """
    black = black_corners(image)
    if not black.any() or black.all():
        return image
    rim = max(1, round(_RIM * max(image.size) / _USUAL))
    return continued(image, ~near_outside(~black, rim))
