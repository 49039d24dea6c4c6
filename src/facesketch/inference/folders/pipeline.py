"""Read, translate and write at the same time, with a bounded number of pictures on their way.

Pictures are read, and their faces framed, by a pool of threads; the thread that asks for results runs the network on
batches of one shape; a second pool enlarges, encodes and writes. Pillow, OpenCV, ONNX Runtime and PyTorch all let go of
the interpreter's lock while they work. Nothing is read while too many pictures, or too many of their bytes, are still
on their way, so that memory does not depend on how many there are.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.devices import processors
from facesketch.errors import FaceError, FacesketchError, ImageError
from facesketch.images.contact_sheet import sheet
from facesketch.images.io import open_image, save_image
from facesketch.inference.folders.plan import Job
from facesketch.inference.portraits import FacePipeline, FramedFace, Portrait

Outcome = tuple[Job, FacesketchError | None]
_OF_ONE_PICTURE = (ImageError, FaceError)


@dataclass(frozen=True)
class Limits:
    """How much is on its way at once.

    Attributes:
        pictures: most pictures that are being read, translated or written.
        held: bytes of pictures on their way above which no further one is read.
        batch: most pictures that go through the network together.
        pixels: most pixels, of all of a batch, that go through the network together.
        readers: threads that read; None for one each processor, at most 8.
        writers: threads that write; None for as many.
    """

    pictures: int = 32
    held: int = 256 << 20
    batch: int = 8
    pixels: int = 8 * 256 * 256
    readers: int | None = None
    writers: int | None = None


@dataclass(eq=False)
class _Picture:
    """A job on its way."""

    job: Job
    sittings: list[FramedFace] = field(default_factory=list)
    arrays: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    error: BaseException | None = None
    read: bool = False
    held: int = 0


class _Budget:
    """Bytes of the pictures that were read and are not written yet; reading waits while they are too many."""

    def __init__(self, most: int) -> None:
        self._most, self._held, self._stopped = most, 0, False
        self._changed = threading.Condition()

    def wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._held < self._most or self._stopped)

    def add(self, count: int) -> None:
        with self._changed:
            self._held += count
            self._changed.notify_all()

    def stop(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class Pipeline:
    """Translates jobs with one studio; made for one run.

    Attributes:
        in_flight: pictures that are being read, translated or written now.
        network_seconds: time spent inside the network so far.

    Args:
        studio: what makes the portraits; it must keep their sources where a job wants a sheet.
        limits: how much is on its way at once.
    """

    def __init__(self, studio: FacePipeline, limits: Limits = Limits()) -> None:
        self.studio, self.limits = studio, limits
        self.in_flight, self.network_seconds = 0, 0.0
        self._budget = _Budget(limits.held)
        self._waiting: dict[object, list[tuple[_Picture, int]]] = {}
        self._events: SimpleQueue[_Picture] = SimpleQueue()
        own = min(8, processors())
        self._readers = ThreadPoolExecutor(limits.readers or own, "read")
        self._writers = ThreadPoolExecutor(limits.writers or own, "write")

    def run(self, jobs: Iterable[Job]) -> Generator[Outcome]:
        """Translate what is not done yet, and yield each job as it ends with what went wrong, if anything did.

        When the caller stops early, or is interrupted, what is being written is still finished, and no thread is left.

        Raises:
            OutputError: a place cannot be written; the rest is not tried.
            ConfigError: something was asked for that the model does not do.
        """
        todo = iter(jobs)
        try:
            while True:
                while self._has_room() and (job := next(todo, None)) is not None:
                    if job.done:
                        yield job, None
                    else:
                        self._start(job)
                if self.in_flight == 0:
                    return
                if batch := self._next_batch():
                    self._translate(batch)
                    yield from self._ended(wait=False)
                else:
                    yield from self._ended(wait=True)
        finally:
            self._budget.stop()
            self._readers.shutdown(wait=True, cancel_futures=True)
            self._writers.shutdown(wait=True, cancel_futures=True)

    def _has_room(self) -> bool:
        return self.in_flight < self.limits.pictures

    def _start(self, job: Job) -> None:
        picture = _Picture(job)
        self.in_flight += 1
        self._submit(self._readers, self._read, picture)

    def _submit(self, pool: ThreadPoolExecutor, work: Callable[[_Picture], None], picture: _Picture) -> None:
        def task() -> None:
            try:
                work(picture)
            except BaseException as error:  # told, or raised anew, by the thread that waits for it
                picture.error = error
            self._events.put(picture)

        pool.submit(task)

    def _ended(self, *, wait: bool) -> Iterator[Outcome]:
        """Take in what the threads have finished, and yield what came to its end by it."""
        while True:
            try:
                picture = self._events.get(block=wait)
            except Empty:
                return
            wait = False
            outcome = self._take(picture)
            if outcome is not None:
                self.in_flight -= 1
                self._budget.add(-picture.held)
                yield outcome

    def _take(self, picture: _Picture) -> Outcome | None:
        was_read, picture.read = picture.read, True
        if isinstance(picture.error, _OF_ONE_PICTURE):
            return picture.job, picture.error
        if picture.error is not None:
            raise picture.error
        if was_read:
            return picture.job, None
        for number, sitting in enumerate(picture.sittings):
            self._waiting.setdefault(sitting.batch, []).append((picture, number))
        return None

    def _next_batch(self) -> list[tuple[_Picture, int]]:
        """Return the fullest batch that there is, or nothing.

        An idle network takes what there is rather than wait for more: where it is what holds up the rest, batches fill
        up while it works, and where it is not, their size matters little.
        """
        if not self._waiting:
            return []
        key = max(self._waiting, key=lambda key: len(self._waiting[key]) / self._batch_size(key))
        size, there = self._batch_size(key), self._waiting.pop(key)
        if there[size:]:
            self._waiting[key] = there[size:]
        return there[:size]

    def _batch_size(self, key: object) -> int:
        picture, number = self._waiting[key][0]
        pixels = math.prod(picture.sittings[number].prepared.array.shape[:2])
        return max(1, min(self.limits.batch, self.limits.pixels // pixels))

    def _translate(self, batch: list[tuple[_Picture, int]]) -> None:
        start = time.perf_counter()
        arrays = self.studio.run([picture.sittings[number] for picture, number in batch])
        self.network_seconds += time.perf_counter() - start
        for (picture, number), array in zip(batch, arrays, strict=True):
            picture.arrays[number] = array
            if len(picture.arrays) == len(picture.sittings):
                self._submit(self._writers, self._write, picture)

    def _read(self, picture: _Picture) -> None:
        self._budget.wait()
        source = picture.job.source
        picture.sittings = self.studio.prepare(open_image(source), str(source))
        picture.held = sum(_bytes(each) for each in picture.sittings)
        self._budget.add(picture.held)

    def _write(self, picture: _Picture) -> None:
        portraits = [self.studio.restore(picture.arrays[place], each) for place, each in enumerate(picture.sittings)]
        picture.sittings, picture.arrays = [], {}
        write(picture.job, portraits)


def _bytes(sitting: FramedFace) -> int:
    source = sitting.source
    kept = 0 if source is None else source.width * source.height * len(source.getbands())
    return sitting.prepared.array.nbytes + kept


def run(jobs: Iterable[Job], studio: FacePipeline, limits: Limits = Limits()) -> Generator[Outcome]:
    """Translate what is not done yet, as `Pipeline.run` does."""
    return Pipeline(studio, limits).run(jobs)


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
    names = {"photo2sketch": ("photo", "sketch"), "sketch2photo": ("sketch", "photo")}[portraits[0].direction]
    return sheet([(each.source, each.picture) for each in portraits], names)
