"""`scripts/search_calibration.py` finds the constants of normal scores."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from facesketch.search.probability import Calibration

PEOPLE = 80


@pytest.fixture(scope="module")
def calibrate(script: Callable[[str], ModuleType]) -> ModuleType:
    """Return the script."""
    return script("search_calibration")


def test_slope_grows_with_the_distance_of_the_right_person(
    calibrate: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """For normal scores the log ratio is d z - d²/2; with few other people z is uncertain and the slope is smaller."""
    draw = np.random.default_rng(0)
    others, alike = draw.normal(0.5, 0.1, (PEOPLE, PEOPLE)), draw.normal(0, 1, (PEOPLE, PEOPLE))
    found = []
    for deviations in (2, 4):
        calibrate.report("hog", "direct", others + 0.1 * deviations * np.eye(PEOPLE), np.arange(PEOPLE), alike)
        said = re.search(r"Calibration\((.*)\)", capsys.readouterr().out)
        assert said is not None
        found.append(Calibration(*(float(number) for number in said[1].split(","))))
        assert 0.6 * deviations < found[-1].slope < 1.1 * deviations
        assert 0.5 < found[-1].offset / (-(deviations**2) / 2) < 1.1
        assert (found[-1].mean, found[-1].spread) == (pytest.approx(0.5, abs=0.005), pytest.approx(0.1, abs=0.005))
    assert found[1].slope > 1.5 * found[0].slope


def test_galleries_hold_each_other_person_once(calibrate: ModuleType) -> None:
    people = np.repeat(np.arange(30), 2)  # two photos each
    alike = np.random.default_rng(1).normal(size=(60, 60))
    sizes = []
    for places in calibrate.galleries(7, people, alike):
        sizes.append(len(places))
        shown = people[places]
        assert people[7] not in shown
        assert len(set(shown.tolist())) == len(shown)
    assert sizes == [5, 5, 5, 20, 20, 20], "at random, around the right person, around another person"


def test_each_search_runs_with_and_without_the_right_person(calibrate: ModuleType) -> None:
    scores = np.random.default_rng(2).normal(size=(12, 12))
    usual = Calibration(1.0, 0.0, 0.0, 1.0)
    searches = calibrate.searches_of(scores, np.arange(12), scores @ scores.T, usual)
    assert len(searches) == 12 * 3 * 2
    assert [place is None for _, place, _ in searches] == [True, False] * 36
    assert all((np.diff(outstanding) <= 0).all() for outstanding, _, _ in searches)


def test_higher_chance_of_the_right_answer_loses_less(calibrate: ModuleType) -> None:
    outstanding = np.array([5.0, 0.0, -1.0])
    sure, unsure = (np.array([slope, -4.0]) for slope in (0.7, 0.0))
    for place, better in ((0, True), (None, False)):
        losses = [calibrate.loss(constants, [(outstanding, place, 0)]) for constants in (sure, unsure)]
        assert bool(losses[0] < losses[1]) == better
