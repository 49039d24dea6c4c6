"""A resumed run gives exactly the weights of the uninterrupted run."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from facesketch import train
from facesketch.cli.main import main
from facesketch.training import state, trainer
from facesketch.training.log import read_log
from facesketch.training.state import Training

EPOCHS = 3


class PowerCut(Exception):  # noqa: N818 - not an error
    """The process stops here."""


def _same_run(run: Path, whole: Path) -> None:
    for name in ("weights.safetensors", "best.safetensors", "config.toml"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    lines, expected = read_log(run / "log.jsonl"), read_log(whole / "log.jsonl")
    for line in [*lines, *expected]:
        line.pop("seconds", None)
    assert lines == expected
    pages, others = ({path.name: path.read_bytes() for path in (each / "samples").iterdir()} for each in (run, whole))
    assert pages == others
    assert not list(run.glob(".*")), "a half-written file is left"


@pytest.mark.usefixtures("no_estimate")
def test_run_resumes_from_every_kind_of_stop(
    learned: str,
    tmp_path: Path,
    trained: Callable[..., Path],
    settings: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = trained(learned, steps=None, epochs=EPOCHS, accumulate=1, checkpoint_seconds=0.0)
    steps = sum(line["event"] == "step" for line in read_log(whole / "log.jsonl")) // EPOCHS
    places = {
        "after the first step": (1, "after"),
        "after the last step of an epoch": (steps, "after"),
        "before the state at the end of an epoch": (steps + 1, "before"),
        "after an epoch": (1, "after"),
        "in mid-epoch, the last step lost": (3, "before"),
        "before the state at the end of the training": (None, "before"),
    }
    real = state.keep
    run = tmp_path / "run"
    for number, (at, when) in enumerate(places.values()):
        calls = iter(range(1, 1000))

        def keep(training: Training, at: int | None = at, when: str = when, calls: Any = calls) -> None:
            last = training.position.batches_done == 0 and training.position.step == training.total_steps
            here = last if at is None else next(calls) == at
            if here and when == "before":
                raise PowerCut
            real(training)
            if here:
                raise PowerCut

        monkeypatch.setattr(trainer, "keep", keep)
        start = partial(train, learned, **settings(learned, epochs=EPOCHS, checkpoint_seconds=0.0))
        with pytest.raises(PowerCut):
            trainer.resume(run, quiet=True) if number else start(run, quiet=True)
    monkeypatch.setattr(trainer, "keep", real)
    trainer.resume(run, quiet=True)
    _same_run(run, whole)


def _flags(small: dict[str, Any]) -> list[str]:
    given = {("data" if key == "folder" else key): value for key, value in small.items()}
    return [word for key, value in given.items() for word in (f"--{key.replace('_', '-')}", str(value))]


def _kill(process: BaseProcess | subprocess.Popen[bytes], state: Path, after: int, delay: float) -> None:
    """Send SIGKILL shortly after the state on the disk has been replaced `after` times."""
    seen: set[int] = set()
    until = time.monotonic() + 120
    while len(seen) < after and time.monotonic() < until:
        with suppress(FileNotFoundError):  # absent, or about to be renamed
            seen.add(state.stat().st_mtime_ns)
        time.sleep(0.0005)
    time.sleep(delay)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(
    "learned", ["dense-ae", "cyclegan", "lle"]
)  # plain, with a state of its own, without gradients
def test_killed_at_random_moments(
    learned: str, tmp_path: Path, trained: Callable[..., Path], settings: Callable[..., dict[str, Any]]
) -> None:
    small = settings(learned, epochs=6, checkpoint_seconds=0.0)
    whole = trained(learned, steps=None, epochs=6, checkpoint_seconds=0.0)
    processes = multiprocessing.get_context("forkserver")  # imports torch only once
    processes.set_forkserver_preload(["facesketch.training.trainer", "facesketch.cli.main"])
    chance, run = random.Random(learned), tmp_path / "run"
    words = ["train", learned, "--out", str(run), "--quiet", *_flags(small)]
    for _ in range(3 if learned == "cyclegan" else 2):
        process = processes.Process(target=main, args=(words,))
        process.start()
        _kill(process, run / "state.ckpt", chance.randint(2, 7), chance.uniform(0.0, 0.03))
        process.join()
        assert process.exitcode == -signal.SIGKILL, "the run ended before it could be killed"
        words = ["train", "--resume", str(run), "--quiet"]
    process = processes.Process(target=main, args=(words,))
    process.start()
    process.join()
    assert process.exitcode == 0
    _same_run(run, whole)


@pytest.mark.slow
def test_killed_command_resumes(
    tmp_path: Path, trained: Callable[..., Path], settings: Callable[..., dict[str, Any]]
) -> None:
    whole = trained("dense-ae", steps=None, epochs=6, checkpoint_seconds=0.0)
    run, command = tmp_path / "run", [sys.executable, "-m", "facesketch", "train"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    words = ["dense-ae", "--out", str(run), *_flags(settings("dense-ae", epochs=6, checkpoint_seconds=0.0))]
    with subprocess.Popen([*command, *words], stderr=subprocess.DEVNULL, env=environment) as process:
        _kill(process, run / "state.ckpt", 9, 0.01)
    assert process.returncode == -signal.SIGKILL
    subprocess.run([*command, "--resume", str(run)], check=True, capture_output=True, env=environment)
    _same_run(run, whole)
