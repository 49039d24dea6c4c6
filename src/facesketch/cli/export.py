"""`facesketch export`: a trained model as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from facesketch.config import Direction
from facesketch.errors import ConfigError, require


def export(
    run: Path,
    /,
    *,
    out: Path,
    half: Annotated[bool, Parameter(negative="")] = False,
    int8: Annotated[bool, Parameter(negative="")] = False,
    direction: Direction | None = None,
    weights: Literal["best", "last"] = "best",
) -> None:
    """Write a trained model as ONNX, for any batch and size, once it agrees with PyTorch.

    The file holds all that translating needs, and `facesketch translate --model FILE.onnx` runs it without PyTorch.

    Parameters
    ----------
    run
        A run folder, or a .safetensors file.
    out
        The .onnx file; a model that serves both directions gives one for each, named after it.
    half
        Keep weights in 16 bits: half the size, the same pictures but for rounding.
    int8
        Compute in 8 bits: a quarter of the size, and a difference that is measured and printed.
    direction
        One direction of a model that serves both.
    weights
        Which of a run's weights: the best on its validation pairs, or the last.
    """
    if half and int8:
        raise ConfigError("--half and --int8 are two ways to make one file smaller", "give one of them")
    require("export", "export")
    from facesketch.inference.export.export import export as write

    precision: Literal["fp32", "fp16", "int8"] = "fp16" if half else "int8" if int8 else "fp32"
    for made in write(run, out, direction=direction, weights=weights, precision=precision):
        shown = "drawn faces" if made.drawn else "pictures it learned from"
        print(f"{made.path}: {made.direction}, {made.precision}, {made.size / 1e6:.2f} MB")  # noqa: T201
        print(  # noqa: T201
            f"difference from PyTorch: largest {made.largest:.4f}/255, mean {made.mean:.4f}/255, "
            f"over {len(made.batches)} batches of {shown} up to {max(max(b[1:]) for b in made.batches)} pixels"
        )
