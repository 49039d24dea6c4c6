"""Rank-k by hand, null-space LDA by its properties."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.distance import cdist

from facesketch.errors import DataError
from facesketch.metrics.nlda import nlda, null_space_lda
from facesketch.metrics.retrieval import cmc, cosine_distances, match_ranks

# rows: probes a, b, c, a; columns: gallery b, a, c, a
DISTANCES = np.array([[0.1, 0.5, 0.9, 0.3], [0.2, 0.2, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4], [0.9, 0.1, 0.8, 0.7]])


def test_ranks_and_curve_by_hand() -> None:
    probes, gallery = ["a", "b", "c", "a"], ["b", "a", "c", "a"]
    # a: one stranger (.1) before .3; b: a stranger as near as its mate; c: two before .3; a: none before .1
    assert match_ranks(DISTANCES, probes, gallery).tolist() == [2, 2, 3, 1]
    curve = cmc(DISTANCES, probes, gallery)
    assert curve.tolist() == [0.25, 0.75, 1, 1]


def test_ties_count_against_us() -> None:
    names = ["a", "b", "c"]
    assert match_ranks(np.zeros((3, 3)), names, names).tolist() == [3, 3, 3]
    assert cmc(np.zeros((3, 3)), names, names).tolist() == [0, 0, 1]


@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 12), seed=st.integers(0, 999))
def test_curve_never_falls_and_ignores_the_order_of_the_gallery(size: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    distances, names = draw.integers(0, 5, (size, size)).astype(float), [f"s{i}" for i in range(size)]
    curve, order = cmc(distances, names, names), draw.permutation(size)
    assert (np.diff(curve) >= 0).all()
    assert curve[-1] == 1
    assert np.array_equal(curve, cmc(distances[:, order], names, [names[i] for i in order]))
    assert np.array_equal(curve, cmc(distances * 3 + 7, names, names))


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(DataError, match=r"'x' and 1 more not in the gallery"):
        cmc(DISTANCES, ["a", "x", "c", "y"], ["b", "a", "c", "a"])
    with pytest.raises(DataError, match="4 probes and 3"):
        cmc(DISTANCES, ["a", "b", "c", "a"], ["b", "a", "c"])
    with pytest.raises(DataError, match="not a number"):
        cmc(np.where(DISTANCES == 0.9, np.nan, DISTANCES), ["a", "b", "c", "a"], ["b", "a", "c", "a"])
    with pytest.raises(DataError, match="no probes"):
        cmc(np.zeros((0, 4)), [], ["b", "a", "c", "a"])


def test_distances_are_those_of_scipy() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(7, 30)), draw.normal(size=(9, 30)) * 100
    assert cosine_distances(x, y) == pytest.approx(cdist(x, y, "cosine"), rel=1e-9)
    assert np.isfinite(cosine_distances(x * 0, y)).all()
    assert np.diag(cosine_distances(y, y)) == pytest.approx(0, abs=1e-4)


def _classes(subjects: int, width: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return two samples per subject: its own picture plus noise that has large common parts."""
    draw = np.random.default_rng(seed)
    own = draw.normal(size=(subjects, width))
    common = draw.normal(size=(5, width)) * 20
    first, second = (own + draw.normal(size=(subjects, 5)) @ common + noise * draw.normal(size=own.shape) for _ in "12")
    return first, second


def _scatter(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    within = np.zeros((rows.shape[1], rows.shape[1]))
    for label in np.unique(labels):
        off = rows[labels == label] - rows[labels == label].mean(axis=0)
        within += off.T @ off
    return within


def test_directions_lie_in_the_null_space_of_the_within_class_scatter() -> None:
    first, second = _classes(12, 60, noise=0.3)
    samples, labels = np.concatenate([first, second]), np.tile(np.arange(12), 2)
    directions = null_space_lda(samples, labels)
    within = _scatter(samples, labels)
    assert directions.shape == (60, 11)
    assert directions.T @ directions == pytest.approx(np.eye(11), abs=1e-9)
    assert np.abs(directions.T @ within @ directions).max() < 1e-9 * np.abs(within).max()
    means = (first + second) / 2 @ directions
    spread = means - means.mean(axis=0)
    assert np.abs(spread.T @ spread - np.diag(np.square(spread).sum(0))).max() < 1e-6 * np.square(spread).sum()
    assert (np.diff(np.square(spread).sum(axis=0)) <= 0).all()
    assert np.square(spread).sum(axis=0).min() > 0


def test_subjects_may_have_different_numbers_of_samples() -> None:
    first, second = _classes(6, 40, noise=0.3)
    samples, labels = np.concatenate([first, second[:3]]), np.array([*range(6), 0, 1, 2])
    directions = null_space_lda(samples, labels)
    assert directions.shape == (40, 5)
    projected = samples @ directions
    assert projected[6:] == pytest.approx(projected[:3], abs=1e-8)
    spread = projected - projected.mean(axis=0)  # each subject counts as often as it has samples
    scatter = spread.T @ spread
    assert np.abs(scatter - np.diag(np.diag(scatter))).max() < 1e-9 * np.trace(scatter)


def test_too_many_samples_for_the_dimensions_are_refused() -> None:
    draw = np.random.default_rng(0)
    with pytest.raises(DataError, match="20 samples of 10 subjects in 4 dimensions"):
        null_space_lda(draw.normal(size=(20, 4)), np.tile(np.arange(10), 2))


def test_nlda_finds_what_is_there_under_loud_common_changes() -> None:
    real, synthesised = _classes(40, 300, noise=0.05)
    names = [str(i) for i in range(40)]
    assert cmc(cdist(real, synthesised), names, names)[0] < 0.7
    rates = nlda(real.reshape(40, 20, 15), synthesised.reshape(40, 20, 15), train=20, repeats=5)
    assert rates.shape == (5, 19)
    assert (rates[:, -1] == 1).all()


def test_nlda_on_noise_is_near_chance() -> None:
    draw = np.random.default_rng(0)
    means = nlda(draw.normal(size=(60, 200)), draw.normal(size=(60, 200)), train=20, repeats=20).mean(axis=0)
    assert means[-1] < 0.1  # chance is 1/40
    assert means.max() < 0.15


def test_nlda_is_what_its_definition_says_on_the_pixels_themselves() -> None:
    """One repeat, written out without the change of basis."""
    real, synthesised = _classes(15, 50, noise=0.8)
    order = np.random.default_rng(4).permutation(15)
    learn, test = order[:8], order[8:]
    directions = null_space_lda(np.concatenate([real[learn], synthesised[learn]]), np.tile(np.arange(8), 2))
    expected = []
    for k in range(1, 8):
        near = cdist(real[test] @ directions[:, :k], synthesised[test] @ directions[:, :k]).argmin(axis=1)
        expected.append((near == np.arange(7)).mean())
    (rates,) = nlda(real, synthesised, train=8, repeats=1, seed=4)
    assert rates.tolist() == pytest.approx(expected)
    assert 0 < rates[-1] < 1


def test_nlda_depends_on_the_seed_alone() -> None:
    real, synthesised = _classes(20, 40, noise=1.0)
    first, again, other = (nlda(real, synthesised, train=10, repeats=3, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_nlda_of_a_perfect_copy_is_1() -> None:
    real, _ = _classes(12, 30, noise=0)
    assert (nlda(real, real.copy(), train=6, repeats=2)[:, -1] == 1).all()


@pytest.mark.parametrize("train", [1, 12, 13])
def test_nlda_needs_subjects_on_both_sides(train: int) -> None:
    real, synthesised = _classes(12, 30, noise=0)
    with pytest.raises(DataError, match=f"NLDA on {train} of 12"):
        nlda(real, synthesised, train=train)
    with pytest.raises(DataError, match="the same shape"):
        nlda(real, synthesised[1:], train=6)


@pytest.mark.shared
def test_nlda_matches_sketches_with_the_grey_photos_of_cuhk(shared: Path) -> None:
    folder = shared / "data" / "cuhk"
    with (folder / "pairs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def pixels(kind: str) -> np.ndarray:
        return np.stack(
            [np.asarray(Image.open(folder / row[kind]).convert("L"), dtype=float)[::2, ::2] for row in rows]
        )

    rates = nlda(pixels("sketch"), pixels("photo"), train=88, repeats=5)
    assert rates.shape == (5, 87)
    assert 0.88 < rates[:, -1].mean() <= rates.mean(axis=0).max() < 0.99
