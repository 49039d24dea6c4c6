"""Translation of uploads: decoded and framed in a thread, translated in batches, encoded in a thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from facesketch.config import ENDS, Direction
from facesketch.devices import processors
from facesketch.errors import FaceError
from facesketch.images.io import encoded
from facesketch.images.photo_or_sketch import kind_of
from facesketch.inference.model import FramedFace, Model, Request
from facesketch.serve.admission import Admission, Ticket
from facesketch.serve.batching import Batcher, Pixels
from facesketch.serve.catalogue import Catalogue, ServedModel
from facesketch.serve.codec import QUALITY, ImageDecoder, Kind, data_url, shrunk
from facesketch.serve.problems import ProblemError
from facesketch.serve.prometheus import Metrics
from facesketch.serve.schemas import FaceFound, Translated, TranslateForm
from facesketch.serve.settings import Limits

if TYPE_CHECKING:
    from facesketch.faces import Face, FaceFinder

_MOST_THREADS = 8
_COLOURS = {"skin", "hair", "background", "variants"}
_PATIENCE = 1.0  # seconds for the thread of the networks to end


class CountingFinder:
    """A face finder for one picture, which remembers how many faces it shows."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder, self.count = finder, 0

    def find(self, image: Image.Image, *, most: int | None = None) -> list[Face]:
        """Return the faces of a picture, the largest first, and no more than `most`."""
        faces = self._finder.look(image)
        self.count = len(faces)
        return [self._finder.refine(image, face) for face in faces[:most]]


@dataclass(frozen=True, eq=False)
class Job:
    """An upload that is ready for its network.

    Attributes:
        framed: what the network gets.
        pipeline: what framed it, and makes a portrait of the result.
        model: the model that translates it.
        faces: how many faces the picture shows.
        shrunk: how many times as wide the upload was as the picture in which the face was found.
    """

    framed: FramedFace
    pipeline: Model
    model: ServedModel
    faces: int
    shrunk: float = 1.0

    def headers(self) -> dict[str, str]:
        """Return the headers of the answer."""
        direction, face = self.framed.direction, self.framed.face
        values = {"Direction": direction, "Model": self.model.about.id, "Kind": ENDS[direction][0]}
        values["Turned"] = str(0 if face is None else face.turn)
        if self.framed.style is not None:
            values["Style"] = quote(self.framed.style)  # a header holds ASCII
        return {f"X-Facesketch-{name}": value for name, value in values.items()}


HEADERS = tuple(f"X-Facesketch-{name}" for name in ("Direction", "Model", "Kind", "Turned", "Style"))
"""What the answer says beside the picture; the style is missing if the model has only one."""


class UploadTranslator:
    """Translates uploads.

    Args:
        catalogue: the models.
        limits: on pictures and batches.
        admission: told by how much a picture delayed the next request.
        metrics: count the pictures and batches.

    Attributes:
        threads: decode, frame and encode pictures.
        decoder: decodes the uploads.
    """

    def __init__(self, catalogue: Catalogue, limits: Limits, admission: Admission, metrics: Metrics) -> None:
        from facesketch.faces import FaceFinder

        self.catalogue, self._limits, self._admission, self._metrics = catalogue, limits, admission, metrics
        self._finder, self.decoder = FaceFinder(), ImageDecoder(limits.pixels, limits.decoding)
        self.threads = ThreadPoolExecutor(min(_MOST_THREADS, processors()), "pictures")
        self._batcher = Batcher(limits.batch, metrics.batch)

    @property
    def waiting(self) -> int:
        """How many pictures wait for a network."""
        return self._batcher.waiting

    async def translate(
        self, data: bytes, form: TranslateForm, kind: Kind, ticket: Ticket
    ) -> tuple[bytes | Translated, dict[str, str]]:
        """Return the translation of an upload, as a file or as a JSON answer, and the headers of the answer.

        Raises:
            ProblemError: the upload or a field cannot be used.
        """
        begun = time.perf_counter()
        job = await ticket.run(self.threads, self._prepare, data, form, kind == "json")
        framed, direction = job.framed, job.framed.direction
        translator = job.model.translator(direction)
        submit = partial(self._batcher.submit, translator, framed.prepared, direction, framed.style)
        drawn = await asyncio.gather(*(ticket.result(submit(colours)) for colours in framed.hints))
        content = await ticket.run(self.threads, _finish, drawn, job, kind)
        self._metrics.pictures.labels(job.model.about.id, direction).inc()
        self._admission.record((time.perf_counter() - begun) / max(1, self._admission.active))
        return content, job.headers()

    def close(self) -> None:
        """End the threads without waiting for one that is stuck."""
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.decoder.close()
        self._batcher.close(_PATIENCE)

    def _prepare(self, data: bytes, form: TranslateForm, keep: bool) -> Job:
        model = self.catalogue[form.model]
        _ = Request(**form.model_dump(include=_COLOURS)).hints  # refuses what is no colour, whatever the picture shows
        with self.decoder.open(data) as image:
            direction = _decided(model, form) or ("photo2sketch" if kind_of(image) == "photo" else "sketch2photo")
            translator, style = model.translator(direction), _style(model, direction, form)
            align = form.align and translator.preprocessing.faces is not None
            if form.face > 1 and not align:
                seen = f"The server did not look for faces, so there is no face {form.face}."
                raise ProblemError(400, seen, "Leave out the field face.")
            width = image.width
            if not align or form.whole:
                image = shrunk(image, self._limits.native if form.resolution == "native" else self._limits.side)
            fields = {"margin", "whole", "resolution"}
            if direction == "sketch2photo" or _decided(model, form):  # colours apply to photos only
                fields |= _COLOURS
            request = Request(
                direction,
                form.face if align else None,
                align,
                size=_size(model, direction, form),
                style=style,
                **form.model_dump(include=fields),
            )
            finder = CountingFinder(self._finder)
            pipeline = Model(translator, finder=finder)
            try:
                framed = pipeline.prepare(image, request, keep_source=keep)[0]
            except FaceError as error:
                raise _face_problem(finder.count, form.face) from error
        return Job(framed, pipeline, model, finder.count, width / image.width)


def _decided(model: ServedModel, form: TranslateForm) -> Direction | None:
    """Return the direction; None if the picture decides it."""
    return form.direction or (next(iter(model.translators)) if len(model.translators) == 1 else None)


def _style(model: ServedModel, direction: Direction, form: TranslateForm) -> str | None:
    """Return the style to draw in; where the picture decides the direction, a style applies to sketches only."""
    styles = model.about.styles[direction]
    known = dict.fromkeys(style for each in model.about.styles.values() for style in each)
    if form.style is not None and form.style not in known:
        hint = f"It has {', '.join(known)}." if known else "Leave out the field style."
        raise ProblemError(400, f"The model {model.about.id} has no such style.", hint)
    if form.style is not None and (direction == "photo2sketch" or _decided(model, form)):
        if form.style not in styles:
            raise ProblemError(
                400, f"The model {model.about.id} has this style only in the other direction.", "Leave out style."
            )
        return form.style
    return styles[0] if styles else None


def _size(model: ServedModel, direction: Direction, form: TranslateForm) -> str | None:
    """Return the size to draw at; where the picture decides the direction, a size applies to the one that has it."""
    known = {size for sizes in model.about.sizes.values() for size in sizes}
    elsewhere = form.size in known.difference(model.about.sizes[direction])
    return None if elsewhere and not _decided(model, form) else form.size


def _face_problem(count: int, number: int) -> ProblemError:
    if count == 0:
        hint = "Send a picture of a face from the front, or turn off finding the face if it fills the picture."
        return ProblemError(400, "No face was found in this picture.", hint, field="align")
    many = "one face" if count == 1 else f"{count} faces"
    hint = "Leave out the field face." if count == 1 else f"Ask for face 1 to {count}; 1 is the largest."
    return ProblemError(400, f"The picture shows {many}, so there is no face {number}.", hint, field="face")


def _finish(drawn: Sequence[Pixels], job: Job, kind: Kind) -> bytes | Translated:
    portrait = job.pipeline.restore(np.concatenate(drawn, axis=1), job.framed)
    if kind != "json":
        return encoded(portrait.picture, kind.upper(), QUALITY)
    assert portrait.source is not None, "kept for this answer"
    source, face, turned = portrait.source, portrait.face, portrait.turned
    box: Any = None if face is None else tuple(round(float(value) * job.shrunk, 1) for value in face.box)
    if source.size != job.framed.size:
        source = source.resize(job.framed.size, Image.Resampling.BICUBIC)
    return Translated(
        direction=portrait.direction,
        model=job.model.about.id,
        style=job.framed.style,
        width=portrait.picture.width,
        height=portrait.picture.height,
        faces=job.faces,
        face=None if box is None else FaceFound(box=box),
        turned=turned,
        source=data_url(source, "jpeg"),
        result=data_url(portrait.picture, "png"),
        notice=f"The picture was turned by {turned}° clockwise to show the face upright." if turned else "",
    )
