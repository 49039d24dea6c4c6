"""What any model must beat: answers that take no model, measured on the same pictures.

`copy` gives the input back, `mean` the mean of the training pictures of the wanted kind, `nearest` the partner of the
training picture that is most like the input, and `pencil` the photo filtered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from facesketch.config import Direction
from facesketch.data.pairs import Side
from facesketch.errors import DataError
from facesketch.evaluation.evaluator import Measurement, Yardstick
from facesketch.evaluation.task import Task, _open, _source, _target, read_task
from facesketch.inference.translator import load

TITLES = {
    "copy": "copy the input",
    "mean": "mean of training",
    "nearest": "nearest of training",
    "pencil": "pencil filter",
}
_EXAMPLES = 3
Progress = Callable[[int, int, str], None]
"""Told (steps done, steps in all, what comes now)."""


@dataclass(frozen=True)
class Baselines:
    """The baselines of a split, and all that measuring a model on it can use again.

    Attributes:
        task: the pictures.
        yardstick: what measures them.
        found: what each baseline measures; its keys are some of `TITLES`.
        left_out: baselines that there are not, each with the reason.
    """

    task: Task
    yardstick: Yardstick
    found: dict[str, Measurement]
    left_out: dict[str, str]


def baselines(
    folder: Path,
    *,
    direction: Direction,
    split: Side = "test",
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    validation: float | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Baselines:
    """Measure the baselines of a split. They depend on the data alone, so one call serves every model.

    Args:
        folder: the folder of pairs.
        direction: what is translated into what.
        split: which side is measured.
        metrics: some of `measures.NAMES`; None for all.
        seed: of the bootstrap.
        validation: share of the training subjects that validate, where the data names none itself.
        device: where pictures are compared.
        progress: told of each step.

    Raises:
        DataError: no pairs, none on this side, or a photo and its sketch differ in size.
        ImageError: a picture cannot be read.
        ConfigError: a metric that does not exist.
    """
    task = read_task(Path(folder), direction, split, validation)
    yardstick = Yardstick(task.truth, task.subjects, direction, metrics=metrics, seed=seed, device=device)
    answers, left_out = answer(task)
    found, total = {}, len(answers) * len(yardstick.names)
    for number, (name, pictures) in enumerate(answers.items()):

        def tell(metric: str, number: int = number, name: str = name) -> None:
            if progress is not None:
                done = number * len(yardstick.names) + yardstick.names.index(metric)
                progress(done, total, f"baseline {name}: {metric}")

        found[name] = yardstick.measure(pictures, tell)
    return Baselines(task, yardstick, found, left_out)


def answer(task: Task) -> tuple[dict[str, list[Image.Image]], dict[str, str]]:
    """Return the pictures of each baseline, and the baselines that cannot be had, each with the reason."""
    answers = {"copy": list(task.inputs)}
    left_out: dict[str, str] = {}
    try:
        answers |= _learned(task)
    except DataError as error:
        left_out = {name: str(error) for name in ("mean", "nearest")}
    if task.direction == "photo2sketch":
        pencil = load("pencil", device="cpu")
        answers["pencil"] = [pencil.translate([picture])[0] for picture in task.inputs]
    return answers, left_out


def _learned(task: Task) -> dict[str, list[Image.Image]]:
    """Return the mean training target for every input, and the target of the nearest training input for each.

    Raises:
        DataError: no training pairs, or pictures of several sizes.
    """
    if not task.references:
        raise DataError(f"{task.folder}: no training pairs to learn this baseline from")
    known = _open([_source(pair, task.direction) for pair in task.references])
    targets = _open([_target(pair, task.direction) for pair in task.references])
    sizes = sorted({picture.size for picture in (*known, *targets, *task.inputs)})
    if len(sizes) > 1:
        such = ", ".join(f"{width}x{height}" for width, height in sizes[:_EXAMPLES])
        such += ", …" if len(sizes) > _EXAMPLES else ""
        raise DataError(f"pictures of {such}", "this baseline needs one size, so type: facesketch faces align --help")
    nearest = [targets[place] for place in _nearest(task, known)]
    return {"mean": [_mean(targets)] * len(task.inputs), "nearest": nearest}


def _mean(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return the mean picture, grey when all are."""
    mode = "RGB" if any(picture.mode == "RGB" for picture in pictures) else "L"
    total = np.zeros(np.asarray(pictures[0].convert(mode)).shape)
    for picture in pictures:
        total += np.asarray(picture.convert(mode))
    return Image.fromarray((total / len(pictures) + 0.5).astype(np.uint8))


def _nearest(task: Task, known: Sequence[Image.Image]) -> NDArray[np.intp]:
    """Return which training input is nearest to each input in grey raw pixels; never one of the same person."""
    ours, theirs = _rows(task.inputs), _rows(known)
    squares = np.square(theirs).sum(axis=1)[None, :] - 2 * (ours @ theirs.T)  # less |input|², the same for all
    subjects = np.asarray([pair.subject for pair in task.references])
    same = np.asarray(task.subjects)[:, None] == subjects[None, :]
    if same.all(axis=1).any():
        raise DataError("every training pair shows one person", "the nearest needs at least two")
    return np.asarray(np.where(same, np.inf, squares).argmin(axis=1))


def _rows(pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
    """Return (N, H W) grey less 128: small whole numbers, whose products float32 adds up with little rounding."""
    return np.stack([np.asarray(picture.convert("L"), dtype=np.float32).ravel() - 128 for picture in pictures])
