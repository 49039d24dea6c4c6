"""A describer that tells faces by their colour, and pictures of one colour each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facesketch.errors import FaceError
from facesketch.search.embedding.describer import PhotoVector
from facesketch.search.gallery import Gallery
from facesketch.search.storage.store import Store

Colour = tuple[int, int, int]
BLACK = (0, 0, 0)
SIDEWAYS = (90, 0, 90)


@dataclass(frozen=True)
class Seen:
    """What a probe was taken for; the fields are those of the real one."""

    sketch: NDArray[np.float32]
    photo: NDArray[np.float32]
    framed: Image.Image
    translated: Image.Image
    turn: int = 0


class Colours:
    """Describes a picture by its colour; black shows no face, and `SIDEWAYS` lies on its side."""

    def __init__(self, fingerprint: str = "hog-1+photo2sketch-2") -> None:
        self.fingerprint, self.embedder, self.dimension, self.notice = fingerprint, "hog", 6, ""
        self.query_fingerprint = f"{fingerprint}+sketch2photo-3"
        self.described: list[Colour] = []
        self.hold: Callable[[], object] = lambda: None

    def gallery(self, pictures: Sequence[Image.Image]) -> list[PhotoVector | FaceError]:
        self.hold()
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: Image.Image) -> PhotoVector | FaceError:
        colour = _middle(picture)
        self.described.append(colour)
        if colour == BLACK:
            return FaceError("no face found")
        return PhotoVector(np.tile(_unit(colour), 2), 90 if colour == SIDEWAYS else 0)

    def probe(self, picture: Image.Image, name: str = "probe", face: int | None = None) -> Seen:
        colour = _middle(picture)
        if colour == BLACK:
            raise FaceError(f"{name}: no face found")
        return Seen(_unit(colour), _unit(colour), picture, picture)

    def query(self, probe: Seen, route: str) -> NDArray[np.float32]:
        first, second = {"direct": (1, 0), "to-photo": (1, 0), "to-sketch": (0, 1), "fused": (0.6, 0.4)}[route]
        return np.concatenate([first * probe.sketch, second * probe.photo]).astype(np.float32)


def _middle(picture: Image.Image) -> Colour:
    red, green, blue = picture.convert("RGB").getpixel((picture.width // 2, picture.height // 2))  # type: ignore[misc]
    return red, green, blue


def _unit(colour: Colour) -> NDArray[np.float32]:
    values = np.array(colour, np.float32) - 128
    return values / np.linalg.norm(values)


@pytest.fixture
def colours() -> Colours:
    return Colours()


@pytest.fixture
def draw() -> Callable[..., Path]:
    """Return what writes a picture of one colour: `draw(path, (200, 10, 30))`."""

    def write(path: Path, colour: Colour, size: tuple[int, int] = (40, 50)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(path)
        return path

    return write


@pytest.fixture
def photos(tmp_path: Path, draw: Callable[..., Path]) -> Path:
    """Return a folder of four photos in two folders: red, green, blue and dark."""
    folder = tmp_path / "photos"
    draw(folder / "red.png", (250, 20, 20))
    draw(folder / "green.png", (20, 250, 20))
    draw(folder / "more" / "blue.png", (20, 20, 250))
    draw(folder / "more" / "dark.png", (60, 60, 60))
    return folder


@pytest.fixture
def gallery(tmp_path: Path, colours: Colours) -> Gallery:
    """Return a gallery that the first photo will make, in a folder of its own."""
    return Gallery(tmp_path / "gallery", colours)


@pytest.fixture
def store(gallery: Gallery, colours: Colours) -> Store:
    """Return where that gallery keeps its photos, made before the first is added."""
    Store.create(gallery.uri, colours.fingerprint, colours.dimension)
    return gallery.store


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = {thread for thread in threading.enumerate() if not thread.name.startswith("LanceDB")}
    assert left <= before
