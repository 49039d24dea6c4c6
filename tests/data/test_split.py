from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesketch.data.index import index
from facesketch.data.pairs import SIDES, Pair, Side, Source
from facesketch.data.split import Split, draw, split
from facesketch.errors import ConfigError


def pair(stem: str, subject: str | None = None, side: Side | None = None) -> Pair:
    return Pair(stem, subject or stem, Source(Path(f"{stem}.p")), Source(Path(f"{stem}.s")), side)


def people(names: Iterable[str], side: Side | None = None) -> list[Pair]:
    return [pair(name, side=side) for name in names]


def stems(pairs: Iterable[Pair]) -> list[str]:
    return [each.stem for each in pairs]


def places(parts: Split) -> dict[str, Side]:
    return {each.subject: side for side in SIDES for each in parts.side(side)}


NAMES = [f"person {number}" for number in range(1000)]


def test_draws_never_change_between_versions() -> None:
    for side, subject in (("test", "f-005"), ("validation", "f-005"), ("test", "00001")):
        digest = hashlib.sha256(f"{side}\n{subject}".encode()).hexdigest()
        assert draw(side, subject) == int(digest[:12], 16) / 16**12  # type: ignore[arg-type]
    assert draw("test", "f-005") == pytest.approx(0.1205037, abs=1e-7)


def test_shares_are_about_right_over_a_thousand_subjects() -> None:
    parts = split(people(NAMES))
    assert abs(len(parts.test) / 1000 - 0.2) < 0.04
    assert abs(len(parts.validation) / (1000 - len(parts.test)) - 0.12) < 0.035
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 1000
    assert set(parts.origin.values()) == {"hash"}


SUBJECTS = st.lists(st.tuples(st.sampled_from(NAMES[:40]), st.sampled_from([None, *SIDES])), min_size=1, max_size=60)


@settings(deadline=None)
@given(rows=SUBJECTS, validation=st.floats(0, 0.5), test=st.floats(0, 0.5), order=st.randoms())
def test_no_subject_is_on_two_sides_whatever_the_order(
    rows: list[tuple[str, Side | None]], validation: float, test: float, order: object
) -> None:
    pairs = [pair(f"{number:03}", subject, side) for number, (subject, side) in enumerate(rows)]
    parts = split(pairs, validation=validation, test=test)
    seen = [{each.subject for each in parts.side(side)} for side in SIDES]
    assert sum(map(len, seen)) == len(set().union(*seen))
    assert sorted(stems([*parts.train, *parts.validation, *parts.test, *parts.left_out])) == stems(pairs)
    shuffled = list(pairs)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert split(shuffled, validation=validation, test=test) == parts
    tested = {each.subject for each in pairs if each.split == "test"}
    assert tested <= seen[2]
    assert all(each.split in (None, "test") for each in parts.test if each.subject in tested)


@settings(deadline=None)
@given(
    few=st.sets(st.sampled_from(NAMES[60:]), max_size=40),
    more=st.sets(st.sampled_from(NAMES[60:]), max_size=40),
)
def test_adding_subjects_moves_nobody(few: set[str], more: set[str]) -> None:
    first, second = {*NAMES[:60], *few}, {*NAMES[:60], *few, *more}
    before, after = places(split(people(first))), places(split(people(second)))
    assert {name: after[name] for name in first} == before


def test_pairs_of_one_subject_stay_together() -> None:
    pairs = [pair(f"{name}-{take}", name) for name in NAMES[:50] for take in (1, 2, 3)]
    parts = split(pairs)
    assert all(len(parts.side(side)) % 3 == 0 for side in SIDES)
    assert len(places(parts)) == 50


def test_the_datas_own_sides_win() -> None:
    own = [*people(NAMES[:10], "train"), *people(NAMES[10:20], "validation"), *people(NAMES[20:30], "test")]
    parts = split(own, validation=0.5, test=0.5)
    assert stems(parts.train) == sorted(NAMES[:10])
    assert stems(parts.validation) == sorted(NAMES[10:20])
    assert stems(parts.test) == sorted(NAMES[20:30])
    assert dict(parts.origin) == {"train": "data", "validation": "data", "test": "data"}


def test_validation_is_taken_from_training_alone() -> None:
    parts = split([*people(NAMES[:500], "train"), *people(NAMES[500:], "test")])
    assert set(stems(parts.test)) == set(NAMES[500:])
    assert set(stems(parts.validation)) == {name for name in NAMES[:500] if draw("validation", name) < 0.12}
    assert dict(parts.origin) == {"train": "data", "validation": "hash", "test": "data"}


def test_a_test_side_is_taken_too_when_the_data_has_none() -> None:
    parts = split([*people(NAMES[:500], "train"), *people(NAMES[500:600], "validation")])
    assert set(stems(parts.validation)) == set(NAMES[500:600])
    assert set(stems(parts.test)) == {name for name in NAMES[:500] if draw("test", name) < 0.2}


def test_subjects_without_a_side_in_the_data_are_hashed() -> None:
    parts = split([*people(NAMES[:100], "train"), *people(NAMES[100:200], "test"), *people(NAMES[200:400])])
    hashed = {name for name in NAMES[200:400] if draw("test", name) < 0.2}
    assert set(stems(parts.test)) == set(NAMES[100:200]) | hashed
    assert parts.origin["test"] == "both"


def test_training_pictures_of_a_tested_subject_are_left_out() -> None:
    rows = [
        pair("a-1", "a", "train"),
        pair("a-2", "a", "test"),
        pair("b-1", "b", "train"),
        pair("b-2", "b", "validation"),
    ]
    parts = split([*rows, pair("c", side="train")])
    assert (stems(parts.train), stems(parts.validation), stems(parts.test)) == (["c"], ["b-2"], ["a-2"])
    assert stems(parts.left_out) == ["a-1", "b-1"]


@pytest.mark.parametrize("name", NAMES[:30])
def test_one_subject_is_trained_on(name: str) -> None:
    parts = split([pair("1", name), pair("2", name)], validation=0.9, test=0.9)
    assert (stems(parts.train), parts.validation, parts.test) == (["1", "2"], (), ())
    assert parts.origin["validation"] == "nobody"


@pytest.mark.parametrize("first", range(0, 120, 3))
def test_three_subjects_fill_three_sides(first: int) -> None:
    parts = split(people(NAMES[first : first + 3]))
    assert [len(parts.side(side)) for side in SIDES] == [1, 1, 1]


def test_an_empty_side_gets_the_smallest_draw() -> None:
    names = [name for name in NAMES if draw("test", name) >= 0.2 and draw("validation", name) >= 0.12][:8]
    parts = split(people(names))
    tested = min(names, key=lambda name: draw("test", name))
    assert stems(parts.test) == [tested]
    assert stems(parts.validation) == [min({*names} - {tested}, key=lambda name: draw("validation", name))]


def test_two_subjects_are_too_few_to_fill_every_side() -> None:
    names = [name for name in NAMES if draw("test", name) >= 0.2 and draw("validation", name) >= 0.12][:2]
    parts = split(people(names))
    assert (len(parts.train), parts.validation, parts.test) == (2, (), ())


def test_a_share_of_nothing_keeps_nobody() -> None:
    parts = split(people(NAMES[:50]), validation=0, test=0)
    assert (len(parts.train), parts.validation, parts.test) == (50, (), ())


def test_a_folder_of_tests_is_all_test() -> None:
    parts = split(people(NAMES[:20], "test"))
    assert (parts.train, parts.validation, len(parts.test)) == ((), (), 20)


@pytest.mark.parametrize("shares", [{"validation": 1.0}, {"test": -0.1}, {"validation": float("nan")}])
def test_shares_out_of_range_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"expected a share from 0"):
        split(people(NAMES[:5]), **shares)


def test_the_hash_is_of_the_sorted_stems() -> None:
    parts = split([*people(["b", "a"], "test"), *people(["c"], "train")])
    assert parts.hash("test") == hashlib.sha256(b"a\nb").hexdigest()
    assert parts.hash("train") == hashlib.sha256(b"c").hexdigest()


@pytest.mark.shared
def test_cuhk_keeps_its_hundred_tests(shared: Path) -> None:
    pairs = index(shared / "data" / "cuhk").pairs
    parts = split(pairs, validation=0)
    assert [len(parts.side(side)) for side in SIDES] == [88, 0, 100]
    parts = split(pairs)
    assert len(parts.train) + len(parts.validation) == 88
    assert 4 <= len(parts.validation) <= 18
    assert len(parts.test) == 100
