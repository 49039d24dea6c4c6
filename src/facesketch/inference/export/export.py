"""Export a model to an `.onnx` file that runs without PyTorch, after comparing it with PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from facesketch.checkpoints.checkpoint import load_method, preprocessing
from facesketch.checkpoints.header import ONNX_SUFFIX, model_file, read_header, write_header
from facesketch.config import Direction, RunConfig
from facesketch.data.index import index
from facesketch.data.split import split
from facesketch.data.synthetic.draw import draw_pair
from facesketch.errors import ConfigError, FacesketchError, require_known
from facesketch.files import atomic, require_name
from facesketch.images.io import to_array
from facesketch.images.tensors import to_tensor
from facesketch.inference.engines.base import IMAGE, STYLE
from facesketch.inference.export.quantise import halve, quantise
from facesketch.inference.export.subpixel import fuse
from facesketch.inference.export.trace import Graph, trace, with_header
from facesketch.inference.translator import Weights
from facesketch.methods.base import Method
from facesketch.methods.registry import untrained, without_paths
from facesketch.weights.session import open_session

Precision = Literal["fp32", "fp16", "int8"]
Inputs = dict[str, NDArray[np.float32]]

LIMITS: dict[Precision, tuple[float, float]] = {"fp32": (1.0, 0.05), "fp16": (2.0, 0.25), "int8": (255.0, 4.0)}
"""Largest and mean difference from PyTorch that is accepted, in levels of 255."""
_PICTURES = 8
_CALIBRATION = 32


@dataclass(frozen=True)
class Exported:
    """An exported file, and how well it agrees with PyTorch.

    Attributes:
        path: the file.
        direction: what it translates.
        precision: what its weights are kept in.
        size: bytes.
        largest: the largest difference of any pixel, where black and white are 255 apart.
        mean: the mean difference.
        batches: pictures, height and width of each batch that was compared.
        drawn: drawn faces were compared, because the pictures that the run learned from are not here.
    """

    path: Path
    direction: Direction
    precision: Precision
    size: int
    largest: float
    mean: float
    batches: tuple[tuple[int, int, int], ...]
    drawn: bool


def export(
    source: Path,
    out: Path,
    *,
    direction: Direction | None = None,
    weights: Weights = "best",
    precision: Precision = "fp32",
) -> list[Exported]:
    """Write a model as ONNX, one file a direction.

    Args:
        source: a run folder or a `.safetensors` file.
        out: the `.onnx` file; if the model serves both directions and you give none, the direction is added to the name
            of each file.
        direction: one that the model serves.
        weights: which of a run folder's weights.
        precision: `fp32`; `fp16` halves the file and computes in float32; `int8` quarters it and computes in int8.

    Raises:
        CheckpointError: there is no model, or it is damaged.
        ConfigError: weights or a precision of no known name, nothing to export, a direction not served, or a file that
            differs too far from PyTorch.
        MissingExtraError: the exporter is not installed.
        OutputError: the file cannot be written.
    """
    require_known(weights, ("best", "last"), "weights")
    require_known(precision, get_args(Precision), "precision")
    if untrained(str(source)):
        raise ConfigError(f"{source}: is not trained, so there is nothing to export", "translate with it by its name")
    if source.suffix.lower() == ONNX_SUFFIX:
        raise ConfigError(f"{source}: is exported already", "give the run folder or its .safetensors file")
    require_name(out)
    if out.suffix.lower() != ONNX_SUFFIX:
        seen = f"{out}: expected a name that ends in {ONNX_SUFFIX}"
        raise ConfigError(seen, f"type: `out` {out.with_suffix('.onnx')}")
    method, config = load_method(source, weights)
    if method.Options.exemplars:
        seen = f"{source}: {config.method.name} draws with its training pairs and has no network to export"
        raise ConfigError(seen, "use it as it is")
    if direction is not None and direction not in method.translates:
        raise ConfigError(f"{source}: translates {' and '.join(method.translates)}, not {direction}", "leave it out")
    several = direction is None and len(method.translates) > 1
    notes = read_header(model_file(source, weights)).notes
    return [
        _export(method, config, each, precision, out.with_stem(f"{out.stem}-{each}") if several else out, notes)
        for each in (method.translates if direction is None else (direction,))
    ]


def _export(
    method: Method, config: RunConfig, direction: Direction, precision: Precision, out: Path, notes: dict[str, object]
) -> Exported:
    pictures, drawn = _pictures(config, direction, _CALIBRATION if precision == "int8" else _PICTURES)
    model = trace(method, direction)
    if precision != "int8":  # quantisation looks for convolutions whose weights are stored, not computed
        fuse(model)
    if precision == "fp16":
        model = halve(model)
    elif precision == "int8":
        side = (method.frame, method.frame)
        shown = (_inputs(method, direction, [picture], side, shift=each) for each, picture in enumerate(pictures))
        model = quantise(model, shown)
    batches = _batches(method)
    largest, mean = _differences(method, direction, with_header(model, {}), pictures, batches)
    most, most_mean = LIMITS[precision]
    if not (largest <= most and mean <= most_mean):  # written so that NaN is refused too
        seen = f"{precision} differs from PyTorch by up to {largest:.2f}/255, {mean:.3f}/255 on average"
        advice = "give `precision` fp32" if precision != "fp32" else "this model cannot be exported"
        raise ConfigError(f"{out}: not written: {seen}", f"at most {most:g} and {most_mean:g} are allowed, so {advice}")
    needs = preprocessing(method).model_copy(update={"directions": (direction,)})
    compared = {"precision": precision, "largest_difference": round(largest, 4), "mean_difference": round(mean, 4)}
    content = with_header(model, write_header(without_paths(config), needs, {**notes, "export": compared}))
    with atomic(out) as file:
        file.write(content)
    return Exported(out, direction, precision, len(content), largest, mean, batches, drawn)


def _batches(method: Method) -> tuple[tuple[int, int, int], ...]:
    """Return (pictures, height, width) to compare: the training frame, and taller, wider and smaller ones."""
    frame, step = method.frame, method.multiple
    if method.fixed:
        return ((1, frame, frame), (2, frame, frame), (5, frame, frame))
    half = -(-frame // (2 * step)) * step
    return ((1, frame, frame), (2, frame + step, frame), (3, frame, frame + 2 * step), (4, frame, half))


def _pictures(config: RunConfig, direction: Direction, count: int) -> tuple[list[Image.Image], bool]:
    """Return pictures like those the model learned from, or drawn faces; and whether they are drawn."""
    kind = 0 if direction == "photo2sketch" else 1
    folder = config.data.folder
    try:
        every = index(folder, config.data.layout).pairs if folder is not None else []
        pairs = split(every, validation=config.data.validation).train
        chosen = pairs[:: max(1, len(pairs) // count)][:count]
        found = [(pair.photo, pair.sketch)[kind].open() for pair in chosen]
    except FacesketchError:  # the folder has gone, which is no mistake here
        found = []
    if found:
        return found, False
    return [draw_pair(np.random.default_rng(number), 128)[kind] for number in range(count)], True


def _inputs(
    method: Method, direction: Direction, pictures: Sequence[Image.Image], side: tuple[int, int], shift: int = 0
) -> Inputs:
    """Return pictures at (height, width), each in another style and colours, the last in a mixture of all styles."""
    channels = preprocessing(method).source_channels(direction)
    scaled = [to_array(picture.resize(side[::-1]), channels) for picture in pictures]
    inputs: Inputs = {IMAGE: to_tensor(np.stack(scaled)).numpy()}
    if method.conditions:
        styles = np.eye(max(len(method.styles), 1), dtype=np.float32)
        rows = [styles[(shift + row) % len(styles)] for row in range(len(pictures))]
        chosen = np.stack([*rows[:-1], styles.mean(axis=0) if len(rows) > 1 else rows[-1]])
        told = np.random.default_rng(shift).uniform(-2, 2, (len(rows), method.conditions - len(styles)))
        inputs[STYLE] = np.concatenate([chosen, told.astype(np.float32)], axis=1)
    return inputs


def _differences(
    method: Method,
    direction: Direction,
    model: bytes,
    pictures: Sequence[Image.Image],
    batches: Sequence[tuple[int, int, int]],
) -> tuple[float, float]:
    """Return the largest and the mean difference from PyTorch, where black and white are 255 apart."""
    session, graph = open_session(model, "the exported graph"), Graph(method, direction)
    found = []
    for number, (count, *side) in enumerate(batches):
        shown = [pictures[(number + row) % len(pictures)] for row in range(count)]
        inputs = _inputs(method, direction, shown, (side[0], side[1]), shift=number)
        with torch.inference_mode():
            expected = graph(**{name: torch.from_numpy(value) for name, value in inputs.items()}).numpy()
        (result,) = session.run(None, inputs)
        if result.shape != expected.shape:
            raise ConfigError(f"the exported graph gives {result.shape} where PyTorch gives {expected.shape}")
        found.append(np.abs(np.clip(result, -1, 1) - np.clip(expected, -1, 1)).astype(np.float64).ravel() * 127.5)
    return float(max(each.max() for each in found)), float(np.concatenate(found).mean())
