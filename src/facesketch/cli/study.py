"""`facesketch study`: the whole grid from one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from facesketch.cli.console import console, count, note, table
from facesketch.errors import require

if TYPE_CHECKING:
    from facesketch.study.study import Study


def study(
    data: Path,
    /,
    *,
    out: Path,
    preset: Literal["quick", "standard", "study"] = "quick",
    only: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    seeds: int = 1,
    metrics: str | None = None,
    quiet: bool = False,
) -> None:
    """Train and evaluate every family in both directions, and write the report.

    Cut it off anywhere and type the same again: it goes on with what is missing.

    Parameters
    ----------
    data
        The folder of pairs.
    out
        The study's folder.
    preset
        quick (minutes), standard (an hour or two without a GPU) or study (the study's own sizes and epochs).
    only
        Methods, directions or beginnings of cell names, such as `--only pix2pix conv-ae-mse`.
    seeds
        How often each cell is trained, each time from another seed.
    metrics
        Names with commas between, such as ssim,fsim,lpips-alex; without it, the preset's:
        quick leaves out those that need fetched weights.
    quiet
        Show no progress.
    """
    require("train", "a study")
    from facesketch.cli.evaluate import metric_names
    from facesketch.errors import ConfigError
    from facesketch.files import require_folder_name
    from facesketch.study.report.build import build_report
    from facesketch.study.study import Study

    require_folder_name(out)
    if seeds < 1:
        raise ConfigError(f"--seeds {seeds}: expected 1 or more")
    chosen = [part.strip() for each in only or [] for part in each.split(",") if part.strip()]
    if only and not chosen:
        raise ConfigError("--only names none", "give methods, directions or beginnings of cell names, or leave it out")
    grid = Study.begin(data, out, preset, only=chosen, seeds=seeds, metrics=metric_names(metrics) or ())
    if not quiet:
        _announce(grid)
    try:
        failures = _carry_out(grid, quiet=quiet)
    except KeyboardInterrupt:  # that of a training names a command which would leave the others out
        raise KeyboardInterrupt("stopped; to go on type the same again") from None
    report = build_report(out)
    if not quiet:
        note(f"sample sheet: {out / 'samples.png'}\nreport:       {report}")
    if failures:
        raise SystemExit(1)


def _announce(grid: Study) -> None:
    """Print what is missing and about how long it will take on this machine."""
    from facesketch.study.cost import study_costs
    from facesketch.training.progress import about

    costs = study_costs(grid)
    numbers = ("parameters", "steps", "memory", "time")
    shown = table("cell", *numbers, numbers=numbers)
    for name, cost in costs.items():
        memory = f"{cost.memory / 2**30:.1f} GiB"
        shown.add_row(name, f"{cost.parameters:,}", f"{cost.steps:,}", memory, about(cost.seconds))
    console(stderr=True).print(shown)
    done = sum(grid.done(cell) for cell in grid.cells)
    total = about(sum(cost.seconds for cost in costs.values())) if costs else "no time"
    note(f"{count(len(grid.cells), 'cell')}, {done} done, {len(costs)} to train: about {total} on this machine")


def _carry_out(grid: Study, *, quiet: bool) -> int:
    """Go through the cells, naming each; return how many failed."""
    from facesketch.study.study import carry_out

    failures = 0
    for number, (cell, why) in enumerate(carry_out(grid, quiet=quiet), start=1):
        failures += why is not None
        if not quiet:
            note(f"[{number}/{len(grid.cells)}] {cell.name}: {why or 'done'}")
    return failures
