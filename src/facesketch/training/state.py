"""A training in progress: what it holds, and how it is prepared, kept and resumed."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from facesketch.checkpoints.checkpoint import start
from facesketch.config import RunConfig, TrainConfig
from facesketch.data.datasets import Batch, PairDataset, batches, epoch_keys
from facesketch.data.split import Split
from facesketch.errors import ConfigError
from facesketch.files import sweep
from facesketch.methods.base import Method
from facesketch.methods.registry import build
from facesketch.training.distributed import gather, gather_extra_states
from facesketch.training.log import Log
from facesketch.training.run_folder import LOG
from facesketch.training.state_file import load_state, save_state


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
    """Everything the loop works on."""

    config: RunConfig
    out: Path
    fabric: Fabric
    method: Method
    optimisers: dict[str, torch.optim.Optimizer]
    data: PairDataset
    validation: list[Batch]
    log: Log
    total_steps: int
    position: Position
    kept: float = field(default_factory=lambda: time.monotonic())
    """When the last state was written, on the monotonic clock."""
    written: float = field(default_factory=lambda: time.monotonic())
    """When the last weights were; states come in the midst of epochs too, so they have a clock of their own."""

    @property
    def keeping_is_due(self) -> bool:
        """Tell whether to write a state: by the clock, or always where several processes must agree without asking."""
        return self.fabric.world_size > 1 or time.monotonic() - self.kept >= self.settings.checkpoint_seconds

    @property
    def weights_are_due(self) -> bool:
        """Tell whether to write weights at the end of this epoch, as `keeping_is_due` does for states."""
        return self.fabric.world_size > 1 or time.monotonic() - self.written >= self.settings.checkpoint_seconds

    def note(self, losses: Mapping[str, Tensor], batches_done: int) -> None:
        """Count a step that was taken, and log its losses.

        Raises:
            ConfigError: a loss is not finite.
        """
        position = self.position
        position.step, position.steps_in_epoch = position.step + 1, position.steps_in_epoch + 1
        position.batches_done += batches_done
        values = {name: float(value) for name, value in losses.items()}
        self.refuse_divergence({name: values[name] for name in self.optimisers if name in values})
        for name, value in values.items():
            position.sums[name] = position.sums.get(name, 0.0) + value
        self.log.step(position.step, position.epoch, losses)

    def refuse_divergence(self, values: Mapping[str, float]) -> None:
        """Raise a ConfigError where a loss or a validation figure is not finite: such a training learns no more."""
        for name, value in values.items():
            if not math.isfinite(value):
                raise ConfigError(
                    f"step {self.position.step}: {name} is {value}, so the training has diverged",
                    f"begin again with a `learning_rate` below {self.settings.learning_rate:g}",
                )

    def placed(self, batch: Batch) -> Batch:
        """Return a batch on the device, in the method's memory format."""
        batch = batch.to(self.fabric.device)
        return batch.channels_last() if self.method.defaults.channels_last else batch

    @property
    def settings(self) -> TrainConfig:
        """The part of the settings that the loop reads most."""
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
    if method.defaults.channels_last:
        method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimisers = method.optimisers(settings.learning_rate)
    torch.manual_seed(settings.seed + 1 + fabric.global_rank)  # the noise of each process is its own

    data = PairDataset(
        parts.train, config.data, config.augment, frame=method.frame, seed=settings.seed, paired=method.paired
    )
    if state is None:
        method.memorise(data)
    keys = epoch_keys(len(data), settings.batch_size or 1, 0, world=fabric.world_size)
    if not keys:
        seen = f"{len(data)} training pairs for {fabric.world_size} processes"
        raise ConfigError(seen, "start fewer processes or add pairs")
    total = settings.steps or (settings.epochs or 1) * math.ceil(len(keys) / settings.accumulate)
    validation: list[Batch] = []
    if fabric.is_global_zero and parts.validation:
        unseen = PairDataset(parts.validation, config.data, None, frame=method.frame)
        validation = list(batches(unseen, epoch_keys(len(unseen), validation_size(settings), 0), config.direction))
    log = Log(out / LOG, total)
    training = Training(config, out, fabric, method, optimisers, data, validation, log, total, Position())
    if state is not None:
        training.method.load_state_dict(state["method"])
        # by their order: phases may be called otherwise than when the state was written
        for optimiser, kept in zip(training.optimisers.values(), state["optimisers"].values(), strict=True):
            optimiser.load_state_dict(kept)
        rank = min(training.fabric.global_rank, len(state["random"]) - 1)
        training.method.load_extra_state(state["extra" if "extra" in state else "memories"][rank])  # so named in 0.1
        torch.set_rng_state(state["random"][rank].clone())  # given a view into a larger tensor, torch crashes
        if state["random_cuda"] is not None and training.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"][rank].clone(), training.fabric.device)
        training.position = Position(**state["position"])
    if training.writes:
        sweep(training.out)
        training.log.rewind(training.position.step, training.position.epoch)
    return training


def validation_size(settings: TrainConfig) -> int:
    """Return the size of a validation batch: the first is what sheets show, and none has to keep gradients."""
    return max(4, settings.samples)


def keep(training: Training) -> None:
    """Write the state from which `prepare` goes on; in a training of several processes all of them must call this."""
    fabric = training.fabric
    training.kept = time.monotonic()
    everyones = gather(fabric, torch.get_rng_state())
    devices = gather(fabric, torch.cuda.get_rng_state(fabric.device)) if fabric.device.type == "cuda" else None
    extra = gather_extra_states(fabric, training.method.extra_state())
    if not training.writes:
        return
    training.log.flush()
    state = {
        "method": training.method.state_dict(),
        "optimisers": {name: optimiser.state_dict() for name, optimiser in training.optimisers.items()},
        "extra": extra,
        "random": everyones,
        "random_cuda": devices,
        "position": asdict(training.position),
    }
    save_state(training.out, state)
