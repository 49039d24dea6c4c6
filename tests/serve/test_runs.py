"""Trainings, watched from their folders."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.serve.conftest import Ask, grey, problem

from facesketch.config import DataConfig, MethodConfig, RunConfig, TrainConfig, to_toml
from facesketch.serve.reading import Root
from facesketch.serve.runs import CONFIG, SAMPLES, RunStore, thinned
from facesketch.serve.schemas import Run
from facesketch.training import log, run_folder
from facesketch.training import log as logs
from facesketch.training.lock import LOCK, hold
from facesketch.training.log import LOG


def write_run(folder: Path, lines: list[dict[str, object]], **train: object) -> Path:
    folder.mkdir(parents=True)
    config = RunConfig(
        method=MethodConfig.model_validate(
            {"name": "pix2pix", "width": 8, "encoder_weights": "/secret/vgg16.safetensors"}
        ),
        data=DataConfig(folder=Path("/secret/place/faces")),
        train=TrainConfig(start_from=Path("/secret/other/weights.safetensors"), **train),
    )
    (folder / CONFIG).write_text(to_toml(config))
    (folder / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


_HOLD = """
import sys
from pathlib import Path
from facesketch.training.lock import hold
with hold(Path(sys.argv[1])):
    print(flush=True)
    input()
"""


@contextmanager
def locked(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Hold a run folder as a training does, in a process of its own, until the block ends."""
    command = [sys.executable, "-c", _HOLD, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        os.utime(folder / LOCK, (1, 1))
        yield holder
        if holder.poll() is None:
            holder.communicate(b"\n")


def _steps(count: int, first: int = 1) -> list[dict[str, object]]:
    return [
        {"event": "step", "step": step, "epoch": 0, "losses": {"generator": 1 / step, "odd": math.nan}}
        for step in range(first, first + count)
    ]


def _epoch(number: int, step: int, seconds: float = 1.0) -> dict[str, object]:
    return {"event": "epoch", "epoch": number, "step": step, "validation": {"ssim": number / 10}, "seconds": seconds}


def test_names_are_those_of_the_training() -> None:
    assert (CONFIG, LOG, SAMPLES) == (run_folder.CONFIG, log.LOG, run_folder.SAMPLES)


def test_trainings_are_listed_with_how_far_they_are(serve: Ask, tmp_path: Path) -> None:
    write_run(tmp_path / "done", [*_steps(4), _epoch(1, 4), {"event": "end", "step": 4, "epoch": 1}], steps=4)
    write_run(tmp_path / "study" / "cells" / "first", [*_steps(10), _epoch(1, 10), *_steps(2, 11)], epochs=5)
    old = write_run(tmp_path / "cut-off", _steps(3), steps=9)
    write_run(tmp_path / "new", [], epochs=5)
    os.utime(old / LOG, (1, 1))
    (tmp_path / "not-a-run").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / CONFIG).write_text("not = [toml")
    with locked(tmp_path / "study" / "cells" / "first"), locked(tmp_path / "new"):
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
        "broken": [None, None, "unreadable", 0, None, 0],
    }
    assert listed["broken"]["reason"].startswith("config.toml is not TOML: ")
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
    assert "secret" not in json.dumps(told), "paths stay private"
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


def test_a_training_runs_as_long_as_its_process_holds_the_folder(serve: Ask, tmp_path: Path) -> None:
    client = serve(runs=tmp_path)
    folder = write_run(tmp_path / "one", _steps(3))

    def state() -> str:
        return str(client.get("/v1/runs/one").json()["state"])

    assert state() == "stopped"
    with locked(folder):
        assert state() == "running"
    assert state() == "stopped", "it was stopped cleanly, a moment ago"
    with locked(folder) as holder:
        assert state() == "running"
        os.utime(folder / LOG, (1, 1))
        assert state() == "running", "an epoch may take forever"
        holder.kill()
        holder.wait()
        assert (folder / LOCK).exists()
        assert state() == "stopped", "its process is gone"


def test_looking_at_a_training_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    """A lock that was made a moment ago is left alone: trying it could keep its owner from taking it."""
    folder = write_run(tmp_path / "one", _steps(3))
    (folder / LOCK).touch()
    assert [run.state for run in RunStore(tmp_path).runs()] == ["running"]
    os.utime(folder / LOCK, (1, 1))
    assert [run.state for run in RunStore(tmp_path).runs()] == ["stopped"]
    with hold(folder):
        pass


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**400, -(2**70), "\ud800"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
_LINE = _JSON | st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("step", "epoch", "losses", "validation", "seconds", "best", "train"), _JSON)
    | {"event": st.sampled_from(["step", "epoch", "end"]) | _JSON},
)
_EPOCH = {"event": "epoch", "epoch": 1, "step": 3, "seconds": 1.0}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(_LINE, max_size=4), changed=st.dictionaries(st.sampled_from(list(_EPOCH)), _JSON, max_size=2))
@example(lines=[], changed={"step": math.nan})
@example(lines=[], changed={"step": 10**30})
@example(lines=[], changed={"seconds": -math.inf})
@example(lines=[], changed={"validation": {"\ud800": 1}})
def test_whatever_a_log_holds_the_other_trainings_are_shown(lines: list[Any], changed: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as place:
        write_run(Path(place) / "good", _steps(3), epochs=10**6)
        bad = write_run(Path(place) / "bad", [], epochs=10**6)
        (bad / LOG).write_text("".join(json.dumps(line) + "\n" for line in [*lines, _EPOCH | changed]))
        (bad / "environment.json").write_text(json.dumps(lines))
        _check_shown(Path(place))


_KEYS = ["name", "width", "folder", "limit", "balance", "epochs", "steps", "seed", "start_from", "odd", "flip"]
_VALUE = (
    st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])) | st.datetimes()
)
_TOML = st.recursive(_VALUE, lambda inner: st.lists(inner, max_size=3), max_leaves=8)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(section=st.sampled_from(["method", "data", "train", "augment"]), key=st.sampled_from(_KEYS), value=_TOML)
@example(section="method", key="width", value=math.nan)
@example(section="method", key="width", value=10**400)
@example(section="train", key="epochs", value=10**300)
def test_whatever_the_settings_hold_the_other_trainings_are_shown(section: str, key: str, value: Any) -> None:
    with tempfile.TemporaryDirectory() as place:
        write_run(Path(place) / "good", _steps(3))
        bad = write_run(Path(place) / "bad", [_EPOCH])
        (bad / CONFIG).write_text(f'method.name = "pix2pix"\n{section}.{key} = {_as_toml(value)}\n')
        _check_shown(Path(place))


def _as_toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_toml, value)) + "]"
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value).replace("Infinity", "inf").replace("NaN", "nan").replace("\x7f", "\\u007f")


def _check_shown(folder: Path) -> Run:
    """Check that a training `good` is shown whatever lies beside it, and return what is shown of `bad`."""
    run_store = RunStore(folder)
    listed = {run.id: run for run in run_store.runs()}
    assert listed.keys() == {"good", "bad"}
    assert listed["good"].state == "stopped"
    bad = listed["bad"]
    assert (bad.state == "unreadable") == bool(bad.reason)
    for each in (bad, run_store.details("bad")):
        json.dumps(each.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode()
    return bad


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (LOG, b'{"event": "step", "step": NaN, "epoch": 0}\n', "log.jsonl has a line that no training writes"),
        (LOG, b"[" * 100_000 + b"\n", "log.jsonl has a line that no training writes"),
        (LOG, b"\xff\n", "log.jsonl has a line that no training writes"),
        (LOG, b"9" * 5000 + b"\n", "log.jsonl has a line that no training writes"),
        (CONFIG, b"a = " + b"[" * 100_000, "config.toml is nested too deeply"),
        (CONFIG, b"a = " + b"9" * 5000, "config.toml is not TOML"),
        (CONFIG, b"\xff", "config.toml is not TOML"),
        (CONFIG, b"#" * (2 << 20), "config.toml is larger than 1 MiB"),
        (CONFIG, b"", "config.toml: method"),
        (CONFIG, b'method.name = "x"\ndirection = "sideways"', "config.toml: direction"),
    ],
)
def test_the_reason_says_what_no_training_writes(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    write_run(tmp_path / "good", _steps(3))
    (write_run(tmp_path / "bad", _steps(3)) / name).write_bytes(content)
    shown = _check_shown(tmp_path)
    assert shown.state == "unreadable"
    assert shown.reason.startswith(reason)
    assert str(tmp_path) not in shown.reason


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    for name in (CONFIG, LOG, LOCK):
        folder = write_run(tmp_path / f"without-{name}", _steps(3))
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
    assert [run.state for run in RunStore(tmp_path).runs()].count("unreadable") == 2, "a lock can be left out"


def test_a_folder_whose_name_is_not_text(serve: Ask, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        odd.mkdir()
    except OSError:
        pytest.skip("this system knows no such name")
    write_run(tmp_path / "good", _steps(3)).rename(odd / "one")
    write_run(tmp_path / "good", _steps(3))
    client = serve(runs=tmp_path)
    for name in {each["id"] for each in client.get("/v1/runs").json()} - {"good"}:
        assert client.get(f"/v1/runs/{quote(name)}").json()["step"] == 3
        break
    else:
        pytest.fail("it is not listed")


@pytest.mark.parametrize("linked", [CONFIG, LOG, SAMPLES, f"{SAMPLES}/epoch-0001.png"])
def test_no_link_in_a_run_folder_is_followed(serve: Ask, tmp_path: Path, linked: str) -> None:
    outside = write_run(tmp_path / "outside", _steps(7))
    folder = write_run(tmp_path / "runs" / "one", _steps(3))
    for each in (outside, folder):
        (each / SAMPLES).mkdir()
        (each / SAMPLES / "epoch-0001.png").write_bytes(each.name.encode())
    (folder / linked).rename(folder / "before")
    (folder / linked).symlink_to(outside / linked)
    client = serve(runs=tmp_path / "runs")
    (listed,) = client.get("/v1/runs").json()
    assert listed["step"] != 7
    assert (listed["state"] == "unreadable") == (linked in {CONFIG, LOG})
    assert client.get("/v1/runs/one").json()["step"] != 7
    assert client.get("/v1/runs/one/samples/1").content != b"outside"


@pytest.mark.parametrize("part", ["one", SAMPLES, "epoch-0001.png"])
def test_a_link_that_appears_between_two_looks_is_not_followed(tmp_path: Path, part: str) -> None:
    """Swap a folder and a link again and again; what lies outside is never read."""
    inside, outside = tmp_path / "runs", tmp_path / "outside"
    for root, content in ((inside, b"inside"), (outside, b"outside")):
        (root / "one" / SAMPLES).mkdir(parents=True)
        (root / "one" / SAMPLES / "epoch-0001.png").write_bytes(content)
    parts = ("one", SAMPLES, "epoch-0001.png")
    way = parts[: parts.index(part) + 1]
    real, link, over = inside.joinpath(*way), tmp_path / "link", threading.Event()
    link.symlink_to(outside.joinpath(*way))

    def swap() -> None:
        while not over.is_set():
            real.rename(tmp_path / "real")
            link.rename(real)
            real.rename(link)
            (tmp_path / "real").rename(real)

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen, opened = set(), Root(inside)
    for _ in range(3000):
        try:
            seen.add(opened.read(parts, 100))
        except OSError:
            continue
    over.set()
    swapping.join()
    assert seen == {b"inside"}


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
    run_store, read = RunStore(tmp_path), []
    lines = logs._lines
    monkeypatch.setattr(logs, "_lines", lambda file: read.append(file) or lines(file))
    assert [run.step for run in run_store.runs() + run_store.runs()] == [3] * 4
    assert len(read) == 2
    with (folder / LOG).open("a") as file:
        file.write(json.dumps(_steps(1, 4)[0]) + "\n")
    assert {run.id: run.step for run in run_store.runs()} == {"one": 4, "two": 3}
    assert len(read) == 3
