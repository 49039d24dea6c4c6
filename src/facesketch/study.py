"""The study's grid: families, losses, latents, epochs and both directions, trained, evaluated and kept on disk.

A study is a folder. Whatever is finished in it is not done again, so it can be cut off anywhere and started again:

    plan.json                 every cell and its settings
    runs/CELL/                a training's run folder
    failed/CELL.json          why a cell could not be done, if one could not
    results/RESULT.json       measures of one cell in one direction, beside the floors
    pictures/photo, sketch    a few test pairs, and pictures/RESULT what each cell makes of them
    samples.png               all of them on one sheet
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from facesketch.config import DIRECTIONS, Direction, RunConfig, configure
from facesketch.data.index import Pair, index
from facesketch.data.split import split
from facesketch.errors import ConfigError, DataError, FacesketchError, nearest
from facesketch.evaluate import evaluate_model
from facesketch.files import write_json
from facesketch.floors import Floors, floors
from facesketch.images import save_image
from facesketch.methods import METHODS, resolve
from facesketch.results import Results
from facesketch.sheet import sheet
from facesketch.training import run
from facesketch.training.trainer import resume, train
from facesketch.translate import load

SHOWN = 6
"""Test people on the sample sheets."""


@dataclass(frozen=True)
class Preset:
    """How large and how long a study is.

    Attributes:
        size: pixels of the frame.
        epochs: per method; several for pix2pix, which the study compares at different lengths.
        options: settings and options of a method beside the grid's own.
        about: one line for people.
    """

    size: int
    epochs: dict[str, tuple[int, ...]]
    options: dict[str, dict[str, Any]]
    about: str


PRESETS: dict[str, Preset] = {
    "quick": Preset(
        size=64,
        epochs={"dense-ae": (60,), "conv-ae": (80,), "conv-vae": (80,), "pix2pix": (4, 8, 20), "cyclegan": (20,)},
        options={
            "dense-ae": {"batch_size": 8},
            "conv-ae": {"batch_size": 8},
            "conv-vae": {"batch_size": 8},
            "pix2pix": {"width": 32},
            "cyclegan": {"width": 16, "blocks": 4},
        },
        about="minutes on a laptop: 64 pixels, narrow GANs, enough to see that everything works",
    ),
    "standard": Preset(
        size=128,
        epochs={"dense-ae": (120,), "conv-ae": (120,), "conv-vae": (120,), "pix2pix": (10, 20, 40), "cyclegan": (12,)},
        options={"pix2pix": {"width": 32}, "cyclegan": {"width": 32, "blocks": 6}},
        about="an hour or so without a GPU: 128 pixels, GANs of half width, two fifths of the study's epochs or less",
    ),
    "study": Preset(
        size=256,
        epochs={
            "dense-ae": (500,),
            "conv-ae": (500,),
            "conv-vae": (500,),
            "pix2pix": (20, 40, 100),
            "cyclegan": (100,),
        },
        options={},
        about="the study's own sizes and epochs: hours on a GPU, days without",
    ),
}


@dataclass(frozen=True)
class Cell:
    """One training of the grid, or a method that needs none.

    Attributes:
        name: unique in the study, and the name of its run folder.
        method: which family.
        direction: what it learns; None for one training that serves both.
        settings: flat settings and options, as `facesketch train` takes them.
        extends: a shorter cell of the same settings, whose run is copied and made longer.
    """

    name: str
    method: str
    direction: Direction | None
    settings: dict[str, Any] = field(default_factory=dict)
    extends: str | None = None

    @property
    def learned(self) -> bool:
        """Tell whether there is anything to train."""
        return METHODS[self.method].learned

    @property
    def results(self) -> dict[Direction, str]:
        """Return the name of each direction's result."""
        if self.direction is not None:
            return {self.direction: self.name}
        return {direction: f"{self.name}.{direction}" for direction in METHODS[self.method].directions}

    def config(self, data: Path) -> RunConfig:
        """Return the resolved settings of its training."""
        settings = self.settings | {"folder": data} | ({"direction": self.direction} if self.direction else {})
        return resolve(configure(self.method, settings))


VARIANTS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "dense-ae": (("", {}),),
    "conv-ae": (("-mse", {"loss": "mse"}), ("-mae", {"loss": "mae"}), ("-bce", {"loss": "bce"})),
    "conv-vae": (("-2", {"latent": 2}), ("-4", {"latent": 4}), ("-12", {"latent": 12})),
    "pix2pix": (("", {}),),
    "cyclegan": (("", {}),),
}
"""What the study varies within a family; each variant is a name's ending and its options."""


def plan(preset: str, *, only: Sequence[str] = (), seeds: int = 1) -> list[Cell]:
    """Return the cells of a study, those that others are made longer from first.

    Args:
        preset: a key of `PRESETS`.
        only: methods, cells or beginnings of cell names; all when empty.
        seeds: how often each cell is trained, with seeds from 0 up.

    Raises:
        ConfigError: an unknown preset, or an `only` that matches nothing.
    """
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset '{preset}'{nearest(preset, PRESETS)}; known: {', '.join(PRESETS)}")
    cells = [cell for seed in range(seeds) for cell in _grid(PRESETS[preset], seed)]
    cells += [Cell("pencil", "pencil", "photo2sketch")]
    unknown = [part for part in only if not any(_matches(cell, part) for cell in cells)]
    if unknown:
        names = [*METHODS, *(cell.name for cell in cells)]
        raise ConfigError(f"--only {unknown[0]}: no such cell{nearest(unknown[0], names)}; known: {', '.join(METHODS)}")
    return _with_shorter([cell for cell in cells if not only or any(_matches(cell, part) for part in only)], cells)


def _matches(cell: Cell, part: str) -> bool:
    return part in {cell.method, cell.name, cell.direction} or cell.name.startswith(part)


def _with_shorter(chosen: list[Cell], cells: list[Cell]) -> list[Cell]:
    """Add the shorter runs that chosen cells are made longer from."""
    wanted = {cell.name for cell in chosen}
    for cell in reversed(cells):
        if cell.name in wanted and cell.extends:
            wanted.add(cell.extends)
    return [cell for cell in cells if cell.name in wanted]


def _grid(preset: Preset, seed: int) -> Iterator[Cell]:
    tail = f".seed{seed}" if seed else ""
    for method, variants in VARIANTS.items():
        directions: tuple[Direction | None, ...] = (None,) if METHODS[method].both_ways else DIRECTIONS
        for ending, options in variants:
            for direction in directions:
                shorter = None
                for epochs in preset.epochs[method]:
                    length = f"-{epochs}" if len(preset.epochs[method]) > 1 else ""
                    name = f"{method}{ending}{length}{f'.{direction}' if direction else ''}{tail}"
                    settings = {
                        "size": preset.size,
                        "epochs": epochs,
                        "seed": seed,
                        "sample_every": max(1, epochs // 4),
                    }
                    settings |= preset.options.get(method, {}) | options
                    yield Cell(name, method, direction, settings, extends=shorter)
                    shorter = name


@dataclass(frozen=True)
class Study:
    """A study's folder and what is to be in it."""

    data: Path
    out: Path
    cells: tuple[Cell, ...]
    preset: str
    seeds: int = 1
    metrics: tuple[str, ...] = ()

    @classmethod
    def begin(
        cls,
        data: Path,
        out: Path,
        preset: str,
        *,
        only: Sequence[str] = (),
        seeds: int = 1,
        metrics: Sequence[str] = (),
    ) -> Study:
        """Plan a study and write the plan; cells that an earlier call planned in the same folder stay in it.

        Args:
            data: the folder of pairs.
            out: the study's folder.
            preset: a key of `PRESETS`.
            only: as in `plan`.
            seeds: as in `plan`.
            metrics: what to measure; empty for those of an earlier call, or else all.

        Raises:
            ConfigError: an unknown preset or cell, or a folder that holds a study of other pictures or another preset.
            DataError: nothing pairs.
        """
        before = cls.read(out) if (out / "plan.json").exists() else None
        measured = tuple(metrics) or (before.metrics if before else ())
        study = cls(data.resolve(), out, tuple(plan(preset, only=only, seeds=seeds)), preset, seeds, measured)
        if before is not None and (before.data, before.preset) != (study.data, study.preset):
            raise ConfigError(f"{out}: holds a '{before.preset}' study of {before.data}; give another --out")
        kept = before.cells if before else ()
        merged = (*kept, *(cell for cell in study.cells if cell.name not in {old.name for old in kept}))
        value = {
            "data": str(study.data),
            "preset": preset,
            "seeds": seeds,
            "metrics": measured,
            "cells": [asdict(cell) for cell in merged],
        }
        index(study.data)  # a folder in which nothing pairs is refused before anything is written
        write_json(out / "plan.json", value)
        return study

    @classmethod
    def read(cls, out: Path) -> Study:
        """Return the study that a folder holds.

        Raises:
            DataError: it holds none.
        """
        try:
            value = json.loads((out / "plan.json").read_text(encoding="utf-8"))
            cells = tuple(Cell(**cell) for cell in value["cells"])
            metrics = tuple(value.get("metrics", ()))
            return cls(Path(value["data"]), out, cells, value["preset"], value["seeds"], metrics)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{out}: holds no study; type: facesketch study DATA --out {out}") from error

    def run_folder(self, cell: Cell) -> Path:
        """Return where a cell is trained."""
        return self.out / "runs" / cell.name

    def result_file(self, name: str) -> Path:
        """Return where a result is kept."""
        return self.out / "results" / f"{name}.json"

    def failure(self, cell: Cell) -> str | None:
        """Return why a cell could not be done, or None."""
        path = self.out / "failed" / f"{cell.name}.json"
        return json.loads(path.read_text(encoding="utf-8"))["why"] if path.exists() else None

    def done(self, cell: Cell) -> bool:
        """Tell whether a cell is trained and evaluated."""
        return all(self.result_file(name).exists() for name in cell.results.values())


def carry_out(study: Study, *, quiet: bool = False) -> Iterator[tuple[Cell, str | None]]:
    """Train and evaluate what is missing; yield each cell with why it failed, or None."""
    known: dict[Direction, Floors] = {}
    _show_people(study)
    for cell in study.cells:
        failed = study.out / "failed" / f"{cell.name}.json"
        try:
            if not study.done(cell):
                _train(study, cell, quiet=quiet)
                _evaluate(study, cell, known)
            failed.unlink(missing_ok=True)
        except Exception as error:  # a cell may fail in any way; the others go on, and the report says why
            why = str(error) if isinstance(error, FacesketchError) else f"{type(error).__name__}: {error}"
            write_json(failed, {"cell": cell.name, "why": why})
            yield cell, why
        else:
            yield cell, None
    save_image(samples(study), study.out / "samples.png")


def _train(study: Study, cell: Cell, *, quiet: bool) -> None:
    """Train a cell, going on where it was cut off, or where the shorter run that it extends ended."""
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


def _evaluate(study: Study, cell: Cell, known: dict[Direction, Floors]) -> None:
    """Measure what is not measured yet, keeping the translated test pictures and the result."""
    translator = load(study.run_folder(cell) if cell.learned else cell.method)
    for direction, name in cell.results.items():
        if study.result_file(name).exists():
            continue
        if direction not in known:
            known[direction] = floors(study.data, direction=direction, metrics=study.metrics or None)
        pictures = study.out / "pictures" / name
        results = evaluate_model(
            translator, study.data, direction=direction, floors=known[direction], pictures=pictures, name=name
        )
        results.save(study.result_file(name))


def people(study: Study) -> list[Pair]:
    """Return the test pairs that the sample sheets show, spread over the test set."""
    test = split(index(study.data).pairs).test
    step = max(1, len(test) // SHOWN)
    return list(test[::step][:SHOWN])


def _show_people(study: Study) -> None:
    for pair in people(study):
        for kind, source in (("photo", pair.photo), ("sketch", pair.sketch)):
            save_image(source.open(), study.out / "pictures" / kind / f"{pair.stem}.png")


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
    shown: dict[str, str] = {}
    for cell in study.cells:  # later variants of a family stand for it: the largest latent, the longest training
        name = cell.results.get(direction)
        if name and (study.out / "pictures" / name).is_dir() and not (cell.method == "conv-ae" and "-mse" not in name):
            shown[cell.method] = name
    if not shown:
        return None
    source, truth = direction.split("2")
    folders = [source, *shown.values(), truth]
    titles = [source, *shown, truth]
    stems = sorted(path.stem for path in (study.out / "pictures" / "photo").glob("*.png"))
    rows = [[_picture(study.out / "pictures" / folder / f"{stem}.png") for folder in folders] for stem in stems]
    return sheet(rows, titles, stems)


def _picture(path: Path) -> Image.Image | None:
    if not path.exists():
        return None
    with Image.open(path) as picture:
        return picture.copy()


def read_results(study: Study) -> dict[str, Results]:
    """Return every result that is on disk, by name, in the order of the plan."""
    names = [name for cell in study.cells for name in cell.results.values()]
    return {name: Results.load(study.result_file(name)) for name in names if study.result_file(name).exists()}
