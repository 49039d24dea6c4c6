"""Third-party weights: what they are, where they come from, where they are kept, and how they are checked.

`WEIGHTS` states the size and sha256 of the published file and of the file that is kept. ONNX files are kept as they are
published. Of a `.pth` only the tensors in use are kept, as safetensors: equal tensors give equal bytes, so the hash of
the kept file is known too.

The hashes of the OpenCV Zoo are those of its Git LFS pointers. torchvision states the first eight digits in the file
name; its full hashes, and those of the LPIPS heads, are of the published files.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facesketch.errors import CheckpointError, MissingExtraError, require_known

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all) during a download."""

_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/25f423d0e04c31a17254620e58febd7386da523b/models"
_TORCHVISION = "https://download.pytorch.org/models"
_LPIPS = (
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity"
    "/082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights/v0.1"
)


@dataclass(frozen=True)
class Digest:
    """The size in bytes and the sha256, 64 hex digits, of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Weight:
    """A file of weights in the cache folder, and the published file it comes from.

    Attributes:
        name: its name on the command line.
        file: its name in the cache folder.
        address: https address of the published file, pinned to a version where the publisher has versions.
        kept: what that file must be.
        licence: SPDX identifier.
        purpose: what needs it, in a few words.
        pth: what the published `.pth` must be, when the kept file is made from one.
        keep: the prefix of the tensors that are kept of a `.pth`.
        installed: (package, path in it) of a copy of the published file that a dependency brings.
    """

    name: str
    file: str
    address: str
    kept: Digest
    licence: str
    purpose: str
    pth: Digest | None = None
    keep: str = ""
    installed: tuple[str, str] | None = None

    @property
    def published(self) -> Digest:
        """Return what the file at the address must be."""
        return self.pth or self.kept

    @property
    def command(self) -> str:
        """Return the command that fetches it."""
        return f"facesketch models fetch {self.name}"

    def installed_copy(self) -> Path | None:
        """Return the copy of the published file that an installed package brings, if any."""
        if self.installed is None:
            return None
        package, inside = self.installed
        spec = importlib.util.find_spec(package)  # finds the package without importing it
        path = Path(spec.origin).parent / inside if spec is not None and spec.origin else None
        return path if path is not None and path.is_file() and path.stat().st_size == self.published.size else None


WEIGHTS: dict[str, Weight] = {
    "sface": Weight(
        name="sface",
        file="face_recognition_sface_2021dec_int8bq.onnx",
        address=f"{_ZOO}/face_recognition_sface/face_recognition_sface_2021dec_int8bq.onnx",
        kept=Digest(10_667_852, "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee"),
        licence="Apache-2.0",
        purpose="telling people apart (SFace)",
    ),
    "alexnet": Weight(
        name="alexnet",
        file="alexnet_features.safetensors",
        address=f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
        kept=Digest(9_879_632, "9f97fd313f4da83dbe6bbfbe6effca1241de9edfcd7c53386261ed9697286dd9"),
        licence="BSD-3-Clause",
        purpose="LPIPS (alex)",
        pth=Digest(244_408_911, "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02"),
        keep="features.",
    ),
    "vgg16": Weight(
        name="vgg16",
        file="vgg16_features.safetensors",
        address=f"{_TORCHVISION}/vgg16-397923af.pth",
        kept=Digest(58_861_016, "cabd922aeb0dd6d56f2bed33221aee74b7f1e760ddd105c0e0891606cbab6d0d"),
        licence="BSD-3-Clause",
        purpose="LPIPS (vgg), Fréchet and kernel distance, the VGG16 encoder",
        pth=Digest(553_433_881, "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"),
        keep="features.",
    ),
    "lpips-alex": Weight(
        name="lpips-alex",
        file="lpips_alex_heads.safetensors",
        address=f"{_LPIPS}/alex.pth",
        kept=Digest(5_040, "255d6454292d155a069f693a111769acec003d588617b250f24775369c816e04"),
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
        kept=Digest(6_320, "4fbb0122b8b7c419838e12f9d9414a590916757773a1dc835cef7adef85e8933"),
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
    require_known(name, WEIGHTS, "no such weights:")
    return WEIGHTS[name]


def cache_folder() -> Path:
    """Return the folder for fetched weights: `FACESKETCH_MODELS`, or `facesketch/models` in the user's cache."""
    if named := os.environ.get("FACESKETCH_MODELS"):
        return Path(named).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "facesketch" / "models"


def locate(name: str) -> Path:
    """Return the file of weights in the cache folder, or else the copy that an installed package brings.

    Args:
        name: a key of `WEIGHTS`.

    Raises:
        ConfigError: no weights have that name.
        MissingExtraError: nothing was fetched, or the fetched file is incomplete.
    """
    entry = weight(name)
    kept = cache_folder() / entry.file
    if kept.is_file():
        if kept.stat().st_size != entry.kept.size:
            seen = f"{kept}: {kept.stat().st_size:,} bytes"
            raise MissingExtraError(seen, f"expected {entry.kept.size:,}: type `{entry.command}`")
        return kept
    installed = entry.installed_copy()
    if installed is None:
        raise MissingExtraError(f"no {name} weights in {kept.parent}", f"type `{entry.command}`")
    return installed


def verify(path: Path, entry: Weight) -> None:
    """Check that a file is the kept or the published one of this entry.

    Raises:
        CheckpointError: the size or the sha256 differs, or the file cannot be read.
    """
    try:
        digest = entry.published if path.stat().st_size == entry.published.size else entry.kept
        difference = differs(path, digest)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read", f"expected the {entry.name} weights") from error
    if difference:
        raise CheckpointError(f"{path}: {difference}", f"type `{entry.command}`")


def differs(path: Path, digest: Digest) -> str:
    """Return how a file differs from its digest, in one phrase; empty where it does not."""
    if path.stat().st_size != digest.size:
        return f"{path.stat().st_size:,} bytes; expected {digest.size:,}"
    with path.open("rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if seen == digest.sha256 else f"sha256 {seen[:12]}…; expected {digest.sha256[:12]}…"
