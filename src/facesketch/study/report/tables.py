"""The report's tables: who ranks where, what it cost, and what the machine and the data were."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from facesketch.config import Direction
from facesketch.errors import FacesketchError
from facesketch.evaluation.results import Measure, Results, paired_difference
from facesketch.files import read_json
from facesketch.methods.families import FAMILIES
from facesketch.metrics.bootstrap import Interval
from facesketch.study.aggregate import PRIMARY, VariantResult, baseline_results
from facesketch.study.grid import Cell
from facesketch.study.study import Study
from facesketch.training import run_folder as run
from facesketch.training.cost import estimate
from facesketch.training.progress import duration

FIRST = (PRIMARY, "ssim", "lpips-alex", "scoot")
"""The main table shows the first three of these that were measured; all other measures stand in a second table."""
UNRANKED: Literal["–"] = "–"
_HASH = 12


class Row(NamedTuple):
    """One model or baseline of a table."""

    rank: int | Literal["–"] | None
    """Its place among the models; `UNRANKED` where what ranks was not measured, None for a baseline."""
    label: str
    measured: Mapping[str, Interval]
    best: Collection[str] = ()
    """The metrics in which it is shown to be better than the next."""
    named: bool = False
    """The study names it and did not build it."""
    bar: tuple[float, float, float] | None = None
    """The interval of what ranks, as percentages of the table's range: left end, width and value."""


class Table(NamedTuple):
    """A ranked table: by metric the title and which values are better, and a row per model or baseline."""

    columns: Mapping[str, tuple[str, str]]
    rows: Sequence[Row]


def ranking(found: Mapping[str, VariantResult], direction: Direction, metric: str = PRIMARY) -> list[VariantResult]:
    """Return a direction's trained variants, best first; those without the metric last, in the order of the plan."""
    trained = [each for each in found.values() if each.direction == direction and each.cell.learned]
    return sorted(trained, key=lambda each: _merit(each.results, metric), reverse=True)


def places(ranked: Sequence[VariantResult]) -> list[int]:
    """Return the place of each of some ranked variants; those that draw the very same share it."""
    drawn = list(map(drawing, ranked))
    return [drawn.index(each) + 1 for each in drawn]


def drawing(variant: VariantResult) -> object:
    """Return what is equal only for trainings of one family that kept the same weights."""
    measured = variant.results.metrics.get(PRIMARY)
    return variant.cell.method, variant.name if measured is None else measured.values


def _merit(results: Results, metric: str) -> float:
    measure = results.metrics.get(metric)
    if measure is None:
        return float("-inf")
    return measure.value if measure.better == "higher" else -measure.value


def baselines_of(found: Mapping[str, VariantResult], direction: Direction) -> list[Results]:
    """Return the baselines of a direction as results; the pencil is one of them, evaluated as a model or not."""
    here = [each for each in found.values() if each.direction == direction]
    if not here:
        return []
    untrained = [each.results for each in here if not each.cell.learned]
    names = {results.model.method for results in untrained}
    first = here[0].results
    others = [baseline_results(first, each) for name, each in first.baselines.items() if name not in names]
    return others + untrained


def baseline_label(found: Mapping[str, VariantResult], baseline: Results) -> str:
    """Return what to call a baseline, also one that was evaluated as a model."""
    return found[baseline.name].cell.label.lower() if baseline.name in found else baseline.name


def ranked_table(found: Mapping[str, VariantResult], direction: Direction, *, main: bool) -> Table:
    """Return the main measures of a direction, the first three of `FIRST`, or all others; baselines stand between."""
    models, baselines = ranking(found, direction), baselines_of(found, direction)
    everything = [*(model.results for model in models), *baselines]
    measures: dict[str, Measure] = {}
    for each in everything:
        measures = {**each.metrics, **each.sets, **measures}  # the first that has a measure names it
    first = [name for name in FIRST if name in measures][:3]
    names = first if main else [name for name in measures if name not in first]
    best = {name: _clear_winners(found, direction, name) for name in names}
    ends = [each.metrics[PRIMARY] for each in everything if PRIMARY in each.metrics]
    low, high = min((end.low for end in ends), default=0.0), max((end.high for end in ends), default=1.0)

    def row(results: Results, rank: int | Literal["–"] | None, label: str, named: bool = False) -> Row:
        bar, span = None, (high - low) or 1.0
        if main and PRIMARY in results.metrics:
            it = results.metrics[PRIMARY]
            left, width, place = ((end / span) * 100 for end in (it.low - low, it.high - it.low, it.value - low))
            bar = (round(left, 1), round(width, 1), round(place, 1))
        bold = [name for name in names if results.name in best[name]]
        return Row(rank, label, {**results.sets, **results.metrics}, bold, named, bar)

    rows = [
        row(each.results, place if PRIMARY in each.results.metrics else UNRANKED, each.cell.label, not each.cell.built)
        for each, place in zip(models, places(models), strict=True)
    ]
    rows += [row(each, None, baseline_label(found, each)) for each in baselines]
    order = sorted(zip(everything, rows, strict=True), key=lambda pair: -_merit(pair[0], PRIMARY))
    columns = {name: (measures[name].title, measures[name].better) for name in names}
    return Table(columns, [row for _, row in order])


def how_ranked(found: Mapping[str, VariantResult]) -> str:
    """Return a sentence on what ranks a study's trained variants, if anything does."""
    measured = [PRIMARY in each.results.metrics for each in found.values() if each.cell.learned]
    name = PRIMARY.upper()
    if all(measured):
        return f"Models are ranked by {name}."
    if any(measured):
        return f"Models are ranked by {name}; those without it have no rank."
    return f"{name} was not measured, so models have no rank and follow the order of the plan."


def _clear_winners(found: Mapping[str, VariantResult], direction: Direction, metric: str) -> set[str]:
    """Return the best model, and what draws the same, if it is shown to beat the next model and every baseline.

    Numbers of whole sets have no such test.
    """
    models = [each for each in ranking(found, direction, metric) if metric in each.results.metrics]
    first = [each for each in models if drawing(each) == drawing(models[0])]
    others = [each.results for each in models if each not in first][:1]
    others += [each for each in baselines_of(found, direction) if metric in each.metrics]
    shown = (paired_difference(models[0].results, other, metric).verdict == "first is better" for other in others)
    return {each.results.name for each in first} if models and others and all(shown) else set()


def costs(study: Study, results: Mapping[str, Results]) -> list[dict[str, str]]:
    """Return what each result, one per seed, took, by column and in the order of the plan."""
    known: dict[str, int] = {}
    rows = []
    for cell in study.cells:
        for name in cell.results.values():
            if name not in results:
                continue
            epochs = cell.settings.get("epochs")
            model, environment, trained = results[name].model, environment_of(study, cell), study.course(cell).seconds
            half = str(environment.get("precision", "")).startswith("bf16")
            memory = _memory(study, cell, half, known) if cell.learned else None
            learns = cell.learned and not FAMILIES[cell.method].exemplars  # the others only keep the pairs
            each = results[name].seconds.get("translate", 0.0) / len(results[name].stems)
            parameters = "" if model.parameters is None else f"{model.parameters:,}"
            rows.append(
                {
                    "Result": cell.label,
                    "Folder": name,
                    "Seed": "–" if not cell.learned or model.seed is None else str(model.seed),
                    "Kept epoch": f"{model.best_epoch} of {epochs}" if learns and model.best_epoch and epochs else "–",
                    "Parameters": parameters if learns else "none",
                    "Training": "none" if not learns else "–" if trained is None else duration(trained),
                    "Memory": "–" if memory is None else f"{memory / 2**30:.1f} GiB",
                    "Translating": duration(each) if each else "–",
                    "Device": " ".join(str(environment[key]) for key in ("device", "precision") if key in environment)
                    or "–",
                    "Weights, sha256": (model.weights_sha256 or "")[:_HASH] or "–",
                }
            )
    return rows


def _memory(study: Study, cell: Cell, half: bool, known: dict[str, int]) -> int | None:
    """Return the estimated bytes of a training; runs of equal shapes are counted once."""
    folder = study.run_folder(cell)
    try:
        config = run.reopen(folder) if (folder / run.CONFIG).exists() else cell.config(study.data)
        shape = [config.method, config.data.size, config.data.photo_channels, config.data.sketch_channels]
        key = repr([*shape, config.direction, config.train.batch_size, half])
        if key not in known:
            known[key] = estimate(config, half=half).memory
        return known[key]
    except FacesketchError:  # settings of another version: the table does without
        return None


def environment_of(study: Study, cell: Cell) -> dict[str, Any]:
    """Return what a run wrote about its machine and data, or nothing."""
    try:
        return read_json(study.run_folder(cell) / run.ENVIRONMENT)
    except (OSError, ValueError):
        return {}


def environments(study: Study) -> list[tuple[dict[str, Any], list[str]]]:
    """Return the different environments that a study's runs were made in, each with the cells made there."""
    seen: list[tuple[dict[str, Any], list[str]]] = []
    for cell in study.cells:
        if environment := environment_of(study, cell):
            cells = next((cells for known, cells in seen if known == environment), None)
            if cells is None:
                seen.append((environment, cells := []))
            cells.append(cell.name)
    return seen
