"""Open any picture safely, upright and in 8-bit sRGB, and write pictures.

Training and translation both open pictures here, so a model sees in use what it saw while it learned.
"""

from __future__ import annotations

import bz2
import functools
import io
import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError, features

from facesketch.errors import ImageError, TooLargeError
from facesketch.files import atomic, read_file
from facesketch.images.bounds import check_opened, lightened
from facesketch.images.colour import normalised

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "PPM", "GIF", "AVIF")  # an MPO, several JPEGs in one, opens as JPEG
# A table rather than Pillow's registry, which imports every plugin. A test compares the two.
_READ = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "JPEG"),
    **dict.fromkeys((".png", ".apng"), "PNG"),
    ".webp": "WEBP",
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    ".bmp": "BMP",
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".ppm.bz2"), "PPM"),
    ".gif": "GIF",
    **dict.fromkeys((".avif", ".avifs"), "AVIF"),
}
SUFFIXES = frozenset(_READ)
"""Endings of the files that `open_image` reads, in lower case."""
WRITABLE = SUFFIXES - {".mpo", ".pfm", ".ppm.bz2"}
"""Endings of the files that `save_image` writes, in lower case."""
EXPECTED = ".jpg, .png, .webp, .tif, .avif, .gif …"
"""How a message says what a picture's name ends in."""
_HEIC = "convert it to JPEG, as with: heif-convert IN.heic OUT.jpg (on a Mac, Preview exports it)"
_HEICS = frozenset({".heic", ".heif", ".hif"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_OTHERS = re.compile(
    r"\.(jp2|j2k|jpx|jxl|jxr|dng|cr2|cr3|nef|arw|orf|rw2|raf|pef|dib|psd"
    r"|xcf|tga|ico|icns|pcx|exr|hdr|qoi|svg|pdf|eps|wmf|emf)"
)
NO_PICTURE = "not a picture, judging by its name"
MAX_PIXELS = 100_000_000
MIN_SIDE = 8
LUMA = (0.299, 0.587, 0.114)
_MAX_BYTES = 512 << 20
_ORIENTATION = 0x0112
_UPRIGHT = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM}
_UPRIGHT |= {5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE}
_UPRIGHT |= {8: Image.Transpose.ROTATE_90}
# What Pillow raises on damaged headers, pixels and EXIF, found by flipping bytes in every format.
_DAMAGED = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(struct.error, zlib.error, RuntimeError),
)
warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd files; `catch_warnings` is not for threads


def is_picture(path: PurePath) -> bool:
    """Tell by its name whether a file is of a kind that `open_image` reads."""
    kind = _READ.get(ending(path.name))
    return kind is not None and not path.name.startswith(".") and (kind != "AVIF" or _reads_avif())


def why_passed_over(entry: os.DirEntry[str] | Path) -> str:
    """Return why a file in a folder is not read as a picture; empty for a picture."""
    return irregular(entry) or why_no_picture(PurePath(entry.name))


def irregular(entry: os.DirEntry[str] | Path) -> str:
    """Return why a file is not to be read, such as a pipe, which may never end; empty for a file or a link to one."""
    try:
        regular = entry.is_file()
    except OSError:  # a link to itself
        regular = False
    if regular:
        return ""
    return "a pipe, a socket or a device, not a file" if os.path.exists(entry) else "a link that leads nowhere"  # noqa: PTH110  it never raises


def why_no_picture(path: PurePath) -> str:
    """Return why a file is not a picture by its name, and what to do about it; empty for a picture."""
    if is_picture(path):
        return ""
    suffix = ending(path.name)
    if path.name.startswith(".") or not (suffix in _HEICS | SUFFIXES or _OTHERS.fullmatch(suffix)):
        return NO_PICTURE
    return f"{suffix[1:].upper()} is not read; {_HEIC if suffix in _HEICS else 'save it as JPEG or PNG'}"


def ending(name: str) -> str:
    """Return a file name's suffix in lower case; `.ppm.bz2` counts as one."""
    name = name.lower()
    return ".ppm.bz2" if name.endswith(".ppm.bz2") else os.path.splitext(name)[1]  # noqa: PTH122  Paths are slow to make


@functools.cache
def _reads_avif() -> bool:
    """Tell whether this Pillow was built with AVIF, as all wheels for common machines are."""
    return bool(features.check("avif"))


def open_image(source: Path | str | bytes, *, box: int | None = None) -> Image.Image:
    """Open a picture as upright `L` or `RGB`, whatever it was stored as.

    Examples:
        >>> from facesketch.images.io import open_image
        >>> open_image("me.jpg").mode
        'RGB'

    Args:
        source: a path (also of a `.ppm.bz2` file), or the file's bytes.
        box: decode a JPEG at a reduced size, but not smaller than this square, which is faster.

    Returns:
        A loaded `L` or `RGB` picture in sRGB: EXIF orientation applied, alpha composited on white, 8 bits.

    Raises:
        ImageError: the file is missing, empty, not a picture or cut short, has a side below 8 pixels or more than 100
            million pixels, or takes minutes to decode.
    """
    name = "picture" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _read(Path(source))
    with _named(name, data), _header(data) as (image, _):
        if min(image.size) < MIN_SIDE:
            seen = f"{image.width}x{image.height} is too small to hold a face"
            raise ImageError(seen, f"expected at least {MIN_SIDE}x{MIN_SIDE} pixels")
        if box is not None:
            image.draft(None, (box, box))
        return flatten(image)


def pixels_of(data: bytes, most: int) -> int:
    """Return how many pixels it takes to decode a file, without decoding it.

    Raises:
        TooLargeError: more than `most`.
        ImageError: not a picture, damaged, or made to take minutes to decode.
    """
    with _named("picture", data), _header(data, most) as (_, pixels):
        return pixels


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture without decoding it.

    Raises:
        ImageError: the file is missing, damaged or not a picture.
    """
    data = _read(path)
    with _named(str(path), data), _header(data) as (image, _):
        yield image


@contextmanager
def _header(data: bytes, most: int = MAX_PIXELS) -> Iterator[tuple[Image.Image, int]]:
    """Open a file without decoding it, and say how many pixels decoding takes; Pillow's own errors pass."""
    needed, profile = lightened(data, most)
    with Image.open(io.BytesIO(needed), formats=FORMATS) as image:
        if profile is not None:
            image.info["icc_profile"] = profile
        yield image, check_opened(image, needed, most)


@contextmanager
def _named(name: str, data: bytes) -> Iterator[None]:
    """Turn what Pillow raises into an `ImageError` that names the picture."""
    if not data:
        raise ImageError("the file is empty", f"expected a picture ({', '.join(FORMATS)})", name)
    try:
        yield
    except ImageError as error:
        error.where = name
        raise
    except UnidentifiedImageError as error:
        if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:  # telephones write it, and sometimes name it .jpg
            raise ImageError("a HEIC picture, which cannot be read here", _HEIC, name) from error
        raise ImageError("not a picture that can be read", f"expected {', '.join(FORMATS)}", name) from error
    except Image.DecompressionBombError as error:
        raise TooLargeError("too many pixels", f"expected at most {MAX_PIXELS:,}", name) from error
    except _DAMAGED as error:
        raise ImageError(f"the picture is damaged or cut short ({error})", "save it again", name) from error


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ImageError(f"{path}: a folder", "give the path of one picture in it")
        if path.name.lower().endswith(".bz2"):
            with bz2.open(io.BytesIO(read_file(path))) as file:
                data = file.read(_MAX_BYTES + 1)
            if len(data) > _MAX_BYTES:
                raise ImageError(f"{path}: unpacks to more than {_MAX_BYTES >> 20} MiB", "expected a picture")
            return data
        if path.stat().st_size > _MAX_BYTES:
            raise ImageError(
                f"{path}: {path.stat().st_size >> 20} MiB", f"expected a picture of at most {_MAX_BYTES >> 20} MiB"
            )
        return read_file(path)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file", "give the path of a picture") from error
    except (OSError, EOFError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: cannot be read ({reason})", "give the path of a picture") from error


def flatten(image: Image.Image) -> Image.Image:
    """Return a picture of any mode upright, in 8-bit sRGB, as `L` or `RGB`, with alpha over white.

    See `facesketch.images.colour.normalised` for depths. Metadata such as EXIF is dropped.

    Raises:
        ImageError: it is damaged, cut short or closed.
    """
    try:
        flat = normalised(image)
    except AssertionError as error:  # what Pillow says when it has no file to read any more
        raise ImageError("a picture that was closed before its pixels were read", "open it again") from error
    except _DAMAGED as error:
        if "closed" in str(error):
            raise ImageError("a picture that was closed", "open it again") from error
        raise ImageError(f"the picture is damaged or cut short ({error})", "save it again") from error
    try:
        turned = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGED:  # what a camera wrote beside the pixels is not needed to see them
        turned = None
    flat = flat if turned is None else flat.transpose(turned)
    flat.info = {}
    return flat


def to_array(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    """Return an (H, W, C) uint8 array with 1 (luma) or 3 (RGB) channels."""
    array = np.array(image.convert("L" if channels == 1 else "RGB"))  # a copy, because a view of Pillow's is read-only
    return array[:, :, None] if channels == 1 else array


def encoded(image: Image.Image, kind: str, quality: int = 95) -> bytes:
    """Return a picture as the bytes of a file in one of Pillow's formats."""
    options = {"quality": quality} if kind in {"JPEG", "WEBP", "AVIF"} else {}
    if kind == "PNG":  # faces hardly repeat: looking only for runs takes a quarter of the time
        options = {"compress_type": zlib.Z_RLE}
    content = io.BytesIO()
    image.save(content, format=kind, **options)
    return content.getvalue()


def save_image(image: Image.Image, path: Path, *, quality: int = 95) -> None:
    """Write a picture atomically, in the format that the name's suffix says.

    Examples:
        >>> from facesketch.images.io import open_image, save_image
        >>> from pathlib import Path
        >>> save_image(open_image("me.jpg"), Path("me.webp"), quality=80)

    Raises:
        ImageError: the suffix is not a picture's, or its format cannot hold this picture.
        OutputError: the place cannot be written.
    """
    kind = _READ.get(path.suffix.lower())
    if path.suffix.lower() not in WRITABLE:
        raise ImageError(f"{path}: cannot write a '{path.suffix}' picture", "name it .png, .jpg, .webp or .tif")
    assert kind is not None, "what is writable has a kind"
    try:
        content = encoded(image, kind, quality)  # in memory: Pillow writing to a full disk only says "encoder error -2"
    except (OSError, ValueError, KeyError) as error:  # a Pillow without AVIF does not know it
        raise ImageError(f"{path}: {kind} cannot hold this picture ({error})", "name it .png") from error
    with atomic(path) as file:
        file.write(content)
