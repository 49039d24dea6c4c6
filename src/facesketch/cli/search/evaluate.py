"""`facesketch search evaluate`: how often search finds the right person, by every route, with intervals."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from facesketch.errors import ConfigError, require
from facesketch.files import require_folder_name

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID

    from facesketch.metrics.bootstrap import Interval
    from facesketch.search.embedding.describer import Describer
    from facesketch.search.evaluation.results import Chances, GalleryScore, RouteScore, SearchResults

Embedder = str
"""`learned`, `lite`, `sface`, `hog`, or a file that `search fit` wrote."""
Route = Literal["direct", "to-photo", "to-sketch", "fused"]

_WIDTH = 120  # columns where the output is not a terminal
_LEGEND = (
    "\\[low, high]: 95 % bootstrap interval over people; it has no width where everybody or nobody is found, however "
    "few they are. DIR: share of the people in the gallery who are found first and above a bar, set so that at most "
    "1 % or 10 % of the searches for somebody who is not in it alarm; measured with a half of the people left out. "
    "Chance error: how far told chances lie from the truth on average, of the first hit and of nobody being right."
)


def evaluate(
    *,
    data: Path,
    distractors: str | None = None,
    embedder: Embedder | None = None,
    split: Literal["test", "train", "all"] = "test",
    protocol: str | None = None,
    routes: Annotated[list[Route] | None, Parameter(consume_multiple=True, negative=())] = None,
    group_by: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    photo2sketch: str | None = None,
    sketch2photo: str | None = None,
    out: Path | None = None,
    seed: int = 0,
    quiet: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Search for the photo of every sketch of a data set, and say how often and how surely it is found.

    Parameters
    ----------
    data
        The folder of pairs: the sketches are the probes, the photos the gallery.
    distractors
        Photos of others to hide the right ones among: a folder, or `synthetic:10000` for so many drawn faces.
    embedder
        What compares faces: learned, lite, sface, hog or a file; the best that is at hand when left out.
    split
        Which pairs: the test people, the training people or all.
    protocol
        What the split is called in print: cuhk, cufs, cufsf, fs2k or own. Other counts give a warning.
    routes
        Which ways to compare; all when left out.
    group_by
        Columns of the data's pairs.csv, such as gender: how often the people of each group are found, and mistaken.
    photo2sketch
        A run folder or model file that makes the photos sketches; the package's own when left out.
    sketch2photo
        The same for the sketches, which it makes photos.
    out
        NAME.json for the results, with the figure NAME.png beside it, or a folder for `search.json` and `search.png`;
        in a study's folder `search/`, its report shows them.
    seed
        Of the bootstrap, of who is left out, and of drawn faces.
    quiet
        Show no progress.
    """
    if seed < 0:
        raise ConfigError(f"seed = {seed}: expected at least 0", "give another --seed")
    if out is not None and out.suffix.lower() != ".json":
        require_folder_name(out)
    require("train", "measuring search")
    if out is not None:
        from facesketch.data.overwriting import forbid_overwriting
        from facesketch.search.evaluation.results import file_of

        forbid_overwriting(data, [file_of(out), file_of(out).with_suffix(".png")])
    with Stages(quiet) as progress:
        results = _evaluate(
            Question(data, split, protocol, routes, distractors, tuple(group_by or ()), seed),
            lambda: _describer(embedder, photo2sketch, sketch2photo),
            progress,
        )
    if out is not None:
        _save(results, out)
    _present(results, out)


@dataclass(frozen=True)
class Question:
    """What shall be measured on what."""

    data: Path
    split: Literal["test", "train", "all"]
    protocol: str | None
    routes: list[Route] | None
    distractors: str | None
    group_by: tuple[str, ...]
    seed: int


def _evaluate(asked: Question, load: Callable[[], Describer], progress: Stages) -> SearchResults:
    """Refuse what cannot be measured before a model is loaded, then measure."""
    from facesketch.search.embedding.describer import ROUTES
    from facesketch.search.evaluation.distractors import distractors
    from facesketch.search.evaluation.evaluate import evaluate_search, read_task

    task = read_task(asked.data, asked.split, asked.protocol)
    task.groups(asked.group_by)
    others = None
    if asked.distractors is not None:
        others = distractors(asked.distractors, besides=[pair.photo.path for pair in task.pairs], seed=asked.seed)
    return evaluate_search(
        load(),
        task,
        routes=[route for route in ROUTES if asked.routes is None or route in asked.routes],
        distractors=others,
        group_by=asked.group_by,
        seed=asked.seed,
        progress=progress,
    )


def _save(results: SearchResults, out: Path) -> None:
    from facesketch.search.evaluation.plot import save_figure

    save_figure(results, results.save(out).with_suffix(".png"))


def _describer(embedder: Embedder | None, photo2sketch: str | None, sketch2photo: str | None) -> Describer:
    from facesketch.search.embedding.describer import describer

    return describer(embedder, photo2sketch=photo2sketch, sketch2photo=sketch2photo)


def _present(results: SearchResults, out: Path | None) -> None:
    from rich.console import Console

    from facesketch.search.answer import LEAD
    from facesketch.search.evaluation.results import file_of

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    _print_head(console, results)
    for gallery in results.galleries.values():
        console.print()
        console.print(f"[bold]{_plain(gallery.title)}[/bold]; guessing finds {_percent(gallery.chance['1'], 2)} first")
        console.print(_table(gallery))
        _print_chances(console, gallery)
        _print_groups(console, gallery)
    console.print(f"\n[dim]{_LEGEND}[/dim]")
    for what, why in results.left_out.items():
        console.print(f"left out: [bold]{_plain(what)}[/bold]: {_plain(why)}", soft_wrap=True)
    console.print(f"[yellow]{_plain(LEAD)}[/yellow]", soft_wrap=True)
    if out is not None:
        path = file_of(out)
        console.print(f"written: {_plain(str(path))} and {_plain(path.with_suffix('.png').name)}", soft_wrap=True)


def _print_head(console: Console, results: SearchResults) -> None:
    people = f"{len(results.stems):,} sketches of {len(set(results.subjects)):,} people"
    console.print(f"[bold]search[/bold] by sketch, embedder {results.embedder}", soft_wrap=True)
    console.print(f"protocol {results.protocol}, {results.split} split: {people}")
    console.print(f"[dim]sha256 of the stems {results.stems_hash}[/dim]", soft_wrap=True)
    console.print(f"[dim]described by {_plain(results.fingerprint)}[/dim]", soft_wrap=True)
    for line in (results.notice, *results.warnings):
        if line:
            console.print(f"[yellow]warning: {_plain(line)}[/yellow]", soft_wrap=True)


def _table(gallery: GalleryScore) -> RenderableType:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    table.add_column("route", no_wrap=True)
    for column in ("rank-1 ↑", "rank-5 ↑", "rank-10 ↑", "DIR at 1 % ↑", "DIR at 10 % ↑", "chance error ↓"):
        table.add_column(column.replace(" at ", "\nat ").replace(" error", "\nerror"), justify="right", no_wrap=True)
    for name, found in gallery.routes.items():
        table.add_row(*_cells(found), style="bold" if name == "fused" else "none")
    table.add_section()
    for found in gallery.baselines.values():
        table.add_row(*_cells(found), style="dim")
    return table


def _cells(found: RouteScore) -> list[str]:
    rates = [*found.rank.values(), *found.open_set.values()]
    kinds = {"hit": found.first, "absent": found.absent}
    errors = [f"{kind} {_percent(each.error.value, 1)}" for kind, each in kinds.items() if each is not None]
    told = "[not bold]" + "\n".join(errors) + "[/]" if errors else "–"
    return [_plain(found.title), *map(_ends, rates), told]


def _ends(rate: Interval) -> str:
    return f"{_percent(rate.value, 1)}\n[not bold dim]\\[{100 * rate.low:.1f}, {100 * rate.high:.1f}][/]"


def _print_chances(console: Console, gallery: GalleryScore) -> None:
    """Print the reliability of the last route that tells chances, which is the fused one where it was measured."""
    told = [found for found in gallery.routes.values() if found.first is not None]
    if told and told[-1].first is not None:
        console.print(f"[dim]{_plain(told[-1].title)}: {_reliability(told[-1].first)}[/dim]")


def _print_groups(console: Console, gallery: GalleryScore) -> None:
    """Print what the last route, the fused one where it was measured, found for each group of people."""
    from rich import box
    from rich.table import Table

    found = list(gallery.routes.values())[-1]
    for column, groups in found.groups.items():
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column(f"{_plain(found.title)}, {_plain(column)}", no_wrap=True)
        for name in ("sketches", "rank-1 ↑", "false alarms, 10 % of all ↓"):
            table.add_column(name, justify="right", no_wrap=True)
        for value, group in groups.items():
            table.add_row(_plain(value), f"{group.sketches:,}", _ends(group.first), _ends(group.alarms))
        console.print()
        console.print(table)


def _reliability(chances: Chances) -> str:
    """Return the reliability table in a sentence."""
    told = [step for step in chances.steps if step.count]
    steps = [f"{_percent(step.chance)} right in {_percent(step.share)} of {step.count:,.0f}" for step in told]
    return f"first hits told with a chance of {'; '.join(steps)}"


def _percent(rate: float, digits: int = 0) -> str:
    return f"{100 * rate:.{digits}f} %"


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


class Stages:
    """A bar on a terminal's standard error for each stage of the work, with the time that is left of it.

    Args:
        quiet: never show it.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet or not sys.stderr.isatty()
        self._what = ""
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Stages:
        """Show nothing yet."""
        return self

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show how far a stage is; another name begins another stage, whose time is told anew."""
        if self._quiet:
            return
        if self._bar is None:
            self._bar = _bar()
            self._bar.start()
        if what != self._what or self._task is None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._what, self._task = what, self._bar.add_task(what, total=total)
        self._bar.update(self._task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    text = TextColumn("{task.description}")
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
