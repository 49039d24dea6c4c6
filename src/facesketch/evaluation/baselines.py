"""What any model must beat: answers that need no model.

`copy` returns the input, `mean` the mean of the training targets, `nearest` the target of the training input that is
most like the input, and `pencil` the filtered photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.config import Direction
from facesketch.data.pairs import Pair
from facesketch.errors import DataError, some
from facesketch.inference.engines.pencil_engine import PencilEngine
from facesketch.inference.translator import Translator

TITLES = {
    "copy": "copy the input",
    "mean": "mean of training",
    "nearest": "nearest of training",
    "pencil": "pencil filter",
}
Pictures = Sequence[Image.Image]


def open_pairs(pairs: Sequence[Pair], direction: Direction) -> tuple[tuple[Image.Image, ...], tuple[Image.Image, ...]]:
    """Return the pictures to translate, and those that should come out.

    Raises:
        ImageError: one of them cannot be read.
    """
    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding the interpreter
        photos = pool.map(lambda pair: pair.photo.open(), pairs)
        sketches = pool.map(lambda pair: pair.sketch.open(), pairs)
        both = tuple(photos), tuple(sketches)
    return both if direction == "photo2sketch" else both[::-1]


def baselines(
    inputs: Pictures, subjects: Sequence[str], direction: Direction, references: Sequence[Pair]
) -> tuple[dict[str, Pictures], dict[str, str]]:
    """Answer every input with every baseline; `mean` and `nearest` learn from the references.

    Returns:
        One picture per input for each baseline, a key of `TITLES`; and why others are missing.
    """
    answers: dict[str, Pictures] = {"copy": inputs}
    left_out: dict[str, str] = {}
    try:
        if not references:
            raise DataError("no training pairs to learn this baseline from")
        known, targets = open_pairs(references, direction)
        sizes = sorted({picture.size for picture in (*known, *targets, *inputs)})
        if len(sizes) > 1:
            such = some([f"{width}x{height}" for width, height in sizes])
            raise DataError(f"pictures of {such}", "this baseline needs one size, so type: facesketch faces align")
        answers["mean"] = [_mean(targets)] * len(inputs)
        nearest = _nearest(inputs, subjects, known, [pair.subject for pair in references])
        answers["nearest"] = [targets[place] for place in nearest]
    except DataError as error:
        left_out = {name: str(error) for name in ("mean", "nearest") if name not in answers}
    if direction == "photo2sketch":
        pencil = Translator(PencilEngine(), name="pencil")
        answers["pencil"] = [pencil.translate([picture])[0] for picture in inputs]
    return answers, left_out


def _mean(pictures: Pictures) -> Image.Image:
    """Return the mean picture, grey when all are."""
    mode = "RGB" if any(picture.mode == "RGB" for picture in pictures) else "L"
    total = np.zeros(np.asarray(pictures[0].convert(mode)).shape)
    for picture in pictures:
        total += np.asarray(picture.convert(mode))
    return Image.fromarray((total / len(pictures) + 0.5).astype(np.uint8))


def _nearest(inputs: Pictures, subjects: Sequence[str], known: Pictures, people: Sequence[str]) -> NDArray[np.intp]:
    """Return which training input is nearest to each input in grey raw pixels; never one of the same person."""
    ours, theirs = _rows(inputs), _rows(known)
    squares = np.square(theirs).sum(axis=1)[None, :] - 2 * (ours @ theirs.T)  # less |input|², the same for all
    same = np.asarray(subjects)[:, None] == np.asarray(people)[None, :]
    if same.all(axis=1).any():
        raise DataError("every training pair shows one person", "the nearest needs at least two")
    return np.asarray(np.where(same, np.inf, squares).argmin(axis=1))


def _rows(pictures: Pictures) -> NDArray[np.float32]:
    """Return (N, H W) grey less 128: small whole numbers, whose products float32 adds up with little rounding."""
    return np.stack([np.asarray(picture.convert("L"), dtype=np.float32).ravel() - 128 for picture in pictures])
