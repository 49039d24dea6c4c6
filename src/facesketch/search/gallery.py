"""A gallery of photos that answers a sketch: who comes nearest, how sure that is, and whether it is anybody here."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.errors import ConfigError, DataError, nearest, require
from facesketch.images.io import flatten, open_image
from facesketch.search.answer import LEAD, Answer, Hit, best_scores, hits_of
from facesketch.search.storage import query_log as audit
from facesketch.search.storage.indexing import Indexing, Photo, Progress, Report, listed
from facesketch.search.storage.people import Person, match, read_people
from facesketch.search.storage.store import Known, Store, is_local

if TYPE_CHECKING:
    from facesketch.search.embedding.describer import Describer, Probe, Route

__all__ = ["LEAD", "Answer", "Gallery", "GalleryInfo", "Hit", "Report"]

_NO_AUDIT = "queries are not noted down, since object storage cannot add to a file"
_LOOKED_AT = 100  # photos that are looked at least, so that the chances of those beyond the top are known as well
_DRAWN = 500  # photos of a large gallery that tell what is usual in it

Source = Path | str | bytes | Image.Image


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    """What a gallery holds.

    Attributes:
        count: photos.
        people: persons.
        fingerprint: of what described the photos.
        embedder: the first part of it, such as `hog`.
        version: it grows with every change.
        indexed: photos that the index covers; 0 when every photo is compared.
        size: bytes of the photos' data.
    """

    count: int
    people: int
    fingerprint: str
    embedder: str
    version: int
    indexed: int
    size: int


class Gallery:
    """Photos of people, in a folder or in object storage, to be searched by sketches.

    Several processes may read it and write to it at once. A describer that is not given is loaded when it is needed:
    the one that the gallery was made with or, for a new one, the best that is at hand.

    Args:
        uri: a folder, or a place such as `s3://bucket/gallery`.
        describer: what makes vectors of photos and probes.
        create: make the gallery when it is not there and the first photo is added.
        audit: note every query in the folder's `queries.jsonl`; not done in object storage.

    Raises:
        GalleryError: not there and not to be made, torn, of a newer version, or described otherwise.
        OutputError: the place cannot be written.
        MissingExtraError: LanceDB is not installed.
    """

    def __init__(
        self, uri: str | Path, describer: Describer | None = None, create: bool = True, *, audit: bool = True
    ) -> None:
        require("search", "search")
        self.uri, self.audit = str(uri), audit
        self._describer, self._lock = describer, threading.RLock()
        self._people: tuple[int, int] | None = None
        self._drawn: tuple[int, NDArray[np.float32]] | None = None
        self._store: Store | None = None
        if not create or Store.exists(uri):
            self._store = Store.open(uri, None if describer is None else describer.fingerprint)

    @property
    def store(self) -> Store:
        """Where the photos are kept.

        Raises:
            GalleryError: there is no gallery yet; `add` makes one.
        """
        with self._lock:
            if self._store is None:
                self._store = Store.open(self.uri, None if self._describer is None else self._describer.fingerprint)
            return self._store

    @property
    def describer(self) -> Describer:
        """What makes vectors of photos and probes, loaded when it is first asked for.

        Raises:
            GalleryError: there is no gallery, or what is at hand describes otherwise than what it was made with.
        """
        with self._lock:
            store = self.store
            if self._describer is None:
                loaded = _best(_embedder(store))
                store.check(loaded.fingerprint)
                self._describer = loaded
            return self._describer

    def exists(self) -> bool:
        """Tell whether there is a gallery; a new one is made when its first photo is written."""
        return self._store is not None or Store.exists(self.uri)

    def add(
        self,
        paths: Path | str | Iterable[Path | str],
        people: Path | str | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Add the photos that are new, and describe those anew that have changed.

        A file of the size and time that the gallery knows counts as unchanged; one of another time is read, and counts
        as unchanged when its SHA-256 is known. What cannot be used is skipped, with a reason. What is written stays
        when the process is killed, and the same call goes on from there.

        Args:
            paths: photos, and folders of them.
            people: a CSV file with columns file, id and label; relative names start at its folder or at a given one.
                Photos that it does not name keep their id and label, and new ones stand for themselves.
            progress: called with how many photos are done and how many are to be read.

        Raises:
            ImageError: a path does not exist.
            DataError: the CSV file is not understood, or speaks of none of the photos.
            OutputError: the gallery cannot be written.
        """
        people = None if people is None else Path(people)
        given = [Path(each) for each in ([paths] if isinstance(paths, (str, Path)) else paths)]
        table = {} if people is None else read_people(people)
        passed: list[tuple[Path, str]] = []
        photos, skipped = listed(given, Path(self.uri) if is_local(self.uri) else None, passed)
        skipped, passed = (
            [each for each in files if people is None or not _same(each[0], people)] for files in (skipped, passed)
        )
        report = Report(skipped=skipped, passed_over=passed)
        known = self.store.known() if self.exists() else {}
        wanted = [each for each in (_changed(photo, known) for photo in photos) if each is not None]
        report.unchanged = len(photos) - len(wanted)
        named: dict[str, Person] = {}
        if people is not None:
            keys = {photo.key for photo in photos} | known.keys()
            named, report.unmatched = match(table, keys, [people.parent, *(each for each in given if each.is_dir())])
            _check_matched(people, table, named)
        written = Indexing(self._made, self._adding(), named, report, progress).run(wanted) if wanted else set()
        self._rename({key: person for key, person in named.items() if key not in written}, known, report)
        return report

    def remove(self, keys_or_ids: str | Path | Iterable[str | Path]) -> int:
        """Remove photos by their keys or paths, and all photos of persons by their ids.

        They are found no more at once. Their bytes leave the disk when the files that they share with other photos are
        written anew; a gallery made anew never had them.

        Returns:
            How many photos there are fewer.

        Raises:
            OutputError: the gallery cannot be written.
        """
        single = isinstance(keys_or_ids, (str, Path))
        asked = [str(each) for each in ([keys_or_ids] if single else keys_or_ids)]  # type: ignore[union-attr]
        paths = [os.path.abspath(each) for each in asked]  # noqa: PTH100  links stay as they are
        gone = self.store.delete(asked + paths, asked)
        if gone:
            self.store.optimise()
        return gone

    def prune(self) -> list[str]:
        """Remove photos whose files are gone from the disk, and return their keys.

        Raises:
            OutputError: the gallery cannot be written.
        """
        gone = [key for key in self.store.photo_keys() if _is_gone(Path(key))]
        if self.store.delete(gone):
            self.store.optimise()
        return gone

    def search(
        self, picture: Source, top: int = 10, route: Route = "fused", face: int | None = None, prior: float = 0.5
    ) -> Answer:
        """Find the photos that resemble a sketch most.

        Args:
            picture: a path, a file's bytes, or a picture.
            top: how many photos to return at most.
            route: what to compare with what.
            face: which face of the sketch, 1 for the largest; needed when there are several.
            prior: how likely it is, before looking, that the person is in the gallery; above 0 and below 1.

        Raises:
            ImageError: the sketch cannot be read.
            FaceError: it shows no face, or several and `face` is not given.
            ConfigError: `top`, `route` or `prior` is out of range.
            GalleryError: there is no gallery, it cannot be read, or was described otherwise.
            OutputError: the query cannot be noted.
        """
        _check_asked(top, route, prior)
        _ = self.store  # first, as nothing can be found where there is no gallery
        image, digest, name = _opened(picture)
        probe = self.describer.probe(image, name, face)
        answer = self._answer(probe, top, route, prior)
        if self.audit and is_local(self.uri):
            self._note(answer, digest, top, prior)
        return answer

    def thumbnail(self, key: str) -> bytes:
        """Return the small JPEG of a photo; empty when there is no such photo."""
        return self.store.thumbnail(key)

    def holds(self, path: Path) -> bool:
        """Tell whether a file is one of the photos, also by another name of the same file."""
        try:
            size = path.stat().st_size
        except OSError:  # there is no such file
            return False
        names = [os.path.abspath(path), str(path.resolve())]  # noqa: PTH100  links stay as they are
        asked = [name.encode(errors="replace").decode() for name in names]  # no key is other than text
        found = self.store.alike(size, asked)
        return any(key in asked or _is_same_file(Path(key), path) for key in found)

    def info(self) -> GalleryInfo:
        """Say what the gallery holds."""
        store = self.store
        people, embedder = self._count_people(store.version), _embedder(store)
        return GalleryInfo(store.count, people, store.fingerprint, embedder, store.version, store.indexed, store.size)

    def _made(self) -> Store:
        """Return where the photos are kept, made if it is not there."""
        with self._lock:
            if self._store is None:
                made = self._adding()
                self._store = Store.create(self.uri, made.fingerprint, made.dimension)
            return self._store

    def _adding(self) -> Describer:
        """Return what describes photos to add: the gallery's describer or, where there is no gallery, the best."""
        with self._lock:
            if not self.exists():
                self._describer = self._describer or _best()
                return self._describer
            return self.describer

    def _answer(self, probe: Probe, top: int, route: Route, prior: float) -> Answer:
        version, size = self.store.version, self.store.count
        query = self.describer.query(probe, route)
        found = self.store.nearest(query, max(2 * top, _LOOKED_AT))
        best, notice = best_scores(found), self._notice(probe)
        if not found:
            return Answer([], 1.0, 0.0, route, size, version, probe, notice)
        told = self._chances(best, query, version, route, prior)
        if told is None:
            return Answer(hits_of(found[:top], dict.fromkeys(best)), None, None, route, size, version, probe, notice)
        chance, absent = told
        hits = hits_of(found[:top], chance)
        shown = sum(chance[person] for person in {hit.person for hit in hits})
        return Answer(hits, absent, max(0.0, 1.0 - absent - shown), route, size, version, probe, notice)

    def _chances(
        self, best: dict[str, float], query: NDArray[np.float32], version: int, route: Route, prior: float
    ) -> tuple[dict[str, float], float] | None:
        """Return each person's chance and that of nobody; None where too few people tell what is usual."""
        from facesketch.search.probability import FEWEST, calibration, chances

        people = self._count_people(version)
        if people < FEWEST:
            return None
        known, drawn = calibration(self.describer.embedder, route), self._draw(version) @ query
        rest = max(0, people - len(best))
        each, absent = chances(np.array(list(best.values())), rest, known, prior, drawn.astype(np.float64))
        return dict(zip(best, each.tolist(), strict=True)), absent

    def _notice(self, probe: Probe) -> str:
        turned = f"the sketch was turned by {probe.turn}° clockwise, as that shows a face upright" if probe.turn else ""
        return "; ".join(each for each in (turned, self.describer.notice, self._unnoted()) if each)

    def _unnoted(self) -> str:
        return _NO_AUDIT if self.audit and not is_local(self.uri) else ""

    def _count_people(self, version: int) -> int:
        """Return how many persons there are; counted once for each version of the gallery."""
        if self._people is None or self._people[0] != version:
            self._people = version, self.store.people()
        return self._people[1]

    def _draw(self, version: int) -> NDArray[np.float32]:
        """Return vectors of photos drawn at random; read once for each version of the gallery."""
        if self._drawn is None or self._drawn[0] != version:
            self._drawn = version, self.store.vectors(_DRAWN)
        return self._drawn[1]

    def _rename(self, named: dict[str, Person], known: dict[str, Known], report: Report) -> None:
        """Give photos that were there already the id and label that they have now."""
        changed = {key: person for key, person in named.items() if key in known and known[key][3:] != person}
        if changed:
            self.store.rename(changed)
        report.renamed = len(changed)

    def _note(self, answer: Answer, digest: str, top: int, prior: float) -> None:
        record = {
            "probe": digest,
            "gallery": {"version": answer.version, "size": answer.size, "fingerprint": self.store.fingerprint},
            "route": answer.route,
            "top": top,
            "prior": prior,
            "hits": [{"key": hit.key, "score": hit.score, "chance": hit.chance} for hit in answer.hits],
            "absent": answer.absent,
        }
        audit.append(Path(self.uri), record)


def _best(embedder: str | None = None) -> Describer:
    from facesketch.search.embedding.describer import describer

    return describer(embedder)


def _embedder(store: Store) -> str:
    return store.fingerprint.partition("-")[0]


def _changed(photo: Photo, known: dict[str, Known]) -> Photo | None:
    """Return a photo that is to be read, with what is known of it; None when its size and time are as they were."""
    row = known.get(photo.key)
    if row is not None and row[:2] == (photo.size, photo.mtime_ns):
        return None
    return replace(photo, known=row)


def _is_gone(path: Path) -> bool:
    """Tell whether a file is no longer there, as far as rights allow to know; a name that is no path never was."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return path.is_absolute()
    except OSError:
        return False
    return False


def _is_same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # it is gone, or is no path
        return False


def _same(path: Path, other: Path) -> bool:
    return path.absolute() == other.absolute()


def _check_matched(people: Path, table: dict[str, Person], named: dict[str, Person]) -> None:
    if table and not named:
        raise DataError(
            f"{people}: names no photo that is given or in the gallery, beginning with '{next(iter(table))}'",
            "write paths that are absolute, or start at the folder of this file or of the photos",
        )


def _check_asked(top: int, route: str, prior: float) -> None:
    from facesketch.search.embedding.describer import ROUTES

    if top < 1:
        raise ConfigError(f"top is {top}", "expected at least 1")
    if route not in ROUTES:
        known = f"expected {', '.join(ROUTES)}"
        raise ConfigError(f"no route '{route}'", nearest(route, ROUTES, then=known))
    if not 0 < prior < 1:
        raise ConfigError(f"prior is {prior:g}", "expected a chance above 0 and below 1")


def _opened(picture: Source) -> tuple[Image.Image, str, str]:
    """Return a picture, the SHA-256 of its file or pixels, and what to call it."""
    if isinstance(picture, Image.Image):
        image = flatten(picture)
        about = f"{image.mode} {image.width} {image.height} ".encode()
        return image, hashlib.sha256(about + image.tobytes()).hexdigest(), "probe"
    image = open_image(picture)
    data = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
    return image, hashlib.sha256(data).hexdigest(), "probe" if isinstance(picture, bytes) else str(picture)
