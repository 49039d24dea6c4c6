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
    found, people, place = calibrate.search(scores, 0.3)
    np.testing.assert_allclose(found[:3], [0.1, 0.0, -0.1])
    assert (np.isneginf(found[3:]).all(), people, place) == (True, 3, 1)
    found, people, place = calibrate.search(np.arange(150.0), None)
    assert (len(found), people, place) == (100, 150, -1)
    assert calibrate.search(np.arange(150.0), 0.0)[2] == calibrate.LOOKED_AT, "beyond those that are looked at"


def test_galleries_are_random_or_of_the_most_alike(calibrate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pool, alike = np.arange(5, 1005), np.arange(2000.0)
    monkeypatch.setattr(calibrate, "SIZES", (3, 100))
    made = list(calibrate.galleries(0, pool, alike))
    assert [(kind, len(places)) for kind, places in made] == [
        (kind, n) for n in (3, 100) for kind in ("mixed", "alike")
    ]
    for kind, places in made:
        assert len(set(places.tolist())) == len(places)
        assert places.min() >= (805 if kind == "alike" else 5)


def test_a_higher_chance_of_what_is_so_loses_less(calibrate: ModuleType) -> None:
    constants = np.array([3.0, -9.0, 0.5])

    def loss(scores: list[float], right: int) -> float:
        found, people, _ = calibrate.search(np.array(scores), None)
        one = calibrate.Found(found[None], np.array([people]), np.array([right]), np.array([""]), np.array([0]))
        return float(calibrate.loss(constants, one, np.ones(1)))

    assert loss([0.9, 0.1, 0.0], 0) < loss([0.2, 0.1, 0.0], 0)
    assert loss([0.2, 0.1, 0.0], -1) < loss([0.9, 0.1, 0.0], -1)


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
    monkeypatch.setattr(calibrate, "SIZES", (5, 10, 20, 38))
    faces = [np.eye(220)[:110], np.eye(220)[110:]]
    calibrate.show('("hog", "direct")', calibrate.searches("direct", rows, faces, list(sets), np.arange(40)))
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith('    ("hog", "direct"): Calibration(')
    kinds = [line for line in said[1:] if not line.startswith("        #     ")]  # those are of one size
    errors = [float(line.partition("first off by ")[2].partition(",")[0]) for line in kinds]
    assert len(errors) == 4
    assert max(errors) < 12
