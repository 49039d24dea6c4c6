"""The table of the history of speed, and the floor that its numbers are measured in."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

LINE: dict[str, Any] = {
    **{"date": "2026-01-01", "commit": "abc", "machine": "some processor", "processors": 2, "load": 0.1},
    **{"torch": "2.13.0", "half": True, "ratios": {"pix2pix 1": 2.0}, "floors": {"pix2pix 1": 1.75}},
}


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")


def test_the_newest_line_comes_first_and_what_was_not_measured_stays_empty() -> None:
    newer = LINE | {"date": "2026-02-02", "ratios": {"conv-ae 8": 2.5}, "floors": {"conv-ae 8": 2.0}}
    head, rule, first, second = import_module("history").table([LINE, newer]).splitlines()
    assert head.endswith("| pix2pix 1 | conv-ae 8 |")
    assert {line.count("|") for line in (head, rule, first, second)} == {head.count("|")}
    assert first.startswith("| 2026-02-02 |")
    assert first.endswith("|  | 2.50 (2.0) |")
    assert second.endswith("| 2.00 (1.8) |  |")


def test_a_floor_adds_arithmetic_and_adam() -> None:
    most = import_module("floor").Peaks(fp32=1e9, bf16=2e9, memory=28e9)
    assert most.step(2_000_000_000, 500_000_000, half=True) == 1.5
    assert most.step(2_000_000_000, 500_000_000, half=False) == 2.5
