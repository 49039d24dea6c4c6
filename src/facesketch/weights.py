"""Weights that belong to others: where they lie, where they come from, and how they are checked.

Each is named once in `WEIGHTS` with the size and sha256 both of the file its publisher serves and of the file that is
kept. The ONNX files are kept as they are served. Of a `.pth` only the tensors that are used are kept, as safetensors:
the same tensors always give the same bytes, so what is kept can be checked by its hash too.

The hashes of the OpenCV Zoo are those of its Git LFS pointers. torchvision states the first eight digits in the file
name; the full hash of those two, and those of the LPIPS heads, are of the published files.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from facesketch.errors import CheckpointError, ConfigError, MissingExtraError, OutputError, nearest
from facesketch.extras import require
from facesketch.files import atomic

if TYPE_CHECKING:
    from torch import Tensor

Progress = Callable[[int, int], None]
"""Told (bytes so far, bytes in all) as a download goes on."""

_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/25f423d0e04c31a17254620e58febd7386da523b/models"
_TORCHVISION = "https://download.pytorch.org/models"
_LPIPS = (
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity"
    "/082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights/v0.1"
)
_CHUNK = 1 << 20
_PATIENCE = 30.0  # seconds without a byte


@dataclass(frozen=True)
class Digest:
    """What tells one file from every other: its bytes and its sha256, 64 hex digits."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Weight:
    """A file of weights as it is kept in the cache folder, and the published file it comes from.

    Attributes:
        name: what it is called on the command line.
        file: its name in the cache folder.
        address: https address of the published file, pinned to a version where the publisher has versions.
        size: bytes of the kept file.
        sha256: of the kept file.
        licence: SPDX identifier.
        purpose: what needs it, in a few words.
        pth: size and sha256 of the published `.pth`, when the kept file is made from one.
        keep: the prefix of the tensors that are kept of a `.pth`.
        installed: (package, path in it) of a copy of the published file that a dependency brings along.
    """

    name: str
    file: str
    address: str
    size: int
    sha256: str
    licence: str
    purpose: str
    pth: Digest | None = None
    keep: str = ""
    installed: tuple[str, str] | None = None

    @property
    def kept(self) -> Digest:
        """Return what the file in the cache folder must be."""
        return Digest(self.size, self.sha256)

    @property
    def published(self) -> Digest:
        """Return what the file at the address must be."""
        return self.pth or self.kept


WEIGHTS: dict[str, Weight] = {
    "sface": Weight(
        name="sface",
        file="face_recognition_sface_2021dec_int8bq.onnx",
        address=f"{_ZOO}/face_recognition_sface/face_recognition_sface_2021dec_int8bq.onnx",
        size=10_667_852,
        sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
        licence="Apache-2.0",
        purpose="telling people apart (SFace)",
    ),
    "alexnet": Weight(
        name="alexnet",
        file="alexnet_features.safetensors",
        address=f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
        size=9_879_632,
        sha256="9f97fd313f4da83dbe6bbfbe6effca1241de9edfcd7c53386261ed9697286dd9",
        licence="BSD-3-Clause",
        purpose="LPIPS (alex)",
        pth=Digest(244_408_911, "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02"),
        keep="features.",
    ),
    "vgg16": Weight(
        name="vgg16",
        file="vgg16_features.safetensors",
        address=f"{_TORCHVISION}/vgg16-397923af.pth",
        size=58_861_016,
        sha256="cabd922aeb0dd6d56f2bed33221aee74b7f1e760ddd105c0e0891606cbab6d0d",
        licence="BSD-3-Clause",
        purpose="LPIPS (vgg), Fréchet and kernel distance, the VGG16 encoder",
        pth=Digest(553_433_881, "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"),
        keep="features.",
    ),
    "lpips-alex": Weight(
        name="lpips-alex",
        file="lpips_alex_heads.safetensors",
        address=f"{_LPIPS}/alex.pth",
        size=5_040,
        sha256="255d6454292d155a069f693a111769acec003d588617b250f24775369c816e04",
        licence="BSD-2-Clause",
        purpose="LPIPS (alex)",
        pth=Digest(6_009, "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"),
        keep="lin",
        installed=("torchmetrics", "functional/image/lpips_models/alex.pth"),
    ),
    "lpips-vgg": Weight(
        name="lpips-vgg",
        file="lpips_vgg_heads.safetensors",
        address=f"{_LPIPS}/vgg.pth",
        size=6_320,
        sha256="4fbb0122b8b7c419838e12f9d9414a590916757773a1dc835cef7adef85e8933",
        licence="BSD-2-Clause",
        purpose="LPIPS (vgg)",
        pth=Digest(7_289, "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),
        keep="lin",
        installed=("torchmetrics", "functional/image/lpips_models/vgg.pth"),
    ),
}


def weight(name: str) -> Weight:
    """Return the entry called `name`.

    Raises:
        ConfigError: no weights have that name.
    """
    if name not in WEIGHTS:
        raise ConfigError(f"'{name}': no such weights{nearest(name, WEIGHTS) or '; known: ' + ', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def cache_folder() -> Path:
    """Return the folder for fetched weights: `FACESKETCH_MODELS`, or `facesketch/models` in the user's cache."""
    named = os.environ.get("FACESKETCH_MODELS")
    if named:
        return Path(named).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "facesketch" / "models"


def locate(name: str, given: Path | None = None) -> Path:
    """Return a file of the weights called `name`, without reaching for the network.

    Args:
        name: a key of `WEIGHTS`.
        given: a path the user chose, which wins.

    Returns:
        The given path, else the file in the cache folder, else the copy that an installed package brings.

    Raises:
        ConfigError: no weights have that name.
        MissingExtraError: the given path is not there, or nothing was fetched, or what lies there is torn.
    """
    entry = weight(name)
    if given is not None:
        if not given.is_file():
            raise MissingExtraError(f"{given}: no such file; give the {name} weights or type `{_advice(name)}`")
        return given
    kept = cache_folder() / entry.file
    if kept.is_file():
        if kept.stat().st_size != entry.size:
            seen = f"{kept}: {kept.stat().st_size:,} bytes"
            raise MissingExtraError(f"{seen}; expected {entry.size:,}: type `{_advice(name)}`")
        return kept
    installed = _installed(entry)
    if installed is None:
        raise MissingExtraError(f"no {name} weights in {kept.parent}: type `{_advice(name)}` or give their path")
    return installed


def _advice(name: str) -> str:
    return f"facesketch models fetch {name}"


def _installed(entry: Weight) -> Path | None:
    if entry.installed is None:
        return None
    package, inside = entry.installed
    spec = importlib.util.find_spec(package)  # finds the package without importing it
    path = Path(spec.origin).parent / inside if spec is not None and spec.origin else None
    return path if path is not None and path.is_file() and path.stat().st_size == entry.published.size else None


def verify(path: Path, entry: Weight) -> None:
    """Check that a file is the one kept, or the one published, under this entry.

    Raises:
        CheckpointError: the size or the sha256 is another, or the file cannot be read.
    """
    try:
        digest = entry.published if path.stat().st_size == entry.published.size else entry.kept
        fault = _fault(path, digest)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read; expected the {entry.name} weights") from error
    if fault:
        raise CheckpointError(f"{path}: {fault}; type `{_advice(entry.name)}`")


def _fault(path: Path, digest: Digest) -> str:
    """Return what is wrong with a file in one phrase, or nothing."""
    if path.stat().st_size != digest.size:
        return f"{path.stat().st_size:,} bytes; expected {digest.size:,}"
    with path.open("rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if seen == digest.sha256 else f"sha256 {seen[:12]}…; expected {digest.sha256[:12]}…"


def read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors or `.pth` file, on the CPU.

    Raises:
        CheckpointError: it is neither, it is damaged, or it holds more than tensors.
    """
    import torch
    from safetensors.torch import load_file

    try:
        tensors = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # a damaged file makes the readers stumble in many ways
        raise CheckpointError(f"{path}: holds no readable tensors; expected .safetensors or .pth weights") from error
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise CheckpointError(f"{path}: holds something else; expected a table of tensors by name")
    return dict(tensors)


def fetch(name: str, *, folder: Path | None = None, progress: Progress | None = None) -> Path:
    """Download weights into the cache folder and check them; a download that was cut off goes on where it stopped.

    Nothing happens when the file is there and whole. A copy that a dependency brings along spares the download.

    Args:
        name: a key of `WEIGHTS`.
        folder: where to keep the file, instead of `cache_folder()`.
        progress: told (bytes so far, bytes in all).

    Returns:
        The file in the cache folder.

    Raises:
        ConfigError: no weights have that name.
        MissingExtraError: the address does not answer or breaks off, or there is no PyTorch to read what is published.
        CheckpointError: what came is not what was published; it is removed.
        OutputError: the folder cannot be written.
    """
    entry = weight(name)
    kept = (folder or cache_folder()) / entry.file
    if kept.is_file() and not _fault(kept, entry.kept):
        return kept
    installed = _installed(entry)
    if installed is not None and not _fault(installed, entry.published):
        _convert(installed, entry, kept)
        return kept
    if entry.pth is not None:
        require("train", f"fetching {name}")
    part = kept.with_name(entry.address.rpartition("/")[2] + ".part")
    try:
        _download(entry, part, progress)
        fault = _fault(part, entry.published)
        if fault:
            part.unlink()
            raise CheckpointError(f"{entry.address}: {fault}; it was removed: type `{_advice(name)}` once more")
        if entry.pth is not None:
            _convert(part, entry, kept)
            part.unlink()
        else:
            part.replace(kept)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or type(error).__name__).lower()
        raise OutputError(f"{kept}: cannot be written ({reason}); set FACESKETCH_MODELS to another folder") from error
    return kept


def _convert(source: Path, entry: Weight, kept: Path) -> None:
    """Keep the tensors that are used, as safetensors, once their bytes are known to be the expected ones."""
    from safetensors.torch import save

    data = save({key: value.contiguous() for key, value in read(source).items() if key.startswith(entry.keep)})
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise CheckpointError(
            f"{source}: its '{entry.keep}*' tensors are not those expected of the {entry.name} weights"
        )
    with atomic(kept) as file:
        file.write(data)


def _download(entry: Weight, part: Path, progress: Progress | None) -> None:
    """Bring `part` to the published size, going on from what is there."""
    size = entry.published.size
    part.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.is_file() else 0
    if have > size:
        part.unlink()
        have = 0
    if have == size:
        return
    with _open(entry, have) as response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:  # the server sends all of it again
            have = 0
        with part.open("ab" if have else "wb") as file:
            while have <= size and (chunk := _next(response, entry)):
                file.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(have, size)
            file.flush()
            os.fsync(file.fileno())
    if have < size:
        raise MissingExtraError(f"{entry.address}: broke off at {have:,} of {size:,} bytes; {_again(entry)}")


def _again(entry: Weight) -> str:
    return f"type `{_advice(entry.name)}` once more and it goes on from there"


def _open(entry: Weight, have: int) -> HTTPResponse:
    _require_https(entry.address)
    headers = {"User-Agent": "facesketch"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(entry.address, headers=headers)
    try:
        response: HTTPResponse = urllib.request.build_opener(_SafeRedirects).open(request, timeout=_PATIENCE)
    except HTTPError as error:
        error.close()
        if (
            error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have
        ):  # another, shorter file: its hash will tell
            return _open(entry, 0)
        raise MissingExtraError(
            f"{entry.address}: HTTP {error.code} ({error.reason}); try later, or give the path of a copy"
        ) from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise MissingExtraError(
            f"{entry.address}: no answer ({reason}); check the network, then {_again(entry)}"
        ) from error
    return response


def _next(response: HTTPResponse, entry: Weight) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, HTTPException) as error:
        raise MissingExtraError(f"{entry.address}: broke off ({type(error).__name__}); {_again(entry)}") from error


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow a redirect only to where a first request might go too."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_https(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname == "127.0.0.1"):
        raise MissingExtraError(f"{address}: not fetched; expected an https address")
