"""A study's results, ready to be compared: one per variant and direction, averaged over its seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facesketch.config import Direction
from facesketch.evaluation.results import Baseline, Measure, Results, require_same_pictures
from facesketch.metrics.bootstrap import Bootstrap, Interval
from facesketch.study.grid import Cell, seedless
from facesketch.study.study import Study

PRIMARY = "fsim"
"""The measure that ranks, and that claims are judged by: it looks at structure, as people do at sketches."""


@dataclass(frozen=True)
class VariantResult:
    """The results of one variant of a family in one direction, and its cells, one per seed."""

    name: str
    """That of its first seed's result, without the seed."""
    cells: tuple[Cell, ...]
    direction: Direction
    results: Results
    """Averaged over seeds, picture by picture."""
    seconds: float | None
    """How long one training took, averaged over seeds; None if no log says."""

    @property
    def cell(self) -> Cell:
        """The cell of its first seed."""
        return self.cells[0]


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
        seconds = [spent for cell in cells if (spent := study.course(cell).seconds) is not None]
        mean = sum(seconds) / len(seconds) if seconds else None
        found[name] = VariantResult(name, cells, direction, average([each for _, each in group], name), mean)
    return found


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
