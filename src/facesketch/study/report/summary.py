"""What the numbers say, in sentences that claim no more than the intervals allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from facesketch.config import Direction
from facesketch.evaluation.results import Results, paired_difference
from facesketch.study.aggregate import PRIMARY, VariantResult
from facesketch.study.claims import in_numbers
from facesketch.study.grid import IN_WORDS
from facesketch.study.report.numbers import interval, listed, number
from facesketch.study.report.tables import FIRST, baseline_label, baselines_of, drawing, ranking
from facesketch.study.study import Study

_DOING = {
    "copy the input": "copying the input",
    "mean of training": "the mean training picture",
    "nearest of training": "the nearest training picture",
    "pencil filter": "the pencil filter",
}


class Verdict(NamedTuple):
    """What came out in one direction: a heading, and a sentence or two."""

    heading: str
    lines: tuple[str, ...]


def best_of_families(found: Mapping[str, VariantResult], direction: Direction, metric: str) -> list[VariantResult]:
    """Return each family's best variant in a metric, best first."""
    best: dict[str, VariantResult] = {}
    for each in ranking(found, direction, metric):
        if metric in each.results.metrics:
            best.setdefault(each.cell.method, each)
    return list(best.values())


def verdict(found: Mapping[str, VariantResult], direction: Direction) -> Verdict:
    """Say which family is best, unless a baseline is as good or the difference is not shown."""
    words, best = IN_WORDS[direction].capitalize(), best_of_families(found, direction, PRIMARY)
    if not best:
        return Verdict(words, ())
    first = best[0]
    measure = first.results.metrics[PRIMARY]
    reached = (
        f"{first.cell.label} reaches {measure.title} {number(measure.value, PRIMARY)} ({interval(measure, PRIMARY)})"
    )
    baselines = [each for each in baselines_of(found, direction) if PRIMARY in each.metrics]
    baselines.sort(key=lambda each: -each.metrics[PRIMARY].value)
    against = [paired_difference(first.results, each, PRIMARY) for each in baselines]
    level = next((place for place, each in enumerate(against) if each.verdict != "first is better"), None)
    if level is not None:
        name = baseline_label(found, baselines[level])
        doing = _DOING.get(name, f"the baseline “{name}”")
        worse = against[level].verdict == "second is better"
        heading = f"{words}: nothing {'beats' if worse else 'is shown to beat'} {doing}"
        reaches = number(baselines[level].metrics[PRIMARY].value, PRIMARY)
        line = f"{reached}; {doing} reaches {reaches}. The difference is {in_numbers(against[level])}."
        return Verdict(heading, (f"Of the models, {line}",))
    if len(best) == 1:
        return Verdict(f"{words}: {first.cell.label}", (f"{reached}. There is no other family to compare it with.",))
    second = best[1]
    difference = paired_difference(first.results, second.results, PRIMARY)
    if difference.verdict == "no difference shown":
        shown = f"No difference from the next family, {second.cell.label}, is shown: {in_numbers(difference)}."
        more = " ".join(filter(None, (_count(found, direction), *_behind(found, direction))))
        return Verdict(f"{words}: no clear winner", (f"{reached}. {shown}", more, *_twins(found, direction)))
    line = f"{reached}, ahead of the next family, {second.cell.label}, by {in_numbers(difference)}."
    heading = f"{words}: {first.cell.family} is the best family"
    said = (_others(found, direction, first), _count(found, direction), *_behind(found, direction))
    return Verdict(heading, (line, " ".join(filter(None, said)), *_twins(found, direction)))


def _others(found: Mapping[str, VariantResult], direction: Direction, leader: VariantResult) -> str:
    """Say which families the other measures of the main table put first."""
    agree, differ = list[str](), dict[str, list[str]]()
    for metric in FIRST[1:]:
        best = best_of_families(found, direction, metric)
        if best:
            title = best[0].results.metrics[metric].title
            same = best[0].cell.method == leader.cell.method
            (agree if same else differ.setdefault(best[0].cell.label, [])).append(title)
    said = {"the same family": agree, **differ}
    return " ".join(f"{listed(by)} put{'s' if len(by) == 1 else ''} {which} first." for which, by in said.items() if by)


def _count(found: Mapping[str, VariantResult], direction: Direction) -> str:
    """Say how many models are shown to beat every baseline."""
    models = [each.results for each in ranking(found, direction) if PRIMARY in each.results.metrics]
    baselines = [each for each in baselines_of(found, direction) if PRIMARY in each.metrics]
    if not baselines:
        return ""
    ahead = sum(all(_beats(each, other, PRIMARY) for other in baselines) for each in models)
    return f"{ahead} of {len(models)} models {'is' if ahead == 1 else 'are'} shown to beat every baseline."


def _behind(found: Mapping[str, VariantResult], direction: Direction) -> Iterator[str]:
    """Say in which of the main table's other measures a baseline is shown to beat every model."""
    ahead: dict[str, list[str]] = {}
    for metric in FIRST[1:]:
        models = [each.results for each in ranking(found, direction, metric) if metric in each.results.metrics]
        baselines = [each for each in baselines_of(found, direction) if metric in each.metrics]
        better = [each for each in baselines if models and _beats(each, models[0], metric)]
        if better:
            named = [_DOING.get(name, name) for name in (baseline_label(found, each) for each in better)]
            said = f"{listed(named)} {'is' if len(named) == 1 else 'are'} ahead of every model."
            ahead.setdefault(said, []).append(models[0].metrics[metric].title)
    for said, titles in ahead.items():
        yield f"In {listed(titles)}, {said}"


def _beats(one: Results, other: Results, metric: str) -> bool:
    return paired_difference(one, other, metric).verdict == "first is better"


def _twins(found: Mapping[str, VariantResult], direction: Direction) -> Iterator[str]:
    """Say which trainings of a family draw the very same: longer ones whose best epoch is that of a shorter one."""
    alike: dict[object, list[str]] = {}
    for each in ranking(found, direction):
        alike.setdefault(drawing(each), []).append(each.cell.label)
    for labels in alike.values():
        if len(labels) > 1:
            yield f"{listed(labels)} keep the same weights, as no later epoch validated better."


def missing(study: Study) -> str:
    """Say how many cells are not done; nothing where all are."""
    done = sum(study.done(cell) for cell in study.cells)
    if done == len(study.cells):
        return ""
    failed = sum(study.failure(cell) is not None and not study.done(cell) for cell in study.cells)
    return f"{done} of {len(study.cells)} planned cells are done, {failed} failed"
