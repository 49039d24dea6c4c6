"""`facesketch translate`: pictures in, pictures out."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from facesketch.cli.console import Bar, Device, Quiet, Weights, in_flags, note, read_pipe, say_passed_over
from facesketch.errors import ConfigError, ImageError, nearest

if TYPE_CHECKING:
    from facesketch.inference.folders.pipeline import Outcome
    from facesketch.inference.folders.plan import Job
    from facesketch.inference.model import Request


@dataclass(frozen=True)
class ModelOptions:
    """Which model to use, and how."""

    model: str | None = None
    """A run folder, a model file, or `pencil`, which needs no training; by default the package's own models."""
    weights: Weights = "best"
    direction: Literal["photo2sketch", "sketch2photo"] | None = None  # as `config.Direction`, which imports pydantic
    """What to draw; by default a model that serves both directions looks at each picture and picks the right one."""
    style: str | None = None
    """One of the model's styles; by default its first."""
    resolution: Literal["trained", "native"] = "trained"
    """`trained` works at the size that the model was trained at, `native` at the size of the picture."""
    device: Device = "auto"
    engine: Literal["auto", "torch", "onnx", "openvino", "openvino-bf16"] = "auto"
    """What computes the network: PyTorch for runs, ONNX Runtime or OpenVINO for `.onnx` files."""


@dataclass(frozen=True)
class ColourOptions:
    """The colours of a photo drawn from a sketch, for models that take colours; with `auto` the model chooses."""

    skin: str | None = None
    """`1` (lightest) to `10` on the Monk scale, a CSS colour such as `#c68642`, or `auto`."""
    hair: str | None = None
    """A CSS colour, or `auto`."""
    background: str | None = None
    """A CSS colour, or `auto`; light grey if you give none."""
    variants: Annotated[bool, Parameter(negative=())] = False
    """Draw each photo three times, side by side, in three skin tones."""


@dataclass(frozen=True)
class FaceOptions:
    """Which faces to draw, for models that were trained on aligned faces."""

    faces: str | None = None
    """`largest` (the default), a number (1 is the largest), or `all`, which writes NAME-1, NAME-2 and so on."""
    align: bool = True
    """`--no-align` takes each picture as it is and looks for no face."""
    margin: float = 0.0
    """Draw more around the face: add this share of the frame on each side, 0 to 2."""
    whole: Annotated[bool, Parameter(negative=())] = False
    """Draw the whole picture at its own size instead of the frame."""
    size: str | None = None
    """Size at which to draw, `200x250` or `400x500`; by default 400x500 for photos and for sketches of large faces."""


def translate(
    paths: Annotated[list[Path], Parameter(allow_leading_hyphen=True, negative=())],
    /,
    *,
    out: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    sheet: Annotated[bool, Parameter(negative=())] = False,
    suffix: str = ".png",
    overwrite: bool = False,
    runner: Literal["local", "ray"] = "local",
    quiet: Quiet = False,
    model: Annotated[ModelOptions | None, Parameter(name="*", group="Model")] = None,
    faces: Annotated[FaceOptions | None, Parameter(name="*", group="Faces")] = None,
    colours: Annotated[ColourOptions | None, Parameter(name="*", group="Colours")] = None,
) -> None:
    """Translate photos into sketches, or sketches into photos.

    By default the package's own models draw the largest face in each picture.

    Args:
        paths: Pictures and folders; `-` reads one picture from standard input.
        out: A file for one picture, replaced if it exists; a folder for several; `-` for standard output.
        sheet: Also write input and output side by side, as NAME-sheet beside NAME.
        suffix: File format of the pictures written into a folder.
        overwrite: Translate pictures again even if their results exist; inputs are never overwritten.
        runner: `ray` spreads the pictures over a Ray cluster that sees the same paths.
    """
    _check_paths(paths)
    model, faces = model or ModelOptions(), faces or FaceOptions()
    loading: dict[str, Any] = {name: getattr(model, name) for name in ("weights", "device", "engine")}
    loading["path"] = model.model
    asked = _request(model, faces, colours or ColourOptions())
    if Path("-") in paths or out == Path("-"):
        _through_pipes(paths, out, loading, asked, sheet, quiet)
        return
    from facesketch.inference.folders import pipeline
    from facesketch.inference.folders.plan import plan, sweep
    from facesketch.inference.model import load

    passed: list[tuple[Path, str]] = []
    every = asked.faces == "all"
    jobs = plan(paths, out, suffix=suffix, overwrite=overwrite, numbered=every, sheet=sheet, passed_over=passed)
    todo = [job for job in jobs if not job.done]
    loaded = load(**loading)
    loaded.check(asked)  # with Ray too, so that a mistake is found before the cluster starts
    sweep(todo)
    if runner == "ray":
        from facesketch.inference.folders import ray_runner

        results = ray_runner.run(todo, loading, asked)
    else:
        results = pipeline.run(todo, loaded, asked)
    with closing(results):
        failed = _show(jobs, results, quiet)
    if not quiet:
        say_passed_over(passed)
    if failed and failed == len(jobs):
        raise ImageError("no picture was translated: all were left out")
    if failed:
        raise SystemExit(1)


def _check_paths(paths: Sequence[Path]) -> None:
    """Refuse addresses, pipes, and misspelt options, which the list of paths would take for paths."""
    options = [each.name for kind in (ModelOptions, FaceOptions, ColourOptions) for each in fields(kind)]
    names = [*inspect.signature(translate).parameters, *options, "no-align"]
    for path in paths:
        if str(path).startswith(("http:/", "https:/")) and not path.exists():
            raise ConfigError("addresses are not fetched", "save the picture and give its path")
        if path.is_fifo():
            raise ConfigError(f"{path}: is a pipe", "type `-` and pipe the picture to standard input")
        if str(path).startswith("--") and not path.exists():
            known = [f"--{name}" for name in names if name not in {"paths", "colours"}]
            raise ConfigError(f"unknown option {path}", nearest(str(path), known))


def _request(model: ModelOptions, faces: FaceOptions, colours: ColourOptions) -> Request:
    from facesketch.inference.model import Request

    which: Any = faces.faces
    if which not in {None, "largest", "all"}:
        if not (which.isdecimal() and len(which) < 10 and int(which) > 0):
            raise ConfigError(f"--faces {which[:40]}", "expected largest, all, or a number, 1 for the largest face")
        which = int(which)
    rest = asdict(faces) | asdict(colours) | {"faces": which}
    return Request(model.direction, resolution=model.resolution, style=model.style, **rest)


def _show(jobs: Sequence[Job], results: Iterable[Outcome], quiet: bool) -> int:
    """Print progress and one line per bad or turned picture; return how many were bad.

    Raises:
        FacesketchError: the only picture asked for was bad.
    """
    failed, turned = 0, []
    skipped = sum(job.done for job in jobs)
    with Bar("translating", quiet=quiet or len(jobs) == 1) as bar:
        for number, (job, error, turn) in enumerate(results, 1):
            bar(number, len(jobs) - skipped)
            if error is not None and len(jobs) == 1:
                raise error
            if error is not None:
                failed += 1
                note(f"left out: {in_flags(str(error))}")
            if turn:
                turned.append(_turn(str(job.source), turn))
    if not quiet:
        for line in turned:
            note(line)
        there = f", {skipped} already done" if skipped else ""
        there += " (--overwrite translates them again)" if skipped == len(jobs) else ""
        note(f"{len(jobs) - skipped - failed} translated{there}{f', {failed} left out' if failed else ''}")
    return failed


def _turn(name: str, turn: int) -> str:
    return f"note: {name}: turned by {turn}° clockwise to bring a face upright"


def _through_pipes(
    paths: list[Path], out: Path, loading: Mapping[str, Any], asked: Request, sheet: bool, quiet: bool
) -> None:
    """Translate one picture from or to a pipe."""
    every = asked.faces == "all"
    if len(paths) != 1:
        seen = f"'-' stands for one picture, but {len(paths)} inputs were given"
        raise ConfigError(seen, "give one, or a folder with --out")
    if out == Path("-") and (sheet or every):
        raise ConfigError("a pipe takes one picture", "leave out --sheet and --faces all, or name a file with --out")
    from facesketch.images.io import encoded, open_image
    from facesketch.inference.folders.pipeline import write
    from facesketch.inference.folders.plan import named
    from facesketch.inference.model import load

    model = load(**loading)
    piped = paths[0] == Path("-")
    picture = open_image(read_pipe("facesketch translate - --out - < me.jpg") if piped else paths[0])
    framed = model.prepare(picture, asked, "picture" if piped else str(paths[0]), keep_source=sheet)
    portraits = [model.restore(array, each) for each in framed for array in model.run([each])]
    if portraits[0].turned and not quiet:
        note(_turn("picture" if piped else str(paths[0]), portraits[0].turned))
    if out == Path("-"):
        sys.stdout.buffer.write(encoded(portraits[0].picture, "PNG"))
    else:
        write(named(out, numbered=every, sheet=sheet), portraits)
