"""The chance that a hit is the right person, and the chance that nobody in the gallery is.

Before the search, the person is in the gallery with a prior chance, and may then be anybody in it. A score changes this
by its likelihood ratio: how much more often the right person has such a score than another person. By Bayes' rule the
chances of all people and of "not in this gallery" are

    person i:  prior / N * ratio(score_i)        nobody here:  1 - prior        divided by their sum

The scores of other people differ from sketch to sketch and from gallery to gallery: where everybody looks alike, all
score high. So a score counts by how far it stands out from the others in this gallery, in standard deviations of their
scores, and the logarithm of the ratio is linear in that distance. `scripts/search_calibration.py` found the constants
of each embedder and route on people that no model was trained on.

A few other people do not show what is usual, so a gallery of fewer than `FEWEST` people has no chances. docs/search.md
has the measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facesketch.errors import ConfigError

if TYPE_CHECKING:
    from facesketch.search.embedding.describer import Route

Array = NDArray[np.float64]
FEWEST = 30  # people that a gallery needs; with fewer, strangers look certain
_NARROWEST = 0.2  # of the usual spread, the least that the others of a gallery have
_ENOUGH = 50  # scores drawn from a gallery that show what is usual in it
_NONE = np.zeros(0)


@dataclass(frozen=True)
class Calibration:
    """What the scores of an embedder and route say.

    Attributes:
        slope: by how much one more standard deviation raises the logarithm of the likelihood ratio; above 0.
        offset: that logarithm for a score equal to the mean of the others.
        mean: of the scores of other people in a mixed gallery.
        spread: their standard deviation.
    """

    slope: float
    offset: float
    mean: float
    spread: float

    def log_ratio(self, distances: Array) -> Array:
        """Return the logarithm of how much more often the right person stands out so far than another person."""
        return self.slope * distances + self.offset


CALIBRATIONS: dict[tuple[str, Route], Calibration] = {
    ("learned", "direct"): Calibration(3.91, -9.22, 0.0018, 0.0892),
    ("learned", "to-photo"): Calibration(3.47, -6.97, -0.0031, 0.0863),
    ("learned", "to-sketch"): Calibration(4.38, -10.45, -0.0058, 0.0962),
    ("learned", "fused"): Calibration(4.22, -10.11, -0.0024, 0.0845),
    ("lite", "direct"): Calibration(3.66, -7.72, 0.0015, 0.1020),
    ("lite", "to-photo"): Calibration(3.34, -6.28, -0.0045, 0.0995),
    ("lite", "to-sketch"): Calibration(3.96, -8.48, -0.0054, 0.1120),
    ("lite", "fused"): Calibration(3.81, -8.20, -0.0028, 0.0988),
    ("sface", "direct"): Calibration(2.62, -3.92, 0.0794, 0.0845),
    ("sface", "to-photo"): Calibration(2.11, -2.62, 0.0815, 0.0864),
    ("sface", "to-sketch"): Calibration(2.85, -4.55, 0.1367, 0.0867),
    ("sface", "fused"): Calibration(2.77, -4.42, 0.0992, 0.0732),
    ("hog", "direct"): Calibration(3.25, -4.92, 0.6861, 0.0461),
    ("hog", "to-photo"): Calibration(3.00, -4.13, 0.6795, 0.0455),
    ("hog", "to-sketch"): Calibration(4.04, -7.24, 0.6905, 0.0466),
    ("hog", "fused"): Calibration(3.59, -5.89, 0.6853, 0.0438),
}


def calibration(embedder: str, route: Route) -> Calibration:
    """Return what the scores of an embedder and route say.

    Raises:
        ConfigError: nothing was measured for them.
    """
    if (embedder, route) not in CALIBRATIONS:
        known = ", ".join(sorted({name for name, _ in CALIBRATIONS}))
        raise ConfigError(f"no calibration for embedder '{embedder}' and route '{route}'", f"known embedders: {known}")
    return CALIBRATIONS[embedder, route]


def distances(scores: NDArray[np.floating], rest: int, usual: tuple[float, float]) -> Array:
    """Return how far scores stand out from those of the others in the gallery, in standard deviations.

    The scores of the others are assumed to be normal. A line through the upper half of them over the quantiles of the
    normal distribution (Blom 1958) gives their mean and standard deviation. The best score is left out, as it may be
    the right person's. Two usual scores, a standard deviation above and below the mean, are added, so that a few people
    have others too and the nearest of many do not stand for all.

    Args:
        scores: (K,) of the nearest people, the highest first.
        rest: how many more people there are.
        usual: the mean and the standard deviation of the scores of others, the latter above 0.

    Returns:
        (K,), falling as the scores do.
    """
    size = len(scores) + rest
    others = scores[1 : 1 + -(-size // 2)].astype(np.float64)
    places = np.arange(1, len(others) + 1)
    quantiles = [-NormalDist().inv_cdf(share) for share in (places - 0.375) / (size - 0.75)]
    mean, spread = usual
    line = np.polyfit(np.append(quantiles, (-1.0, 1.0)), np.append(others, (mean - spread, mean + spread)), 1)
    return np.asarray((scores - line[1]) / max(line[0], _NARROWEST * spread), dtype=np.float64)


def company(drawn: Array, calibration: Calibration) -> tuple[float, float]:
    """Return the mean and the standard deviation of the scores of others, in a mixed gallery if too few are drawn.

    Args:
        drawn: (M,) scores of photos drawn from the gallery at random.
        calibration: the scores of others in a mixed gallery.
    """
    if len(drawn) < _ENOUGH:
        return calibration.mean, calibration.spread
    return float(drawn.mean()), max(float(drawn.std()), _NARROWEST * calibration.spread)


def chances(
    scores: NDArray[np.floating], rest: int, calibration: Calibration, prior: float = 0.5, drawn: Array = _NONE
) -> tuple[Array, float]:
    """Return the chance of each person to be the right one, and the chance that the right one is not in the gallery.

    The rest up to 1 is the chance that it is another person in the gallery.

    Args:
        scores: (K,) of the best photos of the nearest people, the highest first.
        rest: how many more people there are; each scores at most as high as the last of these.
        calibration: what a score says.
        prior: the chance, before the search, that the person is in the gallery; above 0 and below 1.
        drawn: (M,) scores of photos drawn from the gallery at random; fewer than 50 are ignored.

    Returns:
        (K,) chances, and one chance.

    Raises:
        ConfigError: a prior that is 0, 1 or beyond.
    """
    if not 0 < prior < 1:
        raise ConfigError(f"`prior` {prior:g}", "expected a chance above 0 and below 1, such as 0.5")
    if not len(scores):
        return np.zeros(0), 1.0
    outstanding = distances(scores, rest, company(drawn, calibration))
    return posterior(calibration.log_ratio(outstanding), rest, prior)


def posterior(log_ratios: Array, rest: int, prior: float) -> tuple[Array, float]:
    """Return the same from the logarithms of the likelihood ratios of the K nearest, by Bayes' rule."""
    # The ratio of another person is 1 on average, and lower for those who score low.
    others = np.log(rest) + min(0.0, float(log_ratios.min())) if rest else -np.inf
    ours = np.log(prior) - np.log(len(log_ratios) + rest)
    logs = np.concatenate([ours + log_ratios, [ours + others, np.log1p(-prior)]])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    return weights[: len(log_ratios)], float(weights[-1])
