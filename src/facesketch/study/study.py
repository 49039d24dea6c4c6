"""A study as a folder: every cell of the grid, trained and evaluated.

What is finished is not done again, so a study can be interrupted anywhere and started again:

    plan.json                 every cell and its settings
    runs/CELL/                a training's run folder
    failed/CELL.json          why a cell could not be done, if one could not
    results/RESULT.json       measures of one cell in one direction, beside the baselines
    pictures/photo, sketch    a few test pairs, and pictures/RESULT what each cell makes of them
    samples.png               all of them on one sheet
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image
from pydantic import field_validator

from facesketch.config import DIRECTIONS, Direction, Frozen
from facesketch.data.index import index
from facesketch.data.pairs import Pair
from facesketch.data.split import split
from facesketch.errors import ConfigError, DataError, FacesketchError
from facesketch.evaluation.evaluate import Evaluation, file_name
from facesketch.evaluation.evaluator import require_metrics
from facesketch.files import read_json, write_json
from facesketch.images.contact_sheet import sheet
from facesketch.images.io import save_image
from facesketch.inference.translator import load
from facesketch.methods.families import FAMILIES
from facesketch.study.grid import PRESETS, Cell, plan
from facesketch.training import run_folder as run
from facesketch.training.lock import hold
from facesketch.training.trainer import resume, train

SHOWN = 6
"""Test people on the sample sheets."""


class _Plan(Frozen):
    data: Path
    preset: str
    seeds: int | None
    cells: tuple[Cell, ...]
    metrics: tuple[str, ...] = ()

    @field_validator("cells")
    @classmethod
    def _of_this_version(cls, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        for cell in cells:
            if cell.method not in FAMILIES or not cell.name or Path(cell.name).name != cell.name:
                raise ValueError(f"no cell of a study: {cell.name}")
        return cells


@dataclass(frozen=True)
class Study:
    """A study's folder and its cells."""

    data: Path
    out: Path
    cells: tuple[Cell, ...]
    preset: str
    seeds: int | None = None
    metrics: tuple[str, ...] = ()

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

        Args:
            data: the folder of pairs.
            out: the study's folder.
            preset: a key of `PRESETS`.
            only: as in `plan`.
            seeds: as in `plan`.
            metrics: what to measure; empty for those of an earlier call, or else the preset's.

        Raises:
            ConfigError: an unknown preset, cell or metric, metrics that are all left out, or a folder that holds a
                study of other pictures, another preset or other metrics.
            DataError: nothing pairs, nobody trains or tests, or a test photo and its sketch differ in size.
            ImageError: a test picture cannot be read.
            OutputError: another process is writing into the folder.
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
            plan = _Plan.model_validate(read_json(out / "plan.json"))
        except (OSError, ValueError) as error:
            raise DataError(f"{out}: holds no study", f"type: facesketch study DATA --out {out}") from error
        return cls(plan.data, out, plan.cells, plan.preset, plan.seeds, plan.metrics)

    def run_folder(self, cell: Cell) -> Path:
        """Return where a cell is trained."""
        return self.out / "runs" / cell.name

    def result_file(self, name: str) -> Path:
        """Return where a result is kept."""
        return self.out / "results" / f"{name}.json"

    def failure(self, cell: Cell) -> str | None:
        """Return why a cell could not be done, or None."""
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
        _show_people(study)
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
    if not (folder / run.CONFIG).exists() and cell.extends:
        coming = folder.with_name(f".{cell.name}.part")
        shutil.rmtree(coming, ignore_errors=True)
        shutil.copytree(study.out / "runs" / cell.extends, coming)
        run.write_config(cell.config(study.data), coming)
        coming.replace(folder)
    if (folder / run.CONFIG).exists():
        resume(folder, quiet=quiet, epochs=cell.settings["epochs"])
    else:
        train(cell.config(study.data), folder, quiet=quiet)


def _evaluate(study: Study, cell: Cell, evaluations: dict[Direction, Evaluation]) -> None:
    """Measure what is not measured yet, keeping the translated test pictures and the result."""
    translator = load(study.run_folder(cell) if cell.learned else cell.method)
    for direction, name in cell.results.items():
        if study.result_file(name).exists():
            continue
        if direction not in evaluations:
            evaluations[direction] = Evaluation(study.data, direction=direction, metrics=study.metrics or None)
        results = evaluations[direction].of(translator, name=name, pictures=study.out / "pictures" / name)
        results.save(study.result_file(name))


def people(study: Study) -> list[Pair]:
    """Return the test pairs that the sample sheets show, spread over the test set."""
    test = split(index(study.data).pairs).test
    step = max(1, len(test) // SHOWN)
    return list(test[::step][:SHOWN])


def _show_people(study: Study) -> None:
    for pair in people(study):
        for kind, source in (("photo", pair.photo), ("sketch", pair.sketch)):
            save_image(source.open(), study.out / "pictures" / kind / f"{file_name(pair.stem)}.png")


def samples(study: Study) -> Image.Image:
    """Return one sheet of both directions: a row per person, with input, one variant of each family, and truth."""
    pages = [page for direction in DIRECTIONS if (page := _direction_sheet(study, direction)) is not None]
    if not pages:
        raise DataError(f"{study.out}: no cell has finished, so there is nothing to show")
    width, height = max(page.width for page in pages), sum(page.height for page in pages)
    whole = Image.new("RGB", (width, height), (255, 255, 255))
    top = 0
    for page in pages:
        whole.paste(page, (0, top))
        top += page.height
    return whole


def _direction_sheet(study: Study, direction: Direction) -> Image.Image | None:
    shown = _variants(study, direction)
    if not shown:
        return None
    source, truth = direction.split("2")
    folders = [source, *shown, truth]
    titles = [source, *(name.split(".")[0] for name in shown), truth]
    stems = sorted(path.stem for path in (study.out / "pictures" / "photo").glob("*.png"))
    rows = [[_picture(study.out / "pictures" / folder / f"{stem}.png") for folder in folders] for stem in stems]
    return sheet(rows, titles, stems)


def _variants(study: Study, direction: Direction) -> list[str]:
    """Return what stands for each family: the last of its variants, with the largest latent and the longest training.

    Of the convolutional autoencoders it is that of the squared error, the loss of the paper, where it was trained.
    """
    found: dict[str, list[str]] = {}
    for cell in study.cells:
        name = cell.results.get(direction)
        if name and (study.out / "pictures" / name).is_dir():
            found.setdefault(cell.method, []).append(name)
    squared = [name for name in found.get("conv-ae", []) if "-mse" in name]
    if squared:
        found["conv-ae"] = squared
    return [names[-1] for names in found.values()]


def _picture(path: Path) -> Image.Image | None:
    if not path.exists():
        return None
    with Image.open(path) as picture:
        return picture.copy()
