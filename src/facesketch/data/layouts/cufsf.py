"""CUFSF: an artist's sketches of FERET photos, which are published elsewhere under other names.

The sketches (`original_sketch/00001.jpg`) come with a list of the photos they were drawn from, one on each line, in the
order of the sketches. FERET was published in grey, where a photo is called `00001fb010_930831`, and in colour, where
the same photo is `00001/00001_930831_fb.ppm.bz2`. Both names hold subject, pose and date, by which the photo is found.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from facesketch.data.layouts.matching import make_pair
from facesketch.data.layouts.tree import Item, Tree, fold, read, stem_of
from facesketch.data.pairs import Found
from facesketch.errors import DataError, count
from facesketch.files import read_file
from facesketch.images.io import SUFFIXES

_GREY = re.compile(r"(?P<subject>\d{5})(?P<pose>[a-z]{2})\d{3}[a-z]*_(?P<date>\d{6})[a-z]*")
_COLOUR = re.compile(r"(?P<subject>\d{5})_(?P<date>\d{6})_(?P<pose>[a-z]{2})(?:_[a-z])?")
_SUBJECT = re.compile(r"\d{5}")
_LISTS = frozenset({".txt", ".lst", ".list"})
_LONGEST_LIST = 4 << 20
Shot = tuple[str, str, str]
Photos = dict[tuple[str, ...], list[Item]]
"""FERET's photos by ("stem", name), by (subject, pose, date) and by ("subject", number)."""


def shot(stem: str) -> Shot | None:
    """Return (subject, pose, date) of a FERET name of either release, or None."""
    name = _GREY.fullmatch(stem) or _COLOUR.fullmatch(stem)
    return (name["subject"], name["pose"], name["date"]) if name else None


def cufsf(tree: Tree) -> Found | None:
    """Pair CUFSF's sketches with FERET's photos.

    Each line of the list stands for a sketch: the one with that name or subject number. If no sketch has the name of
    any line, the lines follow the sketches in order of name. Without a list, a sketch goes with the photo of the same
    name, or with the only photo of its subject. The subject is the first five digits.

    Raises:
        DataError: lines and sketches match neither by name nor by count.
    """
    sketches = _sketches(tree)
    items = [Item(path, stem_of(path), "photo") for path in tree.pictures if read(path).domain != "sketch"]
    if not sketches or not items:
        return None
    photos: Photos = defaultdict(list)
    for item in items:
        photos["stem", item.stem].append(item)
        if key := shot(item.stem):
            photos[key].append(item)
            photos["subject", key[0]].append(item)
    listed = _listed(tree)
    if listed:
        lines = _in_order(tree, listed, sketches)
    elif any(shot(item.stem) for item in items) and all(
        _SUBJECT.fullmatch(item.stem) or shot(item.stem) for item in sketches
    ):
        lines = [(sketch, sketch.stem) for sketch in sketches]
    else:
        return None
    found = Found()
    for sketch, name in lines:
        photo = _photo(photos, name)
        if photo and sketch:
            subject = name[:5] if _SUBJECT.match(name) else name
            found.pairs.append(make_pair(sketch.stem, photo, sketch, subject=subject))
            alike = tuple(str(item.path) for item in photos["stem", photo.stem])
            found.duplicates += [alike] if len(alike) > 1 else []
        elif photo:
            found.orphan_photos.append(str(photo.path))
    paired = {pair.sketch.path for pair in found.pairs}
    found.orphan_sketches = [str(sketch.path) for sketch in sketches if Path(sketch.path) not in paired]
    return found


def _sketches(tree: Tree) -> list[Item]:
    """Return the sketches in order of name: the originals, not the cropped ones, because FERET's photos are whole."""
    items = [replace(item, rest=()) for item in map(read, tree.pictures) if item.domain == "sketch"]
    whole = [item for item in items if not item.cropped]
    return sorted(whole or items, key=lambda item: (item.stem, str(item.path)))


def _photo(photos: Photos, name: str) -> Item | None:
    """Return the photo of this FERET name, or the only one of its subject."""
    key = shot(name)
    found = photos.get(("stem", name)) or photos.get(key or ())
    if key is None and not found:
        found = photos.get(("subject", name), [])
        return found[0] if len({item.stem for item in found}) == 1 else None
    found = found or photos.get(("stem", key[0] if key else ""))  # photos renamed to the subject's number
    return found[0] if found else None


def _listed(tree: Tree) -> list[str]:
    """Return the FERET names of the first text file that lists such names."""
    for path in tree.files:
        if path.suffix.lower() not in _LISTS:
            continue
        file = tree.folder / path
        try:
            text = read_file(file).decode(errors="replace") if file.stat().st_size <= _LONGEST_LIST else ""
        except OSError:  # not to be read, so not the list
            continue
        lines = [line.strip() for line in text.splitlines()]
        names = [_line_name(line) for line in lines if line and not line.startswith("#")]
        if names and all(shot(name) for name in names):
            return names
    return []


def _line_name(line: str) -> str:
    name = fold(PureWindowsPath(line).name)  # takes both / and \
    while PurePosixPath(name).suffix in SUFFIXES | {".bz2"}:
        name = name.removesuffix(PurePosixPath(name).suffix)
    return name


def _in_order(tree: Tree, listed: list[str], sketches: list[Item]) -> list[tuple[Item | None, str]]:
    by_name = {item.stem: item for item in sketches}
    named = [(by_name.get(name) or by_name.get(name[:5]), name) for name in listed]
    if any(sketch for sketch, _ in named):
        return named
    if len(sketches) != len(listed):
        there = count(len(sketches), "sketch", "sketches")
        raise DataError(
            f"{tree.folder}: the list names {count(len(listed), 'FERET photo')}, but the folder holds {there}",
            "name each sketch by its subject number, such as 00001.jpg",
        )
    return list(zip(sketches, listed, strict=True))
