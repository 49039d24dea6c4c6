"""A study as a folder: every cell of the grid, trained and evaluated.

What is finished is not done again, so you can interrupt a study anywhere and start it again:

    plan.json                 every cell and its settings
    runs/CELL/                a training's run folder
    failed/CELL.json          why a cell failed, if it did
    results/RESULT.json       measures of one cell in one direction, beside the baselines
    pictures/photo, sketch    a few test pairs, and pictures/RESULT what each cell makes of them
    samples.png               all of them on one sheet
"""

from __future__ import annotations

import math
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from pydantic import ConfigDict, field_validator
from pydantic.dataclasses import dataclass

from facesketch.config import DIRECTIONS, ENDS, DataConfig, Direction
from facesketch.data.index import index
from facesketch.data.split import split
from facesketch.devices import computes_in_bf16, pick_device
from facesketch.errors import ConfigError, DataError, FacesketchError
from facesketch.evaluation.evaluate import Evaluation, file_name
from facesketch.evaluation.evaluator import require_metrics
from facesketch.files import read_json, write_json
from facesketch.images.contact_sheet import sheet
from facesketch.images.io import open_image, save_image
from facesketch.inference.engines.pencil_engine import PencilEngine
from facesketch.inference.translator import Translator, load
from facesketch.methods.families import FAMILIES
from facesketch.study.grid import PRESETS, Cell, plan
from facesketch.training import run_folder as run
from facesketch.training.cost import estimate, speed
from facesketch.training.lock import hold
from facesketch.training.log import LOG, Course
from facesketch.training.trainer import resume, train

_SHOWN = 6  # test people on the sample sheets


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Study:
    """A study's folder and its cells."""

    data: Path
    out: Path
    cells: tuple[Cell, ...]
    preset: str
    seeds: int | None = None
    metrics: tuple[str, ...] = ()

    @field_validator("cells")
    @classmethod
    def _of_this_version(cls, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        for cell in cells:
            if cell.method not in FAMILIES or not cell.name or Path(cell.name).name != cell.name:
                raise ValueError(f"no cell of a study: {cell.name}")
        return cells

    @classmethod
    def begin(
        cls,
        data: Path,
        out: Path,
        preset: str,
        *,
        only: Sequence[str] = (),
        seeds: int | None = None,
        metrics: Sequence[str] = (),
    ) -> Study:
        """Plan a study and write the plan; cells that an earlier call planned in the same folder stay in it.

        Arguments and errors are those of `facesketch.study.run`.
        """
        require_metrics(metrics)
        with hold(out):
            before = cls.read(out) if (out / "plan.json").exists() else None
            cells = tuple(plan(preset, only=only, seeds=seeds))
            measured = tuple(metrics) or (before.metrics if before else PRESETS[preset].metrics)
            study = cls(data.resolve(), out, cells, preset, seeds, measured)
            if before is not None and (before.data, before.preset) != (study.data, study.preset):
                raise ConfigError(f"{out}: holds a '{before.preset}' study of {before.data}", "give another `out`")
            if before is not None and set(measured) != set(before.metrics) and any(map(before.done, before.cells)):
                said = ", ".join(before.metrics) or "every metric that applies"
                raise ConfigError(f"{out}: is measured by {said}", "leave out `metrics`, or give another `out`")
            kept = before.cells if before else ()
            merged = (*kept, *(cell for cell in study.cells if cell.name not in {old.name for old in kept}))
            value = {
                "data": str(study.data),
                "preset": preset,
                "seeds": max(filter(None, (seeds, before.seeds if before else None)), default=None),
                "metrics": measured,
                "cells": [asdict(cell) for cell in merged],
            }
            _require_measurable(study)
            write_json(out / "plan.json", value)
            return study

    @classmethod
    def read(cls, out: Path) -> Study:
        """Return the study that a folder holds.

        Raises:
            DataError: it holds none.
        """
        try:
            return cls(**read_json(out / "plan.json") | {"out": out})
        except (OSError, ValueError) as error:
            raise DataError(f"{out}: holds no study", "run a study with this folder as `out`") from error

    def run_folder(self, cell: Cell) -> Path:
        """Return where a cell is trained."""
        return self.out / "runs" / cell.name

    def course(self, cell: Cell) -> Course:
        """Return how a cell's training went; empty if it has not begun."""
        return Course.read(self.run_folder(cell) / LOG)

    def result_file(self, name: str) -> Path:
        """Return where a result is kept."""
        return self.out / "results" / f"{name}.json"

    def failure(self, cell: Cell) -> str | None:
        """Return why a cell failed, or None."""
        path = self.out / "failed" / f"{cell.name}.json"
        try:
            return str(read_json(path)["why"]) if path.exists() else None
        except (OSError, ValueError, KeyError):
            return f"{path.name} cannot be read"

    def done(self, cell: Cell) -> bool:
        """Tell whether a cell is trained and evaluated."""
        return all(self.result_file(name).exists() for name in cell.results.values())


def _require_measurable(study: Study) -> None:
    """Refuse what would otherwise fail only after training, before anything is written."""
    index(study.data)
    missing = [cell for cell in study.cells if not study.done(cell)]
    learned = next((cell for cell in missing if cell.learned), None)
    if learned is not None:
        run.read_split(learned.config(study.data))
    for direction in DIRECTIONS:
        if any(direction in cell.results for cell in missing):
            Evaluation(study.data, direction=direction, metrics=study.metrics or None)


def carry_out(study: Study, *, quiet: bool = False) -> Iterator[tuple[Cell, str | None]]:
    """Train and evaluate what is missing; yield each cell with why it failed, or None.

    Raises:
        OutputError: another process is writing into the study's folder.
    """
    with hold(study.out):
        evaluations: dict[Direction, Evaluation] = {}
        test = split(index(study.data).pairs).test
        for pair in test[:: max(1, len(test) // _SHOWN)][:_SHOWN]:  # those whom the sample sheets show
            for domain, source in (("photo", pair.photo), ("sketch", pair.sketch)):
                save_image(source.open(), study.out / "pictures" / domain / f"{file_name(pair.stem)}.png")
        for cell in study.cells:
            failed = study.out / "failed" / f"{cell.name}.json"
            try:
                if not study.done(cell):
                    _train(study, cell, quiet=quiet)
                    _evaluate(study, cell, evaluations)
                failed.unlink(missing_ok=True)
            except Exception as error:  # a cell may fail in any way; the others go on, and the report says why
                why = str(error) if isinstance(error, FacesketchError) else f"{type(error).__name__}: {error}"
                write_json(failed, {"cell": cell.name, "why": why})
                yield cell, why
            else:
                yield cell, None
        save_image(samples(Study.read(study.out)), study.out / "samples.png")  # of every cell that the folder holds


def _train(study: Study, cell: Cell, *, quiet: bool) -> None:
    """Train a cell, resuming its own run or the shorter run that it extends."""
    folder = study.run_folder(cell)
    if not cell.learned or run.finished(folder):
        return
    shorter = study.out / "runs" / cell.extends if cell.extends else None
    if not (folder / run.CONFIG).exists() and shorter is not None and (shorter / run.CONFIG).exists():
        coming = folder.with_name(f".{cell.name}.part")
        shutil.rmtree(coming, ignore_errors=True)
        shutil.copytree(shorter, coming)
        run.write_config(cell.config(study.data), coming)
        coming.replace(folder)
    if (folder / run.CONFIG).exists():
        resume(folder, quiet=quiet, epochs=cell.settings["epochs"])
    else:
        train(cell.config(study.data), folder, quiet=quiet)


def _evaluate(study: Study, cell: Cell, evaluations: dict[Direction, Evaluation]) -> None:
    """Measure what is not measured yet, keeping the translated test pictures and the result."""
    translator = load(study.run_folder(cell)) if cell.learned else Translator(PencilEngine(), name="pencil")
    for direction, name in cell.results.items():
        if study.result_file(name).exists():
            continue
        if direction not in evaluations:
            evaluations[direction] = Evaluation(study.data, direction=direction, metrics=study.metrics or None)
        results = evaluations[direction].of(translator, name=name, pictures=study.out / "pictures" / name)
        results.save(study.result_file(name))


def samples(study: Study) -> Image.Image:
    """Return one sheet of both directions: a row per person, with input, one variant of each family, and target."""
    stems = sorted(path.stem for path in (study.out / "pictures" / "photo").glob("*.png"))
    pages = []
    for direction in DIRECTIONS:
        source, target = ENDS[direction]
        shown = _variants(study, direction)
        columns = {source: source} | {cell.label: cell.results[direction] for cell in shown} | {target: target}
        files = [[study.out / "pictures" / folder / f"{stem}.png" for folder in columns.values()] for stem in stems]
        rows = [[open_image(file) if file.exists() else None for file in row] for row in files]
        pages += [sheet(rows, [textwrap.fill(title, 12) for title in columns], stems)] if shown else []
    if not pages:
        why = next(filter(None, map(study.failure, study.cells)), "")
        raise DataError(f"{study.out}: no cell has finished, so there is nothing to show", why)
    whole = Image.new("RGB", (max(page.width for page in pages), sum(page.height for page in pages)), "white")
    for place, page in enumerate(pages):
        whole.paste(page, (0, sum(before.height for before in pages[:place])))
    return whole


def _variants(study: Study, direction: Direction) -> list[Cell]:
    """Return what stands for each family: the last of its variants, with the largest latent and the longest training.

    Of the convolutional autoencoders it is that of the squared error, the loss of the paper, where it was trained.
    """
    found: dict[str, Cell] = {}
    for cell in study.cells:
        squared = cell.method in found and "-mse" in found[cell.method].name and "-mse" not in cell.name
        if direction in cell.results and (study.out / "pictures" / cell.results[direction]).is_dir() and not squared:
            found[cell.method] = cell
    return list(found.values())


class Cost(NamedTuple):
    """What a cell still needs: steps, bytes at most, and seconds, by the speed of a convolution on this machine."""

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
    epochs_of = {cell.name: int(cell.settings.get("epochs", 0)) for cell in study.cells}
    costs = {}
    for cell in study.cells:
        if study.done(cell) or not cell.learned:
            continue
        config = cell.config(study.data)
        per_epoch = math.ceil(min(pairs, config.data.limit or pairs) / (config.train.batch_size or 1))
        # those of this cell's run, or those planned for the shorter one that it extends
        taken = study.course(cell).last.get("step") or epochs_of.get(cell.extends or "", 0) * per_epoch
        steps = max(0, (config.train.epochs or 1) * per_epoch - taken)
        size = estimate(config, half=half)
        costs[cell.name] = Cost(size.parameters, steps, size.memory, size.flops / pace * steps)
    return costs
