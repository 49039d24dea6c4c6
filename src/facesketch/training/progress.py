"""What a training prints: what it is about to do, a bar, and a line per epoch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from facesketch.config import RunConfig
from facesketch.data.split import Split
from facesketch.data.twins import twin_warnings
from facesketch.errors import count
from facesketch.methods.registry import family
from facesketch.training.cost import Estimate, speed
from facesketch.training.distributed import device_name, is_half

_MUCH_SMALLER = 2 / 3  # of the frame's side: less than half of its area


def announce(config: RunConfig, parts: Split, cost: Estimate, fabric: Fabric, done: int, total: int, side: int) -> None:
    """Print what is about to be trained, on what, and about how long and large it will be.

    Args:
        config: the run's settings.
        parts: the pairs.
        cost: of the run.
        fabric: where and how precisely it computes.
        done: steps that were taken before.
        total: steps in all.
        side: the median of the photos' longer sides in the frame, in pixels.
    """
    steps = total - done
    half = is_half(fabric)
    seconds = cost.flops * config.train.accumulate / speed(fabric.device, half) * steps
    direction = "both directions" if family(config.method.name).both_ways else config.direction
    threads = f" with {count(torch.get_num_threads(), 'thread')}" if fabric.device.type == "cpu" else ""
    after = f" more, after step {done:,}," if done else ""
    console = Console(stderr=True, highlight=False)
    console.print(
        f"[bold]{config.method.name}[/bold] {direction}, {cost.parameters:,} parameters, {config.data.size} pixels"
    )
    console.print(
        f"{len(parts.train)} pairs to train on, {len(parts.validation)} to validate on, {len(parts.test)} to test on"
    )
    console.print(
        f"{count(steps, 'step')}{after} on {device_name(fabric.device)} "
        f"in {'bf16' if half else 'fp32'}{threads}: about {cost.memory / 2**30:.1f} GiB"
        f"{f' and {duration(seconds)}' if seconds else ''}"
    )
    console.print(f"up to {decimal(cost.room)} of disk space during training, and {decimal(cost.kept)} afterwards")
    for line in [] if done else twin_warnings(parts):
        console.print(f"warning: {line}", soft_wrap=True)
    if not done and side <= _MUCH_SMALLER * config.data.size:
        console.print(
            f"note: most pictures are {side} pixels or less in a frame of {config.data.size}, and the rest is padding; "
            f"a size of {side} learns the same in less time",
            soft_wrap=True,
        )


def duration(seconds: float) -> str:
    """Return a length of time in at most two units."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


class Teller:
    """Shows steps in a bar on a terminal, and elsewhere a line per epoch."""

    def __init__(self, progress: Progress, task: TaskID, shown: Collection[str], quiet: bool) -> None:
        self._progress, self._task, self._shown, self._quiet = progress, task, tuple(shown), quiet

    def step(self, losses: Mapping[str, Tensor]) -> None:
        """Show a step."""
        if not self._quiet:
            text = "" if self._progress.disable else _said(losses, self._shown, ".3g", "  ")
            self._progress.update(self._task, advance=1, losses=text)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Show an epoch, given its line in the log, where there is no bar."""
        if self._quiet or not self._progress.disable:
            return
        parts = [_said(line["train"], self._shown, ".3g")] if self._shown else []
        if line["validation"]:
            figures = _said(line["validation"], ("ssim", "mae"), ".4f")
            parts.append(f"validation {figures}{' (best so far)' if line['best'] else ''}")
        task = self._progress.tasks[self._task]
        if task.finished:
            parts.append("done")
        elif task.time_remaining:  # not known yet after a single step
            parts.append(f"about {duration(task.time_remaining)} left")
        steps = f"step {line['step']:,} of {int(task.total or 0):,}"
        self._progress.console.print(f"epoch {line['epoch']}, {steps}: {'; '.join(parts)}", soft_wrap=True)


def _said(values: Mapping[str, Any], names: Collection[str], form: str, between: str = ", ") -> str:
    return between.join(f"{name} {float(values[name]):{form}}" for name in names)


@contextmanager
def bar(title: str, total: int, done: int, shown: Collection[str], *, quiet: bool) -> Iterator[Teller]:
    """Show a bar with the time left and the losses that `shown` names; yield its `Teller`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    console = Console(stderr=True, highlight=False)
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as progress:
        yield Teller(progress, progress.add_task(title, total=total, completed=done, losses=""), shown, quiet)
