"""Index photos: read, describe and write them at the same time, with a bounded number in memory.

Threads read ahead, the calling thread describes batches, and one more thread writes the previous batch. A crash loses
only what was read or described and not yet written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from facesketch.devices import ThreadedMap, processors
from facesketch.errors import FaceError, ImageError
from facesketch.images.io import EXPECTED, encoded, irregular, open_image, why_no_picture, why_passed_over
from facesketch.search.storage.people import Person
from facesketch.search.storage.rows import Known, Row
from facesketch.search.storage.store import Store

if TYPE_CHECKING:
    from facesketch.search.embedding.describer import Describer

BATCH = 32  # photos that are described and written together
_HELD = 128 << 20  # bytes of pixels at which a batch is full
_AHEAD = 16  # photos that are read while others are described
_READERS = 4
LONGEST = 2048  # pixels of the longer side; larger photos are shrunk when they are read
_SMALL = 224  # pixels of the longer side of a thumbnail
_JOINED = 128  # batches after which the store's small files are joined, as many of them slow it down

Skipped = tuple[Path, str]
Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Photo:
    """A file that is new, or may have changed.

    Attributes:
        path: the file.
        key: its absolute path.
        size: its bytes.
        mtime_ns: when it was last changed, in nanoseconds.
        known: what the gallery knows of it, or None.
    """

    path: Path
    key: str
    size: int
    mtime_ns: int
    known: Known | None = None


@dataclass(eq=False, slots=True)
class _Read:
    """A photo that was read; without a picture if it is unchanged or cannot be read."""

    photo: Photo
    sha256: str = ""
    picture: Image.Image | None = None
    reason: str = ""


@dataclass
class Report:
    """What became of the photos.

    Attributes:
        added: new ones that were described and written.
        refreshed: changed ones that were described and written again.
        unchanged: ones that the gallery holds as they are.
        renamed: ones that only got another id or label.
        skipped: files that are not in the gallery, or not as they are now, each with the reason.
        unmatched: names in the table of people that match no photo.
        passed_over: files in the folders that are not read as photos, each with the reason.
        turned: photos that were turned upright, each with the degrees clockwise.
    """

    added: int = 0
    refreshed: int = 0
    unchanged: int = 0
    renamed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    passed_over: list[Skipped] = field(default_factory=list)
    turned: list[tuple[Path, int]] = field(default_factory=list)


def list_photos(
    paths: Iterable[Path], report: Report, gallery: Path | None = None, people: Path | None = None
) -> list[Photo]:
    """List the photos under some paths, each once and sorted within each folder.

    Args:
        paths: photos and folders; hidden files, and links to folders below a folder, are left out.
        report: takes the files that are skipped and those that are no photos, with the reasons.
        gallery: the folder of the gallery, which is left out.
        people: the table of people, which is left out.

    Raises:
        ImageError: a path that does not exist.
    """
    photos: dict[str, Photo] = {}
    table = None if people is None else people.absolute()
    for path in paths:
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder", "give photos or folders of them")
        for file in _files(path, report, gallery):
            key = os.path.abspath(file)  # noqa: PTH100  links stay as they are
            if file.absolute() == table:
                continue
            try:
                photos[key] = _photo(file, key)
            except (ImageError, OSError) as error:
                report.skipped.append((file, getattr(error, "strerror", None) or str(error)))
    report.passed_over = [each for each in report.passed_over if each[0].absolute() != table]
    return list(photos.values())


def _files(path: Path, report: Report, gallery: Path | None) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return

    def refused(error: OSError) -> None:
        report.skipped.append((Path(error.filename), f"cannot be read ({error.strerror})"))

    own = None if gallery is None else gallery.resolve()
    for folder, below, names in os.walk(path, onerror=refused):
        below[:] = sorted(name for name in below if not name.startswith(".") and Path(folder, name).resolve() != own)
        for file in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
            if reason := why_passed_over(file):
                report.passed_over.append((file, reason))
            else:
                yield file


def _photo(file: Path, key: str) -> Photo:
    if reason := why_no_picture(file):
        raise ImageError(reason, f"expected {EXPECTED}")
    if reason := irregular(file):
        raise ImageError(reason)
    try:
        key.encode()
    except UnicodeEncodeError as error:
        raise ImageError("its name is not UTF-8", "rename it") from error
    status = file.stat()
    return Photo(file, key, status.st_size, status.st_mtime_ns)


class Indexing:
    """One run that brings photos into a store.

    Args:
        store: returns the store; called only when there is something to write, so that no empty gallery is made.
        describer: turns pictures into vectors; used by one thread at a time.
        people: whom each key shows; other photos keep theirs, or become people of their own.
        report: gets what becomes of the photos.
        progress: called with the photos done and the photos in all, after each batch is written.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        describer: Describer,
        people: dict[str, Person],
        report: Report,
        progress: Progress | None = None,
    ) -> None:
        self._store, self._describer, self._people = store, describer, people
        self._report, self._progress = report, progress
        self._done, self._batches = 0, 0
        self._written: set[str] = set()
        self._known: set[str] = set()

    def run(self, photos: Sequence[Photo]) -> set[str]:
        """Index photos, and return the keys of those that were written.

        On an error or interrupt the batch that is being written is still finished.

        Raises:
            OutputError: the store cannot be written.
        """
        self._known = {photo.key for photo in photos if photo.known is not None}
        writing: Future[None] | None = None
        with (
            ThreadPoolExecutor(1, "write") as writer,
            ThreadedMap(_read, photos, threads=min(_READERS, processors()), most=_AHEAD, name="read") as reads,
        ):
            for batch in _batches(reads):
                rows, touched = self._describe(batch)
                if writing is not None:
                    writing.result()
                writing = writer.submit(self._write, rows, touched, len(batch), len(photos))
            if writing is not None:
                writing.result()
        if self._written:
            self._store().optimise()
        return self._written

    def _describe(self, batch: list[_Read]) -> tuple[list[Row], dict[str, int]]:
        """Return rows to write, and the new times of files with the same bytes."""
        rows = []
        pictures = [each.picture for each in batch if each.picture is not None]
        vectors = iter(self._describer.gallery(pictures) if pictures else [])
        touched = {}
        for each in batch:
            photo, known = each.photo, each.photo.known
            if each.picture is not None:
                found = next(vectors)
                if isinstance(found, FaceError):
                    each.reason = found.seen
                else:
                    own = (photo.key, photo.path.stem, ()) if known is None else known[3:]
                    person, label, facts = self._people.get(photo.key, own)
                    small = _thumbnail(each.picture)
                    rows.append(
                        Row(
                            *(photo.key, person, label, photo.size, photo.mtime_ns),
                            *(each.sha256, found.vector, small, facts),
                        )
                    )
                    if found.turn:
                        self._report.turned.append((photo.path, found.turn))
            elif not each.reason:
                touched[photo.key] = photo.mtime_ns
            if each.reason:
                kept = "; the gallery keeps its older version" if known else ""
                self._report.skipped.append((photo.path, each.reason + kept))
        return rows, touched

    def _write(self, rows: list[Row], touched: dict[str, int], done: int, count: int) -> None:
        """Write a batch, report it, and join the small files of the store when there are many."""
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


def _batches(reads: Iterable[_Read]) -> Iterator[list[_Read]]:
    batch: list[_Read] = []
    held = 0  # bytes of pixels
    for read in reads:
        batch.append(read)
        if (shown := read.picture) is not None:
            held += shown.width * shown.height * len(shown.getbands())
        if len(batch) == BATCH or held > _HELD:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _read(photo: Photo) -> _Read:
    """Read a photo whose size or time is new, and decode it if its bytes are new too."""
    try:
        with photo.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if photo.known is not None and photo.known.sha256 == digest:
            return _Read(photo, digest)
        picture = open_image(photo.path, box=LONGEST)
        picture.thumbnail((LONGEST, LONGEST), reducing_gap=2.0)
        return _Read(photo, digest, picture)
    except ImageError as error:
        return _Read(photo, reason=str(error).removeprefix(f"{photo.path}: "))
    except OSError as error:
        return _Read(photo, reason=f"cannot be read ({error.strerror or error})")


def _thumbnail(picture: Image.Image) -> bytes:
    small = picture.copy()
    small.thumbnail((_SMALL, _SMALL), reducing_gap=2.0)
    return encoded(small, "JPEG", 85)
