"""Trainings as their run folders show them, read again at each request."""

from __future__ import annotations

import logging
import math
import os
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from facesketch.config import RunConfig, parse
from facesketch.errors import ConfigError
from facesketch.serve.problems import ProblemError
from facesketch.serve.reading import NoFileError, Root, is_locked
from facesketch.serve.schemas import Run, RunDetails
from facesketch.training.lock import LOCK
from facesketch.training.log import LOG, Course

CONFIG, SAMPLES = "config.toml", "samples"  # as in training/run_folder.py, which imports torch
_DEPTH, _MOST = 3, 500
_POINTS = 300
_CONFIG_BYTES, _SAMPLE_BYTES = 1 << 20, 64 << 20
_LARGEST = 2**53  # a browser cannot count beyond it
_LONGEST, _DEEPEST = 300, 8  # what is shown: characters of a text, entries of a list, levels of lists
_log = logging.getLogger("facesketch.serve")

State = Literal["waiting", "running", "stopped", "ended", "unreadable"]
Place = tuple[str, ...]


class _UnreadableError(Exception):
    """A run folder holds something that no training writes."""


class RunStore:
    """The trainings below a folder.

    Args:
        folder: searched up to three levels deep; links are not followed.
    """

    def __init__(self, folder: Path) -> None:
        self._root = Root(folder)

    def runs(self) -> list[Run]:
        """Return all trainings, the one that wrote last comes first; one that cannot be read says why."""
        found = self._found().items()
        runs = [(self._touched(place), self._run(name, place)) for name, place in found]
        return [run for _, run in sorted(runs, key=lambda each: -each[0])]

    def details(self, name: str) -> RunDetails:
        """Return one training with its curves.

        Raises:
            ProblemError: 404, there is no such training.
        """
        place = self._place(name)
        samples = sorted(self._samples(place))
        try:
            config, course = self._config(place), self._course(place)
            losses = ((name, zip(course.steps, values, strict=True)) for name, values in course.losses.items())
            return RunDetails(
                **self._summary(name, place, config, course),
                config=_public(config),
                losses=_curves(losses),
                validation=_curves(_validation(course).items()),
                samples=samples,
            )
        except Exception as error:
            return RunDetails(**_unreadable(name, error), config={}, losses={}, validation={}, samples=samples)

    def sample(self, name: str, epoch: int) -> bytes:
        """Return the sample sheet of an epoch.

        Raises:
            ProblemError: 404, there is no such training or sheet.
        """
        place = self._place(name)
        try:
            return self._root.read((*place, SAMPLES, self._samples(place)[epoch]), _SAMPLE_BYTES)
        except (KeyError, OSError) as error:  # gone since it was listed
            raise _missing() from error

    def _run(self, name: str, place: Place) -> Run:
        try:
            config = self._config(place)
            return Run(**self._summary(name, place, config, self._course(place)))
        except Exception as error:  # whatever is in one folder, show the others
            return Run(**_unreadable(name, error))

    def _summary(self, name: str, place: Place, config: RunConfig, course: Course) -> dict[str, Any]:
        return {
            "id": name,
            "method": _shown(config.method.name),
            "direction": config.direction,
            "state": self._state(place, course),
            "step": course.last.get("step", 0),
            "steps": _steps(config, course),
            "epoch": course.last.get("epoch", 0),
        }

    def _state(self, place: Place, course: Course) -> State:
        if course.last.get("event") == "end":
            return "ended"
        try:  # a process that trains holds a lock, which the system releases when the process dies
            with self._root.opened((*place, LOCK)) as file:
                if is_locked(file):
                    return "running" if course.last else "waiting"
        except OSError:
            pass
        return "stopped"

    def _config(self, place: Place) -> RunConfig:
        content = self._root.read((*place, CONFIG), _CONFIG_BYTES)
        try:
            return parse(tomllib.loads(content.decode()), CONFIG)
        except RecursionError as error:
            raise _UnreadableError(f"{CONFIG} is nested too deeply") from error
        except ValueError as error:  # not UTF-8, not TOML, or a number of thousands of digits
            raise _UnreadableError(f"{CONFIG} is not TOML: {error}") from error

    def _course(self, place: Place) -> Course:
        try:
            with self._root.opened((*place, LOG)) as file:
                course = Course.read_from(file, self._root.path.joinpath(*place, LOG))
        except FileNotFoundError:
            return Course()
        if course.damaged:
            raise _UnreadableError(f"{LOG} has a line that no training writes")
        return course

    def _samples(self, place: Place) -> dict[int, str]:
        """Return the names of the sample sheets by epoch; links among them fail when they are opened."""
        found: dict[int, str] = {}
        try:
            names = self._root.names((*place, SAMPLES))
        except OSError:
            return found
        for name in names:
            number = name.removeprefix("epoch-").removesuffix(".png")
            if name == f"epoch-{number}.png" and number.isascii() and number.isdecimal() and len(number) < 10:
                found[int(number)] = name
        return found

    def _touched(self, place: Place) -> float:
        for name in (LOG, CONFIG):
            try:
                return self._root.status((*place, name)).st_mtime
            except OSError:
                continue
        return 0.0

    def _place(self, name: str) -> Place:
        found = self._found().get(name)
        if found is None:
            raise _missing()
        return found

    def _found(self) -> dict[str, Place]:
        """Return where each training lies; its id is the folders below the root, joined by `~`."""
        found: dict[str, Place] = {}
        for path in _folders(self._root.path, _DEPTH):
            if os.path.lexists(path / CONFIG):
                place = path.relative_to(self._root.path).parts
                name = "~".join(place) or path.resolve().name or "runs"
                name = os.fsencode(name).decode("utf-8", "backslashreplace")  # a name need not be UTF-8
                while name in found:
                    name += "~"
                found[name] = place
                if len(found) == _MOST:
                    break
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


def _unreadable(name: str, error: Exception) -> dict[str, Any]:
    """Return the summary of a training that cannot be read."""
    if isinstance(error, (_UnreadableError, ConfigError, NoFileError)):
        reason = str(error)
    elif isinstance(error, OSError):
        reason = (error.strerror or type(error).__name__).lower()
    else:
        _log.warning("a training cannot be read", exc_info=error)
        reason = "it holds something that no training writes"
    nothing = {"method": None, "direction": None, "step": 0, "steps": None, "epoch": 0}
    return {"id": name, "state": "unreadable", "reason": _shown(reason), **nothing}


def _public(config: RunConfig) -> dict[str, Any]:
    """Return the settings with paths reduced to names, so that they reveal no folders of this machine."""
    value = config.model_dump(mode="json", exclude_none=True)
    # which options of a method are paths, only its class knows, and that needs torch
    options = [("method", name) for name, given in value["method"].items() if isinstance(given, str)]
    for section, name in [("data", "folder"), ("train", "start_from"), *options]:
        if name in value[section]:
            value[section][name] = value[section][name].replace("\\", "/").rpartition("/")[2]
    shown: dict[str, Any] = _shown(value)
    return shown


def _shown(value: Any, depth: int = 0) -> Any:
    """Return a value cut down to what JSON can hold and a person can read."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (dict, list)) and depth == _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {_shown(str(key)): _shown(each, depth + 1) for key, each in list(value.items())[:_LONGEST]}
    if isinstance(value, list):
        return [_shown(each, depth + 1) for each in value[:_LONGEST]]
    if isinstance(value, (int, float)) and abs(value) <= _LARGEST:
        return value
    text = "a large number" if isinstance(value, int) else str(value).encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _steps(config: RunConfig, course: Course) -> int | None:
    """Return how many steps a training takes: those in its settings, or its epochs times the steps of one."""
    steps = config.train.steps
    done = next((line for line in reversed(course.epochs) if line["epoch"] > 0), None)
    if steps is None and done is not None and config.train.epochs is not None:
        steps = done["step"] * config.train.epochs // done["epoch"]
    return None if steps is None or steps > _LARGEST else steps


def _validation(course: Course) -> dict[str, list[tuple[int, float]]]:
    figures: dict[str, list[tuple[int, float]]] = {}
    for line in course.epochs:
        for name, value in line.get("validation", {}).items():
            figures.setdefault(name, []).append((line["step"], value))
    return figures


def _curves(lines: Iterable[tuple[str, Iterable[tuple[int, float]]]]) -> dict[str, list[tuple[int, float]]]:
    """Return the finite points of each curve, as many as a page can draw; curves without any are left out."""
    curves = {_shown(name): thinned([point for point in points if math.isfinite(point[1])]) for name, points in lines}
    return {name: points for name, points in curves.items() if points}


def thinned(points: list[tuple[int, float]], most: int = _POINTS) -> list[tuple[int, float]]:
    """Return at most `most` points, evenly spaced, with the first and the last."""
    if len(points) <= most:
        return points
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]


def _missing() -> ProblemError:
    return ProblemError(404, "There is no such training.", "See /v1/runs for the list.")
