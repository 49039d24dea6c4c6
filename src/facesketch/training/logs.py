"""The log of a run: one JSON object a line, from which every curve is drawn.

Lines are `{"event": "step", …}` with the losses of one step, `{"event": "epoch", …}` with the epoch's mean losses, the
validation figures and why a model was kept as best or not, and a last `{"event": "end", …}`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from facesketch.files import append_text, write_text

LINES = 5000
"""About as many step lines as a run writes, however long it is."""


class Log:
    """Collects lines and appends them to `log.jsonl`; a loss is read off the device only when it is written.

    Args:
        path: the file.
        total_steps: length of the run, which decides how many steps a line stands for.
    """

    def __init__(self, path: Path, total_steps: int) -> None:
        self.path, self.every = path, max(1, total_steps // LINES)
        self._waiting: list[dict[str, Any]] = []

    def step(self, step: int, epoch: int, losses: dict[str, Tensor]) -> None:
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


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a log; a last line that was cut short is left out."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines


def _number(value: Any) -> float:
    if isinstance(value, Tensor):
        return round(float(value), 8)
    raise TypeError(f"no JSON for {type(value).__name__}")
