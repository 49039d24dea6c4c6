"""What every test may ask for: the shared research data when it is there, and a few synthetic pairs."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesketch.data.split import SIDES


def _shared_folder() -> Path | None:
    named = os.environ.get("FACESKETCH_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    return folder if (folder / "data").is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of research data and weights, or skip."""
    folder = _shared_folder()
    if folder is None:
        pytest.skip("no research data: set FACESKETCH_SHARED to its folder")
    return folder


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 12 synthetic pairs, 64x64; no test may write into it."""
    folder = tmp_path_factory.mktemp("data") / "faces"
    _draw(folder)
    return folder


def _draw(folder: Path) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    for name in ("photos", "sketches"):
        (folder / name).mkdir(parents=True)
    for number in range(12):
        skin, hair = rng.uniform(90, 250, 3), rng.uniform(0, 120, 3)
        face = (x / rng.uniform(0.4, 0.7)) ** 2 + (y / rng.uniform(0.6, 0.9)) ** 2 < 1
        photo = np.where(face[:, :, None], skin, hair) + rng.normal(0, 5, (64, 64, 3))
        sketch = np.where(face, 250.0, 60.0) + rng.normal(0, 5, (64, 64))
        for kind, array in (("photos", photo), ("sketches", sketch)):
            Image.fromarray(array.clip(0, 255).astype(np.uint8)).save(folder / kind / f"face-{number:03d}.png")


@pytest.fixture(scope="session")
def arrange(faces: Path) -> Callable[..., Path]:
    """Return what copies the pairs into a folder of their own, so many for each side: `arrange(folder, train=8, …)`."""

    def copy(folder: Path, *, train: int = 8, validation: int = 2, test: int = 2) -> Path:
        photos, sketches = (sorted(path for path in faces.rglob("*.png") if path.parent.name == kind) for kind in KINDS)
        sides = [side for side, count in zip(SIDES, (train, validation, test), strict=True) for _ in range(count)]
        rows = []
        for side, photo, sketch in zip(sides, photos, sketches, strict=False):
            places = [f"{kind}/{side}-{photo.stem}.png" for kind in KINDS]
            for source, place in zip((photo, sketch), places, strict=True):
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, folder / place)
            rows.append([photo.stem, photo.stem, *places, side])
        with (folder / "pairs.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["stem", "subject", "photo", "sketch", "split"], *rows])
        return folder

    return copy


KINDS = ("photos", "sketches")
