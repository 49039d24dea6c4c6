"""Recognition by null-space linear discriminant analysis (NLDA)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facesketch.errors import DataError
from facesketch.metrics.retrieval import Array


def null_space_lda(samples: Array, subjects: NDArray[np.int64]) -> Array:
    """Return the directions in which each subject's samples coincide while the subjects differ most.

    PCA to all directions in which the samples differ; in it, the null space of the within-class scatter; in that, the
    principal axes of the between-class scatter, the widest first (Chen et al., Pattern Recognition 2000).

    Args:
        samples: (N, D).
        subjects: (N,) labels; every subject with at least two samples adds to the within-class scatter.

    Returns:
        (D, K) orthonormal columns, K the number of subjects less one when no more samples than dimensions are given.

    Raises:
        DataError: no direction is left, because there are too many samples for so few dimensions.
    """
    centred = samples - samples.mean(axis=0)
    _, labels = np.unique(subjects, return_inverse=True)
    counts = np.bincount(labels)
    means = np.zeros((len(counts), samples.shape[1]))
    np.add.at(means, labels, centred)
    means /= counts[:, None]
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    rounding = values.max(initial=0.0) * max(samples.shape) * np.finfo(np.float64).eps
    span = axes[values > rounding].T  # (D, R)
    within = (centred - means[labels]) @ span  # (N, R)
    between = (means * np.sqrt(counts)[:, None]) @ span  # (C, R)
    _, values, axes = np.linalg.svd(within, full_matrices=True)
    inside = axes[int((values > rounding).sum()) :].T  # (R, K), the vectors that all rows of `within` send to 0
    if not inside.shape[1]:
        seen = f"{len(samples)} samples of {len(counts)} subjects in {samples.shape[1]} dimensions"
        raise DataError(f"{seen} leave no null space", "use larger pictures or fewer training subjects")
    _, _, widest = np.linalg.svd(between @ inside, full_matrices=False)
    directions: Array = span @ inside @ widest.T[:, : len(counts) - 1]
    return directions


def nlda(real: Array, synthesised: Array, *, train: int, repeats: int = 20, seed: int = 0) -> Array:
    """Return how often null-space LDA finds the synthesised sketch of a person from the artist's sketch, at rank 1.

    In each repeat, `train` random subjects give both their sketches as the two samples of a class. Of the others, the
    real sketches are the probes and the synthesised ones the gallery, compared by Euclidean distance after projection.
    The field trains on 150 of the 338 CUFS test subjects and on 300 of the 944 of CUFSF.

    Args:
        real: (N, ...) the artist's sketches, one per subject; grey pixels 0 to 255 or other features.
        synthesised: the same shape, in the same order.
        train: subjects to train on, at least 2 and less than N.
        repeats: random divisions, drawn from `seed`.

    Returns:
        (repeats, K) rates in [0, 1] with the first 1 to K directions. The best mean over the repeats, which papers
        report, is chosen on the test set and so too high; for the last column nothing is chosen.

    Raises:
        DataError: the shapes differ, or nobody is left to train on or to test with.
    """
    if real.shape != synthesised.shape:
        raise DataError(f"real sketches of {real.shape}, synthesised of {synthesised.shape}", "expected the same shape")
    subjects = len(real)
    if not 2 <= train < subjects:
        raise DataError(f"NLDA on {train} of {subjects} subjects", "expected at least 2 to train on and 1 to test with")
    rows = np.concatenate([real, synthesised]).reshape(2 * subjects, -1).astype(np.float64)
    if rows.shape[1] > len(rows):  # the same distances in an orthonormal basis of what they span, of 2 N dimensions
        rows = np.asarray(np.linalg.qr(rows.T, mode="r")).T
    x, y = rows[:subjects], rows[subjects:]
    draw = np.random.default_rng(seed)
    rates = [_nlda_once(x, y, draw.permutation(subjects), train) for _ in range(repeats)]
    width = min(len(rate) for rate in rates)
    return np.array([rate[:width] for rate in rates])


def _nlda_once(x: Array, y: Array, order: NDArray[np.int64], train: int) -> Array:
    """Return the rank-1 rate for each number of directions."""
    learn, test = order[:train], order[train:]
    directions = null_space_lda(np.concatenate([x[learn], y[learn]]), np.tile(np.arange(train), 2))
    probes, gallery = x[test] @ directions, y[test] @ directions  # (T, K)
    square = np.zeros((len(test), len(test)))
    strangers = ~np.eye(len(test), dtype=bool)
    rates = np.empty(directions.shape[1])
    for k in range(directions.shape[1]):
        square += np.square(probes[:, k, None] - gallery[None, :, k])
        closer = (square <= square.diagonal()[:, None]) & strangers
        rates[k] = 1 - closer.any(axis=1).mean()
    return rates
