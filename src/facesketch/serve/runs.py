"""What the folders of trainings say: read anew each time, and only files that a listing has found."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from facesketch.config import RunConfig, parse, read_toml
from facesketch.errors import ConfigError
from facesketch.serve.problems import ProblemError
from facesketch.serve.schemas import Run, RunDetails

# As training/run.py names them; that module needs torch, and a server does not.
CONFIG, LOG, SAMPLES = "config.toml", "log.jsonl", "samples"
_DEPTH, _MOST = 3, 500
_POINTS = 300
_SILENT = 300.0  # seconds without a line after which a training counts as stopped, unless its epochs are longer
_LOG_BYTES = 64 << 20

State = Literal["waiting", "running", "stopped", "ended"]
Line = dict[str, Any]


class Shelf:
    """The trainings below a folder.

    Args:
        folder: up to three levels are looked through; links are not followed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, tuple[object, _Progress]] = {}  # logs are long, and few of them change

    def runs(self) -> list[Run]:
        """Return all trainings, the one that wrote last first."""
        found = []
        for name, path in self._found().items():
            try:
                config = _config(path)
                found.append((_touched(path), Run(**_summary(name, config, self._progress(path, config), path))))
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
            config, lines = _config(path), read_log(path / LOG)
        except (ConfigError, OSError) as error:
            raise _missing() from error
        return RunDetails(
            **_summary(name, config, _progress(config, lines), path),
            config=_public(config),
            losses=_curves(line for line in lines if line.get("event") == "step"),
            validation=_curves((line for line in lines if line.get("event") == "epoch"), "validation"),
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

    def _progress(self, path: Path, config: RunConfig) -> _Progress:
        """Return how far a training is, from its log where that has changed since it was last read."""
        log = path / LOG
        state = (config, log.stat().st_mtime_ns, log.stat().st_size) if log.is_file() else config
        known = self._seen.get(path)
        if known is None or known[0] != state:
            known = self._seen[path] = state, _progress(config, read_log(log))
        return known[1]

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


def read_log(path: Path) -> list[Line]:
    """Return the lines of a log; a last one that is being written is left out."""
    lines: list[Line] = []
    if not path.is_file() or path.stat().st_size > _LOG_BYTES:
        return lines
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            break
        if isinstance(line, dict):
            lines.append(line)
    return lines


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


@dataclass(frozen=True)
class _Progress:
    """How far a training is by its log: its last line, its length, and the seconds of its longest epoch."""

    step: int
    epoch: int
    event: str
    steps: int | None
    longest: float


def _progress(config: RunConfig, lines: list[Line]) -> _Progress:
    last = lines[-1] if lines else {}
    seconds = [float(line.get("seconds", 0)) for line in lines if line.get("event") == "epoch"]
    longest = max((after - before for before, after in pairwise([0.0, *seconds])), default=0.0)
    step, epoch, event = int(last.get("step", 0)), int(last.get("epoch", 0)), str(last.get("event", ""))
    return _Progress(step, epoch, event, _steps(config, lines), longest)


def _steps(config: RunConfig, lines: list[Line]) -> int | None:
    """Return how many steps a training takes: as it was told, or as many epochs as it was told of those it has done."""
    if config.train.steps is not None:
        return config.train.steps
    done = next((line for line in reversed(lines) if line.get("event") == "epoch" and line.get("epoch")), None)
    if done is None or config.train.epochs is None:
        return None
    return round(int(done["step"]) / int(done["epoch"]) * config.train.epochs)


def _summary(name: str, config: RunConfig, progress: _Progress, path: Path) -> dict[str, Any]:
    return {
        "id": name,
        "method": config.method.name,
        "direction": config.direction,
        "state": _state(progress, path),
        "step": progress.step,
        "steps": progress.steps,
        "epoch": progress.epoch,
    }


def _state(progress: _Progress, path: Path) -> State:
    if not progress.event:
        return "waiting"
    if progress.event == "end":
        return "ended"
    return "running" if time.time() - _touched(path) < max(_SILENT, 2 * progress.longest) else "stopped"


def _curves(lines: Iterable[Line], key: str = "losses") -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
        for name, value in line.get(key, {}).items():
            if isinstance(value, (int, float)) and value == value and abs(value) != float("inf"):
                curves.setdefault(name, []).append((int(line["step"]), float(value)))
    return {name: thinned(points) for name, points in curves.items()}


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
