"""Resuming a run: one process at a time may use its folder, and its pictures may have moved."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from facesketch import train
from facesketch.config import configure
from facesketch.errors import ConfigError, DataError, OutputError
from facesketch.methods.dense_ae import DenseAE
from facesketch.methods.registry import resolve
from facesketch.study.study import Study, carry_out
from facesketch.training import state, trainer
from facesketch.training.cost import estimate
from facesketch.training.lock import hold
from facesketch.training.log import read_log
from facesketch.training.state import PREVIOUS, STATE
from facesketch.training.trainer import resume

SMALL: dict[str, Any] = {
    **{"size": 32, "batch_size": 4, "hidden": 8, "latent": 4, "samples": 0},
    **{"device": "cpu", "precision": "fp32", "quiet": True},
}
WORDS = ["dense-ae", "--hidden", "8", "--latent", "4", "--size", "32", "--batch-size", "4", "--samples", "0"]


@pytest.fixture
def pairs(tmp_path: Path, arrange: Callable[..., Path]) -> Path:
    return arrange(tmp_path / "pairs")


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _weights(run: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(run / "weights.safetensors")


def test_a_run_folder_in_use_is_refused_and_left_alone(
    pairs: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    run = train("dense-ae", tmp_path / "run", data=pairs, epochs=1, **SMALL)
    with hold(run):
        before = _content(run)
        told = f"{run}: process {os.getpid()} on "
        assert refused("train", "--resume", run, "--epochs", "2").startswith(told)
        assert refused("train", "--resume", run).startswith(told)
        assert refused("train", *WORDS, "--data", pairs, "--out", run).startswith(told)
        assert _content(run) == before
    assert ".lock" not in {path.name for path in run.iterdir()}


def test_a_killed_training_can_be_resumed_at_once(
    pairs: Path, tmp_path: Path, command: Callable[..., Any], refused: Callable[..., str]
) -> None:
    run = tmp_path / "run"
    words = [*WORDS, "--epochs", "100000", "--checkpoint-seconds", "0", "--device", "cpu", "--precision", "fp32"]
    process = subprocess.Popen(
        [sys.executable, "-m", "facesketch", "train", *words, "--data", str(pairs), "--out", str(run), "--quiet"]
    )
    try:
        deadline = time.monotonic() + 120
        while not (run / STATE).exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert "is writing into this folder" in refused("train", "--resume", run, "--epochs", "200000")
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    kept = state.load_state(run)
    assert kept is not None
    done = int(kept["position"]["step"])
    answer = command("train", "--resume", run, "--steps", str(done + 2), "--quiet")
    assert (answer.code, answer.err) == (0, "")


def test_a_study_s_folder_is_one_process_s_at_a_time(pairs: Path, tmp_path: Path) -> None:
    study = Study.begin(pairs, tmp_path / "study", "quick", only=["pencil"], metrics=["psnr"])
    cells = carry_out(study, quiet=True)
    next(cells)
    with pytest.raises(OutputError, match=f"process {os.getpid()} on .* is writing into this folder"):
        Study.begin(pairs, tmp_path / "study", "quick", only=["pencil"], metrics=["psnr"])
    with pytest.raises(OutputError, match="is writing into this folder"):
        next(carry_out(study, quiet=True))
    list(cells)
    Study.begin(pairs, tmp_path / "study", "quick", only=["pencil"], metrics=["psnr"])


def test_ranks_of_one_training_share_its_folder(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with hold(tmp_path / "run"):
        train("dense-ae", tmp_path / "run", data=pairs, epochs=1, **SMALL)


def _stopped(run: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin a run of two epochs and cut it off after the first."""
    real = state.keep

    def keep(training: Any) -> None:
        real(training)
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "keep", keep)
    with pytest.raises(KeyboardInterrupt):
        train("dense-ae", run, data=pairs, epochs=2, checkpoint_seconds=0, **SMALL)
    monkeypatch.undo()


def test_pictures_that_moved_are_found_again_and_nothing_else_changes(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    whole = train("dense-ae", tmp_path / "whole", data=pairs, epochs=2, **SMALL)
    run, moved = tmp_path / "run", tmp_path / "elsewhere"
    _stopped(run, pairs, monkeypatch)
    pairs.rename(moved)
    before = _content(run)
    line = refused("train", "--resume", run)
    assert line.endswith("if the pictures have moved, say where they are now with --data")
    other = shutil.copytree(moved, tmp_path / "other")
    picture = next((other / "photos").glob("train-*"))
    shutil.copyfile(next((other / "photos").glob("validation-*")), picture)
    line = refused("train", "--resume", run, "--data", other)
    assert line.startswith(f"{other}: the pictures or their split have changed since {run} began; ")
    assert "--data" in line
    assert _content(run) == before
    resume(run, data=moved, quiet=True)
    assert all(torch.equal(_weights(run)[name], tensor) for name, tensor in _weights(whole).items())
    assert f'folder = "{moved}"' in (run / "config.toml").read_text()
    assert resume(run, quiet=True, epochs=3) == run, "the new place is kept"


def test_other_pictures_are_refused_in_a_finished_run_too(pairs: Path, tmp_path: Path) -> None:
    run = train("dense-ae", tmp_path / "run", data=pairs, epochs=1, **SMALL)
    before = json.loads((run / "environment.json").read_text())
    picture = next((pairs / "photos").glob("train-*"))
    picture.write_bytes(picture.read_bytes() + b"\0")
    with pytest.raises(DataError, match="have changed since"):
        resume(run, data=pairs, quiet=True)
    assert json.loads((run / "environment.json").read_text()) == before


def test_a_finished_run_keeps_one_state_and_can_be_made_longer_bit_for_bit(pairs: Path, tmp_path: Path) -> None:
    whole = train("dense-ae", tmp_path / "whole", data=pairs, epochs=4, checkpoint_seconds=0, **SMALL)
    run = train("dense-ae", tmp_path / "run", data=pairs, epochs=2, checkpoint_seconds=0, **SMALL)
    assert (run / STATE).exists()
    assert not (run / PREVIOUS).exists()
    resume(run, epochs=4, quiet=True)
    assert all(torch.equal(_weights(run)[name], tensor) for name, tensor in _weights(whole).items())


def test_epochs_are_counted_on_from_where_steps_ended(pairs: Path, tmp_path: Path) -> None:
    run = train("dense-ae", tmp_path / "run", data=pairs, steps=3, **SMALL)  # in the second epoch, of two steps each
    for epochs, steps in ((2, 3), (3, 5), (4, 7)):
        resume(run, epochs=epochs, quiet=True)
        done = [line for line in read_log(run / "log.jsonl") if line["event"] == "epoch"]
        assert [(line["epoch"], line["step"]) for line in done][-1] == (epochs, steps)


def test_a_method_s_own_learning_rates_are_scheduled(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[float]] = []
    real = trainer.optimise

    def optimise(training: Any, group: Any) -> Any:
        found = real(training, group)
        seen.append([part["lr"] for each in training.optimisers.values() for part in each.param_groups])
        return found

    def optimisers(method: DenseAE, rate: float) -> dict[str, torch.optim.Optimizer]:
        fast, *others = method.parameters()
        return {"autoencoder": torch.optim.Adam([{"params": [fast], "lr": 4 * rate}, {"params": others}], rate)}

    monkeypatch.setattr(trainer, "optimise", optimise)
    monkeypatch.setattr(DenseAE, "optimisers", optimisers)
    run = train("dense-ae", tmp_path / "run", data=pairs, steps=1, learning_rate=0.01, **SMALL)
    resume(run, steps=2, quiet=True)
    assert seen == [[0.04, 0.01], [0.04, 0.01]]


def test_a_setting_that_a_run_cannot_change_leaves_it_alone(pairs: Path, tmp_path: Path) -> None:
    run = train("dense-ae", tmp_path / "run", data=pairs, steps=2, **SMALL)
    before = (run / "config.toml").read_bytes()
    for changed in ({"size": 64}, {"seed": 5}, {"folder": "elsewhere"}):
        with pytest.raises(ConfigError, match=f"cannot change: '{next(iter(changed))}'"):
            resume(run, quiet=True, **changed)
    assert (run / "config.toml").read_bytes() == before


def test_a_resumed_run_takes_as_many_threads_as_before(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    try:
        run = train("dense-ae", tmp_path / "run", data=pairs, epochs=1, threads=1, **SMALL)
        assert torch.get_num_threads() == 1
        settings = (run / "config.toml").read_text()
        (run / "config.toml").write_text(settings.replace("threads = 1\n", ""))
        monkeypatch.delenv("OMP_NUM_THREADS")
        monkeypatch.setattr("facesketch.training.distributed.free_threads", lambda: 2)
        resume(run, epochs=2, quiet=True)
        assert torch.get_num_threads() == 1
        resume(run, epochs=3, threads=3, quiet=True)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("name", "options"), [("dense-ae", {"hidden": 256, "average": 0.9}), ("pix2pix", {"width": 16}), ("lle", {})]
)
def test_the_disk_space_a_run_takes_is_reported_beforehand(
    name: str, options: dict[str, Any], pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"size": 64, "batch_size": 4, "samples": 0, "device": "cpu", "precision": "fp32", **options}
    cost = estimate(resolve(configure(name, settings)), half=False, pairs=8)
    most, real = 0, state.keep

    def keep(training: Any) -> None:
        nonlocal most
        real(training)
        most = max(most, sum(map(len, _content(tmp_path / "run").values())))

    monkeypatch.setattr(trainer, "keep", keep)
    run = train(name, tmp_path / "run", data=pairs, steps=4, checkpoint_seconds=0, quiet=True, **settings)
    assert sum(map(len, _content(run).values())) == pytest.approx(cost.kept, rel=0.1)
    assert most == pytest.approx(cost.room, rel=0.1)


def test_a_disk_that_is_too_small_is_reported_beforehand(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    line = refused("train", "dense-ae", "--size", "64", "--data", pairs, "--out", tmp_path / "run", "--device", "cpu")
    assert "MB on the disk, and 1.0 MB are free; free some space or give another --out" in line
    assert not (tmp_path / "run").exists()


def test_a_log_that_is_no_terminal_gets_a_line_an_epoch(
    pairs: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    words = ["--data", pairs, "--out", tmp_path / "run", "--epochs", "3", "--device", "cpu", "--precision", "fp32"]
    said = command("train", *WORDS, *words).err
    lines = [line for line in said.splitlines() if line.startswith("epoch ")]
    assert [line.partition(":")[0] for line in lines] == [f"epoch {n}, step {2 * n} of 6" for n in (1, 2, 3)]
    assert all("autoencoder 0." in line and "; validation ssim " in line and ", mae 0." in line for line in lines)
    assert "(best so far)" in lines[0]
    assert [line.rpartition("; ")[2] for line in lines][:1] != ["done"]
    assert lines[0].endswith(" left")
    assert lines[2].endswith("; done")
    assert "generator" not in said
    assert "of disk space" in said


def test_a_signal_between_epochs_leaves_no_lock(pairs: Path, tmp_path: Path) -> None:
    words = [*WORDS, "--epochs", "100000", "--device", "cpu", "--checkpoint-seconds", "0"]
    command = [sys.executable, "-m", "facesketch", "train", *words, "--data", pairs, "--out", tmp_path / "run"]
    process = subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 2,"):
            process.send_signal(signal.SIGTERM)
            break
    process.stderr.read()
    process.stderr.close()
    assert process.wait() == 143
    assert {path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".")} == set()


def test_pictures_that_two_sides_share_are_warned_of(pairs: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    words = ["--epochs", "1", "--device", "cpu", "--precision", "fp32", "--data", pairs]
    assert "warning" not in command("train", *WORDS, *words, "--out", tmp_path / "before").err
    tested, seen = (sorted((pairs / "photos").glob(f"{side}-*"))[0] for side in ("test", "train"))
    shutil.copyfile(seen, tested)
    assert "warning: the test set is not independent" in command("train", *WORDS, *words, "--out", tmp_path / "run").err
    asked = ["evaluate", tmp_path / "run", "--data", pairs, "--metrics", "psnr"]
    assert "warning: the test set is not independent" in command(*asked).out
    assert "not independent" not in command(*asked, "--split", "train").out
