"""Read whole files, and write files that are whole or not there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from facesketch.errors import OutputError

_LONG = 200  # bytes of a name, of the 255 that most systems allow
_OF_FILES = {
    *(".json", ".csv", ".html", ".toml", ".zip", ".onnx", ".safetensors"),
    *(".png", ".jpg", ".jpeg", ".webp", ".tif"),
}
_PART = re.compile(r"\..+\.(?P<pid>\d+)\.part")
_IN_FLIGHT = 60.0  # seconds; a younger part may be written by another machine's process, whose clock may differ
_swept: set[Path] = set()


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that appears under `path` only once it is complete.

    The bytes go to `.NAME.PID.part` in the same folder and are flushed to the disk; the file is then renamed to `path`.
    When the block raises, nothing is left behind and an older `path` stays as it was. The first write of a
    process into a folder also removes the parts that this user's dead processes left there.

    Raises:
        OutputError: the folder cannot be made or written, or the disk is full.
    """
    require_name(path)
    part = path.with_name(f".{part_name(path.name)}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(path.parent)
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise OutputError(*cannot_write(path, error)) from error
    finally:
        with suppress(OSError):
            part.unlink()


def require_name(path: Path) -> None:
    """Check that a path can name a file.

    Raises:
        OutputError: it is a folder, or can only be one, such as `.`.
    """
    if not path.name or path.name == ".." or os.path.isdir(path):  # noqa: PTH112  it never raises
        raise OutputError(f"{path}: is a folder", "give the name of a file in it")


def require_folder_name(path: Path) -> None:
    """Check that a path names a folder, or a new one that is not named like a file.

    Raises:
        OutputError: it is a file, or has the suffix of a file that this program writes.
    """
    if os.path.isdir(path):  # noqa: PTH112  it never raises
        return
    if os.path.exists(path):  # noqa: PTH110
        raise OutputError(f"{path}: is a file", "give a folder for what is written")
    if path.suffix.lower() in _OF_FILES:
        raise OutputError(f"{path}: named like a file", "give a folder, or make this one first")


def part_name(name: str) -> str:
    """Return a file's name, or a digest of a name that is too long to be part of a longer one."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= _LONG else hashlib.sha256(encoded).hexdigest()


def sweep(folder: Path) -> None:
    """Remove every part below a folder, in which no other process may be writing."""
    for part in folder.rglob(".*.part"):
        part.unlink(missing_ok=True)


def _sweep_once(folder: Path) -> None:
    """Remove this user's parts that dead processes left in a folder."""
    if folder in _swept or sys.platform == "win32":  # where signal 0 may end a process
        return
    _swept.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            part = _PART.fullmatch(entry.name)
            if not part or _is_alive(int(part["pid"])):
                continue
            status = entry.stat(follow_symlinks=False)
            own = stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid()
            if own and time.time() - status.st_mtime > _IN_FLIGHT:
                Path(entry).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        pass
    return True


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def cannot_write(path: Path, error: OSError) -> tuple[str, str]:
    """Return why a write failed, and a hint."""
    if error.errno == errno.ENOSPC:
        return f"{path}: the disk is full", "free some space or give another `out`"
    reason = error.strerror or str(error) or type(error).__name__
    return f"{path}: cannot be written ({reason.lower()})", "give an `out` in a folder you may write to"


def parse_json(content: bytes | str) -> Any:
    """Parse JSON; this program parses it nowhere else.

    Raises:
        ValueError: it is not UTF-8, not JSON, or nested too deeply.
    """
    try:
        return json.loads(content if isinstance(content, str) else content.decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8, not JSON, nested too deeply, or holds something else.
    """
    value = parse_json(read_file(path))
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} instead of an object")
    return value


def read_file(path: Path) -> bytes:
    """Read a whole file.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    require_regular(path)
    return path.read_bytes()


def require_regular(path: Path) -> None:
    """Refuse a pipe, a socket or a device, which a reader would wait for without end.

    Raises:
        OSError: it is one, or it is not there.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "a pipe, a socket or a device, not a file")


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder or a link to one; a link to itself is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def append_text(path: Path, text: str) -> None:
    """Append UTF-8 text to a log that only ever grows.

    Raises:
        OutputError: the file cannot be written, or the disk is full.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(*cannot_write(path, error)) from error
