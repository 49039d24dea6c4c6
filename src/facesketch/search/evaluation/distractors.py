"""Photos of people who are not searched for: from a folder, or drawn."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from facesketch.data.index import index
from facesketch.data.pairs import NoPairsError, Source
from facesketch.data.synthetic.draw import draw_pair
from facesketch.devices import ThreadedMap
from facesketch.errors import ConfigError, DataError, ImageError, ResourceError
from facesketch.faces.frame import FRAME
from facesketch.images.io import is_picture
from facesketch.search.storage.indexing import LONGEST

SYNTHETIC = "synthetic"
_SIDE = 208  # pixels of a drawn square in which the eyes are as far apart as in the frame
_ACROSS = (_SIDE - FRAME.width) // 2  # columns to cut off on each side
_ABOVE = round(FRAME.left_eye[1] - 0.48 * _SIDE)  # rows to add, so that the eyes lie where the frame has them
_CHUNK = 8  # pictures that one worker makes at a time
_AHEAD = 4 * (os.cpu_count() or 1)  # chunks that are made ahead
_FEW = 64  # drawn faces below which starting processes takes longer than drawing


class Distractors(Protocol):
    """Photos to add to a gallery."""

    @property
    def title(self) -> str:
        """Their name in print."""

    @property
    def count(self) -> int:
        """How many there are, unreadable ones included."""

    def chunks(self) -> Iterator[list[Image.Image | ImageError]]:
        """Yield the photos in order, a few at a time; the error in place of one that cannot be read."""


def distractors(what: str, *, besides: Iterable[Path] = (), seed: int = 0) -> Distractors:
    """Return the distractors of a name.

    Args:
        what: `synthetic:N` for N drawn faces, or a folder, of pairs or of photos.
        besides: pictures that are in the gallery already, and are left out.
        seed: which faces are drawn.

    Raises:
        ConfigError: N is no number above 0.
        DataError: the folder is missing or has no photos.
    """
    kind, colon, number = what.partition(":")
    if kind == SYNTHETIC and colon:
        if not number.isdecimal() or int(number) < 1:
            raise ConfigError(f"`distractors` {what}", "expected a number of faces, such as synthetic:10000")
        return SyntheticFaces(int(number), seed)
    return folder_of_photos(Path(what), besides)


@dataclass(frozen=True)
class SyntheticFaces:
    """Drawn faces in the frame; face i depends on the seed and i alone."""

    count: int
    seed: int = 0

    @property
    def title(self) -> str:
        """Their name in print."""
        return f"{self.count:,} synthetic faces"

    def chunks(self) -> Iterator[list[Image.Image | ImageError]]:
        """Draw them, with all processors when there are many.

        Raises:
            ResourceError: a process that draws was killed.
        """
        starts = range(1, self.count + 1, _CHUNK)
        jobs = [(self.seed, start, min(start + _CHUNK, self.count + 1)) for start in starts]
        if self.count < _FEW:
            yield from map(_drawn, jobs)
            return
        try:
            with (
                ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool,
                ThreadedMap(lambda job: pool.submit(_drawn, job).result(), jobs, threads=_AHEAD, most=_AHEAD) as drawn,
            ):
                yield from drawn
        except BrokenProcessPool as error:
            seen = "a process that draws `distractors` was killed, perhaps because memory ran out"
            raise ResourceError(seen, "run it again, or with fewer faces") from error


def draw_framed(seed: int, number: int) -> Image.Image:
    """Draw one face with its eyes where the frame has them, 200x250 RGB; wall and clothes go on to the border."""
    photo = np.asarray(draw_pair(np.random.default_rng([seed, number]), _SIDE)[0])[:, _ACROSS:-_ACROSS]
    return Image.fromarray(np.pad(photo, ((_ABOVE, FRAME.height - _SIDE - _ABOVE), (0, 0), (0, 0)), mode="edge"))


def _drawn(job: tuple[int, int, int]) -> list[Image.Image | ImageError]:
    seed, start, stop = job
    return [draw_framed(seed, number) for number in range(start, stop)]


@dataclass(frozen=True)
class FolderOfPhotos:
    """Photos on the disk."""

    title: str
    sources: tuple[Source, ...]

    @property
    def count(self) -> int:
        """How many files there are."""
        return len(self.sources)

    def chunks(self) -> Iterator[list[Image.Image | ImageError]]:
        """Read them, some ahead of the one that is asked for."""
        jobs = [self.sources[start : start + _CHUNK] for start in range(0, self.count, _CHUNK)]
        with ThreadedMap(_read, jobs, most=_AHEAD, size=_pixels) as read:
            yield from read


def folder_of_photos(folder: Path, besides: Iterable[Path] = ()) -> FolderOfPhotos:
    """Return the photos of a folder of pairs, or all pictures below a folder that holds no pairs.

    Args:
        folder: where they are.
        besides: files to leave out.

    Raises:
        DataError: the folder is missing, or nothing is left of it.
    """
    if not folder.is_dir():
        raise DataError(f"`distractors` {folder}: no such folder", "give a folder of photos, or synthetic:10000")
    known = {path.resolve() for path in besides}
    try:
        found = {pair.photo.path: pair.photo for pair in index(folder).pairs}
    except NoPairsError:
        found = {path: Source(path) for path in sorted(folder.rglob("*")) if is_picture(path) and path.is_file()}
    sources = tuple(source for path, source in found.items() if path.resolve() not in known)
    if not sources:
        seen = f"all of its {len(found)} photos are in the gallery already" if found else "no photo in it"
        raise DataError(f"`distractors` {folder}: {seen}", "give another folder, or synthetic:10000")
    return FolderOfPhotos(f"{len(sources):,} photos of {folder.resolve().name}", sources)


def _pixels(read: list[Image.Image | ImageError]) -> int:
    return sum(each.width * each.height * 3 for each in read if isinstance(each, Image.Image))


def _read(sources: tuple[Source, ...]) -> list[Image.Image | ImageError]:
    read: list[Image.Image | ImageError] = []
    for source in sources:
        try:
            picture = source.open()
            picture.thumbnail((LONGEST, LONGEST), reducing_gap=2.0)  # as a gallery does
            read.append(picture)
        except ImageError as error:
            read.append(error)
    return read
