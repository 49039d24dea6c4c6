"""`facesketch search`: make a gallery of photos, and look in it for whom a sketch shows."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts
from cyclopts import Parameter

from facesketch.cli.console import Bar, print_json, read_pipe, say_passed_over
from facesketch.cli.search import evaluate as search_evaluate
from facesketch.cli.search import fit as search_fit
from facesketch.cli.search.evaluate import Route
from facesketch.errors import ConfigError, GalleryError, NoGalleryError, OutputError, nearest

if TYPE_CHECKING:
    from rich.console import Console

    from facesketch.search.answer import Answer
    from facesketch.search.gallery import Gallery
    from facesketch.search.storage.indexing import Report

app = cyclopts.App(name="search", help="Find a person in a gallery of photos from a sketch.")

app.command(search_evaluate.evaluate)
app.command(search_fit.fit)

_EXAMPLES = 10  # left out photos to name
_WIDTH = 110  # columns where the output is not a terminal
_ON_SHEET = 100  # hits that a hit sheet has room for
_PIPE = Path("-")  # standard input for a sketch, standard output for an answer
_PIPED = "standard input"


def _no_option(_kind: Any, sketch: Path) -> None:
    """Refuse a misspelt option, which would be taken for the sketch, as that may begin with a hyphen.

    Raises:
        ConfigError: the sketch begins like an option and is not there; the nearest option is suggested.
    """
    if sketch != _PIPE and str(sketch).startswith("-") and not sketch.exists():
        word = str(sketch).partition("=")[0]
        known = [f"--{name}" for name in (*inspect.signature(query).parameters, "no-query-log") if name != "sketch"]
        raise ConfigError(f"unknown option {word}", nearest(word, known, then="type --help to see them all"))


@app.command
def index(
    *photos: Path,
    gallery: str,
    people: Path | None = None,
    remove: Annotated[tuple[str, ...], Parameter(negative=(), consume_multiple=True, show_default=False)] = (),
    prune: Annotated[bool, Parameter(negative=())] = False,
    embedder: str | None = None,
    quiet: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Make a gallery of photos, or bring one up to date: only what is new or changed is looked at.

    Typed again after it was cut off, it goes on with what is missing. Photos without a face are left out and named, and
    make the exit code 1.

    Parameters
    ----------
    photos
        Photos and folders of photos.
    gallery
        The gallery's folder, made when it is not there, or its address in object storage, s3://BUCKET/NAME.
    people
        A CSV with the columns file, id and label: who each photo shows, given or there already.
    remove
        Take these out: photos by their path, people by their id, with all their photos.
    prune
        Take out the photos that are no longer on the disk.
    embedder
        What compares faces in a new gallery: learned, lite, sface, hog or a map's file; the best that is at hand when
        left out.
    quiet
        Show no progress.
    """
    if not (photos or people or remove or prune):
        raise ConfigError("nothing to do", f"type: facesketch search index PHOTOS --gallery {gallery}")
    opened = _open(gallery, embedder, create=bool(photos))
    _take_out(opened, remove, prune)
    skipped = _add(opened, photos, people, quiet) if photos or people else 0
    found = opened.info()
    _print(f"{gallery}: {_count(found.count, 'photo')} of {_people(found.people)}")
    if skipped:
        raise SystemExit(1)


@app.command
def query(
    sketch: Annotated[Path, Parameter(allow_leading_hyphen=True, validator=_no_option)],
    /,
    *,
    gallery: str,
    top: int = 10,
    route: Route = "fused",
    face: int | None = None,
    prior: float = 0.5,
    sheet: Path | None = None,
    json: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    embedder: str | None = None,
    query_log: bool = True,
) -> None:
    """List the people of a gallery who look most like a sketch, each with the chance that it is the right one.

    A hit is a lead, not an identification.

    Parameters
    ----------
    sketch
        The sketch; `-` reads it from standard input.
    gallery
        The gallery's folder or address.
    top
        How many hits to list.
    route
        What is compared: sketch and photos as they are (direct), a photo made of the sketch (to-photo), sketches made
        of the photos (to-sketch), or all of it (fused).
    face
        Which face of a sketch with several, 1 for the largest.
    prior
        How sure you are beforehand that the person is in the gallery at all, above 0 and below 1.
    sheet
        Draw the sketch and the hits into this picture.
    json
        Write the answer into this file, NAME.json; `-` prints it instead of the table.
    embedder
        The learned map's file that the gallery was made with, if it was; a gallery knows the others.
    query_log
        `--no-query-log` leaves no line in the gallery's queries.jsonl.
    """
    _check(sketch, top, face, sheet, json)
    opened = _open(gallery, embedder, create=False, query_log=query_log)
    if sheet is not None and opened.holds(sheet):
        raise ConfigError(f"--sheet {sheet}: is a photo of the gallery", "give another name, such as hits.png")
    drawn = read_pipe("facesketch search query - … < sketch.png") if sketch == _PIPE else sketch
    answer = opened.search(drawn, top, route, face, prior)
    if sheet is not None:
        with _advised("--sheet"):
            _draw(opened, answer, gallery, sketch, sheet)
    if json is not None:
        with _advised("--json"):
            _write_json(answer, gallery, sketch, prior, json)
    if json != _PIPE:
        _show(answer, [path for path in (sheet, json) if path is not None])


@app.command
def info(*, gallery: str) -> None:
    """Say what is in a gallery, what compares its faces and how much room it takes.

    Parameters
    ----------
    gallery
        The gallery's folder or address.
    """
    found = _open(gallery, create=False).info()
    _print(f"{_count(found.count, 'photo')} of {_people(found.people)} in {found.size / 1e6:,.1f} MB")
    _print(f"embedder {found.embedder}, described by {found.fingerprint}")
    covered = f"an index covers {found.indexed:,} of the photos" if found.indexed else "every photo is compared"
    _print(f"version {found.version:,}; {covered}")


def _open(gallery: str, embedder: str | None = None, *, create: bool, query_log: bool = True) -> Gallery:
    """Open a gallery; what describes faces is loaded only when it is needed, unless it is named."""
    from facesketch.search.gallery import Gallery

    describe = None
    if embedder is not None:
        from facesketch.search.embedding.describer import describer

        describe = describer(embedder)
    try:
        return Gallery(gallery, describe, create, query_log=query_log)
    except NoGalleryError as error:
        raise GalleryError(error.seen, f"type: facesketch search index PHOTOS --gallery {gallery}") from error


def _take_out(gallery: Gallery, remove: tuple[str, ...], prune: bool) -> None:
    """Remove what was named, then what is gone from the disk, and say how many that were.

    Raises:
        GalleryError: nothing has any of the names.
    """
    if remove:
        taken = gallery.remove(remove)
        if not taken:
            raise GalleryError(f"{gallery.uri}: no photo and no person {', '.join(remove)}", _meant(gallery, remove))
        _print(f"{_count(taken, 'photo')} taken out")
    if prune:
        gone = gallery.prune() if gallery.exists() else []
        _print(f"{_count(len(gone), 'photo')} taken out, gone from the disk")


def _meant(gallery: Gallery, names: tuple[str, ...]) -> str:
    """Return what to type instead of names that are neither paths nor ids, but perhaps labels."""
    ids = sorted({known.person for known in gallery.store.known().values() if known.label in names})
    return (
        f"those are labels, so give ids: {' '.join(ids[:5])}"
        if ids
        else "give paths or ids, as `query --json` shows them"
    )


def _add(gallery: Gallery, photos: tuple[Path, ...], people: Path | None, quiet: bool) -> int:
    """Add photos, say what became of them, and return how many were left out.

    Raises:
        GalleryError: there were none, or the gallery is still empty, because all of them were left out.
    """
    with Bar("looking at photos", quiet=quiet) as progress:
        report = gallery.add(photos, people, progress)
    left = len(report.skipped)
    if photos and not (left or report.added or report.refreshed or report.unchanged):
        seen = "; {}: {}".format(*report.passed_over[0]) if report.passed_over else ""
        raise GalleryError(f"no photo in {', '.join(map(str, photos))}{seen}", "give photos or folders of them")
    if left and not (gallery.exists() and gallery.store.count):
        path, reason = report.skipped[0]
        raise GalleryError(f"nothing to put into {gallery.uri}: {_count(left, 'photo')} left out", f"{path}: {reason}")
    _tell(report)
    if (report.added or report.refreshed) and gallery.describer.notice:
        _note(f"note: {gallery.describer.notice}")
    return left


def _tell(report: Report) -> None:
    left = len(report.skipped)
    counts = {
        "added": report.added,
        "refreshed": report.refreshed,
        "renamed": report.renamed,
        "unchanged": report.unchanged,
        "left out": left,
    }
    _print(", ".join(f"{number:,} {word}" for word, number in counts.items() if number) or "nothing to change")
    for path, reason in report.skipped[:_EXAMPLES]:
        _note(f"left out {path}: {reason}")
    if left > _EXAMPLES:
        _note(f"and {left - _EXAMPLES:,} more")
    say_passed_over(report.passed_over)
    for path, turn in report.turned[:_EXAMPLES]:
        _note(f"turned upright {path}: by {turn}° clockwise")
    if len(report.turned) > _EXAMPLES:
        _note(f"and {len(report.turned) - _EXAMPLES:,} more turned upright")
    if report.unmatched:
        names = ", ".join(report.unmatched[:_EXAMPLES]) + (", …" if len(report.unmatched) > _EXAMPLES else "")
        _note(f"note: {_count(len(report.unmatched), 'name')} of --people led to no photo: {names}")


def _check(sketch: Path, top: int, face: int | None, sheet: Path | None, json: Path | None) -> None:
    """Refuse what cannot be answered before anything is loaded.

    Raises:
        ConfigError: no such face, or a file to write that would replace the sketch or is of another kind.
    """
    from facesketch.images.io import WRITABLE

    if face is not None and face < 1:
        raise ConfigError(f"--face {face}", "expected 1 for the largest face, 2 for the next")
    if sheet is not None and sheet.suffix.lower() not in WRITABLE:
        raise ConfigError(f"--sheet {sheet}", "expected a picture's name, such as hits.png")
    if sheet is not None and top > _ON_SHEET:
        raise ConfigError(f"--top {top}: a hit sheet has room for {_ON_SHEET}", "ask for fewer, or take --json")
    for option, path in (("--sheet", sheet), ("--json", json)):
        if path is not None and path != _PIPE and path.resolve() == sketch.resolve():
            raise ConfigError(f"{option} {path}: is the sketch itself", "give another name")
    if json is not None and json != _PIPE and json.suffix.lower() != ".json":
        raise ConfigError(f"--json {json}", "expected a name that ends in .json, such as hits.json, or - to print it")


@contextmanager
def _advised(option: str) -> Iterator[None]:
    """Let the advice for a file that cannot be written name the option that the file was given by."""
    try:
        yield
    except OutputError as error:
        raise OutputError(error.seen, error.hint.replace("an `out`", f"a {option}").replace("`out`", option)) from error


def _draw(gallery: Gallery, answer: Answer, name: str, sketch: Path, out: Path) -> None:
    from datetime import UTC, datetime

    from facesketch.images.io import open_image, save_image
    from facesketch.search.hit_sheet import hit_sheet

    kept = (gallery.thumbnail(hit.key) for hit in answer.hits)
    pictures = [open_image(data) if data else None for data in kept]
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    probe = _PIPED if sketch == _PIPE else sketch.name
    save_image(hit_sheet(answer, pictures, gallery=name, probe=probe, when=when), out)


def _write_json(answer: Answer, gallery: str, sketch: Path, prior: float, out: Path) -> None:
    from facesketch.files import write_json

    said = answer.to_json(sketch=str(sketch), gallery=gallery, prior=prior)
    if out == _PIPE:
        print_json(said)
    else:
        write_json(out, said)


def _show(answer: Answer, written: list[Path]) -> None:
    """Print the hits, the verdict, the warning, and what they rest on."""
    from rich.markup import escape

    from facesketch.search.answer import LEAD, percent, plain

    console = _console()
    console.print(_table(answer))
    console.print()
    console.print(f"[bold]{escape(plain(answer.verdict))}[/bold]", soft_wrap=True)
    console.print(f"[yellow]{escape(LEAD)}[/yellow]", soft_wrap=True)
    facts = f"{_count(answer.size, 'photo')}, version {answer.version}, route {answer.route}"
    if answer.absent is not None and answer.elsewhere is not None:
        chances = f"not in this gallery {percent(answer.absent)}, in it but not listed {percent(answer.elsewhere)}"
        facts = f"{chances}; {facts}"
    console.print(f"[dim]{facts}[/dim]", soft_wrap=True)
    if written:
        console.print(f"written: {escape(plain(' and '.join(map(str, written))))}", soft_wrap=True)
    if answer.notice:
        _note(f"note: {answer.notice}")


def _table(answer: Answer) -> Any:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from facesketch.search.answer import percent, plain

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("person", overflow="fold")
    table.add_column("photo", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    if answer.absent is not None:
        table.add_column("chance", justify="right", no_wrap=True)
    for hit in answer.hits:
        name = hit.label if hit.person in {hit.label, hit.key} else f"{hit.label} ({hit.person})"
        chance = () if hit.chance is None else (percent(hit.chance),)
        cells = (str(hit.place), name, hit.key, f"{hit.score:.3f}", *chance)
        table.add_row(*(escape(plain(cell)) for cell in cells))
    return table


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDTH)


def _print(line: str) -> None:
    from facesketch.search.answer import plain

    sys.stdout.write(f"{plain(line)}\n")


def _note(line: str) -> None:
    from facesketch.search.answer import plain

    sys.stderr.write(f"{plain(line)}\n")


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"
