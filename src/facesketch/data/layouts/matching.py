"""Photos on one side, sketches on the other: which belong together by their names."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

from facesketch.data.layouts.tree import Item, subject_named
from facesketch.data.pairs import Found, Pair, Source

Key = Callable[[Item], Hashable]
_SECOND_SERIES = re.compile(r"^([fm])2-")


def _whole(item: Item) -> Hashable:
    return item.rest, item.split, item.stem


_KEYS: tuple[Key, ...] = (
    _whole,
    lambda item: (item.rest, item.stem),
    lambda item: item.stem,
    # CUHK's training sketches are called F2-005-01 and M2-008-01, but some of their photos f-005-01 and m-008-01
    lambda item: _SECOND_SERIES.sub(r"\1-", item.stem),
)


def match(items: Sequence[Item]) -> Found:
    """Pair photos with sketches of the same name.

    Folders, side of the split and name are compared first, and then less and less of them. A pair needs exactly one
    photo and one sketch that agree, and that no folder puts on different sides.

    Args:
        items: pictures in the order of their names; those that are neither photo nor sketch are ignored.
    """
    found = Found()
    photos, more_photos = _first_of_each(item for item in items if item.domain == "photo")
    sketches, more_sketches = _first_of_each(item for item in items if item.domain == "sketch")
    matches: list[tuple[Item, Item]] = []
    for key in _KEYS:
        agreed = _agree(photos, sketches, key)
        matches += agreed
        taken = {item.path for both in agreed for item in both}
        photos = [item for item in photos if item.path not in taken]
        sketches = [item for item in sketches if item.path not in taken]
    found.duplicates = more_photos + more_sketches
    found.orphan_photos = [str(item.path) for item in photos]
    found.orphan_sketches = [str(item.path) for item in sketches]
    names = ["-".join([*(sketch.rest if photo.rest == sketch.rest else ()), sketch.stem]) for photo, sketch in matches]
    seen = Counter(names)
    for name, (photo, sketch) in zip(names, matches, strict=True):
        side = photo.split or sketch.split
        stem = f"{side}-{name}" if side and seen[name] > 1 else name
        found.pairs.append(make_pair(stem, photo, sketch, subject=subject_named(stem, sketch)))
    return found


def _first_of_each(items: Iterable[Item]) -> tuple[list[Item], list[tuple[str, ...]]]:
    groups: dict[Hashable, list[Item]] = defaultdict(list)
    for item in items:
        groups[_whole(item)].append(item)
    several = [tuple(str(item.path) for item in group) for group in groups.values() if len(group) > 1]
    return [group[0] for group in groups.values()], several


def _agree(photos: list[Item], sketches: list[Item], key: Key) -> list[tuple[Item, Item]]:
    by_key: dict[Hashable, list[Item]] = defaultdict(list)
    for sketch in sketches:
        by_key[key(sketch)].append(sketch)
    seen = Counter(key(photo) for photo in photos)
    return [
        (photo, sketch)
        for photo in photos
        if seen[key(photo)] == len(by_key[key(photo)]) == 1
        for sketch in by_key[key(photo)]
        if photo.split is None or sketch.split is None or photo.split == sketch.split
    ]


def make_pair(stem: str, photo: Item, sketch: Item, *, subject: str) -> Pair:
    """Return the pair of two items, on the side that either of them names; paths are still relative."""
    side = photo.split or sketch.split
    return Pair(stem, subject, Source(Path(photo.path)), Source(Path(sketch.path)), side)
