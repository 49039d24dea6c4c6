"""The scripts behind the shipped models: the mean of two runs, and the contrast of one."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from tests.scripts.conftest import Run

from facesketch.checkpoints.checkpoint import load_method, save_weights
from facesketch.config import configure
from facesketch.data.synthetic.draw import write_sample
from facesketch.inference.translator import load
from facesketch.methods.portrait import Portrait
from facesketch.methods.registry import build, resolve

_SMALL: dict[str, Any] = {"width": 4, "blocks": 1, "discriminator_width": 4, "perceptual": "none", "size": 32}


def _saved(path: Path, seed: int, **settings: Any) -> Path:
    config = resolve(configure("portrait", _SMALL | settings))
    torch.manual_seed(seed)
    save_weights(path, build(config), config, {})
    return path


def test_mean_of_two_runs_has_the_settings_of_the_first(tmp_path: Path, run_script: Run) -> None:
    first = _saved(tmp_path / "first.safetensors", 1, contrast=1.2)
    second = _saved(tmp_path / "second.safetensors", 2)
    run_script("mean_weights", first, second, "--out", tmp_path / "mean.safetensors")
    paths = (first, second, tmp_path / "mean.safetensors")
    ours, theirs, mean = (safetensors.torch.load_file(path) for path in paths)
    assert mean.keys() == ours.keys()
    for name in mean:
        torch.testing.assert_close(mean[name], (ours[name] + theirs[name]) / 2)
    method, _ = load_method(tmp_path / "mean.safetensors", "last")
    assert isinstance(method, Portrait)
    assert method.options.contrast == 1.2


def test_batch_counters_are_not_averaged(tmp_path: Path, run_script: Run) -> None:
    paths = []
    for seed in (1, 2):
        config = resolve(configure("conv-vae", {"latent": 2, "size": 32}))
        torch.manual_seed(seed)
        method = build(config)
        for name, value in method.state_dict().items():
            if not value.is_floating_point():
                assert name.endswith("num_batches_tracked")
                value.fill_(3 * seed)
        paths.append(tmp_path / f"{seed}.safetensors")
        save_weights(paths[-1], method, config, {})
    run_script("mean_weights", *paths, "--out", tmp_path / "mean.safetensors")
    mean = safetensors.torch.load_file(tmp_path / "mean.safetensors")
    assert {int(value.unique()) for value in mean.values() if not value.is_floating_point()} == {3}
    with pytest.raises(SystemExit, match="conv-vae and portrait: expected two runs of one method"):
        run_script("mean_weights", paths[0], _saved(tmp_path / "p.safetensors", 1), "--out", tmp_path / "x.safetensors")


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Return six pairs in one style, four of them for training."""
    folder = tmp_path / "drawn"
    write_sample(folder, pairs=6, size=32, seed=0)
    with (folder / "pairs.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["stem", "subject", "photo", "sketch", "split", "style"])
        for number, photo in enumerate(sorted((folder / "photos").iterdir())):
            side = "train" if number < 4 else "test"
            table.writerow([photo.stem, photo.stem, f"photos/{photo.name}", f"sketches/{photo.name}", side, "pencil"])
    return folder


def test_contrast_darkens_sketches_and_keeps_weights(tmp_path: Path, drawn: Path, run_script: Run) -> None:
    before = _saved(tmp_path / "before.safetensors", 1, styles="pencil")
    after = tmp_path / "after.safetensors"
    said = run_script("set_contrast", before, "--data", drawn, "--contrast", 1.5, "--out", after)
    ours, theirs = safetensors.torch.load_file(before), safetensors.torch.load_file(after)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    photo = min((drawn / "photos").iterdir())
    pale, dark = (255 - np.asarray(load(path)(photo), dtype=float) for path in (before, after))
    np.testing.assert_allclose(dark, np.minimum(1.5 * pale, 255), atol=1.5)
    assert 0 < dark.mean() < 250, "not all black, where any factor would pass"
    assert [line.split(":")[0] for line in said.splitlines()] == ["pencil train", "pencil test"]
    assert said.splitlines()[1].endswith(" of 2")
