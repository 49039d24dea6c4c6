"""The training loop of every method: `training_step` yields losses phase by phase, and the loop does the rest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from statistics import median_high
from typing import Any, Literal

import torch
from pydantic import ValidationError
from torch import Tensor

from facesketch.checkpoints.checkpoint import save_weights
from facesketch.checkpoints.header import BEST, WEIGHTS
from facesketch.config import DataConfig, RunConfig, TrainConfig, configure, explain
from facesketch.data.datasets import Batch, batches, epoch_keys
from facesketch.devices import is_first_process
from facesketch.errors import EXTRAS, ConfigError, DataError, require, require_known
from facesketch.files import require_folder_name
from facesketch.images.io import save_image
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
from facesketch.training.log import LOG
from facesketch.training.loggers import open_loggers
from facesketch.training.progress import Teller, announce, bar
from facesketch.training.signals import end_by, held_back
from facesketch.training.state import PREVIOUS, Training, keep, load_state, prepare
from facesketch.training.validation import is_better, sample_sheet, validate
from facesketch.weights.catalogue import locate

CHANGEABLE = ("epochs", "steps", "precision", "workers", "threads", "devices", "compile")
"""What `resume` may change: how long a run is, and how the rest is computed."""


def train(
    method: str | RunConfig, out: str | Path, *, data: str | Path | None = None, quiet: bool = False, **settings: Any
) -> Path:
    """Train a method and return the run folder.

    On Ctrl+C or SIGTERM, training ends after the current step and writes a state to resume from. Several processes
    write a state after each epoch only.

    Examples:
        >>> import facesketch
        >>> run = facesketch.train("dense-ae", "runs/new", data="pairs", epochs=2, size=32, loss="mae", quiet=True)
        >>> sorted(path.name for path in run.glob("*.safetensors"))
        ['best.safetensors', 'weights.safetensors']

    Args:
        method: one of `facesketch.list_methods()`, or complete settings in place of the other arguments.
        out: the run folder to make.
        data: the folder of pairs.
        quiet: show no progress.
        **settings: `direction`, any key of the TOML file's sections, or an option of the method.

    Raises:
        ConfigError: a setting is unknown or out of range, the folder already holds a run, or training diverges.
        DataError: there are no pairs.
        ResourceError: there is not enough memory; the message names the next smaller setting.
        OutputError: the disk is full, or another process is writing into the run folder.
    """
    if isinstance(method, RunConfig):
        config = method
    else:
        config = configure(method, settings | ({"folder": data} if data is not None else {}))
    require_folder_name(Path(out))
    with _held(Path(out)):
        return _run(run_folder.begin(config, Path(out)), Path(out), quiet, fresh=True)


def resume(out: str | Path, *, data: str | Path | None = None, quiet: bool = False, **changes: int | str) -> Path:
    """Resume a run that was stopped, or make one longer, and return its folder.

    Examples:
        >>> import facesketch
        >>> facesketch.resume("runs/first", epochs=3, quiet=True).name
        'first'

    Args:
        out: the run folder.
        data: where the pictures are now, if they have moved.
        quiet: show no progress.
        **changes: `epochs`, `steps`, `precision`, `workers`, `threads`, `devices` or `compile`.

    Raises:
        CheckpointError: there is no run, or its state is damaged.
        DataError: the pictures are missing or have changed since the run began.
        ConfigError: another setting, an unknown precision, or a length that the run has passed.
        OutputError: another process is writing into the run folder.
    """
    folder = Path(out)
    run_folder.reopen(folder)  # raises before a lock makes the folder
    with _held(folder):
        config = run_folder.reopen(folder)
        settings, pictures = config.train.model_dump(), config.data.model_dump()
        if {"epochs", "steps"} & changes.keys():  # either replaces the other
            settings |= {"epochs": None, "steps": None}
        for name, value in changes.items():
            require_known(name, CHANGEABLE, "a setting that a run cannot change:")
            (pictures if name in DataConfig.model_fields else settings)[name] = value
        if data is not None:
            pictures["folder"] = Path(data).resolve()
        try:
            update = {"data": DataConfig(**pictures), "train": TrainConfig(**settings)}
        except ValidationError as error:
            raise ConfigError(explain(error, RunConfig, settings=True)) from error
        config = config.model_copy(update=update)
        state = load_state(folder)
        done = {"steps": state["position"]["step"], "epochs": state["position"]["epoch"]} if state else {}
        del state  # it is as large as the training
        for name, count in done.items():
            asked = getattr(config.train, name)
            if asked is not None and asked < count:
                raise ConfigError(f"`{name}` {asked}: {folder} has already done {count} {name}", "give more, or none")
        if data is None and run_folder.finished(folder) and not {"epochs", "steps"} & changes.keys():
            return folder
        return _run(config, folder, quiet, fresh=False)


def _held(folder: Path) -> AbstractContextManager[None]:
    """Hold a run folder; of processes that train together, the first does so for all."""
    return hold(folder) if is_first_process() else nullcontext()


def _run(config: RunConfig, out: Path, quiet: bool, *, fresh: bool) -> Path:
    """Check what a training needs before anything is written, open its folder, and run the loop."""
    for name in EXTRAS.keys() & set(config.train.log):
        require(name, f"`log` {name}")
    try:
        parts = run_folder.read_split(config)
    except DataError as error:
        if fresh:
            raise
        raise DataError(error.seen, "if the pictures have moved, say where they are now with `data`") from error
    method = method_class(config.method.name)
    method.check_pairs(config, [*parts.train, *parts.validation])
    for name in method.needs(method.Options.model_validate(config.method.options)):
        locate(name)  # raises if the weights are not here
    again = "give" if fresh else f"`resume` {out} with"
    fabric = launch(steady(config, parts, f"{again} `precision` fp32", quiet=quiet))
    cost = estimate(config, half=is_half(fabric), pairs=len(parts.train))
    free, here = free_memory(fabric.device), int(os.environ.get("LOCAL_WORLD_SIZE", config.train.devices))
    needed = cost.memory * (here if fabric.device.type == "cpu" else 1)  # its processes share the memory
    if free is not None and needed > free:  # on a CPU, the system would just kill the process
        raise out_of_memory(config, needed=needed, free=free)
    quiet = quiet or not fabric.is_global_zero
    if fabric.is_global_zero:
        if fresh:
            require_room(out, cost)
            for name in (LOG, run_folder.ENVIRONMENT):  # of a run that kept no weights
                (out / name).unlink(missing_ok=True)
        run_folder.record(out, config, run_folder.describe(parts, device_name(fabric.device), precision_name(fabric)))
        run_folder.write_config(config, out)
    with one_line_errors(config, out), crash_told(f"resume {out}{' with precision fp32' if is_half(fabric) else ''}"):
        training = prepare(config, out, fabric, parts)
        position, total = training.position, training.total_steps
        if not quiet:
            side = median_high(max(placement.content) for placement in training.data.photos.placements)
            announce(config, parts, cost, fabric, position.step, total, side)
        alone = fabric.world_size == 1  # several processes would stop at different steps and wait for each other
        with (
            bar(config.method.name, total, position.step, training.optimisers, quiet=quiet) as teller,
            held_back(when=alone) as stopped,
            open_loggers(
                config if training.writes else None, out, position.step, position.epoch, quiet=quiet
            ) as training.log.loggers,
        ):
            fit(training, teller, stopped)
    return out


def fit(training: Training, teller: Teller, stopped: Callable[[], int] = lambda: 0) -> None:
    """Run epochs until the steps are done, keeping weights, best weights, samples and a resumable state.

    Args:
        training: where to go on.
        teller: shows each step and epoch.
        stopped: returns the number of a signal that came, or 0; asked after each step.
    """
    position, total = training.position, training.total_steps
    while position.step < total or position.batches_done:  # stopped between the last step and its epoch's end
        training.method.train()
        for group in _groups(training):
            started = time.monotonic()
            losses = optimise(training, group)
            training.note(losses, len(group))
            position.seconds += time.monotonic() - started
            teller.step(losses)
            signalled = stopped()
            if training.fabric.world_size == 1 and (signalled or training.due(training.state_written)):
                keep(training)
            if signalled:
                done = f"stopped after step {position.step:,} of {total:,}"
                end_by(signalled, f"{done}; go on with `resume` {training.out}")
        position.epoch, position.batches_done = position.epoch + 1, 0
        if training.writes:
            teller.epoch(_validate(training))
        position.sums, position.steps_in_epoch = {}, 0
        if training.due(training.weights_written) or position.step >= total:
            training.weights_written = time.monotonic()
            if training.writes:
                notes = {"epoch": position.epoch, "step": position.step}
                save_weights(training.out / WEIGHTS, training.model, training.config, notes)
            keep(training)
    if training.writes:
        training.log.event("end", step=position.step, epoch=position.epoch, seconds=round(position.seconds, 3))
        (training.out / PREVIOUS).unlink(missing_ok=True)  # the last state is whole and is not written over


def _groups(training: Training) -> Iterator[list[Batch]]:
    """Yield the batches of each step that is left of the epoch."""
    settings, position, fabric = training.settings, training.position, training.fabric
    share = {"rank": fabric.global_rank, "world": fabric.world_size}
    keys = epoch_keys(len(training.data), settings.batch_size or 1, position.epoch, **share)[position.batches_done :]
    stream = batches(training.data, keys, training.config.direction, training.config.data.workers)
    while position.step < training.total_steps and (group := list(islice(stream, settings.accumulate))):
        yield group


def optimise(training: Training, group: Sequence[Batch]) -> dict[str, Tensor]:
    """Take one optimiser step and return its losses, averaged over the group and over processes.

    The gradients of the group's batches add up, and each phase's optimiser steps on the last one, so a step needs the
    memory of one batch.
    """
    fabric, optimisers = training.fabric, training.optimisers
    rate = factor(training.settings.schedule, training.position.step, training.total_steps)
    for each in optimisers.values():
        for parameters in each.param_groups:
            asked = training.settings.learning_rate or 0.0  # older states have no initial rate
            parameters["lr"] = parameters.get("initial_lr", asked) * rate
    losses: dict[str, Tensor] = {}
    for number, batch in enumerate(group, start=1):
        phases = training.method.training_step(training.placed(batch))
        while True:
            with fabric.autocast():
                phase = next(phases, None)
            if phase is None:
                break
            fabric.backward(phase.loss / len(group))
            if number == len(group):
                average_gradients(fabric, optimisers[phase.name])
                if (most := training.settings.clip) is not None:
                    groups = optimisers[phase.name].param_groups
                    torch.nn.utils.clip_grad_norm_([each for group in groups for each in group["params"]], most)
                optimisers[phase.name].step()
                optimisers[phase.name].zero_grad(set_to_none=True)
            for name, value in {phase.name: phase.loss.detach(), **phase.logged}.items():
                losses[name] = losses.get(name, torch.zeros((), device=value.device)) + value / len(group)
    if training.averaged is not None:
        training.averaged.update_parameters(training.method)
    return {name: mean_over_processes(fabric, value) for name, value in losses.items()}


def factor(schedule: Literal["constant", "linear"], step: int, total: int) -> float:
    """Return the factor of the learning rate at `step` (0-based) of `total`.

    `linear` is that of CycleGAN and Pix2Pix: constant for the first half, then straight down to zero.
    """
    return 1.0 if schedule == "constant" else min(1.0, 2.0 * (1.0 - step / total))


def _validate(training: Training) -> dict[str, Any]:
    """Close an epoch: validate, write the best weights and samples, and return the log's line."""
    position, settings, by = training.position, training.settings, training.settings.best_by
    training.model.eval()
    as_it_is = torch.compiler.set_stance("force_eager") if settings.compile else nullcontext()  # not compiled once more
    with as_it_is, training.fabric.autocast():
        placed = [training.placed(batch) for batch in training.validation]
        figures = validate(training.model, placed) if placed else {}
    training.refuse_divergence(figures)
    before, better = position.best, bool(figures) and is_better(by, figures, position.best)
    if better:
        position.best = figures[by]
        notes = {"epoch": position.epoch, "step": position.step, "validation": figures}
        save_weights(training.out / BEST, training.model, training.config, notes)
    why = "no validation pairs, so the last weights are the ones to use"
    if figures and before is None:
        why = f"first validation: {by} {figures[by]:.4f}"
    elif figures:
        why = f"{by} {figures[by]:.4f} is {'better' if better else 'not better'} than {before:.4f}"
    line = {
        "step": position.step,
        "epoch": position.epoch,
        "train": {name: round(value / position.steps_in_epoch, 8) for name, value in position.sums.items()},
        "validation": figures,
        "best": better,
        "why": why,
        "seconds": round(position.seconds, 3),
    }
    training.log.event("epoch", **line)
    due = position.epoch % settings.sample_every == 0 or position.step >= training.total_steps
    if training.validation and settings.samples and due:
        with training.fabric.autocast():
            page = sample_sheet(training.model, training.placed(training.validation[0].first(settings.samples)))
        save_image(page, training.out / run_folder.SAMPLES / f"epoch-{position.epoch:04d}.png")
        for each in training.log.loggers:
            each.picture(page, position.step)
    return line
