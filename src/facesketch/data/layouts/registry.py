"""The ways in which folders of pairs are laid out, each one function from a listing of files to pairs.

A function returns None when the folder does not look like its layout at all. Adding a layout is one function and one
line in `LAYOUTS`; `auto` tries them in that order, from the most telling sign to the least.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

from facesketch.data.layouts.cufsf import cufsf
from facesketch.data.layouts.fs2k import fs2k
from facesketch.data.layouts.matching import match
from facesketch.data.layouts.side_by_side import side_by_side
from facesketch.data.layouts.tree import (
    DOMAIN_WORDS,
    SPLIT_WORDS,
    Item,
    Tree,
    fold,
    read_exact,
    read_words,
    stem_of,
    subject_of,
    words,
)
from facesketch.data.pairs import Found, Pair, Side, Source
from facesketch.data.table import read_table
from facesketch.errors import DataError

Layout = Callable[[Tree], Found | None]
_OWN_COLUMNS = frozenset({"stem", "split", "photo", "sketch", "subject"})


def pairs_csv(tree: Tree) -> Found | None:
    """Understand `pairs.csv` with the columns `photo` and `sketch`, and if wanted `stem`, `split` and `subject`.

    Paths are relative to the folder and must stay inside it. Every further column becomes an attribute.

    Raises:
        DataError: a column is missing, a split is not known, or a path leaves the folder.
    """
    if not (tree.folder / "pairs.csv").is_file():
        return None
    found, stems = Found(), dict[str, str]()
    for line, row in read_table(tree.folder / "pairs.csv", ("photo", "sketch")):
        where = f"{tree.folder / 'pairs.csv'}, line {line}"
        photo, sketch = _inside(where, row["photo"]), _inside(where, row["sketch"])
        there = {name: tree.find(name) for name in (photo, sketch)}
        missing = [name for name, path in there.items() if path is None]
        found.unreadable += [f"{name}: no such file" for name in missing]
        if missing:
            found.orphan_photos += [] if photo in missing else [photo]
            found.orphan_sketches += [] if sketch in missing else [sketch]
            continue
        pair = _pair(where, row, Path(str(there[photo])), Path(str(there[sketch])))
        if pair.stem in stems:
            found.duplicates.append((stems[pair.stem], photo))
        else:
            stems[pair.stem] = photo
            found.pairs.append(pair)
    return found


def _inside(where: str, name: str) -> str:
    """Return a path of `pairs.csv` with forward slashes, once it is sure to lie in the folder by its words."""
    place = PureWindowsPath(name)  # takes both / and \, and knows drives
    if not name or place.drive or place.root or ".." in place.parts:
        raise DataError(f"{where}: path '{name}'", "expected one inside the folder and relative to it, as photos/x.jpg")
    return place.as_posix()


def _pair(where: str, row: dict[str, str], photo: Path, sketch: Path) -> Pair:
    stem = row.get("stem") or stem_of(PurePosixPath(photo))
    if any(mark in stem for mark in "/\\\0") or stem.startswith("."):
        raise DataError(f"{where}: stem '{stem}'", "expected a plain name, as it becomes the name of files")
    named = row.get("split", "")
    side: Side | None = SPLIT_WORDS.get(fold(named))
    if named and side is None:
        raise DataError(f"{where}: split '{named}'", "expected train, validation or test")
    attributes = {key: value for key, value in row.items() if key not in _OWN_COLUMNS}
    subject = row.get("subject") or subject_of(fold(stem))
    return Pair(stem, subject, Source(photo), Source(sketch), side, attributes)


def photos_and_sketches(tree: Tree) -> Found | None:
    """Understand `photos/` and `sketches/` (or `photo/`, `sketch/`), with `train/`, `val/`, `test/` above or below."""
    items = [read_exact(path) for path in tree.pictures]
    return match(items) if _both_domains(items) else None


def cuhk(tree: Tree) -> Found | None:
    """Understand folders named for what they hold, as the CUHK, AR and XM2VTS downloads are.

    `CUHK_training_photo` goes with `CUHK_training_sketch`, `CUHK_testing_cropped_photos` with its sketches, with or
    without one more folder inside. Where cropped and uncropped pictures lie side by side, the ones that give more pairs
    are used, the cropped ones when it is the same.
    """
    if not any(_telling(part) for path in tree.pictures for part in path.parts[:-1]):
        return None
    items = [read_words(path) for path in tree.pictures]
    variants = [[item for item in items if item.cropped is cropped] for cropped in (True, False)]
    tried = [match(variant) for variant in variants if _both_domains(variant)]
    if not tried:
        return match(items) if _both_domains(items) else None
    best = max(tried, key=lambda found: len(found.pairs))
    if all(found.pairs for found in tried) and len(tried) > 1:
        used, other = ("cropped", "uncropped") if best is tried[0] else ("uncropped", "cropped")
        best.notes.append(f"the folder holds {used} and {other} pictures; the {used} ones are used")
    return best


def _telling(folder: str) -> bool:
    """Tell whether a folder's name says photo or sketch and something else besides."""
    said = words(folder)
    return len(said) > 1 and any(word in DOMAIN_WORDS for word in said)


def _both_domains(items: list[Item]) -> bool:
    return {"photo", "sketch"} <= {item.domain for item in items}


LAYOUTS: dict[str, Layout] = {
    "pairs.csv": pairs_csv,
    "fs2k": fs2k,
    "cufsf": cufsf,
    "cuhk": cuhk,
    "photos-sketches": photos_and_sketches,
    "side-by-side": side_by_side,
}
