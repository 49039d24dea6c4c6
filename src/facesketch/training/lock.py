"""A folder that one process at a time writes into; the system frees the lock when that process dies."""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from facesketch.errors import OutputError
from facesketch.files import cannot_write, parse_json, read_file

LOCK = ".lock"
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep every other process, and every other thread of this one, from holding a folder inside the block.

    A missing folder is made, and removed again if it stays empty. The lock ends with its process, and forked processes
    do not inherit it. On a file system without locks it keeps nobody out.

    Raises:
        OutputError: another process holds it, or it cannot be made.
    """
    from filelock import FileLock, Timeout

    path = folder / LOCK
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    lock = FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        try:
            holder = parse_json(read_file(path))
            who = f"process {holder['pid']} on {holder['host']} since {holder['since']}"
        except (OSError, ValueError, KeyError, TypeError):  # it has not written its name yet
            who = "another process"
        seen = f"{folder}: {who} is writing into this folder"
        raise OutputError(seen, "wait until it ends, or give another `out`") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise OutputError(*cannot_write(folder, error)) from error
    try:
        with suppress(OSError):
            since = time.strftime("%Y-%m-%d %H:%M:%S")
            path.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}))
        yield
    finally:
        if lock.is_locked:  # not in a forked process
            with suppress(OSError):
                path.unlink()
            lock.release()
            with suppress(OSError):
                for each in made:
                    each.rmdir()
