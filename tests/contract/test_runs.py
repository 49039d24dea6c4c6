"""For every method: a run explains itself, starts from fresh weights and learns."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from facesketch.checkpoints.header import read_header
from facesketch.config import Direction, RunConfig, parse
from facesketch.data.datasets import Batch, PairDataset
from facesketch.errors import ConfigError
from facesketch.images.fit import Placement
from facesketch.methods.base import Method
from facesketch.methods.registry import build, family, resolve
from facesketch.training.log import read_log
from facesketch.training.run_folder import read_split

NAMES = {"config.toml", "weights.safetensors", "best.safetensors", "state.ckpt", "log.jsonl", "samples"}
NAMES |= {"environment.json"}

# The loss that falls while a method learns; the others of a GAN rise and fall
FALLS = {"pix2pix": "l1", "cyclegan": "cycle", "portrait": "generator"}
FALLS |= {"cogan": "reconstruction", "unit": "reconstruction"}


def _weights(run: Path) -> dict[str, Tensor]:
    return safetensors.torch.load_file(run / "weights.safetensors")


def _batch(config: RunConfig, method: Method, count: int = 2, direction: Direction = "photo2sketch") -> Batch:
    side = method.frame
    photo = torch.rand(count, config.data.photo_channels, side, side) * 2 - 1
    sketch = torch.rand(count, config.data.sketch_channels, side, side) * 2 - 1
    stems = tuple(str(number) for number in range(count))
    return Batch(photo, sketch, stems, stems, (Placement((side, side), (side, side), (0, 0)),) * count, direction)


def test_run_folder_explains_itself(task: tuple[str, Direction], trained: Callable[..., Path], data: Path) -> None:
    name, direction = task
    run = trained(name, direction=direction)
    assert {path.name for path in run.iterdir()} - {"state.previous.ckpt"} == NAMES
    config = parse(tomllib.loads((run / "config.toml").read_text()), "config.toml")
    assert config == resolve(config), "config.toml leaves settings open"
    assert (config.method.name, config.direction, config.data.folder) == (name, direction, data)
    assert set(config.method.options) >= {key for key in family(name).model_fields if key != "encoder_weights"}
    for file in ("weights.safetensors", "best.safetensors"):
        assert read_header(run / file).config == config
    environment = json.loads((run / "environment.json").read_text())
    assert environment["pairs"] == {"train": 8, "validation": 2, "test": 2}
    assert environment["packages"]["torch"] == torch.__version__
    assert environment["precision"] == "32-true"
    assert len(environment["data"]) == len(environment["split"]["test"]) == 64


def test_run_draws_samples(task: tuple[str, Direction], trained: Callable[..., Path]) -> None:
    name, direction = task
    pages = list((trained(name, direction=direction) / "samples").iterdir())
    assert [page.name for page in pages] == ["epoch-0001.png"]
    with Image.open(pages[0]) as page:
        columns, rows = 3 * (2 if family(name).both_ways else 1), 2
        assert page.size[0] > columns * 32
        assert page.size[1] > rows * 32


def test_losses_are_finite_and_logged(task: tuple[str, Direction], trained: Callable[..., Path]) -> None:
    name, direction = task
    lines = read_log(trained(name, direction=direction) / "log.jsonl")
    assert [line["event"] for line in lines] == ["step", "step", "epoch", "end"]
    for line in lines[:2]:
        assert bool(line["losses"]) != family(name).exemplars
        assert all(math.isfinite(value) for value in line["losses"].values())
    epoch = lines[2]
    assert set(epoch["train"]) == set(lines[0]["losses"])
    for key, value in epoch["train"].items():
        assert value == pytest.approx((lines[0]["losses"][key] + lines[1]["losses"][key]) / 2, rel=1e-5, abs=1e-7)
    assert {"ssim", "mae"} <= set(epoch["validation"])
    assert ("loss" in epoch["validation"]) != family(name).exemplars
    assert all(math.isfinite(value) for value in epoch["validation"].values())


def test_seed_decides_the_first_weights(stepwise: str, trained: Callable[..., Path]) -> None:
    first = _weights(trained(stepwise, direction="photo2sketch"))
    again = _weights(trained(stepwise, direction="photo2sketch", sample_every=7))  # differs only in its samples
    other = _weights(trained(stepwise, direction="photo2sketch", seed=1))
    assert first.keys() == again.keys() == other.keys()
    assert all(torch.equal(first[key], again[key]) for key in first)
    drawn = [key for key in first if key.endswith("weight") and first[key].ndim > 1]
    assert drawn
    assert not any(torch.equal(first[key], other[key]) for key in drawn)


def test_exemplar_method_keeps_each_pair_once(exemplar: str, trained: Callable[..., Path], data: Path) -> None:
    config = read_header(trained(exemplar, direction="photo2sketch") / "weights.safetensors").config
    pairs = PairDataset(read_split(config).train, config.data, None, frame=build(config).frame)
    for run in (trained(exemplar, direction="photo2sketch"), trained(exemplar, steps=None, epochs=3)):
        kept = _weights(run)
        assert kept.keys() == {"photos", "sketches"}
        for name, pictures in (("photos", pairs.photos), ("sketches", pairs.sketches)):
            assert np.array_equal(kept[name].permute(0, 2, 3, 1).numpy(), pictures.array)


def test_a_method_without_a_loss_refuses_best_by_loss(exemplar: str, config: Callable[..., RunConfig]) -> None:
    with pytest.raises(ConfigError, match=f"best_by = 'loss': {exemplar} has no loss; give ssim or mae"):
        config(exemplar, best_by="loss")


def test_thirty_steps_lower_the_loss(stepwise: str, trained: Callable[..., Path]) -> None:
    run = trained(stepwise, steps=30, augment=False, learning_rate=2e-3, samples=0)
    epochs = [line["train"] for line in read_log(run / "log.jsonl") if line["event"] == "epoch"]
    name = FALLS.get(stepwise, "autoencoder")
    assert epochs[-1][name] < 0.9 * epochs[0][name], [epoch[name] for epoch in epochs]


def test_settings_are_the_given_ones(learned: str, config: Callable[..., RunConfig]) -> None:
    filled: dict[str, Any] = config(learned).train.model_dump()
    assert filled["batch_size"] == 2
    assert filled["epochs"] == family(learned).defaults.epochs
    assert filled["learning_rate"] == family(learned).defaults.learning_rate
