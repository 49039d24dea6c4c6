"""A training in progress: how it is prepared, and the state from which it is resumed."""

from __future__ import annotations

import math
import os
import time
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import PARAM_LIST, AveragedModel

from facesketch.checkpoints.checkpoint import start
from facesketch.checkpoints.header import FORMAT
from facesketch.config import RunConfig, TrainConfig
from facesketch.data.datasets import Batch, PairDataset, batches, epoch_keys
from facesketch.data.split import Split
from facesketch.devices import processors
from facesketch.errors import CheckpointError, ConfigError
from facesketch.files import atomic, sweep
from facesketch.methods.base import Method
from facesketch.methods.registry import build
from facesketch.training.distributed import gather, gather_extra_states
from facesketch.training.log import LOG, Log
from facesketch.training.validation import validation_size

_WAITS = 20  # between two states pass at least so many times the seconds that writing the last one took
STATE, COMING, PREVIOUS = "state.ckpt", "state.next.ckpt", "state.previous.ckpt"


@dataclass
class Position:
    """How far a training has come."""

    step: int = 0
    """Optimiser steps taken."""
    epoch: int = 0
    """Epochs completed."""
    batches_done: int = 0
    """Batches taken from the epoch under way."""
    steps_in_epoch: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    """Losses of the epoch under way, added up over its steps."""
    best: float | None = None
    """The validation figure of the best model so far."""
    seconds: float = 0.0
    """Time spent in steps."""


@dataclass
class Training:
    """All that the loop works on."""

    config: RunConfig
    out: Path
    fabric: Fabric
    method: Method
    averaged: AveragedModel | None
    """A running average of the method's weights."""
    optimisers: dict[str, torch.optim.Optimizer]
    data: PairDataset
    validation: list[Batch]
    log: Log
    total_steps: int
    position: Position
    state_written: float = field(default_factory=lambda: time.monotonic())
    """When the last state was written, on the monotonic clock."""
    weights_written: float = field(default_factory=lambda: time.monotonic())
    """When the last weights were written. States are written within epochs too, so they have their own clock."""
    state_seconds: float = 0.0
    """Seconds that writing the last state took."""

    @property
    def model(self) -> Method:
        """What is validated and kept: the average of the weights if there is one, otherwise the method."""
        return self.method if self.averaged is None else cast(Method, self.averaged.module)

    def due(self, since: float) -> bool:
        """Tell whether to write: by the clock, or always where several processes must agree without asking."""
        if self.fabric.world_size > 1:
            return True
        wait = self.settings.checkpoint_seconds
        return time.monotonic() - since >= (max(wait, _WAITS * self.state_seconds) if wait else 0.0)

    def note(self, losses: Mapping[str, Tensor], batches_done: int) -> None:
        """Count a step that was taken, and log its losses; raise a ConfigError if one is not finite."""
        position = self.position
        position.step, position.steps_in_epoch = position.step + 1, position.steps_in_epoch + 1
        position.batches_done += batches_done
        values = {name: float(value) for name, value in losses.items()}
        self.refuse_divergence({name: values[name] for name in self.optimisers if name in values})
        for name, value in values.items():
            position.sums[name] = position.sums.get(name, 0.0) + value
        self.log.step(position.step, position.epoch, losses)

    def refuse_divergence(self, values: Mapping[str, float]) -> None:
        """Raise a ConfigError if a loss or a validation figure is not finite: the training can learn no more."""
        for name, value in values.items():
            if not math.isfinite(value):
                raise ConfigError(
                    f"step {self.position.step}: {name} is {value}, so the training has diverged",
                    f"begin again with a `learning_rate` below {self.settings.learning_rate:g}",
                )

    def placed(self, batch: Batch) -> Batch:
        """Return a batch on the device, in the method's memory format."""
        batch = batch.to(self.fabric.device)
        return batch.channels_last() if self.method.Options.defaults.channels_last else batch

    @property
    def settings(self) -> TrainConfig:
        """The settings of the loop."""
        return self.config.train

    @property
    def writes(self) -> bool:
        """Tell whether this is the one process that validates and writes."""
        return self.fabric.is_global_zero


def prepare(config: RunConfig, out: Path, fabric: Fabric, parts: Split) -> Training:
    """Build weights from the seed, decode the pictures, and load the last state if there is one."""
    settings = config.train
    assert settings.learning_rate is not None, "settings are resolved"
    torch.manual_seed(settings.seed)
    state = load_state(out)
    method = build(config, fresh=state is None)
    if state is None and settings.start_from is not None:
        start(method, settings.start_from)
    method.to(fabric.device)
    if method.Options.defaults.channels_last:
        method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimisers = method.optimisers(settings.learning_rate)
    for group in (group for each in optimisers.values() for group in each.param_groups):
        group["initial_lr"] = group["lr"]  # as a method chose it; the schedule multiplies it
    averaged = running_average(method, settings.average) if settings.average else None
    if settings.compile:
        warnings.filterwarnings("ignore", "The .grad attribute of a Tensor")  # the compiler itself looks at it
        for network in method.children():
            network.compile()
    torch.manual_seed(settings.seed + 1 + fabric.global_rank)  # the noise of each process is its own

    data = PairDataset(
        parts.train, config.data, config.augment, frame=method.frame, seed=settings.seed, paired=method.Options.paired
    )
    if state is None:
        method.memorise(data)
    keys = epoch_keys(len(data), settings.batch_size or 1, 0, world=fabric.world_size)
    if not keys:
        seen = f"{len(data)} training pairs for {fabric.world_size} processes"
        raise ConfigError(seen, "start fewer processes or add pairs")
    position = Position()
    if state is not None:
        position = Position(**state["position"])  # a run may go on with more or fewer processes, which share an epoch
        position.batches_done = position.batches_done * len(state["random"]) // fabric.world_size
    whole, left = (math.ceil((len(keys) - done) / settings.accumulate) for done in (0, position.batches_done))
    total = settings.steps or position.step + left + whole * ((settings.epochs or 1) - position.epoch - 1)
    validation: list[Batch] = []
    if fabric.is_global_zero and parts.validation:
        unseen = PairDataset(parts.validation, config.data, None, frame=method.frame)
        validation = list(batches(unseen, epoch_keys(len(unseen), validation_size(settings), 0), config.direction))
    log = Log(out / LOG, total)
    training = Training(config, out, fabric, method, averaged, optimisers, data, validation, log, total, position)
    if state is not None:
        # version 0.1 kept the average among the weights of portrait
        weights = {name: value for name, value in state["method"].items() if not name.startswith("averaged.")}
        method.load_state_dict(weights)
        # in order, as phases may have been renamed since the state was written
        for optimiser, kept in zip(optimisers.values(), state["optimisers"].values(), strict=True):
            optimiser.load_state_dict(kept)
        rank = min(fabric.global_rank, len(state["random"]) - 1)
        extra = state["extra" if "extra" in state else "memories"][rank]  # its name in 0.1
        method.load_extra_state(extra)
        if averaged is not None and "averaged" in state:
            averaged.load_state_dict(state["averaged"])
        elif averaged is not None:
            averaged.module.load_state_dict(state["method"])
            averaged.n_averaged.fill_(extra["followed"])
        if rank == fabric.global_rank:  # a process more draws its own noise
            torch.set_rng_state(state["random"][rank].clone())  # given a view into a larger tensor, torch crashes
            if state["random_cuda"] is not None and fabric.device.type == "cuda":
                torch.cuda.set_rng_state(state["random_cuda"][rank].clone(), fabric.device)
        if settings.threads is None and "OMP_NUM_THREADS" not in os.environ:  # sums depend on how they are shared out
            torch.set_num_threads(min(state.get("threads", torch.get_num_threads()), processors()))
    if training.writes:
        sweep(out)
        log.rewind(training.position.step, training.position.epoch)
    return training


def running_average(method: Method, share: float) -> AveragedModel:
    """Return a copy of a method whose weights follow it: a step keeps this share, but after n at most n / (n + 10)."""

    def follow(means: PARAM_LIST, weights: PARAM_LIST, steps: Tensor | int) -> None:
        torch._foreach_lerp_(means, weights, 1 - min(share, int(steps) / (int(steps) + 10)))

    averaged = AveragedModel(method, multi_avg_fn=follow)
    averaged.requires_grad_(False).eval()
    return averaged


def keep(training: Training) -> None:
    """Write a state to resume from; all processes of a training must call this."""
    fabric = training.fabric
    training.state_written = time.monotonic()
    random = gather(fabric, torch.get_rng_state())
    random_cuda = gather(fabric, torch.cuda.get_rng_state(fabric.device)) if fabric.device.type == "cuda" else None
    extra = gather_extra_states(fabric, training.method.extra_state())
    if not training.writes:
        return
    training.log.flush()
    state = {
        "method": training.method.state_dict(),
        **({} if training.averaged is None else {"averaged": training.averaged.state_dict()}),
        "optimisers": {name: optimiser.state_dict() for name, optimiser in training.optimisers.items()},
        "extra": extra,
        "random": random,
        "random_cuda": random_cuda,
        "threads": torch.get_num_threads(),
        "position": asdict(training.position),
    }
    save_state(training.out, state)
    training.state_seconds = time.monotonic() - training.state_written


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write a state beside the one before it, which becomes `state.previous.ckpt`: one of the two is always whole."""
    current, coming = folder / STATE, folder / COMING
    if current.exists():  # whole, so that two states on the disk are enough
        (folder / PREVIOUS).unlink(missing_ok=True)
    with atomic(coming) as file:
        torch.save({"format": FORMAT, **state}, file)
    if current.exists():
        current.replace(folder / PREVIOUS)
    coming.replace(current)


def load_state(folder: Path) -> dict[str, Any] | None:
    """Return the last state of a run, on the CPU, or None if there is none.

    Raises:
        CheckpointError: the file is damaged or not a state; the hint names the previous one, which is whole.
    """
    current, coming, previous = folder / STATE, folder / COMING, folder / PREVIOUS
    path = next((path for path in (current, coming, previous) if path.exists()), None)
    if path is None:
        return None
    seen, hint = f"{path}: damaged or not a training state of facesketch", "start again with another `out`"
    if path != previous and previous.exists():
        hint = f"the previous one is whole; to go on from there type: mv {previous} {path}"
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load does not compare checksums
            damaged = archive.testzip()
        state = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes the readers fail in many ways
        raise CheckpointError(seen, hint) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(seen, hint)
    return state
