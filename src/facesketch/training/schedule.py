"""How the step size falls."""

from __future__ import annotations

from typing import Literal

import torch


def factor(schedule: Literal["constant", "linear"], step: int, total: int) -> float:
    """Return what the first step size is multiplied by at `step` (0-based) of `total`.

    `linear` is CycleGAN's and pix2pix's: constant for the first half, then straight down to zero.
    """
    if schedule == "constant":
        return 1.0
    return min(1.0, 2.0 * (1.0 - step / total))


def set_learning_rate(optimisers: dict[str, torch.optim.Optimizer], learning_rate: float) -> None:
    """Give every parameter group the same step size."""
    for optimiser in optimisers.values():
        for group in optimiser.param_groups:
            group["lr"] = learning_rate
