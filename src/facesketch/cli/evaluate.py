"""`facesketch evaluate`: every metric with its interval, beside what no model at all would measure."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from facesketch.config import Direction
from facesketch.errors import ConfigError, require

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress

    from facesketch.evaluation.results import Better, Results

_WIDTH = 100  # columns of the table where the output is not a terminal
_LEGEND = (
    "↑ higher is better, ↓ lower is better; \\[low, high] is the 95 % bootstrap interval over subjects (NLDA: over its "
    "random divisions); * marks a baseline that the model does not beat"
)
_ARROWS = {"higher": "↑", "lower": "↓"}


def evaluate(
    model: str | None = None,
    /,
    *,
    data: Path,
    direction: Direction | None = None,
    split: Literal["test", "validation", "train"] = "test",
    protocol: str | None = None,
    images: Path | None = None,
    metrics: str | None = None,
    out: Path | None = None,
    pictures: Path | None = None,
    name: str | None = None,
    seed: int = 0,
    weights: Literal["best", "last"] = "best",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    quiet: bool = False,
) -> None:
    """Measure a model on the test pairs, each with a 95 % interval and beside answers that take no model.

    Parameters
    ----------
    model
        A run folder, a model file, or `pencil`; leave it out with --images.
    data
        The folder of pairs; a photo and its sketch must have one size.
    direction
        Needed with --images, and for a model that serves both: photo2sketch or sketch2photo.
    split
        Which pairs to measure on.
    protocol
        What the split is called in print: cuhk, cufs, cufsf, fs2k or own. Other counts give a warning.
    images
        A folder of pictures made by any other program, named by the pairs' stems, to measure instead of a model.
    metrics
        Names with commas between, such as ssim,lpips-alex,rank; without it, every metric that applies.
    out
        A JSON file for the results; a CSV with one row per picture lands beside it.
    pictures
        A folder to keep the translated pictures in.
    name
        What to call the results; without it, the run folder's name.
    seed
        Of the bootstrap.
    weights
        Which of a run's weights: the best on its validation pairs, or the last.
    device
        Where to compute.
    quiet
        Show no progress.
    """
    _check(model, images, seed, data, pictures, out)
    settings: dict[str, Any] = {"split": split, "protocol": protocol, "seed": seed, "name": name}
    settings["metrics"] = metric_names(metrics)
    with Patience(quiet) as settings["progress"]:
        if images is not None:
            results = _of_images(images, data, direction, pictures, device, settings)
        else:
            results = _of_model(str(model), data, direction, pictures, weights, device, settings)
    _present(results, out)
    if split != "train" and not quiet:
        _warn_of_twins(data)


def _warn_of_twins(data: Path) -> None:
    """Say when pairs that are measured on were seen in training, under other names."""
    from rich.console import Console

    from facesketch.data.index import index
    from facesketch.data.split import split
    from facesketch.data.twins import twin_warnings

    for line in twin_warnings(split(index(data).pairs)):
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"warning: {line}", markup=False)


def _check(
    model: str | None, images: Path | None, seed: int, data: Path, pictures: Path | None, out: Path | None
) -> None:
    """Refuse what cannot go together before anything is loaded.

    Raises:
        ConfigError: neither or both of a model and pictures, a seed below 0, the table's name for the results, or a
            place to write that is one of the data's.
        MissingExtraError: there is no PyTorch to measure with.
        OutputError: the results' place is a folder.
    """
    if (model is None) == (images is None):
        seen = "neither a model nor pictures" if model is None else f"a model ({model}) and --images {images}"
        raise ConfigError(seen, "give a run folder, a model file or `pencil`, or else --images DIR")
    if seed < 0:
        raise ConfigError(f"seed = {seed}: expected at least 0", "give another --seed")
    if out is not None:
        from facesketch.files import require_name

        require_name(out)
        if out.suffix.lower() == ".csv":
            raise ConfigError(f"--out {out}: is the name of the table beside the results", "name it .json")
    if pictures is not None or out is not None:
        from facesketch.data.overwriting import forbid_overwriting

        files = [out, out.with_suffix(".csv")] if out is not None else []
        forbid_overwriting(data, files, pictures=pictures)
    if out is not None and out.suffix.lower() != ".json":
        raise ConfigError(f"--out {out}: expected a file's name that ends in .json, such as {out.with_suffix('.json')}")
    require("train", "measuring a model")


def metric_names(metrics: str | None) -> list[str] | None:
    """Return the names that `--metrics` lists; None where it was left out.

    Raises:
        ConfigError: it names none.
    """
    if metrics is None:
        return None
    names = [part.strip() for part in metrics.split(",") if part.strip()]
    if not names:
        raise ConfigError("--metrics names none", "give some with commas between, or leave it out for all")
    return names


def _of_model(
    model: str,
    data: Path,
    direction: Direction | None,
    pictures: Path | None,
    weights: Literal["best", "last"],
    device: str,
    settings: dict[str, Any],
) -> Results:
    from facesketch.devices import pick_device
    from facesketch.evaluation.evaluate import evaluate_model
    from facesketch.inference.translator import load

    translator = load(model, weights=weights, device=device)
    settings["device"] = pick_device(device)
    return evaluate_model(translator, data, direction=direction, weights=weights, pictures=pictures, **settings)


def _of_images(
    images: Path,
    data: Path,
    direction: Direction | None,
    pictures: Path | None,
    device: str,
    settings: dict[str, Any],
) -> Results:
    if direction is None:
        raise ConfigError("--images needs --direction photo2sketch or sketch2photo: which way were they translated?")
    if pictures is not None:
        raise ConfigError("--pictures keeps what a model translates", "leave it out with --images")
    from facesketch.devices import pick_device
    from facesketch.evaluation.evaluate import evaluate_images

    return evaluate_images(images, data, direction=direction, device=pick_device(device), **settings)


def _present(results: Results, out: Path | None) -> None:
    """Save the results where that is wanted, and print them."""
    from rich.console import Console

    if out is not None:
        results.save(out)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    _print_head(console, results)
    console.print(_table(results))
    console.print()
    _print_notes(console, results, out)


def _print_head(console: Console, results: Results) -> None:
    people = len(set(results.subjects))
    pictures = f"{_count(len(results.stems), 'picture')} of {_count(people, 'subject')}"
    console.print(f"[bold]{_plain(results.name)}[/bold]  {results.direction}", soft_wrap=True)
    console.print(f"protocol {results.protocol}, {results.split} split: {pictures}")
    console.print(f"[dim]sha256 of the stems {results.stems_hash}[/dim]", soft_wrap=True)
    for line in results.warnings:
        console.print(f"[yellow]warning: {_plain(line)}[/yellow]", soft_wrap=True)


def _table(results: Results) -> RenderableType:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    table.add_column("", no_wrap=True)
    table.add_column(_plain(_short(results.name)), justify="right", header_style="bold")
    for baseline in results.baselines.values():
        table.add_column(baseline.title.replace(" ", "\n", 1), justify="right", header_style="none")
    for name, measure in results.metrics.items():
        baselines = [baseline.metrics.get(name) for baseline in results.baselines.values()]
        ends = [(each.value, each.low, each.high) if each else None for each in (measure, *baselines)]
        table.add_row(*_row(measure.title, measure.better, ends))
    table.add_section()
    for name, item in results.sets.items():
        others = [baseline.sets.get(name) for baseline in results.baselines.values()]
        ends = [(each.value, each.low, each.high) if each else None for each in (item, *others)]
        table.add_row(*_row(item.title, item.better, ends))
    return table


def _row(title: str, better: Better, ends: list[tuple[float, float, float] | None]) -> list[str]:
    """Return the cells of a metric: its title, the arrow, the model and the baselines that it has to beat."""
    head, _, note = _plain(title).partition(", ")
    digits = _digits([each for trio in ends if trio for each in trio])
    first = ends[0]
    cells = [f"{head} {_ARROWS[better]}" + (f"\n[dim]{note}[/dim]" if note else "")]
    for place, trio in enumerate(ends):
        if trio is None or first is None:
            cells.append("[dim]–[/dim]")
            continue
        value, low, high = (f"{each:.{digits}f}" for each in trio)
        beaten = first[0] > trio[0] if better == "higher" else first[0] < trio[0]
        style = "bold" if place == 0 else "none" if beaten else "yellow"
        cells.append(f"[{style}]{value}{'' if place == 0 or beaten else '*'}[/{style}]\n[dim]\\[{low}, {high}][/dim]")
    return cells


def _digits(values: list[float]) -> int:
    """Return how many decimals to show: fewer for large numbers."""
    largest = max(abs(value) for value in values)
    return 3 if largest < 2 else 2 if largest < 10 else 1


def _print_notes(console: Console, results: Results, out: Path | None) -> None:
    console.print(f"[dim]{_LEGEND}[/dim]")
    reasons: dict[str, list[str]] = {}
    for what, why in results.left_out.items():
        reasons.setdefault(why, []).append(what)
    for why, names in reasons.items():
        console.print(f"left out: [bold]{_plain(', '.join(names))}[/bold]", soft_wrap=True)
        console.print(f"  {_plain(why)}", soft_wrap=True)
    if out is not None:
        console.print(f"written: {_plain(str(out))} and {_plain(out.with_suffix('.csv').name)}", soft_wrap=True)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


class Patience:
    """A bar on a terminal's standard error that appears once work has taken two seconds.

    Args:
        quiet: never show it.
    """

    seconds = 2.0

    def __init__(self, quiet: bool = False) -> None:
        self._quiet, self._start = quiet, time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Patience:
        """Start the clock."""
        self._start = time.monotonic()
        return self

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show how far it is and what comes now."""
        if self._bar is None and not self._quiet and time.monotonic() - self._start >= self.seconds:
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(what, total=total)
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, description=what)

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
