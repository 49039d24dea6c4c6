"""Reading below a folder that others write to: it follows no link and reads no more than it was asked for."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_HOP = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FOLDER, _FILE = getattr(os, "O_DIRECTORY", 0), getattr(os, "O_NONBLOCK", 0)  # opening a pipe would block
_FRESH = 2.0  # seconds
_STEPWISE = os.open in os.supports_dir_fd  # not on Windows


class NoFileError(OSError):
    """There is no ordinary file or folder that may be read."""


class Root:
    """A folder below which no link is followed, even one that appears meanwhile; the folder itself may be a link.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, parts: Sequence[str], most: int) -> bytes:
        """Return the content of a file.

        Args:
            parts: the folders that lead to it, and its name.
            most: the most bytes it may have.

        Raises:
            NoFileError: it is not an ordinary file, is a link or behind one, or is too large.
            OSError: it cannot be read.
        """
        with self.opened(parts) as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise NoFileError(f"{parts[-1]} is larger than {most >> 20} MiB")
        return content

    def status(self, parts: Sequence[str]) -> os.stat_result:
        """Return a file's status.

        Raises:
            OSError: as `read`.
        """
        with self._opened(parts, _FILE) as held:
            return os.fstat(held)

    def names(self, parts: Sequence[str]) -> list[str]:
        """Return the names in a folder; none if it does not exist.

        Raises:
            OSError: as `read`.
        """
        try:
            if not _STEPWISE:
                return [each.name for each in self._checked(parts).iterdir()]
            with self._opened(parts, _FOLDER) as held, os.scandir(held) as entries:
                return [each.name for each in entries]
        except FileNotFoundError:
            return []

    @contextmanager
    def opened(self, parts: Sequence[str]) -> Iterator[BinaryIO]:
        """Open a file until the block ends.

        Raises:
            OSError: as `read`.
        """
        with self._opened(parts, _FILE) as held, os.fdopen(held, "rb", closefd=False) as file:
            yield file

    @contextmanager
    def _opened(self, parts: Sequence[str], flags: int) -> Iterator[int]:
        held = self._held(parts, flags) if _STEPWISE else os.open(self._checked(parts), _HOP)
        try:
            if flags == _FILE and not stat.S_ISREG(os.fstat(held).st_mode):
                raise NoFileError(f"{parts[-1]} is not an ordinary file")
            yield held
        finally:
            os.close(held)

    def _held(self, parts: Sequence[str], flags: int) -> int:
        held = os.open(self.path, os.O_RDONLY | _FOLDER | os.O_CLOEXEC)
        for place, part in enumerate(parts):
            before = held
            try:
                held = _step(part, flags if place == len(parts) - 1 else _FOLDER, before)
            finally:
                os.close(before)
        return held

    def _checked(self, parts: Sequence[str]) -> Path:
        """Return the path of a file without links, for systems that cannot open relative to a folder."""
        path = self.path
        for part in parts:
            path /= part
            if path.is_symlink() or path.resolve() != path.parent.resolve() / part:
                raise NoFileError(f"{part} is a link, and links are not followed")
        return path


def _step(part: str, flags: int, folder: int) -> int:
    try:
        return os.open(part, _HOP | flags, dir_fd=folder)
    except OSError:
        try:
            linked = stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode)
        except OSError:
            linked = False
        if linked:
            raise NoFileError(f"{part} is a link, and links are not followed") from None
        raise


def is_locked(file: BinaryIO) -> bool:
    """Return whether a process holds a lock on a file."""
    if time.time() - os.fstat(file.fileno()).st_mtime < _FRESH:  # trying it now could keep its owner from taking it
        return True
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return True  # locked; or the system cannot say, and there the file exists only while it is locked
    return False  # closing the file releases the lock
