"""The files of a folder, and what their names say: photo or sketch, side of a split, and person."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from facesketch.config import Domain
from facesketch.data.pairs import Side
from facesketch.errors import DataError
from facesketch.files import is_folder
from facesketch.images.io import NO_PICTURE, SUFFIXES, ending, irregular, is_picture, why_no_picture

DOMAIN_WORDS: dict[str, Domain] = {"photo": "photo", "photos": "photo", "sketch": "sketch", "sketches": "sketch"}
SPLIT_WORDS: dict[str, Side] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_SETS = frozenset({"cuhk", "cufs"})  # their stems are published without a prefix
_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_RESULTS = ({"config.toml", "log.jsonl"}, {"plan.json", "pictures"}, {"search.json", "search.png"})
"""Files by which to know a folder that `train`, `study` or `search evaluate` wrote."""
ANNOTATION = re.compile(r"anno_(?P<side>train|val|test)\.json")
"""The names of FS2K's lists."""
_OWN = re.compile(rf"pairs\.csv|people\.csv|report\.json|{ANNOTATION.pattern}")
_SIZE_MARK = re.compile(r"-sz\d+$")
_SUBJECTS = (
    re.compile(r"([a-z]+\d*-\d+)-\d+"),  # CUHK and AR: f-005-01, m1-010-01
    re.compile(r"(\d{3})_\d_\d"),  # XM2VTS: 000_1_1
    re.compile(r"(\d{5})(?:[a-z]{2}\d{3}[a-z]*_\d{6}|_\d{6}_[a-z]{2}).*"),  # FERET: 00001fa010_930831, 00001_930831_fa
)


@dataclass(frozen=True)
class Tree:
    """A folder and every file below it, as paths relative to it, in the same order on every machine.

    It leaves out hidden files (`.DS_Store`, `._x.jpg`), `Thumbs.db`, `__MACOSX`, and folders that hold a training, a
    study or the results of a search, whose pictures show the same people again. It follows symbolic links.
    """

    folder: Path
    files: tuple[PurePosixPath, ...]
    odd: tuple[tuple[PurePosixPath, str], ...] = ()
    """Paths of what is neither a file nor a folder, such as a broken link, each with what it is."""

    @cached_property
    def passed_over(self) -> tuple[tuple[PurePosixPath, str], ...]:
        """Return what is not read as a picture, each with the reason: unsupported pictures, odd things, other files.

        Lists that this program reads are left out.
        """
        others = (path for path in self.files if not (is_picture(path) or _OWN.fullmatch(fold(path.name))))
        named = [(path, why_no_picture(path)) for path in others]
        unsupported = [each for each in named if each[1] != NO_PICTURE]
        return (*unsupported, *self.odd, *(each for each in named if each[1] == NO_PICTURE))

    @cached_property
    def pictures(self) -> tuple[PurePosixPath, ...]:
        """Return the files that are pictures by their names."""
        return tuple(path for path in self.files if is_picture(path))

    @cached_property
    def _by_folded(self) -> dict[str, PurePosixPath]:
        return {fold(str(path)): path for path in reversed(self.files)}

    def find(self, name: str) -> PurePosixPath | None:
        """Return the file of this relative name in any letter case, or None."""
        exact = PurePosixPath(name)
        try:
            there = (self.folder / exact).is_file()
        except OSError:  # a name longer than any file's
            return None
        return exact if there else self._by_folded.get(fold(str(exact)))


def walk(folder: Path) -> Tree:
    """List a folder.

    Raises:
        DataError: it is missing, is a file, cannot be listed, or holds a name that is not UTF-8.
    """
    _require_text(folder)
    try:
        there, seen = folder.is_dir(), "a file" if folder.exists() else "no such folder"
    except OSError as error:  # too long a name, or below a folder without rights
        there, seen = False, f"cannot be read ({(error.strerror or 'error').lower()})"
    if not there:
        raise DataError(f"{folder}: {seen}", "give the folder that holds the photos and sketches")
    found = sorted(_files(folder, PurePosixPath(), frozenset()), key=lambda each: (fold(str(each[0])), str(each[0])))
    files = tuple(path for path, reason in found if not reason)
    return Tree(folder, files, tuple((path, reason) for path, reason in found if reason))


def _files(folder: Path, prefix: PurePosixPath, above: frozenset[str]) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield each path below a folder, with what it is if it is not a file."""
    real = os.path.realpath(folder)
    if real in above:  # a link back to a folder above would never end
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise DataError(f"{folder}: cannot be listed ({reason})", "give a folder that you may read") from error
    names = {entry.name for entry in entries}
    if prefix.parts and any(marks <= names for marks in _RESULTS):
        return
    for entry in entries:
        _require_text(Path(entry.path))
        if entry.name.startswith(".") or entry.name.casefold() in _LITTER:
            continue
        if is_folder(entry):
            yield from _files(Path(entry.path), prefix / entry.name, above | {real})
        else:
            yield prefix / entry.name, irregular(entry)


def _require_text(path: Path) -> None:
    """Refuse a name that is not UTF-8, as in old archives: lists, settings and headers could not hold it."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise DataError(f"{shown}: a name that is not UTF-8", "rename it; convmv renames whole folders") from error


def fold(name: str) -> str:
    """Return a name in one letter case and one Unicode form, so that it can be compared."""
    return unicodedata.normalize("NFC", name.casefold())


def stem_of(path: PurePosixPath) -> str:
    """Return a picture's folded name without its suffix (`.ppm.bz2` counts as one) and without CUHK's `-sz1`."""
    name = fold(path.name)
    suffix = ending(name)
    return _SIZE_MARK.sub("", name.removesuffix(suffix) if suffix in SUFFIXES else name)


def subject_of(stem: str) -> str:
    """Return who a pair shows, from the names of CUHK, AR, XM2VTS and FERET; otherwise the stem itself."""
    for pattern in _SUBJECTS:
        if match := pattern.fullmatch(stem):
            return match[1]
    return stem


@dataclass(frozen=True)
class Item:
    """One picture and what its path says."""

    path: PurePosixPath
    """Relative to the folder."""
    stem: str
    """The folded name, see `stem_of`."""
    domain: Domain | None = None
    split: Side | None = None
    rest: tuple[str, ...] = ()
    """The folded names of the other folders, which are the same for both pictures of a pair."""
    cropped: bool = False
    """Whether a folder is marked as holding cropped pictures."""


def words(name: str) -> list[str]:
    """Return the words of a folder's name, folded."""
    return re.findall(r"[^\W_]+", fold(name))


def read(path: PurePosixPath, *, exact: bool = False) -> Item:
    """Read the words in a path's folders, such as `CUHK_training_cropped_photos` or `testing photo`.

    With `exact`, folders must be called just `photos`, `sketches`, `train` and so on.
    """
    domain: Domain | None = None
    split: Side | None = None
    cropped, rest = False, []
    for folder in path.parts[:-1]:
        left = []
        for word in [fold(folder)] if exact else words(folder):
            if word in DOMAIN_WORDS:
                domain = DOMAIN_WORDS[word]  # the innermost folder decides
            elif word in SPLIT_WORDS:
                split = SPLIT_WORDS[word]
            elif word == "cropped":
                cropped = True
            elif word not in _SETS:
                left.append(word)
        if left:
            rest.append("-".join(left))
    return Item(path, stem_of(path), domain, split, tuple(rest), cropped)
