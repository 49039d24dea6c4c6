"""`facesketch evaluate`: every metric with its interval, beside baselines without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from facesketch.cli.console import ARROWS, Bar, Device, Quiet, Weights, comma_list, console, escape, table
from facesketch.config import Direction
from facesketch.errors import count

if TYPE_CHECKING:
    from rich.table import Table

    from facesketch.evaluation.results import Measure, Results
    from facesketch.metrics.bootstrap import Interval

_LEGEND = (
    "↑ higher is better, ↓ lower is better; \\[low, high] is the 95 % bootstrap interval over subjects (NLDA: over its "
    "random divisions); * marks a baseline that the model does not beat"
)


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
    weights: Weights = "best",
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Measure a model on the test pairs: every metric with its 95 % interval, beside baselines without a model.

    Args:
        model: A run folder, a model file, or `pencil`; leave it out with --images.
        data: The folder of pairs; a photo and its sketch must be of the same size.
        direction: photo2sketch or sketch2photo; needed with --images, and for a model that serves both.
        split: Which pairs to measure on.
        protocol: The split's name in papers: cuhk, cufs, cufsf, fs2k or own. You get a warning if the counts differ.
        images: A folder of pictures to measure instead of a model. Any program may have made them; their names are the
            stems of the pairs.
        metrics: Metrics separated by commas, such as ssim,lpips-alex,rank; by default every metric that applies.
        out: A JSON file for the results; a CSV file with one row per picture is written beside it.
        pictures: A folder to keep the translated pictures in.
        name: What to call the results; by default the run folder's name.
        seed: The bootstrap's seed.
    """
    import facesketch

    with Bar(quiet=quiet) as progress:
        results = facesketch.evaluate(
            model,
            data,
            direction=direction,
            split=split,
            protocol=protocol,
            images=images,
            metrics=comma_list("--metrics", metrics) if metrics is not None else None,
            out=out,
            pictures=pictures,
            name=name,
            seed=seed,
            weights=weights,
            device=device,
            progress=progress,
        )
    _print(results, out)


def _print(results: Results, out: Path | None) -> None:
    page = console()
    pictures = f"{count(len(results.stems), 'picture')} of {count(len(set(results.subjects)), 'subject')}"
    page.print(f"[bold]{escape(results.name)}[/bold]  {results.direction}", soft_wrap=True)
    page.print(f"protocol {results.protocol}, {results.split} split: {pictures}")
    page.print(f"[dim]sha256 of the stems {results.stems_hash}[/dim]", soft_wrap=True)
    for line in results.warnings:
        page.print(f"[yellow]warning: {escape(line)}[/yellow]", soft_wrap=True)
    page.print(_table(results))
    page.print(f"\n[dim]{_LEGEND}[/dim]")
    reasons: dict[str, list[str]] = {}
    for what, why in results.left_out.items():
        reasons.setdefault(why, []).append(what)
    for why, names in reasons.items():
        page.print(f"left out: [bold]{escape(', '.join(names))}[/bold]\n  {escape(why)}", soft_wrap=True)
    if out is not None:
        page.print(f"written: {escape(out)} and {escape(out.with_suffix('.csv').name)}", soft_wrap=True)


def _table(results: Results) -> Table:
    shown = table("", collapse_padding=True)
    shown.columns[0].no_wrap = True
    name = results.name if len(results.name) <= 16 else f"{results.name[:15]}…"
    shown.add_column(escape(name), justify="right", header_style="bold")
    for baseline in results.baselines.values():
        shown.add_column(baseline.title.replace(" ", "\n", 1), justify="right", header_style="none")
    for name, measure in results.metrics.items():
        shown.add_row(*_row(measure, [baseline.metrics.get(name) for baseline in results.baselines.values()]))
    shown.add_section()
    for name, whole in results.sets.items():
        shown.add_row(*_row(whole, [baseline.sets.get(name) for baseline in results.baselines.values()]))
    return shown


def _row(measure: Measure, baselines: Sequence[Interval | None]) -> list[str]:
    """Return the cells of a metric: its title with an arrow, the model, and the baselines that it has to beat."""
    head, _, rest = escape(measure.title).partition(", ")
    shown = [measure, *baselines]
    largest = max(abs(end) for each in shown if each for end in (each.value, each.low, each.high))
    digits = 3 if largest < 2 else 2 if largest < 10 else 1
    cells = [f"{head} {ARROWS[measure.better]}" + (f"\n[dim]{rest}[/dim]" if rest else "")]
    for each in shown:
        if each is None:
            cells.append("[dim]–[/dim]")
            continue
        ahead = measure.value - each.value if measure.better == "higher" else each.value - measure.value
        style, mark = ("bold", "") if each is measure else ("none", "") if ahead > 0 else ("yellow", "*")
        value, low, high = (f"{end:.{digits}f}" for end in (each.value, each.low, each.high))
        cells.append(f"[{style}]{value}{mark}[/{style}]\n[dim]\\[{low}, {high}][/dim]")
    return cells
