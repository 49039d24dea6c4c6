"""What the benchmark on strangers measures in pictures."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return import_module("strangers_measures")


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_faint_grid_stands_out_of_the_spectrum(measures: ModuleType, period: int) -> None:
    rng = np.random.default_rng(0)
    noise = [128 + 4 * rng.standard_normal((250, 200)) for _ in range(6)]
    rows = np.indices((250, 200))[0]
    peaks = []
    for strength in (0.0, 3.0):
        drawn = [each + strength * np.cos(2 * np.pi * rows / period) for each in noise]
        pictures = [Image.fromarray(each.clip(0, 255).astype(np.uint8)) for each in drawn]
        peaks.append(measures.grid_peak(pictures))
    assert peaks[0] < 3
    assert peaks[1] > 20
