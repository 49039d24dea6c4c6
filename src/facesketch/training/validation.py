"""Sample sheets during training, and the figures that decide which model is best."""

from __future__ import annotations

import math

import torch
from PIL import Image

from facesketch.data.datasets import Batch
from facesketch.images.contact_sheet import sheet
from facesketch.images.fit import Placement
from facesketch.images.tensors import to_image, with_channels
from facesketch.methods.base import Method
from facesketch.metrics.fidelity import ssim


@torch.no_grad()
def validate(method: Method, batches: list[Batch]) -> dict[str, float]:
    """Return the validation figures of a method in evaluation mode.

    Returns:
        `ssim` (higher is better) and `mae` (in [0, 1], lower is better) of translated pictures against the truth,
        without the padding, averaged over pictures and over the directions that the method serves, or NaN when one of
        them holds values that are no numbers; `loss`, the sum of
        the method's own losses, and each of them under its phase's name.
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
    pairs = zip(results, batch.target, batch.placements, strict=True)
    cut = [(place.cut(result)[None].float(), place.cut(truth)[None].float()) for result, truth, place in pairs]
    mae = sum(float((result - truth).abs().mean()) / 2 for result, truth in cut)
    similarity = sum(float(ssim(_pixels(result), _pixels(truth))) for result, truth in cut)
    return {"ssim": similarity / len(cut), "mae": mae / len(cut)}


def _pixels(images: torch.Tensor) -> torch.Tensor:
    return with_channels(images, 1).add(1.0).mul(127.5).clamp(0.0, 255.0).cpu()


@torch.no_grad()
def sample_sheet(method: Method, batch: Batch) -> Image.Image:
    """Return a sheet with a row per pair and, for each direction served, source, result and truth."""
    columns, cells = [], []
    for direction in method.translates:
        facing = batch.facing(direction)
        columns += [direction.split("2")[0], "result", "truth"]
        results = method.reproduce(facing)
        cells += [_pictures(images, batch.placements) for images in (facing.source, results, facing.target)]
    return sheet(list(zip(*cells, strict=True)), columns, list(batch.photo_stems))


def _pictures(images: torch.Tensor, placements: tuple[Placement, ...]) -> list[Image.Image]:
    return [to_image(place.cut(image)) for image, place in zip(images, placements, strict=True)]


def is_better(best_by: str, figures: dict[str, float], best: float | None) -> bool:
    """Tell whether figures beat the best so far: `ssim` upwards, the others downwards; never when not finite."""
    value = figures[best_by]
    if not math.isfinite(value):
        return False
    return best is None or (value > best if best_by == "ssim" else value < best)
