"""A picture's numbers are read as what they mean: depth, sense, alpha and colour profile."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
from PIL import Image, ImageCms
from tests.raw_pictures import DISPLAY_P3, SRGB, bmp, chunk, grey_inks, png, profile, tiff

from facesketch.errors import ImageError
from facesketch.images.io import flatten, open_image

_SIZE = (8, 8)


def _row(content: bytes, count: int = 8) -> list[object]:
    """Return the first pixels of what a file opens as."""
    return np.asarray(open_image(content))[0, :count].tolist()  # type: ignore[no-any-return]


def _iccp(data: bytes) -> bytes:
    return chunk(b"iCCP", b"p\0\0" + zlib.compress(data))


def _near(found: object, expected: object, by: int = 2) -> None:
    assert np.abs(np.asarray(found, int) - np.asarray(expected, int)).max() <= by, (found, expected)


# Colour profiles


def _rgb_png(colour: Sequence[int], *extra: bytes) -> bytes:
    return png(_SIZE, 8, 2, [bytes(colour) * 8] * 8, *extra)


@pytest.mark.parametrize(
    ("colours", "gamma", "stored"),
    [
        (SRGB, 1.0, (55, 128, 3)),
        (SRGB, 2.2, (200, 30, 10)),
        (DISPLAY_P3, 2.2, (100, 180, 90)),
        (DISPLAY_P3, 2.2, (200, 60, 60)),
    ],
)
def test_colours_of_a_profile_become_srgb(
    colours: Sequence[Sequence[float]], gamma: float, stored: Sequence[int]
) -> None:
    light = ((np.array(stored) / 255) ** gamma @ np.array(colours) @ np.linalg.inv(SRGB)).clip(0, 1)
    expected = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(expected - stored).max() > 4
    _near(_row(_rgb_png(stored, _iccp(profile(b"RGB ", gamma, colours))))[0], expected.round().astype(int).tolist())


def test_the_same_profile_counts_in_every_format() -> None:
    attached, picture = profile(b"RGB ", 1.0), Image.new("RGB", (16, 16), (55, 128, 55))
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        file = io.BytesIO()
        picture.save(file, kind, icc_profile=attached, quality=100)
        _near(_row(file.getvalue())[0], (128, 188, 128), 4)


def test_a_grey_profile_keeps_a_picture_grey() -> None:
    opened = open_image(png(_SIZE, 8, 0, [bytes([0, 55, 128, 255] * 2)] * 8, _iccp(profile(b"GRAY", 1.0))))
    assert opened.mode == "L"
    _near(np.asarray(opened)[0, :4], (0, 128, 188, 255))


def test_alpha_lies_on_white_after_the_profile() -> None:
    linear = profile(b"RGB ", 1.0)
    clear, half, solid = (
        _row(png(_SIZE, 8, 6, [bytes([55, 55, 55, a]) * 8] * 8, _iccp(linear)))[0] for a in (0, 128, 255)
    )
    _near([clear, half, solid], [[255] * 3, [191] * 3, [128] * 3])
    grey = png(_SIZE, 8, 4, [bytes([55, 128]) * 8] * 8, _iccp(profile(b"GRAY", 1.0)))
    _near(_row(grey), [191] * 8)


def test_a_profile_of_inks_says_what_they_look_like() -> None:
    file, bare = io.BytesIO(), io.BytesIO()
    inks = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    inks.save(file, "JPEG", quality=100, icc_profile=grey_inks())
    inks.save(bare, "JPEG", quality=100)
    _near(_row(bare.getvalue())[0], (255, 0, 0))
    _near(_row(file.getvalue())[0], (78, 78, 78))  # two of three inks leave L* 33.3


@pytest.mark.parametrize(
    "broken", [b"", b"x" * 200, profile(b"RGB ", 1.0)[:150], profile(b"GRAY", 1.0), bytes(5 << 20)]
)
def test_a_profile_that_is_broken_or_of_another_space_is_passed_over(broken: bytes) -> None:
    assert _row(_rgb_png((55, 128, 3), _iccp(broken)))[0] == [55, 128, 3]


def test_a_profile_of_srgb_leaves_every_number_alone() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    attached = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # type: ignore[no-untyped-call]
    content = png(_SIZE, 8, 2, [row.tobytes() for row in pixels], _iccp(attached))
    assert (np.asarray(open_image(content)) == pixels).all()


def test_a_converted_picture_says_no_more_of_its_old_profile() -> None:
    assert open_image(_rgb_png((55, 128, 3), _iccp(profile(b"RGB ", 1.0)))).info == {}


def test_lab_becomes_colour() -> None:
    # L* 53.2, a* 80.1, b* 67.2 of D50 is sRGB's red; a* and b* are signed bytes
    data = bytes([138, 81, 70]) * 64
    content = tiff({256: 8, 257: 8, 262: 8, 277: 3, 258: (8, 8, 8)}, data)
    _near(_row(content)[0], (255, 0, 0), 8)


# Depth and sense


def _ramp(white_is_zero: bool, top: int, kind: str) -> bytes:
    values = np.tile(np.array([0, 0.25, 0.5, 1.0] * 2) * top, (8, 1))
    values = top - values if white_is_zero else values
    return (values if "f" in kind else values.round()).astype(kind).tobytes()


@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize(
    ("bits", "kind", "top", "format_"),
    [(8, "u1", 255, 1), (16, "<u2", 65535, 1), (32, "<f4", 1, 3)],
)
def test_tiff_grey_in_both_senses(white_is_zero: bool, bits: int, kind: str, top: int, format_: int) -> None:
    tags = {256: 8, 257: 8, 258: bits, 262: 0 if white_is_zero else 1, 339: format_}
    _near(_row(tiff(tags, _ramp(white_is_zero, top, kind)), 4), (0, 64, 128, 255), 1)


def test_one_bit_tiff_in_both_senses() -> None:
    for sense, expected in ((0, [255, 0] * 4), (1, [0, 255] * 4)):
        assert _row(tiff({256: 8, 257: 8, 258: 1, 262: sense}, bytes([0b01010101]) * 8)) == expected


@pytest.mark.parametrize("compression", [1, 8])
def test_compressed_sixteen_bits_are_read_in_the_same_sense(compression: int) -> None:
    data = _ramp(True, 65535, "<u2")
    data = zlib.compress(data) if compression == 8 else data
    content = tiff({256: 8, 257: 8, 258: 16, 259: compression, 262: 0}, data)
    _near(_row(content, 4), (0, 64, 128, 255), 1)


def test_sixteen_bits_of_the_other_byte_order() -> None:
    content = tiff({256: 8, 257: 8, 258: (16,), 262: (1,), 259: (1,), 277: (1,)}, _ramp(False, 65535, ">u2"), ">")
    _near(_row(content, 4), (0, 64, 128, 255), 1)


def test_twelve_bits_span_twelve_bits() -> None:
    row = bytes([0x00, 0x07, 0xFF, 0xFF, 0xF0, 0x00]) * 2  # 0, 2047, 4095, 0
    _near(_row(tiff({256: 8, 257: 8, 258: 12}, row * 8), 4), (0, 127, 255, 0), 1)


@pytest.mark.parametrize("top", [255, 65535, 2**31 - 1, 2**32 - 1])
def test_integers_of_32_bits_span_the_least_that_holds_them(top: int) -> None:
    data = np.tile(np.array([0, top // 4, top // 2, top] * 2, "<u4"), (8, 1)).tobytes()
    _near(_row(tiff({256: 8, 257: 8, 258: 32, 339: 1}, data), 4), (0, 64, 128, 255), 1)


@pytest.mark.parametrize("top", [1.0, 1.3, 255.0, 65535.0])
def test_floats_span_the_least_that_holds_them(top: float) -> None:
    data = np.tile(np.array([0, top / 4, top / 2, top] * 2, "<f4"), (8, 1)).tobytes()
    expected = (0, 83, 166, 255) if top == 1.3 else (0, 64, 128, 255)
    _near(_row(tiff({256: 8, 257: 8, 258: 32, 339: 3}, data), 4), expected, 1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "bits", "sense"), [("f4", 32, 3), ("i4", 32, 2), ("i2", 16, 2), ("u2", 16, 1)])
def test_compressed_numbers_are_read_in_the_order_of_their_bytes(order: str, kind: str, bits: int, sense: int) -> None:
    top = 65535 if kind == "u2" else 255
    values = np.tile(np.array([0, top // 4, top // 2, top] * 2, order + kind), (8, 1))
    tags = {256: 8, 257: 8, 258: (bits,), 259: (8,), 339: (sense,), 262: (1,), 277: (1,)}
    _near(_row(tiff(tags, zlib.compress(values.tobytes()), order), 4), (0, 64, 128, 255), 1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("tags", "values"),
    [
        ({258: (16, 16, 16), 262: (2,)}, [65535, 30000, 0]),
        ({258: (8, 8, 8), 262: (2,), 266: (2,)}, [1, 2, 3]),
        ({258: (8, 8), 259: (8,), 262: (1,), 338: (2,)}, [200, 100]),
    ],
)
def test_planes_that_pillow_misreads_are_refused(
    order: str, tags: dict[int, int | Sequence[int]], values: list[int]
) -> None:
    bits = cast("Sequence[int]", tags[258])
    data = b"".join(np.full((8, 8), value, f"{order}u{bits[0] // 8}").tobytes() for value in values)
    data = zlib.compress(data) if 259 in tags else data
    step = len(data) // len(bits)
    places = {273: [8 + step * plane for plane in range(len(bits))], 279: [step] * len(bits)}
    content = tiff({256: 8, 257: 8, 259: (1,), 277: (len(bits),), 284: (2,)} | places | tags, data, order)
    with pytest.raises(ImageError, match="channels"):
        open_image(content)


def test_a_dark_deep_ppm_stays_dark() -> None:
    assert _row(b"P5\n8 8\n65535\n" + struct.pack(">8H", *[0, 100, 200, 250] * 2) * 8, 4) == [0, 0, 1, 1]


def test_colours_of_a_palette_in_eight_bits() -> None:
    colours = [0] * 768
    colours[1], colours[257], colours[513] = 200, 30, 10
    content = tiff({256: 8, 257: 8, 262: 3, 320: colours}, bytes([1]) * 64)
    assert _row(content)[0] == [200, 30, 10]
    deep = tiff({256: 8, 257: 8, 262: 3, 320: [value * 257 for value in colours]}, bytes([1]) * 64)
    assert _row(deep)[0] == [200, 30, 10]


# Alpha


@pytest.mark.parametrize(("extra", "stored"), [(1, (64, 32, 0)), (2, (128, 64, 0))])
def test_tiff_alpha_times_colour_and_beside_it(extra: int, stored: tuple[int, int, int]) -> None:
    tags = {256: 8, 257: 8, 258: (8, 8, 8, 8), 262: 2, 277: 4, 338: extra}
    _near(_row(tiff(tags, bytes([*stored, 128]) * 64))[0], (191, 159, 127), 2)


@pytest.mark.parametrize(("extra", "stored"), [(1, 64), (2, 128)])
def test_grey_tiff_alpha_times_grey_and_beside_it(extra: int, stored: int) -> None:
    content = tiff({256: 8, 257: 8, 258: (8, 8), 277: 2, 338: extra}, bytes([stored, 128]) * 64)
    _near(_row(content), [191] * 8)


def test_a_fourth_sample_that_is_not_alpha_is_ignored() -> None:
    content = tiff({256: 8, 257: 8, 258: (8, 8, 8, 8), 262: 2, 277: 4, 338: 0}, bytes([200, 30, 10, 0]) * 64)
    assert _row(content)[0] == [200, 30, 10]


def test_a_bmp_whose_alpha_was_left_empty_is_opaque() -> None:
    assert _row(bmp(_SIZE, bytes([10, 30, 200, 0]) * 64))[0] == [200, 30, 10]
    some = bytes([10, 30, 200, 0]) * 63 + bytes([10, 30, 200, 255])
    assert np.asarray(open_image(bmp(_SIZE, some)))[7, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("depth", "kind", "row", "clear", "expected"),
    [
        (1, 0, bytes([0b01010101]), (0,), [255, 255, 255]),
        (2, 0, bytes([0b00011011] * 2), (2,), [0, 85, 255]),
        (4, 0, bytes([0x05, 0xF0] * 2), (5,), [0, 255, 255]),
        (8, 0, bytes([0, 5, 9, 0] * 2), (5,), [0, 255, 9]),
        (16, 0, struct.pack(">8H", *[0, 1000, 1001, 0] * 2), (1000,), [0, 255, 4]),
        (8, 2, bytes([1, 2, 3, 4, 5, 6] * 4), (4, 5, 6), [[1, 2, 3], [255] * 3, [1, 2, 3]]),
        (
            16,
            2,
            struct.pack(">24H", *[256, 512, 768, 1024, 1280, 1536] * 4),
            (1024, 1280, 1536),
            [[1, 2, 3], [255] * 3],
        ),
    ],
)
def test_the_clear_colour_of_a_png_is_told_in_its_own_depth(
    depth: int, kind: int, row: bytes, clear: tuple[int, ...], expected: list[object]
) -> None:
    content = png(_SIZE, depth, kind, [row] * 8, chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear)))
    assert _row(content, len(expected)) == expected


@pytest.mark.parametrize(
    ("gamma", "others", "expected"),
    [
        (100_000, (), [0, 137, 188, 225]),  # light itself; sRGB is brighter
        (55_556, (), [0, 81, 146, 203]),  # 1.8
        (45_455, (), [0, 64, 128, 192]),  # what sRGB calls itself
        (100_000, (chunk(b"sRGB", b"\0"),), [0, 64, 128, 192]),  # which counts more
        (0, (), [0, 64, 128, 192]),
        (2**31 - 1, (), [0, 64, 128, 192]),
    ],
)
@pytest.mark.parametrize("kind", [0, 2, 4, 6])
def test_the_gamma_of_a_png_is_taken_out(gamma: int, others: tuple[bytes, ...], expected: list[int], kind: int) -> None:
    bands, alpha = {0: 1, 2: 3, 4: 1, 6: 3}[kind], b"\x80" if kind in {4, 6} else b""
    row = b"".join(bytes([grey]) * bands + alpha for grey in (0, 64, 128, 192)) * 2
    content = png((8, 8), 8, kind, [row] * 8, chunk(b"gAMA", struct.pack(">I", gamma)), *others)
    found = np.asarray(open_image(content))[0, :4]
    wanted = np.asarray(expected) if bands == 1 else np.repeat(np.asarray(expected)[:, None], 3, axis=1)
    wanted = (wanted * 128 + 255 * 127) / 255 if alpha else wanted  # half of it lies on white, and alpha has no gamma
    assert np.abs(found - wanted).max() <= 1


def test_a_palette_of_half_clear_colours() -> None:
    colours = chunk(b"PLTE", bytes([0, 0, 0, 200, 30, 10])) + chunk(b"tRNS", bytes([0, 128]))
    _near(_row(png(_SIZE, 8, 3, [bytes([0, 1] * 4)] * 8, colours), 2), [[255] * 3, [227, 142, 132]], 1)


def test_inks_of_a_tiff_and_of_an_adobe_jpeg() -> None:
    content = tiff({256: 8, 257: 8, 258: (8, 8, 8, 8), 262: 5, 277: 4}, bytes([0, 255, 255, 0]) * 64)
    assert _row(content)[0] == [255, 0, 0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"])
def test_every_mode_of_pillow_is_taken(mode: str) -> None:
    assert flatten(Image.new(mode, (9, 9))).mode == ("L" if mode in {"1", "L", "LA", "La"} else "RGB")


@pytest.mark.parametrize("mode", ["HSV", "LAB", "I", "F", "I;16", "I;16B", "I;16L"])
def test_every_odd_mode_of_pillow_is_taken(mode: str) -> None:
    assert flatten(Image.new(mode, (9, 9))).size == (9, 9)
