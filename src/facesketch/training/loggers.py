"""TensorBoard, Weights & Biases and CSV beside a run's own log: its numbers and sheets, even when it is resumed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from facesketch.config import RunConfig
from facesketch.errors import ResourceError
from facesketch.files import append_text, write_text

if TYPE_CHECKING:
    from PIL import Image


class Logger(Protocol):
    """A place that scalars and pictures go to."""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Note values by their names, such as `train/generator`."""

    def picture(self, page: Image.Image, step: int) -> None:
        """Note a sample sheet."""

    def close(self, *, failed: bool) -> None:
        """Write what is left."""


class TensorBoardLogger:
    """Event files in the folder `tensorboard` of a run.

    Args:
        out: the run folder.
        step: steps taken before; TensorBoard hides what an earlier process noted after them.
    """

    def __init__(self, out: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(out / "tensorboard", purge_step=step + 1)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Note values by their names."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, page: Image.Image, step: int) -> None:
        """Note a sample sheet."""
        self._writer.add_image("samples", np.asarray(page.convert("RGB")), step, dataformats="HWC")

    def close(self, *, failed: bool) -> None:
        """Write what is left."""
        self._writer.close()


class WandbLogger:
    """A run of Weights & Biases, which reads `WANDB_MODE`, `WANDB_PROJECT` and its other variables.

    A resumed training goes on with the run that the folder `wandb` names. Steps that a crash lost appear twice, with
    equal values, because W&B takes nothing back.

    Args:
        out: the run folder, whose name the run gets.
        config: the settings, as W&B shows them.
        quiet: print nothing.

    Raises:
        ResourceError: W&B does not start, because there is no account or no network.
    """

    def __init__(self, out: Path, config: RunConfig, quiet: bool) -> None:
        import wandb

        known = sorted((out / "wandb").glob("*run-*_*-*"))
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "facesketch"),
                dir=out,
                id=known[-1].name.partition("run-")[2].partition("-")[2] if known else None,
                name=out.name,
                resume="allow",
                config=config.model_dump(mode="json", exclude_none=True),
                settings=wandb.Settings(console="off", silent=quiet),
            )
        except wandb.errors.Error as error:
            line = str(error).splitlines()[0].rstrip(".")
            raise ResourceError(f"`log` wandb: {line}", "or set WANDB_MODE=offline to log on this machine") from error
        self._run.define_metric("*", step_metric="step")
        self._picture = wandb.Image

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Note values by their names."""
        self._run.log({"step": step, **values})

    def picture(self, page: Image.Image, step: int) -> None:
        """Note a sample sheet."""
        self._run.log({"step": step, "samples": self._picture(page)})

    def close(self, *, failed: bool) -> None:
        """Send what is left."""
        self._run.finish(exit_code=int(failed))


class CsvLogger:
    """`metrics.csv` in a run folder: a row per note, a column per name; pictures are in `samples/` anyway.

    Args:
        out: the run folder.
        step: steps taken before; rows after them are dropped.
        epoch: epochs completed before; an epoch's row is written before its state.
    """

    def __init__(self, out: Path, step: int, epoch: int) -> None:
        self._path = out / "metrics.csv"
        rows = [row for row in self._rows() if int(row["step"]) <= step and int(row.get("epoch") or 0) <= epoch]
        self._columns = ["step", *dict.fromkeys(name for row in rows for name in row if name != "step")]
        self._write(rows)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Note values by their names; new names become columns."""
        if not values.keys() <= set(self._columns):
            self._columns += [name for name in values if name not in self._columns]
            self._write(self._rows())
        append_text(self._path, self._line({"step": step, **values}))

    def picture(self, page: Image.Image, step: int) -> None:
        """Do nothing: a table holds no pictures."""

    def close(self, *, failed: bool) -> None:
        """Do nothing: each line is written at once."""

    def _rows(self) -> list[dict[str, str]]:
        if not self._path.is_file():
            return []
        whole = self._path.read_text(encoding="utf-8").rpartition("\n")[0]  # a killed process leaves half a line
        rows = [line.split(",") for line in whole.splitlines()]
        return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        write_text(self._path, ",".join(self._columns) + "\n" + "".join(map(self._line, rows)))

    def _line(self, row: Mapping[str, Any]) -> str:
        return ",".join(str(row.get(name, "")) for name in self._columns) + "\n"


@contextmanager
def open_loggers(config: RunConfig | None, out: Path, step: int, epoch: int, *, quiet: bool) -> Iterator[list[Logger]]:
    """Open the loggers that a run's settings name, and complete them at the end.

    Args:
        config: the settings; None in a process that writes nothing.
        out: the run folder.
        step: optimiser steps taken before.
        epoch: epochs completed before.
        quiet: print nothing.
    """
    if config is None:
        yield []
        return
    kinds: dict[str, Callable[[], Logger]] = {
        "tensorboard": partial(TensorBoardLogger, out, step),
        "wandb": partial(WandbLogger, out, config, quiet),
        "csv": partial(CsvLogger, out, step, epoch),
    }
    opened: list[Logger] = []
    failed = True
    try:
        for name in dict.fromkeys(config.train.log):
            opened.append(kinds[name]())
        yield opened
        failed = False
    finally:
        for each in opened:
            each.close(failed=failed)
