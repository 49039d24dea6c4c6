from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from facesketch import train
from facesketch.config import RunConfig, configure
from facesketch.errors import ResourceError
from facesketch.methods.networks.blocks import count_parameters
from facesketch.methods.registry import METHODS, build, family, resolve
from facesketch.training import trainer
from facesketch.training.cost import estimate, free_memory, out_of_memory, speed


def _config(name: str, **settings: Any) -> RunConfig:
    return resolve(configure(name, {"size": 64, "batch_size": 2, **settings}))


@pytest.mark.parametrize("name", [name for name in METHODS if family(name).learned])
def test_parameters_are_counted_not_guessed(name: str) -> None:
    config = _config(name, size=32)
    assert estimate(config, half=False).parameters == count_parameters(build(config))


def test_a_dense_step_costs_what_its_products_cost() -> None:
    config = _config("dense-ae", hidden=8, latent=4, size=32, batch_size=5)
    source, target = 3 * 32 * 32, 32 * 32
    forward = 2 * 5 * (source * 8 + 8 * 4 + 4 * 8 + 8 * target)
    backward = 2 * forward - 2 * 5 * source * 8  # nobody asks for the gradient of the picture
    assert estimate(config, half=False).flops == forward + backward


@pytest.mark.parametrize("name", ["dense-ae", "conv-ae", "pix2pix"])
def test_larger_settings_need_more(name: str) -> None:
    small, batch, size = (
        estimate(_config(name, **changes), half=False) for changes in ({}, {"batch_size": 4}, {"size": 128})
    )
    assert small.memory < batch.memory
    assert small.memory < size.memory
    assert batch.flops == pytest.approx(2 * small.flops, rel=0.01)
    assert small.flops < size.flops
    assert small.parameters == batch.parameters


def test_half_precision_halves_the_activations() -> None:
    whole, half = (estimate(_config("pix2pix", width=8, batch_size=8), half=half) for half in (False, True))
    fixed = whole.parameters * 16 + (1 << 29)
    assert half.memory - fixed == pytest.approx((whole.memory - fixed) / 2, rel=0.01)


def test_an_estimate_takes_no_memory_and_changes_nothing() -> None:
    state = torch.get_rng_state()
    cost = estimate(_config("dense-ae", size=2048, hidden=4096), half=False)
    assert cost.memory > 500 << 30
    assert torch.equal(torch.get_rng_state(), state)


def test_measuring_the_machine_changes_nothing() -> None:
    state = torch.get_rng_state()
    assert speed(torch.device("cpu"), False) > 1e6
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is free")
def test_free_memory_is_what_the_system_says() -> None:
    free, total = free_memory(torch.device("cpu")), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert free is not None
    assert total / 1000 < free <= total


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"batch_size": 9}, "out of memory at batch size 9, size 64; begin again with `batch_size` 4"),
        ({"batch_size": 2}, "out of memory at batch size 2, size 64; begin again with `batch_size` 1"),
        ({"batch_size": 1}, "out of memory at batch size 1, size 64; begin again with `size` 32"),
        ({"batch_size": 1, "size": 17}, "out of memory at batch size 1, size 17; begin again with `size` 16"),
    ],
)
def test_the_next_smaller_setting_is_named(settings: dict[str, int], said: str) -> None:
    assert str(out_of_memory(_config("dense-ae", **settings))) == said


def _small(faces: Path) -> dict[str, Any]:
    return {"data": faces, "size": 32, "batch_size": 4, "epochs": 1, "hidden": 4, "latent": 2, "device": "cpu"}


def test_a_training_that_will_not_fit_is_refused_before_it_starts(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "free_memory", lambda device: 3 << 28)
    with pytest.raises(ResourceError) as caught:
        train("dense-ae", tmp_path / "run", quiet=True, **{**_small(faces), "hidden": 4096})
    line = str(caught.value)
    assert line.startswith("out of memory at batch size 4, size 32 (about 0.8 GiB needed, 0.8 free)")
    assert line.endswith("`batch_size` 2")
    assert not (tmp_path / "run").exists()
    train("dense-ae", tmp_path / "run", quiet=True, **_small(faces))


def test_a_machine_that_does_not_tell_is_trusted(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "free_memory", lambda device: None)
    train("dense-ae", tmp_path / "run", quiet=True, **_small(faces))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: not enough memory: you tried"),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_running_out_in_mid_training_names_the_way_out(
    error: Exception, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(trainer, "optimise", fail)
    with pytest.raises(ResourceError, match="out of memory at batch size 4, size 32; begin again with `batch_size` 2"):
        train("dense-ae", tmp_path / "run", quiet=True, **_small(faces))


def test_our_own_mistakes_stay_what_they_are(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(trainer, "optimise", fail)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train("dense-ae", tmp_path / "run", quiet=True, **_small(faces))
