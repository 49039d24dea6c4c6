"""The chance that a hit is the right person, and the chance that nobody in the gallery is.

Before the search, the person is in the gallery with a prior chance, and may then be anybody in it. A score changes this
by its likelihood ratio: how much more often the right person has such a score than another person. By Bayes' rule the
chances of all people and of "not in this gallery" are

    person i:  prior / N * ratio(score_i)        nobody here:  1 - prior        divided by their sum

The scores of other people differ from sketch to sketch and from gallery to gallery: where everybody looks alike, all
score high. So the logarithm of the ratio is linear in how far a score lies above those that come next in this gallery,
for this sketch. In a large gallery those lie higher, so the logarithm of its size counts too.
`scripts/search_calibration.py` found the constants of each embedder and route on people whom no map was fitted to, in
galleries of 1 to 6,000.

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
_NEXT = 10  # people that come next, or half of the others where they are fewer
_USUAL = 2  # people who score as the best of a mixed gallery would, and are added to those


@dataclass(frozen=True)
class Calibration:
    """What the scores of an embedder and route say.

    Attributes:
        ahead: by how much a score one standard deviation above those that come next raises the logarithm; above 0.
        offset: the logarithm for a score level with them, in a gallery of one.
        size: by how much the logarithm of the number of people raises it.
        mean: of the scores of other people in a mixed gallery.
        spread: their standard deviation.
    """

    ahead: float
    offset: float
    size: float
    mean: float
    spread: float


CALIBRATIONS: dict[tuple[str, Route], Calibration] = {
    ("learned", "direct"): Calibration(3.81, -13.32, 1.81, 0.0001, 0.0692),
    ("learned", "to-photo"): Calibration(2.76, -8.71, 1.47, 0.0050, 0.0683),
    ("learned", "to-sketch"): Calibration(3.64, -13.99, 2.06, -0.0095, 0.0769),
    ("learned", "fused"): Calibration(3.16, -12.38, 1.87, -0.0027, 0.0663),
    ("lite", "direct"): Calibration(4.05, -12.69, 1.86, -0.0014, 0.1008),
    ("lite", "to-photo"): Calibration(2.90, -8.78, 1.56, 0.0080, 0.1002),
    ("lite", "to-sketch"): Calibration(4.06, -14.13, 2.22, -0.0075, 0.1101),
    ("lite", "fused"): Calibration(3.60, -13.00, 2.09, -0.0020, 0.0984),
    ("sface", "direct"): Calibration(3.41, -6.04, 1.34, 0.0790, 0.0864),
    ("sface", "to-photo"): Calibration(2.81, -4.98, 1.17, 0.0745, 0.0877),
    ("sface", "to-sketch"): Calibration(3.29, -8.71, 1.71, 0.1365, 0.0853),
    ("sface", "fused"): Calibration(3.24, -7.55, 1.50, 0.0966, 0.0737),
    ("hog", "direct"): Calibration(5.42, -9.28, 1.91, 0.6892, 0.0458),
    ("hog", "to-photo"): Calibration(3.70, -6.80, 1.56, 0.6856, 0.0475),
    ("hog", "to-sketch"): Calibration(5.97, -13.03, 2.34, 0.6905, 0.0453),
    ("hog", "fused"): Calibration(5.28, -10.36, 2.02, 0.6884, 0.0438),
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


def log_ratios(scores: NDArray[np.floating], rest: int, known: Calibration) -> Array:
    """Return the logarithm of how much more often the right person has each score than another person here.

    Args:
        scores: (K,) of the nearest people, the highest first; K at least 1.
        rest: how many more people there are.
        known: what a score says.

    Returns:
        (K,), falling as the scores do.
    """
    people = len(scores) + rest
    following = np.asarray(scores[1 : 1 + min(_NEXT, people // 2)], dtype=np.float64)
    best = known.mean + known.spread * NormalDist().inv_cdf(people / (people + 1) if people > 1 else 0.5)
    level = (following.sum() + _USUAL * best) / (len(following) + _USUAL)
    said = known.ahead * (scores - level) / known.spread + known.offset + known.size * np.log(people)
    return np.asarray(said, dtype=np.float64)


def chances(scores: NDArray[np.floating], rest: int, known: Calibration, prior: float = 0.5) -> tuple[Array, float]:
    """Return the chance of each person to be the right one, and the chance that the right one is not in the gallery.

    The rest up to 1 is the chance that it is another person in the gallery.

    Args:
        scores: (K,) of the best photos of the nearest people, the highest first.
        rest: how many more people there are; each scores at most as high as the last of these.
        known: what a score says.
        prior: the chance, before the search, that the person is in the gallery; above 0 and below 1.

    Returns:
        (K,) chances, and one chance.

    Raises:
        ConfigError: a prior that is 0, 1 or beyond.
    """
    if not 0 < prior < 1:
        raise ConfigError(f"`prior` {prior:g}", "expected a chance above 0 and below 1, such as 0.5")
    if not len(scores):
        return np.zeros(0), 1.0
    return posterior(log_ratios(scores, rest, known), rest, prior)


def posterior(log_ratios: Array, rest: int, prior: float) -> tuple[Array, float]:
    """Return the same from the logarithms of the likelihood ratios of the K nearest, by Bayes' rule."""
    # The ratio of another person is 1 on average, and lower for those who score low.
    others = np.log(rest) + min(0.0, float(log_ratios.min())) if rest else -np.inf
    ours = np.log(prior) - np.log(len(log_ratios) + rest)
    logs = np.concatenate([ours + log_ratios, [ours + others, np.log1p(-prior)]])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    return weights[: len(log_ratios)], float(weights[-1])
