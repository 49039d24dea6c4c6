"""From scores to numbers: rank-k, open-set rates and the calibration of chances, with intervals over subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from facesketch.metrics.bootstrap import Bootstrap, Interval, Rows
from facesketch.metrics.calibration import calibration_error, reliability
from facesketch.metrics.open_set import detection, detection_curve, threshold
from facesketch.search.evaluation.results import ALARMS, RANKS, Chances, GroupScore, OpenSet, RouteScore
from facesketch.search.evaluation.scores import HalfGalleries, Mask, Scores, best_scores, halves, leave_out

Array = NDArray[np.float64]
Chance = Callable[[Array, int], tuple[Array, float]]
"""Takes a search's best scores, highest first, and how many more people there are; returns the chance of each of the
best to be the right person, and the chance that the person is not in the gallery."""

DIVISIONS = 50
_JUDGED = 20  # galleries for which chances are computed, which takes longer than comparing
_LOOKED_AT = 100  # best scores that chances are computed from, as in a search of a gallery
_GROUP_ALARMS = 0.1  # share of false alarms at which groups are compared: at 1 % a group has hardly any
_CURVE = 100  # places of a cumulative match curve that are kept
_ALONG = sorted({*np.geomspace(0.001, 1, 46).tolist(), *ALARMS})  # shares of false alarms along a curve


class Meter:
    """Measures routes over the same probes, with the same resamples and the same people left out.

    Args:
        subjects: who each probe shows, by name; at least 2 people.
        divisions: how often they are divided into halves.
        seed: of resamples and divisions.
        groups: by the name of a column, its value for each probe; empty where it has none.
    """

    def __init__(
        self,
        subjects: Sequence[str],
        *,
        divisions: int = DIVISIONS,
        seed: int = 0,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._subjects, self._seed, self._groups = np.asarray(subjects), seed, groups or {}
        self._bootstrap = Bootstrap(subjects, seed=seed)
        self._probes = len(subjects)
        assert self._bootstrap.count > 1, "one person to find, and one to leave out"
        self.masks: list[Mask] = list(halves(self._bootstrap.count, divisions, seed))

    def measure(self, title: str, scores: Scores, chance: Chance | None = None) -> RouteScore:
        """Return what a route found, or what a baseline did.

        Args:
            title: its name in print.
            scores: of every probe with every person.
            chance: computes the chances; None to leave them out.
        """
        places = scores.places()
        found = leave_out(scores, self.masks)
        first, absent = (None, None) if chance is None else self._chances(scores, chance)
        curve = np.bincount(places, minlength=scores.size + 1)[1:].cumsum() / len(places)
        return RouteScore(
            title=title,
            ranks=tuple(places.tolist()),
            rank={str(k): _rate(self._bootstrap.mean(places <= k)) for k in RANKS},
            curve=tuple(curve[:_CURVE].tolist()),
            open_set={str(alarms): self._open_set(found, alarms) for alarms in ALARMS},
            alarms=tuple(zip(_ALONG, detection_curve(found.searches(), _ALONG).tolist(), strict=True)),
            first=first,
            absent=absent,
            groups={column: self._by_group(says, places, found) for column, says in self._groups.items()},
        )

    def _by_group(self, says: Sequence[str], places: NDArray[np.int64], found: HalfGalleries) -> dict[str, GroupScore]:
        """Return what was found for each group of people, at one threshold for all."""
        level = detection(found.searches(), _GROUP_ALARMS).threshold
        alarms = ((found.leads > level) & ~found.known).sum(axis=0) / (~found.known).sum(axis=0)  # (P,)
        groups = {}
        for value in sorted(set(says) - {""}):
            rows = np.flatnonzero(np.asarray(says) == value)
            drawn = Bootstrap(self._subjects[rows].tolist(), seed=self._seed)
            first, told = _rate(drawn.mean(places[rows] == 1)), _rate(drawn.mean(alarms[rows]))
            groups[value] = GroupScore(sketches=len(rows), first=first, alarms=told)
        return groups

    def _open_set(self, found: HalfGalleries, alarms: float) -> OpenSet:
        """Return the rate at a share of false alarms; every resample sets its own threshold."""
        value = detection(found.searches(), alarms)
        probe = np.broadcast_to(np.arange(self._probes), found.known.shape)
        order = np.argsort(-found.leads[~found.known], kind="stable")
        strangers, whose = found.leads[~found.known][order], probe[~found.known][order]
        times = found.known.sum(axis=0)

        def rate(rows: Rows) -> float:
            weights = np.bincount(rows, minlength=self._probes).astype(np.float64)
            level = threshold(strangers, alarms, weights[whose])
            hits = (found.right & (found.leads > level)).sum(axis=0)
            return float(weights @ hits / (weights @ times))

        ends = _rate(self._bootstrap.around(value.rate, rate))
        level = value.threshold if np.isfinite(value.threshold) else None
        return OpenSet(**ends.model_dump(), alarms=alarms, threshold=level)

    def _chances(self, scores: Scores, chance: Chance) -> tuple[Chances, Chances]:
        """Return how well chances of the first hit, and of nobody, are calibrated in galleries with people left out.

        A probe without a face has no answer, so its first hit has chance 0.
        """
        masks = self.masks[:_JUDGED]
        found = leave_out(scores, masks)
        first, absent = np.zeros(found.known.shape), np.ones(found.known.shape)  # (R, P)
        for row, out in enumerate(masks):
            size = scores.size - int(out.sum())
            for column, best in enumerate(best_scores(scores, out, _LOOKED_AT)):
                top = best[np.isfinite(best)]
                if len(top):
                    chances, absent[row, column] = chance(top, size - len(top))
                    first[row, column] = chances[0]
        return self._calibrated(np.clip(first, 0, 1), found.right), self._calibrated(
            np.clip(absent, 0, 1), ~found.known
        )

    def _calibrated(self, chances: Array, right: Mask) -> Chances:
        """Return the calibration error and the table of (R, P) chances."""
        bins = reliability(chances.ravel(), right.ravel())
        error = calibration_error(bins)

        def again(rows: Rows) -> float:
            weights = np.broadcast_to(np.bincount(rows, minlength=self._probes), chances.shape)
            return calibration_error(reliability(chances.ravel(), right.ravel(), weights.ravel().astype(np.float64)))

        return Chances(error=_rate(self._bootstrap.around(error, again)), steps=tuple(bins))


def _rate(found: Interval) -> Interval:
    """Return the interval of a share, clipped to 0 to 1."""
    low, high = (min(1.0, max(0.0, end)) for end in (found.low, found.high))
    return Interval(value=found.value, low=low, high=high)
