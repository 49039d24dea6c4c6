"""Model files in `.safetensors`: written by training, loaded, and started from."""

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
from facesketch.config import RunConfig
from facesketch.errors import CheckpointError, ConfigError, some
from facesketch.faces.frame import FaceFrame
from facesketch.files import atomic, parse_json
from facesketch.methods.base import Method
from facesketch.methods.registry import build, method_class
from facesketch.weights import shipped


def save_weights(path: Path, method: Method, config: RunConfig, notes: Mapping[str, Any] | None = None) -> None:
    """Write a model file, whose header holds the settings and the preprocessing.

    Args:
        path: the file.
        method: whose parameters and buffers are written, in their own precision.
        config: the resolved settings.
        notes: what else the header holds, as JSON, such as the epoch and its validation figures.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in method.state_dict().items()}
    content = safetensors.torch.save(tensors, metadata=write_header(config, preprocessing(method), notes or {}))
    # The library shuffles the metadata. Sorted, equal models are equal bytes.
    start = 8 + int.from_bytes(content[:8], "little")
    header = parse_json(content[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors stay aligned
    with atomic(path) as file:
        file.write(len(text).to_bytes(8, "little") + text + content[start:])


def preprocessing(method: Method) -> Preprocessing:
    """Return how pictures are prepared for a method."""
    return Preprocessing(
        photo_channels=method.data.photo_channels,
        sketch_channels=method.data.sketch_channels,
        longest_side=method.data.size,
        frame=method.frame if method.fixed else None,
        multiple=method.multiple,
        directions=method.translates,
        styles=method.styles,
        colours=method.colours,
        faces=FaceFrame() if method.data.faces else None,
    )


def load_method(path: Path, weights: str = "best") -> tuple[Method, RunConfig]:
    """Return a trained method in evaluation mode, and its settings.

    Args:
        path: a run folder or a model file.
        weights: `best` or `last`, for a run folder.

    Raises:
        CheckpointError: the file is missing, damaged or not a facesketch model, or its weights are not finite or do not
            fit the header's settings.
    """
    file = model_file(path, weights)
    config = read_header(file).config
    try:
        with torch.device("meta"):  # draws no weights
            method = build(config, fresh=False)
        method.load_state_dict(safetensors.torch.load_file(file), assign=True)
    except (ConfigError, ValidationError, TypeError, ValueError, OverflowError) as error:  # an edited header
        raise CheckpointError(f"{file}: {' '.join(str(error).split())[:200]}") from error
    except (RuntimeError, safetensors.SafetensorError, OSError) as error:
        line = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{file}: the weights do not fit their header ({line})", "copy the file again") from error
    floating = (tensor for tensor in method.state_dict().values() if tensor.is_floating_point() and tensor.numel())
    if not all(bool(torch.isfinite(torch.stack(tensor.aminmax())).all()) for tensor in floating):  # NaN is both ends
        raise not_finite(file)
    return method.eval(), config


def start(method: Method, path: Path) -> None:
    """Give a method the weights of a trained model, from which it goes on learning.

    Args:
        method: built from the settings of the new run.
        path: a run folder, whose best weights are taken, a `.safetensors` file, or an exported `portrait`: an `.onnx`
            file, or `photo2sketch` or `sketch2photo` for the package's own models. An exported model has no
            discriminator, so the method's own stays random.

    Raises:
        CheckpointError: the file is missing, damaged or not a facesketch model.
        ConfigError: weights of another method, direction, width, number of channels or size.
    """
    file = shipped.own(path) or path
    ours, differing, exported = type(method).__name__, "", file.suffix.lower() == ONNX_SUFFIX
    try:
        other, config = (None, read_header(file).config) if exported else load_method(file)
        serves = (config.direction,) if other is None else other.translates
        if method_class(config.method.name) is not type(method) or method.direction not in serves:
            seen = f"{config.method.name} for {config.direction}, not of {ours}, {method.direction}"
            raise ConfigError(f"{path}: weights of {seen}", "start from the same method and direction")
        if other is None:
            weights = {name: torch.from_numpy(values) for name, values in read_onnx_weights(file).items()}
            method.load_exported(weights, config)
        else:
            shapes = [{name: tensor.shape for name, tensor in each.state_dict().items()} for each in (method, other)]
            names = [name for name in shapes[0] | shapes[1] if shapes[0].get(name) != shapes[1].get(name)]
            differing = f"differing: {some(names)}"
            method.load_state_dict(other.state_dict())
    except RuntimeError as error:
        seen = f"weights of {config.method.name} of {config.data.size} pixels"
        differing = differing or str(error).splitlines()[-1].strip()
        raise ConfigError(
            f"{path}: {seen}, which differ from those of {ours} of {method.data.size} pixels ({differing})",
            "start from a model of the same method and options",
        ) from error
