"""Check from a file's bytes how much work decoding it is, before anything is decoded.

A small file may be costly: its tiles or its canvas may be larger than the picture, and a JPEG may have 30,000 scans.
What the pixels do not need is removed from the file.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Literal

from PIL import Image

from facesketch.errors import ImageError, TooLargeError
from facesketch.images.avif import frame_sizes

MOST_SCANS = 100
"""Scans of one JPEG; encoders write at most about 20."""
MOST_SLOW = 10_000_000
"""Most values for a decoder written in Python, which reads about half a million a second."""
_MOST_COMMENTS = 1000
_AVIF_PARTS = 8  # colour, alpha, thumbnail and gain map, as pictures and as first frames of sequences
_LARGEST_TEXT = 1 << 20  # of what Pillow inflates
LARGEST_PROFILE = 4 << 20
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_NEEDED = frozenset({b"IHDR", b"PLTE", b"IDAT", b"eXIf", b"IEND"})
_TURNED = b"Raw profile type exif"  # where ImageMagick keeps the orientation
_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_IN_SCAN = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)


def lightened(data: bytes, most: int) -> tuple[bytes, bytes | None]:
    """Return a file without what its pixels do not need, and the colour profile of a PNG.

    Args:
        data: the file.
        most: pixels that may be decoded.

    Raises:
        TooLargeError: the canvas has more pixels.
        ImageError: decoding it would take minutes.
    """
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(_JPEG):
        return _jpeg(data), None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        _check_webp(data, most)
    if data[4:8] == b"ftyp" and b"av01" in data:
        _check_avif(data, most)
    if data[:2] in {b"P1", b"P2", b"P3"} and data.count(b"#") > _MOST_COMMENTS:
        raise ImageError("a text picture with more comments than pixels need", "save it as PNG")
    return data, None


def _png(data: bytes) -> tuple[bytes, bytes | None]:
    """Keep the picture alone, without texts and animation, and inflate its profile up to a limit."""
    kept, profile, turned = [data[:8]], None, False
    for name, start, end in _chunks(data):
        body = data[start + 8 : end - 4]
        if name in _NEEDED or (name, len(body)) in {(b"gAMA", 4), (b"sRGB", 1)}:
            kept.append(data[start:end])
        elif name == b"tRNS":
            kept.append(_chunk(name, _clear_colour(data[24], data[25], body)))
        elif name == b"iCCP" and profile is None:
            profile = _inflated(body.partition(b"\0")[2][1:], LARGEST_PROFILE)
        elif name == b"tEXt" and body.startswith(_TURNED + b"\0") and len(body) <= _LARGEST_TEXT and not turned:
            turned = True
            kept.append(data[start:end])
        elif name == b"zTXt" and body.startswith(_TURNED + b"\0") and not turned:
            turned = True
            text = _inflated(body[len(_TURNED) + 2 :], _LARGEST_TEXT)
            kept += [] if text is None else [_chunk(b"tEXt", _TURNED + b"\0" + text)]
    return b"".join(kept), profile


def _clear_colour(depth: int, kind: int, body: bytes) -> bytes:
    """Return a PNG's transparent colour in the depth that Pillow decodes to, instead of the file's."""
    if kind == 0 and len(body) == 2 and depth in {2, 4}:
        return struct.pack(">H", int.from_bytes(body) * 255 // (2**depth - 1))
    if kind == 0 and len(body) == 2 and depth == 1:
        return struct.pack(">H", 255 * (int.from_bytes(body) & 1))
    if kind == 2 and len(body) == 6 and depth == 16:
        return bytes((0, body[0], 0, body[2], 0, body[4]))
    return body


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the chunks of a PNG as name, start and end."""
    start = 8
    while start + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, start)
        end = min(start + 12 + length, len(data))
        yield name, start, end
        if name == b"IEND":
            return
        start = end


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _inflated(data: bytes, most: int) -> bytes | None:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, most)
    except zlib.error:
        return None
    return text if unpacker.eof else None


def _jpeg(data: bytes) -> bytes:
    """Remove the index of further pictures, and refuse too many scans."""
    kept, scans, start, place = bytearray(), 0, 0, 2
    while (found := (_IN_SCAN if scans else _MARKER).search(data, place)) and (marker := found[1][0]) != 0xD9:
        place = found.end()
        if marker in {0x01, *range(0xD0, 0xD9)} or place + 2 > len(data):
            continue
        after = place + int.from_bytes(data[place : place + 2])
        if marker == 0xE2 and data[place + 2 : place + 6] == b"MPF\0":
            kept += data[start : found.start()]
            start = after
        scans += marker == 0xDA
        if scans > MOST_SCANS:
            raise ImageError(f"a JPEG of more than {MOST_SCANS} scans, which takes minutes to decode", "save it as PNG")
        place = after
    return bytes(kept + data[start:]) if start else data


def _check_webp(data: bytes, most: int) -> None:
    """Check the canvas, which Pillow allocates before it knows the size.

    The codes of a lossless one may take 0.4 GB, half of what the largest picture takes: the format allows 65,536 sets.
    """
    kind, width, height = data[12:16], 0, 0
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[place : place + 3], "little") for place in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (int.from_bytes(data[place : place + 2], "little") & 0x3FFF for place in (26, 28))
    require_room(width, height, most)


def _check_avif(data: bytes, most: int) -> None:
    """Check the pictures inside, which are decoded in their own size whatever the header says."""
    sizes = list(frame_sizes(data))
    if not sizes:
        raise ImageError("an AVIF without the sizes of its pictures", "save it as PNG")
    for width, height in sizes:
        require_room(width, height, most)
    together = sum(width * height for width, height in sizes)
    if together > _AVIF_PARTS * most:
        raise TooLargeError(f"its parts have {together:,} pixels", f"expected at most {most:,}, so scale it down")


def require_room(width: int, height: int, most: int, what: str = "") -> None:
    """Raise a TooLargeError if there are more pixels than may be decoded."""
    if width * height > most:
        raise TooLargeError(
            f"{what}{width}x{height} is {width * height:,} pixels", f"expected at most {most:,}, so scale it down"
        )


def check_opened(image: Image.Image, data: bytes, most: int) -> int:
    """Check what the opened header asks for, and return how many pixels decoding takes.

    Raises:
        TooLargeError: the picture, or one of its tiles, has more pixels than may be decoded.
        ImageError: its layout is odd, or decoding it would take minutes.
    """
    width, height = image.size
    require_room(width, height, most)
    tiles = getattr(image, "tile", ())
    decoder = tiles[0][0] if tiles else ""
    if decoder in {"ppm", "ppm_plain", "bmp_rle"} and width * height * len(image.getbands()) > MOST_SLOW:
        raise ImageError(f"a {image.format} coding that takes minutes at {width}x{height}", "save it as PNG")
    if decoder == "bmp_rle" and len(data) > MOST_SLOW:
        raise ImageError("a BMP whose runs hold fewer pixels than bytes", "save it as PNG")
    return max(width * height, _check_tiff(image, data, most) if image.format == "TIFF" else 0)


def _check_tiff(image: Image.Image, data: bytes, most: int) -> int:
    """Return the pixels of a tile; Pillow and libtiff must read the same layout."""
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    there = _tiff_tags(data, tags.offset)
    if len(set(there)) < len(there):
        raise ImageError("a TIFF with repeated tags", "save it as PNG")
    layout = {tag: tags.get(tag) for tag in (256, 257, 277, 278, 284, 322, 323) if tag in there}
    if any(not isinstance(value, int) or value < 1 for value in layout.values()):
        raise ImageError("a TIFF whose layout is not in whole numbers", "save it as PNG")
    width, height = layout[256], layout[257]
    across, down = layout.get(322, width), layout.get(323, min(height, layout.get(278, height)))
    require_room(across, down, most, "tiles of ")
    places = tags.get(273, tags.get(324, ()))
    planes = layout.get(277, 1) if layout.get(284) == 2 else 1
    if len(places) > math.ceil(width / across) * math.ceil(height / down) * planes:
        raise ImageError("a TIFF of more tiles than it has room for", "save it as PNG")
    if tags.get(262) == 6 and tags.get(259, 1) == 1 and tuple(tags.get(530, (2, 2))) != (1, 1):
        raise ImageError("a TIFF of subsampled colours without compression", "save it as PNG")
    return int(across * down)


def _tiff_tags(data: bytes, offset: int) -> list[int]:
    """Return the tags of the first directory, with repetitions."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    big = 43 in data[2:4]
    head, entry = (8, 20) if big else (2, 12)
    count = int.from_bytes(data[offset : offset + head], order)
    starts = range(offset + head, min(offset + head + count * entry, len(data) - 1), entry)
    return [int.from_bytes(data[start : start + 2], order) for start in starts]
