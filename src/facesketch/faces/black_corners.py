"""Find the black corners that an earlier alignment left, and fill them with a continuation of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.faces.warp import continued, near_outside

_BLACK = 24  # of 255: the lightest channel of what JPEG makes of black beside something light
_DEEPEST = 0.3  # of the sides across: black that reaches farther is clothes, hair or night
_LEAST = 0.25  # of a side that black lies along, so that a curl of hair does not count
_NIGHT = 0.25  # of a side from which black reaches deeper, and is then the background, not a strip
_STRAIGHT = 1.5  # pixels, in a picture of the frame's size, that its inner edge is off a straight line at most ...
_AGREEING = 0.85  # ... in this share of its places
_USUAL = 250  # longer side of that size
_RIM = 2  # pixels beyond the edge, in such a picture, that mixed with the black

Mask = NDArray[np.bool_]


def black_corners(image: Image.Image) -> Mask:
    """Return where a picture is black because it was turned or shifted: strips and wedges with a straight edge.

    Each begins in a corner, runs along a quarter of a side at least, and is at most 0.3 of the picture deep. Black hair
    and clothes at the border have edges that are not straight.

    Args:
        image: `L` or `RGB`.

    Returns:
        (H, W) bool.
    """
    found = np.zeros((image.height, image.width), dtype=bool)
    if not any(_is_dark(side).mean() >= _LEAST for side in _sides(image)):
        return found  # as most pictures, however large, do
    dark, unit = _is_dark(image), max(image.size) / _USUAL
    for turns in range(4):  # each side in turn is the upper one
        turned = np.rot90(dark, turns)
        runs = _along_top(turned, max(unit, 1.0))
        rows = np.arange(turned.shape[0])[:, None]
        np.rot90(found, turns)[...] |= rows < runs
    return found


def _sides(image: Image.Image) -> list[Image.Image]:
    """Return the four lines of pixels along the border."""
    width, height = image.size
    boxes = (0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height)
    return [image.crop(box) for box in boxes]


def _is_dark(image: Image.Image) -> Mask:
    array = np.asarray(image)
    return np.asarray((array if array.ndim == 2 else array.max(axis=-1)) < _BLACK)


def _along_top(dark: Mask, unit: float) -> NDArray[np.int64]:
    """Return (W,) how many pixels of black hang from the upper side, where that is a strip or a wedge; 0 elsewhere."""
    height, width = dark.shape
    none = np.zeros(width, dtype=np.int64)
    if dark[0].mean() < _LEAST:
        return none
    deepest = int(_DEEPEST * height)
    runs = np.logical_and.accumulate(dark[: deepest + 1], axis=0).sum(axis=0)
    others = runs > deepest  # columns of a strip along another side, which hang from this one too
    if others.mean() > _NIGHT:
        return none
    part = _from_a_corner((runs > 0) | others)
    hanging = np.flatnonzero(part & (runs > 0) & ~others)
    if len(hanging) < max(_LEAST * width, 3):
        return none
    edge, off = _line(hanging, runs[hanging]), _STRAIGHT * unit
    if (np.abs(runs[hanging] - edge(hanging)) <= off).mean() < _AGREEING:
        return none
    # what hangs deeper than the line belongs to another side; a corner of two strips belongs to both
    deep = np.minimum(runs, np.ceil(edge(np.arange(width)) + off).astype(np.int64))
    return np.where(part, deep, 0).clip(min=0)


def _line(places: NDArray[np.int64], depths: NDArray[np.int64]) -> np.poly1d:
    """Return a straight line through most of some points: its slope and its level are medians."""
    half = len(places) // 2
    slope = np.median((depths[half:] - depths[: len(depths) - half]) / (places[half:] - places[: len(places) - half]))
    return np.poly1d((slope, np.median(depths - slope * places)))


def _from_a_corner(black: Mask) -> Mask:
    """Return the longer of the two stretches that begin at the ends of a side."""
    first, last = np.logical_and.accumulate(black), np.logical_and.accumulate(black[::-1])[::-1]
    return first if first.sum() >= last.sum() else last


def fill_corners(image: Image.Image) -> Image.Image:
    """Return a picture whose black corners hold a soft continuation of it; the same picture where it has none.

    CUHK's published crops have them: 48 of the 100 test photos and 63 of their sketches. A network that pads by
    mirroring would see a black stripe in the middle of paper, and draw something of it.

    Args:
        image: `L` or `RGB`.
    """
    black = black_corners(image)
    if not black.any() or black.all():
        return image
    rim = max(1, round(_RIM * max(image.size) / _USUAL))
    return continued(image, ~near_outside(~black, rim))
