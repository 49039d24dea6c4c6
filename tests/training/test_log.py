from __future__ import annotations

import json
import math
import tracemalloc
from pathlib import Path

import pytest
import torch

from facesketch.errors import OutputError
from facesketch.training import log as logs
from facesketch.training.log import LINES, Course, Log, read_log


def _filled(path: Path) -> Log:
    """Write two epochs of two steps, as a training does, and its end."""
    log = Log(path, 4)
    for epoch in (0, 1):
        for step in (2 * epoch + 1, 2 * epoch + 2):
            log.step(step, epoch, {"generator": torch.tensor(step / 10)})
        log.event("epoch", step=2 * epoch + 2, epoch=epoch + 1, best=True)
    log.event("end", step=4, epoch=2)
    return log


def test_lines_are_json_with_the_losses_as_numbers(tmp_path: Path) -> None:
    _filled(tmp_path / "log.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[0] == {"event": "step", "step": 1, "epoch": 0, "losses": {"generator": 0.1}}
    assert [line["event"] for line in lines] == ["step", "step", "epoch", "step", "step", "epoch", "end"]
    assert read_log(tmp_path / "log.jsonl") == lines


def test_steps_are_written_when_something_happens(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", 4)
    log.step(1, 0, {"generator": torch.tensor(1.0)})
    assert read_log(log.path) == []
    log.flush()
    log.flush()
    assert [line["step"] for line in read_log(log.path)] == [1]


def test_a_long_run_writes_every_so_many_steps(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", 10 * LINES)
    for step in range(1, 101):
        log.step(step, 0, {})
    log.flush()
    assert [line["step"] for line in read_log(log.path)] == list(range(10, 101, 10))


@pytest.mark.parametrize(
    ("step", "epoch", "kept"),
    [
        (0, 0, []),
        (1, 0, ["step"]),
        (2, 0, ["step"] * 2),
        (2, 1, ["step"] * 2 + ["epoch"]),
        (3, 1, ["step"] * 2 + ["epoch", "step"]),
        (4, 1, ["step"] * 2 + ["epoch"] + ["step"] * 2),
        (4, 2, ["step"] * 2 + ["epoch"] + ["step"] * 2 + ["epoch"]),
    ],
)
def test_rewind_drops_what_came_after_the_state(tmp_path: Path, step: int, epoch: int, kept: list[str]) -> None:
    log = _filled(tmp_path / "log.jsonl")
    whole = read_log(log.path)
    log.rewind(step, epoch)
    assert [line["event"] for line in read_log(log.path)] == kept
    assert read_log(log.path) == whole[: len(kept)]


@pytest.mark.parametrize(
    "line", ['{"event": "step", "st', "{", '{"event": "step", "step": 3, "epoch": 1, "losses": {}']
)
def test_rewind_drops_a_line_cut_short(tmp_path: Path, line: str) -> None:
    log = _filled(tmp_path / "log.jsonl")
    log.rewind(2, 1)
    with log.path.open("a") as file:
        file.write(line)
    assert len(read_log(log.path)) == 3
    log.rewind(3, 1)
    log.event("epoch", step=4, epoch=2)
    assert [line["event"] for line in read_log(log.path)] == ["step", "step", "epoch", "epoch"]


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_log(tmp_path / "log.jsonl") == []
    Log(tmp_path / "log.jsonl", 1).rewind(0, 0)
    assert read_log(tmp_path / "log.jsonl") == []


def test_an_unwritable_log_is_the_user_s_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"log\.jsonl: cannot be written"):
        Log(tmp_path / "taken" / "log.jsonl", 1).event("end", step=1)


def test_only_numbers_are_logged(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no JSON for object"):
        Log(tmp_path / "log.jsonl", 1).event("end", step=object())


def test_a_course_holds_what_the_lines_say(tmp_path: Path) -> None:
    log = _filled(tmp_path / "log.jsonl")
    log.step(5, 2, {"generator": torch.tensor(0.5), "discriminator": torch.tensor(1.0)})
    log.event("epoch", step=6, epoch=3, best=False, seconds=2.5)
    course = Course.read(log.path)
    assert list(course.steps) == [1, 2, 3, 4, 5]
    assert list(course.losses["generator"]) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert [math.isnan(value) for value in course.losses["discriminator"]] == [True] * 4 + [False]
    assert [line["epoch"] for line in course.epochs] == [1, 2, 3]
    assert (course.last["step"], course.seconds) == (6, 2.5)
    assert Course.read(tmp_path / "none") == Course()


LONG = b'{"event": "end", "step": 9, "epoch": 9, "why": "' + b"x" * (2 << 20) + b'"}'


@pytest.mark.parametrize(
    "odd",
    [
        b"[" * 100_000,
        b'{"event": "end", "step": 9, "epoch": 9, "losses": ' + b"[" * 100_000,
        b"\xff\xfe\x00",
        b"[1, 2]",
        b'{"event": "epoch"}',
        b'{"event": "step", "step": [], "epoch": 0}',
        b'{"event": "step", "step": 3, "epoch": 0, "losses": "none"}',
        b'{"event": "step", "step": 3, "epoch": 0, "losses": {"generator": {}}}',
        LONG,
    ],
)
def test_a_line_that_is_none_of_ours_ends_the_log(odd: bytes, tmp_path: Path) -> None:
    log = _filled(tmp_path / "log.jsonl")
    before = read_log(log.path)
    with log.path.open("ab") as file:
        file.write(odd + b"\n")
    log.event("end", step=9, epoch=9)
    assert read_log(log.path) == before
    assert Course.read(log.path).last["step"] == 4


def test_a_log_is_read_again_only_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, lines = _filled(tmp_path / "log.jsonl"), logs._lines
    read: list[object] = []
    monkeypatch.setattr(logs, "_lines", lambda file: read.append(file) or lines(file))  # type: ignore[func-returns-value]
    assert Course.read(log.path) is Course.read(log.path)
    assert len(read) == 1
    log.event("end", step=9, epoch=9)
    assert Course.read(log.path).last["step"] == 9
    assert len(read) == 2


def test_a_long_log_takes_little_memory(tmp_path: Path) -> None:
    line = {"event": "step", "epoch": 0, "losses": {"generator": 0.12345678, "discriminator": 0.87654321}}
    with (tmp_path / "log.jsonl").open("w") as file:
        file.writelines(json.dumps(line | {"step": step, "note": "x" * 900}) + "\n" for step in range(8000))
    tracemalloc.start()
    course = Course.read(tmp_path / "log.jsonl")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(course.steps) == 8000
    assert most < (tmp_path / "log.jsonl").stat().st_size / 5
