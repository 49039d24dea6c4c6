"""The files of a folder, and what their names say: photo or sketch, which side of a split, whose face."""

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
_SETS = frozenset({"cuhk", "cufs"})  # their stems are in print without a prefix
_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
_RESULTS = ({"config.toml", "log.jsonl"}, {"plan.json", "pictures"}, {"search.json", "search.png"})
"""What stands together in the folders that `train`, `study` and `search evaluate` write."""
_OWN = re.compile(r"pairs\.csv|people\.csv|report\.json|anno_\w+\.json")
_SIZE_MARK = re.compile(r"-sz\d+$")
_SUBJECTS = (
    re.compile(r"([a-z]+\d*-\d+)-\d+"),  # CUHK and AR: f-005-01, m1-010-01
    re.compile(r"(\d{3})_\d_\d"),  # XM2VTS: 000_1_1
    re.compile(r"(\d{5})(?:[a-z]{2}\d{3}[a-z]*_\d{6}|_\d{6}_[a-z]{2}).*"),  # FERET: 00001fa010_930831, 00001_930831_fa
)


@dataclass(frozen=True)
class Tree:
    """A folder and every file below it, as paths relative to it, in one order on every machine.

    Hidden files (`.DS_Store`, `._x.jpg`), `Thumbs.db` and `__MACOSX` are left out, and so are folders below it that
    hold a training, a study or a measured search, whose pictures show the same people once more. Symbolic links are
    followed.
    """

    folder: Path
    files: tuple[PurePosixPath, ...]
    odd: tuple[tuple[PurePosixPath, str], ...] = ()
    """What is neither a file nor a folder, such as a link that leads nowhere, each with what it is."""

    @cached_property
    def passed_over(self) -> tuple[tuple[PurePosixPath, str], ...]:
        """Return what is not read as a picture, each with the reason: unsupported pictures, odd things, other files.

        Lists that this program reads are left out.
        """
        others = (path for path in self.files if not (is_picture(path) or _OWN.fullmatch(path.name)))
        named = [(path, why_no_picture(path)) for path in others]
        unsupported = [each for each in named if each[1] != NO_PICTURE]
        return (*unsupported, *self.odd, *(each for each in named if each[1] == NO_PICTURE))

    @cached_property
    def pictures(self) -> tuple[PurePosixPath, ...]:
        """Return the files whose names are those of pictures."""
        return tuple(path for path in self.files if is_picture(path))

    @cached_property
    def _by_folded(self) -> dict[str, PurePosixPath]:
        return {fold(str(path)): path for path in reversed(self.files)}

    def find(self, name: str) -> PurePosixPath | None:
        """Return the file of this relative name, whatever its letter case, or None."""
        exact = PurePosixPath(name)
        return exact if (self.folder / exact).is_file() else self._by_folded.get(fold(str(exact)))


def walk(folder: Path) -> Tree:
    """List a folder.

    Raises:
        DataError: it is missing, is a file, may not be listed, or holds a name that is not UTF-8.
    """
    _require_text(folder)
    if not folder.exists():
        raise DataError(f"{folder}: no such folder", "give the folder that holds the photos and sketches")
    if not folder.is_dir():
        raise DataError(f"{folder}: a file", "give the folder that holds the photos and sketches")
    found = sorted(_files(folder, PurePosixPath(), frozenset()), key=lambda each: (fold(str(each[0])), str(each[0])))
    files = tuple(path for path, reason in found if not reason)
    return Tree(folder, files, tuple((path, reason) for path, reason in found if reason))


def _files(folder: Path, prefix: PurePosixPath, above: frozenset[str]) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield what is below a folder: a file, or else what it is instead."""
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
    """Refuse a name that is not UTF-8, as those in old archives: lists, settings and headers could not name it.

    Raises:
        DataError: with what to type.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise DataError(f"{shown}: a name that is not UTF-8", "rename it; convmv renames whole folders") from error


def fold(name: str) -> str:
    """Return a name such that spellings which differ in letter case or Unicode form alone become equal."""
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


def subject_named(stem: str, item: Item) -> str:
    """Return who a pair shows that is called by a stem: the person whom the file's name tells, or else the pair alone.

    The stem may begin with folders, which no pattern knows: one person in two folders must not be trained on and
    tested.
    """
    who = subject_of(item.stem)
    return stem if who == item.stem else who


@dataclass(frozen=True)
class Item:
    """One picture and what its path says.

    Attributes:
        path: relative to the folder.
        stem: the folded name, see `stem_of`.
        domain: photo, sketch, or None when no folder says so.
        split: the side that a folder such as `train` names.
        rest: folded folders that say neither, which photo and sketch of a pair have in common.
        cropped: whether a folder is marked as holding cropped pictures.
    """

    path: PurePosixPath
    stem: str
    domain: Domain | None = None
    split: Side | None = None
    rest: tuple[str, ...] = ()
    cropped: bool = False


def read_exact(path: PurePosixPath) -> Item:
    """Read folders that are called exactly `photos`, `sketches`, `train` and so on."""
    return _read(path, [[fold(part)] for part in path.parts[:-1]])


def read_words(path: PurePosixPath) -> Item:
    """Read folders with such words in their names, as `CUHK_training_cropped_photos` or `testing photo`."""
    return _read(path, [words(part) for part in path.parts[:-1]])


def words(name: str) -> list[str]:
    """Return the words of a folder's name."""
    return re.findall(r"[^\W_]+", fold(name))


def _read(path: PurePosixPath, folders: list[list[str]]) -> Item:
    domain: Domain | None = None
    split: Side | None = None
    cropped, rest = False, []
    for folder in folders:
        left = []
        for word in folder:
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
