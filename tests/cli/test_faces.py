"""`facesketch faces align`: what it writes, what it says, and how it refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesketch.cli.faces import _Bar
from facesketch.data.index import index


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path / "models"))


def test_a_folder_of_pairs_is_aligned(
    command: Callable[..., Any], arrange: Callable[..., Path], tmp_path: Path
) -> None:
    source = arrange(tmp_path / "set", train=3, validation=1, test=1)
    out = tmp_path / "aligned"
    answer = command("faces", "align", source, "--out", out)
    assert answer.code == 0
    assert answer.out.splitlines() == [f"5 pairs aligned in {out}", f"look at {out / 'contact.png'}"]
    assert "facesketch models fetch yunet" in answer.err
    assert len(answer.err.splitlines()) == 1
    pairs = index(out).pairs
    assert [pair.split for pair in pairs].count("train") == 3
    assert {pair.photo.open().size for pair in pairs} == {(200, 250)}
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["finder"] == "haar"


def test_what_is_left_out_is_named(command: Callable[..., Any], arrange: Callable[..., Path], tmp_path: Path) -> None:
    source = arrange(tmp_path / "set", train=3, validation=0, test=0)
    blank = sorted((source / "sketches").iterdir())[0]
    Image.new("L", (64, 64), 250).save(blank)
    answer = command("faces", "align", source, "--out", tmp_path / "aligned", "--suffix", "jpg", "--scale", "0.5")
    assert answer.code == 1
    out = tmp_path / "aligned"
    assert answer.out.splitlines() == [f"2 pairs aligned in {out}", f"look at {out / 'contact.png'}"]
    (line,) = [line for line in answer.err.splitlines() if line.startswith("left out ")]
    assert line.startswith("left out face-")
    assert line.endswith(f"{blank}: no face found")
    assert len(json.loads((out / "report.json").read_text(encoding="utf-8"))["left_out"]) == 1
    assert {pair.photo.open().size for pair in index(tmp_path / "aligned").pairs} == {(100, 125)}


def test_without_opencv_it_says_that_it_guesses(
    command: Callable[..., Any], faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    answer = command("faces", "align", faces, "--out", tmp_path / "aligned")
    assert answer.code == 0
    assert answer.err.startswith("facesketch: faces are taken to be in the middle of each picture")
    assert len(answer.err.splitlines()) == 1
    assert answer.out.startswith("12 pairs aligned")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--faces", "all"], "--faces all; expected largest, or 2 for the next largest"),
        (["--faces", "0"], "--faces 0; expected largest"),
        (["--scale", "0"], "--scale 0.0; expected 0.1 to 10"),
        (["--suffix", "txt"], "--suffix .txt; expected .png or .jpg"),
        (["--model", "none.onnx"], "none.onnx: no such file"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(
    refused: Callable[..., str], faces: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    assert refused("faces", "align", faces, "--out", tmp_path / "aligned", *words).startswith(said)
    assert not (tmp_path / "aligned").exists()


def test_no_folder_is_told_in_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    assert refused("faces", "align", "--out", tmp_path / "aligned").startswith("no folder given")


def test_a_missing_folder_is_told_in_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "no such folder" in refused("faces", "align", tmp_path / "none", "--out", tmp_path / "aligned")


def test_the_bar_waits_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("facesketch.cli.faces.time.monotonic", lambda: now)
    with _Bar("") as bar:
        now = 101.9
        bar(1, 10)
        assert bar._bar is None
        now = 102.1
        bar(2, 10)
        assert bar._bar is not None
        assert bar._bar.tasks[0].completed == 2
