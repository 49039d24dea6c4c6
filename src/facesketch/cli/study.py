"""`facesketch study`: the whole grid from one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from facesketch.cli.console import Quiet, comma_list, console, note, table
from facesketch.errors import count

if TYPE_CHECKING:
    from facesketch.study.grid import Cell
    from facesketch.study.study import Study


def study(
    data: Path,
    /,
    *,
    out: Path,
    preset: Literal["quick", "standard", "study"] = "quick",
    only: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    seeds: int | None = None,
    metrics: str | None = None,
    quiet: Quiet = False,
) -> None:
    """Train and evaluate every method but `portrait`, and write the report.

    You can stop it at any time: type the same command again, and it goes on with what is missing.

    Args:
        data: The folder of pairs.
        out: The study's folder.
        preset: quick (minutes), standard (an hour or two without a GPU) or study (the study's own sizes and epochs).
        only: Run only these methods, directions or starts of cell names, such as `--only pix2pix conv-ae-mse`.
        seeds: Number of seeds to train each cell from; by default the preset's number.
        metrics: Metrics separated by commas, such as ssim,fsim,lpips-alex; by default the preset's. `quick` leaves out
            metrics that need fetched weights.
    """
    chosen = comma_list("--only", *(only or ()))
    import facesketch

    try:
        grid = facesketch.study.run(
            data,
            out,
            preset=preset,
            only=chosen,
            seeds=seeds,
            metrics=comma_list("--metrics", metrics) if metrics is not None else None,
            quiet=quiet,
            progress=None if quiet else _tell,
        )
    except KeyboardInterrupt:  # that of a training names a command which would leave the others out
        raise KeyboardInterrupt("stopped; to go on, type the same command again") from None
    if not quiet:
        for what, name in (("sample sheet", "samples.png"), ("report", "report.html"), ("figures", "figures.html")):
            note(f"{what + ':':14}{out / name}")
    if any(grid.failure(cell) for cell in grid.cells):
        raise SystemExit(1)


def _tell(grid: Study, cell: Cell | None, why: str | None) -> None:
    """Print each cell that is done or has failed; first of all what is missing, and about how long that will take."""
    if cell is not None:
        note(f"[{grid.cells.index(cell) + 1}/{len(grid.cells)}] {cell.name}: {why or 'done'}")
        return
    from facesketch.study.study import study_costs
    from facesketch.training.progress import duration

    costs = study_costs(grid)
    numbers = ("parameters", "steps", "memory", "time")
    shown = table("cell", *numbers, numbers=numbers)
    for name, cost in costs.items():
        memory = f"{cost.memory / 2**30:.1f} GiB"
        shown.add_row(name, f"{cost.parameters:,}", f"{cost.steps:,}", memory, duration(cost.seconds))
    console(stderr=True).print(shown)
    done = sum(grid.done(cell) for cell in grid.cells)
    total = duration(sum(cost.seconds for cost in costs.values())) if costs else "no time"
    note(f"{count(len(grid.cells), 'cell')}, {done} done, {len(costs)} to train: about {total} on this machine")
