"""Places and galleries with people left out, against loops over every score."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesketch.metrics.retrieval import match_ranks
from facesketch.search.evaluation.scores import Scores, alike, best_of_people, best_scores, halves, leave_out

NAN = math.nan


def _drawn(seed: int, people: int = 5, probes: int = 7, others: int = 3, levels: int = 6) -> Scores:
    draw = np.random.default_rng(seed)
    person = np.concatenate([np.arange(people), draw.integers(people, size=probes - people)])
    drawn = draw.integers(0, levels, (probes, people + others)).astype(float)
    return Scores(drawn[:, :people], person, drawn[:, people:])


def test_the_best_photo_of_a_person_counts() -> None:
    scores = np.array([[0.1, 0.2, 0.9], [0.8, 0.3, 0.4]])
    assert best_of_people(scores, np.array([1, 0, 1])).tolist() == [[0.2, 0.9], [0.3, 0.8]]


def test_pictures_without_a_face_are_like_nobody_and_equal_ones_tie() -> None:
    rows = np.array([[0.6, 0.8], [0.6, 0.8 + 1e-7], [NAN, NAN]], dtype=np.float32)
    found = alike(rows, rows)
    assert found[0, 0] == found[0, 1] == 1
    assert np.isneginf(found[2]).all()
    assert np.isneginf(found[:, 2]).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 999), others=st.integers(0, 4))
def test_places_are_those_of_the_match_curve(seed: int, others: int) -> None:
    scores = _drawn(seed, others=others)
    everybody = np.concatenate([scores.people, scores.distractors], axis=1)
    names = [str(number) for number in scores.person]
    gallery = [str(number) for number in range(everybody.shape[1])]
    assert scores.size == len(gallery)
    assert np.array_equal(scores.places(), match_ranks(-everybody, names, gallery))
    assert (scores.alone().places() <= scores.places()).all()
    assert scores.alone().size == 5


def test_a_picture_without_a_face_comes_last() -> None:
    scores = Scores(np.array([[-np.inf, 0.1], [-np.inf, -np.inf]]), np.array([0, 1]), np.array([[0.3], [-np.inf]]))
    assert scores.places().tolist() == [3, 3]


def test_each_half_is_left_out_once_and_everybody_equally_often() -> None:
    masks = list(halves(7, 4, seed=3))
    assert len(masks) == 8
    assert np.sum(masks, axis=0).tolist() == [4] * 7
    assert [int(mask.sum()) for mask in masks] == [3, 4] * 4
    assert all((first != second).all() for first, second in zip(masks[::2], masks[1::2], strict=True))
    assert len({mask.tobytes() for mask in masks}) > 4
    assert all(np.array_equal(a, b) for a, b in zip(masks, halves(7, 4, seed=3), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(masks, halves(7, 4, seed=4), strict=True))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), others=st.integers(0, 3))
def test_half_galleries_are_searches_in_what_is_left(seed: int, others: int) -> None:
    scores = _drawn(seed, others=others)
    masks = list(halves(5, 3, seed))
    found = leave_out(scores, masks)
    names = [str(number) for number in scores.person]
    for row, out in enumerate(masks):
        left = np.concatenate([scores.people[:, ~out], scores.distractors], axis=1)
        gallery = [*map(str, np.flatnonzero(~out)), *(f"other {number}" for number in range(others))]
        own = np.asarray(names)[:, None] == np.asarray(gallery)
        mates = np.where(own, left, -np.inf).max(axis=1, initial=-np.inf)
        rivals = np.where(own, -np.inf, left).max(axis=1, initial=-np.inf)
        known = found.known[row]
        assert np.array_equal(known, own.any(axis=1))
        assert np.array_equal(found.right[row][known], (mates > rivals)[known])
        assert not found.right[row][~known].any()
        ordered = np.sort(left, axis=1)[:, ::-1]
        following = ordered[:, 1 : 1 + -(-left.shape[1] // 5)]  # a fifth of so few people
        level = following.mean(axis=1) if following.size else 0.0
        assert np.allclose(found.leads[row], ordered[:, 0] - level)
        best = best_scores(scores, out, 3)
        assert np.array_equal(best, np.sort(left, axis=1)[:, ::-1][:, :3])
    together = found.searches()
    assert len(together.mates) + len(together.strangers) == 6 * 7
    assert len(together.mates) == len(together.rivals) == found.known.sum()


def test_a_shape_says_how_many_people_there_are() -> None:
    assert best_scores(_drawn(0, others=0), np.array([True, True, True, True, False]), 9).shape == (7, 1)
    with pytest.raises(IndexError):
        Scores(np.zeros((2, 2)), np.array([0, 2]), np.zeros((2, 0))).places()
