"""How folders of pairs are laid out: each layout is a function from a listing of files to pairs.

It returns None when the folder does not look like its layout at all. A new layout is one function and one line in
`LAYOUTS`; `auto` tries them in that order, from the clearest sign to the weakest.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

from facesketch.data.layouts.cufsf import cufsf
from facesketch.data.layouts.fs2k import fs2k
from facesketch.data.layouts.matching import match
from facesketch.data.layouts.side_by_side import side_by_side
from facesketch.data.layouts.tree import DOMAIN_WORDS, SPLIT_WORDS, Tree, fold, read, stem_of, subject_of, words
from facesketch.data.pairs import Found, Pair, Side, Source
from facesketch.data.table import read_table
from facesketch.errors import DataError

_OWN_COLUMNS = frozenset({"stem", "split", "photo", "sketch", "subject"})


def pairs_csv(tree: Tree) -> Found | None:
    """Read `pairs.csv` with the columns `photo` and `sketch`, and optionally `stem`, `split` and `subject`.

    Paths are relative to the folder and must stay inside it. Every other column becomes an attribute.

    Raises:
        DataError: it cannot be read, a column is missing, a split is not known, or a path leaves the folder.
    """
    table = tree.folder / (tree.find("pairs.csv") or "pairs.csv")
    if not os.path.lexists(table):  # a link that leads nowhere is a list that was lost
        return None
    found, stems = Found(), dict[str, tuple[str, str]]()
    for line, row in read_table(table, ("photo", "sketch")):
        where = f"{table}, line {line}"
        photo, sketch = _inside(where, row["photo"]), _inside(where, row["sketch"])
        there = {name: tree.find(name) for name in (photo, sketch)}
        missing = [name for name, path in there.items() if path is None]
        found.unreadable += [f"{name}: no such file" for name in missing]
        if missing:
            found.orphan_photos += [] if photo in missing else [photo]
            found.orphan_sketches += [] if sketch in missing else [sketch]
            continue
        sources = [Source(Path(str(there[name]))) for name in (photo, sketch)]
        stem = row.get("stem") or stem_of(PurePosixPath(sources[0].path))
        if any(mark in stem for mark in "/\\\0") or stem.startswith("."):
            raise DataError(f"{where}: stem '{stem}'", "expected a plain name, as it becomes the name of files")
        named = row.get("split", "")
        side: Side | None = SPLIT_WORDS.get(fold(named))
        if named and side is None:
            raise DataError(f"{where}: split '{named}'", "expected train, validation or test")
        key = fold(stem)  # stems become names of files, and some systems ignore letter case there
        if key in stems:
            first, second = stems[key]
            found.duplicates.append((second, sketch) if photo == first else (first, photo))
            continue
        stems[key] = photo, sketch
        attributes = {key: value for key, value in row.items() if key not in _OWN_COLUMNS}
        subject = row.get("subject") or subject_of(fold(stem))
        found.pairs.append(Pair(stem, subject, sources[0], sources[1], side, attributes))
    return found


def _inside(where: str, name: str) -> str:
    """Return a path of `pairs.csv` with forward slashes, and refuse one that leads out of the folder."""
    place = PureWindowsPath(name)  # takes both / and \, and knows drives
    if not name or place.drive or place.root or ".." in place.parts:
        raise DataError(f"{where}: path '{name}'", "expected one inside the folder, such as photos/x.jpg")
    return place.as_posix()


def photos_and_sketches(tree: Tree) -> Found | None:
    """Match `photos/` with `sketches/` (or `photo/`, `sketch/`), with `train/`, `val/` and `test/` above or below."""
    return match([read(path, exact=True) for path in tree.pictures])


def cuhk(tree: Tree) -> Found | None:
    """Match folders that are named for what they hold, as in the CUHK, AR and XM2VTS downloads.

    `CUHK_training_photo` goes with `CUHK_training_sketch`, `CUHK_testing_cropped_photos` with its sketches, with or
    without one more folder inside. If there are cropped and uncropped pictures, those that give more pairs are used, or
    the cropped ones if both give as many.
    """
    named = {part for path in tree.pictures for part in path.parts[:-1]}
    if not any(len(words(part)) > 1 and DOMAIN_WORDS.keys() & words(part) for part in named):
        return None
    items = [read(path) for path in tree.pictures]
    variants = [[item for item in items if item.cropped is cropped] for cropped in (True, False)]
    tried = [found for variant in variants if (found := match(variant))]
    if not tried:
        return None
    best = max(tried, key=lambda found: len(found.pairs))
    if all(found.pairs for found in tried) and len(tried) > 1:
        used, other = ("cropped", "uncropped") if best is tried[0] else ("uncropped", "cropped")
        best.notes.append(f"the folder holds {used} and {other} pictures; the {used} ones are used")
    return best


LAYOUTS: dict[str, Callable[[Tree], Found | None]] = {
    "pairs.csv": pairs_csv,
    "fs2k": fs2k,
    "cufsf": cufsf,
    "cuhk": cuhk,
    "photos-sketches": photos_and_sketches,
    "side-by-side": side_by_side,
}
