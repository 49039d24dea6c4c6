"""`facesketch faces align`: what it writes, what it says, and how it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesketch.data.index import index


def test_a_folder_of_pairs_is_aligned(
    command: Callable[..., Any], arrange: Callable[..., Path], tmp_path: Path
) -> None:
    source = arrange(tmp_path / "set", train=3, validation=1, test=1)
    out = tmp_path / "aligned"
    answer = command("faces", "align", source, "--out", out)
    assert answer.code == 0
    assert answer.out.splitlines() == [f"5 pairs aligned in {out}", f"look at {out / 'contact.png'}"]
    assert answer.err == ""
    pairs = index(out).pairs
    assert [pair.split for pair in pairs].count("train") == 3
    assert {pair.photo.open().size for pair in pairs} == {(200, 250)}
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["turned"] == []


def test_a_picture_on_its_side_is_turned_and_named(
    command: Callable[..., Any], arrange: Callable[..., Path], tmp_path: Path
) -> None:
    source, out = arrange(tmp_path / "set", train=3, validation=0, test=0), tmp_path / "aligned"
    assert command("faces", "align", source, "--out", tmp_path / "upright").code == 0
    lying = sorted((source / "photos").iterdir())[1]
    with Image.open(lying) as photo:
        photo.transpose(Image.Transpose.ROTATE_90).save(lying)
    answer = command("faces", "align", source, "--out", out)
    assert answer.code == 0
    (line,) = answer.err.splitlines()
    assert f"turned {lying} by 90°" in line
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["turned"] == [{"name": str(lying), "degrees": 90}]
    assert abs(report["pictures"]["photo"]["angle_degrees"]["most"]) < 20, "told as it is once turned"
    for path in (tmp_path / "upright" / "photos").iterdir():
        assert (out / "photos" / path.name).read_bytes() == path.read_bytes()


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--faces", "all"], "--faces all; expected largest, or 2 for the next largest"),
        (["--faces", "0"], "--faces 0; expected largest"),
        (["--faces", "9" * 5000], "--faces " + "9" * 40 + "; expected largest"),
        (["--scale", "0"], "--scale 0.0; expected 0.1 to 10"),
        (["--suffix", "txt"], "--suffix .txt; expected .png or .jpg"),
        (["--model", "none.onnx"], "none.onnx: no such file"),
    ],
)
def test_a_wrong_option_is_reported_in_one_line(
    refused: Callable[..., str], faces: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    assert refused("faces", "align", faces, "--out", tmp_path / "aligned", *words).startswith(said)
    assert not (tmp_path / "aligned").exists()


def test_no_folder_is_reported_in_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    assert refused("faces", "align", "--out", tmp_path / "aligned").startswith("no folder given")


def test_a_missing_folder_is_reported_in_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "no such folder" in refused("faces", "align", tmp_path / "none", "--out", tmp_path / "aligned")
