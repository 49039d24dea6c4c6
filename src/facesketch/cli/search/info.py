"""`facesketch search info`: what a gallery holds, and how the verbs of search open one."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from facesketch.errors import GalleryError, NoGalleryError, count

if TYPE_CHECKING:
    from facesketch.search.gallery import Gallery


def info(*, gallery: str) -> None:
    """Print what a gallery holds, what compares its faces and how much space it takes.

    Parameters
    ----------
    gallery
        The gallery's folder or address.
    """
    found = open_gallery(gallery, create=False).info()
    say(f"{count(found.count, 'photo')} of {count(found.people, 'person', 'people')} in {found.size / 1e6:,.1f} MB")
    say(f"embedder {found.embedder}, described by {found.fingerprint}")
    covered = f"an index covers {found.indexed:,} of the photos" if found.indexed else "every photo is compared"
    say(f"version {found.version:,}; {covered}")


def open_gallery(gallery: str, embedder: str | None = None, *, create: bool, query_log: bool = True) -> Gallery:
    """Open a gallery with the describer of an embedder; without one, with its own once that is needed.

    Raises:
        GalleryError: there is none and `create` is False; the hint gives the command that makes one.
    """
    from facesketch.search.gallery import Gallery

    made_by = None
    if embedder is not None:
        from facesketch.search.embedding.describer import describer

        made_by = describer(embedder)
    try:
        return Gallery(gallery, made_by, create, query_log=query_log)
    except NoGalleryError as error:
        raise GalleryError(
            error.seen, f"type: facesketch search index PHOTOS --gallery {shlex.quote(gallery)}"
        ) from error


def say(line: str) -> None:
    """Print one line, even if the names in it hold control characters."""
    from facesketch.search.answer import plain

    sys.stdout.write(f"{plain(line)}\n")
