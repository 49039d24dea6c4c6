"""The headers of model files, read without loading weights or importing a framework.

A model is a `.safetensors` file, or the same network as an `.onnx` graph. Both hold the run's settings, the
preprocessing and notes under the same names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
from numpy.typing import NDArray
from pydantic import ValidationError

from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import DIRECTIONS, RunConfig
from facesketch.errors import CheckpointError, FaceError, nearest
from facesketch.files import parse_json, require_regular
from facesketch.weights.protobuf import content, fields, varints

FORMAT = "facesketch 1"
WEIGHTS, BEST = "weights.safetensors", "best.safetensors"
ONNX_SUFFIX = ".onnx"
_LONGEST = 200  # characters that an error quotes


class Header(NamedTuple):
    """What a model file says about itself."""

    config: RunConfig
    """The settings it was trained with, complete."""
    notes: dict[str, Any]
    """The epoch and its validation figures, and how the model was exported."""
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
    """Return what a model file says about itself, without reading its weights.

    Raises:
        CheckpointError: missing, cut short, or not one of ours.
    """
    try:
        require_regular(path)
        if path.suffix.lower() == ONNX_SUFFIX:
            with path.open("rb") as file:  # the graph, nearly all of the file, is stepped over
                metadata = [*fields(file, os.fstat(file.fileno()).st_size, _METADATA)]
            entries = {_joined(entry, _KEY).decode(): _joined(entry, _VALUE).decode() for entry in metadata}
        else:
            with safetensors.safe_open(path, framework="np") as weights:
                entries = dict(weights.metadata() or {})
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: no such model file",
            nearest(str(path), [*DIRECTIONS, "pencil"], "give a run folder, a .safetensors or .onnx file, or pencil"),
        ) from error
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        line = " ".join(str(error).split())[:_LONGEST]
        seen = f"{path}: damaged, incomplete or not a model file ({line})"
        raise CheckpointError(seen, "copy it again, or train again") from error
    if entries.get("format") != FORMAT:
        seen = repr(entries.get("format"))[:_LONGEST]
        raise CheckpointError(f"{path}: format is {seen}, expected {FORMAT!r}", "it was not written by facesketch")
    try:
        config, notes = RunConfig.model_validate_json(entries["config"]), parse_json(entries["notes"])
        if not isinstance(notes, dict):
            raise ValueError("notes are no object")
        return Header(config, notes, Preprocessing.model_validate_json(entries["preprocessing"]))
    except (ValidationError, ValueError, KeyError, RecursionError, FaceError) as error:
        raise CheckpointError(f"{path}: its header is damaged or from another version", "copy it again") from error


# Field numbers of ModelProto, StringStringEntryProto, GraphProto and TensorProto in onnx.proto.
_GRAPH, _METADATA = 7, 14
_KEY, _VALUE = 1, 2
_INITIALIZER = 5
_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9

# By their number in TensorProto.DataType; NumPy knows no bfloat16.
_DTYPES: dict[int, np.dtype[Any]] = {1: np.dtype("f4"), 10: np.dtype("f2"), 11: np.dtype("f8"), 16: np.dtype("u2")}
# All ones in what is not finite. Whole numbers are compared faster than NumPy reads halves.
_EXPONENT_BITS = {"f4": 0x7F800000, "f2": 0x7C00, "f8": 0x7FF0000000000000, "u2": 0x7F80}


def require_finite(path: Path) -> None:
    """Refuse an ONNX file whose weights hold NaN or infinity.

    Raises:
        CheckpointError: they do, or the file is no ONNX model.
    """
    for _, values in _weights(path):
        bits = values.view(f"u{values.itemsize}")
        exponent = bits.dtype.type(_EXPONENT_BITS[values.dtype.str[1:]])
        if ((bits & exponent) == exponent).any():
            raise not_finite(path)


def not_finite(path: Path) -> CheckpointError:
    """Return the error for a model file whose weights hold NaN or infinity."""
    return CheckpointError(f"{path}: its weights hold NaN or infinity", "copy it again, or train again")


def read_onnx_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return an exported model's weights by their names in the method, without those that were folded into others.

    Raises:
        CheckpointError: the file is no ONNX model.
    """
    return {
        name.removeprefix("method.").removesuffix(".half"): values.astype(np.float32)
        for name, values in _weights(path)
        if name.startswith("method.")
    }


def _weights(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the name and the values of each floating-point weight in an ONNX file; bfloat16 comes as its bits."""
    try:
        with path.open("rb") as file:
            for tensor in fields(file, os.fstat(file.fileno()).st_size, _GRAPH, _INITIALIZER):
                name, shape, kind, raw = (_joined(tensor, number) for number in (_NAME, _DIMS, _TYPE, _RAW))
                dtype = _DTYPES.get(next(varints(kind), 0))
                if dtype and raw:
                    yield name.decode(), np.frombuffer(raw, dtype).reshape([*varints(shape)])
    except ValueError as error:
        seen = f"{path}: damaged, incomplete or not a model file ({error})"
        raise CheckpointError(seen, "export it again") from error


def _joined(message: bytes, number: int) -> bytes:
    return b"".join(content(message, number))


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
