"""Distances between two sets of pictures, taken over the features of a network."""

from __future__ import annotations

import numpy as np

from facesketch.errors import DataError
from facesketch.metrics.retrieval import Array


def frechet(x: Array, y: Array) -> float:
    """Return the squared Fréchet distance between Gaussians fitted to two sets of features, at least 0.

    |mean difference|² + tr(S + T - 2 (S T)^½), with the sample covariances S and T (Dowson & Landau 1982). With the
    centred features X and Y of n and m rows, tr (S T)^½ is the sum of the singular values of X Yᵀ over √((n-1)(m-1)):
    no root of a singular matrix is taken, so fewer rows than columns do no harm to the arithmetic. They do to the
    estimate, which is too high for small sets: compare only sets of one size.

    Examples:
        >>> from facesketch.metrics.distribution import frechet
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(100, 4))
        >>> round(frechet(x, x + 3), 6)
        36.0

    Args:
        x: (N, D), N at least 2.
        y: (M, D), M at least 2.

    Raises:
        DataError: a set has fewer than two rows, the columns differ, or a value is not finite.
    """
    _check_sets(x, y)
    shift = x.mean(axis=0) - y.mean(axis=0)
    roots = [(rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1) for rows in (x, y)]
    # at most D rows R with the same RᵀR
    first, second = (r if len(r) <= r.shape[1] else np.asarray(np.linalg.qr(r, mode="r")) for r in roots)
    cross = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    spread = sum(float(np.square(root).sum()) for root in roots)
    return max(0.0, float(np.square(shift).sum() + spread - 2 * cross))


def kernel_distance(x: Array, y: Array) -> float:
    """Return the unbiased squared maximum mean discrepancy of (N, D) and (M, D) features (Gretton et al. 2012, eq. 3).

    The kernel is (a·b / D + 1)³, as in KID (Bińkowski et al., ICLR 2018, section 4), but over all rows at once: subsets
    have the same expectation and more noise. Two samples of one distribution give 0 in the mean at every size, so
    single values may be negative. N and M are at least 2; it raises as `frechet` does.
    """
    _check_sets(x, y)
    xx, yy, xy = ((a @ b.T / a.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (xx, yy)]
    return float(sum(within) - 2 * xy.mean())


def _check_sets(x: Array, y: Array) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise DataError(f"features of {x.shape} and {y.shape}", "expected (N, D) and (M, D)")
    if min(len(x), len(y)) < 2:
        raise DataError(f"{len(x)} and {len(y)} pictures", "a distance of sets needs at least 2 in each")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("the features hold values that are not numbers", "the pictures or the weights are damaged")
