"""A gallery of six people made of squares, and a describer that compares pixels instead of faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facesketch.errors import FaceError, SeveralFacesError
from facesketch.search.embedding.describer import PhotoVector, Probe, Route
from facesketch.search.gallery import Gallery

PEOPLE = 30


class ByPixels:
    """Describes a picture by its small grey pixels; plain ones show no face, wide ones lie on their side."""

    fingerprint = "hog-pixels"
    embedder = "hog"
    dimension = 128
    notice = ""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def _vector(self, picture: Image.Image) -> NDArray[np.float32]:
        pixels = np.asarray(picture.convert("L").resize((8, 8)), np.float32).ravel()
        pixels -= pixels.mean()
        length = float(np.linalg.norm(pixels))
        if length < 1:
            raise FaceError("no face found")
        return pixels / length

    def gallery(self, pictures: Sequence[Image.Image]) -> list[PhotoVector | FaceError]:
        """Describe photos."""
        found: list[PhotoVector | FaceError] = []
        for picture in pictures:
            try:
                found.append(
                    PhotoVector(np.tile(self._vector(picture), 2), 90 if picture.width > picture.height else 0)
                )
            except FaceError as error:
                found.append(error)
        return found

    def probe(self, picture: Image.Image, name: str = "probe", face: int | None = None) -> Probe:
        """Describe a sketch."""
        if picture.width >= 2 * picture.height:
            if face is None:
                raise SeveralFacesError(f"{name}: 2 faces", "choose one with `face` N")
            half = picture.width // 2
            picture = picture.crop(((face - 1) * half, 0, face * half, picture.height))
        try:
            vector = self._vector(picture)
        except FaceError as error:
            raise FaceError(f"{name}: {error}") from error
        return Probe(sketch=vector, photo=vector, framed=picture, translated=picture)

    def query(self, probe: Probe, route: Route) -> NDArray[np.float32]:
        """Compare with the first half, the second or both."""
        shares = {"direct": (1, 0), "to-photo": (1, 0), "to-sketch": (0, 1), "fused": (0.5, 0.5)}[route]
        return np.concatenate([share * probe.sketch for share in shares]).astype(np.float32)


@pytest.fixture
def by_pixels(monkeypatch: pytest.MonkeyPatch) -> ByPixels:
    """Stand in for whatever describer is asked for, and note the name that it was asked by."""
    describer = ByPixels()

    def asked(embedder: str | None = None) -> ByPixels:
        describer.asked.append(embedder)
        return describer

    monkeypatch.setattr("facesketch.search.embedding.describer.describer", asked)
    return describer


def _portrait(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)).resize((40, 50), 0)


@pytest.fixture
def portrait() -> Callable[[int], Image.Image]:
    """Return what draws a person: `portrait(seed)`."""
    return _portrait


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(PEOPLE):
        _portrait(number).save(folder / f"person-{number}.png")
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "gallery"


@pytest.fixture
def gallery(photos: Path, place: Path, by_pixels: ByPixels) -> Path:
    assert Gallery(place).add(photos).added == PEOPLE
    return place


@pytest.fixture
def sketch(tmp_path: Path) -> Path:
    path = tmp_path / "sketch.png"
    _portrait(3).convert("L").save(path)
    return path
