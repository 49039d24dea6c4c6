"""The study's seven claims, each held against paired differences on people whom no model has seen.

A claim is one or several comparisons, each of which expects the first to be better than the second. It holds if every
one of them shows that, does not hold as soon as one shows the opposite, and is otherwise not shown: a difference whose
95 % interval holds zero shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from facesketch.config import DIRECTIONS, Direction
from facesketch.evaluation.results import Difference, Measure, Results, paired_difference
from facesketch.study.aggregate import PRIMARY, WAYS, VariantResult, baseline_results, label, measured, variant_results
from facesketch.study.grid import PRESETS, Cell, plan
from facesketch.study.study import Study

Verdict = Literal["holds", "does not hold", "not shown"]
CHEAP = 1.5
"""How many times the CVAE's training time still counts as little compute: timings on one quiet machine vary by less."""
COLOUR_LOSS = "colour-loss"
_AUTOENCODERS = ("dense-ae", "conv-ae", "conv-vae")


@dataclass(frozen=True)
class Part:
    """One comparison, of which a claim expects that the first is better than the second.

    Attributes:
        first, second: what is compared, as people call it.
        direction: on which task.
        metric: the title of the measure.
        difference: mean of first minus second with its interval, or None where something is missing.
        verdict: `holds` when the first is shown to be better, `does not hold` when the second is.
        note: what is missing, or what else decides.
    """

    first: str
    second: str
    direction: Direction
    metric: str
    difference: Difference | None
    verdict: Verdict
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim of the study, what was compared for it, and what came out."""

    number: int
    text: str
    compared: str
    parts: tuple[Part, ...]
    verdict: Verdict
    why: str


def ledger(study: Study, found: dict[str, VariantResult] | None = None) -> list[Claim]:
    """Return the study's claims, judged by what is on disk.

    Args:
        study: a study's folder, complete or not.
        found: its results by variant, where they have been read already.

    Raises:
        DataError: a result is damaged.
    """
    evidence = _Evidence.gather(study, variant_results(study) if found is None else found)
    return [_judge(number, *claim(evidence)) for number, claim in enumerate(_CLAIMS, start=1)]


def _judge(number: int, text: str, compared: str, parts: Sequence[Part]) -> Claim:
    verdicts = {part.verdict for part in parts}
    verdict: Verdict = "holds" if verdicts == {"holds"} else "not shown"
    if "does not hold" in verdicts:
        verdict = "does not hold"
    return Claim(number, text, compared, tuple(parts), verdict, _why(verdict, parts))


def _why(verdict: Verdict, parts: Sequence[Part]) -> str:
    deciding = [part for part in parts if part.verdict == verdict]
    if not deciding:
        return "there was nothing to compare"
    if verdict == "holds":
        return _all_hold(parts)
    missing = [part for part in deciding if part.difference is None]
    first = missing[0] if missing else deciding[0]
    share = f"{len(deciding)} of {len(parts)} comparisons"
    if missing:
        return f"{share} cannot decide: {first.note}"
    if verdict == "does not hold":
        return f"the opposite is shown in {share}, such as {describe(first)}"
    return f"{share} show no difference, such as {describe(first)}"


def _all_hold(parts: Sequence[Part]) -> str:
    measured_parts = [part for part in parts if part.difference is not None and not part.note]
    if not measured_parts:
        return f"all {len(parts)} comparisons are in its favour by cost alone"
    least = min(measured_parts, key=lambda part: abs(part.difference.value) if part.difference else 0.0)
    return f"all {len(parts)} comparisons are in its favour; the smallest difference is {describe(least)}"


def describe(part: Part) -> str:
    """Return a comparison in words and numbers."""
    assert part.difference is not None, "only what was measured can be described"
    return f"{part.first} less {part.second}, {WAYS[part.direction]}: {in_numbers(part.difference)} {part.metric}"


def in_numbers(difference: Difference) -> str:
    """Return a difference with its sign and interval, small ones with a fourth decimal."""
    digits = 4 if max(abs(difference.low), abs(difference.high)) < 0.01 else 3
    value, low, high = (f"{end:+.{digits}f}" for end in (difference.value, difference.low, difference.high))
    return f"{value} [{low}, {high}]".replace("-", "−")


@dataclass(frozen=True)
class _Evidence:
    """The cells that the claims speak of, those that the study built, done or not; and what was found."""

    cells: tuple[Cell, ...]
    found: dict[str, VariantResult]

    @classmethod
    def gather(cls, study: Study, found: dict[str, VariantResult]) -> _Evidence:
        planned = [cell for cell in study.cells if not cell.settings.get("seed", 0)]
        names = {cell.name for cell in planned}
        others = plan(study.preset, seeds=1) if study.preset in PRESETS else []
        cells = (*planned, *(cell for cell in others if cell.name not in names))
        return cls(tuple(cell for cell in cells if cell.built), found)

    def cells_of(self, method: str, direction: Direction, **settings: object) -> list[Cell]:
        """Return a family's cells in the order of the grid."""
        return [
            cell
            for cell in self.cells
            if cell.method == method and direction in cell.results and settings.items() <= cell.settings.items()
        ]

    def learned(self, direction: Direction, *, without: str) -> list[Cell]:
        """Return the cells of all other families that learn."""
        return [cell for cell in self.cells if cell.learned and direction in cell.results and cell.method != without]

    def finding(self, cell: Cell, direction: Direction) -> VariantResult | None:
        """Return what a cell found, or None."""
        return self.found.get(cell.results[direction])

    def compare(self, first: Cell, second: Cell, direction: Direction) -> Part:
        """Compare two cells in the primary measure."""
        one, other = self.finding(first, direction), self.finding(second, direction)
        if one is None or other is None:
            missing = first if one is None else second
            return _missing(label(first), label(second), direction, f"no result of {missing.results[direction]}")
        return _compare(label(first), label(second), direction, one.results, other.results, PRIMARY)


def _missing(first: str, second: str, direction: Direction, why: str, metric: str = PRIMARY) -> Part:
    return Part(first, second, direction, metric.upper(), None, "not shown", why)


def _compare(first: str, second: str, direction: Direction, one: Results, other: Results, metric: str) -> Part:
    for results in (one, other):
        if metric not in results.metrics:
            why = results.left_out.get(metric, "it was not measured")
            return _missing(first, second, direction, f"no {metric} in {results.name}: {why}", metric)
    difference = paired_difference(one, other, metric)
    verdict: Verdict = "not shown"
    if difference.verdict != "no difference shown":
        verdict = "holds" if difference.verdict == "first is better" else "does not hold"
    return Part(first, second, direction, one.metrics[metric].title, difference, verdict)


_Claim = tuple[str, str, list[Part]]


def _losses(evidence: _Evidence, direction: Direction, order: Sequence[str]) -> list[Part]:
    """Compare the CAE's losses, each with all that should be worse; a loss is one cell."""
    cells = [evidence.cells_of("conv-ae", direction, loss=loss) for loss in order]
    if not all(cells):
        absent = next(loss for loss, found in zip(order, cells, strict=True) if not found)
        return [_missing("CAE", "CAE", direction, f"no cell of conv-ae with loss {absent}")]
    ranked = [found[0] for found in cells]
    pairs = [(better, worse) for place, better in enumerate(ranked) for worse in ranked[place + 1 :]]
    return [evidence.compare(better, worse, direction) for better, worse in pairs]


def _sketch_losses(evidence: _Evidence) -> _Claim:
    parts = _losses(evidence, "photo2sketch", ("mse", "mae", "bce"))
    return "For the CAE, MSE gives better sketches than MAE, and BCE the worst.", "the CAE's three losses", parts


def _photo_losses(evidence: _Evidence) -> _Claim:
    parts = _losses(evidence, "sketch2photo", ("mse", "bce", "mae"))
    return "From sketch to photo, MSE is best for the CAE, and BCE better than MAE.", "the CAE's three losses", parts


def _latents(evidence: _Evidence) -> _Claim:
    parts = list(_growing(evidence, "conv-vae", "latent"))
    return "A larger latent makes the CVAE better.", "each latent of the CVAE with the next smaller one", parts


def _growing(evidence: _Evidence, method: str, setting: str) -> Iterator[Part]:
    """Compare each value of a setting with the next smaller one, in both directions."""
    for direction in DIRECTIONS:
        cells = sorted(evidence.cells_of(method, direction), key=lambda cell: int(cell.settings[setting]))
        if len(cells) < 2:
            yield _missing(method, method, direction, f"fewer than two values of {setting} of {method} were planned")
        for smaller, larger in pairwise(cells):
            yield evidence.compare(larger, smaller, direction)


def _lengths(evidence: _Evidence) -> _Claim:
    parts = list(_growing(evidence, "pix2pix", "epochs"))
    for direction in DIRECTIONS:
        longest = max(
            evidence.cells_of("pix2pix", direction), key=lambda cell: int(cell.settings["epochs"]), default=None
        )
        autoencoders = [cell for method in _AUTOENCODERS for cell in evidence.cells_of(method, direction)]
        if longest is not None:
            parts += [evidence.compare(longest, cell, direction) for cell in autoencoders]
    compared = "each length of Pix2Pix with the next shorter one, and the longest with every autoencoder"
    return "Pix2Pix improves with epochs and beats the autoencoders.", compared, parts


def _cyclegan_best(evidence: _Evidence) -> _Claim:
    parts = [
        evidence.compare(cell, other, direction)
        for direction in DIRECTIONS
        for cell in evidence.cells_of("cyclegan", direction)
        for other in evidence.learned(direction, without="cyclegan")
    ]
    epochs = {str(cell.settings.get("epochs", "its own")) for cell in evidence.cells if cell.method == "cyclegan"}
    compared = f"CycleGAN after {' or '.join(sorted(epochs))} epochs with every other trained variant"
    return "CycleGAN is the best even with few epochs.", compared, parts


def _colours(evidence: _Evidence) -> _Claim:
    compared = (
        "what colour costs CycleGAN's photos (FSIM less FSIMc, zero for exact colours) with zero, "
        "and with the same of the longest Pix2Pix"
    )
    return "CycleGAN cannot give back the exact colours.", compared, list(_colour_parts(evidence))


def _colour_parts(evidence: _Evidence) -> Iterator[Part]:
    """Compare colour losses the other way round: the claim says that CycleGAN loses more."""
    direction: Direction = "sketch2photo"
    lengths = sorted(evidence.cells_of("pix2pix", direction), key=lambda cell: int(cell.settings["epochs"]))
    for cell in evidence.cells_of("cyclegan", direction):
        found = evidence.finding(cell, direction)
        if found is None:
            yield _missing("exact colours", label(cell), direction, f"no result of {cell.results[direction]}", "fsimc")
            continue
        lost = _with_colour_loss(found.results)
        exact = lost.model_copy(update={"metrics": {name: _zero(lost, name) for name in lost.metrics}})
        yield _compare("exact colours", label(cell), direction, exact, lost, COLOUR_LOSS)
        if not lengths:
            yield _missing("Pix2Pix", label(cell), direction, "no cell of pix2pix was planned", "fsimc")
        for other in lengths[-1:]:
            rival = evidence.finding(other, direction)
            if rival is None:
                why = f"no result of {other.results[direction]}"
                yield _missing(label(other), label(cell), direction, why, "fsimc")
            else:
                rival_lost = _with_colour_loss(rival.results)
                yield _compare(label(other), label(cell), direction, rival_lost, lost, COLOUR_LOSS)


def _with_colour_loss(results: Results) -> Results:
    """Return results with nothing but the colour loss, where both of its measures are there.

    FSIMc is FSIM times a similarity of chrominance, so their gap is what wrong colours cost (Zhang et al., TIP 2011).
    """
    if not {"fsim", "fsimc"} <= results.metrics.keys():
        why = results.left_out.get("fsimc", "the true photos are grey, so there is no colour to give back")
        return results.model_copy(update={"metrics": {}, "left_out": {COLOUR_LOSS: why}})
    grey, colour = results.metrics["fsim"], results.metrics["fsimc"]
    gaps = [one - other for one, other in zip(grey.values, colour.values, strict=True)]
    like = grey.model_copy(update={"better": "lower"})
    return results.model_copy(update={"metrics": {COLOUR_LOSS: measured(results, gaps, like, "colour loss")}})


def _zero(results: Results, name: str) -> Measure:
    return measured(results, [0.0] * len(results.stems), results.metrics[name])


def _cheap(evidence: _Evidence) -> _Claim:
    parts = [part for direction in DIRECTIONS for part in _cheap_parts(evidence, direction)]
    compared = (
        "the CVAE of the largest latent with every baseline and with every variant of another "
        f"family; one that trained more than {CHEAP:g} times as long is beyond little compute, however good"
    )
    return "With little compute, prefer the CVAE.", compared, parts


def _cheap_parts(evidence: _Evidence, direction: Direction) -> Iterator[Part]:
    cells = sorted(evidence.cells_of("conv-vae", direction), key=lambda cell: int(cell.settings["latent"]))
    if not cells:
        yield _missing("CVAE", "any other", direction, "no cell of conv-vae was planned")
        return
    cell = cells[-1]
    found = evidence.finding(cell, direction)
    if found is None:
        yield _missing(label(cell), "any other", direction, f"no result of {cell.results[direction]}")
        return
    for baseline in found.results.baselines.values():
        other = baseline_results(found.results, baseline)
        yield _compare(label(cell), baseline.title, direction, found.results, other, PRIMARY)
    for rival in evidence.learned(direction, without="conv-vae"):
        yield _with_cost(evidence, cell, rival, direction)


def _with_cost(evidence: _Evidence, cell: Cell, rival: Cell, direction: Direction) -> Part:
    """Compare in the primary measure; a rival beyond the means does not count against the claim."""
    part = evidence.compare(cell, rival, direction)
    one, other = evidence.finding(cell, direction), evidence.finding(rival, direction)
    if part.difference is None or one is None or other is None:
        return part
    if not one.seconds or not other.seconds:
        silent = rival if one.seconds else cell
        return _missing(part.first, part.second, direction, f"no training time in the log of {silent.name}")
    times = other.seconds / one.seconds
    if times > CHEAP:
        note = f"beyond little compute: {times:.1f} times the training time"
        return Part(part.first, part.second, direction, part.metric, part.difference, "holds", note)
    return part


_CLAIMS: tuple[Callable[[_Evidence], _Claim], ...] = (
    _sketch_losses,
    _photo_losses,
    _latents,
    _lengths,
    _cyclegan_best,
    _colours,
    _cheap,
)
