"""`facesketch search index`: make a gallery of photos, or bring it up to date."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from facesketch.cli.console import Bar, Quiet, note, note_some, say_passed_over
from facesketch.cli.search.info import open_gallery, say
from facesketch.errors import ConfigError, GalleryError, count, some

if TYPE_CHECKING:
    from facesketch.search.gallery import Gallery
    from facesketch.search.storage.indexing import Report


def index(
    *photos: Path,
    gallery: str,
    people: Path | None = None,
    remove: Annotated[tuple[str, ...], Parameter(negative=(), consume_multiple=True, show_default=False)] = (),
    prune: Annotated[bool, Parameter(negative=())] = False,
    embedder: str | None = None,
    quiet: Quiet = False,
) -> None:
    """Make a gallery of photos, or bring one up to date, reading only new and changed photos.

    If it is interrupted, run it again: it goes on with what is missing. Photos that cannot be used, such as those
    without a face, are named and left out, and the exit code is then 1.

    Parameters
    ----------
    photos
        Photos and folders of photos.
    gallery
        The gallery's folder, or its address in object storage, s3://BUCKET/NAME; made if it does not exist.
    people
        A CSV file with the columns file, id and label that says who the photos show, new ones and those already in the
        gallery.
    remove
        Photos to remove, by path; all photos of a folder, by a path that ends in a slash; or people to remove with all
        their photos, by id.
    prune
        Remove photos that are no longer on the disk, if their folder is.
    embedder
        What compares faces in a new gallery: learned, lite, sface, hog, or a file that `search fit` wrote; by default
        the best that is installed.
    """
    if not (photos or people or remove or prune):
        raise ConfigError("nothing to do", f"type: facesketch search index PHOTOS --gallery {shlex.quote(gallery)}")
    opened = open_gallery(gallery, embedder, create=bool(photos))
    if remove:
        _remove(opened, remove)
    if prune:
        removed, kept = opened.prune() if opened.exists() else ([], [])
        say(f"{count(len(removed), 'photo')} removed, gone from the disk")
        if kept:
            note(f"{count(len(kept), 'photo')} kept, whose folders are missing too; --remove FOLDER/ removes them")
    skipped = 0
    if photos or people:
        with Bar("reading photos", quiet=quiet) as progress:
            report = opened.add(photos, people, progress)
        _check(opened, photos, report)
        _print(report)
        if (report.added or report.refreshed) and opened.describer.notice:
            note(f"note: {opened.describer.notice}")
        skipped = len(report.skipped)
    found = opened.info()
    say(f"{gallery}: {count(found.count, 'photo')} of {count(found.people, 'person', 'people')}")
    if skipped:
        raise SystemExit(1)


def _remove(gallery: Gallery, names: tuple[str, ...]) -> None:
    removed = gallery.remove(names)
    if not removed:
        ids = sorted({known.person for known in gallery.store.known().values() if known.label in names})
        labels = f"those are labels, so give ids: {' '.join(ids[:5])}"
        hint = labels if ids else "give paths or ids, as `search query` with --json prints them"
        raise GalleryError(f"{gallery.uri}: no photo and no person {', '.join(names)}", hint)
    say(f"{count(removed, 'photo')} removed")


def _check(gallery: Gallery, photos: tuple[Path, ...], report: Report) -> None:
    """Refuse a run that found no photo, or left a gallery empty because it could use none."""
    left = len(report.skipped)
    if photos and not (left or report.added or report.refreshed or report.unchanged or report.renamed):
        from facesketch.images.io import NO_PICTURE

        first = min(report.passed_over, key=lambda each: each[1] == NO_PICTURE, default=None)
        seen = f"; {first[0]}: {first[1]}" if first else ""
        raise GalleryError(f"no photo in {', '.join(map(str, photos))}{seen}", "give photos or folders of them")
    if left and not (gallery.exists() and gallery.store.count):
        path, reason = report.skipped[0]
        raise GalleryError(f"nothing to put into {gallery.uri}: {count(left, 'photo')} left out", f"{path}: {reason}")


def _print(report: Report) -> None:
    from facesketch.search.answer import plain

    numbers = {
        "added": report.added,
        "refreshed": report.refreshed,
        "renamed": report.renamed,
        "unchanged": report.unchanged,
        "left out": len(report.skipped),
        "turned upright": len(report.turned),
    }
    say(", ".join(f"{number:,} {word}" for word, number in numbers.items() if number) or "nothing to change")
    note_some([plain(f"left out {path}: {reason}") for path, reason in report.skipped])
    note_some([plain(f"turned upright {path}: by {turn}° clockwise") for path, turn in report.turned])
    say_passed_over(report.passed_over)
    if report.unmatched:
        names = count(len(report.unmatched), "name")
        note(plain(f"note: {names} of --people matched no photo: {some(report.unmatched, 10)}"))
