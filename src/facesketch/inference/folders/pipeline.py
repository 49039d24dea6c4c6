"""Read, translate and write at the same time, with a bounded number of pictures in memory.

Threads read pictures and frame their faces ahead of the thread that asks for results, which runs the network on batches
of one shape; other threads enlarge, encode and write. Memory does not depend on how many pictures there are.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.config import ENDS
from facesketch.devices import ThreadedMap, processors
from facesketch.errors import FaceError, FacesketchError, ImageError
from facesketch.faces.turns import Turn
from facesketch.images.contact_sheet import sheet
from facesketch.images.io import open_image, save_image
from facesketch.inference.folders.plan import Job
from facesketch.inference.model import DEFAULT, FramedFace, Model, Portrait, Request


class Outcome(NamedTuple):
    """What became of a job: what went wrong, if anything, and how far its picture was turned upright."""

    job: Job
    error: FacesketchError | None = None
    turned: Turn = 0


@dataclass(frozen=True)
class Limits:
    """How much is in memory at once.

    Attributes:
        pictures: most pictures that are read ahead, and most that the network takes at a time.
        held: bytes of pictures read ahead above which no further one is read.
        batch: most faces that go through the network together.
        pixels: most pixels that go through the network together.
        readers: threads that read; None for one per processor, at most 8.
        writers: threads that write, and most pictures that wait to be written; None as for `readers`.
    """

    pictures: int = 16
    held: int = 256 << 20
    batch: int = 8
    pixels: int = 8 * 256 * 256
    readers: int | None = None
    writers: int | None = None


@dataclass(eq=False)
class _Picture:
    """A picture that was read: its faces and what the network made of them, or why it cannot be translated."""

    job: Job
    faces: list[FramedFace] = field(default_factory=list)
    arrays: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    error: ImageError | FaceError | None = None

    @property
    def bytes(self) -> int:
        sources = (face.source for face in self.faces if face.source)
        kept = sum(source.width * source.height * len(source.getbands()) for source in sources)
        return kept + sum(math.prod(shape) for face in self.faces for shape in face.prepared.shape)


def run(jobs: Iterable[Job], model: Model, asked: Request = DEFAULT, limits: Limits = Limits()) -> Generator[Outcome]:
    """Translate jobs, and yield what becomes of each one as it ends.

    When you stop early, pictures that are being written are still finished, and no thread is left.

    Args:
        jobs: taken as they are needed.
        model: translates them.
        asked: what to do with each picture.
        limits: how much is in memory at once.

    Raises:
        OutputError: a place cannot be written; the rest is not tried.
        ConfigError: the model does not do what is asked.
    """

    def read(job: Job) -> _Picture:
        try:
            image, keep = open_image(job.source), job.sheet is not None
            return _Picture(job, model.prepare(image, asked, str(job.source), keep_source=keep))
        except (ImageError, FaceError) as error:
            return _Picture(job, error=error)

    def finish(picture: _Picture) -> Outcome:
        if picture.error is None:
            try:
                portraits = [model.restore(picture.arrays[place], face) for place, face in enumerate(picture.faces)]
                picture.faces, picture.arrays = [], {}
                write(picture.job, portraits)
                return Outcome(picture.job, turned=portraits[0].turned)  # all faces of a picture are turned alike
            except ImageError as error:
                picture.error = error
        return Outcome(picture.job, picture.error)

    readers, writers = (given or min(8, processors()) for given in (limits.readers, limits.writers))
    size, most, held = attrgetter("bytes"), limits.pictures, limits.held
    with ThreadedMap(read, jobs, threads=readers, most=most, held=held, size=size, name="read") as pictures:
        drawn = _drawn(pictures, model, limits)
        with ThreadedMap(finish, drawn, threads=writers, most=writers, name="write") as outcomes:
            yield from outcomes


def _drawn(pictures: ThreadedMap[Job, _Picture], model: Model, limits: Limits) -> Iterator[_Picture]:
    """Run the network on what has been read so far, in batches of one shape, and yield each picture once it is drawn.

    The network takes what there is rather than wait for full batches: where it is slower than reading, batches fill up
    while it works, and where it is not, their size matters little.
    """
    while taken := pictures.take():
        shapes: dict[object, list[tuple[_Picture, int]]] = {}
        for picture in taken:
            for place, face in enumerate(picture.faces):
                shapes.setdefault(face.batch, []).append((picture, place))
            if picture.error is not None:
                yield picture
        for alike in shapes.values():
            first, place = alike[0]
            pixels = math.prod(first.faces[place].prepared.shape[-1][:2])
            size = max(1, min(limits.batch, limits.pixels // pixels))
            for start in range(0, len(alike), size):
                batch = alike[start : start + size]
                arrays = model.run([picture.faces[place] for picture, place in batch])
                for (picture, place), array in zip(batch, arrays, strict=True):
                    picture.arrays[place] = array
                    if len(picture.arrays) == len(picture.faces):
                        yield picture


def write(job: Job, portraits: list[Portrait]) -> None:
    """Write what a job wants, each file whole or not at all, and the one that marks it done last.

    Raises:
        ImageError: the format cannot hold a picture.
        OutputError: a place cannot be written.
    """
    if job.sheet is not None:
        save_image(side_by_side(portraits), job.sheet)
    for number, portrait in reversed(list(enumerate(portraits))):
        save_image(portrait.picture, job.place(number))


def side_by_side(portraits: list[Portrait]) -> Image.Image:
    """Return one picture of what was translated beside its translation, a row for each face."""
    rows = [(each.source, each.picture) for each in portraits]
    widths, heights = zip(*(each.size for row in rows for each in row if each is not None), strict=True)
    return sheet(rows, ENDS[portraits[0].direction], cell=(max(widths), max(heights)))
