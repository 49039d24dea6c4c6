"""Photos on one side, sketches on the other: which belong together by their names."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

from facesketch.data.layouts.tree import Item, subject_named
from facesketch.data.pairs import Found, Pair, Side, Source

Key = Callable[[Item], Hashable]
Match = tuple[Item, Item]
_SECOND_SERIES = re.compile(r"^([fm])2-")


def _whole(item: Item) -> Hashable:
    return item.rest, item.split, item.stem


def _in_folder(item: Item) -> Hashable:
    return item.rest, item.stem


def _name(item: Item) -> Hashable:
    return item.stem


def _cuhk_name(item: Item) -> Hashable:
    """CUHK's training sketches are called F2-005-01 and M2-008-01, but some of their photos f-005-01 and m-008-01."""
    return _SECOND_SERIES.sub(r"\1-", item.stem)


def match(items: Sequence[Item]) -> Found:
    """Pair photos with sketches of the same name.

    The whole place is compared first (folders, side of the split, name). What is left over is compared by ever less of
    it, and then pairs only where exactly one photo and one sketch agree and no folder puts them on different sides.

    Args:
        items: pictures in the order of their names; those of no kind are ignored.
    """
    found = Found()
    photos, more_photos = _first_of_each(item for item in items if item.kind == "photo")
    sketches, more_sketches = _first_of_each(item for item in items if item.kind == "sketch")
    matches: list[Match] = []
    for key in (_whole, _in_folder, _name, _cuhk_name):
        agreed = _agree(photos, sketches, key)
        matches += agreed
        taken = {item.path for both in agreed for item in both}
        photos = [item for item in photos if item.path not in taken]
        sketches = [item for item in sketches if item.path not in taken]
    found.duplicates = more_photos + more_sketches
    found.orphan_photos = [str(item.path) for item in photos]
    found.orphan_sketches = [str(item.path) for item in sketches]
    found.pairs = _named(matches)
    return found


def _first_of_each(items: Iterable[Item]) -> tuple[list[Item], list[tuple[str, ...]]]:
    groups: dict[Hashable, list[Item]] = defaultdict(list)
    for item in items:
        groups[_whole(item)].append(item)
    several = [tuple(str(item.path) for item in group) for group in groups.values() if len(group) > 1]
    return [group[0] for group in groups.values()], several


def _agree(photos: list[Item], sketches: list[Item], key: Key) -> list[Match]:
    by_key: dict[Hashable, list[Item]] = defaultdict(list)
    for sketch in sketches:
        by_key[key(sketch)].append(sketch)
    seen = Counter(key(photo) for photo in photos)
    matches = []
    for photo in photos:
        candidates = by_key[key(photo)]
        if len(candidates) == seen[key(photo)] == 1 and _same_side(photo.split, candidates[0].split):
            matches.append((photo, candidates[0]))
    return matches


def _same_side(first: Side | None, second: Side | None) -> bool:
    return first is None or second is None or first == second


def _named(matches: list[Match]) -> list[Pair]:
    """Name each match: the sketch's name after the folders that both share, and after its side where two are alike."""
    names = ["-".join([*_shared(photo, sketch), sketch.stem]) for photo, sketch in matches]
    seen = Counter(names)
    pairs = []
    for name, (photo, sketch) in zip(names, matches, strict=True):
        side = photo.split or sketch.split
        stem = f"{side}-{name}" if side and seen[name] > 1 else name
        pairs.append(make_pair(stem, photo, sketch, subject=subject_named(stem, sketch)))
    return pairs


def _shared(photo: Item, sketch: Item) -> tuple[str, ...]:
    return photo.rest if photo.rest == sketch.rest else ()


def make_pair(stem: str, photo: Item, sketch: Item, *, subject: str) -> Pair:
    """Return the pair of two items, on the side that either of them names; paths are still relative."""
    side = photo.split or sketch.split
    return Pair(stem, subject, Source(Path(photo.path)), Source(Path(sketch.path)), side)
