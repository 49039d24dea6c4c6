"""Tell a photo of a face from a sketch of one.

A sketch is dark strokes on paper of one colour. Once the light is evened out, most of it is as bright as the paper,
dark areas are thin, and colour follows from darkness. A logistic rule weighs ten such features of the picture's middle
at a small size, so neither the size nor a white border matters.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from facesketch.images.io import LUMA, flatten

Array = NDArray[np.float64]

SIDE = 128
"""Pixels of the longer side of the small picture that is judged."""
_CUT = 0.1  # share that is cut off at each side, so that borders and frames do not matter
_WHITE = 220  # the level that paper gets
_FLOOR = 8.0  # added to greys before the light is divided out, so that black does not blow up
_GRID = 24

# A logistic regression with equal weights for photos and sketches, and a penalty of 0.0001 on the squares of the
# standardised coefficients. It was fitted to 1,300 pictures: two thirds of one side of a split of CUHK's people by name
# (crops and originals) and FS2K's training side (as published and aligned). Each picture came in nine states: as it is,
# grey, sepia, brown on cream, on dark paper, grey under a shadow's edge, grey as JPEG of quality 30, grey at 128 pixels
# and in a white border. 160 synthetic faces, photos in colour and sketches on white, joined with a weight of 0.6.
# The other side of the split, 540 photos and 541 sketches, was seen while the features were chosen. There the rule is
# right about 100 % of the photos, 98.1 % made grey and 99.6 % made sepia; and about 100 % of the sketches, 99.8 % on
# dark paper, and 94.5 % with half the sheet in a shadow that takes 35 to 60 % of the light.
_BIAS = -44.79
_WEIGHTS = {
    "bright": 56.84,
    "paper": 13.92,
    "white": 5.31,
    "common": 5.02,
    "strokes": 8.96,
    "thin": 2.31,
    "thick": -2.82,
    "edges": -5.88,
    "tails": -7.32,
    "colour": -7.44,
}


def kind_of(image: Image.Image) -> Literal["photo", "sketch"]:
    """Return whether a picture of a face is a `photo`, in colour or grey, or a `sketch`.

    Examples:
        >>> from facesketch.images.io import open_image
        >>> from facesketch.images.photo_or_sketch import kind_of
        >>> kind_of(open_image("me.jpg"))
        'photo'
    """
    return "sketch" if likeness(image) > 0.5 else "photo"


def likeness(image: Image.Image) -> float:
    """Return how likely a picture of a face is a sketch, from 0 to 1; near 0.5 the rule is guessing.

    Args:
        image: any mode and size; transparent pixels count as white.
    """
    found = features(image)
    total = _BIAS + sum(weight * found[name] for name, weight in _WEIGHTS.items())
    return float(1 / (1 + np.exp(-np.clip(total, -30, 30))))


def features(image: Image.Image) -> dict[str, float]:
    """Return the ten numbers that the rule weighs.

    Returns:
        `bright`: the brightness that three quarters of the picture do not reach; paper is 1;
        `paper`: the share that is at least 0.88 as bright as paper;
        `white`: whether the paper itself is white: 0 where its darkest channel is at most 0.88, 1 from 0.96 on;
        `common`: the share within 8 levels of the commonest grey;
        `strokes`: how much darker narrow places are than what surrounds them, log of the mean;
        `thin`, `thick`: narrow dark places in proportion to narrow bright ones, at widths of 3 and 9, log;
        `edges`: how strong the strongest fine detail is, log of the 97th percentile;
        `tails`: the kurtosis of fine detail, log;
        `colour`: colour that does not follow from darkness, log; 0 up to that of tinted paper, at most 1.
    """
    rgb = _middle(image)
    grey = rgb @ np.array(LUMA)
    even = (grey + _FLOOR) / _light(grey)
    levels = np.clip(even * _WHITE + 0.5, 0, 255).astype(np.uint8)
    (dark, bright), (broad_dark, broad_bright) = _hats(levels, 3), _hats(levels, 9)
    picture = Image.fromarray(levels)
    detail, finest = (
        levels.astype(np.float64) - np.asarray(picture.filter(blur), dtype=np.float64)
        for blur in (ImageFilter.GaussianBlur(2), ImageFilter.BoxBlur(1))
    )
    common = np.convolve(picture.histogram(), np.ones(17), "same").max() / levels.size
    return {
        "bright": float(np.percentile(even, 75)),
        "paper": float((even > 0.88).mean()),
        "white": float(np.clip((np.percentile(rgb.min(axis=-1), 85) / 255 - 0.88) / 0.08, 0, 1)),
        "common": float(common),
        "strokes": float(np.log1p(dark)),
        "thin": float(np.log((dark + 0.5) / (bright + 0.5))),
        "thick": float(np.log((broad_dark + 0.5) / (broad_bright + 0.5))),
        "edges": float(np.log1p(np.percentile(np.abs(finest), 97))),
        "tails": float(np.log1p((detail**4).mean() / (detail.std() ** 4 + 1))),
        "colour": float(np.clip(np.log1p(_colourfulness(rgb, grey)) - 1.3, 0, 1)),
    }


def _middle(image: Image.Image) -> Array:
    """Return the middle of the small picture that is judged, (H, W, 3) in [0, 255]."""
    scale = SIDE / max(image.size)
    width, height = (max(8, round(side * scale)) for side in image.size)
    # shrink first, which keeps large pictures cheap; Pillow cannot shrink pictures of 16 bits
    image = flatten(image) if image.mode.startswith("I;") else image
    small = flatten(image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)).convert("RGB")
    across, down = round(small.width * _CUT), round(small.height * _CUT)
    box = (across, down, small.width - across, small.height - down)
    return np.asarray(small.crop(box), dtype=np.float64)


def _light(grey: Array) -> Array:
    """Return how bright white paper would be at each place: a smooth surface over the brightest places.

    A polynomial of second degree is fitted to the logarithm of the brightest greys nearby. What lies above it weighs
    much more than what lies below, so the surface follows a shadow across the sheet, but not the drawing.
    """
    brightest = Image.fromarray(_spread(grey.astype(np.uint8), 5, np.maximum))
    values = np.log(np.asarray(brightest.resize((_GRID, _GRID), Image.Resampling.BOX), np.float64).ravel() + _FLOOR)
    terms = _polynomial(_GRID, _GRID)
    weights = np.ones(len(values))
    for _ in range(8):
        weighted = (terms * weights[:, None]).T
        surface = np.linalg.solve(weighted @ terms + 1e-3 * np.eye(terms.shape[1]), weighted @ values)
        weights = np.where(values > terms @ surface, 1.0, 0.06)
    return np.asarray(np.exp(_polynomial(*grey.shape) @ surface).reshape(grey.shape))


def _polynomial(height: int, width: int) -> Array:
    """Return the terms of a polynomial of second degree at every place, (height width, 6)."""
    y, x = (axis.ravel() for axis in np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j])
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)


def _hats(levels: NDArray[np.uint8], width: int) -> tuple[float, float]:
    """Return the mean of what closing fills, narrow dark places, and of what opening removes, narrow bright ones."""
    closed = _spread(_spread(levels, width, np.maximum), width, np.minimum)
    opened = _spread(_spread(levels, width, np.minimum), width, np.maximum)
    return float((closed - levels).mean()), float((levels - opened).mean())


def _spread(levels: NDArray[np.uint8], width: int, extreme: np.ufunc) -> NDArray[np.uint8]:
    """Return the largest or smallest level in the square of an odd width around each place."""
    for _ in range(2):  # down, then across
        padded = np.pad(levels, ((width // 2, width // 2), (0, 0)), "edge")
        levels = extreme.reduce([padded[start : start + len(levels)] for start in range(width)]).T
    return levels


def _colourfulness(rgb: Array, grey: Array) -> float:
    """Return the spread of red and blue less grey that no cubic in grey explains, as one explains sepia."""
    chroma = (rgb[..., ::2] - grey[..., None]).reshape(-1, 2)
    shade = grey.ravel() / 255
    powers = np.stack([np.ones_like(shade), shade, shade**2, shade**3], axis=1)
    normal = powers.T @ powers + 1e-9 * len(shade) * np.eye(4)
    rest = chroma - powers @ np.linalg.solve(normal, powers.T @ chroma)
    return float(np.sqrt((rest**2).sum(axis=1).mean()))
