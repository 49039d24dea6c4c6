"""Pictures become vectors: find the face, frame it, translate it, and describe both.

A gallery's photo gives two descriptions in one vector, that of the photo and that of its sketch; a probe gives two as
well, that of the sketch and that of its photo. What a route compares is then an inner product, so one vector per photo
serves every route:

    direct       the sketch with the photos
    to-photo     the photo made of the sketch with the photos
    to-sketch    the sketch with the sketches made of the photos
    fused        the mean of the three
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.checkpoints.header import model_file
from facesketch.config import Direction
from facesketch.devices import processors
from facesketch.errors import ConfigError, FaceError
from facesketch.faces import FaceFinder
from facesketch.faces.turns import Turn
from facesketch.inference.translator import Translator, load
from facesketch.search.embedding.crop import framed, meant
from facesketch.search.embedding.embedders import Embedder, embedder_named
from facesketch.weights import shipped

if TYPE_CHECKING:
    from facesketch.config import Kind

Vector = NDArray[np.float32]
Route = Literal["direct", "to-photo", "to-sketch", "fused"]
ROUTES: tuple[Route, ...] = get_args(Route)

_WEIGHTS: dict[Route, tuple[float, float, float]] = {
    "direct": (1, 0, 0),
    "to-photo": (0, 1, 0),
    "to-sketch": (0, 0, 1),
    "fused": (1 / 3, 1 / 3, 1 / 3),
}
"""What the sketch with the photos, its photo with the photos, and the sketch with their sketches count in a route."""
_AT_ONCE = 8  # pictures that go through the network together


@dataclass(frozen=True, eq=False)
class Probe:
    """A sketch that somebody is looked for with.

    Attributes:
        sketch: (D,) of the sketch as it is, unit length.
        photo: (D,) of the photo made of it, unit length.
        framed: the sketch in the frame.
        translated: the photo made of it.
        turn: how many degrees clockwise the sketch was turned to stand upright.
    """

    sketch: Vector
    photo: Vector
    framed: Image.Image
    translated: Image.Image
    turn: Turn = 0


class Describer:
    """Makes vectors of pictures of any size.

    Args:
        embedder: what describes framed faces.
        photo2sketch: a model that makes sketches of photos in the frame.
        sketch2photo: a model that makes photos of sketches.
        models: what to call the two in the fingerprint.
        finder: what finds faces.
    """

    def __init__(
        self,
        embedder: Embedder,
        photo2sketch: Translator,
        sketch2photo: Translator,
        models: tuple[str, str],
        finder: FaceFinder,
    ) -> None:
        self._embedder, self._finder, self._workers = embedder, finder, processors()
        self._translators: dict[Direction, Translator] = {"photo2sketch": photo2sketch, "sketch2photo": sketch2photo}
        self.embedder = embedder.name
        self.fingerprint = f"{embedder.id}+photo2sketch-{models[0]}+sketch2photo-{models[1]}"
        self.dimension = 2 * embedder.dimension
        self.notice = embedder.notice

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._workers, thread_name_prefix="describe")

    def gallery(self, pictures: Sequence[Image.Image]) -> list[Vector | FaceError]:
        """Describe photos, each by its largest face.

        Args:
            pictures: `L` or `RGB`, of any size.

        Returns:
            For each picture a vector (2 D,), both halves of unit length, or, where it shows no face, the error.
        """
        found = list(self._threads.map(self._framed, pictures))
        faces = [face for face in found if isinstance(face, Image.Image)]
        sketches = self._translated(faces, "photo2sketch")
        rows = iter(np.concatenate([self._described(faces, "photo"), self._described(sketches, "sketch")], axis=1))
        return [next(rows) if isinstance(face, Image.Image) else face for face in found]

    def probe(self, picture: Image.Image, name: str = "probe", face: int | None = None) -> Probe:
        """Describe a sketch.

        Args:
            picture: `L` or `RGB`, of any size.
            name: what to call it in errors.
            face: which of its faces, 1 for the largest; needed where it shows several.

        Raises:
            FaceError: no face, several without `face`, or none of that number.
        """
        try:
            found = meant(self._finder, picture, face, only=True)
        except FaceError as error:
            raise FaceError(f"{name}: {error}") from error
        sketch = framed(picture, found)
        (photo,) = self._translated([sketch], "sketch2photo")
        vectors = self._described([sketch], "sketch")[0], self._described([photo], "photo")[0]
        return Probe(*vectors, sketch, photo, found.turn)

    def query(self, probe: Probe, route: Route) -> Vector:
        """Return the vector (2 D,) whose inner product with a photo's is its score on a route, -1 to 1.

        Raises:
            ConfigError: there is no such route.
        """
        if route not in _WEIGHTS:
            raise ConfigError(f"unknown route '{route}'", f"expected one of {', '.join(ROUTES)}")
        direct, to_photo, to_sketch = _WEIGHTS[route]
        halves = [direct * probe.sketch + to_photo * probe.photo, to_sketch * probe.sketch]
        return np.concatenate(halves).astype(np.float32)

    def _framed(self, picture: Image.Image) -> Image.Image | FaceError:
        try:
            return framed(picture, meant(self._finder, picture))
        except FaceError as error:
            return error

    def _translated(self, faces: Sequence[Image.Image], direction: Direction) -> list[Image.Image]:
        starts = range(0, len(faces), _AT_ONCE)
        translate = self._translators[direction].translate
        return [made for start in starts for made in translate(faces[start : start + _AT_ONCE], direction)]

    def _described(self, faces: Sequence[Image.Image], kind: Kind) -> Vector:
        if not faces:
            return np.zeros((0, self._embedder.dimension), np.float32)
        share = -(-len(faces) // self._workers)  # each thread's faces together: a map read for many is read once
        shares = [faces[start : start + share] for start in range(0, len(faces), share)]
        return np.concatenate(list(self._threads.map(lambda some: self._embedder.describe(some, kind), shares)))


def describer(
    embedder: str | None = None,
    *,
    photo2sketch: str | Path | None = None,
    sketch2photo: str | Path | None = None,
    finder: FaceFinder | None = None,
) -> Describer:
    """Return what describes pictures.

    Args:
        embedder: one of `EMBEDDERS`, or a file that `search learn` wrote; None for the best that is at hand.
        photo2sketch: a model file or run folder to make sketches of photos with; None for the package's own.
        sketch2photo: the same for the other direction.
        finder: what finds faces; None for a `FaceFinder`.

    Raises:
        ConfigError: no such embedder, or a model of another direction.
        CheckpointError: a file is missing, torn or foreign.
        MissingExtraError: the embedder needs weights that are not there.
    """
    to_sketch, first = _loaded("photo2sketch", photo2sketch)
    to_photo, second = _loaded("sketch2photo", sketch2photo)
    return Describer(embedder_named(embedder), to_sketch, to_photo, (first, second), finder or FaceFinder())


def _loaded(direction: Direction, given: str | Path | None) -> tuple[Translator, str]:
    """Return a translator and the first digits of its file's sha256, which tell it from every other."""
    path = shipped.path(direction) if given is None else Path(given)
    translator = load(str(path))
    translator.choose(direction)
    return translator, hashlib.sha256(model_file(path).read_bytes()).hexdigest()[:12]
