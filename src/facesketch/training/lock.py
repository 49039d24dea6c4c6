"""A folder that one process at a time writes into; the system frees the lock when that process dies."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from facesketch.errors import OutputError
from facesketch.files import cannot_write, parse_json, read_file

LOCK = ".lock"
_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
_held: set[int] = set()


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep every other process, and every other thread of this one, from holding a folder inside the block.

    A missing folder is made, and removed again if it stays empty. The lock ends with its process and is not passed to
    forked ones. On a file system without locks it keeps nobody out.

    Raises:
        OutputError: another process holds it, or it cannot be made.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _claim(folder / LOCK)
    except OSError as error:
        raise OutputError(*cannot_write(folder, error)) from error
    try:
        yield
    finally:
        _let_go(descriptor, folder / LOCK)
        with suppress(OSError):
            for each in made:
                each.rmdir()


def _claim(path: Path) -> int:
    """Return a descriptor that holds the lock, after writing its holder into the file."""
    _watch_forks()
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                os.close(descriptor)
            if error.errno in _TAKEN:
                raise OutputError(_taken(path), "wait until it ends, or give another `out`") from None
            if error.errno not in _UNSUPPORTED:
                raise
        if _lies_there(descriptor, path):
            break
        os.close(descriptor)  # its holder removed the file between the two calls
    _held.add(descriptor)
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, json.dumps(holder).encode())
    return descriptor


def _taken(path: Path) -> str:
    try:
        holder = parse_json(read_file(path))
        who = f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it has not written its name yet
        who = "another process"
    return f"{path.parent}: {who} is writing into this folder"


def _lies_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _let_go(descriptor: int, path: Path) -> None:
    if descriptor not in _held:  # in a forked process
        return
    _held.remove(descriptor)
    if sys.platform == "win32":  # removes no file that is open
        os.close(descriptor)
    with suppress(OSError):
        path.unlink()
    if sys.platform != "win32":
        os.close(descriptor)


@cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    """Close what a forked process got: it would keep the lock of a program that has died."""
    while _held:
        os.close(_held.pop())


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # a byte that nobody has to read
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
