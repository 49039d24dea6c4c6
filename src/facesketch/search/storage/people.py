"""Read `people.csv`, which says whom the photos of a gallery show."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from facesketch.data.layouts.tree import fold
from facesketch.data.table import read_table
from facesketch.errors import DataError

COLUMNS = ("file", "id", "label")
_EXPECTED = "expected a first line `file,id,label` and a line for each photo"


class Person(NamedTuple):
    """Whom a photo shows: an id, a name in print, and facts, `column` and `column=value` for each, without capitals."""

    id: str
    label: str
    facts: tuple[str, ...] = ()


def read_people(path: Path) -> dict[str, Person]:
    """Return whom each file shows from a CSV file in UTF-8.

    The first line names the columns `file`, `id` and optionally `label`; any other is a fact, such as `gender`. Without
    a label the id stands for it.

    Raises:
        DataError: not there, not such a table, a line without file or id, or a file with two ids.
    """
    people: dict[str, Person] = {}
    for line, row in read_table(path, COLUMNS[:2]):
        file, person, label = (row.get(name, "") for name in COLUMNS)
        if not file or not person:
            missing = "file" if not file else "id"
            raise DataError(f"{path}: line {line} has no {missing}", _EXPECTED)
        told = sorted((name.strip(), value.strip()) for name, value in row.items() if name not in COLUMNS)
        facts = [fact.casefold() for name, value in told if value for fact in (name, f"{name}={value}")]
        if people.setdefault(file, Person(person, label or person, tuple(facts))).id != person:
            raise DataError(f"{path}: line {line} gives {file} a second id", "expected one for each photo")
    return people


def match(
    people: dict[str, Person], keys: Collection[str], folders: Sequence[Path]
) -> tuple[dict[str, Person], list[str]]:
    """Find the photos that a table names.

    As in `pairs.csv`, letter case, Unicode normal form and the direction of slashes do not matter where exactly one
    photo matches.

    Args:
        people: from `read_people`.
        keys: the photos' absolute paths.
        folders: where a relative name may start; the first that leads to a photo counts.

    Returns:
        Whom each key shows, and the names that match no photo.

    Raises:
        DataError: two names match one photo and give it two ids.
    """
    folded: dict[str, str | None] = {}
    for key in keys:
        folded[fold(key)] = None if fold(key) in folded else key  # None: two differ in letter case only
    found: dict[str, Person] = {}
    unmatched = []
    for name, person in people.items():
        places = [place for each in (name, PureWindowsPath(name).as_posix()) for place in _places(each, folders)]
        exact = next((place for place in places if place in keys), None)
        answer = exact or next(filter(None, (folded.get(fold(place)) for place in places)), None)
        if answer is None:
            unmatched.append(name)
        elif found.setdefault(answer, person).id != person.id:
            ids = f"{found[answer].id} and {person.id}"
            raise DataError(f"{answer}: the table of people gives it two ids, {ids}", "keep one")
    return found, unmatched


def _places(name: str, folders: Sequence[Path]) -> list[str]:
    return [name, *(os.path.abspath(folder / name) for folder in folders)]  # noqa: PTH100
