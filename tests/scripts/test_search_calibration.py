"""`scripts/search_calibration.py` finds constants with which chances of normal scores hold."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="module")
def calibrate(script: Callable[[str], ModuleType]) -> ModuleType:
    """Return the script."""
    return script("search_calibration")


def test_the_right_one_takes_the_place_of_the_last(calibrate: ModuleType) -> None:
    scores = np.array([0.1, 0.4, 0.2])
    best, place, rest = calibrate.search(scores, 0.3)
    assert (best.tolist(), place, rest) == ([0.4, 0.3, 0.2], 1, 0)
    best, place, rest = calibrate.search(np.arange(150.0), None)
    assert (len(best), place, rest) == (100, None, 50)


def test_galleries_are_random_or_of_the_most_alike(calibrate: ModuleType) -> None:
    pool, alike = np.arange(5, 1005), np.arange(2000.0)
    made = list(calibrate.galleries(0, pool, alike, (3, 100)))
    assert [(kind, len(places)) for kind, places in made] == [
        (kind, n) for n in (3, 100) for kind in ("mixed", "alike")
    ]
    for kind, places in made:
        assert len(set(places.tolist())) == len(places)
        assert places.min() >= (805 if kind == "alike" else 5)


def test_a_higher_chance_of_what_is_so_loses_less(calibrate: ModuleType) -> None:
    constants, weight = np.array([1.0, -9.0, 0.5]), np.ones(1)
    clear = (np.array([0.9, 0.1, 0.0]), 0, 0)
    level = (np.array([0.2, 0.1, 0.0]), 0, 0)
    assert calibrate.loss(constants, 0.0, 0.1, [clear], weight) < calibrate.loss(constants, 0.0, 0.1, [level], weight)
    absent = (level[0], None, 0)
    assert calibrate.loss(constants, 0.0, 0.1, [absent], weight) < calibrate.loss(
        constants, 0.0, 0.1, [(clear[0], None, 0)], weight
    )


def test_constants_make_chances_of_normal_scores_hold(
    calibrate: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, sets = np.random.default_rng(0), ("pairs", "cuhk")
    rows = {}
    for name in sets:
        people = draw.normal(size=(110, 40))
        for view in calibrate.VIEWS:
            seen = people + draw.normal(size=people.shape)
            rows[f"{name}-{view}"] = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    monkeypatch.setattr(calibrate, "SIZES", (1, 3, 10, 38))
    faces = [np.eye(220)[:110], np.eye(220)[110:]]
    calibrate.calibrate("hog", "direct", rows, faces, list(sets), np.arange(40))
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith('    ("hog", "direct"): Calibration(')
    errors = [float(line.partition("first ")[2].partition(",")[0]) for line in said[1:]]
    assert len(errors) == 6
    assert max(errors) < 12
