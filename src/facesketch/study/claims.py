"""The study's seven claims, each judged by paired differences on people whom no model has seen.

A claim is one or several comparisons, each of which expects the first to be better than the second. It holds if every
one of them shows that, does not hold as soon as one shows the opposite, and is otherwise not shown: a difference whose
95 % interval holds zero shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Literal

from facesketch.config import DIRECTIONS, Direction
from facesketch.evaluation.results import Difference, Results, paired_difference
from facesketch.study.aggregate import PRIMARY, VariantResult, baseline_results, measured, variant_results
from facesketch.study.grid import IN_WORDS, PRESETS, Cell, plan
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
        first, second: what is compared, by the names people use.
        direction: what is translated into what.
        metric: the title of the measure; empty where something is missing.
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
    evidence = _Evidence(study, variant_results(study) if found is None else found)
    return [_judge(number, *claim) for number, claim in enumerate(_claims(evidence), start=1)]


def _judge(number: int, text: str, compared: str, parts: Sequence[Part]) -> Claim:
    verdicts = {part.verdict for part in parts}
    verdict: Verdict = "holds" if verdicts == {"holds"} else "not shown"
    if "does not hold" in verdicts:
        verdict = "does not hold"
    deciding = [part for part in parts if part.verdict == verdict]
    missing = [part for part in deciding if part.difference is None]
    share = f"{len(deciding)} of {len(parts)} comparisons"
    if not deciding:
        why = "there was nothing to compare"
    elif verdict == "holds":
        measured_parts = [part for part in parts if part.difference is not None and not part.note]
        least = min(measured_parts, key=lambda part: abs(part.difference.value) if part.difference else 0, default=None)
        how = f"; the smallest difference is {describe(least)}" if least else " by cost alone"
        why = f"all {len(parts)} comparisons are in its favour{how}"
    elif missing:
        why = f"{share} cannot decide: {missing[0].note}"
    elif verdict == "does not hold":
        why = f"the opposite is shown in {share}, such as {describe(deciding[0])}"
    else:
        why = f"{share} show no difference, such as {describe(deciding[0])}"
    return Claim(number, text, compared, tuple(parts), verdict, why)


def describe(part: Part) -> str:
    """Return a comparison in words and numbers."""
    assert part.difference is not None, "only what was measured can be described"
    return f"{part.first} less {part.second}, {IN_WORDS[part.direction]}: {in_numbers(part.difference)} {part.metric}"


def in_numbers(difference: Difference) -> str:
    """Return a difference with its sign and interval, small ones with a fourth decimal."""
    digits = 4 if max(abs(difference.low), abs(difference.high)) < 0.01 else 3
    value, low, high = (f"{end:+.{digits}f}" for end in (difference.value, difference.low, difference.high))
    return f"{value} [{low}, {high}]".replace("-", "−")


def _claims(evidence: _Evidence) -> Iterator[tuple[str, str, list[Part]]]:
    """Yield each claim, what is compared for it, and the comparisons."""
    yield (
        "For the CAE, MSE gives better sketches than MAE, and BCE the worst.",
        "the CAE's three losses",
        evidence.losses("photo2sketch", ("mse", "mae", "bce")),
    )
    yield (
        "From sketch to photo, MSE is best for the CAE, and BCE better than MAE.",
        "the CAE's three losses",
        evidence.losses("sketch2photo", ("mse", "bce", "mae")),
    )
    yield (
        "A larger latent makes the CVAE better.",
        "each latent of the CVAE with the next smaller one",
        list(evidence.growing("conv-vae", "latent")),
    )
    yield (
        "Pix2Pix improves with epochs and beats the autoencoders.",
        "each length of Pix2Pix with the next shorter one, and the longest with every autoencoder",
        [
            *evidence.growing("pix2pix", "epochs"),
            *(
                evidence.compare(longest, cell, direction)
                for direction in DIRECTIONS
                for longest in evidence.sorted_by("pix2pix", direction, "epochs")[-1:]
                for method in _AUTOENCODERS
                for cell in evidence.cells_of(method, direction)
            ),
        ],
    )
    epochs = {str(cell.settings.get("epochs", "its own")) for cell in evidence.cells if cell.method == "cyclegan"}
    yield (
        "CycleGAN is the best even with few epochs.",
        f"CycleGAN after {' or '.join(sorted(epochs))} epochs with every other trained variant",
        [
            evidence.compare(cell, other, direction)
            for direction in DIRECTIONS
            for cell in evidence.cells_of("cyclegan", direction)
            for other in evidence.learned(direction, without="cyclegan")
        ],
    )
    yield (
        "CycleGAN cannot give back the exact colours.",
        "what colour costs CycleGAN's photos (FSIM less FSIMc, zero for exact colours) with zero, "
        "and with the same of the longest Pix2Pix",
        list(_colours(evidence)),
    )
    yield (
        "With little compute, prefer the CVAE.",
        "the CVAE of the largest latent with every baseline and with every variant of another "
        f"family; one that trained more than {CHEAP:g} times as long is beyond little compute, however good",
        [part for direction in DIRECTIONS for part in _cheap(evidence, direction)],
    )


class _Evidence:
    """The cells that the claims speak of, those that the study built, done or not; and their results."""

    def __init__(self, study: Study, found: dict[str, VariantResult]) -> None:
        planned = [cell for cell in study.cells if not cell.settings.get("seed", 0)]
        names = {cell.name for cell in planned}
        others = plan(study.preset, seeds=1) if study.preset in PRESETS else []
        cells = (*planned, *(cell for cell in others if cell.name not in names))
        self.cells = tuple(cell for cell in cells if cell.built)
        self._found = found

    def cells_of(self, method: str, direction: Direction, **settings: object) -> list[Cell]:
        """Return a family's cells in the order of the grid."""
        cells = [cell for cell in self.cells if cell.method == method and direction in cell.results]
        return [cell for cell in cells if settings.items() <= cell.settings.items()]

    def sorted_by(self, method: str, direction: Direction, setting: str) -> list[Cell]:
        """Return a family's cells, the one with the largest value of a setting last."""
        return sorted(self.cells_of(method, direction), key=lambda cell: int(cell.settings[setting]))

    def learned(self, direction: Direction, *, without: str) -> list[Cell]:
        """Return the cells of all other families that learn."""
        return [cell for cell in self.cells if cell.learned and direction in cell.results and cell.method != without]

    def result(self, cell: Cell, direction: Direction) -> VariantResult | None:
        """Return a cell's result, or None where it is missing."""
        return self._found.get(cell.results[direction])

    def compare(
        self,
        first: Cell,
        second: Cell,
        direction: Direction,
        metric: str = PRIMARY,
        view: Callable[[Results], Results] = lambda results: results,
    ) -> Part:
        """Compare two cells in a measure, of what a view makes of their results."""
        one, other = self.result(first, direction), self.result(second, direction)
        if one is None or other is None:
            missing = first if one is None else second
            return _missing(first.label, second.label, direction, f"no result of {missing.results[direction]}")
        return _compare(first.label, second.label, view(one.results), view(other.results), metric)

    def losses(self, direction: Direction, order: Sequence[str]) -> list[Part]:
        """Compare the CAE's losses, each with all that should be worse; a loss is one cell."""
        cells = [self.cells_of("conv-ae", direction, loss=loss) for loss in order]
        for loss, found in zip(order, cells, strict=True):
            if not found:
                return [_missing("CAE", "CAE", direction, f"no cell of conv-ae with loss {loss}")]
        return [self.compare(better[0], worse[0], direction) for better, worse in combinations(cells, 2)]

    def growing(self, method: str, setting: str) -> Iterator[Part]:
        """Compare each value of a setting with the next smaller one, in both directions."""
        for direction in DIRECTIONS:
            cells = self.sorted_by(method, direction, setting)
            if len(cells) < 2:
                why = f"fewer than two values of {setting} of {method} were planned"
                yield _missing(method, method, direction, why)
            for smaller, larger in pairwise(cells):
                yield self.compare(larger, smaller, direction)


def _missing(first: str, second: str, direction: Direction, why: str) -> Part:
    return Part(first, second, direction, "", None, "not shown", why)


def _compare(first: str, second: str, one: Results, other: Results, metric: str = PRIMARY) -> Part:
    for results in (one, other):
        if metric not in results.metrics:
            why = results.left_out.get(metric, "it was not measured")
            return _missing(first, second, one.direction, f"no {metric} in {results.name}: {why}")
    difference = paired_difference(one, other, metric)
    verdicts: dict[str, Verdict] = {"first is better": "holds", "second is better": "does not hold"}
    verdict = verdicts.get(difference.verdict, "not shown")
    return Part(first, second, one.direction, one.metrics[metric].title, difference, verdict)


def _colours(evidence: _Evidence) -> Iterator[Part]:
    """Compare colour losses in reverse: the claim says that CycleGAN loses more."""
    direction: Direction = "sketch2photo"
    for cell in evidence.cells_of("cyclegan", direction):
        found = evidence.result(cell, direction)
        if found is None:
            yield _missing("exact colours", cell.label, direction, f"no result of {cell.results[direction]}")
            continue
        lost = _with_colour_loss(found.results)
        zeros = [0.0] * len(lost.stems)
        exact = {name: measured(lost, zeros, measure) for name, measure in lost.metrics.items()}
        yield _compare("exact colours", cell.label, lost.model_copy(update={"metrics": exact}), lost, COLOUR_LOSS)
        longest = evidence.sorted_by("pix2pix", direction, "epochs")[-1:]
        if not longest:
            yield _missing("Pix2Pix", cell.label, direction, "no cell of pix2pix was planned")
        for other in longest:
            yield evidence.compare(other, cell, direction, COLOUR_LOSS, _with_colour_loss)


def _with_colour_loss(results: Results) -> Results:
    """Return results with the colour loss as their only measure, where FSIM and FSIMc are there.

    FSIMc is FSIM times a similarity of chrominance, so their gap is what wrong colours cost (Zhang et al., TIP 2011).
    """
    if not {"fsim", "fsimc"} <= results.metrics.keys():
        why = results.left_out.get("fsimc", "the true photos are grey, so there is no colour to give back")
        return results.model_copy(update={"metrics": {}, "left_out": {COLOUR_LOSS: why}})
    grey, colour = results.metrics["fsim"], results.metrics["fsimc"]
    gaps = [one - other for one, other in zip(grey.values, colour.values, strict=True)]
    like = grey.model_copy(update={"better": "lower", "title": "colour loss"})
    return results.model_copy(update={"metrics": {COLOUR_LOSS: measured(results, gaps, like)}})


def _cheap(evidence: _Evidence, direction: Direction) -> Iterator[Part]:
    """Compare the CVAE of the largest latent; a rival that trained much longer does not count against the claim."""
    cells = evidence.sorted_by("conv-vae", direction, "latent")
    found = evidence.result(cells[-1], direction) if cells else None
    if found is None:
        why = f"no result of {cells[-1].results[direction]}" if cells else "no cell of conv-vae was planned"
        yield _missing(cells[-1].label if cells else "CVAE", "any other", direction, why)
        return
    cell = cells[-1]
    for baseline in found.results.baselines.values():
        yield _compare(cell.label, baseline.title, found.results, baseline_results(found.results, baseline))
    for rival in evidence.learned(direction, without="conv-vae"):
        part, other = evidence.compare(cell, rival, direction), evidence.result(rival, direction)
        if part.difference is None or other is None:
            yield part
        elif not found.seconds or not other.seconds:
            silent = rival if found.seconds else cell
            yield _missing(part.first, part.second, direction, f"no training time in the log of {silent.name}")
        elif other.seconds / found.seconds > CHEAP:
            note = f"beyond little compute: {other.seconds / found.seconds:.1f} times the training time"
            yield replace(part, verdict="holds", note=note)
        else:
            yield part
