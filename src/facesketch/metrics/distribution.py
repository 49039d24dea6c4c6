"""Distances between two sets of pictures, taken over the features of a network."""

from __future__ import annotations

import numpy as np

from facesketch.errors import DataError
from facesketch.metrics.perceptual import Features


def frechet(x: Features, y: Features) -> float:
    """Return the squared Fréchet distance between Gaussians fitted to two sets of features.

    |mean difference|² + tr(S + T - 2 (S T)^½), with the sample covariances S and T (Dowson & Landau 1982). With the
    centred features X and Y of n and m rows, tr (S T)^½ is the sum of the singular values of X Yᵀ over √((n-1)(m-1)):
    no root of a singular matrix is taken, so fewer rows than columns do no harm to the arithmetic. They do to the
    estimate, which is too high for small sets: compare only sets of one size.

    Args:
        x: (N, D), N at least 2.
        y: (M, D), M at least 2.

    Returns:
        At least 0; 0 when both sets have the same mean and covariance.

    Raises:
        DataError: a set has fewer than two rows, the columns differ, or a value is not finite.
    """
    _check_sets(x, y, at_least=2)
    means = x.mean(axis=0), y.mean(axis=0)
    roots = [(rows - mean) / np.sqrt(len(rows) - 1) for rows, mean in zip((x, y), means, strict=True)]
    first, second = (_at_most_square(root) for root in roots)
    cross = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    spread = sum(float(np.square(root).sum()) for root in roots)
    return max(0.0, float(np.square(means[0] - means[1]).sum() + spread - 2 * cross))


def _at_most_square(root: Features) -> Features:
    """Return at most D rows R with the same RᵀR."""
    return root if len(root) <= root.shape[1] else np.asarray(np.linalg.qr(root, mode="r"))


def kernel_distance(x: Features, y: Features, *, subsets: int = 100, size: int = 50, seed: int = 0) -> float:
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
        DataError: a set has fewer than two rows, the columns differ, or a value is not finite.
    """
    _check_sets(x, y, at_least=2)
    size = min(size, len(x), len(y))
    assert size >= 2, "the unbiased estimate needs two rows"
    assert subsets >= 1, "at least one subset must be drawn"
    if size == len(x) == len(y):
        return _mmd(x, y)
    draw = np.random.default_rng(seed)
    return float(
        np.mean([_mmd(*(s[draw.choice(len(s), size, replace=False)] for s in (x, y))) for _ in range(subsets)])
    )


def _mmd(x: Features, y: Features) -> float:
    """Return the unbiased squared MMD (Gretton et al. 2012, equation 3)."""

    def kernel(a: Features, b: Features) -> Features:
        values: Features = (a @ b.T / a.shape[1] + 1) ** 3
        return values

    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (kernel(x, x), kernel(y, y))]
    return float(within[0] + within[1] - 2 * kernel(x, y).mean())


def _check_sets(x: Features, y: Features, at_least: int) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise DataError(f"features of {x.shape} and {y.shape}", "expected (N, D) and (M, D)")
    if min(len(x), len(y)) < at_least:
        raise DataError(f"{len(x)} and {len(y)} pictures", f"a distance of sets needs at least {at_least} in each")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("the features hold values that are not numbers", "the pictures or the weights are damaged")
