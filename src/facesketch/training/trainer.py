"""The one training loop.

It knows nothing of GANs: a method's `training_step` yields its losses phase by phase, and the loop owns precision,
accumulation, devices and stepping.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from statistics import median_high
from typing import Any

import torch
from lightning_fabric import Fabric
from pydantic import ValidationError
from torch import Tensor

from facesketch.checkpoints.checkpoint import save_weights
from facesketch.checkpoints.header import BEST, WEIGHTS
from facesketch.config import DataConfig, RunConfig, TrainConfig, configure, explain
from facesketch.data.datasets import Batch, batches, epoch_keys
from facesketch.data.split import Split
from facesketch.errors import ConfigError, DataError
from facesketch.images.io import save_image
from facesketch.methods.base import Phase
from facesketch.methods.registry import method_class
from facesketch.training import run_folder
from facesketch.training.cost import estimate, free_memory, out_of_memory, require_room
from facesketch.training.crashes import crash_told, steady
from facesketch.training.distributed import (
    average_gradients,
    device_name,
    is_half,
    launch,
    mean_over_processes,
    one_line_errors,
    precision_name,
)
from facesketch.training.lock import hold
from facesketch.training.progress import Teller, announce, bar
from facesketch.training.schedule import factor, set_learning_rate
from facesketch.training.signals import end_by, held_back
from facesketch.training.state import Training, keep, prepare
from facesketch.training.state_file import PREVIOUS, load_state
from facesketch.training.validation import is_better, sample_sheet, validate
from facesketch.weights.catalogue import locate


def train(
    method: str | RunConfig, out: str | Path, *, data: str | Path | None = None, quiet: bool = False, **settings: Any
) -> Path:
    """Train a method and return the run folder.

    Args:
        method: a name from `facesketch methods`, or complete settings, which leave nothing to the other arguments.
        out: the run folder to make.
        data: the folder of pairs.
        quiet: show no progress.
        **settings: `direction`, any key of the TOML file's sections, or an option of the method: `epochs=20`,
        `l1_weight=50`.

    Raises:
        ConfigError: an unknown or ill-valued setting, or a folder that already holds a run.
        DataError: no pairs.
        ResourceError: not enough memory; the message names the next smaller setting.
        OutputError: no room on the disk, or another process is writing into the run folder.
        ConfigError: a loss is no number any more; the message names the learning rate.
    """
    if isinstance(method, RunConfig):
        config = method
    else:
        config = configure(method, settings | ({"folder": data} if data is not None else {}))
    with _held(Path(out)):
        return _carry_out(run_folder.begin(config, Path(out)), Path(out), quiet, fresh=True)


def resume(out: str | Path, *, data: str | Path | None = None, quiet: bool = False, **changes: int | str) -> Path:
    """Go on with a run that was cut off, or with `epochs=` or `steps=` make one longer.

    An interrupt, or in the main thread a SIGTERM, waits for the end of the step and writes a state from which the run
    goes on, here as in `train`.

    Args:
        out: the run folder.
        data: where the pictures are now, if they have moved since.
        quiet: show no progress.
        **changes: `epochs`, `steps`, `precision` or `workers`.

    Raises:
        CheckpointError: no run there, or a torn state.
        DataError: the pictures are gone, or are not those that the run began with.
        ConfigError: no such length or precision, or the run is longer already.
        OutputError: another process is writing into the run folder.
    """
    folder = Path(out)
    run_folder.reopen(folder)  # raises where there is none to hold
    with _held(folder):
        moved = {"folder": Path(data).resolve()} if data is not None else {}
        config = _changed(run_folder.reopen(folder), changes | moved)
        _refuse_shortening(config, folder)
        if data is None and run_folder.finished(folder) and not {"epochs", "steps"} & changes.keys():
            return folder
        return _carry_out(config, folder, quiet, fresh=False)


def _held(folder: Path) -> AbstractContextManager[None]:
    """Hold a run folder: of several processes that train together the first does it for all."""
    return hold(folder) if os.environ.get("RANK", "0") == "0" else nullcontext()


def _changed(config: RunConfig, changes: dict[str, Any]) -> RunConfig:
    settings = config.train.model_dump()
    if {"epochs", "steps"} & changes.keys():  # either replaces the other
        settings |= {"epochs": None, "steps": None}
    pictures = {name: value for name, value in changes.items() if name in DataConfig.model_fields}
    lengths = {name: value for name, value in changes.items() if name not in pictures}
    try:
        data, train = DataConfig(**config.data.model_dump() | pictures), TrainConfig(**settings | lengths)
    except ValidationError as error:
        raise ConfigError(explain(error, RunConfig)) from error
    return config.model_copy(update={"data": data, "train": train})


def _refuse_shortening(config: RunConfig, folder: Path) -> None:
    state = load_state(folder)
    if state is None:
        return
    for name, done in (("steps", state["position"]["step"]), ("epochs", state["position"]["epoch"])):
        asked = getattr(config.train, name)
        if asked is not None and asked < done:
            raise ConfigError(f"--{name} {asked}: {folder} has taken {done} {name} already", "give more, or none")


def _carry_out(config: RunConfig, out: Path, quiet: bool, *, fresh: bool) -> Path:
    parts = _pictures(config, out, fresh=fresh)
    kind = method_class(config.method.name)
    kind.check_pairs(config, [*parts.train, *parts.validation])
    for name in kind.needs(kind.Options.model_validate(config.method.options)):
        locate(name)  # raises before anything is written
    again = "the same" if fresh else f"facesketch train --resume {out}"
    fabric = launch(steady(config, parts, f"type {again} with --precision fp32", quiet=quiet))
    cost = estimate(config, half=is_half(fabric))
    free = free_memory(fabric.device)
    if free is not None and cost.memory > free:  # on a CPU the system would kill the process without a word
        raise out_of_memory(config, needed=cost.memory, free=free)
    quiet = quiet or not fabric.is_global_zero
    if fabric.is_global_zero:
        if fresh:
            require_room(out, cost)
            run_folder.open_folder(config, out)
        run_folder.record(out, config, run_folder.describe(parts, device_name(fabric.device), precision_name(fabric)))
        run_folder.write_config(config, out)
    with one_line_errors(config, out), crash_told(f"to go on type: facesketch train --resume {out} --precision fp32"):
        training = prepare(config, out, fabric, parts)
        if not quiet:
            side = median_high(max(placement.content) for placement in training.data.photos.placements)
            announce(config, parts, cost, fabric, training.position.step, training.total_steps, side)
        position, phases = training.position, training.optimisers
        alone = fabric.world_size == 1  # several would stop at steps of their own, and wait for each other
        with (
            bar(config.method.name, training.total_steps, position.step, phases, quiet=quiet) as teller,
            held_back(when=alone) as stopped,
        ):
            fit(training, teller, stopped)
    return out


def _pictures(config: RunConfig, out: Path, *, fresh: bool) -> Split:
    try:
        return run_folder.read_split(config)
    except DataError as error:
        if fresh:
            raise
        raise DataError(error.seen, "if the pictures have moved, say where they are now with `data`") from error


def fit(training: Training, teller: Teller, stopped: Callable[[], int] = lambda: 0) -> None:
    """Run epochs until the steps are done, keeping weights, best weights, samples and a resumable state.

    Args:
        training: what to carry on.
        teller: told of each step and epoch.
        stopped: asked after each step for the number of a signal that came meanwhile, or 0.
    """
    position = training.position
    while position.step < training.total_steps or position.batches_done:  # cut off between last step and epoch's end
        _train_epoch(training, teller, stopped)
        position.epoch, position.batches_done = position.epoch + 1, 0
        if training.writes:
            teller.epoch(_close_epoch(training))
        position.sums, position.steps_in_epoch = {}, 0
        if training.weights_are_due or position.step >= training.total_steps:
            _keep_all(training)
    if training.writes:
        training.log.event("end", step=position.step, epoch=position.epoch, seconds=round(position.seconds, 3))
        (training.out / PREVIOUS).unlink(missing_ok=True)  # the last state is whole and will not be written over


def _keep_all(training: Training) -> None:
    training.written = time.monotonic()
    if training.writes:
        notes = {"epoch": training.position.epoch, "step": training.position.step}
        save_weights(training.out / WEIGHTS, training.method, training.config, notes)
    keep(training)


def _train_epoch(training: Training, teller: Teller, stopped: Callable[[], int]) -> None:
    settings, position, fabric = training.settings, training.position, training.fabric
    share = {"rank": fabric.global_rank, "world": fabric.world_size}
    keys = epoch_keys(len(training.data), settings.batch_size or 1, position.epoch, **share)[position.batches_done :]
    stream = batches(training.data, keys, training.config.direction, training.config.data.workers)
    training.method.train()
    while position.step < training.total_steps and (group := list(islice(stream, settings.accumulate))):
        started = time.monotonic()
        losses = optimise(training, group)
        _note(training, losses, len(group))
        position.seconds += time.monotonic() - started
        teller.step(losses)
        signalled = stopped()
        if fabric.world_size == 1 and (training.keeping_is_due or signalled):
            keep(training)
        if signalled:
            said = f"stopped after step {position.step:,} of {training.total_steps:,}"
            end_by(signalled, f"{said}; to go on type: facesketch train --resume {training.out}")


def _note(training: Training, losses: dict[str, Tensor], batches_done: int) -> None:
    position = training.position
    position.step += 1
    position.steps_in_epoch += 1
    position.batches_done += batches_done
    values = {name: float(value) for name, value in losses.items()}
    _refuse_divergence(training, {name: values[name] for name in training.optimisers if name in values})
    for name, value in values.items():
        position.sums[name] = position.sums.get(name, 0.0) + value
    training.log.step(position.step, position.epoch, losses)


def _refuse_divergence(training: Training, values: dict[str, float]) -> None:
    """Stop a training whose losses, or whose pictures' figures, are no numbers: nothing can be learned any more.

    Raises:
        ConfigError: one of them is not finite.
    """
    for name, value in values.items():
        if not math.isfinite(value):
            raise ConfigError(
                f"step {training.position.step}: {name} is {value}, so the training has diverged",
                f"begin again with a `learning_rate` below {training.settings.learning_rate:g}",
            )


def optimise(training: Training, group: Sequence[Batch]) -> dict[str, Tensor]:
    """Take one optimiser step and return its losses, averaged over the group and over processes.

    With several batches in a group their gradients are added up, and a phase's optimiser steps on the last one, so the
    memory stays that of one batch.
    """
    fabric, optimisers = training.fabric, training.optimisers
    rate = factor(training.settings.schedule, training.position.step, training.total_steps)
    set_learning_rate(optimisers, (training.settings.learning_rate or 0.0) * rate)
    losses: dict[str, Tensor] = {}
    for number, batch in enumerate(group, start=1):
        phases = training.method.training_step(_placed(training, batch))
        while (phase := _next_phase(fabric, phases)) is not None:
            fabric.backward(phase.loss / len(group))
            if number == len(group):
                average_gradients(fabric, optimisers[phase.name])
                optimisers[phase.name].step()
                optimisers[phase.name].zero_grad(set_to_none=True)
            for name, value in {phase.name: phase.loss.detach(), **phase.logged}.items():
                losses[name] = losses.get(name, torch.zeros((), device=value.device)) + value / len(group)
    return {name: mean_over_processes(fabric, value) for name, value in losses.items()}


def _next_phase(fabric: Fabric, phases: Iterator[Phase]) -> Phase | None:
    with fabric.autocast():
        return next(phases, None)


def _placed(training: Training, batch: Batch) -> Batch:
    batch = batch.to(training.fabric.device)
    return batch.channels_last() if training.method.defaults.channels_last else batch


def _close_epoch(training: Training) -> dict[str, Any]:
    """Validate, write weights and samples, and return the log's line, which says why a model was kept or not."""
    position, settings = training.position, training.settings
    figures = _validate(training)
    _refuse_divergence(training, figures)
    before, better = position.best, bool(figures) and is_better(settings.best_by, figures, position.best)
    notes = {"epoch": position.epoch, "step": position.step, "validation": figures}
    if better:
        position.best = figures[settings.best_by]
        save_weights(training.out / BEST, training.method, training.config, notes)
    line = {
        "step": position.step,
        "epoch": position.epoch,
        "train": {name: round(value / position.steps_in_epoch, 8) for name, value in position.sums.items()},
        "validation": figures,
        "best": better,
        "why": _why(settings.best_by, figures, before),
        "seconds": round(position.seconds, 3),
    }
    training.log.event("epoch", **line)
    due = position.epoch % settings.sample_every == 0 or position.step >= training.total_steps
    if training.validation and settings.samples and due:
        _write_samples(training)
    return line


def _validate(training: Training) -> dict[str, float]:
    training.method.eval()
    placed = [_placed(training, batch) for batch in training.validation]
    with training.fabric.autocast():
        return validate(training.method, placed) if placed else {}


def _why(select: str, figures: dict[str, float], before: float | None) -> str:
    if not figures:
        return "no validation pairs, so the last weights are the ones to use"
    value = figures[select]
    if before is None:
        return f"first validation: {select} {value:.4f}"
    verdict = "better than" if is_better(select, figures, before) else "not better than"
    return f"{select} {value:.4f} is {verdict} {before:.4f}"


def _write_samples(training: Training) -> None:
    first = training.validation[0].first(training.settings.samples)
    with training.fabric.autocast():
        page = sample_sheet(training.method, _placed(training, first))
    save_image(page, training.out / run_folder.SAMPLES / f"epoch-{training.position.epoch:04d}.png")
