"""Calibration by hand, by repeats, and on chances that are known to be right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesketch.errors import DataError
from facesketch.metrics.calibration import calibration_error, reliability


def test_bins_by_hand() -> None:
    chances = np.array([0.0, 0.5, 0.4, 0.51, 1.0])
    bins = reliability(chances, np.array([False, True, False, True, True]), bins=2)
    assert [each.model_dump() for each in bins] == [
        {"low": 0.0, "high": 0.5, "count": 3.0, "chance": pytest.approx(0.3), "share": pytest.approx(1 / 3)},
        {"low": 0.5, "high": 1.0, "count": 2.0, "chance": 0.755, "share": 1.0},
    ]
    assert calibration_error(bins) == pytest.approx((3 * abs(0.3 - 1 / 3) + 2 * 0.245) / 5)


def test_empty_bins_count_for_nothing() -> None:
    bins = reliability(np.array([0.95, 0.95]), np.array([True, False]))
    assert [each.count for each in bins] == [0] * 9 + [2]
    assert calibration_error(bins) == pytest.approx(0.45)


def test_true_chances_have_almost_no_error_and_boasts_have_much() -> None:
    draw = np.random.default_rng(0)
    chances = draw.random(20_000)
    right = draw.random(20_000) < chances
    assert calibration_error(reliability(chances, right)) < 0.02
    assert calibration_error(reliability(np.sqrt(chances), right)) > 0.1


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 30), seed=st.integers(0, 999))
def test_weights_are_repeats_and_the_order_does_not_matter(size: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    chances, right, times = draw.random(size), draw.random(size) < 0.5, draw.integers(0, 4, size)
    times[0] += 1
    order = draw.permutation(size)
    weighed = reliability(chances[order], right[order], times[order].astype(float))
    repeated = reliability(np.repeat(chances, times), np.repeat(right, times))
    assert calibration_error(weighed) == pytest.approx(calibration_error(repeated))
    assert sum(each.count for each in weighed) == times.sum()


def test_what_are_no_chances_is_refused() -> None:
    with pytest.raises(DataError, match="no answers"):
        reliability(np.array([]), np.array([], dtype=bool))
    with pytest.raises(DataError, match="not between 0 and 1"):
        reliability(np.array([70.0]), np.array([True]))
    with pytest.raises(DataError, match="not between 0 and 1"):
        reliability(np.array([np.nan]), np.array([True]))
