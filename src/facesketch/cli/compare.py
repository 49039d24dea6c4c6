"""`facesketch compare`: which of several results is better, judged on the test people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from facesketch.cli.console import ARROWS, console, escape, print_json, table
from facesketch.errors import ConfigError, count

if TYPE_CHECKING:
    from rich.table import Table

    from facesketch.evaluation.results import Comparison


def compare(
    results: list[Path],
    /,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
) -> None:
    """Compare results on the same pictures, metric by metric and person by person.

    With up to four results, every two are compared. With more, the first is compared with each of the others.

    Args:
        results: Two or more files that `facesketch evaluate --out` wrote.
        json: Print one JSON object instead of tables.
        seed: The bootstrap's seed.
    """
    if len(results) < 2:
        hint = "expected two or more files that `facesketch evaluate --out` wrote"
        raise ConfigError(f"{len(results)} results", hint)
    import facesketch

    first, second, *others = results
    compared = facesketch.compare(first, second, *others, seed=seed)
    if json:
        _print_json(compared)
    else:
        _print_tables(compared)


def _print_json(compared: Sequence[Comparison]) -> None:
    comparisons = [
        {
            "first": each.first.name,
            "second": each.second.name,
            "metrics": {name: difference.model_dump() for name, difference in each.metrics.items()},
        }
        for each in compared
    ]
    first = compared[0].first
    print_json({"direction": first.direction, "stems_hash": first.stems_hash, "comparisons": comparisons})


def _print_tables(compared: Sequence[Comparison]) -> None:
    page, first = console(), compared[0].first
    pictures = f"{count(len(first.stems), 'picture')} of {count(len(set(first.subjects)), 'subject')}"
    page.print(f"{first.direction}, {first.split} split: {pictures}")
    page.print(f"[dim]sha256 of the stems {first.stems_hash}[/dim]", soft_wrap=True)
    for each in compared:
        names = f"[bold]{escape(each.first.name)}[/bold] against [bold]{escape(each.second.name)}[/bold]"
        page.print(f"\n{names}", soft_wrap=True)
        page.print(_table(each))
    page.print("\n[dim]difference: the first minus the second, with its 95 % bootstrap interval over subjects.[/dim]")
    page.print("[dim]Even between equal models, expect one comparison in twenty to name a winner.[/dim]")


def _table(compared: Comparison) -> Table:
    numbers = ("first", "second", "difference", "95 % interval")
    shown = table("", *numbers, "verdict", numbers=numbers)
    shown.columns[0].no_wrap = True
    for name, found in compared.metrics.items():
        measure = compared.first.metrics[name]
        verdict = f"[dim]{found.verdict}[/dim]"
        if found.verdict != "no difference shown":
            winner = compared.first if found.verdict == "first is better" else compared.second
            verdict = f"[bold]{escape(winner.name)}[/bold] is better by {abs(found.value):.3f}"
        shown.add_row(
            f"{escape(measure.title.partition(', ')[0])} {ARROWS[measure.better]}",
            f"{measure.value:.3f}",
            f"{compared.second.metrics[name].value:.3f}",
            f"{found.value:+.3f}",
            f"\\[{found.low:+.3f}, {found.high:+.3f}]",
            verdict,
        )
    return shown
