"""Which charts a study has, drawn from the logs of its runs and the curves of its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facesketch.config import DIRECTIONS
from facesketch.evaluation.results import Results
from facesketch.study.aggregate import FAMILIES, PRIMARY, WAYS, VariantResult, label
from facesketch.study.grid import Cell
from facesketch.study.report.charts import Dot, Line, Role, chart, scatter, smoothed
from facesketch.study.report.numbers import number
from facesketch.study.report.tables import baseline_label, baselines_of, ranking
from facesketch.study.study import Study
from facesketch.training.log import LOG, Course

_NEAR = 20
"""Ranks of a cumulative match curve that are drawn."""
_ROLES: dict[str, Role] = {
    "dense-ae": "one",
    "conv-ae": "two",
    "conv-vae": "three",
    "pix2pix": "four",
    "cyclegan": "five",
    "pencil": "six",
    "sparse-ae": "one",
    "cogan": "four",
    "unit": "five",
    "lle": "two",
    "mrf": "three",
}
"""What the study only names is drawn in dashes, in the colour of the family that it is nearest to."""
_ROUTES = {"": "raw pixels", "-hog": "HOG", "-sface": "SFace"}
_PHASES = {
    "autoencoder": "autoencoder",
    "generator": "generator",
    "generators": "generators",
    "discriminator": "discriminator",
    "discriminators": "discriminators",
}


@dataclass(frozen=True)
class Chart:
    """A chart and what stands below it.

    Attributes:
        svg: the drawing.
        title, caption: what it is of, and what there is to see.
        key: its named lines, where there are several.
    """

    svg: str
    title: str
    caption: str
    key: tuple[Line, ...] = ()


def charts_by_family(study: Study, *, adversarial: bool) -> dict[str, list[Chart]]:
    """Return the losses of every run, by family: of those with a discriminator, or of those without."""
    found: dict[str, list[Chart]] = {}
    for cell in _shown(study):
        if (len(_phases(_course(study, cell).losses)) > 1) == adversarial and (charts := loss_charts(study, cell)):
            found.setdefault(FAMILIES.get(cell.method, cell.method), []).extend(charts)
    return found


def loss_charts(study: Study, cell: Cell) -> list[Chart]:
    """Return training and validation loss by epoch, or by step of each side where a discriminator learns too."""
    course = _course(study, cell)
    phases = _phases(course.losses)
    if len(phases) > 1:
        return [_step_chart(cell, course, phase) for phase in phases]
    epochs = [line for line in course.epochs if _phases(line.get("train", {}))]
    return [_epoch_chart(cell, epochs)] if epochs else []


def _course(study: Study, cell: Cell) -> Course:
    return Course.read(study.run_folder(cell) / LOG)


def _shown(study: Study) -> Iterator[Cell]:
    """Return the runs to draw: the first seed's, and of those that grow from each other only the longest."""
    grown = {cell.extends for cell in study.cells if (study.run_folder(cell) / LOG).exists()}
    shown = [cell for cell in study.cells if not cell.settings.get("seed", 0) and cell.name not in grown]
    return iter(sorted(shown, key=lambda cell: cell.direction or "~"))  # all of one direction, then all of the other


def _phases(losses: Mapping[str, Any]) -> list[str]:
    return [name for name in losses if name in _PHASES]


def _title(cell: Cell) -> str:
    return f"{label(cell)}, {WAYS[cell.direction]}" if cell.direction else f"{label(cell)}, both directions"


def _epoch_chart(cell: Cell, epochs: Sequence[Mapping[str, Any]]) -> Chart:
    x = [line["epoch"] for line in epochs]
    train = [line["train"][_phases(line["train"])[0]] for line in epochs]
    lines = [Line("training", x, train, "one")]
    best = next((line["epoch"] for line in reversed(epochs) if line.get("best")), None)
    caption = f"Training loss ends at {number(train[-1])}."
    checked = [line for line in epochs if _phases(line.get("validation", {}))]
    if checked:
        valid = [line["validation"][_phases(line["validation"])[0]] for line in checked]
        across = [line["epoch"] for line in checked]
        lines.append(Line("validation", across, valid, "five", mark=best))
        lowest = across[valid.index(min(valid))]
        caption += (
            f" Validation loss is lowest at epoch {lowest} ({number(min(valid))}) and ends at {number(valid[-1])}."
        )
    if best is not None:
        caption += f" Kept: epoch {best} of {x[-1]} (dot)."
    svg = chart(f"loss-{_slug(cell.name)}", lines, x="epoch", y="loss", alt=f"{_title(cell)}: {caption}")
    return Chart(svg, _title(cell), caption, tuple(lines))


def _step_chart(cell: Cell, course: Course, phase: str) -> Chart:
    x, y = course.steps, course.losses[phase]
    role: Role = "four" if phase.startswith("generator") else "one"
    smooth = smoothed(y)
    lines = [Line("", x, y, role, faint=True), Line(phase, x, smooth, role)]
    caption = f"Loss of the {_PHASES[phase]}: {number(smooth[0])} at first, {number(smooth[-1])} at step {x[-1]:,}."
    top = _nearly_all(y)
    alt = f"{_title(cell)}: {caption}"
    svg = chart(f"steps-{_slug(cell.name)}-{phase}", lines, x="step", y="loss", alt=alt, bottom=0, top=top)
    return Chart(svg, f"{_title(cell)}: {_PHASES[phase]}", caption)


def _nearly_all(values: Sequence[float]) -> float | None:
    """Return a height under which 99 of 100 values lie, so that a few early peaks do not flatten the rest."""
    ranked = sorted(values)
    return 1.1 * ranked[int(0.99 * (len(ranked) - 1))] or None


def _role(method: str) -> Role:
    return _ROLES.get(method, "six")


def cost_charts(found: Mapping[str, VariantResult]) -> list[Chart]:
    """Return, for each direction, every model's quality against its training time, with the baselines as lines."""
    charts = []
    for direction, way in WAYS.items():
        models = [each for each in ranking(found, direction) if PRIMARY in each.results.metrics]
        dots = [
            Dot(str(place), max(each.seconds, 0.1), it.value, it.low, it.high, _role(each.method), not each.built)
            for place, each in enumerate(models, start=1)
            if each.seconds is not None
            for it in [each.results.metrics[PRIMARY]]
        ]
        if not dots:
            continue
        rules = {
            baseline_label(found, each): each.metrics[PRIMARY].value
            for each in baselines_of(found, direction)
            if PRIMARY in each.metrics
        }
        title = way.capitalize()
        said = "; ".join(f"{place} {each.label}" for place, each in enumerate(models, start=1))
        alt = f"{title}: {PRIMARY.upper()} against training time. Best first: {said}."
        families = dict.fromkeys(each.method for each in models if each.seconds is not None)
        key = tuple(Line(FAMILIES.get(each, each), [], [], _role(each)) for each in families)
        svg = scatter(f"cost-{direction}", dots, rules, y=PRIMARY.upper(), alt=alt)
        charts.append(Chart(svg, title, "", key))
    return charts


def match_charts(found: Mapping[str, VariantResult]) -> list[Chart]:
    """Return the cumulative match curves, one chart per direction and way of comparing."""
    charts = []
    for direction in DIRECTIONS:
        ways = [finding for finding in found.values() if finding.direction == direction]
        for ending, route in _ROUTES.items():
            chosen = _best_by_rank(ways, f"cmc-translated{ending}")
            if chosen:
                charts.append(_match_chart(chosen, ending, f"{WAYS[direction].capitalize()}, {route}"))
    return charts


def _best_by_rank(found: Sequence[VariantResult], curve: str) -> list[VariantResult]:
    """Return of each family the variant that finds most people at rank 1."""
    best: dict[str, VariantResult] = {}
    for finding in found:
        rates = finding.results.curves.get(curve)
        if rates and (finding.method not in best or rates[0] > best[finding.method].results.curves[curve][0]):
            best[finding.method] = finding
    return list(best.values())


def _match_chart(chosen: Sequence[VariantResult], ending: str, title: str) -> Chart:
    name = f"cmc-translated{ending}"
    lines = [_match_line(each.results, name, each.label, _role(each.method), dashed=not each.built) for each in chosen]
    direct = f"cmc-direct{ending}"
    if direct in chosen[0].results.curves:
        lines.append(_match_line(chosen[0].results, direct, "no translation", "ink", dashed=True))
    rates = "; ".join(f"{line.label} {number(line.y[0], 'rank-1')}" for line in lines)
    caption = f"Found at rank 1: {rates}."
    slug = _slug(f"match-{chosen[0].direction}{ending}")
    svg = chart(slug, lines, x="rank", y="share found", alt=f"{title}: {caption}", top=1.02)
    return Chart(svg, title, caption, tuple(lines))


def _match_line(results: Results, curve: str, label: str, role: Role, *, dashed: bool = False) -> Line:
    rates = results.curves[curve][:_NEAR]
    return Line(label, range(1, len(rates) + 1), rates, role, dashed=dashed)


def _slug(name: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in name)
