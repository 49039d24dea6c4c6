"""A gallery of photos that you search with sketches."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from facesketch.errors import ConfigError, DataError, nearest, require, require_known
from facesketch.images.io import flatten, open_image
from facesketch.search import probability
from facesketch.search.answer import Answer, Hit
from facesketch.search.storage import query_log as log
from facesketch.search.storage.indexing import Indexing, Progress, Report, list_photos
from facesketch.search.storage.people import Person, match, read_people
from facesketch.search.storage.rows import narrowed
from facesketch.search.storage.store import Store, is_local, require_own_threads

if TYPE_CHECKING:
    from facesketch.search.embedding.describer import Describer, Probe, Route

_LOOKED_AT = 100  # nearest photos at least, so that chances of people beyond the top are computed too

Source = Path | str | bytes | Image.Image


class Opened(NamedTuple):
    """A picture that has been decoded, and the SHA-256 of its file for the query log."""

    image: Image.Image
    sha256: str


class Pruned(NamedTuple):
    """Keys of photos whose files are missing: those removed, and those kept because their folder is missing too."""

    removed: list[str]
    kept: list[str]


@dataclass(frozen=True, slots=True)
class GalleryInfo:
    """What a gallery holds.

    Attributes:
        count: photos.
        people: people.
        fingerprint: of the describer of the photos.
        embedder: its first part, such as `hog`.
        version: grows with every change.
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
    """Photos of people, in a folder or in object storage, that you search with sketches.

    Several processes may read and write a gallery at once. Without `describer`, one is loaded when it is needed: the
    one that the gallery was made with or, for a new gallery, the best that is installed.

    Examples:
        >>> import facesketch
        >>> gallery = facesketch.Gallery("gallery")
        >>> gallery.add("pairs/photos").added
        9
        >>> answer = gallery.search("pairs/sketches/face-0002.png", top=3)
        >>> [hit.place for hit in answer.hits]
        [1, 2, 3]

    Args:
        uri: a folder, or a place such as `s3://bucket/gallery`.
        describer: turns photos and sketches into vectors.
        create: make the gallery when the first photo is added.
        query_log: log every query in the folder's `queries.jsonl`; object storage has no such log.

    Raises:
        GalleryError: the gallery does not exist and `create` is False, is damaged, or comes from a newer version or
            another describer.
        OutputError: the gallery cannot be written.
        MissingExtraError: LanceDB is not installed.
    """

    def __init__(
        self, uri: str | Path, describer: Describer | None = None, create: bool = True, *, query_log: bool = True
    ) -> None:
        require("search", "search")
        self.uri, self.query_log = str(uri), query_log
        self._describer, self._lock = describer, threading.RLock()
        self._people: tuple[int, int] | None = None
        self._store: Store | None = None
        if not create or Store.exists(uri):
            self._store = Store.open(uri, None if describer is None else describer.fingerprint)

    @property
    def store(self) -> Store:
        """The table of photos.

        Raises:
            GalleryError: there is none yet, which `add` makes, or this process was forked from one with a gallery.
        """
        require_own_threads(self.uri)
        with self._lock:
            if self._store is None:
                self._store = Store.open(self.uri, None if self._describer is None else self._describer.fingerprint)
            return self._store

    @property
    def describer(self) -> Describer:
        """The describer of the gallery, loaded on first use.

        Raises:
            GalleryError: there is no gallery, or the describer differs from the one it was made with.
        """
        with self._lock:
            store = self.store
            if self._describer is None:
                loaded = _load_describer(_embedder(store))
                store.check(loaded.fingerprint)
                self._describer = loaded
            return self._describer

    def exists(self) -> bool:
        """Return whether there is a gallery; the first photo that is written makes a new one."""
        return self._store is not None or Store.exists(self.uri)

    def add(
        self,
        paths: Path | str | Iterable[Path | str],
        people: Path | str | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Add new photos, and describe changed ones again.

        A file counts as unchanged if the gallery knows its size and time, or else its SHA-256. Files that cannot be
        used are skipped, with a reason. If the process is killed, what is written stays, and the same call goes on
        from there.

        Args:
            paths: photos and folders of photos.
            people: a CSV file with the columns file, id and label; relative names start at its folder or at a given
                one. Photos that it does not name keep their id and label; new ones become people of their own.
            progress: called with the photos done and the photos to read.

        Raises:
            ImageError: a path does not exist.
            DataError: the CSV file is not understood, or names none of the photos.
            OutputError: the gallery cannot be written.
        """
        people = None if people is None else Path(people)
        given = [Path(each) for each in ([paths] if isinstance(paths, (str, Path)) else paths)]
        table = {} if people is None else read_people(people)
        report = Report()
        photos = list_photos(given, report, Path(self.uri) if is_local(self.uri) else None, people)
        known = self.store.known() if self.exists() else {}
        wanted = [
            replace(photo, known=known.get(photo.key))
            for photo in photos
            if photo.key not in known or known[photo.key][:2] != (photo.size, photo.mtime_ns)
        ]
        report.unchanged = len(photos) - len(wanted)
        named: dict[str, Person] = {}
        if people is not None:
            keys = {photo.key for photo in photos} | known.keys()
            named, report.unmatched = match(table, keys, [people.parent, *(each for each in given if each.is_dir())])
            if table and not named:
                raise DataError(
                    f"{people}: names no photo that is given or in the gallery; its first is '{next(iter(table))}'",
                    "write absolute paths, or paths relative to the folder of this file or of the photos",
                )
        written = Indexing(self._made, self._adding(), named, report, progress).run(wanted) if wanted else set()
        others = {key: person for key, person in named.items() if key in known and key not in written}
        changed = {key: person for key, person in others.items() if known[key][3:] != person}
        if changed:
            self.store.rename(changed)
        report.renamed = len(changed)
        return report

    def remove(self, keys_or_ids: str | Path | Iterable[str | Path]) -> int:
        """Remove photos by their keys or paths, and people by their ids, with all their photos.

        A path that ends in a slash is a folder, and removes all photos in and below it.

        Searches no longer find them. Their bytes stay on the disk until the files that they share with other photos
        are rewritten; a gallery made from scratch never had them.

        Returns:
            How many photos were removed.

        Raises:
            OutputError: the gallery cannot be written.
        """
        single = isinstance(keys_or_ids, (str, Path))
        asked = [str(each) for each in ([keys_or_ids] if single else keys_or_ids)]  # type: ignore[union-attr]
        paths = [os.path.abspath(each) for each in asked]  # noqa: PTH100  links stay as they are
        slash = ("/", os.sep)
        folders = tuple(f"{path}{os.sep}" for path, each in zip(paths, asked, strict=True) if each.endswith(slash))
        below = [key for key in self.store.photo_keys() if key.startswith(folders)] if folders else []
        gone = self.store.delete(asked + paths + below, asked)
        if gone:
            self.store.optimise()
        return gone

    def prune(self) -> Pruned:
        """Remove photos whose files are gone from the disk.

        Where a whole folder is missing or empty, its drive may not be mounted, or it lies on another machine. Its
        photos stay.

        Raises:
            OutputError: the gallery cannot be written.
        """
        missing = [path for key in self.store.photo_keys() if _is_gone(path := Path(key))]
        there = {folder: _holds_files(folder) for folder in {path.parent for path in missing}}
        pruned = Pruned(*([str(path) for path in missing if there[path.parent] is known] for known in (True, False)))
        if self.store.delete(pruned.removed):
            self.store.optimise()
        return pruned

    def search(
        self,
        pictures: Source | Sequence[Source | Opened],
        top: int = 10,
        route: Route = "fused",
        face: int | None = None,
        prior: float = 0.5,
        where: Sequence[str] = (),
    ) -> Answer:
        """Find the photos that most resemble a sketch, or on average several pictures of one person.

        Args:
            pictures: one or more sketches or photos of a person: paths, the bytes of files, or pictures.
            top: how many photos to return at most.
            route: what to compare with what.
            face: which face of each picture to take (1 is the largest); needed if there are several.
            prior: how likely it is, before the search, that the person is in the gallery; above 0 and below 1.
            where: facts of the table of people, such as `gender=female`, to search only the photos that have them. Of
                two values of one column, either fits. A photo without a value in that column is searched too.

        Raises:
            ImageError: a picture cannot be read.
            FaceError: a picture shows no face, or several and you gave no `face`.
            ConfigError: there is no picture, no photo has a fact, or `top`, `route` or `prior` is out of range.
            GalleryError: there is no gallery, it cannot be read, or another describer made it.
            OutputError: the query cannot be logged.
        """
        from facesketch.search.embedding.describer import ROUTES

        if top < 1:
            raise ConfigError(f"`top` {top}", "expected at least 1")
        require_known(route, ROUTES, "`route`")
        if not 0 < prior < 1:  # before the sketch is described
            raise ConfigError(f"`prior` {prior:g}", "expected a chance above 0 and below 1")
        _ = self.store  # first: without a gallery there is nothing to find
        facts = self._known_facts(where)
        given: Sequence[Source | Opened]
        given = [pictures] if isinstance(pictures, (Path, str, bytes, Image.Image)) else pictures
        if not given:
            raise ConfigError("no picture to search with", "give a sketch, or several pictures of one person")
        images, digests, names = zip(*map(_open_picture, given), strict=True)
        probes = tuple(self.describer.probe(image, name, face) for image, name in zip(images, names, strict=True))
        while True:
            answer = self._answer(probes, top, route, prior, facts)
            if answer.version == self.store.version:  # otherwise a writer came between its looks
                break
        if self.query_log and is_local(self.uri):
            record = {
                "probes": digests,
                "face": face,
                "gallery": {"version": answer.version, "size": answer.size, "fingerprint": self.store.fingerprint},
                "route": route,
                "top": top,
                "prior": prior,
                "where": facts,
                "hits": [{"key": hit.key, "score": hit.score, "chance": hit.chance} for hit in answer.hits],
                "absent": answer.absent,
            }
            log.append(Path(self.uri), record)
        return answer

    def thumbnail(self, key: str) -> bytes:
        """Return the small JPEG of a photo; empty when there is no such photo."""
        return self.store.thumbnail(key)

    def holds(self, path: Path) -> bool:
        """Return whether a file is one of the photos, even under another name of the same file."""
        try:
            size = path.stat().st_size
        except OSError:  # there is no such file
            return False
        asked = [os.path.abspath(path), str(path.resolve())]  # noqa: PTH100  links stay as they are
        return any(key in asked or _is_same_file(Path(key), path) for key in self.store.alike(size, asked))

    def info(self) -> GalleryInfo:
        """Return what the gallery holds."""
        store = self.store
        people, embedder = self._count_people(store.version), _embedder(store)
        return GalleryInfo(store.count, people, store.fingerprint, embedder, store.version, store.indexed, store.size)

    def _made(self) -> Store:
        """Return the table of photos, made if it is not there."""
        with self._lock:
            if self._store is None:
                made = self._adding()
                self._store = Store.create(self.uri, made.fingerprint, made.dimension)
            return self._store

    def _adding(self) -> Describer:
        """Return the describer for new photos: the gallery's, or the best that is installed for a new gallery."""
        with self._lock:
            if self.exists():
                return self.describer
            self._describer = self._describer or _load_describer()
            return self._describer

    def _known_facts(self, where: Sequence[str]) -> list[str]:
        """Return facts as the store has them, and refuse those that no photo has."""
        facts = ["=".join(part.strip() for part in each.casefold().split("=", 1)) for each in where]
        known = self.store.facts() if facts else set()
        columns = ", ".join(sorted({fact.partition("=")[0] for fact in known}))  # no values, which may be confidential
        for asked, fact in zip(where, facts, strict=True):
            if fact not in known:
                there = f"the table has {columns}" if known else "add columns to the table of `people`"
                raise ConfigError(f"`where` {asked!r}: no photo of the gallery has it", nearest(fact, known, there))
        return facts

    def _answer(self, probes: tuple[Probe, ...], top: int, route: Route, prior: float, facts: Sequence[str]) -> Answer:
        store, where = self.store, narrowed(facts) if facts else None
        version, every = store.version, store.count
        size, people = store.people(where) if where else (every, self._count_people(store.version))
        query = np.mean([self.describer.query(probe, route) for probe in probes], axis=0)
        best: dict[str, float] = {}  # the best score of each person, highest first
        looked_at = max(2 * top, _LOOKED_AT)
        while True:
            found = store.nearest(query, looked_at, where)
            for each in found:
                best.setdefault(each.person, each.score)
            if len(best) > probability.NEXT or len(found) < looked_at:
                break
            looked_at *= 10  # one person has most of these photos
        chance: dict[str, float] = {}
        absent, elsewhere = (None, None) if found else (1.0, 0.0)
        calibrated = (self.describer.embedder, route) in probability.CALIBRATIONS
        if found and calibrated and people >= probability.FEWEST:
            known = probability.calibration(self.describer.embedder, route)
            rest = max(0, people - len(best))
            values, absent = probability.chances(np.array(list(best.values())), rest, known, prior)
            chance = dict(zip(best, values.tolist(), strict=True))
            elsewhere = max(0.0, 1.0 - absent - sum(chance[person] for person in {each.person for each in found[:top]}))
        place = {person: number for number, person in enumerate(best, start=1)}
        hits = [
            Hit(place[each.person], each.key, each.person, each.label, each.score, chance.get(each.person))
            for each in found[:top]
        ]
        notes = ["a picture is taken for a photo" for each in probes if each.sketch is None]
        notes += [f"a picture was turned upright, by {each.turn}° clockwise" for each in probes if each.turn]
        if where:
            notes.append(f"only {size:,} of {every:,} photos searched; witnesses err, so search them all too")
        no_log = "object storage has no query log" if self.query_log and not is_local(self.uri) else ""
        notice = "; ".join(filter(None, (*notes, self.describer.notice, no_log)))
        return Answer(
            hits, absent, elsewhere, route, size, version, probes, notice, calibrated, tuple(notes), tuple(facts)
        )

    def _count_people(self, version: int) -> int:
        """Return how many people there are, counted once per version of the gallery."""
        if self._people is None or self._people[0] != version:
            self._people = version, self.store.people()[1]
        return self._people[1]


def _load_describer(embedder: str | None = None) -> Describer:
    from facesketch.search.embedding.describer import describer

    return describer(embedder)


def _embedder(store: Store) -> str:
    return store.fingerprint.partition("-")[0]


def _is_gone(path: Path) -> bool:
    """Return whether a file is certainly no longer there; a key that is no path never was a file."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return path.is_absolute()
    except OSError:
        return False
    return False


def _holds_files(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False


def _is_same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # it is gone, or the key is no path
        return False


def _open_picture(picture: Source | Opened) -> tuple[Image.Image, str, str]:
    """Return a picture, the SHA-256 of its file or pixels, and its name in errors."""
    if isinstance(picture, Opened):
        return flatten(picture.image), picture.sha256, "probe"
    if isinstance(picture, Image.Image):
        image = flatten(picture)
        about = f"{image.mode} {image.width} {image.height} ".encode()
        return image, hashlib.sha256(about + image.tobytes()).hexdigest(), "probe"
    image = open_image(picture)
    data = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
    return image, hashlib.sha256(data).hexdigest(), "probe" if isinstance(picture, bytes) else str(picture)
