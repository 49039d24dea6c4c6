"""What there is to know of a family of models without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from facesketch.config import DIRECTIONS, Direction, Frozen


@dataclass(frozen=True)
class Defaults:
    """How a method is trained when nothing else is asked for."""

    epochs: int
    batch_size: int
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    channels_last: bool = False
    """Only where no instance norm trains at batch 1: its CPU gradients are wrong in that memory format."""


class NoOptions(Frozen):
    """The settings of a family without any of its own."""


class Family:
    """What is known of a family; the docstring's first line is what `facesketch methods` prints."""

    title: ClassVar[str]
    paired: ClassVar[bool] = True
    study: ClassVar[bool] = True
    learned: ClassVar[bool] = True
    both_ways: ClassVar[bool] = False
    exemplars: ClassVar[bool] = False
    """Translates with the training pairs themselves: no loss, no optimiser, and no network to export."""
    directions: ClassVar[tuple[Direction, ...]] = DIRECTIONS
    defaults: ClassVar[Defaults]
    Options: ClassVar[type[Frozen]] = NoOptions
