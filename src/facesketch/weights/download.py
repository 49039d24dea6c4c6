"""Fetch pinned weights, and read them."""

from __future__ import annotations

import errno
import hashlib
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from facesketch.errors import CheckpointError, MissingExtraError, OutputError, ResourceError, require
from facesketch.files import atomic
from facesketch.weights.catalogue import Progress, Weight, cache_folder, differs, weight

if TYPE_CHECKING:
    from torch import Tensor

_CHUNK = 1 << 20
_PATIENCE = 30.0  # seconds without a byte


def read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors or `.pth` file, on the CPU.

    Raises:
        CheckpointError: it is neither, it is damaged, or it holds more than tensors.
    """
    import torch
    from safetensors.torch import load_file

    try:
        tensors = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # a damaged file makes the readers fail in many ways
        raise CheckpointError(f"{path}: holds no readable tensors", "expected .safetensors or .pth weights") from error
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise CheckpointError(f"{path}: holds something else", "expected a table of tensors by name")
    return dict(tensors)


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """Download weights into the cache folder and check them; a download that broke off resumes.

    Nothing happens when the file is there and whole. A copy that a dependency brings saves the download.

    Args:
        name: a key of `WEIGHTS`.
        progress: called with (bytes so far, bytes in all).

    Returns:
        The file in the cache folder.

    Raises:
        ConfigError: no weights have that name.
        MissingExtraError: the server does not answer or breaks off, or there is no PyTorch to read what is published.
        CheckpointError: the file that came is another; it is removed.
        OutputError: the folder cannot be written.
        ResourceError: another process is fetching the same weights.
    """
    entry = weight(name)
    kept = cache_folder() / entry.file
    if kept.is_file() and not differs(kept, entry.kept):
        return kept
    installed = entry.installed_copy()
    elsewhere = "set FACESKETCH_MODELS to another folder"
    try:
        if installed is not None and not differs(installed, entry.published):
            _convert(installed, entry, kept)
            return kept
        if entry.pth is not None:
            require("train", f"fetching {name}")
        part = kept.with_name(entry.address.rpartition("/")[2] + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part):
            _download(entry, part, progress)
            if difference := differs(part, entry.published):
                part.unlink()
                raise CheckpointError(f"{entry.address}: {difference}", f"it was removed: type `{entry.command}` again")
            if entry.pth is not None:
                _convert(part, entry, kept)
                part.unlink()
            else:
                part.replace(kept)
    except OutputError as error:
        raise OutputError(error.seen, elsewhere) from error
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or type(error).__name__).lower()
        raise OutputError(f"{kept}: cannot be written ({reason})", elsewhere) from error
    return kept


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Keep other processes from writing into a part, where the system has locks for that.

    Raises:
        ResourceError: another process is writing into it.
    """
    try:
        import fcntl
    except ImportError:  # on Windows, where an open file cannot be renamed either
        yield
        return
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ResourceError(f"{part}: another process is fetching it", "wait until it is done") from error
        except OSError:  # a file system without locks
            pass
        try:
            yield
        finally:
            if part.is_file() and not part.stat().st_size:
                part.unlink()  # nothing came


def _convert(source: Path, entry: Weight, kept: Path) -> None:
    """Keep the tensors in use as safetensors, if they give the expected bytes."""
    from safetensors.torch import save

    data = save({key: value.contiguous() for key, value in read(source).items() if key.startswith(entry.keep)})
    if hashlib.sha256(data).hexdigest() != entry.kept.sha256:
        raise CheckpointError(
            f"{source}: its '{entry.keep}*' tensors are not those expected of the {entry.name} weights"
        )
    with atomic(kept) as file:
        file.write(data)


def _download(entry: Weight, part: Path, progress: Progress | None) -> None:
    """Bring `part` to the published size, starting from what is there."""
    size, again = entry.published.size, f"type `{entry.command}` again to resume"
    have = part.stat().st_size if part.is_file() else 0
    if have == size:
        return
    with _open(entry, have if have < size else 0) as response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:  # the server sends all of it
            have = 0
        with part.open("ab" if have else "wb") as file:
            while have <= size:
                try:
                    chunk = response.read(_CHUNK)
                except (OSError, HTTPException) as error:
                    raise MissingExtraError(f"{entry.address}: broke off ({type(error).__name__})", again) from error
                if not chunk:
                    break
                file.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(have, size)
            file.flush()
            os.fsync(file.fileno())
    if have < size:
        raise MissingExtraError(f"{entry.address}: broke off at {have:,} of {size:,} bytes", again)


def _open(entry: Weight, have: int) -> HTTPResponse:
    _require_https(entry.address)
    headers = {"User-Agent": "facesketch"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(entry.address, headers=headers)
    try:
        response: HTTPResponse = urllib.request.build_opener(_SafeRedirects).open(request, timeout=_PATIENCE)
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:  # a shorter file, whose hash will differ
            return _open(entry, 0)
        seen = f"{entry.address}: HTTP {error.code} ({error.reason})"
        raise MissingExtraError(seen, "try later") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        hint = f"check the network, then type `{entry.command}` again to resume"
        raise MissingExtraError(f"{entry.address}: no answer ({reason})", hint) from error
    return response


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow a redirect only to an address that may be fetched itself."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_https(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname == "127.0.0.1"):
        raise MissingExtraError(f"{address}: not fetched", "expected an https address")
