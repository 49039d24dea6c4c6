"""What was asked of a gallery, when, and what it answered: a line of JSON for each query, added to one file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facesketch.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows, where a single write at the end of a file is not torn either
    fcntl = None  # type: ignore[assignment]

NAME = "queries.jsonl"


def append(folder: Path, record: Mapping[str, Any]) -> None:
    """Add a query to a gallery's `queries.jsonl`, with the time in UTC.

    The line is whole or not there, also when several processes add at once, and reaches the disk before this returns.
    A line that a killed process left torn is ended first. The file is made readable for its owner only.

    Args:
        folder: the gallery's, on this machine; object storage knows no adding at the end of a file.
        record: what to note besides the time; values that JSON knows.

    Raises:
        OutputError: the file cannot be written, or the disk is full.
    """
    path = folder / NAME
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = (json.dumps({"time": time, **record}, ensure_ascii=False, allow_nan=False) + "\n").encode()
    try:
        with _locked(path) as file:
            _write_whole(file, (b"" if _ends_with_line(file) else b"\n") + line)
            os.fsync(file)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise OutputError(
            f"{path}: the query cannot be noted ({reason})", "make room or rights, or type `audit=False`"
        ) from (error)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go of when the file is closed
        yield file
    finally:
        os.close(file)


def _ends_with_line(file: int) -> bool:
    size = os.fstat(file).st_size
    if size == 0:
        return True
    os.lseek(file, size - 1, os.SEEK_SET)
    return os.read(file, 1) == b"\n"


def _write_whole(file: int, data: bytes) -> None:
    """Write all of the data, or take back what was written of it."""
    before, rest = os.fstat(file).st_size, data
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
    except OSError:
        os.ftruncate(file, before)
        raise
