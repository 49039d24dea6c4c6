"""The benchmark of training ends when one of its processes dies."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

SIDES = """
import os, signal
def side(turns, number):
    while turns.recv():
        if number < 0:
            os.kill(os.getpid(), -number)
        turns.send(float(number))
"""


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    (tmp_path / "benchmark_sides.py").write_text(SIDES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return import_module("benchmark_sides").side


def test_sides_take_turns_and_one_that_dies_ends_all(sides: object) -> None:
    in_turn = import_module("training").in_turn
    assert in_turn(sides, [(1,), (2,)], 3) == [[1.0] * 3, [2.0] * 3]
    for dying in ([(1,), (-9,)], [(-11,), (1,)]):
        with pytest.raises(SystemExit, match=r"died with exit code -(9|11)"):
            in_turn(sides, dying, 3)
