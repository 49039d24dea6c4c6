"""The way of one picture: decoded and framed in a thread, drawn by the thread of the networks, encoded in a thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from PIL import Image

from facesketch.config import Direction
from facesketch.devices import processors
from facesketch.errors import FaceError
from facesketch.images.photo_or_sketch import kind_of
from facesketch.inference.model import FramedFace, Model, Request
from facesketch.inference.translator import Translator
from facesketch.serve.admission import Desk, Ticket
from facesketch.serve.batching import Batcher, Pixels
from facesketch.serve.catalogue import Catalogue, Offered
from facesketch.serve.codec import Darkroom, Kind, data_url, encoded, shrunk
from facesketch.serve.problems import ProblemError
from facesketch.serve.prometheus import Meters
from facesketch.serve.schemas import FaceFound, Translated, TranslateForm
from facesketch.serve.settings import Limits

if TYPE_CHECKING:
    from facesketch.faces import Face, FaceFinder

Result = TypeVar("Result")
_MOST_THREADS = 8
_PATIENCE = 1.0  # seconds for the thread of the networks to end


class CountingFinder:
    """Stands for a finder while one picture is looked at, and keeps how many faces there were."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder, self.count = finder, 0

    def find(self, image: Image.Image, *, most: int | None = None) -> list[Face]:
        """Return the faces of a picture, the largest first, and no more than `most`."""
        faces = self._finder.look(image)
        self.count = len(faces)
        return [self._finder.refine(image, face) for face in faces[:most]]


@dataclass(frozen=True, eq=False)
class Piece:
    """A picture on its way.

    Attributes:
        sitting: what the network gets.
        pipeline: what made it ready, and makes a portrait of the result.
        model: whose network.
        translator: the network.
        style: the hand to draw in, None for the model's only one.
        faces: how many faces the picture shows.
    """

    sitting: FramedFace
    pipeline: Model
    model: Offered
    translator: Translator
    style: str | None
    faces: int

    @property
    def kind(self) -> str:
        """What was sent, a photo or a sketch."""
        return self.sitting.direction.partition("2")[0]


@dataclass(frozen=True, eq=False)
class Made:
    """A finished translation: the picture as a file's bytes, or all about it, and what its headers say."""

    content: bytes | Translated
    headers: dict[str, str]


class Workshop:
    """Translates uploads.

    Args:
        catalogue: the models.
        limits: how large and how many.
        desk: told how long the work on a picture took.
        meters: what counts.
    """

    def __init__(self, catalogue: Catalogue, limits: Limits, desk: Desk, meters: Meters) -> None:
        from facesketch.faces import FaceFinder

        self.catalogue, self._limits, self._desk, self._meters = catalogue, limits, desk, meters
        self._finder, self._darkroom = FaceFinder(), Darkroom(limits.pixels, limits.decoding)
        self._threads = ThreadPoolExecutor(min(_MOST_THREADS, processors()), "pictures")
        self._batcher = Batcher(limits.batch, meters.batch)

    @property
    def waiting(self) -> int:
        """How many pictures wait for a network."""
        return self._batcher.waiting

    @property
    def darkroom(self) -> Darkroom:
        """What decodes uploads."""
        return self._darkroom

    async def translate(self, data: bytes, asked: TranslateForm, kind: Kind, ticket: Ticket) -> Made:
        """Return the translation of an upload.

        Raises:
            ProblemError: the upload or a field cannot be used.
        """
        begun = time.perf_counter()
        piece = await self.thread(ticket, self._prepare, data, asked, kind == "json")
        way = piece.sitting.direction
        waiting = self._batcher.submit(piece.translator, piece.sitting.prepared, way, piece.style)
        ticket.attach(waiting)
        array = await asyncio.wrap_future(waiting)
        content = await self.thread(ticket, _finish, array, piece, kind)
        self._meters.pictures.add(piece.model.id, way)
        self._desk.passed((time.perf_counter() - begun) / max(1, self._desk.taken))
        return Made(content, _headers(piece))

    async def thread(self, ticket: Ticket, work: Callable[..., Result], *given: Any) -> Result:
        """Do a piece of work in one of the threads."""
        future = self._threads.submit(work, *given)
        ticket.attach(future)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the threads, and wait for none that is stuck."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._darkroom.close()
        self._batcher.close(_PATIENCE)

    def _prepare(self, data: bytes, asked: TranslateForm, keep: bool) -> Piece:
        model = self.catalogue[asked.model]
        with self._darkroom.open(data) as image:
            direction = _direction(model, asked, image)
            translator, style = model.translator(direction), _style(model, direction, asked)
            aligns = asked.align and translator.preprocessing.faces is not None
            _check(model, translator, asked, aligns)
            finder, faces = CountingFinder(self._finder), asked.face if aligns else None
            request = Request(direction=direction, resolution=asked.resolution, align=aligns, faces=faces)
            pipeline = Model(translator, finder=finder)
            shown = image if aligns else self._bounded(image, asked)
            sitting = _sit(pipeline, shown, request, keep, asked.face, finder)
        return Piece(sitting, pipeline, model, translator, style, finder.count)

    def _bounded(self, image: Image.Image, asked: TranslateForm) -> Image.Image:
        return shrunk(image, self._limits.native if asked.resolution == "native" else self._limits.side)


def _check(model: Offered, translator: Translator, asked: TranslateForm, aligns: bool) -> None:
    if asked.face > 1 and not aligns:
        hint = "Leave out the field face."
        raise ProblemError(400, "No faces are looked for, so there is none to pick.", hint)
    if asked.resolution == "native" and translator.preprocessing.frame is not None:
        raise ProblemError(400, f"The model {model.id} has a fixed size.", "Leave out the field resolution.")


def _direction(model: Offered, asked: TranslateForm, image: Image.Image) -> Direction:
    if asked.direction is not None:
        return asked.direction
    if len(model.directions) == 1:
        return model.directions[0]
    return "photo2sketch" if kind_of(image) == "photo" else "sketch2photo"


def _style(model: Offered, direction: Direction, asked: TranslateForm) -> str | None:
    """Return the hand to draw in; where the picture tells what to do, a hand is asked of sketches only."""
    styles = model.translators[direction].preprocessing.styles
    if asked.style is not None and asked.style not in model.styles:
        known = f"It has {', '.join(model.styles)}." if model.styles else "Leave out the field style."
        raise ProblemError(400, f"The model {model.id} has no such style.", known)
    meant = direction == "photo2sketch" or asked.direction is not None or len(model.directions) == 1
    if asked.style in styles and meant:
        return asked.style
    if asked.style is not None and meant:
        raise ProblemError(400, f"The model {model.id} has this style in the other direction.", "Leave out style.")
    return styles[0] if styles else None


def _sit(
    pipeline: Model, image: Image.Image, request: Request, keep: bool, number: int, finder: CountingFinder
) -> FramedFace:
    try:
        return pipeline.prepare(image, request, keep_source=keep)[0]
    except FaceError as error:
        if finder.count == 0:
            hint = (
                "Try one that shows a face from the front, or do without finding the face where one fills the picture."
            )
            raise ProblemError(400, "No face was found in this picture.", hint) from error
        many = "one face" if finder.count == 1 else f"{finder.count} faces"
        hint = f"Ask for face 1 to {finder.count}; 1 is the largest."
        raise ProblemError(400, f"The picture shows {many}, so there is no face {number}.", hint) from error


def _finish(array: Pixels, piece: Piece, kind: Kind) -> bytes | Translated:
    portrait = piece.pipeline.restore(array, piece.sitting)
    if kind != "json":
        return encoded(portrait.picture, kind)
    assert portrait.source is not None, "kept for this answer"
    source, face = portrait.source, portrait.face
    if source.size != portrait.picture.size:
        source = source.resize(portrait.picture.size, Image.Resampling.BICUBIC)
    return Translated(
        direction=portrait.direction,
        model=piece.model.id,
        style=piece.style,
        width=portrait.picture.width,
        height=portrait.picture.height,
        faces=piece.faces,
        face=None if face is None else FaceFound(box=_rounded(face.box)),
        turned=portrait.turned,
        source=data_url(source, "jpeg"),
        result=data_url(portrait.picture, "png"),
        notice=f"Turned by {portrait.turned}° clockwise, as that shows a face upright" if portrait.turned else "",
    )


def _rounded(box: Sequence[float]) -> tuple[float, float, float, float]:
    left, top, width, height = (round(float(value), 1) for value in box)
    return left, top, width, height


def _headers(piece: Piece) -> dict[str, str]:
    face = piece.sitting.face
    told = {"Direction": piece.sitting.direction, "Model": piece.model.id, "Kind": piece.kind}
    told["Turned"] = str(0 if face is None else face.turn)
    if piece.style is not None:
        told["Style"] = quote(piece.style)  # a header holds ASCII
    return {f"X-Facesketch-{name}": value for name, value in told.items()}
