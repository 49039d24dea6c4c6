"""How often a person is found among people who may not be there: detection and identification at a false alarm rate.

A search alarms when its best score exceeds the threshold, which is set on people who are not in the gallery, so that at
most a given share of their searches alarm. Of the people who are, those count as detected and identified who are
strictly the best of the gallery and exceed the threshold (DIR at rank 1; 1 - FNIR at a given FPIR in NIST's
evaluations; Phillips, Grother & Micheals, Handbook of Face Recognition, 2011, section 21.2). Scores are larger for more
alike. Ties count against us: a mate that is level with a stranger, or with the threshold, is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facesketch.errors import DataError
from facesketch.metrics.retrieval import Array

_ROUNDING = 1e-9  # 0.29 of 100 searches are 29, whatever 0.29 * 100 is


@dataclass(frozen=True, eq=False)
class Searches:
    """The scores of searches for people in the gallery and for people who are not; -inf where nobody is left."""

    mates: Array
    """(K,) per search for a person in the gallery, the score of the person's own best picture."""
    rivals: Array
    """(K,) in the same searches, the best score of anybody else."""
    strangers: Array
    """(U,) per search for a person who is not in the gallery, the best score of anybody."""


@dataclass(frozen=True)
class Detection:
    """What a threshold does to some searches."""

    threshold: float
    """The score that has to be exceeded; -inf where every search may alarm."""
    rate: float
    """Share of the people in the gallery who are detected and identified."""
    alarms: float
    """Share of the other people's searches that alarm, at most what was asked for."""


def threshold(strangers: Array, rate: float, weights: Array | None = None) -> float:
    """Return the lowest threshold that at most a share `rate` of the searches for people not in the gallery exceed.

    It is one of the (U,) best scores `strangers`, or -inf when all of them may alarm. Each search counts `weights`
    times, if given.

    Raises:
        DataError: there is no such search, so that nothing is known of false alarms.
    """
    assert 0 <= rate <= 1, "a rate is a share"
    if not len(strangers):
        raise DataError("nobody is left out of the gallery", "expected searches for people who are not in it")
    weights = np.ones(len(strangers)) if weights is None else weights
    order = np.argsort(-strangers, kind="stable")
    alarms = weights[order].cumsum()
    place = int(np.searchsorted(alarms, rate * alarms[-1] * (1 + _ROUNDING), side="right"))
    return -np.inf if place == len(order) else float(strangers[order[place]])


def detection(found: Searches, rate: float) -> Detection:
    """Return how many are detected and identified when at most a share of the other searches may alarm.

    With U searches for people outside of the gallery, `rate` U of them may alarm, rounded down: with fewer than 1 /
    `rate` of them none may, and the threshold is the best score that any of them reached.

    Raises:
        DataError: there is no search for a person in the gallery, or none for a person outside of it.
    """
    if not len(found.mates):
        raise DataError("no probe shows anybody in the gallery", "expected some who are in it and some who are not")
    level = threshold(found.strangers, rate)
    hits = found.mates > np.maximum(found.rivals, level)
    return Detection(level, float(hits.mean()), float((found.strangers > level).mean()))


def detection_curve(found: Searches, rates: Sequence[float]) -> Array:
    """Return the rate of `detection` at each share of false alarms; where more are allowed it is never lower."""
    return np.array([detection(found, rate).rate for rate in rates])
