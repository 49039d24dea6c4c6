"""`facesketch search evaluate`: how often each route of search finds the right person, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from facesketch.cli.console import Bar, Quiet, console, escape, percent, table
from facesketch.errors import require, require_seed
from facesketch.files import require_folder_name

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from facesketch.metrics.bootstrap import Interval
    from facesketch.search.evaluation.results import GalleryScore, SearchResults

Route = Literal["direct", "to-photo", "to-sketch", "fused"]

_LEGEND = (
    "\\[low, high]: 95 % bootstrap interval over people; it has no width where everybody or nobody is found, even if "
    "they are few. DIR: share of the people in the gallery who are found first and above a threshold. At most 1 % or "
    "10 % of the searches for a person who is not in the gallery pass it; half of the people are left out to measure "
    "this. Chance error: how far two chances are off on average, that of the first hit and that of an absent person."
)


def evaluate(
    *,
    data: Path,
    distractors: str | None = None,
    embedder: str | None = None,
    split: Literal["test", "train", "all"] = "test",
    protocol: str | None = None,
    routes: Annotated[list[Route] | None, Parameter(consume_multiple=True, negative=())] = None,
    group_by: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    photo2sketch: str | None = None,
    sketch2photo: str | None = None,
    out: Path | None = None,
    seed: int = 0,
    quiet: Quiet = False,
) -> None:
    """Search for the photo of every sketch in a data set, and measure how often it is found and how good chances are.

    Parameters
    ----------
    data
        The folder of pairs: the sketches are the probes, the photos the gallery.
    distractors
        Photos of other people to add to the gallery: a folder, or `synthetic:10000` for 10,000 drawn faces.
    embedder
        What compares faces: learned, lite, sface, hog, or a file that `search fit` wrote; by default the best that is
        installed.
    split
        Whose pairs to search with: the test people, the training people or all.
    protocol
        The split's name in papers: cuhk, cufs, cufsf, fs2k or own. You get a warning if the counts differ.
    routes
        What to compare with what; by default all routes.
    group_by
        Columns of the data's pairs.csv, such as gender; each group of people is measured separately.
    photo2sketch
        A run folder or model file that turns the photos into sketches; by default the package's own.
    sketch2photo
        A run folder or model file that turns the sketches into photos; by default the package's own.
    out
        NAME.json for the results, with the figure NAME.png beside it, or a folder for `search.json` and `search.png`.
        A study's report shows them if the folder is `search/` in the study's folder.
    seed
        The seed of the bootstrap, of who is left out, and of drawn faces.
    """
    require_seed(seed)
    if out is not None and out.suffix.lower() != ".json":
        require_folder_name(out)
    require("train", "measuring search")
    if out is not None:
        from facesketch.data.overwriting import forbid_overwriting
        from facesketch.search.evaluation.results import file_of

        forbid_overwriting(data, [file_of(out), file_of(out).with_suffix(".png")])
    from facesketch.search.embedding.describer import ROUTES, describer
    from facesketch.search.evaluation.distractors import distractors as find_distractors
    from facesketch.search.evaluation.evaluate import evaluate_search, read_task

    task = read_task(data, split, protocol)
    task.groups(group_by or ())  # an unknown column is refused before a model is loaded
    others = None
    if distractors is not None:
        others = find_distractors(distractors, besides=[pair.photo.path for pair in task.pairs], seed=seed)
    with Bar(quiet=quiet) as progress:
        results = evaluate_search(
            describer(embedder, photo2sketch=photo2sketch, sketch2photo=sketch2photo),
            task,
            routes=[route for route in ROUTES if not routes or route in routes],
            distractors=others,
            group_by=group_by or (),
            seed=seed,
            progress=progress,
        )
    written = None
    if out is not None:
        from facesketch.search.evaluation.plot import save_figure

        written = results.save(out)
        save_figure(results, written.with_suffix(".png"))
    _print(results, written)


def _print(results: SearchResults, written: Path | None) -> None:
    from facesketch.search.answer import LEAD

    page = console()
    page.print(f"[bold]search[/bold] by sketch, embedder {results.embedder}", soft_wrap=True)
    page.print(f"protocol {results.protocol}, {results.split} split: {results.counted}")
    page.print(f"[dim]sha256 of the stems {results.stems_hash}[/dim]", soft_wrap=True)
    page.print(f"[dim]described by {escape(results.fingerprint)}[/dim]", soft_wrap=True)
    for line in filter(None, (results.notice, *results.warnings)):
        page.print(f"[yellow]warning: {escape(line)}[/yellow]", soft_wrap=True)
    for gallery in results.galleries.values():
        page.print(f"\n[bold]{escape(gallery.title)}[/bold]; guessing finds {percent(gallery.chance['1'], 2)} first")
        page.print(_table(gallery))
        _print_chances(page, gallery)
        _print_groups(page, gallery)
    page.print(f"\n[dim]{_LEGEND}[/dim]")
    for what, why in results.left_out.items():
        page.print(f"left out: [bold]{escape(what)}[/bold]: {escape(why)}", soft_wrap=True)
    page.print(f"[yellow]{escape(LEAD)}[/yellow]", soft_wrap=True)
    if written is not None:
        page.print(f"written: {escape(written)} and {escape(written.with_suffix('.png').name)}", soft_wrap=True)


def _table(gallery: GalleryScore) -> Table:
    ranks = [f"rank-{k} ↑" for k in gallery.chance]
    numbers = [*ranks, "DIR\nat 1 % ↑", "DIR\nat 10 % ↑", "chance\nerror ↓"]
    shown = table("route", *numbers, numbers=numbers, collapse_padding=True)
    shown.columns[0].no_wrap = True
    for name, found in (gallery.routes | gallery.baselines).items():
        if name in gallery.baselines and name == next(iter(gallery.baselines)):
            shown.add_section()
        errors = {"hit": found.first, "absent": found.absent}
        told = [f"{kind} {percent(each.error.value, 1)}" for kind, each in errors.items() if each is not None]
        rates = map(_ends, (*found.rank.values(), *found.open_set.values()))
        style = "dim" if name in gallery.baselines else "bold" if name == "fused" else "none"
        shown.add_row(escape(found.title), *rates, f"[not bold]{chr(10).join(told) or '–'}[/]", style=style)
    return shown


def _ends(rate: Interval) -> str:
    return f"{percent(rate.value, 1)}\n[not bold dim]\\[{100 * rate.low:.1f}, {100 * rate.high:.1f}][/]"


def _print_chances(page: Console, gallery: GalleryScore) -> None:
    """Print the reliability of the last route with chances, which is the fused one if it was measured."""
    told = [found for found in gallery.routes.values() if found.first is not None]
    if told and told[-1].first is not None:
        bins = [each for each in told[-1].first.steps if each.count]
        right = [f"{percent(each.chance)} right in {percent(each.share)} of {each.count:,.0f}" for each in bins]
        page.print(f"[dim]{escape(told[-1].title)}: first hits with a chance of {'; '.join(right)}[/dim]")


def _print_groups(page: Console, gallery: GalleryScore) -> None:
    """Print what the last route, the fused one if it was measured, found for each group of people."""
    found = list(gallery.routes.values())[-1]
    for column, groups in found.groups.items():
        numbers = ("sketches", "rank-1 ↑", "false alarms, 10 % of all ↓")
        shown = table(f"{escape(found.title)}, {escape(column)}", *numbers, numbers=numbers)
        for value, group in groups.items():
            shown.add_row(escape(value), f"{group.sketches:,}", _ends(group.first), _ends(group.alarms))
        page.print()
        page.print(shown)
