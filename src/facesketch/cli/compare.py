"""`facesketch compare`: which of several results is better, as far as the test people can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from facesketch.cli.console import ARROWS, console, count, escape, print_json, table
from facesketch.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from facesketch.evaluation.results import Difference, Results

_ALL_PAIRS = 4  # up to this many results, each is compared with each


def compare(
    results: list[Path],
    /,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
) -> None:
    """Compare results on the same pictures, metric by metric and person by person.

    Each of up to four results is compared with each; of more, the first with each of the others.

    Parameters
    ----------
    results
        Two or more files that `facesketch evaluate --out` wrote.
    json
        Print one JSON object instead of tables.
    seed
        Of the bootstrap.
    """
    if len(results) < 2:
        raise ConfigError(
            f"{len(results)} results", "expected two or more files that `facesketch evaluate --out` wrote"
        )
    if seed < 0:
        raise ConfigError(f"seed = {seed}: expected at least 0", "give another --seed")
    from facesketch.evaluation.results import Results, require_same_pictures

    loaded = [Results.load(path) for path in results]
    for other in loaded[1:]:
        require_same_pictures(loaded[0], other)
    names = _names(loaded, results)
    compared = [_compare(loaded, one, other, seed) for one, other in _pairs(len(loaded))]
    if json:
        _print_json(loaded[0], names, compared)
    else:
        _print_tables(loaded, names, compared)


_Compared = tuple[int, int, dict[str, "Difference"]]


def _pairs(count: int) -> list[tuple[int, int]]:
    return [(one, other) for one, other in combinations(range(count), 2) if count <= _ALL_PAIRS or one == 0]


def _names(loaded: Sequence[Results], paths: Sequence[Path]) -> list[str]:
    """Return the results' own names, or their paths where two have the same."""
    often = Counter(each.name for each in loaded)
    return [each.name if often[each.name] == 1 else str(path) for each, path in zip(loaded, paths, strict=True)]


def _compare(loaded: Sequence[Results], one: int, other: int, seed: int) -> _Compared:
    from facesketch.evaluation.results import paired_difference

    first, second = loaded[one], loaded[other]
    shared = [name for name in first.metrics if name in second.metrics]
    if not shared:
        raise ConfigError(
            f"{first.name} and {second.name} have no metric in common", "evaluate both with the same ones"
        )
    return one, other, {name: paired_difference(first, second, name, seed=seed) for name in shared}


def _print_json(first: Results, names: Sequence[str], compared: Sequence[_Compared]) -> None:
    comparisons = [
        {
            "first": names[one],
            "second": names[other],
            "metrics": {name: each.model_dump() for name, each in differences.items()},
        }
        for one, other, differences in compared
    ]
    value = {"direction": first.direction, "stems_hash": first.stems_hash, "comparisons": comparisons}
    print_json(value)


def _print_tables(loaded: Sequence[Results], names: Sequence[str], compared: Sequence[_Compared]) -> None:
    page, first = console(), loaded[0]
    pictures = f"{count(len(first.stems), 'picture')} of {count(len(set(first.subjects)), 'subject')}"
    page.print(f"{first.direction}, {first.split} split: {pictures}")
    page.print(f"[dim]sha256 of the stems {first.stems_hash}[/dim]", soft_wrap=True)
    for one, other, differences in compared:
        page.print(f"\n[bold]{escape(names[one])}[/bold] against [bold]{escape(names[other])}[/bold]", soft_wrap=True)
        page.print(_table(loaded[one], loaded[other], (names[one], names[other]), differences))
    page.print("\n[dim]difference: the first minus the second, with its 95 % bootstrap interval over subjects.[/dim]")
    page.print("[dim]Of twenty comparisons of equal models, expect one to name a winner.[/dim]")


def _table(first: Results, second: Results, names: tuple[str, str], differences: dict[str, Difference]) -> Table:
    numbers = ("first", "second", "difference", "95 % interval")
    shown = table("", *numbers, "verdict", numbers=numbers)
    shown.columns[0].no_wrap = True
    for name, found in differences.items():
        measure = first.metrics[name]
        verdict = f"[dim]{found.verdict}[/dim]"
        if found.verdict != "no difference shown":
            winner = names[0] if found.verdict == "first is better" else names[1]
            verdict = f"[bold]{escape(winner)}[/bold] is better by {abs(found.value):.3f}"
        shown.add_row(
            f"{escape(measure.title.partition(', ')[0])} {ARROWS[measure.better]}",
            f"{measure.value:.3f}",
            f"{second.metrics[name].value:.3f}",
            f"{found.value:+.3f}",
            f"\\[{found.low:+.3f}, {found.high:+.3f}]",
            verdict,
        )
    return shown
