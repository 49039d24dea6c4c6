"""The chance that a hit is the right person, and the chance that nobody in the gallery is.

Before the search, the person is in the gallery with a prior chance, and may then be anybody in it. A score changes this
by its likelihood ratio: how much more often the right person has such a score than another person. By Bayes' rule the
chances of all people and of "not in this gallery" are

    person i:  prior / N * ratio(score_i)        nobody here:  1 - prior        divided by their sum

The scores of other people differ from sketch to sketch and from gallery to gallery: where everybody looks alike, all
score high. So what counts is the lead, by how much a score lies above the mean of those that come next in this gallery
for this sketch, as in the normalisation of scores by a cohort (Auckenthaler et al., Digital Signal Processing 2000).
The logarithm of the ratio is linear in it, and in the logarithm of the size of the gallery, as in a large one those
that come next lie higher. `scripts/search_calibration.py` found the constants of each embedder and route on people whom
no map was fitted to, in galleries of 5 to 6,000. The number of those that come next was chosen on training people whom
the map of that test was not fitted to.

Too few other people do not show what is usual, so a gallery of fewer than `FEWEST` people has no chances.
docs/search-results.md has the measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facesketch.errors import ConfigError

if TYPE_CHECKING:
    from facesketch.search.embedding.describer import Route

Array = NDArray[np.float64]
FEWEST = 5  # people that a gallery needs; with fewer, strangers look certain
NEXT = 5  # people that come next, or a fifth of all where they are fewer


@dataclass(frozen=True)
class Calibration:
    """What the scores of an embedder and route say.

    Attributes:
        ahead: by how much a lead of 1 raises the logarithm; above 0.
        offset: the logarithm without a lead, in a gallery of one.
        size: by how much the logarithm of the number of people raises it.
    """

    ahead: float
    offset: float
    size: float


CALIBRATIONS: dict[tuple[str, Route], Calibration] = {
    ("learned", "direct"): Calibration(61.1, -9.36, 1.37),
    ("learned", "to-photo"): Calibration(53.5, -6.39, 1.15),
    ("learned", "to-sketch"): Calibration(61.4, -10.22, 1.44),
    ("learned", "fused"): Calibration(66.2, -9.76, 1.38),
    ("lite", "direct"): Calibration(42.5, -7.47, 1.27),
    ("lite", "to-photo"): Calibration(37.1, -5.62, 1.16),
    ("lite", "to-sketch"): Calibration(43.7, -8.58, 1.39),
    ("lite", "fused"): Calibration(45.2, -7.91, 1.31),
    ("sface", "direct"): Calibration(37.7, -4.27, 1.13),
    ("sface", "to-photo"): Calibration(28.6, -2.89, 0.98),
    ("sface", "to-sketch"): Calibration(45.0, -4.79, 1.13),
    ("sface", "fused"): Calibration(47.2, -4.88, 1.19),
    ("hog", "direct"): Calibration(132.3, -5.25, 1.17),
    ("hog", "to-photo"): Calibration(119.0, -4.47, 1.1),
    ("hog", "to-sketch"): Calibration(168.4, -8.06, 1.38),
    ("hog", "fused"): Calibration(155.9, -6.36, 1.24),
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


def leads(scores: NDArray[np.floating], people: int) -> Array:
    """Return by how much each score lies above the mean of those that come next to the highest.

    Args:
        scores: (…, K) of the nearest people, the highest first; -inf for a picture without a face.
        people: how many there are in the gallery.

    Returns:
        (…, K); the scores themselves where nobody comes next.
    """
    following = scores[..., 1 : 1 + min(NEXT, -(-people // NEXT))]
    known = np.isfinite(following)
    count = np.maximum(known.sum(axis=-1, keepdims=True), 1)
    return np.asarray(scores - np.where(known, following, 0).sum(axis=-1, keepdims=True) / count, dtype=np.float64)


def log_ratios(leads: Array, people: int | NDArray[np.int64], known: Calibration) -> Array:
    """Return the logarithm of how much more often the right person has each lead than another of the people here."""
    return np.asarray(known.ahead * leads + known.offset + known.size * np.log(people))


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
    people = len(scores) + rest
    each, absent = posterior(log_ratios(leads(scores, people), people, known), np.int64(rest), prior)
    return each, float(absent)


def posterior(log_ratios: Array, rest: NDArray[np.int64] | np.int64, prior: float) -> tuple[Array, Array]:
    """Return the same of many searches from the logarithms of the likelihood ratios of the nearest, by Bayes' rule.

    Args:
        log_ratios: (…, K), the highest first; -inf beyond the last person of a gallery.
        rest: (…) how many more people there are.
        prior: as in `chances`.
    """
    # The ratio of another person is 1 on average, and lower for those who score low.
    lowest = np.minimum(0.0, log_ratios.min(axis=-1))
    others = np.where(rest > 0, np.log(np.maximum(rest, 1)) + lowest, -np.inf)
    ours = np.log(prior) - np.log(np.isfinite(log_ratios).sum(axis=-1) + rest)
    logs = np.concatenate([log_ratios, others[..., None]], axis=-1) + ours[..., None]
    logs = np.concatenate([logs, np.full((*ours.shape, 1), np.log1p(-prior))], axis=-1)
    weights = np.exp(logs - logs.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights[..., :-2], weights[..., -1]
