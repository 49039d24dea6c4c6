"""Several processes learn what one process learns from correspondingly larger batches."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from facesketch import train
from facesketch.training.log import read_log
from facesketch.training.trainer import resume

# Noise, pools and batch statistics differ by process, so they are switched off here
WITHOUT_NOISE: dict[str, dict[str, Any]] = {
    "dense-ae": {},
    "pix2pix": {"dropout": 0.0},
    "cyclegan": {"pool": 0},
}

SCRIPT = """
import atexit, json, os, sys
from pathlib import Path
import torch
from facesketch import train
from facesketch.training.trainer import resume

def note():  # registered first, so called last
    joined = torch.distributed.is_initialized()
    Path(sys.argv[1]).with_name("at-exit-" + os.environ["RANK"]).write_text("joined" if joined else "left")

atexit.register(note)
runs = json.loads(Path(sys.argv[1]).read_text())
for name, out, settings in runs:
    train(name, out, **settings)
resume(runs[0][1], epochs=2)
name, out, settings = runs[-1]
settings["pool"] = 2  # each process keeps its own pool
train(name, out + "-whole", **settings | {"epochs": 2})
train(name, out + "-resumed", **settings)
resume(out + "-resumed", epochs=2)
"""


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory, settings: Callable[..., dict[str, Any]]) -> Path:
    """Return a folder with one run per method, each trained by two processes."""
    folder = tmp_path_factory.mktemp("together")
    runs = []
    for name, changes in WITHOUT_NOISE.items():
        small = settings(name, epochs=1, folder=str(settings(name)["folder"]), **changes)
        runs.append([name, str(folder / name), small])
    (folder / "runs.json").write_text(json.dumps(runs))
    (folder / "train.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*command, str(folder / "train.py"), str(folder / "runs.json")], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    (folder / "stderr.txt").write_text(done.stderr)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHOUT_NOISE)
def test_two_processes_equal_one_with_twice_the_batch(
    name: str, together: Path, tmp_path: Path, settings: Callable[..., dict[str, Any]]
) -> None:
    small = settings(name, epochs=1, batch_size=4, **WITHOUT_NOISE[name])
    alone = train(name, tmp_path / "alone", quiet=True, **small)
    if name == "dense-ae":
        resume(alone, quiet=True, epochs=2)
    lines, expected = (read_log(run / "log.jsonl") for run in (together / name, alone))
    assert [line["event"] for line in lines] == [line["event"] for line in expected]
    assert [line.get("step") for line in lines] == [line.get("step") for line in expected]
    for line, other in zip(lines, expected, strict=True):
        for part in ("losses", "train", "validation"):
            assert line.get(part, {}) == pytest.approx(other.get(part, {}), rel=2e-3, abs=2e-4)
    weights, others = (safetensors.torch.load_file(run / "weights.safetensors") for run in (together / name, alone))
    for key in others:
        torch.testing.assert_close(
            weights[key], others[key], rtol=0.0, atol=2e-3
        )  # Adam turns rounding errors into steps


@pytest.mark.slow
def test_each_process_resumes_its_own_pool(together: Path) -> None:
    files = [together / f"cyclegan-{name}" / "weights.safetensors" for name in ("whole", "resumed")]
    weights, expected = (safetensors.torch.load_file(file) for file in files)
    for key in expected:
        assert torch.equal(weights[key], expected[key])


@pytest.mark.slow
def test_a_run_of_two_processes_goes_on_with_one(together: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(together / "dense-ae", tmp_path / "run"))
    resume(run, quiet=True, epochs=3)
    epochs = [(line["epoch"], line["step"]) for line in read_log(run / "log.jsonl") if line["event"] == "epoch"]
    assert epochs == [(1, 2), (2, 4), (3, 8)]


@pytest.mark.slow
def test_only_one_process_writes_and_prints(together: Path) -> None:
    for name in WITHOUT_NOISE:
        steps = [line["step"] for line in read_log(together / name / "log.jsonl") if line["event"] == "step"]
        assert steps == ([1, 2, 3, 4] if name == "dense-ae" else [1, 2])
        assert not [path.name for path in (together / name).iterdir() if path.name.startswith(".")]
    said = (together / "stderr.txt").read_text()
    assert said.count("pix2pix photo2sketch") == 1


@pytest.mark.slow
def test_processes_leave_the_group_before_the_interpreter_exits(together: Path) -> None:
    """A gloo thread that outlives the interpreter ends one run in five with SIGABRT, after everything is written."""
    assert [path.read_text() for path in sorted(together.glob("at-exit-*"))] == ["left", "left"]


@pytest.mark.slow
def test_devices_on_the_command_line_start_the_processes(
    tmp_path: Path, settings: Callable[..., dict[str, Any]]
) -> None:
    small = settings("dense-ae", epochs=1)
    flags = [w for key, value in small.items() if key != "folder" for w in (f"--{key.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "facesketch", "train", "dense-ae", "--data", str(small["folder"]), *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command += ["--out", str(tmp_path / "run"), "--devices", "2", "--strategy", "ddp"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("best at epoch 1") == 1, "only the first process prints"
    alone = train("dense-ae", tmp_path / "alone", quiet=True, **small | {"batch_size": 4})
    files = [each / "weights.safetensors" for each in (tmp_path / "run", alone)]
    weights, expected = map(safetensors.torch.load_file, files)
    for key in expected:
        torch.testing.assert_close(weights[key], expected[key], rtol=0.0, atol=2e-3)
