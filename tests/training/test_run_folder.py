"""What a run folder says about where it came from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from facesketch.config import DataConfig, MethodConfig, RunConfig, configure
from facesketch.data.index import index
from facesketch.data.split import split
from facesketch.errors import ConfigError, DataError
from facesketch.training.log import Log
from facesketch.training.run_folder import (
    begin,
    describe,
    fingerprint,
    finished,
    read_split,
    record,
    reopen,
    summary,
    write_config,
)


def _config(folder: Path | None, method: str = "dense-ae") -> RunConfig:
    return RunConfig(method=MethodConfig(name=method), data=DataConfig(folder=folder))


def test_a_fingerprint_is_that_of_names_and_bytes(arrange: Callable[..., Path], tmp_path: Path) -> None:
    first, second = (index(arrange(tmp_path / name)).pairs for name in ("one", "two"))
    assert fingerprint(first) == fingerprint(second)
    assert fingerprint(first) != fingerprint(first[:-1])
    path = second[3].sketch.path
    path.write_bytes(path.read_bytes() + b"\0")
    assert fingerprint(first) != fingerprint(second)


def test_an_environment_tells_versions_machine_and_data(arrange: Callable[..., Path], tmp_path: Path) -> None:
    parts = split(index(arrange(tmp_path / "pairs")).pairs)
    told = describe(parts, "cpu", "32-true")
    assert told["packages"]["torch"] == torch.__version__
    assert told["packages"]["facesketch"]
    assert told["split"] == {side: parts.hash(side) for side in ("train", "validation", "test")}
    assert (told["device"], told["precision"]) == ("cpu", "32-true")
    json.dumps(told)


def test_an_environment_is_written_once_and_then_compared(arrange: Callable[..., Path], tmp_path: Path) -> None:
    folder, out = arrange(tmp_path / "pairs"), tmp_path / "run"
    told = describe(split(index(folder).pairs), "cpu", "32-true")
    record(out, _config(folder), told)
    before = (out / "environment.json").read_bytes()
    record(out, _config(folder), {**told, "device": "another machine", "packages": {}})
    assert (out / "environment.json").read_bytes() == before
    for change in ({"data": "0" * 64}, {"split": {**told["split"], "test": "0" * 64}}):
        with pytest.raises(
            DataError,
            match=f"^{folder}: .* changed since {out} began; .* with `data`, or train again with another `out`",
        ):
            record(out, _config(folder), {**told, **change})


def test_a_new_run_is_checked_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "run"
    config = begin(_config(tmp_path / "somewhere" / ".." / "pairs"), out)
    assert config.data.folder == (tmp_path / "pairs").resolve(), "a run is resumed from anywhere"
    assert config.train.epochs == 500
    with pytest.raises(ConfigError, match="give their folder with `data`"):
        begin(_config(None), out)
    with pytest.raises(ConfigError, match="pencil needs no training"):
        begin(_config(tmp_path, "pencil"), out)
    assert not out.exists()


def test_settings_come_back_as_they_were(tmp_path: Path) -> None:
    config = begin(_config(tmp_path / 'a "strange"\nname'), tmp_path / "run")
    write_config(config, tmp_path / "run")
    assert reopen(tmp_path / "run") == config


def test_a_folder_without_training_pairs_is_refused(arrange: Callable[..., Path], tmp_path: Path) -> None:
    folder = arrange(tmp_path / "pairs", train=0, validation=0, test=6)
    with pytest.raises(DataError, match="no training pairs; type: facesketch data check"):
        read_split(_config(folder))


def test_a_limit_takes_pairs_evenly_and_leaves_the_other_sides_whole(
    arrange: Callable[..., Path], tmp_path: Path
) -> None:
    folder = arrange(tmp_path / "pairs")  # 8, 2 and 2
    whole, some = (read_split(configure("dense-ae", {"folder": folder, "limit": limit})) for limit in (0, 3))
    assert some.train == tuple(whole.train[place] for place in (0, 2, 5))
    assert (some.validation, some.test) == (whole.validation, whole.test)


def test_a_run_is_finished_when_its_log_says_so_and_it_has_weights(faces: Path, tmp_path: Path) -> None:
    write_config(configure("dense-ae", {"folder": faces, "epochs": 1}), tmp_path)
    log = Log(tmp_path / "log.jsonl", 1)
    log.event("epoch", step=1, epoch=1, best=True, why="first")
    assert not finished(tmp_path)
    log.event("end", step=1, epoch=1)
    assert not finished(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(b"")
    assert finished(tmp_path)
    for longer in ({"epochs": 2}, {"steps": 2}):  # as after a longer training that stopped before its first step
        write_config(configure("dense-ae", {"folder": faces} | longer), tmp_path)
        assert not finished(tmp_path)


def test_the_summary_names_the_best_epoch(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", 3)
    for epoch, best in ((1, True), (2, True), (3, False)):
        log.event("epoch", step=epoch, epoch=epoch, best=best, why=f"because {epoch}")
    line = summary(tmp_path)
    assert line == f"{tmp_path}: best at epoch 2 of 3 (because 2)"
    log.rewind(0, 0)
    log.event("epoch", step=1, epoch=1, best=False, why="no validation pairs")
    assert summary(tmp_path).endswith(": no validation")
