"""The log of a run, from which every curve is drawn.

Each line is a JSON object: `{"event": "step", …}` with the losses of a step, `{"event": "epoch", …}` with the epoch's
mean losses, its validation figures and why the model was or was not kept as best, and a last `{"event": "end", …}`.
"""

from __future__ import annotations

import json
import math
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facesketch.files import append_text, write_text

if TYPE_CHECKING:
    from torch import Tensor

    from facesketch.training.loggers import Logger

LOG = "log.jsonl"
LINES = 5000
"""About how many step lines a run writes, however long it is."""
_LONGEST = 1 << 20  # bytes of a line; a run's have some hundred
_NAMES = 32  # losses that are read; a method has a few
_KEPT = 512  # courses that are remembered: as many as a server lists, which it reads all the time

_Count = Annotated[int, Field(ge=0, le=2**53)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="allow")
    event: str
    step: _Count
    epoch: _Count
    losses: dict[str, float] = {}
    train: dict[str, float] = {}
    validation: dict[str, float] = {}
    best: bool = False
    seconds: float = 0.0


Line = Mapping[str, Any]


class Log:
    """Collects lines and appends them to a file; a loss is read off the device only when it is written.

    Args:
        path: the file.
        total_steps: length of the run; of a long one not every step is logged.
    """

    def __init__(self, path: Path, total_steps: int) -> None:
        self.path, self.every = path, max(1, total_steps // LINES)
        self.loggers: Sequence[Logger] = ()
        """What gets the same numbers."""
        self._waiting: list[dict[str, Any]] = []

    def step(self, step: int, epoch: int, losses: Mapping[str, Tensor]) -> None:
        """Note the losses of a step, if it is one to log."""
        if step % self.every == 0:
            self._waiting.append({"event": "step", "step": step, "epoch": epoch, "losses": losses})
            for each in self.loggers:
                each.scalars({f"train/{name}": _number(value) for name, value in losses.items()}, step)

    def event(self, event: str, **values: Any) -> None:
        """Note any other event, and write all that was noted."""
        self._waiting.append({"event": event, **values})
        self.flush()
        for each in self.loggers:
            if event == "epoch":
                figures = {f"validation/{name}": value for name, value in values["validation"].items()}
                each.scalars({"epoch": values["epoch"], **figures}, values["step"])

    def flush(self) -> None:
        """Write all that was noted."""
        lines = "".join(json.dumps(line, default=_number) + "\n" for line in self._waiting)
        self._waiting = []
        append_text(self.path, lines)

    def rewind(self, step: int, epoch: int) -> None:
        """Drop what came after a state, and a last line that was cut short, as a killed run may leave it.

        Args:
            step: optimiser steps taken by then.
            epoch: epochs completed by then. An epoch's line is written before its state.
        """
        kept = [line for line in read_log(self.path) if line["step"] <= step and line["event"] != "end"]
        kept = [line for line in kept if line["event"] != "epoch" or line["epoch"] <= epoch]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))


def _lines(file: BinaryIO) -> Iterator[dict[str, Any] | None]:
    """Yield lines up to one that is cut short, or up to the first that no run writes, in whose place comes None."""
    while line := file.readline(_LONGEST + 1):
        try:
            if len(line) <= _LONGEST:
                yield _Line.model_validate_json(line).model_dump(exclude_unset=True)
                continue
        except ValidationError:
            pass
        if line.endswith(b"\n") or len(line) > _LONGEST:
            yield None
        return


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a log up to the first that is cut short or that no run writes; none if there is no log."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        return [line for line in _lines(file) if line is not None]


@dataclass
class Course:
    """How a training went: its log, in little memory however long it is."""

    steps: array[int] = field(default_factory=lambda: array("q"))
    """The steps whose losses are in the log."""
    losses: dict[str, array[float]] = field(default_factory=dict)
    """Each loss at those steps; NaN where the log does not have it."""
    epochs: list[Line] = field(default_factory=list)
    """The lines of the epochs."""
    last: Line = field(default_factory=dict)
    """The last line, of any event; empty if there is none."""
    seconds: float | None = None
    """Time spent in steps, as the last line that has it says."""
    damaged: bool = False
    """Whether reading stopped at a line that no run writes; a last line that was cut short does not count."""

    @classmethod
    def read(cls, path: Path) -> Course:
        """Read a log, or return what was read before if the file has not changed; empty if there is no log."""
        try:
            with path.open("rb") as file:
                return cls.read_from(file, path)
        except OSError:
            return cls()

    @classmethod
    def read_from(cls, file: BinaryIO, path: Path) -> Course:
        """Read an open log as `read` does, and remember it by `path`."""
        status = os.fstat(file.fileno())
        stamp = status.st_ino, status.st_size, status.st_mtime_ns
        known = _known.pop(path, None)
        if known is None or known[0] != stamp:
            known = stamp, cls()
            known[1]._fill(file)
        _known[path] = known
        while len(_known) > _KEPT:
            _known.pop(next(iter(_known)), None)
        return known[1]

    def _fill(self, file: BinaryIO) -> None:
        for line in _lines(file):
            if line is None:
                self.damaged = True
                break
            self.last, self.seconds = line, line.get("seconds", self.seconds)
            if line["event"] == "epoch":
                self.epochs.append(line)
            elif line["event"] == "step":
                losses = line.get("losses", {})
                for name in losses:
                    if name not in self.losses and len(self.losses) < _NAMES:
                        self.losses[name] = array("d", [math.nan]) * len(self.steps)
                self.steps.append(line["step"])
                for name, values in self.losses.items():
                    values.append(losses.get(name, math.nan))


_known: dict[Path, tuple[object, Course]] = {}


def _number(value: Any) -> float:
    if hasattr(value, "__float__"):
        return round(float(value), 8)
    raise TypeError(f"no JSON for {type(value).__name__}")
