"""A process that dies by a signal is told of in one line, with what goes on; the processes here really die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from facesketch.config import RunConfig, configure
from facesketch.errors import ResourceError
from facesketch.methods.registry import resolve
from facesketch.training.crashes import crash_of_a_step, steady
from facesketch.training.run_folder import read_split
from facesketch.training.trainer import resume

DIES = """
import os, sys
if sys.argv[0] == "-m" or {everywhere}:
    import torch
    real = torch.nn.functional.conv2d
    def conv2d(x, *args, **options):
        if {when}:
            os.kill(os.getpid(), {number})
        return real(x, *args, **options)
    torch.nn.functional.conv2d = conv2d
    torch.nn.Conv2d._conv_forward = lambda self, x, weight, bias: conv2d(
        x, weight, bias, self.stride, self.padding, self.dilation, self.groups
    )
"""
SMALL = {"size": 32, "batch_size": 3, "epochs": 1, "device": "cpu"}
IN_HALF = 'torch.is_autocast_enabled("cpu")'


@pytest.fixture
def pairs(tmp_path: Path, arrange: Callable[..., Path]) -> Path:
    return arrange(tmp_path / "pairs", train=8, validation=2, test=2)


@pytest.fixture
def dying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what has every new Python process die in its convolutions when a condition holds."""

    def arrange_death(when: str, number: int = signal.SIGFPE, *, everywhere: bool = False) -> None:
        folder = tmp_path / "site"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(DIES.format(when=when, number=int(number), everywhere=everywhere))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))

    return arrange_death


def _config(pairs: Path, **changes: Any) -> RunConfig:
    return resolve(configure("conv-ae", {**SMALL, "folder": pairs, **changes}))


def test_a_step_that_crashes_ends_only_the_process_that_tries_it(pairs: Path, dying: Callable[..., None]) -> None:
    config = _config(pairs)
    dying(f"{IN_HALF} and x.shape[0] == 2")
    assert crash_of_a_step(config, [3], []) is None
    assert crash_of_a_step(config, [3], [2]) == "Floating point exception", "validation has sizes of its own"
    dying(IN_HALF, signal.SIGKILL)
    assert crash_of_a_step(config, [3], []) is None, "nothing crashed: somebody ended it"


def test_auto_continues_in_fp32_and_bf16_is_refused(
    pairs: Path, dying: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dying(f"{IN_HALF} and x.shape[0] == 2")  # of 8 pairs in threes, the last batch alone
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    config = _config(pairs)
    parts = read_split(config)
    assert steady(config, parts, "advice").precision == "fp32"
    assert (
        "crashes on this processor (Floating point exception), so this run computes in fp32" in capsys.readouterr().err
    )
    with pytest.raises(ResourceError, match=r"in bf16 crashes .* \(Floating point exception\); type so$"):
        steady(_config(pairs, precision="bf16"), parts, "type so")
    assert steady(_config(pairs, precision="fp32"), parts, "") == _config(pairs, precision="fp32").train
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert steady(config, parts, "") == config.train, "no other processor is known to crash"


def test_a_training_that_crashes_says_how_to_go_on(pairs: Path, tmp_path: Path, dying: Callable[..., None]) -> None:
    dying(IN_HALF, everywhere=True)
    run = tmp_path / "run"
    words = ["conv-ae", "--data", pairs, "--out", run, "--size", "32", "--epochs", "1", "--device", "cpu"]
    command = [sys.executable, "-m", "facesketch", "train", *map(str, words), "--precision", "bf16", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == -signal.SIGFPE
    advice = f"resume {run} with precision fp32"
    assert done.stderr == f"facesketch: the training crashed in compiled code (Floating point exception); {advice}\n"
    resume(run, precision="fp32", quiet=True)
    assert (run / "weights.safetensors").exists()
    assert 'precision = "fp32"' in (run / "config.toml").read_text()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_worker_that_dies_is_one_line(pairs: Path, tmp_path: Path, dying: Callable[..., None], workers: int) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "if 'train' in sys.orig_argv:\n"
        "    import facesketch.data.datasets as datasets\n"
        "    real = datasets.PairDataset.__getitem__\n"
        "    own = datasets.torch.utils.data.get_worker_info\n"
        "    dies = lambda: own() and own().id == 0 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "    datasets.PairDataset.__getitem__ = lambda self, key: (dies(), real(self, key))[1]\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    run = tmp_path / "run"
    words = ["dense-ae", "--data", pairs, "--out", run, "--size", 32, "--epochs", 1, "--workers", workers]
    command = [sys.executable, "-m", "facesketch", "train", *map(str, words), "--device", "cpu"]
    done = subprocess.run([*command, "--quiet"], capture_output=True, text=True, env=environment, timeout=100)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "a process that prepares batches died" in done.stderr
    assert done.stderr.rstrip().endswith(f"--resume {run} --workers 0")
