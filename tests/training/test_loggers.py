"""`--log`: TensorBoard, Weights & Biases and CSV get the numbers of the run's own log, also when a run is resumed."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from facesketch import train
from facesketch.errors import MissingExtraError, ResourceError
from facesketch.training import state, trainer
from facesketch.training.log import read_log
from facesketch.training.trainer import resume

SMALL: dict[str, Any] = {
    **{"size": 32, "batch_size": 4, "hidden": 8, "latent": 4, "samples": 1, "sample_every": 1},
    **{"device": "cpu", "precision": "fp32", "checkpoint_seconds": 0.0, "quiet": True},
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, arrange: Callable[..., Path]) -> Path:
    return arrange(tmp_path_factory.mktemp("loggers") / "pairs")


class PowerCut(Exception):  # noqa: N818 - not an error
    """The process stops here."""


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return what makes a training stop before it writes its nth state, or, for 0, go on."""
    real = state.keep

    def at(number: int) -> None:
        calls = iter(range(1, 1000))

        def keep(training: state.Training) -> None:
            if next(calls) == number:
                raise PowerCut
            real(training)

        monkeypatch.setattr(trainer, "keep", keep)

    return at


def _rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _expected(run: Path) -> list[tuple[int, dict[str, float]]]:
    """Return what the run's own log says, as loggers are told it."""
    told: list[tuple[int, dict[str, float]]] = []
    for line in read_log(run / "log.jsonl"):
        if line["event"] == "step":
            told.append((line["step"], {f"train/{name}": value for name, value in line["losses"].items()}))
        elif line["event"] == "epoch":
            figures = {f"validation/{name}": value for name, value in line["validation"].items()}
            told.append((line["step"], {"epoch": line["epoch"], **figures}))
    return told


@pytest.mark.parametrize("number", [4, 6])  # in mid-epoch, and between an epoch's line and its state
def test_csv_holds_the_log_once_after_a_crash(
    number: int, pairs: Path, tmp_path: Path, cut: Callable[[int], None]
) -> None:
    cut(number)
    with pytest.raises(PowerCut):
        train("dense-ae", tmp_path / "run", data=pairs, epochs=3, log=["csv"], **SMALL)
    with (tmp_path / "run" / "metrics.csv").open("a") as file:
        file.write("7,0.1")  # what a killed process leaves
    cut(0)
    run = resume(tmp_path / "run", quiet=True)
    rows = [(int(row.pop("step")), {name: float(value) for name, value in row.items() if value}) for row in _rows(run)]
    assert rows == _expected(run)
    assert len(rows) == 3 * (2 + 1)


def test_tensorboard_shows_scalars_and_sheets_once_after_a_crash(
    pairs: Path, tmp_path: Path, cut: Callable[[int], None]
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    cut(6)
    with pytest.raises(PowerCut):
        train("dense-ae", tmp_path / "run", data=pairs, epochs=3, log=["tensorboard"], **SMALL)
    cut(0)
    run = resume(tmp_path / "run", quiet=True)
    seen = EventAccumulator(str(run / "tensorboard"))
    seen.Reload()
    by_name: dict[str, dict[int, float]] = {}
    for step, values in _expected(run):
        for name, value in values.items():
            by_name.setdefault(name, {})[step] = value
    assert set(seen.Tags()["scalars"]) == set(by_name)
    for name, at in by_name.items():
        assert {each.step: each.value for each in seen.Scalars(name)} == pytest.approx(at)
    losses = [each.step for each in seen.Scalars("train/autoencoder")]
    assert losses == [1, 2, 3, 4, 5, 6], "each step once"
    sheets = seen.Images("samples")
    assert {each.step for each in sheets} == {2, 4, 6}
    assert sheets[0].encoded_image_string.startswith(b"\x89PNG")


def _records(path: Path) -> Iterator[Any]:
    """Yield the records of a `.wandb` file: LevelDB's log format behind seven bytes."""
    records: Any = import_module("wandb.proto.wandb_internal_pb2")
    content, place, waiting = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        waiting += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in {1, 4}:  # whole, or the last part
            yield records.Record.FromString(waiting)
            waiting = b""


@pytest.mark.slow
def test_weights_and_biases_goes_on_with_the_same_run(pairs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)}

    def facesketch(*words: object) -> None:
        command = [sys.executable, "-W", "error", "-m", "facesketch", "train", *map(str, words), "--quiet"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    flags = ["--size", 32, "--batch-size", 4, "--hidden", 8, "--samples", 1, "--sample-every", 1]
    facesketch("dense-ae", "--data", pairs, "--out", run, "--epochs", 1, "--log", "wandb", *flags)
    facesketch("--resume", run, "--epochs", 2)
    files = sorted((run / "wandb").glob("offline-run-*/*.wandb"))
    assert len(files) == 2
    assert len({path.parent.name.rpartition("-")[2] for path in files}) == 1, "one run"
    told = []
    for record in (record for path in files for record in _records(path)):
        if record.WhichOneof("record_type") == "history":
            row = {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
            values = {name: float(row[name]) for name in row if name == "epoch" or "/" in name}
            if values:
                told.append((int(row["step"]), values))
    assert told == _expected(run)
    assert len(list((run / "wandb").rglob("samples_*.png"))) == 2


def test_weights_and_biases_without_an_account_is_one_line(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(ResourceError, match=r"`log` wandb: .*WANDB_MODE=offline"):
        train("dense-ae", tmp_path / "run", data=pairs, steps=1, log=["wandb"], **SMALL)


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_extra_is_reported_before_anything_is_written(
    name: str, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"`log` {name} needs {name}.*pip install 'facesketch\[{name}\]'"):
        train("dense-ae", tmp_path / "run", data=pairs, steps=1, log=[name], **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_fails_closes_what_it_opened(pairs: Path, tmp_path: Path, cut: Callable[[int], None]) -> None:
    cut(1)
    with pytest.raises(PowerCut):
        train("dense-ae", tmp_path / "run", data=pairs, steps=2, log=["tensorboard", "csv"], **SMALL)
    assert [row["step"] for row in _rows(tmp_path / "run")] == ["1"]
