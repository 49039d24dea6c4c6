"""Whether chances mean what they say: of the answers given with a chance of 70 %, 7 of 10 should be right.

The expected calibration error over bins of equal width (Naeini, Cooper & Hauskrecht, AAAI 2015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facesketch.config import Frozen
from facesketch.errors import DataError
from facesketch.metrics.retrieval import Array

BINS = 10


class Bin(Frozen):
    """Answers whose chances are near each other.

    `low` is excluded except for 0; `count` is the sum of weights; `chance` and `share` are 0 in an empty bin.
    """

    low: float
    high: float
    count: float
    chance: float
    """The mean of their chances."""
    share: float
    """How many of them are right, 0 to 1."""


def reliability(chances: Array, right: NDArray[np.bool_], weights: Array | None = None, bins: int = BINS) -> list[Bin]:
    """Sort answers into bins by their chances and say how many of each were right.

    `chances`, `right` and `weights`, how often each answer counts, are (N,).

    Raises:
        DataError: there is no answer, or a chance is not between 0 and 1.
    """
    if not len(chances):
        raise DataError("no answers", "expected at least one chance and whether it was right")
    if not ((chances >= 0) & (chances <= 1)).all():
        raise DataError("a chance is not between 0 and 1", "expected shares, not per cent")
    weights = np.ones(len(chances)) if weights is None else weights
    places = np.clip(np.ceil(chances * bins).astype(np.int64) - 1, 0, bins - 1)
    counts, said, true = (np.bincount(places, weights=weights * each, minlength=bins) for each in (1, chances, right))
    some = np.maximum(counts, np.finfo(np.float64).tiny)
    return [
        Bin(low=place / bins, high=(place + 1) / bins, count=count, chance=chance, share=share)
        for place, (count, chance, share) in enumerate(zip(counts, said / some, true / some, strict=True))
    ]


def calibration_error(bins: list[Bin]) -> float:
    """Return the mean distance between chance and share over the answers, 0 for chances that mean what they say."""
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.chance - each.share) for each in bins) / total
