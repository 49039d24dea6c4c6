"""Chances follow Bayes' rule, count a score by how far it stands out, and come true as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesketch.errors import ConfigError
from facesketch.search.embedding.describer import ROUTES
from facesketch.search.embedding.embedders import EMBEDDERS
from facesketch.search.probability import CALIBRATIONS, Calibration, calibration, chances, company, distances, posterior

scores = st.lists(st.floats(-1, 1), min_size=1, max_size=30).map(lambda values: np.sort(np.array(values))[::-1])
PLAIN = Calibration(2.0, -6.0, mean=0.0, spread=0.2)


@given(scores, st.integers(0, 10**6), st.floats(0.01, 0.99))
def test_chances_are_chances(found: np.ndarray, rest: int, prior: float) -> None:
    each, absent = chances(found, rest, PLAIN, prior)
    assert (each >= 0).all()
    assert 0 <= absent <= 1
    assert each.sum() + absent <= 1 + 1e-9
    assert (np.diff(each) <= 1e-12).all(), "who is more alike is likelier"
    if rest == 0:
        assert each.sum() + absent == pytest.approx(1)


def _nearest(size: int, seed: int, mean: float = 0.0, spread: float = 0.2) -> np.ndarray:
    """Return what somebody else's photos score, the highest first."""
    return np.sort(np.random.default_rng(seed).normal(mean, spread, size))[::-1]


def test_a_larger_gallery_makes_a_score_less_likely() -> None:
    said = []
    for size in (20, 100, 1000, 10_000):
        galleries = [_nearest(size, seed) for seed in range(30)]
        each = [chances(np.insert(one[:99], 0, 0.9), max(0, size - 99), PLAIN, 0.5, one)[0][0] for one in galleries]
        said.append(np.mean(each))
    assert said == sorted(said, reverse=True)
    assert said[0] > said[-1] + 0.2


@pytest.mark.parametrize("mean", [-0.3, 0.0, 0.3])
@pytest.mark.parametrize("spread", [0.1, 0.2, 0.3])
@pytest.mark.parametrize("size", [150, 1000, 10_000])
def test_distances_are_those_of_the_scores_of_others(mean: float, spread: float, size: int) -> None:
    others = _nearest(size, 0, mean, spread)
    usual = company(np.random.default_rng(1).choice(others, min(size, 500), replace=False), PLAIN)
    found = distances(np.insert(others[:99], 0, mean + 5 * spread), size - 98, usual)
    assert found[0] == pytest.approx(5, abs=0.7)
    np.testing.assert_allclose(found[1:], (others[:99] - mean) / spread, atol=0.7)


def test_the_nearest_may_be_of_another_kind_than_most() -> None:
    """Fifty who look like the sketch among thousands who do not: what stands out is told by the fifty."""
    alike, most = _nearest(50, 0, 0.5, 0.1), _nearest(5000, 1, 0.0, 0.1)
    among = np.sort(np.concatenate([alike, most]))[::-1]
    mixed, pure = (
        distances(np.insert(each[:99], 0, 0.8), len(each) - 99, company(each, PLAIN))[0] for each in (among, most)
    )
    assert mixed < 0.6 * pure


def test_few_others_hardly_change_what_is_usual() -> None:
    """With nobody else it is the mixed company that counts; somebody near raises what is usual."""
    assert distances(np.array([0.6]), 0, (0.1, 0.2)) == pytest.approx([2.5])
    alone, beside = (distances(np.array(each), 0, (0.1, 0.2))[0] for each in ([0.6], [0.6, 0.5]))
    assert 0.5 < beside < alone


def test_identical_scores_of_others_have_a_least_spread() -> None:
    found = distances(np.array([0.9, *[0.5] * 90]), 0, (0.0, 0.2))
    assert np.isfinite(found).all()
    assert found[0] <= 0.4 / (0.2 * 0.2) + 1e-6


@given(scores, st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
def test_the_scale_of_scores_does_not_matter(found: np.ndarray, rest: int, scale: float, shift: float) -> None:
    before = distances(found, rest, (0.1, 0.2))
    np.testing.assert_allclose(
        distances(scale * found + shift, rest, (scale * 0.1 + shift, scale * 0.2)), before, atol=1e-6
    )


@given(scores, st.floats(0.01, 0.98))
def test_a_higher_prior_raises_chances(found: np.ndarray, prior: float) -> None:
    each, absent = chances(found, 10, PLAIN, prior)
    surer, rarer = chances(found, 10, PLAIN, prior + 0.01)
    assert (surer >= each - 1e-12).all()
    assert rarer <= absent + 1e-12


def test_it_is_bayes_rule() -> None:
    ratios = np.array([8.0, 0.5])
    each, absent = posterior(np.log(ratios), 0, 0.4)
    whole = (0.2 * ratios).sum() + 0.6
    np.testing.assert_allclose(each, 0.2 * ratios / whole)
    assert absent == pytest.approx(0.6 / whole)
    found = np.array([0.8, 0.5])
    logs = 2 * distances(found, 3, (0.0, 0.2)) - 6
    np.testing.assert_array_equal(chances(found, 3, PLAIN, 0.4)[0], posterior(logs, 3, 0.4)[0])


def test_extreme_scores_do_not_overflow() -> None:
    steep = Calibration(5000.0, -10_000.0, mean=0.0, spread=0.1)
    each, absent = chances(np.array([1.0, 0.0]), 0, steep)
    assert each[0] == pytest.approx(1)
    assert absent == pytest.approx(0)
    each, absent = chances(np.array([-1.0]), 5, steep)
    assert absent == pytest.approx(1)


def test_an_empty_gallery_has_nobody() -> None:
    each, absent = chances(np.zeros(0), 0, PLAIN)
    assert (len(each), absent) == (0, 1.0)


@pytest.mark.parametrize("prior", [0.0, 1.0, -0.5, 2.0, float("nan")])
def test_a_prior_is_a_chance(prior: float) -> None:
    with pytest.raises(ConfigError, match="expected a chance above 0 and below 1"):
        chances(np.array([0.5]), 0, PLAIN, prior)


@pytest.mark.parametrize("level", [0.0, 0.4])
def test_chances_come_true_as_often_as_they_say(level: float) -> None:
    """Scores are drawn so that their ratio is the calibration's: two normal laws of one width, at any level."""
    draw, far, spread = np.random.default_rng(0), 3.5, 0.2
    known = Calibration(far, -(far**2) / 2, mean=0.0, spread=spread)
    said, happened = [], []
    for _ in range(4000):
        values = draw.normal(level, spread, 200)
        if here := draw.random() < 0.5:
            values[0] += far * spread
        order = np.argsort(-values)
        each, _ = chances(values[order][:100], 100, known)
        said.append(each[0])
        happened.append(here and order[0] == 0)
    said_array, came = np.array(said), np.array(happened)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 0.95), (0.95, 1.0)):
        inside = (said_array >= low) & (said_array < high)
        assert inside.sum() > 50
        assert came[inside].mean() == pytest.approx(said_array[inside].mean(), abs=0.08)


def test_every_embedder_and_route_is_calibrated() -> None:
    assert CALIBRATIONS.keys() == {(name, route) for name in EMBEDDERS for route in ROUTES}
    assert all(each.slope > 0 and each.spread > 0 for each in CALIBRATIONS.values())
    with pytest.raises(ConfigError, match="no calibration for embedder 'mine'"):
        calibration("mine", "direct")
