"""Read and rewrite protobuf messages, such as ONNX files, field by field and without their schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import IO

_VARINT, _BYTES = 0, 2  # wire types
_FIXED = {1: 8, 5: 4}  # bytes of the others


def fields(file: IO[bytes], end: int, number: int, *inner: int) -> Iterator[bytes]:
    """Yield the content of each field that a path of field numbers leads to, in a message that ends at `end`.

    The rest of the file is stepped over, not read.

    Raises:
        ValueError: the message ends before a field does, or holds what no message holds.
    """
    for found, _, place, stop in _places(file, end):
        if found == number:
            file.seek(place)
            yield from fields(file, stop, *inner) if inner else [file.read(stop - place)]


def content(message: bytes, number: int) -> list[bytes]:
    """Return the content of each field of a number."""
    return list(fields(BytesIO(message), len(message), number))


def varints(packed: bytes) -> Iterator[int]:
    """Yield the whole numbers of a packed field, or the one number of a plain one."""
    file = BytesIO(packed)
    while file.tell() < len(packed):
        yield _varint(file)


def replace(message: bytes, number: int, change: Callable[[bytes], Iterable[bytes]]) -> bytes:
    """Return a message in which each field of a number, whose content is bytes, becomes none, one or several.

    Raises:
        ValueError: as `fields` does.
    """
    kept = []
    for found, begun, place, stop in _places(BytesIO(message), len(message)):
        if found == number:
            kept += [field(number, new) for new in change(message[place:stop])]
        else:
            kept.append(message[begun:stop])
    return b"".join(kept)


def field(number: int, content: bytes) -> bytes:
    """Return a field whose content is bytes."""
    return _as_varint(number << 3 | _BYTES) + _as_varint(len(content)) + content


def _places(file: IO[bytes], end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the number of each field, and where it begins, its content begins and both end."""
    while (begun := file.tell()) < end:
        tag = _varint(file)
        wire_type, place = tag & 7, file.tell()
        if tag >> 3 == 0 or wire_type not in {_VARINT, _BYTES, *_FIXED}:
            raise ValueError("no ONNX model")
        length = _FIXED[wire_type] if wire_type in _FIXED else _varint(file)
        if wire_type == _VARINT:
            length = file.tell() - place
        elif wire_type == _BYTES:
            place = file.tell()  # behind the length
        stop = place + length
        if stop > end:
            raise ValueError("it ends too early")
        yield tag >> 3, begun, place, stop
        file.seek(stop)


def _varint(file: IO[bytes]) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it ends too early")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("no ONNX model")


def _as_varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])
