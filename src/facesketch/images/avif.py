"""Read the sizes of the pictures inside an AVIF, which its decoder allocates whatever the file's own header says."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SEQUENCE_HEADER = 1
_MOST_ITEMS, _MOST_OBUS = 1000, 1000
_MOST_READ = 8  # times the size of the file; a sound file is read about once


def frame_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the width and height of each AV1 sequence at the start of an item or of a track's first sample.

    It looks for boxes everywhere, not only where they belong, so that it misses none that a decoder finds.
    """
    starts, spent = [0, *(found.end() for found in re.finditer(b"idat", data))], 0
    items = [each for found in re.finditer(b"iloc", data) for each in _items(data, found.end())]
    if len(items) * len(starts) > _MOST_ITEMS:
        raise ValueError("it lists too many items")
    for extents in items:
        for start in starts:
            spent += sum(min(size, len(data)) for _, size in extents)
            if spent > _MOST_READ * len(data):
                raise ValueError("its items share too many bytes")
            yield from _sequences(b"".join(data[start + at : start + at + size] for at, size in extents))
    for found in list(re.finditer(b"stco|co64", data))[:_MOST_READ]:
        width = 8 if found[0] == b"co64" else 4
        at = int.from_bytes(data[found.end() + 8 : found.end() + 8 + width])
        yield from _sequences(data[at:])


def _items(data: bytes, place: int) -> Iterator[list[tuple[int, int]]]:
    """Yield the extents, as offset and length, of the items that an `iloc` box lists."""
    version, sizes = data[place], data[place + 4 : place + 6].hex()
    offset, length, base, index = (int(digit, 16) for digit in sizes)
    place += 6

    def number(size: int) -> int:
        nonlocal place
        place += size
        return int.from_bytes(data[place - size : place])

    wide = 4 if version == 2 else 2
    for _ in range(min(number(wide), _MOST_ITEMS + 1)):
        number(wide + (2 if version else 0) + 2)  # its number, construction method and file
        start, extents = number(base), []
        for _ in range(min(number(2), _MOST_ITEMS)):
            number(index if version else 0)
            extents.append((start + number(offset), number(length) or len(data)))
        if place > len(data):
            return
        yield extents


def _sequences(data: bytes) -> Iterator[tuple[int, int]]:
    place = 0
    for _ in range(_MOST_OBUS):
        if place + 1 >= len(data):
            return
        head = data[place]
        place += 2 if head & 4 else 1
        size = len(data) - place
        if head & 2:
            size, place = _leb128(data, place)
        if head >> 3 & 15 == _SEQUENCE_HEADER:
            found = _size(data[place : place + size])
            if found is not None:
                yield found
        if head & 0x81:  # not an AV1 unit
            return
        place += size
    raise ValueError("it consists of too many parts")


def _leb128(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(data[place : place + 8]):
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value, place + count + 1
    return len(data), place + 8


def _size(header: bytes) -> tuple[int, int] | None:
    """Return width and height from a sequence header; None for one with timing, which pictures lack."""
    bits = "".join(f"{byte:08b}" for byte in header[:256])
    place = 0

    def number(count: int) -> int:
        nonlocal place
        place += count
        return int(bits[place - count : place] or "0", 2)

    number(4)  # profile, still picture
    if number(1):
        number(5)
    else:
        if number(1):
            return None
        delayed, points = number(1), number(5) + 1
        for _ in range(points):
            number(12)
            if number(5) > 7:
                number(1)
            if delayed and number(1):
                number(4)
    across, down = number(4) + 1, number(4) + 1
    return number(across) + 1, number(down) + 1
