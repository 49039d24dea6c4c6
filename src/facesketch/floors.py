"""What any model must beat: answers that take no model, measured on the same pictures.

`copy` gives the input back, `mean` the mean of the training pictures of the wanted kind, `nearest` the partner of the
training picture that is most like the input, and `pencil` the photo filtered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from facesketch.config import DataConfig, Direction
from facesketch.data.index import index
from facesketch.data.pairs import Pair, Side, Source
from facesketch.data.split import split as divide
from facesketch.errors import DataError
from facesketch.measures import Measurement, Yardstick
from facesketch.translate import load

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
class Task:
    """One side of a split in one direction: what goes in, and what should come out.

    Attributes:
        folder: the folder of pairs.
        direction: what is translated into what.
        split: which side.
        pairs: its pairs, sorted by stem.
        references: the pairs that floors may learn from: training and validation when testing, else training alone.
        counts: (training and validation pairs, test pairs) of the folder, as protocols count them.
        stems_hash: sha256 of the side's sorted stems.
        inputs: the pictures to translate.
        truth: the pictures that should come out.
    """

    folder: Path
    direction: Direction
    split: Side
    pairs: tuple[Pair, ...]
    references: tuple[Pair, ...]
    counts: tuple[int, int]
    stems_hash: str
    inputs: tuple[Image.Image, ...]
    truth: tuple[Image.Image, ...]

    @property
    def stems(self) -> tuple[str, ...]:
        """Return the stems in order."""
        return tuple(pair.stem for pair in self.pairs)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Return who each pair shows, in the order of the stems."""
        return tuple(pair.subject for pair in self.pairs)


def read_task(folder: Path, direction: Direction, split: Side = "test", validation: float | None = None) -> Task:
    """Open the pictures of one side of a split; those of other sides stay closed.

    Args:
        folder: the folder of pairs.
        direction: what is translated into what.
        split: which side.
        validation: share of the training subjects that validate, where the data names none itself.

    Raises:
        DataError: no pairs, none on this side, or a photo and its sketch differ in size.
        ImageError: a picture cannot be read.
    """
    share = DataConfig().validation if validation is None else validation
    parts = divide(index(folder).pairs, validation=share)
    pairs = parts.side(split)
    if not pairs:
        raise DataError(f"{folder}: no {split} pairs; type: facesketch data check {folder}")
    inputs = _open([_source(pair, direction) for pair in pairs])
    truth = _open([_target(pair, direction) for pair in pairs])
    _require_one_size(pairs, inputs, truth, direction)
    return Task(
        folder=folder,
        direction=direction,
        split=split,
        pairs=pairs,
        references=(*parts.train, *parts.validation) if split == "test" else parts.train,
        counts=(len(parts.train) + len(parts.validation), len(parts.test)),
        stems_hash=parts.hash(split),
        inputs=inputs,
        truth=truth,
    )


def _source(pair: Pair, direction: Direction) -> Source:
    return pair.photo if direction == "photo2sketch" else pair.sketch


def _target(pair: Pair, direction: Direction) -> Source:
    return pair.sketch if direction == "photo2sketch" else pair.photo


def _open(sources: Sequence[Source]) -> tuple[Image.Image, ...]:
    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding the interpreter
        return tuple(pool.map(lambda source: source.open(), sources))


def _require_one_size(
    pairs: Sequence[Pair], inputs: Sequence[Image.Image], truth: Sequence[Image.Image], direction: Direction
) -> None:
    """Refuse pairs whose two pictures differ in size: a resized truth would no longer be the artist's."""
    trios = zip(pairs, inputs, truth, strict=True)
    odd = [(pair.stem, one.size, other.size) for pair, one, other in trios if one.size != other.size]
    if odd:
        stem, *sizes = odd[0]
        photo, sketch = sizes if direction == "photo2sketch" else sizes[::-1]
        seen = f"{stem}: photo {photo[0]}x{photo[1]}, sketch {sketch[0]}x{sketch[1]}"
        more = f" (and {len(odd) - 1} more pairs)" if len(odd) > 1 else ""
        raise DataError(f"{seen}{more}; expected one size, so align them first; type: facesketch faces align --help")


@dataclass(frozen=True)
class Floors:
    """The floors of a split, and all that measuring a model on it can use again.

    Attributes:
        task: the pictures.
        yardstick: what measures them.
        found: what each floor measures; its keys are some of `TITLES`.
        left_out: floors that there are not, each with the reason.
    """

    task: Task
    yardstick: Yardstick
    found: dict[str, Measurement]
    left_out: dict[str, str]


def floors(
    folder: Path,
    *,
    direction: Direction,
    split: Side = "test",
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    validation: float | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Floors:
    """Measure the floors of a split. They depend on the data alone, so one call serves every model.

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
                progress(done, total, f"floor {name}: {metric}")

        found[name] = yardstick.measure(pictures, tell)
    return Floors(task, yardstick, found, left_out)


def answer(task: Task) -> tuple[dict[str, list[Image.Image]], dict[str, str]]:
    """Return the pictures of each floor, and the floors that cannot be had, each with the reason."""
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
        raise DataError(f"{task.folder}: no training pairs to learn this floor from")
    known = _open([_source(pair, task.direction) for pair in task.references])
    targets = _open([_target(pair, task.direction) for pair in task.references])
    sizes = sorted({picture.size for picture in (*known, *targets, *task.inputs)})
    if len(sizes) > 1:
        such = ", ".join(f"{width}x{height}" for width, height in sizes[:_EXAMPLES])
        such += ", …" if len(sizes) > _EXAMPLES else ""
        raise DataError(f"pictures of {such}; this floor needs one size, so type: facesketch faces align --help")
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
        raise DataError("every training pair shows one person; the nearest needs at least two")
    return np.asarray(np.where(same, np.inf, squares).argmin(axis=1))


def _rows(pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
    """Return (N, H W) grey less 128: small whole numbers, whose products float32 adds up with little rounding."""
    return np.stack([np.asarray(picture.convert("L"), dtype=np.float32).ravel() - 128 for picture in pictures])
