"""A study's results, ready to be compared: one per variant and direction, averaged over its seeds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facesketch.config import Direction
from facesketch.evaluation.results import Baseline, Measure, Results, require_same_pictures
from facesketch.metrics.bootstrap import Bootstrap, Interval
from facesketch.study.grid import NAMED, VARIANTS, Cell
from facesketch.study.study import Study
from facesketch.training.log import LOG, Course

PRIMARY = "fsim"
"""The measure that ranks, and that claims are judged by: it looks at structure, as people do at sketches."""
FAMILIES = {
    "dense-ae": "Dense autoencoder",
    "conv-ae": "CAE",
    "conv-vae": "CVAE",
    "pix2pix": "Pix2Pix",
    "cyclegan": "CycleGAN",
    "sparse-ae": "Sparse autoencoder",
    "cogan": "CoGAN",
    "unit": "UNIT",
    "lle": "LLE",
    "mrf": "MRF",
    "pencil": "Pencil filter",
}
"""Short names of the families."""
WAYS: dict[Direction, str] = {"photo2sketch": "photo to sketch", "sketch2photo": "sketch to photo"}


@dataclass(frozen=True)
class VariantResult:
    """The results of one variant of a family in one direction.

    Attributes:
        name: of its first seed's result, without the seed.
        cells: the cells it comes from, one per seed.
        direction: what was translated.
        results: averaged over seeds, picture by picture.
        seconds: what one training took, averaged over seeds; None where no log tells.
    """

    name: str
    cells: tuple[Cell, ...]
    direction: Direction
    results: Results
    seconds: float | None

    @property
    def label(self) -> str:
        """Its name for people."""
        return label(self.cells[0])

    @property
    def method(self) -> str:
        """The name of its family."""
        return self.cells[0].method

    @property
    def learned(self) -> bool:
        """Tell whether it was trained."""
        return self.cells[0].learned

    @property
    def built(self) -> bool:
        """Tell whether the study built it, and not only named it."""
        return self.cells[0].built


def variant_results(study: Study) -> dict[str, VariantResult]:
    """Return the results on disk, by name without the seed, in the order of the plan.

    Raises:
        DataError: a result is damaged, or two seeds were measured on different pictures.
    """
    groups: dict[tuple[str, Direction], list[tuple[Cell, Results]]] = defaultdict(list)
    for cell in study.cells:
        for direction, name in cell.results.items():
            if study.result_file(name).exists():
                groups[seedless(name), direction].append((cell, Results.load(study.result_file(name))))
    found = {}
    for (name, direction), group in groups.items():
        cells = tuple(cell for cell, _ in group)
        seconds = [spent for cell in cells if (spent := training_seconds(study, cell)) is not None]
        mean = sum(seconds) / len(seconds) if seconds else None
        found[name] = VariantResult(name, cells, direction, average([each for _, each in group], name), mean)
    return found


def seedless(name: str) -> str:
    """Return a cell's or result's name without its seed."""
    return re.sub(r"\.seed\d+", "", name)


def label(cell: Cell) -> str:
    """Return the name of a cell for people: its family, and what sets it apart in that."""
    settings, parts = cell.settings, []
    if cell.method != "dense-ae" and "loss" in settings:
        parts.append(str(settings["loss"]).upper())
    parts += [f"{name} {settings[name]}" for name in ("latent", "noise") if name in settings]
    endings = [ending for families in (VARIANTS, NAMED) for ending, _ in families.get(cell.method, ())]
    unlengthened = {f"{cell.method}{ending}" for ending in endings}
    if "epochs" in settings and cell.name.partition(".")[0] not in unlengthened:  # the name bears a length
        parts.append(f"{settings['epochs']} epochs")
    family = FAMILIES.get(cell.method, cell.method)
    return f"{family} ({', '.join(parts)})" if parts else family


def training_seconds(study: Study, cell: Cell) -> float | None:
    """Return the seconds that a cell's optimiser steps took, those of the run that it extends included."""
    return Course.read(study.run_folder(cell) / LOG).seconds


def average(results: Sequence[Results], name: str) -> Results:
    """Return the mean of several seeds' results, picture by picture, with intervals of that mean.

    Numbers of whole sets have no pictures to average over; their values and the ends of their intervals are averaged.

    Raises:
        DataError: they are of different pictures.
    """
    first, count = results[0], len(results)
    for other in results[1:]:
        require_same_pictures(first, other)
    if count == 1:
        return first.model_copy(update={"name": name})
    metrics = {}
    for key, measure in first.metrics.items():
        if all(key in each.metrics for each in results):
            values = np.mean([each.metrics[key].values for each in results], axis=0)
            metrics[key] = measured(first, values.tolist(), measure)
    sets = {}
    for key, whole in first.sets.items():
        if all(key in each.sets for each in results):
            ends = {end: sum(getattr(each.sets[key], end) for each in results) / count for end in Interval.model_fields}
            sets[key] = whole.model_copy(update=ends)
    curves = {
        key: tuple(np.mean([each.curves[key] for each in results], axis=0).tolist())
        for key in first.curves
        if all(key in each.curves for each in results)
    }
    seconds = {key: sum(each.seconds.get(key, 0.0) for each in results) / count for key in first.seconds}
    return first.model_copy(
        update={"name": name, "metrics": metrics, "sets": sets, "curves": curves, "seconds": seconds}
    )


def measured(results: Results, values: Sequence[float], like: Measure) -> Measure:
    """Return a measure with other values, one per picture of some results, and their mean and interval."""
    return like.model_copy(update={"values": tuple(values)} | Bootstrap(results.subjects).mean(values).model_dump())


def baseline_results(results: Results, baseline: Baseline) -> Results:
    """Return a baseline as if it were a model's results on the same pictures."""
    metrics = {
        name: results.metrics[name].model_copy(update=estimate.model_dump())
        for name, estimate in baseline.metrics.items()
        if name in results.metrics
    }
    return results.model_copy(update={"name": baseline.title, "metrics": metrics, "sets": baseline.sets})
