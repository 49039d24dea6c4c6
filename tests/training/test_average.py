"""`average`: the model of a run is a running average of its weights."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import torch
from safetensors.numpy import load_file

from facesketch import resume, train
from facesketch.config import configure
from facesketch.methods.registry import build, resolve
from facesketch.training.state import STATE, load_state, running_average

DENSE: dict[str, Any] = {"size": 32, "hidden": 8, "latent": 4, "batch_size": 4, "samples": 0, "device": "cpu"}
PORTRAIT: dict[str, Any] = {"size": 32, "width": 4, "blocks": 1, "discriminator_width": 4, "perceptual": "none"}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, arrange: Callable[..., Path]) -> Path:
    return arrange(tmp_path_factory.mktemp("average") / "pairs")


def test_the_average_begins_as_the_weights_and_then_follows_at_its_own_pace() -> None:
    method = build(resolve(configure("dense-ae", DENSE)))
    averaged = running_average(method, 0.75)
    first = next(method.parameters())
    expected = torch.zeros_like(first)
    for step in range(40):
        with torch.no_grad():
            first.add_(torch.randn_like(first))
        kept = min(0.75, step / (step + 10))
        expected = kept * expected + (1 - kept) * first.detach()
        averaged.update_parameters(method)
        torch.testing.assert_close(next(averaged.module.parameters()), expected)
    assert not any(parameter.requires_grad for parameter in averaged.parameters())


def test_what_is_validated_is_the_average(pairs: Path, tmp_path: Path) -> None:
    settings = DENSE | {"data": pairs, "epochs": 6, "learning_rate": 0.01, "quiet": True}
    raw = train("dense-ae", tmp_path / "raw", **settings)
    run = train("dense-ae", tmp_path / "run", average=0.9, **settings)
    kept, weights = load_file(run / "weights.safetensors"), load_file(raw / "weights.safetensors")
    assert not any(np.array_equal(kept[name], weights[name]) for name in kept)
    state, other = load_state(run), load_state(raw)
    assert state is not None
    assert other is not None
    assert all(torch.equal(state["method"][name], other["method"][name]) for name in kept), "it learns the same"
    assert "averaged" not in other
    assert state["position"]["best"] != other["position"]["best"]


def test_a_portrait_run_of_version_0_1_resumes_bit_for_bit(pairs: Path, tmp_path: Path) -> None:
    """It kept the average among the weights, its count as extra state, and its share among the method's options."""
    settings = PORTRAIT | {"data": pairs, "batch_size": 4, "samples": 0, "device": "cpu", "quiet": True, "average": 0.6}
    whole = train("portrait", tmp_path / "whole", epochs=3, **settings)
    run = train("portrait", tmp_path / "run", epochs=2, **settings)
    state = load_state(run)
    assert state is not None
    averaged = state.pop("averaged")
    for name, tensor in averaged.items():
        if name.startswith("module.generator."):
            state["method"][name.replace("module.generator.", "averaged.")] = tensor
    state["extra"] = [{"followed": int(averaged["n_averaged"])}]
    torch.save(state, run / STATE)
    config = tomllib.loads((run / "config.toml").read_text())
    config["method"]["average"] = config["train"].pop("average")
    (run / "config.toml").write_text(tomli_w.dumps(config))
    resume(run, epochs=3, quiet=True)
    assert (run / "config.toml").read_bytes() == (whole / "config.toml").read_bytes()
    weights, expected = (load_file(each / "weights.safetensors") for each in (run, whole))
    drawn = [name for name in expected if name.startswith("generator.")]
    assert drawn
    assert all(np.array_equal(weights[name], expected[name]) for name in drawn)
