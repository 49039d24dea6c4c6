"""The query log: one line of JSON for each query of a gallery and its answer."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facesketch.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows, where lines of two processes may mix
    fcntl = None  # type: ignore[assignment]

NAME = "queries.jsonl"


def append(folder: Path, record: Mapping[str, Any]) -> None:
    """Append a query to a gallery's `queries.jsonl`, with the time in UTC.

    The line is whole or not there, even if several processes append at once (except on Windows), and is on the disk
    when this returns. If a killed process left an incomplete line, it is ended first. Only the owner may read the file.

    Args:
        folder: the gallery's, on this machine; object storage cannot append to a file.
        record: what to note besides the time, in JSON values.

    Raises:
        OutputError: the file cannot be written, or the disk is full.
    """
    path = folder / NAME
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = (json.dumps({"time": time, **record}, ensure_ascii=False, allow_nan=False) + "\n").encode()
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed
            size = os.fstat(file).st_size
            if size:
                os.lseek(file, size - 1, os.SEEK_SET)
                line = line if os.read(file, 1) == b"\n" else b"\n" + line
            try:
                while line:
                    line = line[os.write(file, line) :]
            except OSError:
                os.ftruncate(file, size)
                raise
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise OutputError(
            f"{path}: the query cannot be logged ({reason})",
            "free some space, get write access, or give `query_log=False`",
        ) from error
