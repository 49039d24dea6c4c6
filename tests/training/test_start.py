"""A training that starts from the weights of another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import safetensors.torch
import torch

from facesketch import train
from facesketch.checkpoints.checkpoint import start
from facesketch.checkpoints.header import read_header
from facesketch.config import DIRECTIONS, Direction, configure
from facesketch.errors import CheckpointError, ConfigError
from facesketch.methods.registry import build, resolve
from facesketch.training.run_folder import reopen
from facesketch.training.trainer import resume
from facesketch.weights import shipped

SMALL: dict[str, Any] = {
    **{"size": 32, "batch_size": 4, "hidden": 8, "latent": 4, "samples": 0, "steps": 1},
    **{"device": "cpu", "precision": "fp32", "quiet": True},
}
STILL: dict[str, Any] = {"learning_rate": 1e-12}
"""So slow that a step leaves the weights where they were."""


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, arrange: Callable[..., Path]) -> Path:
    return arrange(tmp_path_factory.mktemp("start") / "pairs")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, pairs: Path) -> Path:
    return train("dense-ae", tmp_path_factory.mktemp("start") / "first", data=pairs, seed=3, **SMALL)


def _apart(one: Path, other: Path) -> float:
    x, y = (safetensors.torch.load_file(run / "weights.safetensors") for run in (one, other))
    return max(float((x[name].double() - y[name].double()).abs().max()) for name in x)


def test_it_goes_on_from_the_weights_it_was_given(first: Path, pairs: Path, tmp_path: Path) -> None:
    seeded = train("dense-ae", tmp_path / "seeded", data=pairs, **SMALL, **STILL)
    started = train("dense-ae", tmp_path / "started", data=pairs, start_from=first, **SMALL, **STILL)
    assert _apart(started, first) < 1e-6 < _apart(seeded, first)


def test_a_model_of_the_other_direction_is_refused(pairs: Path, tmp_path: Path) -> None:
    same = SMALL | {"sketch_channels": 3}  # so that all shapes are equal
    other = train("dense-ae", tmp_path / "other", data=pairs, **same)
    with pytest.raises(ConfigError, match="dense-ae for photo2sketch, not of"):
        train("dense-ae", tmp_path / "run", data=pairs, direction="sketch2photo", start_from=other, **same)


def test_a_model_file_will_do(first: Path, pairs: Path, tmp_path: Path) -> None:
    file = first / "weights.safetensors"
    started = train("dense-ae", tmp_path / "run", data=pairs, start_from=file, **SMALL, **STILL)
    assert _apart(started, first) < 1e-6


def test_a_resumed_run_needs_its_beginning_no_more(
    first: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginning = tmp_path / "beginning.safetensors"
    beginning.write_bytes((first / "weights.safetensors").read_bytes())
    monkeypatch.chdir(tmp_path)
    settings = {name: value for name, value in SMALL.items() if name != "steps"}
    whole = train("dense-ae", "whole", data=pairs, start_from=Path(beginning.name), epochs=2, **settings)
    part = train("dense-ae", "part", data=pairs, start_from=Path(beginning.name), epochs=1, **settings)
    assert reopen(part).train.start_from == beginning, "a run is resumed from anywhere"
    beginning.unlink()
    resume(part, quiet=True, epochs=2)
    assert _apart(part, whole) == 0


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            {"hidden": 16},
            ConfigError,
            "differ from those of DenseAE",
        ),
        ({"size": 64}, ConfigError, "weights of dense-ae of 32 pixels"),
        ({"start_from": Path("nowhere.safetensors")}, CheckpointError, "nowhere.safetensors: no such model file"),
    ],
)
def test_weights_that_do_not_fit_leave_nothing_behind(
    first: Path, pairs: Path, tmp_path: Path, change: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        train("dense-ae", tmp_path / "run", data=pairs, **SMALL | {"start_from": first} | change)
    assert not (tmp_path / "run").exists()


def test_the_random_state_is_that_of_the_seed(first: Path, pairs: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    one = train("conv-vae", tmp_path / "one", data=pairs, **_vae())
    runs = [train("conv-vae", tmp_path / name, data=pairs, start_from=one, **_vae()) for name in ("two", "three")]
    assert _apart(*runs) == 0


def _vae() -> dict[str, Any]:
    return {name: value for name, value in SMALL.items() if name not in {"hidden", "latent"}} | {"latent": 4}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_models_of_the_package_are_started_from_exactly(direction: Direction) -> None:
    header = read_header(shipped.path(direction))
    method = build(header.config, fresh=False)
    start(method, Path(direction))
    source = torch.rand(2, method.source_channels, 64, 96, generator=torch.Generator().manual_seed(1)) * 2 - 1
    session = onnxruntime.InferenceSession(shipped.path(direction))
    styles_and_colours = session.get_inputs()[1].shape[1]
    style = torch.eye(styles_and_colours)[[0, 2]]
    with torch.no_grad():
        drawn = method.eval().draw(source, style)
    (expected,) = session.run(None, {"image": source.numpy(), "style": style.numpy()})
    assert np.abs(drawn.numpy() - expected).max() * 127.5 < 0.5


def test_a_style_of_ones_own_starts_as_the_first(pairs: Path, tmp_path: Path) -> None:
    config = resolve(configure("portrait", {"perceptual": "none", "styles": ["mine", "fs2k-1"]}))
    whole, mine = build(read_header(shipped.path("photo2sketch")).config), build(config)
    for method in (whole, mine):
        start(method, Path("photo2sketch"))
    theirs, ours = (method.generator.fine.norm.scale for method in (whole, mine))  # type: ignore[union-attr]
    assert torch.equal(ours, theirs[[0, 2]])


def test_a_portrait_trains_on_from_the_package(pairs: Path, tmp_path: Path) -> None:
    settings = {"size": 32, "perceptual": "none", "steps": 1, "batch_size": 2, "samples": 0, "device": "cpu"}
    run = train("portrait", tmp_path / "run", data=pairs, start_from=Path("photo2sketch"), quiet=True, **settings)
    assert reopen(run).train.start_from == Path("photo2sketch")
    with pytest.raises(ConfigError, match="portrait for sketch2photo, not of Portrait, photo2sketch"):
        train("portrait", tmp_path / "other", data=pairs, start_from=Path("sketch2photo"), quiet=True, **settings)
    with pytest.raises(ConfigError, match=r"size mismatch for out\.weight"):
        train("portrait", tmp_path / "other", data=pairs, start_from=Path("photo2sketch"), **settings, width=4)
    assert not (tmp_path / "other").exists()
