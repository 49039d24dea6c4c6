"""Refuse to write results over the data."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from facesketch.data.index import index
from facesketch.data.layouts.tree import ANNOTATION, fold, walk
from facesketch.errors import ConfigError


def forbid_overwriting(
    data: Path, out: Iterable[Path] = (), *, pictures: Path | None = None, layout: str = "auto"
) -> None:
    """Check that no result overwrites a picture or a list of the data.

    Args:
        data: the folder of pairs.
        out: the files that will be written.
        pictures: the folder that translated pictures will go to.
        layout: of the folder of pairs.

    Raises:
        ConfigError: one of the files is the data's, or the folder holds pictures of it.
        DataError: no photo has a sketch.
    """
    data, out = Path(data), list(out)
    if pictures is None and not out:
        return
    found = index(data, layout)
    alone = chain(found.orphan_photos, found.orphan_sketches, *found.duplicates)
    files = [source.path for pair in found.pairs for source in (pair.photo, pair.sketch)]
    files += [data / name for name in alone]
    if pictures is not None:
        folders = {folder for path in files for folder in path.parents if folder.is_relative_to(data)}
        folders |= {path.resolve().parent for path in files}
        if _place(pictures) in {_place(folder) for folder in folders}:
            raise ConfigError(f"`pictures` {pictures}: holds pictures of `data` {data}", "give another folder")
    lists = [data / path for path in walk(data).files if ANNOTATION.fullmatch(fold(path.name))]
    lists.append(data / "pairs.csv")  # a new one would be read as the data's
    taken = {_place(path) for path in (*files, *lists)}
    for path in out:
        if _place(path) in taken:
            raise ConfigError(f"`out` would write {path}, a file of `data` {data}", "give another name")


def _place(path: Path) -> str:
    """Return the spelling of a path to compare it by, as if letter case never counted."""
    return fold(str(path.resolve()))
