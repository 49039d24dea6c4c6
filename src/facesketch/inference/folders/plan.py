"""Which picture goes where, and which are done; made by listing folders, so that it is fast for a million files."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from facesketch.data.layouts.tree import fold
from facesketch.errors import ConfigError, ImageError, OutputError
from facesketch.files import is_folder, part_name, require_folder_name
from facesketch.images.io import EXPECTED, NO_PICTURE, SUFFIXES, WRITABLE, why_passed_over

_ABANDONED = 60.0  # seconds after which nobody is still writing a half-written file
_ENDING = re.compile(r"\.[A-Za-z]{2,4}")
_PART = re.compile(r"\.(?P<name>.+)\.\d+\.part")
_FURTHER = re.compile(r"-\d+(?P<suffix>\.[^.]+)$")
Skipped = tuple[Path, str]
_NUMBERED = re.compile(r"(?P<stem>.+)-\d+")


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to translate.

    Attributes:
        source: what to read.
        target: what to write last, so that a job is done where it exists.
        done: everything was already there when the plan was made.
        numbered: the target's name ends in `-1`, and further faces of the picture go to `-2`, `-3` and so on.
        sheet: where input and output are written side by side, or None.
    """

    source: Path
    target: Path
    done: bool
    numbered: bool = False
    sheet: Path | None = None

    def place(self, number: int) -> Path:
        """Return where a face goes, counted from 0."""
        if number == 0:
            return self.target
        assert self.numbered, "only a numbered job has places for further faces"
        stem = self.target.stem.removesuffix("-1")
        return self.target.with_name(f"{stem}-{number + 1}{self.target.suffix}")


@dataclass(slots=True)
class _Pair:
    """A picture, and the name of its translation without number and suffix; strings, since Paths are slow to make.

    Attributes:
        source: the folder that the picture lies in.
        name: its name.
        folder: the folder that its translation goes to.
        stem: the name of the translation.
        link: the picture is a link.
    """

    source: str
    name: str
    folder: str
    stem: str
    link: bool = False


def plan(
    paths: Sequence[Path],
    out: Path,
    *,
    suffix: str = ".png",
    overwrite: bool = False,
    numbered: bool = False,
    sheet: bool = False,
    passed_over: list[Skipped] | None = None,
) -> list[Job]:
    """Decide for every picture under some paths where its translation goes.

    A single file goes to `out` itself when that is named like a picture. Everything else goes into the folder `out`,
    which mirrors each given folder. Targets that exist count as done, so that a job that stopped continues.

    Args:
        paths: pictures and folders.
        out: a file or a folder.
        suffix: kind of picture to write into a folder.
        overwrite: count nothing as done.
        numbered: a picture may give several, `NAME-1`, `NAME-2` and so on.
        sheet: write input and output side by side too, as `NAME-sheet`.
        passed_over: gets the files in the folders that are not read as pictures, each with the reason.

    Raises:
        ConfigError: the suffix is not that of a picture.
        ImageError: a path does not exist, cannot be read, or is a folder without pictures.
        OutputError: a translation would overwrite an input, or a new folder is named like a file.
    """
    if len(paths) == 1 and not paths[0].is_dir() and out.suffix.lower() in WRITABLE:
        if not paths[0].exists():
            raise ImageError(f"{paths[0]}: no such file or folder", "give the path of a picture")
        pairs = [_single(paths[0], out.parent, out.stem)]
        suffix, overwrite = out.suffix, True  # the user named this very file
    else:
        if suffix.lower() not in WRITABLE:
            raise ConfigError(f"suffix '{suffix}' is not that of a picture", "type `suffix` .png, .jpg, .webp or .tif")
        if not out.exists():
            if out.suffix.lower() in SUFFIXES:
                raise OutputError(f"{out}: named like a file", "give a folder, or make this one first")
            if len(paths) == 1 and paths[0].is_file() and _ENDING.fullmatch(out.suffix):
                hint = "name it .png, .jpg, .webp or .tif, or make the folder first"
                raise OutputError(f"{out}: cannot write a '{out.suffix}' picture", hint)
        require_folder_name(out)
        passed_over = [] if passed_over is None else passed_over
        pairs = [pair for path in paths for pair in _mirror(path, out, passed_over, several=len(paths) > 1)]
        _part_clashes(pairs, sheet)
    return list(_jobs(pairs, suffix, overwrite=overwrite, numbered=numbered, sheet=sheet))


def named(out: Path, *, numbered: bool = False, sheet: bool = False) -> Job:
    """Return the job of a picture from a pipe, which goes to this file."""
    target = out.with_name(f"{out.stem}-1{out.suffix}") if numbered else out
    beside = out.with_name(f"{out.stem}-sheet{out.suffix}") if sheet else None
    return Job(Path("-"), target, False, numbered, beside)


def _single(path: Path, folder: Path, stem: str) -> _Pair:
    return _Pair(os.fspath(path.parent), path.name, os.fspath(folder), stem, path.is_symlink())


def _mirror(path: Path, out: Path, passed_over: list[Skipped], *, several: bool) -> list[_Pair]:
    if path.is_file():
        return [_single(path, out, path.stem)]
    if not path.is_dir():
        raise ImageError(f"{path}: no such file or folder", "give the path of a picture")
    inside, top = Path(os.path.realpath(out)), path.resolve()
    avoid = None if top.is_relative_to(inside) else inside
    own = path.name if path.name not in {"", ".."} else top.name  # `..` would lead out of the output
    base = out / own if several else out
    before = len(passed_over)
    found = [
        _Pair(os.fspath(folder), entry.name, there, os.path.splitext(entry.name)[0], entry.is_symlink())  # noqa: PTH122
        for folder, entries in _pictures(path, avoid, passed_over)
        for there in [os.fspath(base / folder.relative_to(path))]
        for entry in entries
    ]
    if not found:
        first = min(passed_over[before:], key=lambda each: each[1] == NO_PICTURE, default=None)
        seen = f", but {first[0]}: {first[1]}" if first else f"; expected {EXPECTED}"
        raise ImageError(f"{path}: no pictures in this folder{seen}")
    return found


def _pictures(
    top: Path, avoid: Path | None, passed_over: list[Skipped]
) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """List the pictures of a folder and of those below, sorted, without following links to folders."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            seen = f"{folder}: cannot be read ({error.strerror})"
            raise ImageError(seen, "give folders that you may read") from error
        below = [folder / entry.name for entry in listed if entry.is_dir(follow_symlinks=False)]
        # a link may lead into the output; other entries lie where they are listed
        yield (
            folder,
            [
                entry
                for entry in listed
                if _is_picture(entry, passed_over)
                and not (avoid and entry.is_symlink() and Path(entry.path).resolve().is_relative_to(avoid))
            ],
        )
        waiting += [each for each in reversed(below) if avoid is None or each.resolve() != avoid]


def _is_picture(entry: os.DirEntry[str], passed_over: list[Skipped]) -> bool:
    """Tell whether an entry is a picture, and note other files that are not hidden."""
    if entry.name.startswith(".") or is_folder(entry):
        return False
    reason = why_passed_over(entry)
    if reason:
        passed_over.append((Path(entry.path), reason))
    return not reason


def _part_clashes(pairs: list[_Pair], sheet: bool) -> None:
    """Give pictures that would share a name different ones: the second keeps its suffix, a third gets a number.

    Letter case does not count, as it does not on macOS and Windows.
    """
    taken: set[tuple[str, str]] = set()
    for pair in pairs:
        name, number = pair.name, 1
        while {(pair.folder, fold(made)) for made in _made(pair.stem, sheet)} & taken:
            pair.stem = name if number == 1 else f"{name}-{number}"
            number += 1
        taken.update((pair.folder, fold(made)) for made in _made(pair.stem, sheet))


def _made(stem: str, sheet: bool) -> tuple[str, ...]:
    return (stem, f"{stem}-sheet") if sheet else (stem,)


def _inputs(pairs: list[_Pair]) -> dict[str, set[str]]:
    """Return the folded names of the inputs by the real folder they lie in, also of those that links lead to."""
    folders: dict[str, str] = {}
    inputs: dict[str, set[str]] = {}
    for pair in pairs:
        folder = folders.get(pair.source) or folders.setdefault(pair.source, os.path.realpath(pair.source))
        inputs.setdefault(folder, set()).add(fold(pair.name))
        if pair.link:
            real = Path(pair.source, pair.name).resolve()
            inputs.setdefault(os.fspath(real.parent), set()).add(fold(real.name))
    return inputs


def _jobs(pairs: list[_Pair], suffix: str, *, overwrite: bool, numbered: bool, sheet: bool) -> Iterator[Job]:
    """Yield the job of each pair, and list every folder of targets only once."""
    inputs, real, listed = _inputs(pairs), cache(os.path.realpath), cache(_listed)
    without_number = {  # the names of inputs that end in a number, as further faces of a picture do
        folder: {found["stem"] + end for stem, end in split if (found := _NUMBERED.fullmatch(stem))}
        for folder, names in (inputs.items() if numbered else ())
        for split in [map(os.path.splitext, names)]
    }
    for pair in pairs:
        plain = f"{pair.stem}{suffix}"
        name, folder = f"{pair.stem}-1{suffix}" if numbered else plain, real(pair.folder)
        beside = f"{pair.stem}-sheet{suffix}" if sheet else None
        hit = next((made for made in (name, beside) if made and fold(made) in inputs.get(folder, ())), None)
        if hit is None and fold(plain) in without_number.get(folder, ()):
            hit = f"{pair.stem}-2{suffix}"
        if hit is not None:
            seen = f"{Path(pair.folder, hit)}: is one of the inputs and is never overwritten"
            raise OutputError(seen, "give another `out`")
        there = listed(pair.folder)
        done = not overwrite and name in there and (beside is None or beside in there)
        place = Path(pair.folder, beside) if beside else None
        yield Job(Path(pair.source, pair.name), Path(pair.folder, name), done, numbered, place)


def _listed(folder: str) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except OSError:  # not there yet
        return set()


def sweep(jobs: Sequence[Job]) -> None:
    """Remove half-written files that a killed run left in the places of these jobs."""
    waiting: dict[Path, set[str]] = {}
    for job in jobs:
        names = waiting.setdefault(job.target.parent, set())
        names.update(part_name(path.name) for path in (job.target, job.sheet) if path)
    for folder, names in waiting.items():
        with suppress(OSError), os.scandir(folder) as entries:  # a folder that is not there yet, a part that has gone
            for entry in entries:
                if part := _PART.fullmatch(entry.name):
                    meant = {part["name"], _FURTHER.sub(r"-1\g<suffix>", part["name"])} & names
                    if meant and time.time() - entry.stat().st_mtime > _ABANDONED:
                        Path(entry.path).unlink(missing_ok=True)
