"""Weights that explain themselves, and states that a cut-off training goes on from.

A model file is safetensors with the run's settings and the preprocessing in its header, so it translates with no flags.
A state file holds all that the next step depends on. Both land by rename; a state keeps the one before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from pydantic import ValidationError

from facesketch.checkpoints.header import (
    ONNX_SUFFIX,
    model_file,
    not_finite,
    read_header,
    read_onnx_weights,
    write_header,
)
from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import DIRECTIONS, Direction, RunConfig
from facesketch.errors import CheckpointError, ConfigError
from facesketch.faces.frame import FaceFrame
from facesketch.files import atomic, parse_json
from facesketch.methods.base import Method
from facesketch.methods.registry import build, method_class
from facesketch.weights import shipped

_EXAMPLES = 3


def save_weights(path: Path, method: Method, config: RunConfig, notes: Mapping[str, Any] | None = None) -> None:
    """Write a model file.

    Args:
        path: where to.
        method: whose parameters and buffers are written, in their own precision.
        config: the resolved settings.
        notes: what else the header should say, such as the epoch and its validation figures; JSON.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in method.state_dict().items()}
    header = write_header(config, preprocessing(method), notes or {})
    with atomic(path) as file:
        file.write(_in_order(safetensors.torch.save(tensors, metadata=header)))


def _in_order(content: bytes) -> bytes:
    """Return a safetensors file with its metadata sorted: the library shuffles them, and equal models equal bytes."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = parse_json(content[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors stay aligned
    return len(text).to_bytes(8, "little") + text + content[start:]


def preprocessing(method: Method) -> Preprocessing:
    """Return what has to be done to pictures for a method to translate them."""
    return Preprocessing(
        photo_channels=method.data.photo_channels,
        sketch_channels=method.data.sketch_channels,
        longest_side=method.data.size,
        frame=method.frame if method.fixed else None,
        multiple=method.multiple,
        directions=method.translates,
        styles=method.styles,
        faces=FaceFrame().header() if method.data.faces else None,
    )


def load_method(path: Path, weights: str = "best") -> tuple[Method, RunConfig]:
    """Return a trained method in evaluation mode, and its settings.

    Args:
        path: a run folder or a model file.
        weights: `best` or `last`, for a run folder.

    Raises:
        CheckpointError: missing, torn, foreign, or weights that are no numbers or do not fit the header's settings.
    """
    file = model_file(path, weights)
    config = read_header(file).config
    try:
        with torch.device("meta"):  # no weights are drawn only to be thrown away
            method = build(config, fresh=False)
        method.load_state_dict(safetensors.torch.load_file(file), assign=True)
    except (ConfigError, ValidationError, TypeError, ValueError, OverflowError) as error:  # of sizes made by hand
        raise CheckpointError(f"{file}: {' '.join(str(error).split())[:200]}") from error
    except (RuntimeError, safetensors.SafetensorError, OSError) as error:
        line = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{file}: the weights do not fit their header ({line})", "copy the file anew") from error
    if not _is_finite(method):
        raise not_finite(file)
    return method.eval(), config


def _is_finite(method: Method) -> bool:
    floating = (tensor for tensor in method.state_dict().values() if tensor.is_floating_point() and tensor.numel())
    return all(bool(torch.isfinite(torch.stack(tensor.aminmax())).all()) for tensor in floating)  # NaN is both ends


def start(method: Method, path: Path) -> None:
    """Give a method the weights of a trained model, to go on learning from them.

    Args:
        method: built from the settings of the new run.
        path: a run folder, of which the best weights are taken, a `.safetensors` file, or an exported `portrait`: an
            `.onnx` file, or `photo2sketch` and `sketch2photo` for the models that come with the package. An exported
            model has no discriminator, so that of the method stays random.

    Raises:
        CheckpointError: missing, torn or foreign.
        ConfigError: weights of another method, direction, width, number of channels or size.
    """
    own = next((direction for direction in DIRECTIONS if is_shipped(path, direction)), None)
    file = path if own is None else shipped.path(own)
    exported = file.suffix.lower() == ONNX_SUFFIX
    if exported:
        config = read_header(file).config
        theirs = method_class(config.method.name)
        if theirs is not type(method) or config.direction != method.direction:
            seen, ours = f"{config.method.name} for {config.direction}", f"{type(method).__name__}, {method.direction}"
            raise ConfigError(f"{path}: weights of {seen}, not of {ours}", "start from the same method and direction")
    else:
        other, config = load_method(file)
    try:
        if exported:
            weights = {name: torch.from_numpy(values) for name, values in read_onnx_weights(file).items()}
            method.load_exported(weights, config)
        else:
            method.load_state_dict(other.state_dict())
    except RuntimeError as error:
        seen, ours = f"{config.method.name} of {config.data.size} pixels", f"{method.data.size} pixels"
        differing = str(error).splitlines()[-1].strip() if exported else _differing(method, other)
        raise ConfigError(
            f"{path}: weights of {seen}, which differ from those of {type(method).__name__} of {ours} ({differing})",
            "start from a model of the same method and options",
        ) from error


def is_shipped(path: Path, direction: Direction) -> bool:
    """Tell whether a path is the name of the package's own model for a direction."""
    return str(path) == direction and not path.exists()


def _differing(ours: Method, theirs: Method) -> str:
    """Name a few of the tensors that only one of two methods has, or has in another shape."""
    shapes = [{name: tensor.shape for name, tensor in each.state_dict().items()} for each in (ours, theirs)]
    names = [name for name in shapes[0] | shapes[1] if shapes[0].get(name) != shapes[1].get(name)]
    return f"differing: {', '.join(names[:_EXAMPLES])}{', …' if len(names) > _EXAMPLES else ''}"
