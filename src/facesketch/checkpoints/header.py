"""Model files and what their headers say, read without loading weights or importing a framework.

A model is a `.safetensors` file, or the same network as an `.onnx` graph. Both carry the run's settings, the
preprocessing and notes, under the same four names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import safetensors
from numpy.typing import NDArray
from pydantic import ValidationError

from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import DIRECTIONS, RunConfig
from facesketch.errors import CheckpointError, nearest
from facesketch.files import parse_json, require_regular

FORMAT = "facesketch 1"
WEIGHTS, BEST = "weights.safetensors", "best.safetensors"
ONNX_SUFFIX = ".onnx"
_LONGEST = 200  # characters of somebody else's words in an error


class Header(NamedTuple):
    """What a model file says of itself.

    Attributes:
        config: the settings it was trained with, nothing left open.
        notes: the epoch and its validation figures, and how it was exported.
        preprocessing: what translation needs.
    """

    config: RunConfig
    notes: dict[str, Any]
    preprocessing: Preprocessing


def write_header(config: RunConfig, preprocessing: Preprocessing, notes: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries that `read_header` reads back."""
    return {
        "format": FORMAT,
        "config": config.model_dump_json(exclude_none=True),
        "preprocessing": preprocessing.model_dump_json(),
        "notes": json.dumps(dict(notes)),
    }


def read_header(path: Path) -> Header:
    """Return what a model file says of itself, without reading its weights.

    Raises:
        CheckpointError: missing, cut short, or not one of ours.
    """
    try:
        require_regular(path)
        entries = _onnx_entries(path) if path.suffix.lower() == ONNX_SUFFIX else _safetensors_entries(path)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: no such model file",
            nearest(str(path), [*DIRECTIONS, "pencil"], "give a run folder, a .safetensors or .onnx file, or pencil"),
        ) from error
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        line = " ".join(str(error).split())[:_LONGEST]
        raise CheckpointError(f"{path}: torn or not a model file ({line})", "train again or copy it anew") from error
    if entries.get("format") != FORMAT:
        seen = repr(entries.get("format"))[:_LONGEST]
        raise CheckpointError(f"{path}: format is {seen}, expected {FORMAT!r}", "it was not written by facesketch")
    try:
        config, notes = RunConfig.model_validate_json(entries["config"]), parse_json(entries["notes"])
        if not isinstance(notes, dict):
            raise ValueError("notes are no object")
        return Header(config, notes, Preprocessing.model_validate_json(entries["preprocessing"]))
    except (ValidationError, ValueError, KeyError, RecursionError) as error:
        raise CheckpointError(f"{path}: its header is damaged or from another version", "copy it anew") from error


def _safetensors_entries(path: Path) -> dict[str, str]:
    with safetensors.safe_open(path, framework="np") as file:
        return dict(file.metadata() or {})


# Field numbers of ModelProto, StringStringEntryProto, GraphProto and TensorProto in onnx.proto.
_GRAPH, _METADATA = 7, 14
_KEY, _VALUE = 1, 2
_INITIALIZER = 5
_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def _onnx_entries(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file; the graph, nearly all of the file, is stepped over."""
    entries = {}
    with path.open("rb") as file:
        for place, length in _fields(file, os.fstat(file.fileno()).st_size, _METADATA):
            found = {}
            for number in (_KEY, _VALUE):
                file.seek(place)
                start, size = next(_fields(file, place + length, number), (place, 0))
                file.seek(start)
                found[number] = file.read(size).decode()
            entries[found[_KEY]] = found[_VALUE]
            file.seek(place + length)
    return entries


# By their number in TensorProto.DataType: whole numbers of the same width, and the bits of the exponent. It is all ones
# in what is not finite, and whole numbers are compared faster than NumPy reads halves.
_EXPONENTS = {
    1: (np.uint32, 0x7F800000),
    10: (np.uint16, 0x7C00),
    11: (np.uint64, 0x7FF0000000000000),
    16: (np.uint16, 0x7F80),
}


def require_finite(path: Path) -> None:
    """Refuse an ONNX file whose weights hold NaN or infinity.

    Raises:
        CheckpointError: they do, or the file is no ONNX model.
    """
    try:
        with path.open("rb") as file:
            finite = all(map(_is_finite, _weights(file, os.fstat(file.fileno()).st_size)))
    except ValueError as error:
        raise CheckpointError(f"{path}: torn or not a model file ({error})", "export it anew") from error
    if not finite:
        raise not_finite(path)


def not_finite(path: Path) -> CheckpointError:
    """Return the error for a model file whose weights are no numbers."""
    return CheckpointError(f"{path}: its weights hold NaN or infinity", "copy it again, or train again")


def _weights(file: IO[bytes], size: int) -> Iterator[tuple[int, bytes]]:
    """Yield the element type and the bytes of each of a model's weights."""
    for place, end in _initializers(file, size):
        kind = [*_numbers(file, place, end, _TYPE), 0][0]
        for content in _contents(file, place, end, _RAW):
            yield kind, content


def _initializers(file: IO[bytes], size: int) -> Iterator[tuple[int, int]]:
    """Yield where each TensorProto of a model's weights begins and ends."""
    for graph, length in _fields(file, size, _GRAPH):
        file.seek(graph)
        for place, extent in _fields(file, graph + length, _INITIALIZER):
            yield place, place + extent


def _contents(file: IO[bytes], place: int, end: int, number: int) -> Iterator[bytes]:
    file.seek(place)
    for start, size in _fields(file, end, number):
        file.seek(start)
        yield file.read(size)


def _numbers(file: IO[bytes], place: int, end: int, number: int) -> list[int]:
    """Return the whole numbers in a field, which may be written one by one or packed."""
    file.seek(place)
    single = [start for start, _ in _fields(file, end, number, _VARINT)]
    found = []
    for start in single:
        file.seek(start)
        found.append(_varint(file))
    for content in _contents(file, place, end, number) if not found else ():
        packed = BytesIO(content)
        while packed.tell() < len(content):
            found.append(_varint(packed))
    return found


_DTYPES = {1: np.float32, 10: np.float16}


def read_onnx_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the weights of an exported model under the names that they had in the method; what was folded is missing.

    Raises:
        CheckpointError: the file is no ONNX model.
    """
    found = {}
    try:
        with path.open("rb") as file:
            for place, end in list(_initializers(file, os.fstat(file.fileno()).st_size)):
                name = b"".join(_contents(file, place, end, _NAME)).decode()
                kind = _numbers(file, place, end, _TYPE)[0]
                if kind in _DTYPES and name.startswith("method."):
                    values = np.frombuffer(b"".join(_contents(file, place, end, _RAW)), _DTYPES[kind])
                    shape = _numbers(file, place, end, _DIMS)
                    found[name.removeprefix("method.").removesuffix(".half")] = values.reshape(shape).astype(np.float32)
    except (ValueError, IndexError) as error:
        raise CheckpointError(f"{path}: torn or not a model file ({error})", "export it again") from error
    return found


def _is_finite(weights: tuple[int, bytes]) -> bool:
    kind, content = weights
    if kind not in _EXPONENTS:
        return True
    whole, exponent = _EXPONENTS[kind]
    numbers = np.frombuffer(content, whole)
    return not bool(((numbers & whole(exponent)) == exponent).any())


def _fields(file: IO[bytes], end: int, wanted: int, wanted_kind: int = _BYTES) -> Iterator[tuple[int, int]]:
    """Yield where the fields of one number lie in a protobuf message, and how long they are.

    Raises:
        ValueError: the message ends before a field does, or holds what no message holds.
    """
    while file.tell() < end:
        tag = _varint(file)
        number, kind = tag >> 3, tag & 7
        if kind not in {_VARINT, _BYTES, _FIXED64, _FIXED32} or number == 0:
            raise ValueError("no ONNX model")
        place = file.tell()
        if kind == _VARINT:
            _varint(file)
            length = file.tell() - place
        else:
            length = _varint(file) if kind == _BYTES else 8 if kind == _FIXED64 else 4
            place = file.tell()  # behind the length
        if place + length > end:
            raise ValueError("it ends too early")
        if number == wanted and kind == wanted_kind:
            yield place, length
        file.seek(place + length)


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


def model_file(path: Path, weights: str = "best") -> Path:
    """Return the model file that a path stands for: itself, or the best or last weights of a run folder.

    Args:
        path: a `.safetensors` or `.onnx` file, or a run folder.
        weights: `best` or `last`; a run without validation has no best, and its last are taken.

    Raises:
        CheckpointError: a folder without weights.
    """
    if not path.is_dir():
        return path
    best, last = path / BEST, path / WEIGHTS
    if weights == "best" and best.exists():
        return best
    if last.exists():
        return last
    raise CheckpointError(
        f"{path}: no {WEIGHTS} in this folder", "give the `out` folder of a training that has finished an epoch"
    )
