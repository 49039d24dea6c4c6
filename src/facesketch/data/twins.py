"""Pictures that two sides of a split share. A test on pictures seen in training is no test."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

from facesketch.data.pairs import Pair, Side
from facesketch.data.split import Split

SEEN_BEFORE: dict[Side, tuple[Side, ...]] = {"test": ("train", "validation"), "validation": ("train",)}
"""The sides that a side must share no picture with."""
_SPOILT = {
    "test": "the test set is not independent, and its figures come out too good",
    "validation": "the validation set is not independent, and may choose the wrong epoch as the best",
}


def twins(parts: Split, side: Side = "test") -> tuple[tuple[Pair, Pair], ...]:
    """Find pairs of a side that share a photo or a sketch, byte for byte, with a pair that training sees.

    It reads only files whose size occurs on both sides. Files that cannot be read have no twin.

    Args:
        parts: the split.
        side: `test` or `validation`.

    Returns:
        (pair of the side, first pair seen with the same picture), each pair of the side at most once.
    """
    held = parts.side(side)
    seen = [pair for other in SEEN_BEFORE[side] for pair in parts.side(other)]
    same_size = _shared(held, seen, lambda path: path.stat().st_size)
    alike = _shared(held, seen, lambda p: hashlib.sha256(p.read_bytes()).digest() if p in same_size else None)
    first: dict[Hashable, Pair] = {}
    for pair in seen:
        for path in filter(alike.get, _files(pair)):
            first.setdefault(alike[path], pair)
    return tuple((pair, first[found[0]]) for pair in held if (found := [alike[p] for p in _files(pair) if p in alike]))


def twin_warnings(parts: Split) -> list[str]:
    """Return one line for each side that is not independent: how many pairs, an example, and what to do."""
    lines = []
    for side in SEEN_BEFORE:
        if found := twins(parts, side):
            pair, twin = found[0]
            lines.append(
                f"{_SPOILT[side]}: {len(found)} of {len(parts.side(side))} {side} pairs share a picture, byte for "
                f"byte, with pairs seen in training, such as {pair.stem} and {twin.stem}; remove one of the two, or "
                "give both one subject in pairs.csv"
            )
    return lines


def _files(pair: Pair) -> tuple[Path, Path]:
    return pair.photo.path, pair.sketch.path


def _shared(
    held: Iterable[Pair], seen: Iterable[Pair], mark: Callable[[Path], Hashable | None]
) -> dict[Path, Hashable]:
    """Return the marks of the files whose mark occurs on both sides."""
    sides: list[dict[Path, Hashable]] = []
    for pairs in (held, seen):
        marks: dict[Path, Hashable] = {}
        for path in {path for pair in pairs for path in _files(pair)}:
            try:
                found = mark(path)
            except OSError:
                continue
            if found is not None:
                marks[path] = found
        sides.append(marks)
    both = set(sides[0].values()) & set(sides[1].values())
    return {path: found for marks in sides for path, found in marks.items() if found in both}
