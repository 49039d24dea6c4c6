"""From a picture to a vector: find the face, frame it, translate it, and describe both.

A gallery photo becomes one vector of two halves, which describe the photo and the sketch made of it. A probe becomes
two descriptions, of the sketch and of the photo made of it. Every route is then an inner product, so one vector per
photo serves all of them:

    direct       the sketch with the photos
    to-photo     the photo made of the sketch with the photos
    to-sketch    the sketch with the sketches made of the photos
    fused        the mean of the three

A probe that is a photo is compared with the photos on every route. Several probes of one person are one query, the mean
of theirs, so its scores are the means of theirs.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.config import Direction
from facesketch.devices import processors
from facesketch.errors import ConfigError, FaceError, SeveralFacesError, count, require_known
from facesketch.faces import Face, FaceFinder, align
from facesketch.faces.finder import upright_in
from facesketch.faces.frame import FRAME
from facesketch.faces.turns import Turn
from facesketch.images.photo_or_sketch import kind_of
from facesketch.inference.translator import Translator, load
from facesketch.search.embedding.embedders import Embedder, embedder_named
from facesketch.weights import shipped

if TYPE_CHECKING:
    from facesketch.config import Domain

Vector = NDArray[np.float32]
Route = Literal["direct", "to-photo", "to-sketch", "fused"]
ROUTES: tuple[Route, ...] = get_args(Route)

_WEIGHTS: dict[Route, tuple[float, float, float]] = {
    "direct": (1, 0, 0),
    "to-photo": (0, 1, 0),
    "to-sketch": (0, 0, 1),
    "fused": (1 / 3, 1 / 3, 1 / 3),
}
"""The weight of each of the first three routes in a route."""
_BATCH = 8  # pictures that go through a network together
_PASSER_BY = 0.25  # of the largest face's area: smaller faces are people in the background
_AS_CROPPED = 0.2  # of the eye distance: 10 pixels


@dataclass(frozen=True, eq=False)
class Probe:
    """A picture of a search, described.

    Attributes:
        sketch: (D,) of the sketch, unit length; None for a photo.
        photo: (D,) of the photo made of it or of the photo itself, unit length.
        framed: the picture in the frame.
        translated: the photo made of it; None for a photo.
        turn: degrees clockwise by which the picture was turned upright.
    """

    sketch: Vector | None
    photo: Vector
    framed: Image.Image
    translated: Image.Image | None
    turn: Turn = 0


@dataclass(frozen=True, eq=False)
class PhotoVector:
    """A photo of a gallery, described.

    Attributes:
        vector: (2 D,) of the photo and of the sketch made of it, both halves of unit length.
        turn: degrees clockwise by which the photo was turned upright.
    """

    vector: Vector
    turn: Turn = 0


class Describer:
    """Turns pictures of any size into vectors.

    Args:
        embedder: describes framed faces.
        photo2sketch: makes sketches of framed photos.
        sketch2photo: makes photos of framed sketches.
        models: the names of the two in the fingerprints.
        finder: finds faces.

    Attributes:
        fingerprint: of all that makes a photo's vector; a gallery holds vectors of one fingerprint.
        query_fingerprint: of all that makes a query's vector; it also names the model that makes photos of sketches.
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
        self.fingerprint = f"{embedder.id}+photo2sketch-{models[0]}"
        self.query_fingerprint = f"{self.fingerprint}+sketch2photo-{models[1]}"
        self.dimension = 2 * embedder.dimension
        self.notice = embedder.notice

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._workers, thread_name_prefix="describe")

    def gallery(self, pictures: Sequence[Image.Image]) -> list[PhotoVector | FaceError]:
        """Describe photos, each by its largest face.

        Args:
            pictures: `L` or `RGB`, of any size.

        Returns:
            For each picture what it became, or the error where it shows no face.
        """

        def frame(picture: Image.Image) -> tuple[Image.Image, Turn] | FaceError:
            try:
                face = choose_face(self._finder, picture)
            except FaceError as error:
                return error
            return frame_face(picture, face), face.turn

        found = list(self._threads.map(frame, pictures))
        photos = [each[0] for each in found if not isinstance(each, FaceError)]
        sketches = self._translate(photos, "photo2sketch")
        rows = iter(np.concatenate([self._describe(photos, "photo"), self._describe(sketches, "sketch")], axis=1))
        return [each if isinstance(each, FaceError) else PhotoVector(next(rows), each[1]) for each in found]

    def probe(self, picture: Image.Image, name: str = "probe", face: int | None = None) -> Probe:
        """Describe a sketch or a photo; `kind_of` says which it is.

        Args:
            picture: `L` or `RGB`, of any size.
            name: what errors call it.
            face: which of its faces, 1 for the largest; needed if it shows several.

        Raises:
            FaceError: no face, several without `face`, or none of that number.
        """
        try:
            found = choose_face(self._finder, picture, face, only=True)
        except FaceError as error:
            error.where = name
            raise
        framed = frame_face(picture, found)
        if kind_of(framed) == "photo":
            return Probe(None, self._describe([framed], "photo")[0], framed, None, found.turn)
        (photo,) = self._translate([framed], "sketch2photo")
        vectors = self._describe([framed], "sketch")[0], self._describe([photo], "photo")[0]
        return Probe(*vectors, framed, photo, found.turn)

    def query(self, probe: Probe, route: Route) -> Vector:
        """Return the vector (2 D,) whose inner product with a photo's is its score on a route, -1 to 1.

        Raises:
            ConfigError: there is no such route.
        """
        require_known(route, ROUTES, "`route`")
        if probe.sketch is None:
            return np.concatenate([probe.photo, np.zeros_like(probe.photo)])
        direct, to_photo, to_sketch = _WEIGHTS[route]
        halves = [direct * probe.sketch + to_photo * probe.photo, to_sketch * probe.sketch]
        return np.concatenate(halves).astype(np.float32)

    def _translate(self, faces: Sequence[Image.Image], direction: Direction) -> list[Image.Image]:
        translate = self._translators[direction].translate
        starts = range(0, len(faces), _BATCH)
        return [made for start in starts for made in translate(faces[start : start + _BATCH], direction)]

    def _describe(self, faces: Sequence[Image.Image], domain: Domain) -> Vector:
        if not faces:
            return np.zeros((0, self._embedder.dimension), np.float32)
        share = -(-len(faces) // self._workers)  # one call per thread, as each call of a map reads all of it
        shares = [faces[start : start + share] for start in range(0, len(faces), share)]
        return np.concatenate(list(self._threads.map(lambda some: self._embedder.describe(some, domain), shares)))


def describer(
    embedder: str | None = None,
    *,
    photo2sketch: str | Path | None = None,
    sketch2photo: str | Path | None = None,
    finder: FaceFinder | None = None,
) -> Describer:
    """Load a describer.

    Args:
        embedder: one of `EMBEDDERS`, or a file that `search fit` wrote; None for the best that is installed.
        photo2sketch: a model file or run folder that makes sketches of photos; None for the package's own.
        sketch2photo: the same for the other direction.
        finder: finds faces; None for a `FaceFinder`.

    Raises:
        ConfigError: no such embedder, or a model of another direction.
        CheckpointError: a file is missing, damaged or not a facesketch model.
        MissingExtraError: the embedder needs weights that are not there.
    """
    to_sketch, first = _load("photo2sketch", photo2sketch)
    to_photo, second = _load("sketch2photo", sketch2photo)
    return Describer(embedder_named(embedder), to_sketch, to_photo, (first, second), finder or FaceFinder())


def _load(direction: Direction, given: str | Path | None) -> tuple[Translator, str]:
    """Return a translator and the first digits of its file's sha256, by which the fingerprint names it."""
    translator = load(shipped.path(direction) if given is None else given)
    translator.choose(direction)
    if translator.file is None:
        raise ConfigError(f"{given}: a method without a model file", "give a run folder or a model file")
    return translator, hashlib.sha256(translator.file.read_bytes()).hexdigest()[:12]


def choose_face(finder: FaceFinder, picture: Image.Image, number: int | None = None, *, only: bool = False) -> Face:
    """Return one face of a picture.

    Args:
        finder: finds the faces.
        picture: `L` or `RGB`, of any size.
        number: which face, 1 for the largest; None for the largest.
        only: without a number, refuse a picture with several large faces.

    Raises:
        SeveralFacesError: several large faces, and `only`.
        FaceError: no face, or none of that number.
    """
    faces = finder.look(picture)
    if not faces:
        raise FaceError("no face found", "give a picture that shows one from the front, as large as possible")
    if number is None:
        large = sum(face.area >= _PASSER_BY * faces[0].area for face in faces)
        if only and large > 1:
            raise SeveralFacesError(
                f"{large} faces", "choose one with `face` N (1 is the largest), or crop the picture"
            )
    elif not 1 <= number <= len(faces):
        raise FaceError(
            f"there is no face {number}: {count(len(faces), 'face')} found", f"give `face` 1 to {len(faces)}"
        )
    return finder.refine(picture, faces[(number or 1) - 1])


def frame_face(picture: Image.Image, face: Face) -> Image.Image:
    """Return a face of a picture in the frame, 200x250.

    A picture of the frame's size whose eyes are nearly in place was cropped before, and stays as it is: a person's
    photo and sketch share the error of that crop, and levelling each of them would give two different errors.
    """
    upright, there = upright_in(picture, face)
    cropped = upright.size == (FRAME.width, FRAME.height) and all(
        math.dist(found, place) <= _AS_CROPPED * FRAME.eye_distance
        for found, place in zip(there.eyes, FRAME.eyes, strict=True)
    )
    return upright if cropped else align(upright, there).image
