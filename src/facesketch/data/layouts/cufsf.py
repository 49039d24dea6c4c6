"""CUFSF: an artist's sketches of FERET photos, which are published elsewhere under other names.

The sketches (`original_sketch/00001.jpg`) come with a list of the photos they were drawn from, one a line, in the order
of the sketches. FERET was published in grey, where a photo is called `00001fb010_930831`, and in colour, where the same
photo is `00001/00001_930831_fb.ppm.bz2`. Both names hold subject, pose and date, by which the photo is found.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from facesketch.data.layouts.matching import make_pair
from facesketch.data.layouts.tree import Item, Tree, fold, read, stem_of
from facesketch.data.pairs import Found
from facesketch.errors import DataError
from facesketch.images.io import SUFFIXES

_GREY = re.compile(r"(?P<subject>\d{5})(?P<pose>[a-z]{2})\d{3}[a-z]*_(?P<date>\d{6})[a-z]*")
_COLOUR = re.compile(r"(?P<subject>\d{5})_(?P<date>\d{6})_(?P<pose>[a-z]{2})(?:_[a-z])?")
_SUBJECT = re.compile(r"\d{5}")
_LISTS = frozenset({".txt", ".lst", ".list"})
_LONGEST_LIST = 4 << 20
Shot = tuple[str, str, str]


def shot(stem: str) -> Shot | None:
    """Return (subject, pose, date) of a FERET name of either release, or None."""
    name = _GREY.fullmatch(stem) or _COLOUR.fullmatch(stem)
    return (name["subject"], name["pose"], name["date"]) if name else None


def cufsf(tree: Tree) -> Found | None:
    """Pair CUFSF's sketches with FERET's photos.

    Each line of the list is a sketch: that of this name or subject number, or if no sketch has any line's name, the one
    at this place in the order of names. Without a list, a sketch goes with the photo of its name, or with the only one
    of its subject. The subject is the first five digits.

    Raises:
        DataError: lines and sketches match neither by name nor by count.
    """
    sketches = _sketches(tree)
    photos = _Photos([Item(path, stem_of(path), "photo") for path in tree.pictures if read(path).domain != "sketch"])
    if not sketches or not photos.items:
        return None
    listed = _listed(tree)
    if listed:
        lines = _in_order(tree, listed, sketches)
    elif photos.by_shot and all(_SUBJECT.fullmatch(item.stem) or shot(item.stem) for item in sketches):
        lines = [(sketch, sketch.stem) for sketch in sketches]
    else:
        return None
    found = Found()
    for sketch, name in lines:
        photo = photos.find(name)
        if photo and sketch:
            subject = name[:5] if _SUBJECT.match(name) else name
            found.pairs.append(make_pair(sketch.stem, photo, sketch, subject=subject))
            alike = tuple(str(item.path) for item in photos.by_stem[photo.stem])
            found.duplicates += [alike] if len(alike) > 1 else []
        elif photo:
            found.orphan_photos.append(str(photo.path))
    paired = {pair.sketch.path for pair in found.pairs}
    found.orphan_sketches = [str(sketch.path) for sketch in sketches if Path(sketch.path) not in paired]
    return found


def _sketches(tree: Tree) -> list[Item]:
    """Return the sketches in order of name: the original ones, not the cropped ones, as FERET's photos are whole."""
    items = [replace(item, rest=()) for item in map(read, tree.pictures) if item.domain == "sketch"]
    whole = [item for item in items if not item.cropped]
    return sorted(whole or items, key=lambda item: (item.stem, str(item.path)))


@dataclass
class _Photos:
    """FERET's photos by name, by (subject, pose, date) and by subject."""

    items: list[Item]
    by_stem: dict[str, list[Item]] = field(default_factory=lambda: defaultdict(list))
    by_shot: dict[Shot | None, Item] = field(default_factory=dict)
    by_subject: dict[str, list[Item]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for item in self.items:
            self.by_stem[item.stem].append(item)
            if key := shot(item.stem):
                self.by_shot.setdefault(key, item)
                self.by_subject[key[0]].append(item)

    def find(self, name: str) -> Item | None:
        """Return the photo of this FERET name, or the only one of its subject."""
        key = shot(name)
        if name in self.by_stem:
            return self.by_stem[name][0]
        if key in self.by_shot:
            return self.by_shot[key]
        if key is None:
            only = self.by_subject.get(name, [])
            return only[0] if len({item.stem for item in only}) == 1 else None
        return self.by_stem[key[0]][0] if key[0] in self.by_stem else None  # photos renamed to the subject's number


def _listed(tree: Tree) -> list[str]:
    """Return the FERET names of the first text file that lists such names."""
    for path in tree.files:
        file = tree.folder / path
        if path.suffix.lower() in _LISTS and file.stat().st_size <= _LONGEST_LIST:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            names = [_line_name(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]
            if names and all(shot(name) for name in names):
                return names
    return []


def _line_name(line: str) -> str:
    name = fold(PureWindowsPath(line.strip()).name)  # takes both / and \
    while PurePosixPath(name).suffix in SUFFIXES | {".bz2"}:
        name = name.removesuffix(PurePosixPath(name).suffix)
    return name


def _in_order(tree: Tree, listed: list[str], sketches: list[Item]) -> list[tuple[Item | None, str]]:
    by_name = {item.stem: item for item in sketches}
    named = [(by_name.get(name) or by_name.get(name[:5]), name) for name in listed]
    if any(sketch for sketch, _ in named):
        return named
    if len(sketches) != len(listed):
        raise DataError(
            f"{tree.folder}: the list names {len(listed)} FERET photos, but there are {len(sketches)} sketches",
            "name each sketch by its subject number, such as 00001.jpg",
        )
    return list(zip(sketches, listed, strict=True))
