"""Who the photos of a gallery show, from a table that the user keeps."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from facesketch.errors import DataError
from facesketch.files import read_file

Person = tuple[str, str]  # id and label
COLUMNS = ("file", "id", "label")
_EXPECTED = "expected a first line `file,id,label` and a line for each photo"


def read_people(path: Path) -> dict[str, Person]:
    """Read who each photo shows.

    The first line names the columns `file`, `id` and, if wanted, `label`; others are passed over. Commas, semicolons
    or tabs part them, as spreadsheets write them.

    Args:
        path: a CSV file in UTF-8.

    Returns:
        (id, label) by the file's name as it is written there; the label is the id where none is given.

    Raises:
        DataError: not there, not such a table, a line without file or id, or a file with two ids.
    """
    text = _text(path)
    first = text.partition("\n")[0]
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        return _people(path, table)
    except csv.Error as error:
        raise DataError(f"{path}: line {table.line_num} is not CSV ({error}); {_EXPECTED}") from error


def match(
    people: dict[str, Person], keys: Collection[str], folders: Sequence[Path]
) -> tuple[dict[str, Person], list[str]]:
    """Find the photos that a table speaks of.

    Args:
        people: as `read_people` gives them.
        keys: the photos' absolute paths.
        folders: where a relative name may start; the first where it leads to a photo counts.

    Returns:
        (id, label) by key, and the names that led to no photo.
    """
    found: dict[str, Person] = {}
    unmatched = []
    for name, person in people.items():
        places = [name, *(os.path.abspath(folder / name) for folder in folders)]  # noqa: PTH100
        key = next((place for place in places if place in keys), None)
        if key is None:
            unmatched.append(name)
        else:
            found[key] = person
    return found, unmatched


def _text(path: Path) -> str:
    try:
        return read_file(path).decode("utf-8-sig")  # spreadsheets write a byte order mark
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{path}: cannot be read ({reason.lower()}); give a CSV file with columns file,id,label") from (
            error
        )
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not text in UTF-8; save it as CSV UTF-8") from error


def _people(path: Path, table: csv.DictReader[str]) -> dict[str, Person]:
    missing = [name for name in COLUMNS[:2] if name not in (table.fieldnames or [])]
    if missing:
        seen = ", ".join(table.fieldnames or []) or "nothing"
        raise DataError(f"{path}: no column '{missing[0]}', only {seen[:80]}; {_EXPECTED}")
    people: dict[str, Person] = {}
    for line in table:
        file, person, label = ((line.get(name) or "").strip() for name in COLUMNS)
        if not file or not person:
            missing_one = "file" if not file else "id"
            raise DataError(f"{path}: line {table.line_num} has no {missing_one}; {_EXPECTED}")
        if people.setdefault(file, (person, label or person))[0] != person:
            raise DataError(f"{path}: line {table.line_num} gives {file} a second id; expected one for each photo")
    return people
