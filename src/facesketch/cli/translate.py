"""`facesketch translate`: pictures in, pictures out."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from facesketch.config import Direction
from facesketch.errors import ConfigError, FacesketchError, ImageError, nearest

if TYPE_CHECKING:
    from facesketch.bulk import Job


def translate(
    paths: Annotated[list[Path], Parameter(allow_leading_hyphen=True, negative=())],
    /,
    *,
    model: str,
    out: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    direction: Direction | None = None,
    weights: Literal["best", "last"] = "best",
    resolution: Literal["trained", "native"] = "trained",
    suffix: str = ".png",
    overwrite: bool = False,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    quiet: bool = False,
) -> None:
    """Translate photos into sketches, or sketches into photos.

    Parameters
    ----------
    paths
        Pictures and folders; `-` reads one picture from standard input.
    model
        A run folder, a model file, or `pencil`, which needs no training.
    out
        A file for one picture, a folder for several, `-` for standard output.
    direction
        Needed only for a model that serves both: photo2sketch or sketch2photo.
    weights
        Which of a run's weights: the best on its validation pairs, or the last.
    resolution
        `trained` works at the size of training, `native` at the picture's own.
    suffix
        Kind of picture to write into a folder.
    overwrite
        Do done ones again; inputs are never overwritten.
    device
        Where to compute.
    quiet
        Show no progress.
    """
    _no_options(paths)
    if Path("-") in paths or out == Path("-"):
        _through_pipes(paths, model, out, direction, weights, resolution, device)
        return
    from facesketch import bulk
    from facesketch.translate import load

    jobs = bulk.plan(paths, out, suffix=suffix, overwrite=overwrite)
    translator = load(model, weights=weights, device=device)
    translator.choose(direction)
    failed = _show(jobs, bulk.run(jobs, translator, direction, resolution), quiet)
    if failed and failed == len(jobs):
        raise ImageError("nothing was translated: none of the pictures could be read")
    if failed:
        raise SystemExit(1)


def _no_options(paths: Sequence[Path]) -> None:
    """Refuse a misspelt option, which the list of paths would take for a path.

    Raises:
        ConfigError: a path begins like an option and is not there; the nearest option is suggested.
    """
    known = [f"--{name}" for name in inspect.signature(translate).parameters if name != "paths"]
    for path in paths:
        if str(path).startswith("--") and not path.exists():
            raise ConfigError(f"unknown option {path}{nearest(str(path), known)}")


def _show(jobs: Sequence[Job], results: Iterable[tuple[Job, FacesketchError | None]], quiet: bool) -> int:
    """Print progress and one line per bad picture; return how many were bad.

    Raises:
        FacesketchError: the only picture asked for was bad.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    failed = 0
    hidden = quiet or len(jobs) == 1 or not console.is_terminal
    with Progress(console=console, disable=hidden, transient=True) as progress:
        for _, error in progress.track(results, total=len(jobs), description="translating"):
            if error is not None and len(jobs) == 1:
                raise error
            if error is not None:
                failed += 1
                console.print(f"left out: {error}", markup=False)
    skipped = sum(job.done for job in jobs)
    if not quiet:
        there = f", {skipped} were there already" if skipped else ""
        console.print(f"{len(jobs) - skipped - failed} translated{there}{f', {failed} left out' if failed else ''}")
    return failed


def _through_pipes(
    paths: list[Path],
    model: str,
    out: Path,
    direction: Direction | None,
    weights: Literal["best", "last"],
    resolution: Literal["trained", "native"],
    device: str,
) -> None:
    """Translate one picture from or to a pipe."""
    if len(paths) != 1:
        raise ConfigError(
            f"'-' stands for one picture, but {len(paths)} inputs were given; give one, or a folder with --out"
        )
    from facesketch.images import open_image, save_image
    from facesketch.translate import load, png

    picture = open_image(sys.stdin.buffer.read() if paths[0] == Path("-") else paths[0])
    result = load(model, weights=weights, device=device).translate([picture], direction, resolution=resolution)[0]
    if out == Path("-"):
        sys.stdout.buffer.write(png(result))
    else:
        save_image(result, out)
