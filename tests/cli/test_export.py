"""`facesketch export`: what it says, what it refuses, and that its file translates."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facesketch import load, train

SMALL: dict[str, Any] = {"size": 32, "batch_size": 4, "hidden": 8, "latent": 4, "device": "cpu", "quiet": True}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, arrange: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("cli-export")
    return train("dense-ae", folder / "run", data=arrange(folder / "pairs"), steps=1, **SMALL)


def test_a_run_becomes_a_file_that_translates(run: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    model, out = tmp_path / "model.onnx", tmp_path / "sketch.png"
    answer = command("export", run, "--out", model, "--precision", "fp16")
    assert (answer.code, answer.err) == (0, "")
    made, agrees = answer.out.splitlines()
    assert re.fullmatch(rf"{re.escape(str(model))}: photo2sketch, fp16, \d+\.\d\d MB", made)
    found = re.fullmatch(
        r"difference from PyTorch: largest (\d+\.\d{4})/255, mean (\d+\.\d{4})/255, "
        r"over 3 batches of training pictures up to 32 pixels",
        agrees,
    )
    assert found is not None, agrees
    assert 0.0 < float(found[2]) < float(found[1]) < 2.0
    picture = tmp_path / "me.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8)).save(picture)
    assert command("translate", picture, "--model", model, "--out", out, "--quiet").code == 0
    with Image.open(out) as result:
        assert np.array_equal(np.asarray(result), np.asarray(load(model)(picture)))


def test_mistakes_are_one_line(run: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    out = ["--out", tmp_path / "model.onnx"]
    assert "fp16" in refused("export", run, *out, "--precision", "half")
    assert "no such model file; give a run folder" in refused("export", tmp_path / "none", *out)
    assert "is not trained, so there is nothing to export" in refused("export", "pencil", *out)
    assert "expected a name that ends in .onnx" in refused("export", run, "--out", tmp_path / "model")
    assert refused("export", run, "--out", ".") == ".: is a folder; give the name of a file in it"
    assert "not sketch2photo" in refused("export", run, *out, "--direction", "sketch2photo")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_nothing_but_the_result_is_said(run: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "facesketch", "export", str(run), "--out", str(tmp_path / "m.onnx")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 2)
