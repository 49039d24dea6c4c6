"""Parts that nobody needs do not make a picture unreadable, and no small file takes much memory or minutes."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.raw_pictures import chunk, png, profile, progressive, segment, tiff

from facesketch.data.index import index
from facesketch.errors import ImageError, TooLargeError
from facesketch.images.avif import frame_sizes
from facesketch.images.io import open_image, pixels_of

_SIZE = (8, 8)
_ROWS = [bytes([200, 30, 10] * 8)] * 8
_MOST = 12_000_000


def _opens(content: bytes) -> bool:
    return np.abs(np.asarray(open_image(content), int) - (200, 30, 10)).max() <= 2  # type: ignore[no-any-return]


@cache
def _encoded(kind: str, size: tuple[int, int] = (16, 16)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 10)).save(file, kind, quality=100)
    return file.getvalue()


# What is not needed


_LONG = zlib.compress(bytes(100 << 20))


def _itxt(size: int) -> bytes:
    return chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(size)))


@pytest.mark.parametrize(
    "extra",
    [
        _itxt(1_100_000),
        chunk(b"zTXt", b"Comment\0\0" + _LONG),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + _LONG),
        chunk(b"zTXt", b"damaged\0\0not deflated"),
        chunk(b"tEXt", b"x" * 3_000_000),
        chunk(b"iCCP", b"p\0\0" + _LONG),
        chunk(b"acTL", b"odd")
        + chunk(b"fcTL", b"odd")
        + chunk(b"pHYs", b"")
        + chunk(b"gAMA", b"")
        + chunk(b"sRGB", b""),
        chunk(b"eXIf", b"damaged"),
        chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
        b"\0\0\0\4tEXtabcd\0\0\0\0",  # of a wrong checksum
    ],
)
def test_what_stands_beside_the_pixels_of_a_png_refuses_nothing(extra: bytes) -> None:
    assert _opens(png(_SIZE, 8, 2, _ROWS, extra))
    assert _opens(png(_SIZE, 8, 2, _ROWS).removesuffix(chunk(b"IEND", b"")) + extra + chunk(b"IEND", b""))


def test_a_large_profile_of_a_png_is_used() -> None:
    linear = profile(b"RGB ", 1.0)
    padded = struct.pack(">I", 3 << 20) + linear[4:].ljust((3 << 20) - 4, b"\0")
    content = png(_SIZE, 8, 2, [bytes([55] * 24)] * 8, chunk(b"iCCP", b"p\0\0" + zlib.compress(padded)))
    assert np.abs(np.asarray(open_image(content), int) - 128).max() <= 2


def test_which_way_is_up_is_read_where_imagemagick_keeps_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    text = b"\nexif\n      %d\n" % len(exif.tobytes()) + exif.tobytes().hex().encode()
    name = b"Raw profile type exif\0"
    for told in (chunk(b"zTXt", name + b"\0" + zlib.compress(text)), chunk(b"tEXt", name + text)):
        assert open_image(png((8, 16), 8, 0, [bytes(8)] * 16, told)).size == (16, 8)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP", "AVIF"])
def test_every_format_is_turned_by_its_orientation_once(kind: str) -> None:
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.new("RGB", (32, 16), (200, 30, 10)).save(file, kind, exif=exif)
    opened = open_image(file.getvalue())
    assert opened.size == (16, 32)
    assert flat_again(opened) == (16, 32)


def flat_again(image: Image.Image) -> tuple[int, int]:
    file = io.BytesIO()
    image.save(file, "PNG")
    return open_image(file.getvalue()).size


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
        segment(0xE1, b"Exif\0\0torn"),
        segment(0xE2, b"MPF\0torn"),
        segment(0xE2, b"MPF\0II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0xB001, 4, 1, 3) + bytes(4)),
        segment(0xE2, b"ICC_PROFILE\0\1\2torn"),
        segment(0xED, b"Photoshop 3.0\08BIM damaged"),
        segment(0xFE, b"\xff\xda" * 400),
    ],
)
def test_what_stands_beside_the_pixels_of_a_jpeg_refuses_nothing(extra: bytes) -> None:
    content = _encoded("JPEG")
    assert _opens(content[:2] + extra + content[2:])


def test_a_wide_png_with_long_texts_is_a_pair(tmp_path: Path) -> None:
    for name in ("anna", "ben"):
        (tmp_path / f"{name}.png").write_bytes(png((32, 16), 8, 0, [bytes(range(32))] * 16, _itxt(1_100_000)))
    assert len(index(tmp_path).pairs) == 2


# Work


@pytest.mark.parametrize("scans", [101, 5000])
def test_a_jpeg_drawn_over_and_over_is_refused_at_once(scans: int) -> None:
    content, start = progressive(1600, 1600, scans), time.process_time()
    with pytest.raises(ImageError, match="scans"):
        open_image(content)
    assert time.process_time() - start < 1


def test_scans_are_counted_to_the_end_of_the_first_picture() -> None:
    one = progressive(64, 64, 90)
    assert open_image(one + one).size == (64, 64)
    assert open_image(one + b"\xff\xda" * 1000).size == (64, 64)
    file = io.BytesIO()
    Image.new("CMYK", (400, 300)).save(file, "JPEG", progressive=True, optimize=True)
    assert open_image(file.getvalue()).size == (400, 300)


@pytest.mark.parametrize(
    "content",
    [
        b"P3\n8 8\n255\n" + b"#\n" * 5000 + b"9 " * 192,
        b"P3\n3000 3000\n255\n" + b"9 " * 100,
        b"P6\n3000 3000\n254\n" + bytes(100),
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 1078, 40, 4000, 4000, 1, 8, 1, 0, 0, 0, 256, 0) + bytes(2048),
    ],
)
def test_a_coding_that_is_read_value_by_value_must_be_small(content: bytes) -> None:
    start = time.process_time()
    with pytest.raises(ImageError, match="save it as PNG"):
        open_image(content)
    assert time.process_time() - start < 1


def test_a_tiff_of_more_strips_than_it_has_room_for_is_refused() -> None:
    strips = [8, 8, 200] * 2000
    content = tiff({256: 8, 257: 8, 278: 4, 273: strips, 279: [32] * len(strips)}, bytes(64))
    with pytest.raises(ImageError, match="more tiles"):
        open_image(content)


def test_a_big_tiff_opens() -> None:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 30, 10)).save(file, "TIFF", big_tiff=True)
    assert file.getvalue()[2] == 43
    assert _opens(file.getvalue())


# Memory


def _tile(width: int, height: int) -> bytes:
    packer = zlib.compressobj(9)
    return packer.compress(bytes(min(width * height, 1 << 24))) + packer.flush()


_TILED = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 324: 8}


def _canvas(width: int, height: int) -> bytes:
    """Return a WebP of a small picture on a large canvas."""
    picture = _encoded("WEBP")[12:]
    head = (
        b"VP8X"
        + struct.pack("<I", 10)
        + bytes(4)
        + (width - 1).to_bytes(3, "little")
        + (height - 1).to_bytes(3, "little")
    )
    return b"RIFF" + struct.pack("<I", 4 + len(head) + len(picture)) + b"WEBP" + head + picture


def _boxed(avif: bytes) -> bytes:
    """Return an AVIF whose box says 64x64, whatever is inside."""
    place = avif.index(b"ispe") + 8
    return avif[:place] + struct.pack(">II", 64, 64) + avif[place + 8 :]


_BOMBS: dict[str, Callable[[], bytes]] = {
    "tile": lambda: tiff(_TILED | {322: 46336, 323: 46320, 325: 99}, _tile(46336, 46320)),
    "tile told twice": lambda: tiff(_TILED | {322: 64, 323: 64, 325: 99}, _tile(9000, 9000), twice=(322, 9_000_000)),
    "canvas": lambda: _canvas(9000, 9000),
    "canvas of the largest": lambda: _canvas(16383, 16383),
    "frame beyond the screen": lambda: b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + bytes(6) + b","
    + struct.pack("<HHHHB", 0, 0, 9000, 9000, 0) + b"\2\2L\1\0;",
    "png": lambda: png((9000, 9000), 8, 0, [bytes(9001)]),
    "jpeg": lambda: progressive(9000, 9000, 2),
    "ppm": lambda: b"P5\n9000 9000\n255\n" + bytes(100),
    "bmp": lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 54, 40, 9000, 9000, 1, 24, 0, 0, 0, 0, 0, 0),
    "avif in a small box": lambda: _boxed(_encoded("AVIF", (4000, 3200))),
    "avif": lambda: _encoded("AVIF", (4000, 3200)),
}  # fmt: skip

_CHILD = """
import json, pathlib, resource, sys
from facesketch.errors import ImageError
from facesketch.images.io import open_image, pixels_of
open_image(sys.argv[2])
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
before = peak()
try:
    pixels_of(pathlib.Path(sys.argv[1]).read_bytes(), 12_000_000)
    said = "taken"
except ImageError as error:
    said = type(error).__name__
print(json.dumps([said, peak() - before]))
"""


@pytest.mark.parametrize("name", _BOMBS)
def test_more_pixels_than_allowed_are_refused_before_they_take_memory(tmp_path: Path, name: str) -> None:
    content = _BOMBS[name]()
    bomb, sound = tmp_path / "bomb", tmp_path / "sound.webp"
    bomb.write_bytes(content)
    sound.write_bytes(_encoded("WEBP"))
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(bomb), str(sound)], capture_output=True, text=True, check=True
    )
    said, grown = json.loads(done.stdout)
    assert said in {"TooLargeError", "ImageError"}
    assert grown < len(content) * 4 + (24 << 20), f"{grown >> 20} MiB"


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("frames", [1, 3])
def test_the_pictures_in_an_avif_are_measured(mode: str, frames: int) -> None:
    file, image = io.BytesIO(), Image.new(mode, (100, 80))
    image.save(file, "AVIF", save_all=True, append_images=[Image.new(mode, (100, 80), 9)] * (frames - 1))
    assert set(frame_sizes(file.getvalue())) == {(100, 80)}
    assert pixels_of(file.getvalue(), 8000) == 8000
    with pytest.raises(TooLargeError):
        pixels_of(file.getvalue(), 7999)


def test_an_avif_that_lists_its_picture_many_times_is_refused_at_once() -> None:
    content, start = _encoded("AVIF"), time.process_time()
    place = content.index(b"iloc")
    with pytest.raises(ImageError):
        open_image(content[: place + 8] + b"\x44\0\xff\xff" + bytes([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9]) * 5000)
    assert time.process_time() - start < 1


def test_what_a_tile_takes_counts_as_pixels() -> None:
    tile = _tile(1024, 1024)
    content = tiff(_TILED | {322: 1024, 323: 1024, 325: len(tile)}, tile)
    assert pixels_of(content, _MOST) == 1024 * 1024
    assert open_image(content).size == (64, 64)
    with pytest.raises(TooLargeError, match="tiles of 1024x1024"):
        pixels_of(content, 1_000_000)
