"""`facesketch export`: a trained model as one ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from facesketch.cli.console import Weights, say
from facesketch.config import Direction
from facesketch.errors import require


def export(
    run: Path,
    /,
    *,
    out: Path,
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    direction: Direction | None = None,
    weights: Weights = "best",
) -> None:
    """Export a trained model to ONNX for any batch size and picture size, and check that it agrees with PyTorch.

    `facesketch translate --model FILE.onnx` then runs the file without PyTorch.

    Args:
        run: A run folder, or a .safetensors file.
        out: The .onnx file to write. For a model that serves both directions, you get two files, with the
            direction added to each name.
        precision: `fp16` halves the file, and pictures differ by rounding only. `int8` quarters it, and pictures differ
            a little.
        direction: Export only this direction of a model that serves both.
    """
    require("export", "export")
    from facesketch.inference.export.export import export as write

    for made in write(run, out, direction=direction, weights=weights, precision=precision):
        shown = "synthetic faces" if made.drawn else "training pictures"
        say(
            f"{made.path}: {made.direction}, {made.precision}, {made.size / 1e6:.2f} MB",
            f"difference from PyTorch: largest {made.largest:.4f}/255, mean {made.mean:.4f}/255, "
            f"over {len(made.batches)} batches of {shown} up to {max(max(b[1:]) for b in made.batches)} pixels",
        )
