"""How often a person is found: rank-k and the cumulative match curve.

Distances come from any description of the pictures, such as those of `facesketch.metrics.descriptors`. Ties count
against us: a probe whose mate is as far away as a stranger has not found its mate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facesketch.errors import DataError

Array = NDArray[np.float64]


def match_ranks(distances: Array, probes: Sequence[str], gallery: Sequence[str]) -> NDArray[np.int64]:
    """Return at which place each probe's own subject comes in the gallery, 1 being the first.

    The place is one more than the number of strangers' pictures that are at most as far away as the subject's nearest.

    Args:
        distances: (P, G), smaller for more alike.
        probes: P subjects.
        gallery: G subjects; one may have several pictures.

    Raises:
        DataError: a probe has nobody in the gallery, a distance is not a number, or the lengths do not fit.
    """
    if distances.shape != (len(probes), len(gallery)):
        seen = f"distances of {distances.shape} for {len(probes)} probes and {len(gallery)} in the gallery"
        raise DataError(seen, "expected one row per probe and one column per picture of the gallery")
    if np.isnan(distances).any():
        raise DataError("a distance is not a number", "expected finite features for every picture")
    mates = np.asarray(probes)[:, None] == np.asarray(gallery)[None, :]  # (P, G)
    lost = np.flatnonzero(~mates.any(axis=1))
    if len(lost):
        seen = f"'{probes[lost[0]]}'" + (f" and {len(lost) - 1} more" if len(lost) > 1 else "")
        raise DataError(f"{seen} not in the gallery", "leave such probes out or add their pictures")
    nearest = np.where(mates, distances, np.inf).min(axis=1, keepdims=True)
    strangers: NDArray[np.int64] = ((distances <= nearest) & ~mates).sum(axis=1)
    return 1 + strangers


def cmc(distances: Array, probes: Sequence[str], gallery: Sequence[str]) -> Array:
    """Return the cumulative match curve: at [k-1] the share of probes whose subject is among the first k.

    Arguments are those of `match_ranks`, with at least one probe.

    Examples:
        >>> distances = np.array([[0.1, 0.9], [0.2, 0.4]])  # of two sketches to two photos
        >>> cmc(distances, ["anna", "ben"], ["anna", "ben"]).tolist()
        [0.5, 1.0]

    Raises:
        DataError: as `match_ranks`, or there is no probe.
    """
    if not len(probes):
        raise DataError("no probes", "expected at least one picture to search with")
    ranks = match_ranks(distances, probes, gallery)
    return np.bincount(ranks, minlength=len(gallery) + 1)[1:].cumsum() / len(ranks)


def cosine_distances(x: Array, y: Array) -> Array:
    """Return the (N, M) values of 1 - cosine between the rows of (N, D) and (M, D); a row of zeros is 1 from all."""
    x, y = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (x, y))
    return 1 - x @ y.T
