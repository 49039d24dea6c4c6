"""What is measured on a picture of a stranger: ink outside the head, ink along the border, and the colour of skin.

Places are found on the true photo, which is aligned to 200x250 with the eyes at (75, 125) and (125, 125), and are the
same for our picture and the artist's. With `s` the larger of the distance between the eyes and that from the eyes to
the mouth, and x along the eyes:

- The head's outline is an arch: an ellipse of half-width 1.55 s around a point 0.3 s above the middle of the eyes, that
  reaches 2.05 s above the eyes, and straight down from its widest row. Where the nose lies to one side of the eyes'
  middle the arch moves the other way by 0.75 of it, because the back of a turned head is there. Hair on the head and
  hair that falls over the shoulders are inside. The background is what lies outside the arch and above the mouth;
  below are shoulders. Of FS2K's artists' ink above the mouth 95 % is inside.
- The border is the outermost 6 columns and rows above the mouth, as far as they are background.
- Skin is a disc on either cheek, half-way from the eye to the corner of the mouth, and one on the forehead, 0.55 s
  above the eyes; the chin is a disc 0.42 s below the mouth. Radius 0.16 s.
"""

from __future__ import annotations

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
"""SFace similarity above which two photos are taken to show one person; Zhong et al. put the line at 0.363."""
LEAST = 0.01
"""Of the frame that has to be background for the ink in it to be counted."""
_ACROSS, _ABOVE, _CENTRE, _TURN = 1.55, 2.05, 0.3, 0.75
_CHEEK, _FOREHEAD, _CHIN, _RADIUS = 0.5, 0.55, 0.42, 0.16
_SMOOTH = 1.5  # pixels: blotches are wider than a camera's noise


@dataclass(frozen=True)
class Places:
    """Where things are in an aligned frame, from YuNet's five points: eyes, nose, corners of the mouth."""

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
        """Return the background's part of the outermost columns and rows, (250, 200)."""
        inner = np.zeros((HEIGHT, WIDTH), dtype=bool)
        inner[BORDER:-BORDER, BORDER:-BORDER] = True
        return self.background & ~inner

    @cached_property
    def cheeks(self) -> tuple[Mask, ...]:
        """Return both cheeks, as far as they are in the frame."""
        left, right, _, left_mouth, right_mouth = self.points
        return self._discs(left + _CHEEK * (left_mouth - left), right + _CHEEK * (right_mouth - right))

    @cached_property
    def skin(self) -> Mask:
        """Return cheeks and forehead together, (250, 200)."""
        up = (self._eyes - self._mouth) / max(float(np.hypot(*(self._eyes - self._mouth))), 1e-6)
        forehead = self._discs(self._eyes + _FOREHEAD * self.scale * up)
        return np.asarray(np.any([*self.cheeks, *forehead], axis=0))

    @cached_property
    def smooth_parts(self) -> tuple[Mask, ...]:
        """Return the places where skin has one colour: the cheeks and the chin."""
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
    """Return the share of pixels darker than `level` among those of `where`, or NaN where there are too few."""
    if where.mean() < LEAST:
        return float("nan")
    return float((grey(sketch)[where] < level).mean())


def border_share(sketch: Image.Image, places: Places) -> float:
    """Return the share of dark pixels along the border, or NaN where the head covers it."""
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
    """Return how much colour varies where skin has one: the standard deviation of a and b around a plane, in CIELAB.

    The mean over both cheeks and the chin, of pictures smoothed a little, so that neither noise nor JPEG's squares
    count.
    """
    chroma = np.asarray(cv2.GaussianBlur(lab(photo)[..., 1:], (0, 0), _SMOOTH), dtype=np.float64)
    return float(np.mean([_around_plane(chroma, part) for part in places.smooth_parts]))


def _around_plane(values: Array, where: Mask) -> float:
    rows, columns = np.nonzero(where)
    plane = np.stack([np.ones(len(rows)), rows - rows.mean(), columns - columns.mean()], axis=1)
    rest = values[where] - plane @ np.linalg.lstsq(plane, values[where], rcond=None)[0]
    return float(np.sqrt((rest**2).sum(axis=1).mean()))


def same_people(faces: Array) -> NDArray[np.intp]:
    """Return a number for each of (N, 128) embeddings, one for all that are alike, directly or through others."""
    alike = faces @ faces.T > ALIKE
    numbers = np.arange(len(faces))
    while True:
        lowest = np.where(alike | np.eye(len(faces), dtype=bool), numbers, len(faces)).min(axis=1)
        if (lowest == numbers).all():
            return numbers
        numbers = lowest
