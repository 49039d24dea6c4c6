"""The study's seven claims, each judged by paired differences on people whom no model has seen.

A claim rests on one or more comparisons, and expects the first to be better than the second in each. It holds if all of
them show that, does not hold if one shows the opposite, and is otherwise not shown: a difference whose 95 % interval
includes zero shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Literal

from facesketch.config import DIRECTIONS, Direction
from facesketch.evaluation.results import Difference, Results, paired_difference
from facesketch.study.aggregate import PRIMARY, VariantResult, baseline_results, measured, variant_results
from facesketch.study.grid import IN_WORDS, PRESETS, Cell, plan
from facesketch.study.study import Study

Verdict = Literal["holds", "does not hold", "not shown"]
_VERDICTS: dict[str, Verdict] = {"first is better": "holds", "second is better": "does not hold"}
CHEAP = 1.5
"""How many times the CVAE's training time still counts as little compute: timings on one quiet machine vary by less."""
COLOUR_LOSS = "colour-loss"
Found = Results | str
"""Results, or why there are none."""


@dataclass(frozen=True)
class Part:
    """One comparison, in which a claim expects the first to be better than the second.

    Attributes:
        first, second: what is compared, by the names people use.
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
    """A claim of the study, and what was measured of it.

    Attributes:
        number: its place in the study's list.
        text: what the study says.
        flaws: what was wrong with the study's own evidence.
        compared: what was compared here.
        parts: every comparison.
        verdict: what the comparisons show together.
        why: the comparisons that decide, as sentences.
    """

    number: int
    text: str
    flaws: str
    compared: str
    parts: tuple[Part, ...]
    verdict: Verdict
    why: str


def ledger(study: Study, found: Mapping[str, VariantResult] | None = None) -> list[Claim]:
    """Return the study's claims, judged by its results: those on disk, unless they are given.

    Raises:
        DataError: a result is damaged.
    """
    evidence = _Evidence(study, variant_results(study) if found is None else found)
    return [_judge(number, *claim) for number, claim in enumerate(_claims(evidence), start=1)]


def _judge(number: int, text: str, flaws: str, compared: str, parts: Sequence[Part]) -> Claim:
    verdicts = {part.verdict for part in parts}
    holds: Verdict = "holds" if verdicts == {"holds"} else "not shown"
    verdict: Verdict = "does not hold" if "does not hold" in verdicts else holds
    deciding = [part for part in parts if part.verdict == verdict]
    share, show = f"{len(deciding)} of {len(parts)} comparisons", "shows" if len(deciding) == 1 else "show"
    if not deciding:
        why = "There was nothing to compare."
    elif verdict == "holds":
        shown = [part for part in parts if part.difference and not part.note]
        least = min(shown, key=lambda part: abs(part.difference.value) if part.difference else 0, default=None)
        how = f"The smallest difference: {describe(least)}." if least else "Cost alone decides."
        why = f"All {len(parts)} comparisons show it. {how}"
    elif missing := [part for part in deciding if part.difference is None]:
        why = f"{len(missing)} of {len(parts)} comparisons cannot decide: {missing[0].note}."
    elif verdict == "does not hold":
        largest = max(deciding, key=lambda part: abs(part.difference.value) if part.difference else 0)
        why = f"{share} {show} the opposite. The largest difference: {describe(largest)}."
    else:
        why = f"{share} {show} no difference. For example: {describe(deciding[0])}."
    return Claim(number, text, flaws, compared, tuple(parts), verdict, why)


def describe(part: Part) -> str:
    """Return a comparison in words and numbers."""
    assert part.difference is not None, "only what was measured can be described"
    return f"{IN_WORDS[part.direction]}, {part.first} minus {part.second}: {in_numbers(part.difference)} {part.metric}"


def in_numbers(difference: Difference) -> str:
    """Return a difference with its sign and interval, small ones with a fourth decimal."""
    digits = 4 if max(abs(difference.low), abs(difference.high)) < 0.01 else 3
    value, low, high = (f"{end:+.{digits}f}" for end in (difference.value, difference.low, difference.high))
    return f"{value} [{low}, {high}]".replace("-", "−")


def _claims(evidence: _Evidence) -> Iterator[tuple[str, str, str, list[Part]]]:
    """Yield each claim, the flaws of the study's evidence, what is compared here, and the comparisons."""
    cells, compare = evidence.cells, evidence.compare
    yield (
        "For the CAE, MSE gives better sketches than MAE, and BCE the worst.",
        "Sketches were scaled to [-1, 1], but the CAE ended in a ReLU, which gives nothing below 0; BCE had "
        "targets outside [0, 1] and fell below zero. The MAE run continued from the MSE weights, and the BCE run "
        "from the MAE weights. The losses, which are of different kinds, were compared with each other.",
        "the CAE's three losses",
        evidence.losses("photo2sketch", ("mse", "mae", "bce")),
    )
    yield (
        "From sketch to photo, MSE is best for the CAE, and BCE better than MAE.",
        "The MAE run continued from the MSE weights, and the BCE run from the MAE weights. The losses, which are "
        "of different kinds, were compared with each other, after the last epoch, although validation loss had "
        "been lower before.",
        "the CAE's three losses",
        evidence.losses("sketch2photo", ("mse", "bce", "mae")),
    )
    yield (
        "A larger latent makes the CVAE better.",
        "The CVAE was judged by its own loss, on test pictures that were turned and mirrored as in training.",
        "each latent of the CVAE with the next smaller one",
        evidence.growing("conv-vae", "latent"),
    )
    longest = {each: cells("pix2pix", each, sort="epochs")[-1:] for each in DIRECTIONS}
    autoencoders = {each: cells(("dense-ae", "conv-ae", "conv-vae"), each) for each in DIRECTIONS}
    over = [compare(one, other, each) for each in DIRECTIONS for one in longest[each] for other in autoencoders[each]]
    yield (
        "Pix2Pix improves with epochs and beats the autoencoders.",
        "No image metric was reported, and losses of different kinds were compared with each other. Pix2Pix "
        "learned from pictures in [0, 1] and translated pictures in [-1, 1]. The last epoch was kept, not the "
        "best one on people held out.",
        "each length of Pix2Pix with the next shorter one, and the longest with every autoencoder",
        [*evidence.growing("pix2pix", "epochs"), *over],
    )
    epochs = {str(cell.settings.get("epochs", "its own")) for cell in evidence.built if cell.method == "cyclegan"}
    yield (
        "CycleGAN is the best even with few epochs.",
        "No image metric was reported. CycleGAN learned from pictures in [0, 1] and translated pictures in [-1, 1].",
        f"CycleGAN after {' or '.join(sorted(epochs))} epochs with every other trained variant",
        [
            compare(cell, other, each)
            for each in DIRECTIONS
            for cell in cells("cyclegan", each)
            for other in evidence.rivals("cyclegan", each)
        ],
    )
    yield (
        "CycleGAN cannot give back the exact colours.",
        "The pictures were shown with red and blue swapped, as OpenCV orders them, and no image metric was reported.",
        "the colour loss of CycleGAN's photos (FSIM minus FSIMc, zero for exact colours) with zero, and with the "
        "colour loss of the longest Pix2Pix",
        list(_colours(evidence)),
    )
    yield (
        "With little compute, prefer the CVAE.",
        "No image metric was reported, so the families could not be compared. The dense autoencoder crashed the "
        "session.",
        "the CVAE of the largest latent with every baseline and with every variant of another "
        f"family; one that trained more than {CHEAP:g} times as long takes more than little compute, however good",
        [part for each in DIRECTIONS for part in _cheap(evidence, each)],
    )


class _Evidence:
    """The cells that the study built, done or not, and their results."""

    def __init__(self, study: Study, found: Mapping[str, VariantResult]) -> None:
        planned = {cell.name: cell for cell in study.cells if not cell.seed}
        whole = {cell.name: cell for cell in plan(study.preset, seeds=1)} if study.preset in PRESETS else {}
        self.built = [cell for cell in (planned | whole | planned).values() if cell.built]  # the study's own first
        self.found = found

    def cells(
        self, methods: str | tuple[str, ...], direction: Direction, *, sort: str | None = None, **settings: object
    ) -> list[Cell]:
        """Return the cells of one or several families in the order of the grid, or of a setting."""
        methods = (methods,) if isinstance(methods, str) else methods
        cells = [cell for cell in self.built if cell.method in methods and direction in cell.results]
        cells = [cell for cell in cells if settings.items() <= cell.settings.items()]
        return sorted(cells, key=lambda cell: int(cell.settings[sort])) if sort else cells

    def rivals(self, method: str, direction: Direction) -> list[Cell]:
        """Return the cells of all other families that learn."""
        return [cell for cell in self.built if cell.learned and direction in cell.results and cell.method != method]

    def results(self, cell: Cell, direction: Direction) -> Found:
        """Return a cell's results, or why there are none."""
        name = cell.results[direction]
        return self.found[name].results if name in self.found else f"no result of {name}"

    def compare(
        self,
        first: Cell,
        second: Cell,
        direction: Direction,
        metric: str = PRIMARY,
        view: Callable[[Found], Found] = lambda found: found,
    ) -> Part:
        """Compare two cells by a metric of what `view` makes of their results."""
        one, other = (view(self.results(cell, direction)) for cell in (first, second))
        return _compare(direction, first.label, one, second.label, other, metric)

    def losses(self, direction: Direction, order: Sequence[str]) -> list[Part]:
        """Compare each of the CAE's losses with all that should be worse."""
        cells = {loss: self.cells("conv-ae", direction, loss=loss)[:1] for loss in order}
        for loss, found in cells.items():
            if not found:
                return [_missing(direction, "CAE", "CAE", f"no cell of conv-ae with loss {loss}")]
        return [self.compare(better, worse, direction) for (better,), (worse,) in combinations(cells.values(), 2)]

    def growing(self, method: str, setting: str) -> list[Part]:
        """Compare each value of a setting with the next smaller one, in both directions."""
        parts = []
        for direction in DIRECTIONS:
            cells = self.cells(method, direction, sort=setting)
            parts += [self.compare(larger, smaller, direction) for smaller, larger in pairwise(cells)]
            if len(cells) < 2:
                why = f"fewer than two values of {setting} of {method} were planned"
                parts.append(_missing(direction, method, method, why))
        return parts


def _missing(direction: Direction, first: str, second: str, why: str) -> Part:
    return Part(first, second, direction, "", None, "not shown", why)


def _compare(direction: Direction, first: str, one: Found, second: str, other: Found, metric: str = PRIMARY) -> Part:
    if isinstance(one, str) or isinstance(other, str):
        return _missing(direction, first, second, one if isinstance(one, str) else str(other))
    for found in (one, other):
        if metric not in found.metrics:
            why = found.left_out.get(metric, "it was not measured")
            return _missing(direction, first, second, f"no {metric} in {found.name}: {why}")
    difference = paired_difference(one, other, metric)
    verdict = _VERDICTS.get(difference.verdict, "not shown")
    return Part(first, second, direction, one.metrics[metric].title, difference, verdict)


def _colours(evidence: _Evidence) -> Iterator[Part]:
    """Compare colour losses in reverse: the claim says that CycleGAN loses more."""
    direction: Direction = "sketch2photo"
    for cell in evidence.cells("cyclegan", direction):
        lost = exact = _with_colour_loss(evidence.results(cell, direction))
        if isinstance(lost, Results):
            zeros = {name: measured(lost, [0.0] * len(lost.stems), each) for name, each in lost.metrics.items()}
            exact = lost.model_copy(update={"metrics": zeros})
        yield _compare(direction, "exact colours", exact, cell.label, lost, COLOUR_LOSS)
        longest = evidence.cells("pix2pix", direction, sort="epochs")[-1:]
        if not longest:
            yield _missing(direction, "Pix2Pix", cell.label, "no cell of pix2pix was planned")
        for other in longest:
            yield evidence.compare(other, cell, direction, COLOUR_LOSS, _with_colour_loss)


def _with_colour_loss(found: Found) -> Found:
    """Return results with the colour loss as their only measure, where FSIM and FSIMc are there.

    FSIMc is FSIM times a similarity of chrominance, so their gap is what wrong colours cost (Zhang et al., TIP 2011).
    """
    if isinstance(found, str):
        return found
    if not {"fsim", "fsimc"} <= found.metrics.keys():
        why = found.left_out.get("fsimc", "the true photos are grey, so there is no colour to give back")
        return found.model_copy(update={"metrics": {}, "left_out": {COLOUR_LOSS: why}})
    grey, colour = found.metrics["fsim"], found.metrics["fsimc"]
    gaps = [one - other for one, other in zip(grey.values, colour.values, strict=True)]
    like = grey.model_copy(update={"better": "lower", "title": "colour loss"})
    return found.model_copy(update={"metrics": {COLOUR_LOSS: measured(found, gaps, like)}})


def _cheap(evidence: _Evidence, direction: Direction) -> Iterator[Part]:
    """Compare the CVAE of the largest latent; a rival that trained much longer does not count against the claim."""
    cells = evidence.cells("conv-vae", direction, sort="latent")
    if not cells:
        yield _missing(direction, "CVAE", "any other", "no cell of conv-vae was planned")
        return
    cell, results = cells[-1], evidence.results(cells[-1], direction)
    if isinstance(results, str):
        yield _missing(direction, cell.label, "any other", results)
        return
    for baseline in results.baselines.values():
        yield _compare(direction, cell.label, results, baseline.title, baseline_results(results, baseline))
    for rival in evidence.rivals("conv-vae", direction):
        part = evidence.compare(cell, rival, direction)
        if part.difference is not None:
            ours, theirs = (evidence.found[each.results[direction]].seconds for each in (cell, rival))
            if not ours or not theirs:
                silent = rival if ours else cell
                part = _missing(direction, part.first, part.second, f"no training time in the log of {silent.name}")
            elif theirs / ours > CHEAP:
                note = f"beyond little compute: {theirs / ours:.1f} times the training time"
                part = replace(part, verdict="holds", note=note)
        yield part
