"""What a training tells the person who waits for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from facesketch.config import RunConfig
from facesketch.data.split import Split
from facesketch.methods import METHODS
from facesketch.training.devices import device_name, is_half
from facesketch.training.estimate import Estimate, speed

Advance = Callable[[Mapping[str, Tensor]], None]
_MUCH_SMALLER = 2 / 3  # of the frame's side: less than half of its area


def announce(config: RunConfig, parts: Split, cost: Estimate, fabric: Fabric, done: int, total: int, side: int) -> None:
    """Print what is about to be trained, on what, and about how long and large it will be.

    Args:
        config: the run's settings.
        parts: the pairs.
        cost: of a step.
        fabric: where and how precisely it computes.
        done: steps that were taken before.
        total: steps in all.
        side: pixels of the longer side of a middling photo, once it is in its frame.
    """
    steps = total - done
    seconds = cost.seconds(speed(fabric.device, is_half(fabric))) * steps
    way = "both directions" if METHODS[config.method.name].both_ways else config.direction
    after = f" more, after step {done:,}," if done else ""
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold]{config.method.name}[/bold] {way}, {cost.parameters:,} parameters, {config.data.size} pixels")
    console.print(
        f"{len(parts.train)} pairs to learn from, {len(parts.validation)} to validate on, {len(parts.test)} kept unseen"
    )
    console.print(
        f"{steps:,} steps{after} on {device_name(fabric.device)} in {'bf16' if is_half(fabric) else 'fp32'}: "
        f"about {cost.memory / 2**30:.1f} GiB and {about(seconds)}"
    )

    if not done and side <= _MUCH_SMALLER * config.data.size:
        console.print(
            f"note: most pictures are {side} pixels or less in a frame of {config.data.size}, and the rest is padding; "
            f"--size {side} learns the same in less time",
            soft_wrap=True,
        )


def about(seconds: float) -> str:
    """Return a duration in the unit one would say it in."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return (
        f"{round(seconds / 60)} min" if seconds < 5400 else str(timedelta(seconds=round(seconds / 60) * 60))[:-3] + " h"
    )


@contextmanager
def bar(title: str, total: int, done: int, shown: Collection[str], *, quiet: bool) -> Iterator[Advance]:
    """Show a bar with the time left and those losses that `shown` names; yields what to call after each step."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task(title, total=total, completed=done, losses="")

        def advance(losses: Mapping[str, Tensor]) -> None:
            if not quiet:
                text = "  ".join(f"{name} {float(losses[name]):.3g}" for name in shown)
                progress.update(task, advance=1, losses=text)

        yield advance
