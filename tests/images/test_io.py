"""A stranger's picture opens as it looks, or is refused in one line."""

from __future__ import annotations

import bz2
import io
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile
from tests.raw_pictures import names, noise, png

from facesketch.errors import ImageError
from facesketch.images.io import is_picture, open_image, to_array

_RED = (200, 30, 10)


def _encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# What is refused


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.png", b"", "the file is empty; expected a picture (JPEG, PNG"),
        ("text.png", b"this is not a picture\n" * 20, "not a picture that can be read; expected JPEG, PNG"),
        ("page.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture that can be read"),
        ("program.gif", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture that can be read"),
        ("cut.jpg", _encode(noise(64, 64), "JPEG")[:1500], "the picture is damaged or cut short"),
        ("cut.png", _encode(noise(64, 64), "PNG")[:5000], "the picture is damaged or cut short"),
        ("cut.webp", _encode(noise(64, 64), "WEBP")[:900], "the picture is damaged or cut short"),
        ("cut.tif", _encode(noise(64, 64), "TIFF")[:5000], "the picture is damaged or cut short"),
        ("cut.ppm", _encode(noise(64, 64), "PPM")[:5000], "the picture is damaged or cut short"),
        ("dot.png", _encode(noise(1, 1), "PNG"), "1x1 is too small to hold a face; expected at least 8x8 pixels"),
        ("line.png", _encode(noise(90, 7), "PNG"), "90x7 is too small to hold a face"),
        ("cut.ppm.bz2", bz2.compress(_encode(noise(64, 64), "PPM"))[:2000], "cannot be read (Compressed file ended"),
        ("not.ppm.bz2", b"not packed at all", "cannot be read (Invalid data stream"),
        ("nan.tif", _encode(Image.fromarray(np.full((9, 9), np.nan, np.float32)), "TIFF"), "not numbers"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        open_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == [name], "reading leaves nothing behind"


def test_a_path_that_holds_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"missing\.png: no such file; give the path of a picture"):
        open_image(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="a folder; give the path of one picture in it"):
        open_image(tmp_path)
    with pytest.raises(ImageError, match="cannot be read"):
        open_image("nul\0byte.png")


@pytest.mark.parametrize("size", [(20_000, 20_000), (12_500, 8_001)])
def test_a_huge_picture_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    def decoded(_: object) -> None:
        pytest.fail("the pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    with pytest.raises(ImageError, match=r"pixels.*expected at most 100,000,000"):
        open_image(png(size, 8, 2, []))


def test_a_packed_picture_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facesketch.images.io._MAX_BYTES", 1 << 20)
    for name, content in (("bomb.ppm.bz2", bz2.compress(bytes(2 << 20))), ("big.png", bytes(2 << 20))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match="MiB; expected a picture"):
            open_image(tmp_path / name)


_SOUND = [
    _encode(noise(24, 20), "JPEG", exif=(_exif := Image.Exif())),
    _encode(noise(24, 20), "PNG", exif=_exif),
    _encode(noise(24, 20).convert("P"), "PNG", transparency=3),
    *(_encode(noise(24, 20), kind) for kind in ("WEBP", "TIFF", "BMP", "PPM", "GIF", "AVIF")),
]


@given(content=st.sampled_from(_SOUND), data=st.data())
@settings(deadline=None, max_examples=300)
def test_damage_never_ends_in_another_exception(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for place in data.draw(st.lists(st.integers(0, min(400, len(content)) - 1), min_size=1, max_size=5)):
        damaged[place] = data.draw(st.integers(0, 255))
    try:
        image = open_image(bytes(damaged), box=data.draw(st.sampled_from([None, 16])))
    except ImageError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert image.mode in {"L", "RGB"}


# What opens, and as what


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    values = np.tile(np.array([0, 257, 32768, 65535], np.uint16), (8, 2))
    image = open_image(_encode(Image.fromarray(values), "PNG"))
    assert image.mode == "L"
    assert np.asarray(image)[0].tolist() == [0, 1, 128, 255] * 2


def test_sixteen_bit_colour_is_scaled() -> None:
    values = np.tile(np.array([[0, 32768, 65535]], ">u2"), (8, 8))
    image = open_image(png((8, 8), 16, 2, [row.tobytes() for row in values]))
    assert image.getpixel((7, 7)) == (0, 128, 255)


def test_sixteen_bit_grey_with_alpha_lies_on_white() -> None:
    values = np.tile(np.array([[32768, 65535, 0, 0]], ">u2"), (8, 4))
    image = open_image(png((8, 8), 16, 4, [row.tobytes() for row in values]))
    assert to_array(image, 1)[0, :, 0].tolist() == [128, 255] * 4


def _one_bit() -> bytes:
    return _encode(Image.fromarray(np.eye(16, dtype=bool)), "PNG")


def _palette() -> Image.Image:
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 255, 0, *_RED])
    return image


@pytest.mark.parametrize(
    ("content", "mode", "corner"),
    [
        (_encode(Image.new("RGB", (16, 16), _RED), "PNG"), "RGB", _RED),
        (_encode(Image.new("RGB", (16, 16), _RED), "WEBP", lossless=True), "RGB", _RED),
        (_encode(Image.new("RGB", (16, 16), _RED), "BMP"), "RGB", _RED),
        (_encode(Image.new("RGB", (16, 16), _RED), "TIFF", compression="tiff_lzw"), "RGB", _RED),
        (_encode(Image.new("L", (16, 16), 77), "PNG"), "L", 77),
        (_encode(_palette(), "PNG"), "RGB", _RED),
        (_encode(_palette(), "PNG", transparency=1), "RGB", (255, 255, 255)),
        (_encode(_palette(), "PNG", transparency=0), "RGB", _RED),
        (_encode(Image.new("RGBA", (16, 16), (*_RED, 0)), "PNG"), "RGB", (255, 255, 255)),
        (_encode(Image.new("RGBA", (16, 16), (*_RED, 255)), "PNG"), "RGB", _RED),
        (_encode(Image.new("RGBA", (16, 16), (0, 0, 0, 128)), "PNG"), "RGB", (127, 127, 127)),
        (_encode(Image.new("RGB", (16, 16), _RED), "PNG", transparency=_RED), "RGB", (255, 255, 255)),
        (_encode(Image.new("LA", (16, 16), (9, 0)), "PNG"), "L", 255),
        (_encode(Image.new("LA", (16, 16), (9, 255)), "PNG"), "L", 9),
        (_encode(Image.new("L", (16, 16), 9), "PNG", transparency=9), "L", 255),
        (_one_bit(), "L", 255),
        (_encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100), "RGB", (255, 0, 0)),
    ],
)
def test_every_kind_of_picture_opens_as_it_looks(content: bytes, mode: str, corner: int | tuple[int, ...]) -> None:
    image = open_image(content)
    assert (image.mode, image.size) == (mode, (16, 16))
    assert np.asarray(image)[0, 0].tolist() == (list(corner) if isinstance(corner, tuple) else corner)


def test_one_bit_has_black_and_white_only() -> None:
    assert (np.asarray(open_image(_one_bit())) == np.eye(16) * 255).all()


# Orientation n of the EXIF standard, as what was done to the upright picture to get the stored one.
_STORED: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", _STORED)
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = np.asarray(noise(13, 9))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(_STORED[orientation](upright)))
    image = open_image(_encode(stored, "PNG", exif=exif))
    assert (np.asarray(image) == upright).all()
    assert image.getexif().get(0x0112, 1) == 1, "a second opening must not turn it again"


def test_of_several_frames_the_first_is_taken() -> None:
    first, second = Image.new("RGB", (16, 16), _RED), Image.new("RGB", (16, 16), (0, 0, 255))
    for kind in ("GIF", "PNG", "WEBP", "TIFF", "MPO"):
        image = open_image(_encode(first, kind, save_all=True, append_images=[second], quality=100))
        assert np.abs(np.asarray(image)[5, 5].astype(int) - np.array(_RED)).max() <= 3, kind


def test_a_packed_ppm_opens(tmp_path: Path) -> None:
    path = tmp_path / "face.PPM.bz2"
    path.write_bytes(bz2.compress(_encode(noise(12, 10), "PPM")))
    assert is_picture(path)
    assert (np.asarray(open_image(path)) == np.asarray(noise(12, 10))).all()


def test_pictures_opened_in_threads_leave_other_warnings_alone() -> None:
    content, before = _encode(noise(64, 64), "JPEG"), warnings.filters[:]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_image, [content] * 48))
    assert warnings.filters == before
    odd = _encode(Image.new("P", (16, 16)), "PNG", transparency=b"\0\1")  # of which Pillow warns
    assert open_image(odd).mode == "RGB"


def test_a_box_lets_a_jpeg_be_decoded_smaller_but_not_too_small() -> None:
    content = _encode(noise(800, 600).resize((400, 300)).resize((800, 600)), "JPEG")
    assert open_image(content).size == (800, 600)
    reduced = open_image(content, box=128)
    assert reduced.size == (200, 150)
    assert open_image(_encode(noise(40, 30), "PNG"), box=16).size == (40, 30)
