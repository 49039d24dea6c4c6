"""Chances follow Bayes' rule, count a score by how far it stands out, and fall as the gallery grows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesketch.errors import ConfigError
from facesketch.search.embedding.describer import ROUTES
from facesketch.search.embedding.embedders import EMBEDDERS
from facesketch.search.probability import CALIBRATIONS, Calibration, calibration, chances, leads, log_ratios, posterior

scores = st.lists(st.floats(-1, 1), min_size=1, max_size=30).map(lambda values: np.sort(np.array(values))[::-1])
PLAIN = Calibration(20.0, -10.0, 0.8)


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
        each = [chances(np.insert(one[:99], 0, 0.9), max(0, size - 99), PLAIN)[0][0] for one in galleries]
        said.append(np.mean(each))
    assert said == sorted(said, reverse=True)
    assert said[0] > said[-1] + 0.2


def test_a_score_counts_by_what_comes_next() -> None:
    """The same score says less where others score high too: fifty who look alike among thousands who do not."""
    alike, most = _nearest(50, 0, 0.5, 0.1), _nearest(5000, 1, 0.0, 0.1)
    mixed = np.sort(np.concatenate([alike, most]))[::-1]
    among, pure = (chances(np.insert(each[:99], 0, 1.1), 4901, PLAIN)[0][0] for each in (mixed, most))
    assert among < 0.5 < pure


@given(scores, st.integers(0, 1000))
def test_ratios_fall_as_scores_do(found: np.ndarray, rest: int) -> None:
    people = len(found) + rest
    assert (np.diff(log_ratios(leads(found, people), people, PLAIN)) <= 1e-12).all()


@pytest.mark.parametrize(("people", "level"), [(2, 0.5), (5, 0.5), (6, 0.45), (25, 0.3), (1000, 0.3)])
def test_a_lead_is_over_five_people_or_a_fifth_of_all(people: int, level: float) -> None:
    found = np.array([0.9, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    np.testing.assert_allclose(leads(found, people), found - level)


def test_a_picture_without_a_face_is_no_part_of_what_comes_next() -> None:
    found = leads(np.array([[0.9, 0.5, -np.inf], [-np.inf, -np.inf, -np.inf]]), 20)
    assert found.tolist() == [[pytest.approx(0.4), pytest.approx(0.0), -np.inf], [-np.inf] * 3]


@given(scores, st.integers(1, 1000), st.floats(-5, 5))
def test_what_all_scores_share_does_not_matter(found: np.ndarray, rest: int, shift: float) -> None:
    if len(found) > 1:
        people = len(found) + rest
        np.testing.assert_allclose(leads(found + shift, people), leads(found, people), atol=1e-9)


@given(scores, st.floats(0.01, 0.98))
def test_a_higher_prior_raises_chances(found: np.ndarray, prior: float) -> None:
    each, absent = chances(found, 10, PLAIN, prior)
    surer, rarer = chances(found, 10, PLAIN, prior + 0.01)
    assert (surer >= each - 1e-12).all()
    assert rarer <= absent + 1e-12


def test_it_is_bayes_rule() -> None:
    ratios = np.array([8.0, 0.5])
    each, absent = posterior(np.log(ratios), np.int64(0), 0.4)
    whole = (0.2 * ratios).sum() + 0.6
    np.testing.assert_allclose(each, 0.2 * ratios / whole)
    assert absent == pytest.approx(0.6 / whole)
    found = np.array([0.8, 0.5])
    logs = log_ratios(leads(found, 5), 5, PLAIN)
    np.testing.assert_array_equal(chances(found, 3, PLAIN, 0.4)[0], posterior(logs, np.int64(3), 0.4)[0])


def test_many_searches_at_once_are_each_as_alone() -> None:
    """Galleries of different sizes are padded with what no person scores."""
    logs = np.array([[3.0, 1.0, -np.inf], [4.0, 2.0, 0.5], [-1.0, -2.0, -3.0]])
    rest = np.array([0, 0, 50])
    each, absent = posterior(logs, rest, 0.3)
    for row, some in enumerate((2, 3, 3)):
        alone, nobody = posterior(logs[row, :some], rest[row], 0.3)
        np.testing.assert_allclose(each[row, :some], alone)
        assert (each[row, some:] == 0).all()
        assert absent[row] == pytest.approx(float(nobody))


def test_extreme_scores_do_not_overflow() -> None:
    steep = Calibration(50_000.0, -10_000.0, 0.0)
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


def test_every_embedder_and_route_is_calibrated() -> None:
    assert CALIBRATIONS.keys() == {(name, route) for name in EMBEDDERS for route in ROUTES}
    assert all(each.ahead > 0 for each in CALIBRATIONS.values())
    with pytest.raises(ConfigError, match="no calibration for embedder 'mine'"):
        calibration("mine", "direct")
