from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesketch.metrics.bootstrap import RESAMPLES, Bootstrap


def test_of_normal_data_is_the_closed_form() -> None:
    values = np.random.default_rng(5).normal(3.0, 2.0, size=400)
    found = Bootstrap([str(number) for number in range(400)]).mean(values)
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1 * half)


@given(
    st.lists(st.sampled_from("abcde"), min_size=1, max_size=9),
    st.integers(0, 2**32),
)
def test_is_that_of_a_plain_loop_over_the_same_draws(subjects: list[str], seed: int) -> None:
    values = np.random.default_rng(1).normal(size=len(subjects))
    names = sorted(set(subjects))
    means = []
    for draw in np.random.default_rng(seed).integers(len(names), size=(50, len(names))):
        pictures = [value for place in draw for value, who in zip(values, subjects, strict=True) if who == names[place]]
        means.append(np.mean(pictures))
    found = Bootstrap(subjects, resamples=50, seed=seed).mean(values)
    assert found.low == pytest.approx(np.percentile(means, 2.5), abs=1e-12)
    assert found.high == pytest.approx(np.percentile(means, 97.5), abs=1e-12)


def test_the_pictures_of_one_person_move_together() -> None:
    values = np.random.default_rng(2).normal(size=60)
    twice, people = np.repeat(values, 2), [str(number) for number in range(60)]
    once = Bootstrap(people).mean(values)
    together = Bootstrap([who for who in people for _ in range(2)]).mean(twice)
    apart = Bootstrap([str(number) for number in range(120)]).mean(twice)
    # a second, equal picture of everybody tells nothing new
    assert (together.low, together.high) == pytest.approx((once.low, once.high))
    assert apart.high - apart.low < 0.8 * (once.high - once.low)


def test_rows_hold_whole_subjects() -> None:
    subjects = ["b", "a", "b", "c", "a", "b"]
    bootstrap = Bootstrap(subjects, resamples=40, seed=3)
    for number in range(40):
        rows = bootstrap.rows(number)
        often = np.bincount(rows, minlength=6)
        assert often[0] == often[2] == often[5]
        assert often[1] == often[4]
        assert often[0] + often[1] + often[3] == 3


def test_rows_are_those_that_the_mean_sees() -> None:
    subjects, values = ["a", "b", "b", "c"], np.array([1.0, 2.0, 4.0, 8.0])
    bootstrap = Bootstrap(subjects, seed=8)
    loop = [values[bootstrap.rows(number)].mean() for number in range(RESAMPLES)]
    assert bootstrap.mean(values).low == pytest.approx(np.percentile(loop, 2.5))


def test_around_keeps_the_spread_and_takes_the_bias_off() -> None:
    values = np.random.default_rng(4).normal(size=200)
    bootstrap = Bootstrap([str(number) for number in range(200)])
    plain = bootstrap.around(values.mean(), lambda rows: values[rows].mean())
    shifted = bootstrap.around(values.mean(), lambda rows: values[rows].mean() + 7)
    assert (plain.low, plain.high) == pytest.approx((shifted.low, shifted.high))
    assert plain.low < plain.value < plain.high
    ends = bootstrap.mean(values)
    assert plain.high - plain.low == pytest.approx(ends.high - ends.low, rel=0.2)


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    values, people = np.arange(30.0), [str(number) for number in range(30)]
    assert Bootstrap(people, seed=1).mean(values) == Bootstrap(people, seed=1).mean(values)
    assert Bootstrap(people, seed=1).mean(values) != Bootstrap(people, seed=2).mean(values)


def test_order_of_the_pictures_does_not_matter() -> None:
    values, people = np.random.default_rng(0).normal(size=20), [f"{number % 7}" for number in range(20)]
    order = np.random.default_rng(1).permutation(20)
    turned = Bootstrap([people[place] for place in order]).mean(values[order])
    straight = Bootstrap(people).mean(values)
    assert (turned.low, turned.high) == pytest.approx((straight.low, straight.high))
