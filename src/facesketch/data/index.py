"""Find the pairs in a folder of any layout, and report what does not fit."""

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
from facesketch.errors import ImageError, count, require_known, some
from facesketch.images.io import NO_PICTURE

Size = tuple[int, int]


@dataclass(frozen=True)
class Index:
    """The pairs of a folder; paths are relative to it, except those of the pairs.

    Attributes:
        layout: a key of `LAYOUTS`.
        pairs: sorted by stem, each stem once.
        orphan_photos: photos without a sketch.
        orphan_sketches: sketches without a photo.
        duplicates: groups of files with the same name; the first of each is used.
        unreadable: files that are listed but missing, or that are clearly not pictures, each with the reason.
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
        unreadable: files that are missing, empty, damaged or not pictures, each with the reason.
        odd_sized: pairs whose two pictures differ in size, or that differ in size from most others.
        identical: groups of files with the same bytes.
        usable: pairs of which both pictures can be read.
        size: (width, height) of more than half of the photos, or None if there is no such size.
    """

    index: Index
    unreadable: tuple[str, ...]
    odd_sized: tuple[str, ...]
    identical: tuple[tuple[str, ...], ...]
    usable: tuple[Pair, ...]
    size: Size | None


def index(folder: Path, layout: str = "auto") -> Index:
    """Find the pairs in a folder by file names; pictures are read only to recognise side-by-side pairs.

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
        ConfigError: the layout is unknown.
        DataError: the folder is missing, or a file that describes the pairs is wrong.
        NoPairsError: (a DataError) no photo has a sketch.
    """
    require_known(layout, ("auto", *LAYOUTS), "`layout`")
    tree = walk(Path(folder))
    partly: dict[str, Found] = {}
    for name in LAYOUTS if layout == "auto" else (layout,):
        found = LAYOUTS[name](tree)
        if found is not None and found.pairs:
            return _index(tree, name, found)
        if found is not None:
            partly[name] = found
            if name == "pairs.csv":  # the user wrote a list, so no other layout is meant
                break
    raise _no_pairs(tree, layout, partly)


def _index(tree: Tree, layout: str, found: Found) -> Index:
    pairs: dict[str, Pair] = {}
    for pair in sorted(found.pairs, key=lambda pair: (pair.stem, str(pair.sketch.path))):
        if pair.stem in pairs:
            found.duplicates.append((str(pairs[pair.stem].sketch.path), str(pair.sketch.path)))
        else:
            pairs[pair.stem] = pair

    def placed(source: Source) -> Source:
        return replace(source, path=tree.folder / source.path)

    return Index(
        folder=tree.folder,
        layout=layout,
        pairs=tuple(replace(pair, photo=placed(pair.photo), sketch=placed(pair.sketch)) for pair in pairs.values()),
        orphan_photos=tuple(sorted(found.orphan_photos)),
        orphan_sketches=tuple(sorted(found.orphan_sketches)),
        duplicates=tuple(sorted(found.duplicates)),
        unreadable=tuple(sorted(set(found.unreadable))),
        notes=tuple(found.notes),
        passed_over=tuple(f"{path}: {reason}" for path, reason in tree.passed_over),
    )


def _no_pairs(tree: Tree, layout: str, partly: dict[str, Found]) -> NoPairsError:
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
        f"{tree.folder}: no pairs; found {seen}; {looked}",
        "put photos into photos/ and sketches into sketches/, each pair under one name",
    )


def _few(word: str, names: Sequence[object]) -> str:
    if not names:
        return f"no {word}"
    counted = count(len(names), word, "sketches" if word == "sketch" else "")
    return f"{counted} ({some(names)})"


def check(folder: Path, layout: str = "auto", *, progress: Callable[[int, int], None] | None = None) -> Report:
    """Find the pairs as `index` does, then read every picture of them in full.

    Args:
        folder: the folder of pairs.
        layout: a key of `LAYOUTS`, or `auto`.
        progress: called after each file with how many are read and how many there are.

    Raises:
        DataError: as `index`.
    """
    found = index(folder, layout)
    files = sorted({source.path for pair in found.pairs for source in (pair.photo, pair.sketch)})
    sizes: dict[Path, Size] = {}
    bad, same = [*found.unreadable], defaultdict[str, list[str]](list)
    with ThreadedMap(_read, files, threads=min(4, processors())) as results:
        for number, (path, read) in enumerate(zip(files, results, strict=True), start=1):
            if isinstance(read, str):
                bad.append(read.removeprefix(f"{found.folder}{os.sep}"))
            else:
                sizes[path], digest = read
                same[digest].append(path.relative_to(found.folder).as_posix())
            if progress is not None:
                progress(number, len(files))
    usable = [pair for pair in found.pairs if pair.photo.path in sizes and pair.sketch.path in sizes]

    def size(source: Source) -> Size:
        width, height = sizes[source.path]
        return (width if source.half is None else width // 2), height

    counts = Counter(size(pair.photo) for pair in found.pairs if pair.photo.path in sizes)
    usual = next((each for each, count in counts.most_common(1) if count * 2 > counts.total()), None)
    odd = []
    for pair in usable:
        photo, sketch = size(pair.photo), size(pair.sketch)
        if photo != sketch:
            odd.append(f"{pair.stem}: photo {photo[0]}x{photo[1]}, sketch {sketch[0]}x{sketch[1]}")
        elif usual and photo != usual:
            odd.append(f"{pair.stem}: {photo[0]}x{photo[1]}, most are {usual[0]}x{usual[1]}")
    return Report(
        index=found,
        unreadable=tuple(sorted(bad)),
        odd_sized=tuple(odd),
        identical=tuple(sorted(tuple(group) for group in same.values() if len(group) > 1)),
        usable=tuple(usable),
        size=usual,
    )


def _read(path: Path) -> tuple[Size, str] | str:
    """Return the size of a file's picture and the hash of its bytes, or why it cannot be read."""
    try:
        return Source(path).open().size, hashlib.sha256(path.read_bytes()).hexdigest()
    except (ImageError, OSError) as error:
        return str(error)
