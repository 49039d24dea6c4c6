"""Measures on a picture of a stranger: ink outside the head, ink along the border, and the colour of skin.

Places are found on the real photo, which is aligned to 200x250 with the eyes at (75, 125) and (125, 125), and are the
same for our picture and the artist's. Let `s` be the distance between the eyes or that from the eyes to the mouth,
whichever is larger, and let x run along the eyes:

- The head's outline is an arch: an ellipse of half-width 1.55 s around a point 0.3 s above the middle of the eyes,
  which reaches 2.05 s above the eyes and continues straight down from its widest row. If the nose lies to one side of
  the middle of the eyes, the arch moves to the other side by 0.75 of that distance, because the back of a turned head
  is there. Hair on the head and over the shoulders is inside. The background lies outside the arch and above the
  mouth; below are the shoulders. 95 % of the ink above the mouth in FS2K's sketches is inside.
- The border is the part of the background in the outermost 6 columns and rows.
- Skin is a disc on each cheek, halfway from the eye to the corner of the mouth, and one on the forehead, 0.55 s above
  the eyes. The chin is a disc 0.42 s below the mouth. The radius is 0.16 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Point = NDArray[np.float64]

WIDTH, HEIGHT = 200, 250
BORDER = 6
DARK, DARKER = 128, 96
ALIKE = 0.5
"""SFace similarity above which two photos count as one person; Zhong et al. use 0.363."""
LEAST = 0.01
"""Share of the frame that must be background for its ink to be measured."""
_ACROSS, _ABOVE, _CENTRE, _TURN = 1.55, 2.05, 0.3, 0.75
_CHEEK, _FOREHEAD, _CHIN, _RADIUS = 0.5, 0.55, 0.42, 0.16
_SMOOTH = 1.5  # pixels: blotches are wider than a camera's noise


@dataclass(frozen=True)
class Places:
    """Parts of an aligned face, from YuNet's five points: eyes, nose, corners of the mouth."""

    points: Array

    @cached_property
    def _eyes(self) -> Point:
        return np.asarray(self.points[:2].mean(axis=0))

    @cached_property
    def _mouth(self) -> Point:
        return np.asarray(self.points[3:].mean(axis=0))

    @cached_property
    def scale(self) -> float:
        """Return `s`, in pixels."""
        apart = np.hypot(*(self.points[1] - self.points[0]))
        return float(max(apart, np.hypot(*(self._mouth - self._eyes))))

    @cached_property
    def background(self) -> Mask:
        """Return the background, (250, 200)."""
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        across = self._eyes[0] - _TURN * (self.points[2, 0] - self._eyes[0])
        down = self._eyes[1] - _CENTRE * self.scale
        x = (columns - across) / (_ACROSS * self.scale)
        y = np.minimum(rows - down, 0) / ((_ABOVE - _CENTRE) * self.scale)
        return np.asarray((x**2 + y**2 > 1) & (rows < self._mouth[1]))

    @cached_property
    def border(self) -> Mask:
        """Return the outermost columns and rows of the background, (250, 200)."""
        inner = np.zeros((HEIGHT, WIDTH), dtype=bool)
        inner[BORDER:-BORDER, BORDER:-BORDER] = True
        return self.background & ~inner

    @cached_property
    def cheeks(self) -> tuple[Mask, ...]:
        """Return the parts of both cheeks inside the frame."""
        left, right, _, left_mouth, right_mouth = self.points
        return self._discs(left + _CHEEK * (left_mouth - left), right + _CHEEK * (right_mouth - right))

    @cached_property
    def skin(self) -> Mask:
        """Return cheeks and forehead, (250, 200)."""
        up = (self._eyes - self._mouth) / max(float(np.hypot(*(self._eyes - self._mouth))), 1e-6)
        forehead = self._discs(self._eyes + _FOREHEAD * self.scale * up)
        return np.asarray(np.any([*self.cheeks, *forehead], axis=0))

    @cached_property
    def smooth_parts(self) -> tuple[Mask, ...]:
        """Return the cheeks and the chin, where skin has one colour."""
        down = (self._mouth - self._eyes) / max(float(np.hypot(*(self._mouth - self._eyes))), 1e-6)
        return (*self.cheeks, *self._discs(self._mouth + _CHIN * self.scale * down))

    def _discs(self, *centres: Point) -> tuple[Mask, ...]:
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        radius = (_RADIUS * self.scale) ** 2
        discs = ((columns - x) ** 2 + (rows - y) ** 2 <= radius for x, y in centres)
        found = tuple(disc for disc in discs if disc.sum() > 20)
        assert found, "an aligned face has its cheeks in the frame"
        return found


def dark_share(sketch: Image.Image, where: Mask, level: int = DARK) -> float:
    """Return the share of pixels in `where` darker than `level`, or NaN if they are too few."""
    if where.mean() < LEAST:
        return float("nan")
    return float((grey(sketch)[where] < level).mean())


def border_share(sketch: Image.Image, places: Places) -> float:
    """Return the share of dark pixels along the border, or NaN if the head covers it."""
    return float((grey(sketch)[places.border] < DARK).mean()) if places.border.sum() > WIDTH else float("nan")


def skin_ink(sketch: Image.Image, places: Places) -> float:
    """Return how dark a drawn face's skin is, 0 for white paper to 1 for black."""
    return float(1 - grey(sketch)[places.skin].mean() / 255)


def grey(picture: Image.Image) -> Array:
    """Return (H, W) grey in [0, 255]."""
    return np.asarray(picture.convert("L"), dtype=np.float64)


def lab(picture: Image.Image) -> Array:
    """Return (H, W, 3) CIELAB under D65: L in [0, 100], a and b."""
    rgb = np.asarray(picture.convert("RGB"), dtype=np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), dtype=np.float64)


def skin_colour(photo: Image.Image, places: Places) -> Array:
    """Return the median L, a and b of the skin, (3,)."""
    return np.asarray(np.median(lab(photo)[places.skin], axis=0))


def blotchiness(photo: Image.Image, places: Places) -> float:
    """Return how much the colour of skin varies: the standard deviation of a and b around a plane, in CIELAB.

    It is the mean over both cheeks and the chin, slightly smoothed, so that neither noise nor JPEG blocks count.
    """
    chroma = np.asarray(cv2.GaussianBlur(lab(photo)[..., 1:], (0, 0), _SMOOTH), dtype=np.float64)
    return float(np.mean([_around_plane(chroma, part) for part in places.smooth_parts]))


def grid_peak(pictures: Sequence[Image.Image]) -> float:
    """Return how far the mean power spectrum of pictures of one size stands out at periods of 2, 4 and 8 pixels.

    At each of these frequencies, across, down and both, it is the largest value nearby over the median of its
    surroundings, and of all frequencies the largest counts. Photos have about 2; a visible grid has 5 and more.
    """
    window = np.hanning(HEIGHT)[:, None] * np.hanning(WIDTH)
    greys = (grey(picture) for picture in pictures)
    power = np.sum([np.abs(np.fft.fft2((each - each.mean()) * window)) ** 2 for each in greys], axis=0)
    places = [(down / period, across / period) for period in (2, 4, 8) for down, across in ((0, 1), (1, 0), (1, 1))]
    return max(_peak(power, round(down * HEIGHT), round(across * WIDTH)) for down, across in places)


def _peak(power: Array, row: int, column: int) -> float:
    def around(reach: int) -> Array:
        near = np.arange(-reach, reach + 1)
        return power[np.ix_((row + near) % HEIGHT, (column + near) % WIDTH)]

    return float(around(1).max() / np.median(around(9)))


def _around_plane(values: Array, where: Mask) -> float:
    rows, columns = np.nonzero(where)
    plane = np.stack([np.ones(len(rows)), rows - rows.mean(), columns - columns.mean()], axis=1)
    rest = values[where] - plane @ np.linalg.lstsq(plane, values[where], rcond=None)[0]
    return float(np.sqrt((rest**2).sum(axis=1).mean()))


def same_people(faces: Array) -> NDArray[np.intp]:
    """Return a number for each of (N, 128) embeddings, equal for all that are alike, directly or through others."""
    alike = faces @ faces.T > ALIKE
    numbers = np.arange(len(faces))
    while True:
        lowest = np.where(alike | np.eye(len(faces), dtype=bool), numbers, len(faces)).min(axis=1)
        if (lowest == numbers).all():
            return numbers
        numbers = lowest
