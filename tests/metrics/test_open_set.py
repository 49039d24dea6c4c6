"""Open-set rates by hand, against a search through all thresholds, and by their properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesketch.errors import DataError
from facesketch.metrics.open_set import Searches, detection, detection_curve, threshold

# columns: gallery a, b, a, c; rows: probes a, b, x, y
SCORES = np.array([[0.2, 0.5, 0.8, 0.1], [0.1, 0.6, 0.3, 0.6], [0.4, 0.1, 0.2, 0.3], [0.1, 0.2, 0.7, 0.3]])
PROBES, GALLERY = ["a", "b", "x", "y"], ["a", "b", "a", "c"]


def searches(scores: np.ndarray, probes: list[str], gallery: list[str]) -> Searches:
    """Divide searches into those for people who are in the gallery and those for people who are not."""
    own = np.asarray(probes)[:, None] == np.asarray(gallery)[None, :]  # (P, G)
    known = own.any(axis=1)
    mates = np.where(own, scores, -np.inf).max(axis=1, initial=-np.inf)
    others = np.where(own, -np.inf, scores).max(axis=1, initial=-np.inf)
    return Searches(mates[known], others[known], others[~known])


def test_rates_by_hand() -> None:
    found = searches(SCORES, PROBES, GALLERY)
    none = detection(found, 0.0)  # the threshold is .7: a is above it, b is level with a stranger anyway
    assert (none.threshold, none.rate, none.alarms) == (0.7, 0.5, 0.0)
    assert detection(found, 0.49) == none
    half = detection(found, 0.5)
    assert (half.threshold, half.rate, half.alarms) == (0.4, 0.5, 0.5)
    assert detection(found, 1.0).threshold == -math.inf
    assert detection_curve(found, [0, 0.5, 1]).tolist() == [0.5, 0.5, 0.5]


def test_level_with_the_bar_is_not_found() -> None:
    level = Searches(np.array([0.7, 0.8]), np.array([0.1, 0.1]), np.array([0.7, 0.2]))
    assert detection(level, 0.0).rate == 0.5
    assert detection(level, 0.5).rate == 1.0


def test_tied_strangers_alarm_together_or_not_at_all() -> None:
    strangers = np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    assert [threshold(strangers, rate) for rate in (0.0, 0.2, 0.79, 0.8, 1.0)] == [0.9, 0.5, 0.5, 0.1, -math.inf]


def test_shares_are_counted_without_rounding() -> None:
    strangers = np.arange(100.0)
    for allowed in range(100):
        assert (strangers > threshold(strangers, allowed / 100)).sum() == allowed


def _oracle(scores: np.ndarray, probes: list[str], gallery: list[str], rate: float) -> float:
    """Go through every threshold, count candidates at or above it, and keep the best rate among those allowed."""
    best = 0.0
    values = sorted({float(value) for value in scores.ravel()})
    for level in [-math.inf, *values, *(math.nextafter(value, math.inf) for value in values)]:
        known = unknown = hits = alarms = 0
        for row, probe in zip(scores.tolist(), probes, strict=True):
            candidates = [(score, name) for score, name in zip(row, gallery, strict=True) if score >= level]
            if probe in gallery:
                known += 1
                top = max((score for score, _ in candidates), default=None)
                hits += top is not None and {name for score, name in candidates if score == top} == {probe}
            else:
                unknown += 1
                alarms += bool(candidates)
        if alarms <= rate * unknown + 1e-6:
            best = max(best, hits / known)
    return best


@settings(max_examples=150, deadline=None)
@given(
    known=st.integers(1, 6),
    unknown=st.integers(1, 6),
    levels=st.integers(1, 12),
    rate=st.sampled_from([0.0, 0.01, 0.1, 1 / 3, 0.5, 0.99, 1.0]),
    seed=st.integers(0, 9999),
)
def test_the_bar_does_what_the_best_of_all_thresholds_does(
    known: int, unknown: int, levels: int, rate: float, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    people = [f"s{number}" for number in range(known + unknown)]
    gallery = people[:known] + [people[place] for place in draw.integers(known, size=draw.integers(0, 4))]
    probes = people + [people[place] for place in draw.integers(len(people), size=draw.integers(0, 4))]
    scores = draw.integers(0, levels, (len(probes), len(gallery))).astype(float)
    found = detection(searches(scores, probes, gallery), rate)
    assert found.rate == pytest.approx(_oracle(scores, probes, gallery, rate))
    assert found.alarms <= rate + 1e-9


@settings(max_examples=60, deadline=None)
@given(known=st.integers(1, 20), unknown=st.integers(1, 20), seed=st.integers(0, 999))
def test_more_alarms_never_find_fewer_and_only_the_order_of_scores_matters(known: int, unknown: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    found = Searches(*(draw.integers(0, 9, size).astype(float) for size in (known, known, unknown)))
    rates = np.linspace(0, 1, 21)
    curve = detection_curve(found, rates)
    assert (np.diff(curve) >= 0).all()
    assert curve[-1] == (found.mates > found.rivals).mean()
    warped = Searches(*(np.exp(each / 3) - 50 for each in (found.mates, found.rivals, found.strangers)))
    assert np.array_equal(curve, detection_curve(warped, rates))


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 12), seed=st.integers(0, 999), rate=st.floats(0, 1))
def test_weights_are_repeats(size: int, seed: int, rate: float) -> None:
    draw = np.random.default_rng(seed)
    scores, times = draw.integers(0, 6, size).astype(float), draw.integers(0, 4, size)
    times[0] += 1
    assert threshold(scores, rate, times.astype(float)) == threshold(np.repeat(scores, times), rate)


def test_who_counts_for_nothing_sets_no_threshold() -> None:
    assert threshold(np.array([3.0, 2.0, 1.0]), 0.0, np.array([0.0, 1.0, 1.0])) == 2.0


def test_pictures_that_cannot_be_compared_are_never_found() -> None:
    scores = np.array([[-np.inf, 0.1], [-np.inf, -np.inf]])
    found = searches(scores, ["a", "x"], ["a", "b"])
    assert detection(found, 1.0).rate == 0
    assert detection(found, 1.0).alarms == 0


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(DataError, match="nobody is left out"):
        detection(searches(SCORES[:2], PROBES[:2], GALLERY), 0.1)
    with pytest.raises(DataError, match="no probe shows anybody"):
        detection(searches(SCORES[2:], PROBES[2:], GALLERY), 0.1)
