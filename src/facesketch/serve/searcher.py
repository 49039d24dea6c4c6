"""Searches in one gallery, one at a time, with pictures under names that do not reveal their paths."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from facesketch.errors import FaceError, SeveralFacesError
from facesketch.serve.admission import Ticket
from facesketch.serve.codec import ImageDecoder, data_url
from facesketch.serve.problems import ProblemError, user_problem
from facesketch.serve.schemas import GalleryInfo, Hit, Hits, SearchForm
from facesketch.serve.translating import turn_notice

_log = logging.getLogger("facesketch.serve")
_REMEMBERED = 10_000  # names of pictures, of the latest hits


class SearchableGallery(Protocol):
    """The part of a `facesketch.search.gallery.Gallery` that a server uses."""

    def search(self, picture: Any, top: int, route: Any, face: int | None, prior: float) -> Any:
        """Return an `Answer`."""
        ...

    def info(self) -> Any:
        """Return a `GalleryInfo`."""
        ...

    def thumbnail(self, key: str) -> bytes:
        """Return a small JPEG, or nothing."""
        ...


def open_gallery(uri: str, *, query_log: bool) -> SearchableGallery:
    """Open an existing gallery with all that a search needs, and log what would make it better.

    Raises:
        FacesketchError: it is missing or torn, or its embedder is missing.
    """
    from facesketch.search.gallery import Gallery

    gallery = Gallery(uri, create=False, query_log=query_log)
    if gallery.describer.notice:  # also fails at the start if the gallery cannot be searched
        _log.warning("%s", gallery.describer.notice)
    return gallery


class Searcher:
    """Searches a gallery for requests.

    Attributes:
        count: how many photos it had at the last request.

    Args:
        gallery: where to search.
        decoder: decodes the uploads.
    """

    def __init__(self, gallery: SearchableGallery, decoder: ImageDecoder) -> None:
        self._gallery, self._decoder = gallery, decoder
        # one thread: a search runs two networks and the index on all processors already
        self._thread = ThreadPoolExecutor(1, "search")
        self._names = PictureNames()
        self.count = int(gallery.info().count)

    async def search(self, data: bytes, form: SearchForm, ticket: Ticket) -> Hits:
        """Return what resembles a sketch.

        Raises:
            ProblemError: the upload or a field cannot be used.
        """
        hits: Hits = await self._run(ticket, self._search, data, form)
        return hits

    async def info(self, ticket: Ticket) -> GalleryInfo:
        """Return what the gallery holds."""
        info: GalleryInfo = await self._run(ticket, self._info)
        return info

    async def picture(self, name: str, ticket: Ticket) -> bytes:
        """Return the small JPEG of a hit.

        Raises:
            ProblemError: 404, no recent hit had this name.
        """
        key = self._names.key(name)
        picture = b"" if key is None else await self._run(ticket, self._gallery.thumbnail, key)
        if not picture:
            raise ProblemError(404, "There is no such picture, or its search was too long ago.", "Search again.")
        return bytes(picture)

    def close(self) -> None:
        """End the thread without waiting for a search that is stuck."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self, ticket: Ticket, work: Any, *given: Any) -> Any:
        future = self._thread.submit(work, *given)
        ticket.attach(future)
        return await asyncio.wrap_future(future)

    def _search(self, data: bytes, form: SearchForm) -> Hits:
        with self._decoder.open(data) as image:
            try:
                answer = self._gallery.search(image, form.top, form.route, form.face, form.prior)
            except SeveralFacesError as error:
                hint = "Say which with the field face; 1 is the largest."
                raise ProblemError(400, "The sketch shows several faces.", hint, field="face") from error
            except FaceError as error:
                raise user_problem(error) from error
        from facesketch.search.answer import LEAD

        self.count = int(answer.size)
        return Hits(
            hits=[self._hit(hit) for hit in answer.hits],
            absent=answer.absent,
            elsewhere=answer.elsewhere,
            verdict=answer.verdict,
            lead=LEAD,
            route=answer.route,
            size=answer.size,
            translated=data_url(answer.probe.translated, "jpeg"),
            framed=data_url(answer.probe.framed, "jpeg"),
            turned=answer.probe.turn,
            notice=turn_notice(answer.probe.turn),
        )

    def _hit(self, hit: Any) -> Hit:
        picture = f"/v1/gallery/pictures/{self._names.name(hit.key)}"
        return Hit(
            place=hit.place,
            person=hit.label if hit.person == hit.key else hit.person,  # a photo without a person: the key is its path
            label=hit.label,
            score=hit.score,
            chance=hit.chance,
            picture=picture,
        )

    def _info(self) -> GalleryInfo:
        from facesketch.search.answer import LEAD
        from facesketch.search.embedding.describer import ROUTES

        info = self._gallery.info()
        self.count = int(info.count)
        return GalleryInfo(
            count=info.count,
            people=info.people,
            version=info.version,
            fingerprint=info.fingerprint,
            embedder=info.embedder,
            indexed=bool(info.indexed),
            routes=list(ROUTES),
            lead=LEAD,
        )


class PictureNames:
    """Names for the pictures of the latest hits: keyed digests, valid until the server ends.

    Other pictures have none, so that a gallery cannot be read from end to end by guessing.
    """

    def __init__(self) -> None:
        self._secret, self._lock = secrets.token_bytes(32), threading.Lock()
        self._keys: OrderedDict[str, str] = OrderedDict()

    def name(self, key: str) -> str:
        """Return the name of a picture."""
        name = hmac.new(self._secret, key.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:32]
        with self._lock:
            self._keys[name] = key
            self._keys.move_to_end(name)
            while len(self._keys) > _REMEMBERED:
                self._keys.popitem(last=False)
        return name

    def key(self, name: str) -> str | None:
        """Return the key of a picture that was named."""
        with self._lock:
            return self._keys.get(name)
