"""`facesketch translate`: pictures in, pictures out."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from facesketch.cli.console import read_pipe, say_passed_over
from facesketch.config import Direction
from facesketch.errors import ConfigError, FacesketchError, ImageError, nearest

if TYPE_CHECKING:
    from facesketch.faces.turns import Turn
    from facesketch.inference.folders import Job
    from facesketch.inference.portraits import Request, Which

_Outcomes = Generator[tuple["Job", FacesketchError | None]]


@dataclass(frozen=True)
class ModelOptions:
    """Which model, and how it is used."""

    model: str | None = None
    """A run folder, a model file, or `pencil`, which needs no training; the package's own when left out."""
    weights: Literal["best", "last"] = "best"
    """Which of a run's weights: the best on its validation pairs, or the last."""
    direction: Direction | None = None
    """When left out, each picture tells whether it is a photo or a sketch, for models that serve both."""
    style: str | None = None
    """One of the model's hands; its first when left out."""
    resolution: Literal["trained", "native"] = "trained"
    """`trained` works at the size of training, `native` at the picture's own."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute."""
    backend: Literal["auto", "torch", "onnx", "openvino", "openvino-bf16"] = "auto"
    """What runs the network: PyTorch for runs, ONNX Runtime or OpenVINO for `.onnx` files."""


@dataclass(frozen=True)
class FaceOptions:
    """Which faces, for models that were trained on aligned ones."""

    faces: str | None = None
    """`largest` (when left out), `all`, written as NAME-1, NAME-2 and so on, or a number, 1 for the largest."""
    align: bool = True
    """`--no-align` takes each picture as it is, without looking for a face."""


def translate(
    paths: Annotated[list[Path], Parameter(allow_leading_hyphen=True, negative=())],
    /,
    *,
    out: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    sheet: Annotated[bool, Parameter(negative=())] = False,
    suffix: str = ".png",
    overwrite: bool = False,
    engine: Literal["local", "ray"] = "local",
    quiet: bool = False,
    model: Annotated[ModelOptions | None, Parameter(name="*", group="Model")] = None,
    faces: Annotated[FaceOptions | None, Parameter(name="*", group="Faces")] = None,
) -> None:
    """Translate photos into sketches, or sketches into photos.

    Without a model, those that come with the package draw the faces they find, each in a frame of its own.

    Parameters
    ----------
    paths
        Pictures and folders; `-` reads one picture from standard input.
    out
        A file for one picture, which is replaced if it is there; a folder for several; `-` for standard output.
    sheet
        Write input and output side by side too, as NAME-sheet beside NAME.
    suffix
        Kind of picture to write into a folder.
    overwrite
        Do those again that are in the folder already; inputs are never overwritten.
    engine
        `ray` spreads the pictures over a Ray cluster that sees the same paths.
    quiet
        Show no progress.
    """
    _no_options(paths)
    request = _request(model or ModelOptions(), faces or FaceOptions())
    if Path("-") in paths or out == Path("-"):
        _through_pipes(paths, out, request, sheet, quiet)
        return
    from facesketch.inference import folders as bulk

    passed: list[tuple[Path, str]] = []
    every = request.faces == "all"
    jobs = bulk.plan(paths, out, suffix=suffix, overwrite=overwrite, numbered=every, sheet=sheet, passed_over=passed)
    turned, results = _start(jobs, request, sheet, engine)
    with closing(results):
        failed = _show(jobs, results, turned, quiet)
    if not quiet:
        say_passed_over(passed)
    if failed and failed == len(jobs):
        raise ImageError("nothing was translated: every picture was left out")
    if failed:
        raise SystemExit(1)


def _no_options(paths: Sequence[Path]) -> None:
    """Refuse a misspelt option, which the list of paths would take for a path.

    Raises:
        ConfigError: a path begins like an option and is not there; the nearest option is suggested.
    """
    names = [
        *inspect.signature(translate).parameters,
        *(each.name for kind in (ModelOptions, FaceOptions) for each in fields(kind)),
    ]
    for path in paths:
        if str(path).startswith(("http:/", "https:/")) and not path.exists():
            raise ConfigError("that is an address, and nothing is fetched", "save the picture and give its path")
    known = [f"--{name}" for name in (*names, "no-align") if name != "paths"]
    for path in paths:
        if str(path).startswith("--") and not path.exists():
            raise ConfigError(f"unknown option {path}", nearest(str(path), known))


def _request(model: ModelOptions, faces: FaceOptions) -> Request:
    from facesketch.inference.portraits import Request

    return Request(**asdict(model), faces=_which(faces.faces), align=faces.align)


def _which(faces: str | None) -> Which | None:
    if faces is None or faces == "largest":
        return faces  # type: ignore[return-value]
    if faces == "all":
        return "all"
    if faces.isdecimal() and int(faces) > 0:
        return int(faces)
    raise ConfigError(f"--faces {faces}: expected largest, all, or a number, 1 for the largest face")


def _start(jobs: Sequence[Job], request: Request, sheet: bool, engine: str) -> tuple[dict[str, Turn], _Outcomes]:
    """Return which pictures were turned, filled as the results come, and these results."""
    from facesketch.inference import folders as bulk
    from facesketch.inference.portraits import FacePipeline

    studio = FacePipeline(
        request, keep_sources=sheet
    )  # with Ray too, so that a mistake is told before the cluster starts
    bulk.sweep(jobs)
    jobs = [job for job in jobs if not job.done]
    if engine == "local":
        return studio.turned, bulk.run(jobs, studio)
    from facesketch.inference.folders import ray_engine

    return studio.turned, ray_engine.run(jobs, request, sheets=sheet, turned=studio.turned)


def _show(jobs: Sequence[Job], results: _Outcomes, turned: Mapping[str, Turn], quiet: bool) -> int:
    """Print progress and one line per bad or turned picture; return how many were bad.

    Raises:
        FacesketchError: the only picture asked for was bad.
    """
    failed = 0
    skipped = sum(job.done for job in jobs)
    hidden = quiet or len(jobs) == 1 or not sys.stderr.isatty()
    with _progress(len(jobs) - skipped, hidden=hidden) as (advance, say):
        for _, error in results:
            advance()
            if error is not None and len(jobs) == 1:
                raise error
            if error is not None:
                failed += 1
                say(f"left out: {error}")
    if not quiet:
        for name, turn in turned.items():
            say(_turn(name, turn))
        there = f", {skipped} {'was' if skipped == 1 else 'were'} there already" if skipped else ""
        there += " (--overwrite does them again)" if skipped == len(jobs) else ""
        say(f"{len(jobs) - skipped - failed} translated{there}{f', {failed} left out' if failed else ''}")
    return failed


@contextmanager
def _progress(total: int, *, hidden: bool) -> Iterator[tuple[Callable[[], object], Callable[[str], object]]]:
    """Give what counts a picture, and what prints a line; when hidden, without loading what draws a bar."""
    if hidden:
        yield (lambda: None), _say
        return
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("translating", total=total)
        yield (lambda: progress.advance(task)), (lambda line: console.print(line, markup=False))


def _turn(name: str, turn: Turn) -> str:
    return f"note: {name}: turned by {turn}° clockwise, as that shows a face upright"


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


def _through_pipes(paths: list[Path], out: Path, request: Request, sheet: bool, quiet: bool) -> None:
    """Translate one picture from or to a pipe."""
    if len(paths) != 1:
        raise ConfigError(
            f"'-' stands for one picture, but {len(paths)} inputs were given", "give one, or a folder with --out"
        )
    if out == Path("-") and (sheet or request.faces == "all"):
        raise ConfigError("a pipe takes one picture: leave out --sheet and --faces all, or name a file with --out")
    from facesketch.images.io import open_image
    from facesketch.inference import folders as bulk
    from facesketch.inference.portraits import FacePipeline
    from facesketch.inference.translator import png

    piped = paths[0] == Path("-")
    picture = open_image(read_pipe("facesketch translate - --out - < me.jpg") if piped else paths[0])
    name = "picture" if piped else str(paths[0])
    portraits = FacePipeline(request, keep_sources=sheet)(picture, name)
    if portraits[0].turned and not quiet:
        _say(_turn(name, portraits[0].turned))
    if out == Path("-"):
        sys.stdout.buffer.write(png(portraits[0].picture))
    else:
        bulk.write(bulk.named(out, numbered=request.faces == "all", sheet=sheet), portraits)
