"""What is written about a data set lands beside it, never on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from facesketch.data.index import index
from facesketch.data.layouts.tree import fold, walk
from facesketch.errors import ConfigError

_LIST = "pairs.csv"
_ANNOTATIONS = re.compile(r"anno_(train|val|test)\.json")


def require_apart(data: Path, *, pictures: Path | None = None, out: Path | None = None) -> None:
    """Check that nothing an evaluation writes takes the place of what it measures by.

    Args:
        data: the folder of pairs.
        pictures: where translated pictures will go.
        out: where the results will go; a table of the same name lands beside them.

    Raises:
        ConfigError: a folder that holds pictures of the data, or a file that is one of its pictures or its list.
        DataError: nothing pairs.
    """
    if pictures is None and out is None:
        return
    data, files = Path(data), _pictures_of(Path(data))
    if pictures is not None and _place(pictures) in _folders(data, files):
        raise ConfigError(f"`pictures` {pictures}: holds pictures of `data` {data}", "give a folder of their own")
    lists = [data / path for path in walk(data).files if _ANNOTATIONS.fullmatch(fold(path.name))]
    taken = {_place(path) for path in (*files, *lists, data / _LIST)}  # a new list would be taken for the data's
    for path in (out, out.with_suffix(".csv")) if out is not None else ():
        if _place(path) in taken:
            raise ConfigError(f"`out` {out}: would write {path}, a file of `data` {data}", "give a name of its own")


def _pictures_of(data: Path) -> list[Path]:
    """Return the pictures of a data set: of its pairs, and those that pair with nothing."""
    found = index(data)
    paired = [source.path for pair in found.pairs for source in (pair.photo, pair.sketch)]
    others = chain(found.orphan_photos, found.orphan_sketches, *found.duplicates)
    return paired + [data / name for name in others]


def _folders(data: Path, files: Sequence[Path]) -> set[str]:
    """Return the places of the folders that hold pictures of a data set: those they lie in, up to the data's own."""
    above = {folder for path in files for folder in path.parents if folder.is_relative_to(data)}
    return {_place(folder) for folder in above | {path.resolve().parent for path in files}}


def _place(path: Path) -> str:
    """Return one spelling of a path on systems that do not tell letter case apart; on others it is too careful."""
    return fold(str(path.resolve()))
