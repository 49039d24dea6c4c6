"""Searches in one gallery, one at a time; pictures have names that do not reveal their paths."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from facesketch.errors import ConfigError, FaceError, SeveralFacesError
from facesketch.serve.codec import ImageDecoder, data_url
from facesketch.serve.problems import ProblemError, sentence, user_problem
from facesketch.serve.schemas import GalleryInfo, Hit, Hits, Probe, SearchForm

if TYPE_CHECKING:
    from facesketch.search.gallery import Gallery, Opened

Shown = TypeVar("Shown", bound=BaseModel)
MOST = 8  # pictures of one search
_REMEMBERED = 10_000  # names of pictures, of the latest hits


class Searcher:
    """Searches a gallery for requests.

    Attributes:
        count: how many photos it had at the last request.
        thread: the one to call its methods in, as a search runs two networks and the index on all processors.

    Args:
        gallery: where to search.
        decoder: decodes the uploads.
    """

    def __init__(self, gallery: Gallery, decoder: ImageDecoder) -> None:
        self._gallery, self._decoder = gallery, decoder
        self.thread = ThreadPoolExecutor(1, "search")
        self._names = PictureNames()
        self.count = gallery.info().count

    def search(self, pictures: list[bytes], form: SearchForm) -> Hits:
        """Return the photos that resemble a sketch, or several pictures of one person.

        Raises:
            ProblemError: the upload or a field cannot be used.
        """
        from facesketch.search.answer import LEAD

        where = [each for each in form.where.split(",") if each.strip()]
        try:
            answer = self._gallery.search(
                [self._opened(data) for data in pictures], form.top, form.route, form.face, form.prior, where
            )
        except SeveralFacesError as error:
            hint = "Choose one of them; face 1 is the largest."
            raise ProblemError(400, "The sketch shows several faces.", hint, field="face") from error
        except FaceError as error:
            told = user_problem(error).problem
            field, hint = ("face" if form.face else None), told.hint.replace("`", "")
            raise ProblemError(400, told.seen, hint, field=field) from error
        except ConfigError as error:
            raise user_problem(error) from error
        if not where:
            self.count = answer.size
        hits = []
        for hit in answer.hits:
            person = hit.label if hit.person == hit.key else hit.person  # the person of a photo without one is its path
            picture = f"/v1/gallery/pictures/{self._names.name(hit.key)}"
            hits.append(_filled(Hit, hit, person=person, picture=picture))
        return _filled(
            Hits,
            answer,
            hits=hits,
            lead=LEAD,
            probes=[
                Probe(
                    framed=data_url(each.framed, "jpeg"),
                    translated=None if each.translated is None else data_url(each.translated, "jpeg"),
                    turned=each.turn,
                )
                for each in answer.probes
            ],
            notice=sentence("; ".join(answer.notes)) if answer.notes else "",
        )

    def _opened(self, data: bytes) -> Opened:
        """Decode a picture and shrink it like the photos of a gallery, so that several fit into memory."""
        from facesketch.search.gallery import Opened
        from facesketch.search.storage.indexing import LONGEST

        with self._decoder.open(data) as image:
            image.thumbnail((LONGEST, LONGEST), reducing_gap=2.0)
            return Opened(image, hashlib.sha256(data).hexdigest())

    def info(self) -> GalleryInfo:
        """Return what the gallery holds."""
        from facesketch.search.answer import LEAD
        from facesketch.search.embedding.describer import ROUTES

        info = self._gallery.info()
        self.count = info.count
        return _filled(GalleryInfo, info, indexed=bool(info.indexed), routes=list(ROUTES), lead=LEAD)

    def picture(self, name: str) -> bytes:
        """Return the small JPEG of a hit.

        Raises:
            ProblemError: 404, no recent hit had this name.
        """
        key = self._names.key(name)
        picture = b"" if key is None else self._gallery.thumbnail(key)
        if not picture:
            raise ProblemError(404, "There is no such picture, or its search was too long ago.", "Search again.")
        return picture

    def close(self) -> None:
        """End the thread without waiting for a search that is stuck."""
        self.thread.shutdown(wait=False, cancel_futures=True)


def _filled(model: type[Shown], thing: object, **told: Any) -> Shown:
    """Return an answer with the fields `told`; it takes the others from the attributes of `thing`."""
    own = {name: getattr(thing, name) for name in model.model_fields.keys() - told.keys()}
    return model.model_validate(own | told)


class PictureNames:
    """Names for the pictures of the latest hits: keyed digests, valid until the server ends.

    Other pictures have no name, so that nobody can read a whole gallery by guessing.
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
        """Return the key of the picture with this name."""
        with self._lock:
            return self._keys.get(name)
