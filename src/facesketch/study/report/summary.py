"""What the numbers say, in sentences that claim no more than the intervals allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facesketch.config import Direction
from facesketch.evaluation.results import paired_difference
from facesketch.study.aggregate import FAMILIES, PRIMARY, WAYS, VariantResult
from facesketch.study.claims import in_numbers
from facesketch.study.report.numbers import interval, listed, number
from facesketch.study.report.tables import FIRST, baselines_of, ranking
from facesketch.study.study import Study

_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def summary(study: Study, found: Mapping[str, VariantResult]) -> dict[str, list[str]]:
    """Return paragraphs by heading: one for each direction with results, and one on what is missing."""
    said = {WAYS[direction].capitalize(): _direction(found, direction) for direction in WAYS}
    said["What was not done"] = [_missing(study)]
    return {heading: [line for line in lines if line] for heading, lines in said.items() if any(lines)}


def best_of_families(found: Mapping[str, VariantResult], direction: Direction, metric: str) -> list[VariantResult]:
    """Return each family's best variant in a metric, best first."""
    best: dict[str, VariantResult] = {}
    for finding in ranking(found, direction, metric):
        if metric in finding.results.metrics:
            best.setdefault(finding.method, finding)
    return list(best.values())


def _direction(found: Mapping[str, VariantResult], direction: Direction) -> list[str]:
    best = best_of_families(found, direction, PRIMARY)
    if not best:
        return []
    return [_leader(best), _others(found, direction, best[0]), *_baselines(found, direction)]


def _leader(best: Sequence[VariantResult]) -> str:
    first = best[0]
    measure = first.results.metrics[PRIMARY]
    said = f"{number(measure.value, PRIMARY)}, 95 % interval {interval(measure, PRIMARY)}"
    if len(best) == 1:
        return f"{first.label} has a {measure.title} of {said}. No other family has a result to compare it with."
    second = best[1]
    difference = paired_difference(first.results, second.results, PRIMARY)
    if difference.verdict == "no difference shown":
        return (
            f"{first.label} has the highest {measure.title} ({said}), but no difference from the next family, "
            f"{second.label}, is shown: {in_numbers(difference)}. These numbers do not say which of the two is better."
        )
    return (
        f"By {measure.title}, {_family(first)} is the best family: {first.label} reaches {said}. It is ahead of the "
        f"next family, {second.label}, by {in_numbers(difference)}."
    )


def _family(finding: VariantResult) -> str:
    return FAMILIES.get(finding.method, finding.method)


def _others(found: Mapping[str, VariantResult], direction: Direction, leader: VariantResult) -> str:
    """Say whom the measures beside the primary one put first."""
    agree, differ = [], []
    for metric in FIRST[1:]:
        best = best_of_families(found, direction, metric)
        if not best:
            continue
        title = best[0].results.metrics[metric].title
        if best[0].method == leader.method:
            agree.append(title)
        else:
            differ.append(_dissent(best, title, metric, leader))
    lines = [f"{listed(agree)} put{'s' if len(agree) == 1 else ''} the same family first."] if agree else []
    return " ".join([*lines, *differ])


def _dissent(best: Sequence[VariantResult], title: str, metric: str, leader: VariantResult) -> str:
    """Say by how much another family is ahead of the leading one in a metric."""
    rival = next((each for each in best if each.method == leader.method), None)
    if rival is None:
        return f"{title} puts {best[0].label} first."
    difference = paired_difference(best[0].results, rival.results, metric)
    shown = "" if difference.verdict == "first is better" else ", which shows no difference"
    return f"{title} puts {best[0].label} first, before {rival.label} by {in_numbers(difference)}{shown}."


def _baselines(found: Mapping[str, VariantResult], direction: Direction) -> list[str]:
    """Say for each baseline which trained variants are not shown to be better."""
    models, lines = [each for each in ranking(found, direction) if PRIMARY in each.results.metrics], []
    for baseline in baselines_of(found, direction):
        if PRIMARY not in baseline.metrics:
            continue
        verdicts = {each.label: paired_difference(each.results, baseline, PRIMARY).verdict for each in models}
        worse = [label for label, verdict in verdicts.items() if verdict == "second is better"]
        level = [label for label, verdict in verdicts.items() if verdict == "no difference shown"]
        lines.append(_baseline_line(_baseline_name(found, baseline.name), len(models), worse, level))
    return [" ".join(lines)] if lines else []


def _baseline_name(found: Mapping[str, VariantResult], name: str) -> str:
    return found[name].label.lower() if name in found else name


def _baseline_line(name: str, count: int, worse: list[str], level: list[str]) -> str:
    if not worse and not level:
        all_of_them = "the one variant" if count == 1 else f"all {_count(count)} variants"
        return f"The baseline “{name}” is beaten by {all_of_them}."
    parts = []
    if worse:
        parts.append(f"is better than {listed(worse)}")
    if level:
        parts.append(f"shows no difference from {listed(level)}")
    return f"The baseline “{name}” {'; it '.join(parts)}."


def _count(count: int) -> str:
    return _COUNTS[count] if count < len(_COUNTS) else str(count)


def _missing(study: Study) -> str:
    failed = [cell.name for cell in study.cells if study.failure(cell) and not study.done(cell)]
    open_ = [cell.name for cell in study.cells if not study.done(cell) and cell.name not in failed]
    done = len(study.cells) - len(failed) - len(open_)
    if not failed and not open_:
        return f"Nothing: all {_count(len(study.cells))} planned cells are trained and evaluated."
    lines = [f"Of {_count(len(study.cells))} planned cells {_count(done)} {'is' if done == 1 else 'are'} done."]
    if failed:
        lines.append(f"Failed: {listed(failed)}; the reasons are given below.")
    if open_:
        lines.append(f"Not done yet: {listed(open_)}.")
    return " ".join(lines)
