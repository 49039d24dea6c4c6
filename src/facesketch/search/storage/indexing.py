"""Read, describe and write photos at the same time, with a bounded number of them on their way.

Threads read ahead, the thread that asks describes batches, and one more thread writes the batch before. What was
written stays: a run that is killed loses what it had read or described and not written yet.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.devices import processors
from facesketch.errors import FaceError, ImageError
from facesketch.images.io import EXPECTED, irregular, is_picture, open_image, unread_picture, why_passed_over
from facesketch.search.storage.store import Known, Row, Store

if TYPE_CHECKING:
    from facesketch.search.embedding.describer import Describer

BATCH = 32  # photos that are described and written together, and the most that a killed run loses twice
_HELD = 128 << 20  # bytes of pixels above which a batch is not filled further
_AHEAD = 16  # photos that are read while others are described
_READERS = 4
_LONGEST = 2048  # pixels of the longer side above which a photo is shrunk when it is read
_SMALL = 224  # pixels of the longer side of a thumbnail
_JOINED = 128  # batches after which the store's small files are joined; many of them slow it down

Skipped = tuple[Path, str]
Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Photo:
    """A file that is new, or may have changed.

    Attributes:
        path: where it lies.
        key: its absolute path.
        size: the file's bytes.
        mtime_ns: when it was changed last, in nanoseconds.
        known: what the gallery knows of it, or None.
    """

    path: Path
    key: str
    size: int
    mtime_ns: int
    known: Known | None = None


@dataclass(eq=False, slots=True)
class _Read:
    """A photo that was read; without a picture when it had not changed or could not be read."""

    photo: Photo
    sha256: str = ""
    picture: Image.Image | None = None
    reason: str = ""

    @property
    def held(self) -> int:
        return 0 if self.picture is None else self.picture.width * self.picture.height * len(self.picture.getbands())


@dataclass
class Report:
    """What became of the photos that were given.

    Attributes:
        added: new ones that were described and written.
        refreshed: changed ones that were described anew and written.
        unchanged: ones that the gallery holds as they are.
        renamed: ones that only got another id or label.
        skipped: files that are not in the gallery, or not as they are now, each with the reason.
        unmatched: names in the table of people that led to no photo.
        passed_over: files in the folders that are not read as photos, each with the reason.
    """

    added: int = 0
    refreshed: int = 0
    unchanged: int = 0
    renamed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    passed_over: list[Skipped] = field(default_factory=list)


def listed(
    paths: Iterable[Path], avoid: Path | None = None, passed_over: list[Skipped] | None = None
) -> tuple[list[Photo], list[Skipped]]:
    """List the files under some paths as they lie on the disk, each once.

    Args:
        paths: photos and folders; links to folders are not followed below them, hidden files are passed over.
        avoid: a folder to pass over, such as the gallery's own.
        passed_over: takes the files of the folders that are not read as photos, each with the reason.

    Returns:
        Pictures by their names, sorted within each folder, and what else there is, with the reason to skip it.

    Raises:
        ImageError: a path that does not exist.
    """
    photos: dict[str, Photo] = {}
    skipped: list[Skipped] = []
    for path in paths:
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder", "give photos or folders of them")
        for file in _files(path, avoid, skipped, [] if passed_over is None else passed_over):
            key = os.path.abspath(file)  # noqa: PTH100  links stay as they are
            try:
                photos[key] = _seen(file, key)
            except (ImageError, OSError) as error:
                skipped.append((file, getattr(error, "strerror", None) or str(error)))
    return list(photos.values()), skipped


def _files(path: Path, avoid: Path | None, skipped: list[Skipped], passed_over: list[Skipped]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return

    def refused(error: OSError) -> None:
        skipped.append((Path(error.filename), f"cannot be read ({error.strerror})"))

    own = None if avoid is None else avoid.resolve()
    for folder, below, names in os.walk(path, onerror=refused):
        below[:] = sorted(name for name in below if not name.startswith(".") and Path(folder, name).resolve() != own)
        files = (Path(folder, name) for name in sorted(names) if not name.startswith("."))
        for file in files:
            if reason := why_passed_over(file):
                passed_over.append((file, reason))
            else:
                yield file


def _seen(file: Path, key: str) -> Photo:
    if not is_picture(file):
        raise ImageError(unread_picture(file) or "not a photo by its name", f"expected {EXPECTED}")
    if reason := irregular(file):
        raise ImageError(reason)
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise ImageError("its name is not UTF-8", "rename it") from error
    status = file.stat()
    return Photo(file, key, status.st_size, status.st_mtime_ns)


class Indexing:
    """Brings photos into a store; made for one run.

    Args:
        store: gives the place where they go; asked for first when there is something to write, so that a run that finds
            nothing makes no place.
        describer: what makes vectors of pictures; used by one thread at a time.
        people: (id, label) by key; photos that are not in it keep theirs, or stand for themselves.
        report: where to note what becomes of them.
        progress: called with how many photos are done and how many there are, after each batch is written.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        describer: Describer,
        people: dict[str, tuple[str, str]],
        report: Report,
        progress: Progress | None = None,
    ) -> None:
        self._store, self._describer, self._people = store, describer, people
        self._report, self._progress = report, progress
        self._done, self._batches = 0, 0
        self._written: set[str] = set()
        self._known: set[str] = set()

    def run(self, photos: Sequence[Photo]) -> set[str]:
        """Read, describe and write photos; on an error or interrupt the batch that is being written is still finished.

        Returns:
            The keys of those that were described and written.

        Raises:
            OutputError: the store cannot be written.
        """
        self._known = {photo.key for photo in photos if photo.known is not None}
        readers = ThreadPoolExecutor(min(_READERS, processors()), "read")
        writer = ThreadPoolExecutor(1, "write")
        writing: Future[None] | None = None
        try:
            for batch in _batches(_ahead(readers, photos)):
                rows, touched = self._describe(batch)
                if writing is not None:
                    writing.result()
                writing = writer.submit(self._write, rows, touched, len(batch), len(photos))
            if writing is not None:
                writing.result()
        finally:
            readers.shutdown(wait=True, cancel_futures=True)
            writer.shutdown(wait=True)
        if self._written:
            self._store().optimise()
        return self._written

    def _describe(self, batch: list[_Read]) -> tuple[list[Row], dict[str, int]]:
        """Return rows to write, and the times of files that were only written anew."""
        rows, touched = [], {}
        shown = [each for each in batch if each.picture is not None]
        vectors = self._describer.gallery([each.picture for each in shown if each.picture]) if shown else []
        for each, vector in zip(shown, vectors, strict=True):
            if isinstance(vector, FaceError):
                each.reason = str(vector)
            else:
                rows.append(self._row(each, vector))
        for each in batch:
            if each.reason:
                self._skip(each)
            elif each.picture is None:
                touched[each.photo.key] = each.photo.mtime_ns
        return rows, touched

    def _row(self, read: _Read, vector: NDArray[np.float32]) -> Row:
        photo, known = read.photo, read.photo.known
        own = (photo.key, photo.path.stem) if known is None else (known.person, known.label)
        person, label = self._people.get(photo.key, own)
        assert read.picture is not None, "only a picture is described"
        small = _thumbnail(read.picture)
        return Row(photo.key, person, label, photo.size, photo.mtime_ns, read.sha256, vector, small)

    def _skip(self, read: _Read) -> None:
        kept = "; the gallery keeps what it showed before" if read.photo.known else ""
        self._report.skipped.append((read.photo.path, read.reason + kept))

    def _write(self, rows: list[Row], touched: dict[str, int], done: int, count: int) -> None:
        """Write a batch, note what became of its photos, and join files of the store when there are many."""
        if rows or touched:
            self._store().upsert(rows)
            self._store().touch(touched)
        refreshed = sum(row.key in self._known for row in rows)
        self._report.refreshed += refreshed
        self._report.added += len(rows) - refreshed
        self._report.unchanged += len(touched)
        self._written.update(row.key for row in rows)
        self._done, self._batches = self._done + done, self._batches + 1
        if self._progress is not None:
            self._progress(self._done, count)
        if self._batches % _JOINED == 0 and self._written:
            self._store().optimise()


def _ahead(readers: ThreadPoolExecutor, photos: Iterable[Photo]) -> Iterator[_Read]:
    """Yield photos in their order as they are read, some of them in advance."""
    waiting: deque[Future[_Read]] = deque()
    for photo in photos:
        waiting.append(readers.submit(_read, photo))
        if len(waiting) > _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _batches(reads: Iterable[_Read]) -> Iterator[list[_Read]]:
    batch: list[_Read] = []
    for read in reads:
        batch.append(read)
        if len(batch) == BATCH or sum(each.held for each in batch) > _HELD:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(photo: Photo) -> _Read:
    """Read a photo whose size or time is new; it is decoded only when its bytes are new too."""
    try:
        with photo.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if photo.known is not None and photo.known.sha256 == digest:
            return _Read(photo, digest)
        picture = open_image(photo.path, box=_LONGEST)
        picture.thumbnail((_LONGEST, _LONGEST), reducing_gap=2.0)
        return _Read(photo, digest, picture)
    except ImageError as error:
        return _Read(photo, reason=str(error).removeprefix(f"{photo.path}: "))
    except OSError as error:
        return _Read(photo, reason=f"cannot be read ({error.strerror or error})")


def _thumbnail(picture: Image.Image) -> bytes:
    small = picture.copy()
    small.thumbnail((_SMALL, _SMALL), reducing_gap=2.0)
    encoded = io.BytesIO()
    small.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()
