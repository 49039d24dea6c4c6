"""The report's tables: who ranks where, what it cost, and what the machine and the data were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from facesketch.config import Direction, RunConfig
from facesketch.errors import FacesketchError
from facesketch.evaluation.results import Measure, Results, paired_difference
from facesketch.files import read_json
from facesketch.study.aggregate import PRIMARY, VariantResult, baseline_results, label, training_seconds
from facesketch.study.grid import Cell
from facesketch.study.report.numbers import amount, duration, interval, number
from facesketch.study.study import Study
from facesketch.training import run_folder as run
from facesketch.training.cost import estimate

FIRST = (PRIMARY, "ssim", "lpips-alex", "scoot")
"""The main table shows the first three of these that were measured; all other measures stand in a second table."""
UNRANKED: Literal["–"] = "–"
ARROWS = {"higher": "↑", "lower": "↓"}
_HASH = 12


@dataclass(frozen=True)
class Entry:
    """One number of a table.

    Attributes:
        value, interval: as they are printed; empty where there is none.
        bold: best, and shown to be better than the next.
    """

    value: str = ""
    interval: str = ""
    bold: bool = False


@dataclass(frozen=True)
class Row:
    """One model or baseline.

    Attributes:
        rank: its place among the models; `UNRANKED` where what ranks was not measured, None for a baseline.
        label: what to call it.
        entries: one per column.
        named: the study names it and did not build it.
        bar: the interval of what ranks, as percentages of the table's range: left end, width and value.
    """

    rank: int | Literal["–"] | None
    label: str
    entries: tuple[Entry, ...]
    named: bool = False
    bar: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Column:
    """A measure that heads a column."""

    metric: str
    title: str
    arrow: str


@dataclass(frozen=True)
class Table:
    """A ranked table of one direction."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def ranking(found: Mapping[str, VariantResult], direction: Direction, metric: str = PRIMARY) -> list[VariantResult]:
    """Return a direction's trained variants, best first; those without the metric last, in the order of the plan."""
    ways = [finding for finding in found.values() if finding.direction == direction and finding.learned]
    return sorted(ways, key=lambda finding: _merit(finding.results, metric), reverse=True)


def _merit(results: Results, metric: str) -> float:
    measure = results.metrics.get(metric)
    if measure is None:
        return float("-inf")
    return measure.value if measure.better == "higher" else -measure.value


def baselines_of(found: Mapping[str, VariantResult], direction: Direction) -> list[Results]:
    """Return the baselines of a direction as results; the pencil is one of them, evaluated as a model or not."""
    ways = [finding for finding in found.values() if finding.direction == direction]
    if not ways:
        return []
    untrained = [finding.results for finding in ways if not finding.learned]
    names = {results.model.method for results in untrained}
    first = ways[0].results
    return [
        baseline_results(first, baseline) for name, baseline in first.baselines.items() if name not in names
    ] + untrained


def baseline_label(found: Mapping[str, VariantResult], baseline: Results) -> str:
    """Return what to call a baseline, also one that was evaluated as a model."""
    return found[baseline.name].label.lower() if baseline.name in found else baseline.name


def ranked_table(found: Mapping[str, VariantResult], direction: Direction, *, main: bool) -> Table:
    """Return the main measures of a direction, or all others, with the baselines between the models.

    Args:
        found: the study's results, by variant.
        direction: which of them.
        main: the first three of `FIRST`, or all but those.
    """
    models, baselines = ranking(found, direction), baselines_of(found, direction)
    everything = [*(model.results for model in models), *baselines]
    columns = _columns(everything, main=main)
    bold = {column.metric: _clear_winner(found, direction, column.metric) for column in columns}
    ends = [each.metrics[PRIMARY] for each in everything if PRIMARY in each.metrics]
    low, high = min((end.low for end in ends), default=0.0), max((end.high for end in ends), default=1.0)

    def row(results: Results, rank: int | Literal["–"] | None, label: str, named: bool = False) -> Row:
        bar, span = None, (high - low) or 1.0
        if main and PRIMARY in results.metrics:
            it = results.metrics[PRIMARY]
            left, width, place = ((end / span) * 100 for end in (it.low - low, it.high - it.low, it.value - low))
            bar = (round(left, 1), round(width, 1), round(place, 1))
        return Row(rank, label, _entries(results, columns, bold), named, bar)

    rows = [
        row(each.results, place if PRIMARY in each.results.metrics else UNRANKED, each.label, not each.built)
        for place, each in enumerate(models, start=1)
    ]
    rows += [row(each, None, baseline_label(found, each)) for each in baselines]
    order = sorted(zip(everything, rows, strict=True), key=lambda pair: -_merit(pair[0], PRIMARY))
    return Table(columns, tuple(row for _, row in order))


def how_ranked(found: Mapping[str, VariantResult]) -> str:
    """Return a sentence on what ranks a study's trained variants, if anything does."""
    measured = [PRIMARY in finding.results.metrics for finding in found.values() if finding.learned]
    name = PRIMARY.upper()
    if all(measured):
        return f"Models are ranked by {name}."
    if any(measured):
        return f"Models are ranked by {name}; those without it have no rank."
    return f"{name} was not measured, so models have no rank and stand in the order of the plan."


def _columns(results: Sequence[Results], *, main: bool) -> tuple[Column, ...]:
    measures: dict[str, Measure] = {}
    for each in results:
        measures = {**each.metrics, **each.sets, **measures}  # the first that has a measure names it
    first = [name for name in FIRST if name in measures][:3]
    names = first if main else [name for name in measures if name not in first]
    return tuple(Column(name, measures[name].title, ARROWS[measures[name].better]) for name in names)


def _entries(results: Results, columns: Sequence[Column], bold: Mapping[str, str | None]) -> tuple[Entry, ...]:
    return tuple(_entry(results, column.metric, bold.get(column.metric) == results.name) for column in columns)


def _entry(results: Results, metric: str, bold: bool) -> Entry:
    if metric in results.metrics:
        measure = results.metrics[metric]
        return Entry(number(measure.value, metric), interval(measure, metric), bold)
    if metric in results.sets:
        whole = results.sets[metric]
        return Entry(number(whole.value, metric), interval(whole, metric))
    return Entry()


def _clear_winner(found: Mapping[str, VariantResult], direction: Direction, metric: str) -> str | None:
    """Return the best model where it is shown to be better than the next model and every baseline.

    Numbers of whole sets have no such test.
    """
    models = [each.results for each in ranking(found, direction, metric) if metric in each.results.metrics]
    others = [*models[1:2], *(each for each in baselines_of(found, direction) if metric in each.metrics)]
    if not models or not others:
        return None
    shown = (paired_difference(models[0], other, metric).verdict == "first is better" for other in others)
    return models[0].name if all(shown) else None


@dataclass(frozen=True)
class Cost:
    """What a cell took, and what there is to name it by."""

    label: str
    name: str
    seed: str
    epochs: str
    parameters: str
    training: str
    memory: str
    translating: str
    device: str
    weights: str


def costs(study: Study, results: Mapping[str, Results]) -> list[Cost]:
    """Return a row per result, in the order of the plan.

    Args:
        study: the folder.
        results: every result by name, one per seed.
    """
    known: dict[str, int | None] = {}
    return [
        _cost(study, cell, results[name], known)
        for cell in study.cells
        for name in cell.results.values()
        if name in results
    ]


def _cost(study: Study, cell: Cell, results: Results, known: dict[str, int | None]) -> Cost:
    model, environment = results.model, environment_of(study, cell)
    spent = training_seconds(study, cell)
    half = str(environment.get("precision", "")).startswith("bf16")
    memory = _memory(study, cell, half, known) if cell.learned else None
    each = results.seconds.get("translate", 0.0) / len(results.stems)
    parameters = "" if model.parameters is None else f"{model.parameters:,}"
    return Cost(
        label=label(cell),
        name=results.name,
        seed="–" if not cell.learned or model.seed is None else str(model.seed),
        epochs=f"{model.best_epoch} of {model.epochs}" if model.best_epoch and model.epochs else "–",
        parameters=parameters if cell.learned else "none",
        training=duration(spent) if cell.learned else "none",
        memory=amount(memory),
        translating=duration(each) if each else "–",
        device=" ".join(str(environment[key]) for key in ("device", "precision") if key in environment) or "–",
        weights=(model.weights_sha256 or "")[:_HASH] or "–",
    )


def _memory(study: Study, cell: Cell, half: bool, known: dict[str, int | None]) -> int | None:
    """Return the estimated bytes of a training; runs of equal shapes are counted once."""
    try:
        config = _config(study, cell)
        shape = [config.method, config.data.size, config.data.photo_channels, config.data.sketch_channels]
        key = repr([*shape, config.direction, config.train.batch_size, half])
        if key not in known:
            known[key] = estimate(config, half=half).memory
        return known[key]
    except FacesketchError:  # settings of another version: the table does without
        return None


def _config(study: Study, cell: Cell) -> RunConfig:
    folder = study.run_folder(cell)
    return run.reopen(folder) if (folder / run.CONFIG).exists() else cell.config(study.data)


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
        environment = environment_of(study, cell)
        for known, cells in seen:
            if known == environment:
                cells.append(cell.name)
                break
        else:
            if environment:
                seen.append((environment, [cell.name]))
    return seen
