"""A network that inverts, counts and can be held up; and threads that must not outlive their run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import Direction, MethodConfig, RunConfig
from facesketch.faces.colours import AUTO, Colours
from facesketch.inference.model import Model
from facesketch.inference.translator import Translator


class Inverting:
    """An engine that gives back the negative, and remembers the shapes it saw; `hold` is called before each batch."""

    def __init__(self) -> None:
        self.config = RunConfig(method=MethodConfig(name="pencil"))
        self.preprocessing = Preprocessing(
            photo_channels=3, sketch_channels=3, longest_side=32, frame=None, multiple=1, directions=("photo2sketch",)
        )
        self.shapes: list[tuple[int, ...]] = []
        self.hold: Callable[[], object] = lambda: None

    def run(
        self, images: NDArray[np.float32], direction: Direction, style: str | None = None, colours: Colours = AUTO
    ) -> NDArray[np.float32]:
        self.shapes.append(images.shape)
        self.hold()
        return -images


@pytest.fixture
def engine() -> Inverting:
    return Inverting()


@pytest.fixture
def model(engine: Inverting) -> Model:
    return Model(Translator(engine))


@pytest.fixture
def draw() -> Callable[..., Path]:
    """Return what writes a picture of one shade: `draw(path, shade, size=(20, 16))`."""

    def write(path: Path, shade: int = 100, size: tuple[int, int] = (20, 16)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (shade, 50, 0)).save(path)
        return path

    return write


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before
