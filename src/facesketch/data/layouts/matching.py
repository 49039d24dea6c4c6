"""Which photos and sketches belong together, by their names."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from facesketch.data.layouts.tree import Item, subject_of
from facesketch.data.pairs import Found, Pair, Source

_OTHER_SETS = {"ar", "xm2vts"}
_SECOND_SERIES = re.compile(r"^([fm])2-")
_KEYS: tuple[Callable[[Item], Hashable], ...] = (
    lambda item: (item.rest, item.split, item.stem),
    lambda item: (item.rest, item.stem),
    lambda item: item.stem,
    # CUHK's training sketches are called F2-005-01 and M2-008-01, but some of their photos f-005-01 and m-008-01
    lambda item: _SECOND_SERIES.sub(r"\1-", item.stem),
)


def match(items: Sequence[Item]) -> Found | None:
    """Pair photos with sketches of the same name.

    Folders, side of the split and name are compared first, and then less and less of them. A pair needs exactly one
    photo and one sketch that agree, and that no folder puts on different sides.

    Args:
        items: pictures in the order of their names; those that are neither photo nor sketch are ignored.

    Returns:
        None unless there are both photos and sketches.
    """
    found, unique = Found(), dict[str, list[Item]]()
    for domain in ("photo", "sketch"):
        groups: dict[Hashable, list[Item]] = defaultdict(list)
        for item in items:
            if item.domain == domain:
                groups[_KEYS[0](item)].append(item)
        found.duplicates += [tuple(str(each.path) for each in group) for group in groups.values() if len(group) > 1]
        unique[domain] = [group[0] for group in groups.values()]
    photos, sketches = unique.values()
    if not photos or not sketches:
        return None
    matches: list[tuple[Item, Item]] = []
    for key in _KEYS:
        by_key: dict[Hashable, tuple[list[Item], list[Item]]] = defaultdict(lambda: ([], []))
        for photo in photos:
            by_key[key(photo)][0].append(photo)
        for sketch in sketches:
            by_key[key(sketch)][1].append(sketch)
        for alike in by_key.values():
            if len(alike[0]) == len(alike[1]) == 1:
                photo, sketch = alike[0][0], alike[1][0]
                if photo.split is None or sketch.split is None or photo.split == sketch.split:
                    matches.append((photo, sketch))
        taken = {item.path for both in matches for item in both}
        photos = [item for item in photos if item.path not in taken]
        sketches = [item for item in sketches if item.path not in taken]
    found.orphan_photos = [str(item.path) for item in photos]
    found.orphan_sketches = [str(item.path) for item in sketches]
    names = ["-".join([*(sketch.rest if photo.rest == sketch.rest else ()), sketch.stem]) for photo, sketch in matches]
    seen = Counter(names)
    for name, (photo, sketch) in zip(names, matches, strict=True):
        side = photo.split or sketch.split
        stem = f"{side}-{name}" if side and seen[name] > 1 else name
        who = subject_of(sketch.stem)  # not of `stem`: it may begin with folders, which no pattern knows
        sets = [each for each in sketch.rest if each in _OTHER_SETS]  # their numbers begin at 1, as CUHK's do
        subject = stem if who == sketch.stem else "-".join([*sets, who])
        found.pairs.append(make_pair(stem, photo, sketch, subject=subject))
    return found


def make_pair(stem: str, photo: Item, sketch: Item, *, subject: str) -> Pair:
    """Return the pair of two items, on the side that either of them names; paths are still relative."""
    side = photo.split or sketch.split
    return Pair(stem, subject, Source(Path(photo.path)), Source(Path(sketch.path)), side)
