"""What the folders of trainings say: read anew each time, and only files that a listing has found."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from facesketch.config import RunConfig, parse, read_toml
from facesketch.errors import ConfigError
from facesketch.serve.problems import ProblemError
from facesketch.serve.schemas import Run, RunDetails
from facesketch.training.logs import Course

# As training/run.py names them; that module needs torch, and a server does not.
CONFIG, LOG, SAMPLES = "config.toml", "log.jsonl", "samples"
_DEPTH, _MOST = 3, 500
_POINTS = 300
_SILENT = 300.0  # seconds without a line after which a training counts as stopped, unless its epochs are longer

State = Literal["waiting", "running", "stopped", "ended"]


class Shelf:
    """The trainings below a folder.

    Args:
        folder: up to three levels are looked through; links are not followed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def runs(self) -> list[Run]:
        """Return all trainings, the one that wrote last first."""
        found = []
        for name, path in self._found().items():
            try:
                config = _config(path)
                found.append((_touched(path), Run(**_summary(name, config, Course.read(path / LOG), path))))
            except (ConfigError, OSError):
                continue  # it is being written, or is no run after all
        return [run for _, run in sorted(found, key=lambda each: -each[0])]

    def details(self, name: str) -> RunDetails:
        """Return one training with its curves.

        Raises:
            ProblemError: 404, there is no such training.
        """
        path = self._path(name)
        try:
            config, course = _config(path), Course.read(path / LOG)
        except (ConfigError, OSError) as error:
            raise _missing() from error
        return RunDetails(
            **_summary(name, config, course, path),
            config=_public(config),
            losses=_curves((name, zip(course.steps, values, strict=True)) for name, values in course.losses.items()),
            validation=_curves(_validation(course).items()),
            samples=sorted(_samples(path)),
        )

    def sample(self, name: str, epoch: int) -> bytes:
        """Return the sample sheet of an epoch.

        Raises:
            ProblemError: 404, there is no such training or sheet.
        """
        sheet = _samples(self._path(name)).get(epoch)
        try:
            if sheet is not None:
                return sheet.read_bytes()
        except OSError:
            pass  # gone since it was listed
        raise _missing()

    def _path(self, name: str) -> Path:
        found = self._found().get(name)
        if found is None:
            raise _missing()
        return found

    def _found(self) -> dict[str, Path]:
        """Return the trainings by what they are called in requests: their place, with `~` between its parts."""
        found: dict[str, Path] = {}
        for path in _folders(self._folder, _DEPTH):
            if len(found) < _MOST and (path / CONFIG).is_file():
                found["~".join(path.relative_to(self._folder).parts) or path.resolve().name] = path
        return found


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    yield folder
    if depth == 0:
        return
    try:
        with os.scandir(folder) as entries:
            names = sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
    except OSError:
        return
    for name in names:
        if not name.startswith("."):
            yield from _folders(folder / name, depth - 1)


def _config(path: Path) -> RunConfig:
    return parse(read_toml(path / CONFIG), "config.toml")


def _public(config: RunConfig) -> dict[str, Any]:
    """Return the settings without where things lie on this machine: paths without their folders."""
    value = config.model_dump(mode="json", exclude_none=True)
    options = [("method", name) for name, given in value["method"].items() if isinstance(given, str)]
    for section, name in (("data", "folder"), ("train", "start_from"), *options):  # which are paths, only torch knows
        if name in value[section]:
            value[section][name] = value[section][name].replace("\\", "/").rpartition("/")[2]
    return value


def _touched(path: Path) -> float:
    log = path / LOG
    return (log if log.exists() else path / CONFIG).stat().st_mtime


def _steps(config: RunConfig, course: Course) -> int | None:
    """Return how many steps a training takes: as it was told, or as many epochs as it was told of those it has done."""
    if config.train.steps is not None:
        return config.train.steps
    done = next((line for line in reversed(course.epochs) if line["epoch"] > 0), None)
    if done is None or config.train.epochs is None:
        return None
    return round(int(done["step"]) / int(done["epoch"]) * config.train.epochs)


def _summary(name: str, config: RunConfig, course: Course, path: Path) -> dict[str, Any]:
    return {
        "id": name,
        "method": config.method.name,
        "direction": config.direction,
        "state": _state(course, path),
        "step": course.last.get("step", 0),
        "steps": _steps(config, course),
        "epoch": course.last.get("epoch", 0),
    }


def _state(course: Course, path: Path) -> State:
    if not course.last:
        return "waiting"
    if course.last["event"] == "end":
        return "ended"
    seconds = [float(line.get("seconds", 0)) for line in course.epochs]
    longest = max((after - before for before, after in pairwise([0.0, *seconds])), default=0.0)
    return "running" if time.time() - _touched(path) < max(_SILENT, 2 * longest) else "stopped"


def _validation(course: Course) -> dict[str, list[tuple[int, float]]]:
    figures: dict[str, list[tuple[int, float]]] = {}
    for line in course.epochs:
        for name, value in line.get("validation", {}).items():
            figures.setdefault(name, []).append((line["step"], value))
    return figures


def _curves(lines: Iterable[tuple[str, Iterable[tuple[int, float]]]]) -> dict[str, list[tuple[int, float]]]:
    """Return those points of each curve that are numbers, as many as a page can draw; no curve without any."""
    curves = {name: thinned([point for point in points if math.isfinite(point[1])]) for name, points in lines}
    return {name: points for name, points in curves.items() if points}


def thinned(points: list[tuple[int, float]], most: int = _POINTS) -> list[tuple[int, float]]:
    """Return at most so many points, evenly over all and with the first and the last."""
    if len(points) <= most:
        return points
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]


def _samples(path: Path) -> dict[int, Path]:
    found = {}
    for file in (path / SAMPLES).glob("epoch-*.png"):
        number = file.stem.removeprefix("epoch-")
        if number.isdecimal() and file.is_file() and not file.is_symlink():
            found[int(number)] = file
    return found


def _missing() -> ProblemError:
    return ProblemError(404, "There is no such training.", "See /v1/runs for those there are.")
