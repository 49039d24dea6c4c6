"""One side of a split in one direction: what goes in, and what should come out."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from facesketch.config import DataConfig, Direction
from facesketch.data.index import index
from facesketch.data.pairs import Pair, Side, Source
from facesketch.data.split import split as divide
from facesketch.errors import DataError


@dataclass(frozen=True)
class Task:
    """One side of a split in one direction: what goes in, and what should come out.

    Attributes:
        folder: the folder of pairs.
        direction: what is translated into what.
        split: which side.
        pairs: its pairs, sorted by stem.
        references: the pairs that baselines may learn from: training and validation when testing, else training alone.
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
        raise DataError(f"{folder}: no {split} pairs", f"type: facesketch data check {folder}")
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
        raise DataError(f"{seen}{more}", "expected one size, so align them first; type: facesketch faces align --help")
