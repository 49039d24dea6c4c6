"""How likely it is that a hit is the right person, given everybody in the gallery, and that nobody in it is.

Before the search, the person is in the gallery with a prior chance, and may then be anybody in it. A score changes this
by its likelihood ratio: how much oftener the right person scores so than somebody else does. By Bayes' rule the chances
of all persons and of "not in this gallery" are

    person i:  prior / N * ratio(score_i)        nobody here:  1 - prior        divided by their sum

so the same score says less in a larger gallery. The logarithm of the ratio is taken to be linear in the score, with two
constants per embedder and route, found by `scripts/search_calibration.py` on people of whom no model has learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facesketch.errors import ConfigError

if TYPE_CHECKING:
    from facesketch.search.describe import Route

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """What a score says: the logarithm of the likelihood ratio is `slope * score + offset`.

    Attributes:
        slope: above 0.
        offset: added to it.
    """

    slope: float
    offset: float

    def log_ratio(self, scores: NDArray[np.floating]) -> Array:
        """Return the logarithm of how much oftener the right person scores so than somebody else."""
        return np.asarray(self.slope * scores.astype(np.float64) + self.offset)


# CALIBRATIONS begin
CALIBRATIONS: dict[tuple[str, Route], Calibration] = {
    ("learned", "direct"): Calibration(41.71, -10.75),
    ("learned", "to-photo"): Calibration(35.15, -6.41),
    ("learned", "to-sketch"): Calibration(42.47, -11.50),
    ("learned", "fused"): Calibration(44.25, -10.58),
    ("lite", "direct"): Calibration(34.75, -9.36),
    ("lite", "to-photo"): Calibration(30.74, -6.32),
    ("lite", "to-sketch"): Calibration(30.60, -8.40),
    ("lite", "fused"): Calibration(35.98, -9.25),
    ("sface", "direct"): Calibration(31.70, -6.49),
    ("sface", "to-photo"): Calibration(23.00, -4.04),
    ("sface", "to-sketch"): Calibration(33.47, -9.30),
    ("sface", "fused"): Calibration(40.21, -8.69),
    ("hog", "direct"): Calibration(86.45, -64.71),
    ("hog", "to-photo"): Calibration(73.64, -54.36),
    ("hog", "to-sketch"): Calibration(100.14, -77.12),
    ("hog", "fused"): Calibration(98.70, -74.24),
}
# CALIBRATIONS end


def calibration(embedder: str, route: Route) -> Calibration:
    """Return what scores of an embedder and route say.

    Raises:
        ConfigError: nothing was measured for them.
    """
    if (embedder, route) not in CALIBRATIONS:
        known = ", ".join(sorted({name for name, _ in CALIBRATIONS}))
        raise ConfigError(f"no calibration for embedder '{embedder}' and route '{route}'; known embedders: {known}")
    return CALIBRATIONS[embedder, route]


def chances(
    scores: NDArray[np.floating], rest: int, calibration: Calibration, prior: float = 0.5
) -> tuple[Array, float]:
    """Return how likely each person is the right one, and how likely the right one is not in the gallery.

    What is missing from 1 is the chance that it is somebody else in the gallery.

    Args:
        scores: (K,) of the persons who come nearest, the highest first; one each, that of the person's best photo.
        rest: how many persons there are besides; each scores at most what the last of these does.
        calibration: what a score says.
        prior: the chance, before the search, that the person is in the gallery; more than 0 and less than 1.

    Returns:
        (K,) chances, and one chance.

    Raises:
        ConfigError: a prior that is 0, 1 or beyond.
    """
    if not 0 < prior < 1:
        raise ConfigError(f"--prior {prior:g}: expected a chance between 0 and 1, such as 0.5")
    if not len(scores):
        return np.zeros(0), 1.0
    each = calibration.log_ratio(scores)
    # Somebody else's ratio is 1 on average, and for those who score low it is lower still.
    others = np.log(rest) + min(0.0, float(each.min())) if rest else -np.inf
    ours = np.log(prior) - np.log(len(scores) + rest)
    logs = np.concatenate([ours + each, [ours + others, np.log1p(-prior)]])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    return weights[: len(scores)], float(weights[-1])
