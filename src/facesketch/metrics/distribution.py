"""Distances between two sets of pictures, taken over the features of a network."""

from __future__ import annotations

import numpy as np

from facesketch.errors import DataError
from facesketch.metrics.retrieval import Array


def frechet(x: Array, y: Array) -> float:
    """Return the squared Fréchet distance between Gaussians fitted to two sets of features.

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

    Returns:
        At least 0; 0 when both sets have the same mean and covariance.

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


def kernel_distance(x: Array, y: Array, *, subsets: int = 100, size: int = 50, seed: int = 0) -> float:
    """Return the squared maximum mean discrepancy of two sets of features, unbiased, averaged over random subsets.

    The kernel is (a·b / D + 1)³, as in KID (Bińkowski et al., ICLR 2018, section 4). Two samples of one distribution
    give 0 in the mean at every size, so single values may be negative.

    Args:
        x: (N, D), N at least 2.
        y: (M, D), M at least 2.
        subsets: how many pairs of subsets are drawn, without replacement within one.
        size: rows of a subset; at most those of the smaller set. When that takes all of both sets, one pair is enough.
        seed: of the draws.

    Raises:
        DataError: as for `frechet`.

    Examples:
        >>> kernel_distance(np.array([[1.0], [2.0]]), np.array([[1.0], [2.0]]))
        -39.5
    """
    _check_sets(x, y)
    size = min(size, len(x), len(y))
    assert size >= 2, "the unbiased estimate needs two rows"
    assert subsets >= 1, "at least one subset must be drawn"
    if size == len(x) == len(y):
        return _mmd(x, y)
    draw = np.random.default_rng(seed)
    drawn = ((s[draw.choice(len(s), size, replace=False)] for s in (x, y)) for _ in range(subsets))
    return float(np.mean([_mmd(*pair) for pair in drawn]))


def _mmd(x: Array, y: Array) -> float:
    """Return the unbiased squared MMD (Gretton et al. 2012, equation 3)."""
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
