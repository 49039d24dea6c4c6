"""Weights that explain themselves, and states that a cut-off training goes on from.

A model file is safetensors with the run's settings and the preprocessing in its header, so it translates with no flags.
A state file holds all that the next step depends on. Both land by rename; a state keeps the one before it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from pydantic import ValidationError

from facesketch.config import RunConfig
from facesketch.errors import CheckpointError, ConfigError
from facesketch.files import atomic
from facesketch.methods import METHODS, Method, build

FORMAT = "facesketch 1"
WEIGHTS, BEST, STATE, COMING, PREVIOUS = (
    "weights.safetensors",
    "best.safetensors",
    "state.ckpt",
    "state.next.ckpt",
    "state.previous.ckpt",
)


def save_weights(path: Path, method: Method, config: RunConfig, notes: Mapping[str, Any] | None = None) -> None:
    """Write a model file.

    Args:
        path: where to.
        method: whose parameters and buffers are written, in their own precision.
        config: the resolved settings.
        notes: what else the header should say, such as the epoch and its validation figures; JSON.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in method.state_dict().items()}
    header = {
        "format": FORMAT,
        "config": config.model_dump_json(exclude_none=True),
        "preprocessing": json.dumps(preprocessing(method)),
        "notes": json.dumps(dict(notes or {})),
    }
    with atomic(path) as file:
        file.write(_in_order(safetensors.torch.save(tensors, metadata=header)))


def _in_order(content: bytes) -> bytes:
    """Return a safetensors file with its metadata sorted: the library shuffles them, and equal models equal bytes."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors stay aligned
    return len(text).to_bytes(8, "little") + text + content[start:]


def preprocessing(method: Method) -> dict[str, Any]:
    """Return what a program in any language has to know to use the weights."""
    return {
        "range": [-1.0, 1.0],
        "colour": "rgb",
        "photo_channels": method.data.photo_channels,
        "sketch_channels": method.data.sketch_channels,
        "longest_side": method.data.size,
        "frame": method.frame if method.fixed else None,
        "multiple": method.multiple,
        "padding": "mirrored, centred",
        "directions": list(method.translates),
    }


def read_header(path: Path) -> tuple[RunConfig, dict[str, Any]]:
    """Return the settings and the notes in a model file's header, without reading its weights.

    Raises:
        CheckpointError: missing, cut short, or not one of ours.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: no such model file; give a run folder, a .safetensors file, or pencil"
        ) from error
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: torn or not a model file ({error}); train again or copy it anew") from error
    if header.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: format is {header.get('format')!r}, expected {FORMAT!r}; it was not written by facesketch"
        )
    try:
        return RunConfig.model_validate_json(header["config"]), json.loads(header["notes"])
    except (ValidationError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: its header is damaged or from another version; copy it anew") from error


def model_file(path: Path, weights: str = "best") -> Path:
    """Return the model file that a path stands for: itself, or the best or last weights of a run folder.

    Args:
        path: a `.safetensors` file or a run folder.
        weights: `best` or `last`; a run without validation has no best, and its last are taken.
    """
    if not path.is_dir():
        return path
    best, last = path / BEST, path / WEIGHTS
    if weights == "best" and best.exists():
        return best
    if last.exists():
        return last
    raise CheckpointError(
        f"{path}: no {WEIGHTS} in this folder; give the --out folder of a training that has finished an epoch"
    )


def load_method(path: Path, weights: str = "best") -> tuple[Method, RunConfig]:
    """Return a trained method in evaluation mode, and its settings.

    Args:
        path: a run folder or a model file.
        weights: `best` or `last`, for a run folder.

    Raises:
        CheckpointError: missing, torn, foreign, or weights that do not fit the settings in the header.
    """
    file = model_file(path, weights)
    config, _ = read_header(file)
    try:
        with torch.device("meta"):  # no weights are drawn only to be thrown away
            method = build(config, fresh=False)
        method.load_state_dict(safetensors.torch.load_file(file), assign=True)
    except (ConfigError, ValidationError) as error:
        raise CheckpointError(f"{file}: {error}") from error
    except (RuntimeError, safetensors.SafetensorError, OSError) as error:
        line = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{file}: the weights do not fit their header ({line}); copy the file anew") from error
    return method.eval(), config


def untrained(name: str) -> bool:
    """Tell whether a name is that of a method that needs no training."""
    return name in METHODS and not METHODS[name].learned and not Path(name).exists()


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write a resumable state, keeping the one before it as `state.previous.ckpt`."""
    current, coming = folder / STATE, folder / COMING
    with atomic(coming) as file:
        torch.save({"format": FORMAT, **state}, file)
    if current.exists():
        current.replace(folder / PREVIOUS)
    coming.replace(current)


def load_state(folder: Path) -> dict[str, Any] | None:
    """Return the last resumable state of a run, on the CPU, or None when none was written yet.

    A state that was being put in place when the process was killed is completed first.

    Raises:
        CheckpointError: the file is torn or foreign; the line names the whole one before it.
    """
    current, coming, previous = folder / STATE, folder / COMING, folder / PREVIOUS
    path = next((path for path in (current, coming, previous) if path.exists()), None)
    if path is None:
        return None
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load does not compare checksums
            torn = archive.testzip()
        state = None if torn else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a torn or foreign file makes the reader raise
        raise CheckpointError(_damaged(path, previous)) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(_damaged(path, previous))
    return state


def _damaged(path: Path, previous: Path) -> str:
    seen = f"{path}: torn or not a training state of facesketch"
    if path != previous and previous.exists():
        return f"{seen}; the one before it is whole, to go on from there type: mv {previous} {path}"
    return f"{seen}; start again with another --out"
