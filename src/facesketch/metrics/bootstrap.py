"""How far a mean over test people may be off: bootstrap intervals over subjects.

Pictures of one person are not independent, so whole subjects are drawn with replacement, each with all its pictures
(the cluster bootstrap of Davison & Hinkley 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AliasChoices, Field

from facesketch.config import Frozen

RESAMPLES = 2000
SET_RESAMPLES = 200
"""Draws for a number that takes all pictures to compute, each time."""
LEVEL = 0.95

Rows = NDArray[np.intp]


class Interval(Frozen):
    """A value and its 95 % interval; files of version 0.1 call the value of a mean `mean`."""

    value: float = Field(validation_alias=AliasChoices("value", "mean"))
    low: float
    high: float


class Bootstrap:
    """Resamples of the subjects behind a list of pictures; every number measured on them uses the same draws.

    Draw `r` takes the subjects `default_rng(seed).integers(S, size=(resamples, S))[r]` of the S sorted subjects.

    Examples:
        >>> from facesketch.metrics.bootstrap import Bootstrap
        >>> mean = Bootstrap(["anna", "anna", "ben"]).mean([0.5, 0.7, 0.6])
        >>> round(mean.value, 3), round(mean.low, 3), round(mean.high, 3)
        (0.6, 0.6, 0.6)

    Args:
        subjects: who each picture shows.
        resamples: how many times to draw.
        seed: the seed of the draws.
    """

    def __init__(self, subjects: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0) -> None:
        assert len(subjects), "there must be something to draw from"
        names, self._subject = np.unique(np.asarray(subjects), return_inverse=True)
        self.count = len(names)
        draws = np.random.default_rng(seed).integers(self.count, size=(resamples, self.count))
        places = draws + np.arange(resamples)[:, None] * self.count
        times = np.bincount(places.ravel(), minlength=resamples * self.count).reshape(resamples, self.count)
        self._times = times.astype(np.float64)  # (resamples, S): how often a resample holds each subject
        self._pictures = self._times @ np.bincount(self._subject)

    def mean(self, values: ArrayLike) -> Interval:
        """Return the mean of (N,) finite values, one per picture, and its percentile interval."""
        array = np.asarray(values, dtype=np.float64)
        sums = np.bincount(self._subject, weights=array, minlength=self.count)
        low, high = _ends(self._times @ sums / self._pictures)
        return Interval(value=float(array.mean()), low=low, high=high)

    def around(self, value: float, statistic: Callable[[Rows], float]) -> Interval:
        """Return an interval around a number that is computed from all pictures together.

        A resample shows some pictures twice, which biases a distance of sets. So only the spread of the resamples
        counts, and it is centred on the value.

        Args:
            value: the statistic of all pictures, each once.
            statistic: takes the rows of a resample's pictures, with repeats, and returns the number.
        """
        found = np.array([statistic(self.rows(number)) for number in range(min(SET_RESAMPLES, len(self._times)))])
        low, high = _ends(found - found.mean())
        return Interval(value=value, low=value + low, high=value + high)

    def rows(self, number: int) -> Rows:
        """Return the rows of the pictures in one resample, each as often as its subject was drawn."""
        return np.repeat(np.arange(len(self._subject)), self._times[number][self._subject].astype(np.intp))


def _ends(found: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(found, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)
