"""`scripts/search_fewest.py`: chances in galleries of few people, with and without the right one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tests.scripts.conftest import Run

from facesketch.data.synthetic.draw import write_sample
from facesketch.search.evaluation.evaluate import read_task
from facesketch.search.probability import Calibration

KNOWN = Calibration(4.0, -12.0, 1.0, mean=0.0, spread=0.1)


@pytest.fixture(scope="module")
def fewest(script: Callable[[str], ModuleType]) -> ModuleType:
    """Return the script."""
    return script("search_fewest")


def test_people_who_stand_out_are_right_and_strangers_are_not_sure(fewest: ModuleType) -> None:
    scores = np.random.default_rng(0).normal(0, 0.1, (12, 12)) + np.eye(12)
    assert fewest.sure(scores, 10, KNOWN, galleries=3) == (0.0, 1.0)


def test_strangers_who_stand_out_are_counted_as_wrong(fewest: ModuleType) -> None:
    scores = np.zeros((4, 4))
    scores[:, 0] = 1.0  # everybody looks like the first person
    strangers, right = fewest.sure(scores, 3, KNOWN, galleries=2)
    assert strangers == pytest.approx(3 / 4), "the first person is not among the strangers of the own sketch"
    assert 0 < right < 0.3, "only the first person's own sketch is right"


def test_script_prints_a_line_for_each_size(tmp_path: Path, run_script: Run, fewest: ModuleType) -> None:
    write_sample(tmp_path / "drawn", pairs=10, size=256, seed=0)
    words = ("--data", tmp_path / "drawn", "--embedder", "hog", "--route", "direct", "--galleries", 1)
    line = re.compile(r"hog +direct +(\d+) people: strangers +\S+%, right +(\S+%|nan%)")
    printed = [line.fullmatch(each) for each in run_script("search_fewest", *words).splitlines()]
    people = len(read_task(tmp_path / "drawn").pairs)
    assert [int(each[1]) for each in printed if each] == [size for size in fewest.SIZES if size < people]
    assert len(printed) == people - 1
