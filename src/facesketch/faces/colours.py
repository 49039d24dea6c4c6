"""The colours of a face that a sketch does not show: skin, hair and background, measured in photos and named by people.

Colours are CIELAB under D65: L in [0, 100], a and b around 0 for grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from facesketch.errors import ConfigError
from facesketch.faces.frame import FRAME

Part = Literal["skin", "hair", "background"]
PARTS: tuple[Part, ...] = get_args(Part)
Lab = tuple[float, float, float]


class Colours(NamedTuple):
    """The colours of a face, as hints to a model; it decides where one is None."""

    skin: Lab | None = None
    hair: Lab | None = None
    background: Lab | None = None

    @property
    def given(self) -> tuple[Part, ...]:
        """Return the parts whose colour is known."""
        return tuple(part for part in PARTS if getattr(self, part) is not None)


AUTO = Colours()
"""No hint at all."""

MONK = (
    "#f6ede4",
    "#f3e7db",
    "#f7ead0",
    "#eadaba",
    "#d7bd96",
    "#a07e56",
    "#825c43",
    "#604134",
    "#3a312a",
    "#292420",
)
"""The Monk Skin Tone scale, 1 to 10 (Monk, 2019; skintone.google)."""
LIGHT_GREY = "#d7dada"
"""The light grey background of a photo drawn from a sketch, unless you choose another."""
VARIANTS = ("4", "6", "8")
"""The steps of the scale that show a face in three tones."""
NUMBERS = 4
"""How many numbers tell a network one colour: whether it is known, L, a and b."""

_SKIN_LIGHTNESS = (22.0, 84.0)  # of nearly all cheeks in photos; the palest swatches are lighter than any
# In pixels of the default frame, in which the eyes lie at (75, 125) and (125, 125)
_CHEEKS, _CHEEK_RADIUS = ((75, 151), (125, 151)), 9
_CROWN = (slice(25, 78), slice(66, 135))  # rows, columns
_OUTSIDE = (slice(0, 125), (slice(0, 24), slice(176, 200)))
_APART = 14.0  # difference in CIELAB beyond which a pixel of the crown is neither skin nor background
_LEAST = 0.15  # share of the crown that must be hair
_TO_XYZ = np.array([(0.433953, 0.376219, 0.189828), (0.212671, 0.71516, 0.072169), (0.017758, 0.109477, 0.872765)])
_PLAIN = 14.0  # spread of lightness below which a background has one colour


def named(part: Part, colour: str) -> Lab | None:
    """Return a colour that a person typed, or None for `auto`.

    >>> named("skin", "auto")
    >>> [round(number) for number in named("background", "white")]
    [100, 0, 0]

    Args:
        part: what has this colour; only skin can be a step of the Monk scale. Its lightness stays within that of
            skin in photos.
        colour: `auto`, a CSS colour (`peru`, `#c68642`, `rgb(198, 134, 66)`) or, for skin, `1` (lightest) to `10`.

    Raises:
        ConfigError: none of these.
    """
    text = str(colour).strip().lower()  # a step may come as a number
    if text == "auto":
        return None
    if part == "skin":
        text = {str(step): shade for step, shade in enumerate(MONK, 1)}.get(text, text)
    try:
        rgb = [min(max(level, 0), 255) for level in ImageColor.getrgb(text)[:3]]  # as browsers do
    except ValueError as error:
        scale = ", 1 to 10 on the Monk scale" if part == "skin" else ""
        raise ConfigError(
            f"`{part}` '{colour}': not a colour", f"expected auto{scale} or a CSS colour such as #c68642 or black"
        ) from error
    lightness, a, b = _lab(np.array([[rgb]], np.uint8))[0, 0].tolist()
    if part == "skin":
        lightness = min(max(lightness, _SKIN_LIGHTNESS[0]), _SKIN_LIGHTNESS[1])
    return lightness, a, b


def measure(photo: NDArray[np.uint8]) -> Colours:
    """Return the colours that can be measured in a photo of the default frame.

    Skin is the median of both cheeks. Hair is what differs from skin and background above the forehead; a shaven head
    has none. A background has a colour only if it is plain.

    Args:
        photo: (H, W, 3), a face as `align` frames it, in any size.
    """
    small = Image.fromarray(photo).resize((FRAME.width, FRAME.height), Image.Resampling.HAMMING)
    lab = _lab(np.asarray(small))
    rows, columns = np.mgrid[: FRAME.height, : FRAME.width]
    discs = [(columns - x) ** 2 + (rows - y) ** 2 <= _CHEEK_RADIUS**2 for x, y in _CHEEKS]
    skin = np.median(lab[np.any(discs, axis=0)], axis=0)
    outside = np.concatenate([lab[_OUTSIDE[0], columns].reshape(-1, 3) for columns in _OUTSIDE[1]])
    background = np.median(outside, axis=0)
    crown = lab[_CROWN].reshape(-1, 3)
    plain = float(np.subtract(*np.percentile(outside[:, 0], [80, 20]))) < _PLAIN
    hair = np.linalg.norm(crown - skin, axis=1) > _APART
    if plain:
        hair &= np.linalg.norm(crown - background, axis=1) > _APART / 2
    return Colours(
        _triple(skin),
        _triple(np.median(crown[hair], axis=0)) if hair.mean() > _LEAST else None,
        _triple(background) if plain else None,
    )


def numbers(colours: Colours, parts: Sequence[Part]) -> NDArray[np.float32]:
    """Return colours as a network takes them: (4 * len(parts),), for each part 1 and L, a, b near [-2, 2], or 0s."""
    told = np.zeros((len(parts), NUMBERS), np.float32)
    for row, part in enumerate(parts):
        colour: Lab | None = getattr(colours, part)
        if colour is not None:
            told[row] = 1, (colour[0] - 50) / 25, colour[1] / 20, colour[2] / 20
    return told.reshape(-1)


def _triple(values: NDArray[np.float32]) -> Lab:
    lightness, a, b = values.tolist()
    return lightness, a, b


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return sRGB (IEC 61966-2-1) as CIELAB, with white at (100, 0, 0)."""
    shares = rgb / np.float32(255)
    linear = np.where(shares > 0.04045, ((shares + 0.055) / 1.055) ** 2.4, shares / 12.92)
    xyz = linear @ _TO_XYZ.T
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)
