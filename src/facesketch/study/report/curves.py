"""Which charts a study has, drawn from the logs of its runs and the curves of its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from facesketch.study.aggregate import PRIMARY, VariantResult
from facesketch.study.grid import IN_WORDS, Cell
from facesketch.study.report.charts import Chart, Dot, Line, Role, line_chart, scatter, smoothed
from facesketch.study.report.numbers import number
from facesketch.study.report.tables import baseline_label, baselines_of, places, ranking
from facesketch.study.study import Study
from facesketch.training.log import Course

_NEAR = 20  # ranks of a cumulative match curve that are drawn
_ROLES: dict[str, Role] = {
    **{"dense-ae": "one", "conv-ae": "two", "conv-vae": "three", "pix2pix": "four", "cyclegan": "five"},
    **{"pencil": "six", "sparse-ae": "one", "cogan": "four", "unit": "five", "lle": "two", "mrf": "three"},
}
"""What the study only names is drawn in dashes, in the colour of the family that it is nearest to."""
_DESCRIPTORS = {"": "raw pixels", "-hog": "HOG", "-sface": "SFace"}
_PHASES = {"autoencoder", "generator", "generators", "discriminator", "discriminators"}


def charts_by_family(study: Study, *, adversarial: bool) -> dict[str, list[Chart]]:
    """Return the losses of every run, by family: of those with a discriminator, or of those without.

    They are those of the first seed's runs and, of runs that extend each other, of the longest only.
    """
    grown = {cell.extends for cell in study.cells if study.course(cell).last}
    shown = [cell for cell in study.cells if not cell.seed and cell.name not in grown]
    found: dict[str, list[Chart]] = {}
    for cell in sorted(shown, key=lambda cell: cell.direction or "~"):  # all of one direction, then all of the other
        if (len(_phases(study.course(cell).losses)) > 1) == adversarial and (charts := loss_charts(study, cell)):
            found.setdefault(cell.family, []).extend(charts)
    return found


def loss_charts(study: Study, cell: Cell) -> list[Chart]:
    """Return training and validation loss by epoch, or by step of each side where a discriminator learns too."""
    course = study.course(cell)
    title = f"{cell.label}, {IN_WORDS[cell.direction] if cell.direction else 'both directions'}"
    phases = _phases(course.losses)
    if len(phases) > 1:
        return [_step_chart(cell, title, course, phase) for phase in phases]
    epochs = [line for line in course.epochs if _phases(line.get("train", {}))]
    return [_epoch_chart(cell, title, epochs)] if epochs else []


def _phases(losses: Mapping[str, Any]) -> list[str]:
    return [name for name in losses if name in _PHASES]


def _epoch_chart(cell: Cell, title: str, epochs: Sequence[Mapping[str, Any]]) -> Chart:
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
        lowest = f"{across[valid.index(min(valid))]} ({number(min(valid))})"
        caption += f" Validation loss is lowest at epoch {lowest} and ends at {number(valid[-1])}."
    if best is not None:
        caption += f" Kept: epoch {best} of {x[-1]} (dot)."
    return line_chart(f"loss-{cell.name}", title, caption, lines, x="epoch", y="loss")


def _step_chart(cell: Cell, title: str, course: Course, phase: str) -> Chart:
    x, y = course.steps, course.losses[phase]
    role: Role = "four" if phase.startswith("generator") else "one"
    smooth = smoothed(y)
    lines = [Line("", x, y, role, faint=True), Line(phase, x, smooth, role)]
    caption = f"Loss of the {phase}: {number(smooth[0])} at first, {number(smooth[-1])} at step {x[-1]:,}."
    # 99 of 100 values lie below the top, so that a few early peaks do not flatten the rest
    top = 1.1 * sorted(y)[int(0.99 * (len(y) - 1))] or None
    name = f"steps-{cell.name}-{phase}"
    return line_chart(name, f"{title}: {phase}", caption, lines, x="step", y="loss", bottom=0, top=top)


def cost_charts(found: Mapping[str, VariantResult]) -> list[Chart]:
    """Return, for each direction, every model's quality against its training time, with the baselines as lines."""
    charts = []
    for direction, words in IN_WORDS.items():
        models = [each for each in ranking(found, direction) if PRIMARY in each.results.metrics]
        dots, key = [], {}
        for place, each in zip(places(models), models, strict=True):
            if each.seconds is not None:
                ends, role = each.results.metrics[PRIMARY], _ROLES.get(each.cell.method, "six")
                seconds, hollow = max(each.seconds, 0.1), not each.cell.built
                dots.append(Dot(str(place), seconds, ends.value, ends.low, ends.high, role, hollow))
                key[each.cell.family] = Line(each.cell.family, [], [], role, dashed=hollow)
        if not dots:
            continue
        baselines = [each for each in baselines_of(found, direction) if PRIMARY in each.metrics]
        rules = {baseline_label(found, each): each.metrics[PRIMARY].value for each in baselines}
        said = "; ".join(f"{place} {each.cell.label}" for place, each in zip(places(models), models, strict=True))
        alt = f"{words.capitalize()}: {PRIMARY.upper()} against training time. Best first: {said}."
        svg = scatter(f"cost-{direction}", dots, rules, y=PRIMARY.upper(), alt=alt)
        charts.append(Chart(svg, words.capitalize(), "", tuple(key.values())))
    return charts


def match_charts(found: Mapping[str, VariantResult]) -> list[Chart]:
    """Return the cumulative match curves, one chart per direction and descriptor; of a family the best at rank 1."""
    charts = []
    for direction, words in IN_WORDS.items():
        for ending, descriptor in _DESCRIPTORS.items():
            curve = f"cmc-translated{ending}"
            best: dict[str, VariantResult] = {}
            for each in found.values():
                if each.direction == direction and (rates := each.results.curves.get(curve)):
                    leader = best.setdefault(each.cell.method, each)
                    if rates[0] > leader.results.curves[curve][0]:
                        best[each.cell.method] = each
            if best:
                charts.append(_match_chart(list(best.values()), ending, f"{words.capitalize()}, {descriptor}"))
    return charts


def _match_chart(chosen: Sequence[VariantResult], ending: str, title: str) -> Chart:
    lines = []
    for each in chosen:
        rates = each.results.curves[f"cmc-translated{ending}"][:_NEAR]
        role = _ROLES.get(each.cell.method, "six")
        lines.append(Line(each.cell.label, range(1, len(rates) + 1), rates, role, dashed=not each.cell.built))
    if direct := chosen[0].results.curves.get(f"cmc-direct{ending}", ())[:_NEAR]:
        lines.append(Line("no translation", range(1, len(direct) + 1), direct, "ink", dashed=True))
    rates_at_1 = "; ".join(f"{line.label} {number(line.y[0], 'rank-1')}" for line in lines)
    caption = f"Found at rank 1: {rates_at_1}."
    name = f"match-{chosen[0].direction}{ending}"
    return line_chart(name, title, caption, lines, x="rank", y="share found", top=1.02)
