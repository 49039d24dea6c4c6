"""What a study will cost on this machine, estimated before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from facesketch.config import DataConfig
from facesketch.data.index import index
from facesketch.data.split import split
from facesketch.devices import computes_in_bf16, pick_device
from facesketch.study.grid import Cell
from facesketch.study.study import Study
from facesketch.training.cost import estimate, speed
from facesketch.training.log import LOG, Course


@dataclass(frozen=True)
class Cost:
    """What one cell still needs.

    Attributes:
        parameters: trainable numbers.
        steps: optimiser steps still to take.
        memory: bytes at the most.
        seconds: about how long, from the machine's measured speed in a convolution.
    """

    parameters: int
    steps: int
    memory: int
    seconds: float


def study_costs(study: Study) -> dict[str, Cost]:
    """Return the cost of every cell that is still to be trained, by name."""
    device = pick_device("auto")
    half = computes_in_bf16("auto", device)
    pace = speed(torch.device(device), half)
    pairs = len(split(index(study.data).pairs, validation=DataConfig().validation).train)
    costs = {}
    for cell in study.cells:
        if study.done(cell) or not cell.learned:
            continue
        config = cell.config(study.data)
        per_epoch = math.ceil(min(pairs, config.data.limit or pairs) / (config.train.batch_size or 1))
        steps = max(0, (config.train.epochs or 1) * per_epoch - _steps_taken(study, cell, per_epoch))
        size = estimate(config, half=half)
        costs[cell.name] = Cost(size.parameters, steps, size.memory, size.flops / pace * steps)
    return costs


def _steps_taken(study: Study, cell: Cell, per_epoch: int) -> int:
    """Return the steps taken by this cell's run, or planned for the shorter one that it extends."""
    last = Course.read(study.run_folder(cell) / LOG).last
    if last:
        return int(last["step"])
    shorter = next((other for other in study.cells if other.name == cell.extends), None)
    return int(shorter.settings["epochs"]) * per_epoch if shorter else 0
