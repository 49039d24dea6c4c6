"""Sample sheets during training, and the figures that decide which model is best."""

from __future__ import annotations

import math

import torch
from PIL import Image

from facesketch.config import ENDS, TrainConfig
from facesketch.data.datasets import Batch
from facesketch.images.contact_sheet import sheet
from facesketch.images.tensors import to_image, with_channels
from facesketch.methods.base import Method
from facesketch.metrics.fidelity import ssim


def validation_size(settings: TrainConfig) -> int:
    """Return the size of a validation batch: sheets show the first, and none keeps gradients."""
    return max(4, settings.samples)


@torch.no_grad()
def validate(method: Method, batches: list[Batch]) -> dict[str, float]:
    """Return the validation figures of a method in evaluation mode.

    Returns:
        `ssim` (higher is better) and `mae` (in [0, 1], lower is better) of translations against their targets, without
        the padding, averaged over pictures and over the directions that the method serves; NaN if any value of a
        translation is not finite. `loss` is the sum of the method's own losses, each of which stands under its name.
    """
    sums: dict[str, float] = {}
    count = sum(len(batch.photo) for batch in batches)
    for batch in batches:
        share = len(batch.photo) / count
        for phase in method.training_step(batch):
            loss = float(phase.loss) * share
            sums[phase.name] = sums.get(phase.name, 0.0) + loss
            sums["loss"] = sums.get("loss", 0.0) + loss
        for direction in method.translates:
            for name, value in _fidelity(method, batch.facing(direction)).items():
                sums[name] = sums.get(name, 0.0) + value * share / len(method.translates)
    return {name: round(value, 8) for name, value in sums.items()}


def _fidelity(method: Method, batch: Batch) -> dict[str, float]:
    results = method.reproduce(batch)
    if not torch.isfinite(results).all():
        return {"ssim": math.nan, "mae": math.nan}
    similarity = mae = 0.0
    for place, *pair in zip(batch.placements, results, batch.target, strict=True):
        result, target = (place.cut(image)[None].float() for image in pair)
        mae += float((result - target).abs().mean()) / 2 / len(results)
        greys = (with_channels(image, 1).add(1.0).mul(127.5).clamp(0.0, 255.0).cpu() for image in (result, target))
        similarity += float(ssim(*greys)) / len(results)
    return {"ssim": similarity, "mae": mae}


@torch.no_grad()
def sample_sheet(method: Method, batch: Batch) -> Image.Image:
    """Return a sheet with a row per pair and, for each direction served, source, result and target."""
    columns, cells = [], []
    for direction in method.translates:
        facing = batch.facing(direction)
        columns += [ENDS[direction][0], "result", "target"]
        results = method.reproduce(facing)
        cells += [
            [to_image(place.cut(image)) for image, place in zip(images, batch.placements, strict=True)]
            for images in (facing.source, results, facing.target)
        ]
    return sheet(list(zip(*cells, strict=True)), columns, list(batch.photo_stems))


def is_better(best_by: str, figures: dict[str, float], best: float | None) -> bool:
    """Tell whether a figure beats the best so far: a higher `ssim`, or a lower other one; never if not finite."""
    value = figures[best_by]
    if not math.isfinite(value):
        return False
    return best is None or (value > best if best_by == "ssim" else value < best)
