"""`facesketch search query`: list the people in a gallery who look most like a sketch."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from facesketch.cli.console import console, escape, note, print_json, read_pipe, table
from facesketch.cli.search.evaluate import Route
from facesketch.cli.search.info import open_gallery
from facesketch.errors import ConfigError, OutputError, count, nearest

if TYPE_CHECKING:
    from facesketch.search.answer import Answer
    from facesketch.search.gallery import Gallery

_ON_SHEET = 100  # hits that a hit sheet has room for
_PIPE = Path("-")  # standard input for a sketch, standard output for an answer


def _no_option(_kind: Any, picture: Path) -> None:
    """Refuse a misspelt option, which would be taken for a picture, as that may begin with a hyphen."""
    if picture != _PIPE and str(picture).startswith("-") and not picture.exists():
        word = str(picture).partition("=")[0]
        names = (*inspect.signature(query).parameters, "no_query_log")
        known = [f"--{name.replace('_', '-')}" for name in names if name != "pictures"]
        raise ConfigError(f"unknown option {word}", nearest(word, known, then="type --help to see them all"))


def query(
    *pictures: Annotated[Path, Parameter(allow_leading_hyphen=True, validator=_no_option)],
    gallery: str,
    top: int = 10,
    route: Route = "fused",
    face: int | None = None,
    prior: float = 0.5,
    where: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    sheet: Path | None = None,
    json: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    embedder: str | None = None,
    query_log: bool = True,
) -> None:
    """List the people in a gallery who look most like a sketch, each with the chance of being the right person.

    You can search with several pictures of one person, photos included. A hit is a lead, not an identification.

    Parameters
    ----------
    pictures
        The sketch, or several pictures of one person; `-` reads a picture from standard input.
    gallery
        The gallery's folder or address.
    top
        How many hits to list.
    route
        What to compare: sketch and photos as they are (direct), a photo made from the sketch (to-photo), sketches made
        from the photos (to-sketch), or all three (fused).
    face
        Which face to take in pictures with several; 1 is the largest.
    prior
        How likely it is, before the search, that the person is in the gallery at all; above 0 and below 1.
    where
        Search only photos for which the gallery's table of people has this COLUMN=VALUE, or no value.
    sheet
        Draw the sketch and the hits into this picture file.
    json
        Write the answer to this file, NAME.json; `-` prints it instead of the table.
    embedder
        The file that `search fit` wrote, if the gallery was made with one; a gallery knows every other embedder.
    query_log
        Log the query in the gallery's queries.jsonl.
    """
    _check(pictures, top, face, sheet, json)
    opened = open_gallery(gallery, embedder, create=False, query_log=query_log)
    if sheet is not None and opened.holds(sheet):
        raise ConfigError(f"--sheet {sheet}: is a photo of the gallery", "give another name, such as hits.png")
    piped = read_pipe("facesketch search query - … < sketch.png") if _PIPE in pictures else b""
    answer = opened.search(
        [piped if each == _PIPE else each for each in pictures], top, route, face, prior, where or ()
    )
    if sheet is not None:
        with _written_by("--sheet"):
            _draw(opened, answer, pictures, sheet)
    if json is not None:
        from facesketch.files import write_json

        said = answer.to_json(pictures=[str(each) for each in pictures], gallery=gallery, prior=prior)
        with _written_by("--json"):
            print_json(said) if json == _PIPE else write_json(json, said)
    if json != _PIPE:
        _print(answer, [path for path in (sheet, json) if path is not None])


def _check(pictures: tuple[Path, ...], top: int, face: int | None, sheet: Path | None, json: Path | None) -> None:
    """Refuse what cannot be answered or written, before anything is loaded."""
    from facesketch.images.io import WRITABLE

    if not pictures:
        raise ConfigError("no picture to search with", "type: facesketch search query SKETCH --gallery GALLERY")
    if pictures.count(_PIPE) > 1:
        raise ConfigError("- is given twice", "standard input holds only one picture")
    if face is not None and face < 1:
        raise ConfigError(f"--face {face}", "expected 1 for the largest face, 2 for the next")
    if sheet is not None and sheet.suffix.lower() not in WRITABLE:
        raise ConfigError(f"--sheet {sheet}", "expected the name of a picture file, such as hits.png")
    if sheet is not None and top > _ON_SHEET:
        raise ConfigError(f"--top {top}: a hit sheet has room for {_ON_SHEET}", "ask for fewer, or use --json")
    for option, path in (("--sheet", sheet), ("--json", json)):
        if path is not None and path.exists() and any(each.exists() and path.samefile(each) for each in pictures):
            raise ConfigError(f"{option} {path}: is the sketch itself", "give another name")
    if json is not None and json != _PIPE and json.suffix.lower() != ".json":
        raise ConfigError(f"--json {json}", "expected a name that ends in .json, such as hits.json, or - to print it")


@contextmanager
def _written_by(option: str) -> Iterator[None]:
    """Name the option of a file that cannot be written."""
    try:
        yield
    except OutputError as error:
        raise OutputError(error.seen, f"give another {option}, where you may write and there is space") from error


def _draw(gallery: Gallery, answer: Answer, asked: tuple[Path, ...], out: Path) -> None:
    from facesketch.images.io import open_image, save_image
    from facesketch.search.hit_sheet import hit_sheet

    kept = (gallery.thumbnail(hit.key) for hit in answer.hits)
    pictures = [open_image(data) if data else None for data in kept]
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    probe = " + ".join("standard input" if each == _PIPE else each.name for each in asked)
    save_image(hit_sheet(answer, pictures, gallery=gallery.uri, probe=probe, when=when), out)


def _print(answer: Answer, written: list[Path]) -> None:
    """Print the hits, the verdict, the warning, and what they rest on."""
    from facesketch.search.answer import LEAD, percent, plain

    chances = ["chance"] if answer.absent is not None else []
    hits = table("", "person", "photo", "score", *chances, numbers=("", "score", "chance"))
    for hit in answer.hits:
        name = hit.label if hit.person in {hit.label, hit.key} else f"{hit.label} ({hit.person})"
        chance = [] if hit.chance is None else [percent(hit.chance)]
        hits.add_row(*(escape(plain(each)) for each in (str(hit.place), name, hit.key, f"{hit.score:.3f}", *chance)))
    page = console()
    page.print(hits)
    page.print(f"\n[bold]{escape(plain(answer.verdict))}[/bold]", soft_wrap=True)
    page.print(f"[yellow]{escape(LEAD)}[/yellow]", soft_wrap=True)
    facts = f"{count(answer.size, 'photo')}, version {answer.version}, route {answer.route}"
    if answer.absent is not None and answer.elsewhere is not None:
        absent, elsewhere = percent(answer.absent), percent(answer.elsewhere)
        facts = f"not {answer.among} {absent}, there but not listed {elsewhere}; {facts}"
    page.print(f"[dim]{facts}[/dim]", soft_wrap=True)
    if written:
        page.print(f"written: {escape(plain(' and '.join(map(str, written))))}", soft_wrap=True)
    if answer.notice:
        note(plain(f"note: {answer.notice}"))
