"""Numbers from scores: by hand, against plain counting, and by how intervals must behave."""

from __future__ import annotations

import numpy as np
import pytest

from facesketch.metrics.open_set import detection
from facesketch.search.evaluation.measure import Meter
from facesketch.search.evaluation.scores import Scores, halves, leave_out

PEOPLE = 20
NAMES = [f"s{number:02d}" for number in range(PEOPLE)]


def _scores(noise: float, seed: int = 0, others: int = 0) -> Scores:
    draw = np.random.default_rng(seed)
    people = np.eye(PEOPLE) + noise * draw.standard_normal((PEOPLE, PEOPLE))
    return Scores(people.round(6), np.arange(PEOPLE), noise * draw.standard_normal((PEOPLE, others)))


def _sure(scores: np.ndarray, rest: int) -> tuple[np.ndarray, float]:
    return np.append(0.8, np.full(len(scores) - 1, 0.1 / max(1, len(scores) - 1 + rest))), 0.1


def test_a_perfect_route_finds_all_and_a_blind_one_nobody() -> None:
    meter = Meter(NAMES, divisions=5)
    perfect = meter.measure("perfect", _scores(0.0))
    assert set(perfect.ranks) == {1}
    assert [perfect.rank[k].low for k in ("1", "5", "10")] == [1, 1, 1]
    assert [found.value for found in perfect.open_set.values()] == [1, 1]
    assert perfect.open_set["0.01"].threshold == 0
    blind = meter.measure("blind", Scores(np.zeros((PEOPLE, PEOPLE)), np.arange(PEOPLE), np.zeros((PEOPLE, 0))))
    assert set(blind.ranks) == {PEOPLE}
    assert blind.rank["1"].value == blind.open_set["0.1"].value == 0
    assert blind.curve[-2:] == (0, 1)


def test_rates_are_counts_over_places_and_half_galleries() -> None:
    scores = _scores(0.4, others=8)
    found = Meter(NAMES, divisions=5, seed=7).measure("route", scores)
    assert found.ranks == tuple(scores.places())
    for k in (1, 5, 10):
        share = sum(place <= k for place in found.ranks) / PEOPLE
        assert found.rank[str(k)].value == pytest.approx(share) == pytest.approx(found.curve[k - 1])
        assert found.rank[str(k)].low <= share <= found.rank[str(k)].high
    together = leave_out(scores, list(halves(PEOPLE, 5, 7))).searches()
    for alarms in (0.01, 0.1):
        expected = detection(together, alarms)
        assert found.open_set[str(alarms)].value == expected.rate
        assert found.open_set[str(alarms)].threshold == expected.threshold
        assert dict(found.alarms)[alarms] == expected.rate
    shares, rates = zip(*found.alarms, strict=True)
    assert shares[0] == pytest.approx(0.001)
    assert shares[-1] == 1
    assert list(rates) == sorted(rates)
    assert 0 < rates[0] < rates[-1] <= 1


def test_open_set_intervals_are_those_of_resampled_people() -> None:
    """Each resample is measured from scratch: whole people repeated, its own threshold, no help from the weights."""
    scores, meter = _scores(0.4), Meter(NAMES, divisions=5, seed=1)
    found = meter.measure("route", scores).open_set["0.1"]
    half = leave_out(scores, list(halves(PEOPLE, 5, 1)))
    rates = []
    for draw in np.random.default_rng(1).integers(PEOPLE, size=(2000, PEOPLE))[:200]:
        known, ahead, right = half.known[:, draw], half.leads[:, draw], half.right[:, draw]
        strangers = np.sort(ahead[~known])[::-1]
        level = strangers[int(0.1 * len(strangers) + 1e-9)]
        rates.append(float((right & (ahead > level))[known].mean()))
    low, high = np.percentile(rates, [2.5, 97.5]) - np.mean(rates) + found.value
    assert found.low == pytest.approx(max(0, low))
    assert found.high == pytest.approx(min(1, high))
    assert found.low < found.value < found.high


def test_more_people_make_the_interval_narrower() -> None:
    few = Meter(NAMES, divisions=2).measure("few", _scores(0.5))
    draw, many = np.random.default_rng(0), 320
    people = np.eye(many) + 0.28 * draw.standard_normal((many, many))
    names = [f"s{number}" for number in range(many)]
    wide = Meter(names, divisions=2).measure("many", Scores(people, np.arange(many), np.zeros((many, 0))))
    assert 0.2 < few.rank["1"].value < 0.95
    assert 0.2 < wide.rank["1"].value < 0.95
    assert wide.rank["1"].high - wide.rank["1"].low < (few.rank["1"].high - few.rank["1"].low) / 2


def test_calibration_compares_chances_with_what_came_true() -> None:
    meter = Meter(NAMES, divisions=5)
    found = meter.measure("perfect", _scores(0.0), _sure)
    assert found.first is not None
    assert found.absent is not None
    # the person is there in a half of the searches, and first whenever there: told .8, so in one bin, off by .3
    assert found.first.error.value == pytest.approx(0.3)
    (step,) = (step for step in found.first.steps if step.count)
    assert (step.low, step.chance, step.share, step.count) == (0.7, pytest.approx(0.8), 0.5, 10 * PEOPLE)
    assert found.absent.error.value == pytest.approx(0.4)
    assert meter.measure("perfect", _scores(0.0)).first is None


def test_a_person_who_is_there_but_not_found_is_not_absent() -> None:
    blind = Scores(np.zeros((PEOPLE, PEOPLE)), np.arange(PEOPLE), np.zeros((PEOPLE, 0)))
    found = Meter(NAMES, divisions=5).measure("blind", blind, _sure)
    assert found.absent is not None
    assert found.first is not None
    assert found.absent.error.value == pytest.approx(0.4)  # a half is absent, whoever comes first
    assert found.first.error.value == pytest.approx(0.8)


def test_intervals_of_shares_stay_between_0_and_1() -> None:
    ends = []
    for seed in range(4):
        found = Meter(NAMES, divisions=2).measure("route", _scores(0.3, seed))
        ends += [end for rate in found.open_set.values() for end in (rate.low, rate.high)]
    assert 0 <= min(ends) <= max(ends) == 1


def test_chances_count_all_people_of_the_gallery() -> None:
    asked = []

    def listen(scores: np.ndarray, rest: int) -> tuple[np.ndarray, float]:
        asked.append((len(scores) + rest, bool((np.diff(scores) <= 0).all())))
        return np.full(len(scores), 0.5 / len(scores)), 0.5

    Meter(NAMES, divisions=3).measure("route", _scores(0.3, others=150), listen)
    assert set(asked) == {(PEOPLE // 2 + 150, True)}


def test_a_probe_without_a_face_is_found_by_nobody_and_alarms_nobody() -> None:
    scores = _scores(0.0)
    scores.people[0] = -np.inf
    found = Meter(NAMES, divisions=5).measure("route", scores, _sure)
    assert found.ranks[0] == PEOPLE
    assert found.rank["1"].value == pytest.approx(1 - 1 / PEOPLE)
    assert found.open_set["0.1"].value == pytest.approx(1 - 1 / PEOPLE)
    assert found.first is not None
    assert found.first.steps[0].count == 10


def test_all_routes_meet_the_same_people() -> None:
    meter, scores = Meter(NAMES, divisions=3, seed=5), _scores(0.4)
    assert meter.measure("route", scores) == meter.measure("route", scores)
    assert meter.measure("route", scores) == Meter(NAMES, divisions=3, seed=5).measure("route", scores)
    assert meter.measure("route", scores) != Meter(NAMES, divisions=3, seed=6).measure("route", scores)


def test_chances_see_the_best_scores_of_the_gallery() -> None:
    seen = []

    def asked(best: np.ndarray, rest: int) -> tuple[np.ndarray, float]:
        seen.append((best, rest))
        return np.zeros(len(best)), 1.0

    scores = _scores(0.4, others=150)
    scores.people[:, 3] = -np.inf  # a photo without a face
    Meter(NAMES, divisions=1).measure("route", scores, asked)
    for best, rest in seen:
        assert (len(best), rest) == (100, 60)
        assert np.isfinite(best).all()
        assert (np.diff(best) <= 0).all()


def test_groups_are_people_searched_for_among_all() -> None:
    scores = _scores(0.4, others=8)
    says = ["f", "m", "m", ""] * (PEOPLE // 4)
    found = Meter(NAMES, divisions=5, groups={"gender": says}).measure("route", scores)
    assert {value: group.sketches for value, group in found.groups["gender"].items()} == {"f": 5, "m": 10}
    half, height = leave_out(scores, list(halves(PEOPLE, 5, 0))), found.open_set["0.1"].threshold
    for value, group in found.groups["gender"].items():
        rows = [row for row, said in enumerate(says) if said == value]
        assert group.first.value == pytest.approx(np.mean([found.ranks[row] == 1 for row in rows]))
        told = [half.leads[~half.known[:, row], row] > height for row in rows]
        assert group.alarms.value == pytest.approx(np.mean(told))
        assert group.first.low <= group.first.value <= group.first.high


def test_a_group_for_itself_is_everybody() -> None:
    whole = Meter(NAMES, divisions=5, groups={"all": ["yes"] * PEOPLE}).measure("route", _scores(0.4))
    (group,) = whole.groups["all"].values()
    assert group.first == whole.rank["1"]
    assert group.alarms.value <= 0.1
