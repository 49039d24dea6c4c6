"""Find the pairs in a folder, whatever its layout, and report what does not fit."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facesketch.data.layouts.registry import LAYOUTS
from facesketch.data.layouts.tree import Tree, walk
from facesketch.data.pairs import Found, NoPairsError, Pair, Source
from facesketch.devices import ThreadedMap, processors
from facesketch.errors import DataError, ImageError, nearest
from facesketch.images.io import NO_PICTURE

Size = tuple[int, int]
_EXAMPLES = 3


@dataclass(frozen=True)
class Index:
    """The pairs of a folder. Paths are relative to the folder, except those of the pairs.

    Attributes:
        layout: a key of `LAYOUTS`.
        pairs: sorted by stem, each stem once.
        orphan_photos: photos without a sketch.
        orphan_sketches: sketches without a photo.
        duplicates: groups of files with the same name; the first of each is used.
        unreadable: files that are listed but missing, or that are clearly no pictures, each with the reason.
        notes: other remarks, one sentence each.
        passed_over: files that are not read as pictures, each with the reason; unsupported pictures come first.
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
    """An index, and what reading every picture showed.

    Attributes:
        unreadable: files that are missing, empty, damaged or no pictures, each with the reason.
        odd_sized: pairs whose two pictures differ in size, or whose size is not that of most others.
        identical: groups of files with the same bytes.
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

    Examples:
        >>> from facesketch.data.index import index
        >>> from pathlib import Path
        >>> found = index(Path("pairs"))
        >>> found.layout, len(found.pairs)
        ('pairs.csv', 9)

    Args:
        folder: the folder of pairs.
        layout: a key of `LAYOUTS`, or `auto` for the first of them that gives pairs.

    Raises:
        DataError: the folder is missing, the layout is unknown, or a file that describes the pairs is wrong.
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
            if name == "pairs.csv":  # a list of pairs is meant
                break
    raise _nothing_pairs(tree, layout, partly)


def _index(tree: Tree, layout: str, found: Found) -> Index:
    pairs: dict[str, Pair] = {}
    for pair in sorted(found.pairs, key=lambda pair: (pair.stem, str(pair.sketch.path))):
        if pair.stem in pairs:
            found.duplicates.append((str(pairs[pair.stem].sketch.path), str(pair.sketch.path)))
        else:
            pairs[pair.stem] = pair
    placed = [
        replace(
            pair,
            photo=replace(pair.photo, path=tree.folder / pair.photo.path),
            sketch=replace(pair.sketch, path=tree.folder / pair.sketch.path),
        )
        for pair in pairs.values()
    ]
    return Index(
        folder=tree.folder,
        layout=layout,
        pairs=tuple(placed),
        orphan_photos=tuple(sorted(found.orphan_photos)),
        orphan_sketches=tuple(sorted(found.orphan_sketches)),
        duplicates=tuple(sorted(found.duplicates)),
        unreadable=tuple(sorted(set(found.unreadable))),
        notes=tuple(found.notes),
        passed_over=tuple(f"{path}: {reason}" for path, reason in tree.passed_over),
    )


def _nothing_pairs(tree: Tree, layout: str, partly: dict[str, Found]) -> NoPairsError:
    """Return the error that says what the folder holds and which layouts were tried."""
    looked = "looked for " + (", ".join(LAYOUTS) if layout == "auto" else f"the layout '{layout}'")
    for name, found in partly.items():
        if found.orphan_photos or found.orphan_sketches or found.unreadable:
            seen = f"as {name}: {_few('photo', found.orphan_photos)}, {_few('sketch', found.orphan_sketches)}"
            seen += f", {_few('missing file', found.unreadable)}" if found.unreadable else ""
            break
    else:
        seen = _few("picture", tree.pictures)
        if tree.files and not tree.pictures:
            seen = f"no picture, but {_few('file', tree.files)}"
        if tree.passed_over and tree.passed_over[0][1] != NO_PICTURE:
            seen += f"; {tree.passed_over[0][0]}: {tree.passed_over[0][1]}"
    return NoPairsError(
        f"{tree.folder}: nothing pairs; seen {seen}; {looked}",
        "put photos into photos/ and sketches into sketches/, each pair under one name",
    )


def _few(word: str, names: Sequence[object]) -> str:
    if not names:
        return f"no {word}"
    plural = word if len(names) == 1 else f"{word}es" if word == "sketch" else f"{word}s"
    return f"{len(names)} {plural} ({', '.join(map(str, names[:_EXAMPLES]))}{', …' if len(names) > _EXAMPLES else ''})"


@dataclass(frozen=True)
class _Read:
    """The size of one file's picture and the hash of its bytes, or why it cannot be read."""

    size: Size | None = None
    digest: str = ""
    problem: str = ""


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
    read: dict[Path, _Read] = {}
    with ThreadedMap(_read, files, threads=min(4, processors())) as results:
        for path, one in zip(files, results, strict=True):
            read[path] = one
            if progress is not None:
                progress(len(read), len(files))
    sizes = {pair.stem: (_size(pair.photo, read), _size(pair.sketch, read)) for pair in found.pairs}
    counts = Counter(photo for photo, _ in sizes.values() if photo)
    usual = next((size for size, count in counts.most_common(1) if count * 2 > counts.total()), None)
    same: dict[str, list[str]] = defaultdict(list)
    for path, one in read.items():
        if one.digest:
            same[one.digest].append(path.relative_to(found.folder).as_posix())
    bad = [one.problem.removeprefix(f"{found.folder}{os.sep}") for one in read.values() if one.problem]
    return Report(
        index=found,
        unreadable=tuple(sorted([*found.unreadable, *bad])),
        odd_sized=tuple(filter(None, (_odd(stem, *both, usual) for stem, both in sizes.items()))),
        identical=tuple(sorted(tuple(group) for group in same.values() if len(group) > 1)),
        usable=tuple(pair for pair in found.pairs if all(sizes[pair.stem])),
        size=usual,
    )


def _read(path: Path) -> _Read:
    try:
        return _Read(Source(path).open().size, hashlib.sha256(path.read_bytes()).hexdigest())
    except (ImageError, OSError) as error:
        return _Read(problem=str(error))


def _size(source: Source, read: dict[Path, _Read]) -> Size | None:
    size = read[source.path].size
    return size if size is None or source.half is None else (size[0] // 2, size[1])


def _odd(stem: str, photo: Size | None, sketch: Size | None, usual: Size | None) -> str:
    if photo and sketch and photo != sketch:
        return f"{stem}: photo {photo[0]}x{photo[1]}, sketch {sketch[0]}x{sketch[1]}"
    if photo and sketch and usual and photo != usual:
        return f"{stem}: {photo[0]}x{photo[1]}, most are {usual[0]}x{usual[1]}"
    return ""
