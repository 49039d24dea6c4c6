"""Pictures of noise, and pictures written byte by byte, so that what they hold is known without asking Pillow."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

_WHITE = (0.9642, 1.0, 0.8249)
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    """Return a picture of random pixels, the same for the same size."""
    pixels = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)


def names(folder: Path) -> list[str]:
    """Return what a folder holds."""
    return sorted(path.name for path in folder.iterdir())


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(size: tuple[int, int], depth: int, kind: int, rows: Sequence[bytes], *extra: bytes) -> bytes:
    """Return a PNG of rows of packed samples, with further chunks before the pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + pixels + chunk(b"IEND", b"")


def tiff(
    tags: dict[int, int | Sequence[int]], data: bytes, order: str = "<", twice: tuple[int, int] | None = None
) -> bytes:
    """Return a TIFF of one strip, or of the tiles that the tags tell of; tags are numbers or lists of 16-bit ones."""
    tiled = 324 in tags
    full: dict[int, int | Sequence[int]] = dict(tags)
    if not tiled:
        full = {258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: int(str(tags[257])), 279: len(data)} | full
    entries, beyond, offset = [], b"", 8 + len(data) + len(data) % 2
    table = offset + 2 + 12 * (len(full) + (twice is not None)) + 4
    for tag, value in sorted([*full.items(), *([twice] if twice else [])]):
        if isinstance(value, int):
            entries.append(struct.pack(order + "HHII", tag, 4, 1, value))
            continue
        packed = struct.pack(f"{order}{len(value)}H", *value)
        if len(packed) > 4:
            beyond, packed = beyond + packed, struct.pack(order + "I", table + len(beyond))
        entries.append(struct.pack(order + "HHI", tag, 3, len(value)) + packed.ljust(4, b"\0"))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(order + "I", offset) + data + bytes(len(data) % 2)
    return head + struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4) + beyond


def bmp(size: tuple[int, int], bgra: bytes) -> bytes:
    """Return a BMP of 32 bits whose header tells of an alpha channel."""
    head = struct.pack("<IiiHHIIiiII", 108, *size, 1, 32, 3, len(bgra), 2835, 2835, 0, 0)
    head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(bgra), 0, 0, 14 + len(head)) + head + bgra


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def progressive(width: int, height: int, scans: int) -> bytes:
    """Return a grey JPEG that is drawn over so many times, each time with nothing."""

    def bits(text: str) -> bytes:
        text += "1" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")

    blocks = ((width + 7) // 8) * ((height + 7) // 8)
    out = (
        b"\xff\xd8"
        + segment(0xDB, b"\0" + b"\1" * 64)
        + segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    )
    out += segment(0xC4, b"\0" + bytes([1] + [0] * 15) + b"\0")
    out += segment(0xC4, b"\x10" + bytes([1, 1] + [0] * 14) + b"\xe0\0")
    out += segment(0xDA, b"\1\1\0\0\0\0") + bits("0" * blocks)
    one = segment(0xDA, b"\1\1\0\1\x3f\0") + bits(("0" + "1" * 14) * ((blocks + 32766) // 32767))
    return out + one * (scans - 1) + b"\xff\xd9"


def profile(space: bytes, gamma: float, colours: Sequence[Sequence[float]] = SRGB) -> bytes:
    """Return an ICC profile, `RGB ` of these primaries or `GRAY`."""

    def xyz(value: Sequence[float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(part * 65536)) for part in value)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = [(b"desc", name), (b"wtpt", xyz(_WHITE)), (b"cprt", b"text\0\0\0\0none\0")]
    if space == b"GRAY":
        tags += [(b"kTRC", curve)]
    else:
        tags += [(band + b"XYZ", xyz(colour)) for band, colour in zip((b"r", b"g", b"b"), colours, strict=True)]
        tags += [(band + b"TRC", curve) for band in (b"r", b"g", b"b")]
    return _assembled(b"mntr" + space + b"XYZ ", tags)


def grey_inks() -> bytes:
    """Return an ICC profile of four inks that all look grey: L* falls evenly with the sum of the first three."""
    nodes = [[c, m, y, k] for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    colours = b"".join(bytes([round(255 * (1 - sum(node[:3]) / 3)), 128, 128]) for node in nodes)
    matrix = b"".join(struct.pack(">i", 65536 * (place % 4 == 0)) for place in range(9))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + bytes(range(256)) * 4 + colours + bytes(range(256)) * 3
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    return _assembled(b"prtrCMYKLab ", [(b"desc", name), (b"cprt", b"text\0\0\0\0none\0"), (b"A2B0", table)])


def _assembled(kind: bytes, tags: Sequence[tuple[bytes, bytes]]) -> bytes:
    items = [(key, value + bytes(-len(value) % 4)) for key, value in tags]
    offset, table, data = 132 + 12 * len(items), struct.pack(">I", len(items)), b""
    for key, value in items:
        table += key + struct.pack(">II", offset + len(data), len(value))
        data += value
    head = struct.pack(">I", 128 + len(table) + len(data)) + b"lcms" + struct.pack(">I", 0x02400000) + kind
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += b"".join(struct.pack(">i", round(part * 65536)) for part in _WHITE)
    return head.ljust(128, b"\0") + table + data
