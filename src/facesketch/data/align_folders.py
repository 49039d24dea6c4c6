"""Align every picture of some folders to one frame, keep pairs together, and report what was found."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from facesketch.data.index import Index, index
from facesketch.data.layouts.tree import fold, walk
from facesketch.data.pairs import NoPairsError, Source
from facesketch.devices import ThreadedMap, processors
from facesketch.errors import DataError, FaceError, ImageError, OutputError
from facesketch.faces import FaceFinder, align, choose
from facesketch.faces.frame import FRAME
from facesketch.files import require_folder_name, write_json, write_text
from facesketch.images.contact_sheet import sheet
from facesketch.images.io import open_image, save_image
from facesketch.images.photo_or_sketch import kind_of

_LOOKED_AT = 9  # pictures that tell side-by-side pairs from landscapes
_ON_CONTACT = 48  # pictures on the contact sheet
_ACROSS = 8
_TABLE, _REPORT, _CONTACT = "pairs.csv", "report.json", "contact.png"
_OWN_FILES = (_TABLE, _REPORT, _CONTACT)
_OWN_FOLDERS = ("photos", "sketches")  # of pairs
_OWN_COLUMNS = ("stem", "subject", "split", "photo", "sketch")


@dataclass(frozen=True)
class Picture:
    """One picture to align."""

    role: str
    """`photo`, `sketch`, or `picture` if it belongs to no pair."""
    source: Source
    place: PurePosixPath
    """Where the aligned one goes, relative to the output folder."""


@dataclass(frozen=True)
class Unit:
    """Pictures that are kept or left out together: a pair, or one picture."""

    name: str
    pictures: tuple[Picture, ...]
    row: dict[str, str] = field(default_factory=dict, hash=False)
    """The pair's row of `pairs.csv`; empty for a single picture."""


@dataclass(frozen=True)
class Measured:
    """What aligning one picture showed."""

    role: str
    name: str
    """The path of the picture."""
    scale: float = 0.0
    """How many pixels of the frame one of its pixels becomes; 0 if it has no face or cannot be read."""
    angle: float = 0.0
    """How many degrees clockwise the eyes were tilted in the upright picture."""
    turn: int = 0
    """How far the picture was turned, as in `Face`."""


@dataclass(frozen=True)
class AlignedFolders:
    """What became of the folders."""

    kept: tuple[Unit, ...]
    """The units whose pictures were written, in order."""
    left_out: tuple[tuple[str, str], ...]
    """Names of the others, each with the reason."""
    measured: tuple[Measured, ...]
    """Every picture that was read."""
    passed_over: tuple[tuple[Path, str], ...] = ()
    """Pictures without a counterpart, and files that are not read as pictures, each with the reason."""

    @property
    def turned(self) -> tuple[tuple[str, int], ...]:
        """The pictures that lay on their side or upside down, each with how many degrees clockwise it was turned."""
        return tuple((one.name, one.turn) for one in self.measured if one.turn)

    @property
    def pairs(self) -> int:
        """How many pairs were written."""
        return sum(bool(unit.row) for unit in self.kept)


def align_folders(
    folders: Sequence[Path],
    out: Path,
    finder: FaceFinder,
    *,
    scale: float = 1.0,
    number: int = 1,
    suffix: str = ".png",
    progress: Callable[[int, int], None] | None = None,
) -> AlignedFolders:
    """Align every picture of some folders and write them with `pairs.csv`, `report.json` and `contact.png`.

    A folder of pairs, in any layout that `facesketch.data.index` knows, stays a folder of pairs. A pair is left out if
    one of its pictures shows no face. The pictures of any other folder keep their places in its tree.

    Args:
        folders: at least one.
        out: the folder to write, outside of the others.
        finder: finds the faces.
        scale: how many times the frame's size the pictures have.
        number: which face of each picture: 1 is the largest.
        suffix: the suffix of the written pictures; one that `save_image` knows.
        progress: called after each pair or picture with how many are done and how many there are.

    Raises:
        DataError: a folder is missing or holds no picture.
        FaceError: no picture shows a face.
        OutputError: the output folder lies in one of the others, or cannot be written.
    """
    require_folder_name(out)
    for folder in folders:
        inner, outer = out.resolve(), folder.resolve()
        if inner.is_relative_to(outer) or outer.is_relative_to(inner):
            raise OutputError(f"{out}: overlaps {folder}", "give an `out` beside it, so that nothing is aligned twice")
    units = plan(folders, suffix)
    kept: list[Unit] = []
    left_out: list[tuple[str, str]] = []
    measured: list[Measured] = []

    align_one = partial(_align_unit, out=out, finder=finder, scale=scale, number=number)
    with ThreadedMap(align_one, units, threads=min(4, processors())) as results:
        for unit, (pictures, reason) in zip(units, results, strict=True):
            measured += pictures
            if reason:
                left_out.append((unit.name, reason))
            else:
                kept.append(unit)
            if progress is not None:
                progress(len(kept) + len(left_out), len(units))
    passed = tuple(
        (folder / path, reason)
        for folder in folders
        for path, reason in (*_unpaired(folder), *((str(path), reason) for path, reason in walk(folder).passed_over))
    )
    done = AlignedFolders(tuple(kept), tuple(left_out), tuple(measured), passed)
    if not kept:
        raise FaceError(f"{folders[0]}: none of {len(units)} could be aligned", f"the first: {left_out[0][1]}")
    _write(done, folders, out, scale)
    return done


def _align_unit(unit: Unit, out: Path, finder: FaceFinder, scale: float, number: int) -> tuple[list[Measured], str]:
    """Align the pictures of a unit and write them if all have a face; otherwise return why they are left out."""
    measured: list[Measured] = []
    aligned: list[Image.Image] = []
    reason = ""
    for picture in unit.pictures:
        name = str(picture.source.path)
        try:
            image = picture.source.open()
            made = align(image, choose(finder.find(image, most=number), number)[0], scale=scale)
        except (ImageError, FaceError) as error:
            reason = reason or (f"{name}: {error.seen}" if isinstance(error, FaceError) else str(error))
            measured.append(Measured(picture.role, name))
            continue
        aligned.append(made.image)
        (left_x, left_y), (right_x, right_y) = made.face.eyes
        angle = math.degrees(math.atan2(right_y - left_y, right_x - left_x)) + made.face.turn
        enlarged = math.sqrt(abs(np.linalg.det(made.matrix[:, :2])))
        measured.append(Measured(picture.role, name, enlarged, (angle + 180) % 360 - 180, made.face.turn))
    if not reason:
        for picture, image in zip(unit.pictures, aligned, strict=True):
            save_image(image, out / picture.place)
    return measured, reason


def plan(folders: Sequence[Path], suffix: str) -> list[Unit]:
    """Return the units to align, in order, with the place of each picture and the row of each pair.

    With several folders, stems and subjects that two of them share begin with the folder's name, the column `set` names
    the folder, and `style` becomes `SET-STYLE`, or the set's name if there was none. A name that is still taken gets a
    number at its end.

    Raises:
        DataError: as `facesketch.data.index.index`, or a folder has no pictures.
    """
    indexed = [_indexed(folder) for folder in folders]
    paired = [None if each is None else each.pairs for each in indexed]
    reserved = _OWN_FILES if all(pairs is None for pairs in paired) else (*_OWN_FILES, *_OWN_FOLDERS)
    own = [(str(place), folder.resolve().name) for place, folder in enumerate(folders)]
    sets = _distinct([(place, name, name) for place, name in own], reserved)
    many = len(folders) > 1
    found = [(sets[key], folder, pairs) for key, folder, pairs in zip(own, folders, paired, strict=True)]
    known = [(name, pair) for name, _, pairs in found for pair in pairs or ()]
    stems = _distinct([(name, pair.stem, f"{name}-{pair.stem}") for name, pair in known])
    subjects = _distinct([(name, pair.subject, f"{name}-{pair.subject}") for name, pair in known])
    units: list[Unit] = []
    for name, folder, pairs in found:
        if pairs is None:
            inside = PurePosixPath(name) if many else PurePosixPath()
            for path, place in _places(folder, inside, suffix).items():
                units.append(Unit(str(inside / path), (Picture("picture", Source(folder / path), place),)))
        for pair in pairs or ():
            stem = stems[name, pair.stem]
            photo, sketch = (PurePosixPath(each, stem + suffix) for each in _OWN_FOLDERS)
            attributes = dict(pair.attributes)
            if many:
                style = attributes.get("style", "")
                attributes |= {"set": name, "style": f"{name}-{style}" if style else name}
            cells = (stem, subjects[name, pair.subject], pair.split or "", str(photo), str(sketch))
            pictures = Picture("photo", pair.photo, photo), Picture("sketch", pair.sketch, sketch)
            units.append(Unit(stem, pictures, attributes | dict(zip(_OWN_COLUMNS, cells, strict=True))))
    return units


def _indexed(folder: Path) -> Index | None:
    """Return the pairs of a folder, or None if it is just a folder of pictures."""
    try:
        found = index(folder)
    except NoPairsError:
        if walk(folder).find("pairs.csv"):
            raise
        return None
    if found.layout == "side-by-side":  # or landscapes, which are as wide
        differ = []
        for pair in found.pairs[:: max(1, len(found.pairs) // _LOOKED_AT)]:
            with suppress(ImageError):
                differ.append(kind_of(pair.photo.open()) != kind_of(pair.sketch.open()))
        if sum(differ) * 2 <= len(differ):
            return None
    return found


def _unpaired(folder: Path) -> list[tuple[str, str]]:
    """Return the pictures of a folder of pairs that no pair has, and listed files that are not there."""
    found = _indexed(folder)
    if found is None:
        return []
    missing = [(name, reason) for name, _, reason in (line.rpartition(": ") for line in found.unreadable)]
    alone = {"no sketch goes with it": found.orphan_photos, "no photo goes with it": found.orphan_sketches}
    return [*missing, *((name, reason) for reason, names in alone.items() for name in names)]


def _distinct(wanted: Sequence[tuple[str, str, str]], reserved: Collection[str] = ()) -> dict[tuple[str, str], str]:
    """Return a name for each (owner, short name); no two names are the same, even if letter case is ignored.

    Args:
        wanted: owner, short name and long name of each thing. It keeps the short name unless another owner wants it
            too. Then it gets the long one, with a number at its end if that is taken.
        reserved: names that nothing gets.
    """
    wanted = list(dict.fromkeys(wanted))
    owners = Counter(name for _, name in {(owner, fold(short)) for owner, short, _ in wanted})
    plain = {name for name, many in owners.items() if many == 1 and name not in reserved}
    names, taken = dict[tuple[str, str], str](), {*reserved, *plain}
    for owner, short, long in wanted:
        name = short
        if fold(short) not in plain:
            tries = chain([long], (f"{long}-{number}" for number in count(2)))
            name = next(each for each in tries if fold(each) not in taken)
            taken.add(fold(name))
        names[owner, short] = name
    return names


def _places(folder: Path, inside: PurePosixPath, suffix: str) -> dict[PurePosixPath, PurePosixPath]:
    """Return where each picture of a folder goes: each to its own place, and none where one of our files goes."""
    pictures = walk(folder).pictures
    if not pictures:
        raise DataError(f"{folder}: no picture in it", "give a folder of pictures or of pairs")

    def label(path: PurePosixPath) -> str:
        ours = fold((inside / f"{path}{suffix}").parts[0]) in _OWN_FILES
        return f"picture-{path}" if ours else str(path)

    # a.jpg and a.png must not become one file
    wanted = {path: (str(path), label(path.with_suffix("")), label(path)) for path in pictures}
    labels = _distinct(list(wanted.values()))
    return {path: inside / f"{labels[each[:2]]}{suffix}" for path, each in wanted.items()}


def _write(done: AlignedFolders, folders: Sequence[Path], out: Path, scale: float) -> None:
    rows = [unit.row for unit in done.kept if unit.row]
    if rows:
        extra = sorted({column for row in rows for column in row} - set(_OWN_COLUMNS))
        text = io.StringIO()
        writer = csv.DictWriter(text, [*_OWN_COLUMNS, *extra], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(out / _TABLE, text.getvalue())
    report = {
        "folders": [str(folder) for folder in folders],
        "frame": asdict(FRAME) | {"scale": scale},
        "pairs": done.pairs,
        "pictures": {role: _figures(done, role) for role in dict.fromkeys(one.role for one in done.measured)},
        "turned": [{"name": name, "degrees": degrees} for name, degrees in done.turned],
        "left_out": [{"name": name, "reason": reason} for name, reason in done.left_out],
        "passed_over": [{"name": str(name), "reason": reason} for name, reason in done.passed_over],
    }
    write_json(out / _REPORT, report)
    save_image(_contact_sheet(done, out), out / _CONTACT)


def _figures(done: AlignedFolders, role: str) -> dict[str, Any]:
    looked_at = [one for one in done.measured if one.role == role]
    found = [one for one in looked_at if one.scale]
    values = {"angle_degrees": [one.angle for one in found], "scale": [one.scale for one in found]}
    shares = {"least": 0, "p5": 5, "median": 50, "p95": 95, "most": 100} if found else {}
    return {"looked_at": len(looked_at), "found": len(found)} | {
        key: {name: round(float(np.percentile(listed, share)), 3) for name, share in shares.items()}
        for key, listed in values.items()
    }


def _contact_sheet(done: AlignedFolders, out: Path) -> Image.Image:
    """Return some of the written pictures, spread evenly, the two of a pair side by side."""
    widest = max(len(unit.pictures) for unit in done.kept)
    few = min(len(done.kept), _ON_CONTACT // widest)
    pictures: list[Image.Image | None] = []
    for unit in (done.kept[place * len(done.kept) // few] for place in range(few)):
        images = [open_image(out / picture.place) for picture in unit.pictures]
        pictures += [*images, *[None] * (widest - len(images))]
    pictures += [None] * (-len(pictures) % _ACROSS)
    rows = [pictures[start : start + _ACROSS] for start in range(0, len(pictures), _ACROSS)]
    columns = ("photo", "sketch") * (_ACROSS // 2) if widest == 2 else ("",) * _ACROSS
    return sheet(rows, columns, cell=(160, 200))
