"""The tables that users keep, `pairs.csv` and `people.csv`, as any spreadsheet writes them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from facesketch.data.layouts.tree import fold
from facesketch.errors import DataError
from facesketch.files import read_file


def read_table(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV file in UTF-8, with or without a byte order mark.

    Commas, semicolons or tabs separate the cells. Spaces around cells and empty lines are ignored.

    Args:
        path: the file.
        needed: columns that it must have.

    Returns:
        The number of each line, and its cells by column; the columns are in lower case.

    Raises:
        DataError: it cannot be read, is not such a table, or lacks a column.
    """
    expected = f"expected a first line {','.join(needed)} and a line for each"
    try:
        text = read_file(path).decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        hint = f"give a CSV file with columns {','.join(needed)}"
        raise DataError(f"{path}: cannot be read ({reason})", hint) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not text in UTF-8", "save it as CSV UTF-8") from error
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        columns = [fold(name.strip()) for name in next(reader, [])]
        missing = [name for name in needed if name not in columns]
        if missing:
            seen = ", ".join(columns)[:80] or "nothing"
            raise DataError(f"{path}: no column '{missing[0]}', only {seen}", expected)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} is not CSV ({error})", expected) from error
    return [
        (line, dict(zip(columns, [*cells, *[""] * (len(columns) - len(cells))], strict=False)))
        for line, cells in rows
        if any(cells)
    ]
