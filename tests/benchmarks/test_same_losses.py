"""Our steps learn what a textbook loop learns: the same losses in fp32, and in bf16 within its noise."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from facesketch.config import configure
from facesketch.data.datasets import Batch
from facesketch.methods.registry import build, resolve

STEPS = 50
NOISE = {"conv-ae": (0.005, 0.02), "pix2pix": (0.005, 0.02), "cyclegan": (0.02, 0.04)}
"""Of the first loss, in fp32 and in bf16: rounding alone moves losses so far in 50 steps, most with four networks."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("conv-ae", {"dropout": 0}),
        ("pix2pix", {"width": 8, "dropout": 0}),
        ("cyclegan", {"width": 8, "blocks": 1, "pool": 0}),
    ],
)
def test_fifty_steps_lower_the_losses_as_in_a_textbook(
    name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    benchmark = import_module("training")

    def losses(own: bool, half: bool = False, steps: int = STEPS) -> dict[str, float]:
        torch.manual_seed(0)
        method = build(resolve(configure(name, {"size": 32, "batch_size": 2, **options}))).train()
        batch = Batch(torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 1, 32, 32) * 2 - 1, (), (), (), "photo2sketch")
        if own:
            step = benchmark.ours(method, batch, half)
        else:
            benchmark.plain_norms(method)
            step = benchmark.PLAIN[name](method, batch)
        for _ in range(steps):
            step()
        return {phase.name: phase.loss.item() for phase in method.training_step(batch)}

    first, textbook = losses(own=False, steps=0), losses(own=False)
    for half, noise in zip((False, True), NOISE[name], strict=True):
        for phase, loss in losses(own=True, half=half).items():
            assert loss == pytest.approx(textbook[phase], abs=noise * first[phase])
            assert loss < 0.95 * first[phase], "50 steps learn something"
