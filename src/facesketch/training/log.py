"""The log of a run: one JSON object a line, from which every curve is drawn.

Lines are `{"event": "step", …}` with the losses of one step, `{"event": "epoch", …}` with the epoch's mean losses, the
validation figures and why a model was kept as best or not, and a last `{"event": "end", …}`.
"""

from __future__ import annotations

import json
import math
import os
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facesketch.files import append_text, write_text

if TYPE_CHECKING:
    from torch import Tensor

LINES = 5000
"""About as many step lines as a run writes, however long it is."""
_LONGEST = 1 << 20  # bytes of a line; a run writes some hundred
_NAMES = 32  # losses that a log is read for; a method has a few
_KEPT = 128  # logs that are known; a report reads each several times, and a server again and again


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
    """Collects lines and appends them to `log.jsonl`; a loss is read off the device only when it is written.

    Args:
        path: the file.
        total_steps: length of the run, which decides how many steps a line stands for.
    """

    def __init__(self, path: Path, total_steps: int) -> None:
        self.path, self.every = path, max(1, total_steps // LINES)
        self._waiting: list[dict[str, Any]] = []

    def step(self, step: int, epoch: int, losses: Mapping[str, Tensor]) -> None:
        """Note the losses of a step, if its turn has come."""
        if step % self.every == 0:
            self._waiting.append({"event": "step", "step": step, "epoch": epoch, "losses": losses})

    def event(self, event: str, **values: Any) -> None:
        """Note anything else, and write what waits."""
        self._waiting.append({"event": event, **values})
        self.flush()

    def flush(self) -> None:
        """Append what waits."""
        lines = "".join(json.dumps(line, default=_number) + "\n" for line in self._waiting)
        self._waiting = []
        append_text(self.path, lines)

    def rewind(self, step: int, epoch: int) -> None:
        """Drop what came after a state, and a last line cut short, which a killed run may have left.

        Args:
            step: optimiser steps taken by then.
            epoch: epochs completed by then; an epoch's line may stand in the log before its state is written.
        """
        kept = [line for line in read_log(self.path) if line["step"] <= step and line["event"] != "end"]
        kept = [line for line in kept if line["event"] != "epoch" or line["epoch"] <= epoch]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))


def log_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log one by one, and none where there is no log.

    It ends before the first line that is none of ours: cut short, longer than 1 MiB, or of other types.
    """
    if path.is_file():
        with path.open("rb") as file:
            for line in _lines(file):
                if line is None:
                    return
                yield line


def _lines(file: BinaryIO) -> Iterator[dict[str, Any] | None]:
    """Yield lines up to one that is cut short, or else up to None in place of the first that is none of ours."""
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
    """Return the lines of a log; a last line that was cut short is left out."""
    return list(log_lines(path))


@dataclass
class Course:
    """How a training went, read from its log once and small however long the log is.

    Attributes:
        steps: the steps whose losses were noted.
        losses: each loss at those steps; no number where it was not noted.
        epochs: the lines of the epochs.
        last: the last line, of whatever event; empty where there is none.
        seconds: time spent in steps, as the last line that tells it says.
        torn: whether a line came that is none of ours, other than a last one cut short; nothing behind it is read.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    losses: dict[str, array[float]] = field(default_factory=dict)
    epochs: list[Line] = field(default_factory=list)
    last: Line = field(default_factory=dict)
    seconds: float | None = None
    torn: bool = False

    @classmethod
    def read(cls, path: Path) -> Course:
        """Read a log unless it is as it was when it was last read; that of a training that has not begun is empty."""
        try:
            with path.open("rb") as file:
                return cls.read_from(file, path)
        except OSError:
            return cls()

    @classmethod
    def read_from(cls, file: BinaryIO, path: Path) -> Course:
        """Read an open log unless it is as it was when it was last read at this path."""
        status = os.fstat(file.fileno())
        stamp = status.st_ino, status.st_size, status.st_mtime_ns
        known = _known.pop(path, None)
        if known is None or known[0] != stamp:
            known = stamp, cls._read(file)
        _known[path] = known
        while len(_known) > _KEPT:
            _known.pop(next(iter(_known)), None)
        return known[1]

    @classmethod
    def _read(cls, file: BinaryIO) -> Course:
        course = cls()
        for line in _lines(file):
            if line is None:
                course.torn = True
                break
            course.last, course.seconds = line, line.get("seconds", course.seconds)
            if line["event"] == "epoch":
                course.epochs.append(line)
            elif line["event"] == "step":
                course._note(line["step"], line.get("losses", {}))
        return course

    def _note(self, step: int, losses: Mapping[str, float]) -> None:
        for name in losses:
            if name not in self.losses and len(self.losses) < _NAMES:
                self.losses[name] = array("d", [math.nan]) * len(self.steps)
        self.steps.append(step)
        for name, values in self.losses.items():
            values.append(losses.get(name, math.nan))


_known: dict[Path, tuple[object, Course]] = {}


def _number(value: Any) -> float:
    if hasattr(value, "__float__"):
        return round(float(value), 8)
    raise TypeError(f"no JSON for {type(value).__name__}")
