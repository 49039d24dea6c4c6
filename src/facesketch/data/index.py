"""Find the pairs in a folder, whatever its layout, and report what does not fit."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from facesketch.data.layouts.registry import LAYOUTS
from facesketch.data.layouts.tree import Tree, walk
from facesketch.data.pairs import SIDES, Found, NoPairsError, Pair, Side, Source
from facesketch.errors import DataError, ImageError, nearest
from facesketch.images.io import NO_PICTURE

__all__ = ["LAYOUTS", "SIDES", "Index", "NoPairsError", "Pair", "Report", "Side", "Source", "check", "index"]

Size = tuple[int, int]
_EXAMPLES = 3


@dataclass(frozen=True)
class Index:
    """The pairs of a folder. Other than the pairs' own paths, paths are relative to the folder.

    Attributes:
        folder: where it was looked.
        layout: name of the layout that was understood, a key of `LAYOUTS`.
        pairs: sorted by stem, each stem once.
        orphan_photos: photos without a sketch.
        orphan_sketches: sketches without a photo.
        duplicates: groups of files that answer to one name; the first of each is used.
        unreadable: files that are named but missing, or that plainly are no pictures, each with the reason.
        notes: what else there is to know, one sentence each.
        passed_over: files that are not read as pictures, each with the reason; pictures of other kinds come first.
    """

    folder: Path
    layout: str
    pairs: tuple[Pair, ...]
    orphan_photos: tuple[str, ...] = ()
    orphan_sketches: tuple[str, ...] = ()
    duplicates: tuple[tuple[str, ...], ...] = ()
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Return the subjects, sorted."""
        return tuple(sorted({pair.subject for pair in self.pairs}))


@dataclass(frozen=True)
class Report:
    """An index, and what came out when every picture was read.

    Attributes:
        index: the pairs and what did not pair.
        unreadable: files that are missing, empty, damaged or no pictures, each with the reason.
        odd_sized: pairs whose two pictures differ in size, or whose size is not that of most others.
        identical: groups of files with the very same bytes.
        usable: pairs of which both pictures can be read.
        size: (width, height) of more than half of the photos, or None when there is no such size.
    """

    index: Index
    unreadable: tuple[str, ...]
    odd_sized: tuple[str, ...]
    identical: tuple[tuple[str, ...], ...]
    usable: tuple[Pair, ...]
    size: Size | None


def index(folder: Path, layout: str = "auto") -> Index:
    """Find the pairs in a folder by its names; no picture is read, except a few side-by-side ones.

    Args:
        folder: the folder of pairs.
        layout: a key of `LAYOUTS`, or `auto` for the first of them that gives pairs.

    Raises:
        DataError: the folder is missing, the layout is not known, or a file that describes the pairs is wrong.
        NoPairsError: (a DataError) nothing pairs.
    """
    folder = Path(folder)
    if layout != "auto" and layout not in LAYOUTS:
        raise DataError(
            f"layout '{layout}' is not known", nearest(layout, LAYOUTS, f"known: auto, {', '.join(LAYOUTS)}")
        )
    tree = walk(folder)
    partly: dict[str, Found] = {}
    for name in LAYOUTS if layout == "auto" else (layout,):
        found = LAYOUTS[name](tree)
        if found is not None and found.pairs:
            return _index(tree, name, found)
        if found is not None:
            partly[name] = found
        if found is not None and name == "pairs.csv":
            break  # who wrote a list of pairs means that list
    raise _nothing(tree, layout, partly)


def _index(tree: Tree, layout: str, found: Found) -> Index:
    pairs: dict[str, Pair] = {}
    for pair in sorted(found.pairs, key=lambda pair: (pair.stem, str(pair.sketch.path))):
        if pair.stem in pairs:
            found.duplicates.append((str(pairs[pair.stem].sketch.path), str(pair.sketch.path)))
        else:
            pairs[pair.stem] = pair
    return Index(
        folder=tree.folder,
        layout=layout,
        pairs=tuple(_placed(tree.folder, pair) for pair in pairs.values()),
        orphan_photos=tuple(sorted(found.orphan_photos)),
        orphan_sketches=tuple(sorted(found.orphan_sketches)),
        duplicates=tuple(sorted(found.duplicates)),
        unreadable=tuple(sorted(set(found.unreadable))),
        notes=tuple(found.notes),
        passed_over=tuple(f"{path}: {reason}" for path, reason in tree.passed_over),
    )


def _placed(folder: Path, pair: Pair) -> Pair:
    photo = replace(pair.photo, path=folder / pair.photo.path)
    return replace(pair, photo=photo, sketch=replace(pair.sketch, path=folder / pair.sketch.path))


def _nothing(tree: Tree, layout: str, partly: dict[str, Found]) -> NoPairsError:
    """Say in one line what was seen and what was looked for."""
    looked = "looked for " + (", ".join(LAYOUTS) if layout == "auto" else f"the layout '{layout}'")
    todo = "put photos into photos/ and sketches into sketches/, each pair under one name"
    for name, found in partly.items():
        photos, sketches = found.orphan_photos, found.orphan_sketches
        if photos or sketches or found.unreadable:
            seen = f"as {name}: {_few('photo', photos)}, {_few('sketch', sketches, 'sketches')}"
            seen += f", {_few('missing file', found.unreadable)}" if found.unreadable else ""
            return NoPairsError(f"{tree.folder}: nothing pairs; seen {seen}; {looked}", todo)
    seen = _few("picture", [str(path) for path in tree.pictures])
    if tree.files and not tree.pictures:
        seen = f"no picture, but {_few('file', [str(path) for path in tree.files])}"
    if tree.passed_over and tree.passed_over[0][1] != NO_PICTURE:
        seen += f"; {tree.passed_over[0][0]}: {tree.passed_over[0][1]}"
    return NoPairsError(f"{tree.folder}: nothing pairs; seen {seen}; {looked}", todo)


def _few(word: str, names: Sequence[str], several: str | None = None) -> str:
    if not names:
        return f"no {word}"
    such = ", ".join(names[:_EXAMPLES]) + (", …" if len(names) > _EXAMPLES else "")
    return f"{len(names)} {word if len(names) == 1 else several or word + 's'} ({such})"


def check(folder: Path, layout: str = "auto", *, progress: Callable[[int, int], None] | None = None) -> Report:
    """Find the pairs as `index` does, then read every picture of them in full.

    Args:
        folder: the folder of pairs.
        layout: a key of `LAYOUTS`, or `auto`.
        progress: called with the number of files read and of all files, after each.

    Raises:
        DataError: as `index`.
    """
    found = index(folder, layout)
    files = sorted({source.path for pair in found.pairs for source in (pair.photo, pair.sketch)})
    looks: dict[Path, _Look] = {}
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for path, look in zip(files, pool.map(_look, files), strict=True):
            looks[path] = look
            if progress is not None:
                progress(len(looks), len(files))
    size = _majority(_size(pair.photo, looks) for pair in found.pairs)
    bad = [look.problem for look in looks.values() if look.problem]
    return Report(
        index=found,
        unreadable=tuple(sorted([*found.unreadable, *(_short(found.folder, problem) for problem in bad)])),
        odd_sized=tuple(filter(None, (_odd(pair, looks, size) for pair in found.pairs))),
        identical=_identical(found.folder, looks),
        usable=tuple(p for p in found.pairs if looks[p.photo.path].size and looks[p.sketch.path].size),
        size=size,
    )


@dataclass(frozen=True)
class _Look:
    """What reading one file gave: its size and the hash of its bytes, or the problem."""

    size: Size | None = None
    digest: str = ""
    problem: str = ""


def _look(path: Path) -> _Look:
    try:
        size = Source(path).open().size
        return _Look(size, hashlib.sha256(path.read_bytes()).hexdigest())
    except (ImageError, OSError) as error:
        return _Look(problem=str(error))


def _short(folder: Path, problem: str) -> str:
    return problem.removeprefix(f"{folder}{os.sep}")


def _size(source: Source, looks: dict[Path, _Look]) -> Size | None:
    """Return (width, height) of a picture, or of the half of one that a source is."""
    size = looks[source.path].size
    return size if size is None or source.half is None else (size[0] // 2, size[1])


def _majority(sizes: Iterable[Size | None]) -> Size | None:
    counts = Counter(size for size in sizes if size)
    if not counts:
        return None
    size, count = counts.most_common(1)[0]
    return size if count * 2 > counts.total() else None


def _odd(pair: Pair, looks: dict[Path, _Look], usual: Size | None) -> str:
    photo, sketch = _size(pair.photo, looks), _size(pair.sketch, looks)
    if not photo or not sketch:
        return ""
    if photo != sketch:
        return f"{pair.stem}: photo {photo[0]}x{photo[1]}, sketch {sketch[0]}x{sketch[1]}"
    if usual and photo != usual:
        return f"{pair.stem}: {photo[0]}x{photo[1]}, most are {usual[0]}x{usual[1]}"
    return ""


def _identical(folder: Path, looks: dict[Path, _Look]) -> tuple[tuple[str, ...], ...]:
    groups: dict[str, list[str]] = defaultdict(list)
    for path, look in looks.items():
        if look.digest:
            groups[look.digest].append(path.relative_to(folder).as_posix())
    return tuple(sorted(tuple(group) for group in groups.values() if len(group) > 1))
