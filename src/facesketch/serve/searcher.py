"""Searches in one gallery, one at a time; its pictures go by names that say nothing of where they lie."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from PIL import Image

from facesketch.errors import FaceError, SeveralFacesError
from facesketch.serve.admission import Ticket
from facesketch.serve.codec import Darkroom, data_url
from facesketch.serve.problems import ProblemError, plain, told
from facesketch.serve.schemas import GalleryInfo, Hit, Hits, SearchForm

_REMEMBERED = 10_000  # names of pictures, of the latest hits


class SearchedFor(Protocol):
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


def open_gallery(uri: str, *, query_log: bool) -> SearchedFor:
    """Open a gallery that exists, with all that a search in it needs.

    Raises:
        FacesketchError: it is not there, torn, or was described by what is not at hand.
    """
    from facesketch.search.gallery import Gallery

    gallery = Gallery(uri, create=False, query_log=query_log)
    _ = gallery.describer  # so that what is amiss is told at the start
    return gallery


class Searcher:
    """Searches a gallery for those who ask over HTTP.

    Attributes:
        count: how many photos it had when it was last asked.

    Args:
        gallery: where to search.
        darkroom: what decodes uploads.
    """

    def __init__(self, gallery: SearchedFor, darkroom: Darkroom) -> None:
        self._gallery, self._darkroom = gallery, darkroom
        # one thread: a search runs two networks and the index on all processors already
        self._thread = ThreadPoolExecutor(1, "search")
        self._names = Names()
        self.count = int(gallery.info().count)

    async def search(self, data: bytes, asked: SearchForm, ticket: Ticket) -> Hits:
        """Return what resembles a sketch.

        Raises:
            ProblemError: the upload or a field cannot be used.
        """
        hits: Hits = await self._run(ticket, self._search, data, asked)
        return hits

    async def info(self, ticket: Ticket) -> GalleryInfo:
        """Return what the gallery holds."""
        info: GalleryInfo = await self._run(ticket, self._info)
        return info

    async def picture(self, name: str, ticket: Ticket) -> bytes:
        """Return the small JPEG of a hit.

        Raises:
            ProblemError: 404, no hit of late had this name.
        """
        key = self._names.key(name)
        picture = b"" if key is None else await self._run(ticket, self._gallery.thumbnail, key)
        if not picture:
            raise ProblemError(404, "There is no such picture, or it was shown too long ago.", "Search again.")
        return bytes(picture)

    def close(self) -> None:
        """End the thread, and do not wait for a search that is stuck."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self, ticket: Ticket, work: Any, *given: Any) -> Any:
        future = self._thread.submit(work, *given)
        ticket.attach(future)
        return await asyncio.wrap_future(future)

    def _search(self, data: bytes, asked: SearchForm) -> Hits:
        with self._darkroom.open(data) as image:
            answer = self._found(image, asked)
        self.count = int(answer.size)
        return Hits(
            hits=[self._hit(hit) for hit in answer.hits],
            absent=answer.absent,
            elsewhere=answer.elsewhere,
            verdict=answer.verdict,
            lead=_lead(),
            route=answer.route,
            size=answer.size,
            translated=data_url(answer.probe.translated, "jpeg"),
            framed=data_url(answer.probe.framed, "jpeg"),
            turned=answer.probe.turn,
            notice=plain(answer.notice),
        )

    def _found(self, image: Image.Image, asked: SearchForm) -> Any:
        try:
            return self._gallery.search(image, asked.top, asked.route, asked.face, asked.prior)
        except FaceError as error:
            if asked.face is None and isinstance(error, SeveralFacesError):
                raise ProblemError(
                    400, "The sketch shows several faces.", "Say which with the field face; 1 is the largest."
                ) from error
            raise told(error) from error

    def _hit(self, hit: Any) -> Hit:
        # a photo that nobody gave a person stands for itself, and is called by its place on the disk
        picture = f"/v1/gallery/pictures/{self._names.name(hit.key)}"
        return Hit(
            place=hit.place,
            person=hit.label if hit.person == hit.key else hit.person,
            label=hit.label,
            score=hit.score,
            chance=hit.chance,
            picture=picture,
        )

    def _info(self) -> GalleryInfo:
        info = self._gallery.info()
        self.count = int(info.count)
        return GalleryInfo(
            count=info.count,
            people=info.people,
            version=info.version,
            fingerprint=info.fingerprint,
            embedder=info.embedder,
            indexed=bool(info.indexed),
            routes=list(_routes()),
            lead=_lead(),
        )


class Names:
    """Names under which pictures can be asked for: keyed digests of their keys, good until the server ends.

    Only pictures of the latest hits have one, so that a gallery cannot be read from end to end by guessing.
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


def _lead() -> str:
    from facesketch.search.answer import LEAD

    return LEAD


def _routes() -> Sequence[str]:
    from facesketch.search.embedding.describer import ROUTES

    return ROUTES
