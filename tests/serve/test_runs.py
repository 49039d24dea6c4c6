"""Trainings, watched from their folders."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.serve.conftest import Ask, grey, problem

from facesketch.config import DataConfig, MethodConfig, RunConfig, TrainConfig, to_toml
from facesketch.serve.runs import CONFIG, LOG, SAMPLES, Shelf, thinned
from facesketch.training import logs
from facesketch.training import run as training_run


def write_run(folder: Path, lines: list[dict[str, object]], **train: object) -> Path:
    folder.mkdir(parents=True)
    config = RunConfig(
        method=MethodConfig(name="pix2pix", width=8, encoder_weights="/secret/vgg16.safetensors"),
        data=DataConfig(folder=Path("/secret/place/faces")),
        train=TrainConfig(start_from=Path("/secret/other/weights.safetensors"), **train),
    )
    (folder / CONFIG).write_text(to_toml(config))
    (folder / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def _steps(count: int, first: int = 1) -> list[dict[str, object]]:
    return [
        {"event": "step", "step": step, "epoch": 0, "losses": {"generator": 1 / step, "odd": math.nan}}
        for step in range(first, first + count)
    ]


def _epoch(number: int, step: int, seconds: float = 1.0) -> dict[str, object]:
    return {"event": "epoch", "epoch": number, "step": step, "validation": {"ssim": number / 10}, "seconds": seconds}


def test_names_are_those_of_the_training() -> None:
    assert (CONFIG, LOG, SAMPLES) == (training_run.CONFIG, training_run.LOG, training_run.SAMPLES)


def test_trainings_are_listed_with_how_far_they_are(serve: Ask, tmp_path: Path) -> None:
    write_run(tmp_path / "done", [*_steps(4), _epoch(1, 4), {"event": "end", "step": 4, "epoch": 1}], steps=4)
    write_run(tmp_path / "study" / "cells" / "first", [*_steps(10), _epoch(1, 10), *_steps(2, 11)], epochs=5)
    old = write_run(tmp_path / "cut-off", _steps(3), steps=9)
    write_run(tmp_path / "new", [], epochs=5)
    os.utime(old / LOG, (1, 1))
    (tmp_path / "not-a-run").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / CONFIG).write_text("not = [toml")
    listed = {each["id"]: each for each in serve(runs=tmp_path).get("/v1/runs").json()}
    shown = {
        name: [each[key] for key in ("method", "direction", "state", "step", "steps", "epoch")]
        for name, each in listed.items()
    }
    assert shown == {
        "done": ["pix2pix", "photo2sketch", "ended", 4, 4, 1],
        "study~cells~first": ["pix2pix", "photo2sketch", "running", 12, 50, 0],
        "cut-off": ["pix2pix", "photo2sketch", "stopped", 3, 9, 0],
        "new": ["pix2pix", "photo2sketch", "waiting", 0, None, 0],
    }
    assert list(listed)[-1] == "cut-off", "the one that wrote last comes first"


def test_a_training_shows_its_settings_curves_and_samples(serve: Ask, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one", [*_steps(900), _epoch(1, 450), _epoch(2, 900)], epochs=2)
    for epoch in (1, 2):
        (folder / SAMPLES).mkdir(exist_ok=True)
        (folder / SAMPLES / f"epoch-{epoch:04d}.png").write_bytes(grey(epoch))
    (folder / SAMPLES / "epoch-x.png").write_bytes(b"")
    client = serve(runs=tmp_path)
    told = client.get("/v1/runs/one").json()
    assert told["config"]["method"] == {"name": "pix2pix", "width": 8, "encoder_weights": "vgg16.safetensors"}
    assert "secret" not in json.dumps(told), "where things lie is nobody's business"
    points = told["losses"]["generator"]
    assert len(points) == 300
    assert (points[0], points[-1]) == ([1, 1.0], [900, pytest.approx(1 / 900)])
    assert "odd" not in told["losses"], "what is not a number cannot be drawn"
    assert told["validation"] == {"ssim": [[450, 0.1], [900, 0.2]]}
    assert told["samples"] == [1, 2]
    sample = client.get("/v1/runs/one/samples/2")
    assert (sample.content, sample.headers["content-type"]) == (grey(2), "image/png")


def test_what_is_not_listed_is_not_there(serve: Ask, tmp_path: Path) -> None:
    inside, outside = tmp_path / "runs", write_run(tmp_path / "outside", _steps(3))
    folder = write_run(inside / "one", _steps(3))
    (inside / "link").symlink_to(outside)
    (folder / SAMPLES).mkdir()
    (folder / SAMPLES / "epoch-0001.png").symlink_to(outside / CONFIG)
    client = serve(runs=inside)
    assert [each["id"] for each in client.get("/v1/runs").json()] == ["one"]
    for path in ("two", "link", "..~outside", "one~..~..~outside", "one/samples/1", "one/samples/7", "two/samples/1"):
        assert problem(client.get(f"/v1/runs/{path}"), 404) == "There is no such training."
    problem(client.get("/v1/runs/one/samples/-1"), 422)


def test_a_log_that_is_being_written_is_read_up_to_there(serve: Ask, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "one", _steps(3))
    with (folder / LOG).open("a") as file:
        file.write('{"event": "step", "st')
    assert serve(runs=tmp_path).get("/v1/runs/one").json()["step"] == 3


def test_a_long_epoch_is_not_taken_for_a_stop(serve: Ask, tmp_path: Path) -> None:
    for name, seconds in (("slow", 3000.0), ("quick", 3.0)):
        folder = write_run(tmp_path / name, [*_steps(3), _epoch(1, 3, seconds)])
        os.utime(folder / LOG, (time.time() - 3600,) * 2)
    assert {each["id"]: each["state"] for each in serve(runs=tmp_path).get("/v1/runs").json()} == {
        "slow": "running",
        "quick": "stopped",
    }


def test_a_server_without_trainings_says_so(serve: Ask) -> None:
    client = serve()
    for path in ("/v1/runs", "/v1/runs/one", "/v1/runs/one/samples/1"):
        assert problem(client.get(path), 404) == "This server shows no trainings."
    assert client.get("/v1/health").json()["runs"] is False


def test_a_folder_that_is_not_there(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "no such folder" in refused("serve", "--runs", tmp_path / "nowhere")


def test_thinning_keeps_both_ends_and_the_order() -> None:
    points = [(step, float(step)) for step in range(1, 1001)]
    thin = thinned(points, 7)
    assert (len(thin), thin[0], thin[-1]) == (7, points[0], points[-1])
    assert thin == sorted(thin)
    assert thinned(points[:7], 7) == points[:7]


def test_a_log_is_read_again_only_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_run(tmp_path / "one", _steps(3))
    write_run(tmp_path / "two", _steps(3))
    shelf, read = Shelf(tmp_path), []
    lines = logs.log_lines
    monkeypatch.setattr(logs, "log_lines", lambda path: read.append(path.parent.name) or lines(path))
    assert [run.step for run in shelf.runs() + shelf.runs()] == [3] * 4
    assert sorted(read) == ["one", "two"]
    with (folder / LOG).open("a") as file:
        file.write(json.dumps(_steps(1, 4)[0]) + "\n")
    assert {run.id: run.step for run in shelf.runs()} == {"one": 4, "two": 3}
    assert sorted(read) == ["one", "one", "two"]
