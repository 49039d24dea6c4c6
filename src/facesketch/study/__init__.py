"""Train and compare the whole grid of methods from one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facesketch.study.grid import Cell
    from facesketch.study.study import Study

    Progress = Callable[[Study, Cell | None, str | None], None]


def run(
    data: str | Path,
    out: str | Path,
    *,
    preset: str = "quick",
    only: Sequence[str] = (),
    seeds: int | None = None,
    metrics: Sequence[str] | None = None,
    quiet: bool = False,
    progress: Progress | None = None,
) -> Study:
    """Train and evaluate every method but `portrait`, write the report and the figures, and return the study.

    If it is interrupted, call it again: it goes on with what is missing. A cell that fails does not stop the others;
    the study's `failure` and the report say why it failed.

    Examples:
        >>> import facesketch
        >>> study = facesketch.study.run("pairs", "study", only=["pencil"], metrics=["ssim"])
        >>> [cell.name for cell in study.cells if study.done(cell)]
        ['pencil']
        >>> (study.out / "report.html").exists()
        True

    Args:
        data: the folder of pairs.
        out: the study's folder.
        preset: `quick`, `standard` or `study`.
        only: run only these methods, directions or starts of cell names; all when empty.
        seeds: how often to train each cell, each time from another seed; None for the preset's number.
        metrics: what to measure; None for the metrics of an earlier call, or else the preset's.
        quiet: show no training progress.
        progress: called with the study and None before the first cell, and then with each cell and why it failed.

    Raises:
        ConfigError: an unknown preset, cell or metric, metrics that are all left out, or a folder that holds a study of
            other pictures, another preset or other metrics.
        DataError: no photo has a sketch, nobody is left to train or test on, or a test photo and its sketch differ in
            size.
        ImageError: a test picture cannot be read.
        OutputError: the folder cannot be written, or another process is writing into it.
    """
    from facesketch.errors import require

    require("train", "a study")
    from facesketch.files import require_folder_name
    from facesketch.study.report.build import build_report
    from facesketch.study.report.figures import build_figures
    from facesketch.study.study import Study, carry_out

    data, out = Path(data), Path(out)
    require_folder_name(out)
    study = Study.begin(data, out, preset, only=only, seeds=seeds, metrics=metrics or ())
    if progress is not None:
        progress(study, None, None)
    for cell, why in carry_out(study, quiet=quiet):
        if progress is not None:
            progress(study, cell, why)
    build_report(out)
    build_figures(out)
    return study
