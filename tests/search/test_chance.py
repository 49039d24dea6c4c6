"""Chances follow Bayes' rule, fall as galleries grow, and are right as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesketch.errors import ConfigError
from facesketch.search.chance import CALIBRATIONS, Calibration, calibration, chances
from facesketch.search.describe import ROUTES
from facesketch.search.embedders import EMBEDDERS

scores = st.lists(st.floats(-1, 1), min_size=1, max_size=30).map(lambda values: np.sort(np.array(values))[::-1])
PLAIN = Calibration(10.0, -5.0)


@given(scores, st.integers(0, 10**6), st.floats(0.01, 0.99))
def test_chances_are_chances(found: np.ndarray, rest: int, prior: float) -> None:
    each, absent = chances(found, rest, PLAIN, prior)
    assert (each >= 0).all()
    assert 0 <= absent <= 1
    assert each.sum() + absent <= 1 + 1e-9
    assert (np.diff(each) <= 1e-12).all(), "who is more alike is likelier"
    if rest == 0:
        assert each.sum() + absent == pytest.approx(1)


@given(scores, st.integers(0, 1000), st.floats(0.01, 0.99))
def test_a_larger_gallery_makes_each_of_them_less_likely(found: np.ndarray, rest: int, prior: float) -> None:
    each, _ = chances(found, rest, PLAIN, prior)
    in_more, _ = chances(found, rest + 100, PLAIN, prior)
    assert (in_more <= each + 1e-12).all()


@given(scores, st.floats(0.01, 0.98))
def test_who_is_expected_is_likelier(found: np.ndarray, prior: float) -> None:
    each, absent = chances(found, 10, PLAIN, prior)
    surer, rarer = chances(found, 10, PLAIN, prior + 0.01)
    assert (surer >= each - 1e-12).all()
    assert rarer <= absent + 1e-12


def test_it_is_bayes_rule() -> None:
    found = np.array([0.8, 0.5])
    each, absent = chances(found, 0, PLAIN, 0.4)
    ratios = np.exp(10 * found - 5)
    whole = (0.2 * ratios).sum() + 0.6
    np.testing.assert_allclose(each, 0.2 * ratios / whole)
    assert absent == pytest.approx(0.6 / whole)


def test_scores_of_any_size_are_borne() -> None:
    each, absent = chances(np.array([1.0, 0.0]), 0, Calibration(5000.0, 0.0))
    assert each[0] == pytest.approx(1)
    assert absent == pytest.approx(0)
    each, absent = chances(np.array([-1.0]), 5, Calibration(5000.0, 0.0))
    assert absent == pytest.approx(1)


def test_an_empty_gallery_has_nobody() -> None:
    each, absent = chances(np.zeros(0), 0, PLAIN)
    assert (len(each), absent) == (0, 1.0)


@pytest.mark.parametrize("prior", [0.0, 1.0, -0.5, 2.0, float("nan")])
def test_a_prior_is_a_chance(prior: float) -> None:
    with pytest.raises(ConfigError, match="expected a chance between 0 and 1"):
        chances(np.array([0.5]), 0, PLAIN, prior)


def test_chances_come_true_as_often_as_they_say() -> None:
    """Scores are drawn so that their ratio is the calibration's: two normal laws of one width."""
    draw, right, spread = np.random.default_rng(0), 0.6, 0.2
    known = Calibration(right / spread**2, -(right**2) / (2 * spread**2))
    said, happened = [], []
    for _ in range(4000):
        values = draw.normal(0, spread, 50)
        if here := draw.random() < 0.5:
            values[0] += right
        order = np.argsort(-values)
        each, _ = chances(values[order][:20], 30, known)
        said.append(each[0])
        happened.append(here and order[0] == 0)
    said_array, came = np.array(said), np.array(happened)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 0.95), (0.95, 1.0)):
        inside = (said_array >= low) & (said_array < high)
        assert inside.sum() > 50
        assert came[inside].mean() == pytest.approx(said_array[inside].mean(), abs=0.06)


def test_every_embedder_and_route_is_calibrated() -> None:
    assert CALIBRATIONS.keys() == {(name, route) for name in EMBEDDERS for route in ROUTES}
    assert all(each.slope > 0 for each in CALIBRATIONS.values())
    with pytest.raises(ConfigError, match="no calibration for embedder 'mine'"):
        calibration("mine", "direct")
