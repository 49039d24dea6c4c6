"""Bring any depth, photometric sense, colour profile and alpha to 8-bit sRGB on white."""

from __future__ import annotations

import functools
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.errors import ImageError
from facesketch.images.bounds import LARGEST_PROFILE

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

_SPACES = {"L": b"GRAY", "LA": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB ", "CMYK": b"CMYK"}
_NEAR = 2  # levels: a profile that moves no colour further is another spelling of sRGB
_ROWS = 1 << 20  # values that are scaled at once
_PHOTOMETRIC, _BITS, _SAMPLE_FORMAT, _COLOUR_MAP = 262, 258, 339, 320
_PLANES, _SAMPLES, _FILL_ORDER = 284, 277, 266
_COLOURS = frozenset({"RGB", "RGBA", "RGBa", "RGBX", "CMYK"})


def normalised(image: Image.Image) -> Image.Image:
    """Return a picture of any mode as 8-bit sRGB, `L` when it holds grey only and `RGB` otherwise, alpha over white.

    16-bit grey spans 16 bits, and 12-bit TIFF 12. Float grey spans [0, 1] unless it holds more than 2. Other floats and
    integers of 32 bits span the least of 8, 16, 31 and 32 bits that holds them.

    Raises:
        ValueError: it holds values that are not numbers.
        OSError: it is cut short.
        ImageError: it is a TIFF that Pillow would misread.
    """
    if image.format == "TIFF":
        _mend_tiles(image)
    image.load()
    profile, gamma = image.info.get("icc_profile"), image.info.get("gamma")
    eight = _eight_bits(image)
    if isinstance(profile, bytes):
        return _over_white(_in_srgb(eight, profile))
    if isinstance(gamma, float) and "srgb" not in image.info and eight.mode != "CMYK":
        eight = _with_gamma(eight, gamma)
    return _over_white(_in_srgb(eight, None))


def _mend_tiles(image: Image.Image) -> None:
    """Name the byte order that libtiff delivers, and refuse planes that Pillow would misread, if not loaded yet."""
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    tiles: Any = image.tile  # type: ignore[attr-defined]
    if not tiles:
        return
    raw = tiles[0].codec_name != "libtiff"
    if tags.get(_PLANES) == 2 and tags.get(_SAMPLES, 1) > 1:
        bits, order = max(tags.get(_BITS, (1,))), tags.get(_FILL_ORDER, 1)
        if (raw and (bits, order) != (8, 1)) or image.mode not in _COLOURS:
            raise ImageError("a TIFF that keeps its channels apart in an odd way", "save it as PNG")
    if not raw:  # which delivers numbers in the order of this machine, not of the file
        image.tile = [  # type: ignore[attr-defined]
            tile._replace(args=(re.sub(r"(;(?:16|32))B", r"\1N", tile.args[0]), *tile.args[1:])) for tile in tiles
        ]


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture as `L`, `LA`, `RGB`, `RGBA` or `CMYK`."""
    mode, seethrough = image.mode, "transparency" in image.info
    if mode.startswith("I") or mode == "F":
        return _scaled(image)
    if mode == "LAB":
        from PIL import ImageCms

        return _between(ImageCms.createProfile("LAB"), "LAB").apply(image)
    if mode == "P" and image.format == "TIFF":
        _mend_colour_map(image)
    if mode == "RGBA" and image.format == "BMP" and image.getchannel("A").getextrema() == (0, 0):
        return image.convert("RGB")  # the fourth byte is often left empty and then means nothing
    if mode in {"1", "L"}:
        return image.convert("LA" if seethrough else "L")
    if mode in {"La", "LA"}:
        return image.convert("LA")
    if mode in {"RGBA", "RGBa", "PA"} or seethrough:
        return image.convert("RGBA")
    return image if mode == "CMYK" else image.convert("RGB")


def _mend_colour_map(image: Image.Image) -> None:
    """Read the colours of a TIFF's palette as 8 bits where none needs more, as libtiff does."""
    colours = np.asarray(image.tag_v2.get(_COLOUR_MAP, ()), np.int64)  # type: ignore[attr-defined]
    if colours.size and colours.size % 3 == 0 and colours.max() < 256:
        image.putpalette(colours.reshape(3, -1).T.astype(np.uint8).tobytes(), "RGB")


def _scaled(image: Image.Image) -> Image.Image:
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    if image.mode == "I" and tags.get(_BITS) == (32,) and tags.get(_SAMPLE_FORMAT, (1,)) == (1,):
        values = values.view(np.uint32)  # Pillow takes the upper half of 32 bits without sign as negative
    white = _white(values, image.mode, image.format, 12 if tags.get(_BITS) == (12,) else 16)
    out = np.empty(values.shape, np.uint8)
    for rows in _strips(values):
        out[rows] = np.clip(values[rows].astype(np.float64) * (255.0 / white) + 0.5, 0, 255)
    if tags.get(_PHOTOMETRIC) == 0:  # white is zero; Pillow turns 8 bits and fewer round, but not these
        np.subtract(255, out, out=out)
    grey, clear = Image.fromarray(out), image.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey


def _white(values: NDArray[np.generic], mode: str, kind: str | None, bits: int) -> float:
    """Return the number that stands for white."""
    if mode.startswith("I;16"):
        return 2.0**bits - 1
    peaks = [values[rows].max(initial=0) for rows in _strips(values)]
    if not np.isfinite([*peaks, *(values[rows].min(initial=0) for rows in _strips(values))]).all():
        raise ValueError("it holds values that are not numbers")
    if mode == "F" and max(peaks) <= 2:
        return 1.0
    if kind == "PPM" and mode == "I":
        return 65535.0
    return next((top for top in (255.0, 65535.0, 2.0**31 - 1) if max(peaks) <= top), 2.0**32 - 1)


def _strips(values: NDArray[np.generic]) -> list[slice]:
    """Return slices of so few rows that scaling them takes little memory."""
    step = max(1, _ROWS // max(1, values.shape[1]))
    return [slice(start, start + step) for start in range(0, values.shape[0], step)]


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a picture in sRGB; a profile that is broken, huge or of another colour space is ignored."""
    transform = None
    if profile is not None and len(profile) <= LARGEST_PROFILE and profile[16:20] == _SPACES[image.mode]:
        transform = _transform(profile, "L" if image.mode == "LA" else image.mode)
    if transform is None:
        return image.convert("RGB") if image.mode == "CMYK" else image
    if image.mode in {"L", "LA"}:
        ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        table = transform.apply(ramp).getchannel("G").tobytes()
        return image.point([*table, *(range(256) if image.mode == "LA" else ())])
    return transform.apply(image)


def _with_gamma(image: Image.Image, gamma: float) -> Image.Image:
    """Return a picture whose PNG says that a sample is its light to the power of `gamma`, in sRGB."""
    if not 0.1 <= gamma <= 10 or abs(gamma - 1 / 2.2) < 0.02:  # absurd, or what sRGB calls itself
        return image
    light = np.linspace(0, 1, 256) ** (1 / gamma)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    table = (curve * 255 + 0.5).astype(np.uint8).tolist()
    alpha = image.mode in {"LA", "RGBA"}
    return image.point(table * (len(image.getbands()) - alpha) + list(range(256)) * alpha)


@functools.lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCmsTransform | None:
    """Return the transform to sRGB; None for a profile that is sRGB already, or broken."""
    from PIL import ImageCms

    try:
        transform = _between(io.BytesIO(profile), mode)
        if mode not in {"RGB", "RGBA"}:
            return transform
        axis = np.linspace(0, 255, 9).round().astype(np.uint8)
        colours = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(1, -1, 3)
        before = Image.fromarray(colours).convert(mode)
        moved = np.asarray(transform.apply(before), np.int16) - np.asarray(before, np.int16)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform if np.abs(moved).max() > _NEAR else None


def _between(profile: Any, mode: str) -> ImageCmsTransform:
    """Return the transform from a profile to sRGB."""
    from PIL import ImageCms

    target = {"L": "RGB", "LAB": "RGB", "CMYK": "RGB"}.get(mode, mode)
    return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, target)


def _over_white(image: Image.Image) -> Image.Image:
    if image.mode in {"L", "RGB"}:
        return image
    rgba = image.convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return flat.convert("L" if image.mode == "LA" else "RGB")
