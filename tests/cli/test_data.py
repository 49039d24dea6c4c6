from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesketch.cli import data
from facesketch.errors import ConfigError, DataError, OutputError


def call(*tokens: str) -> None:
    data.app([*tokens], result_action="return_value")


def fill(folder: Path, count: int = 5) -> Path:
    for kind, tone in (("photos", 90), ("sketches", 220)):
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            image = Image.new("RGB", (16, 20), (tone, tone - 20, tone - 40))
            image.putpixel((0, 0), (number, tone, 0))
            image.save(folder / kind / f"{number}.png")
    return folder


def facts(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    captured = capsys.readouterr()
    assert captured.err == ""
    value = json.loads(captured.out)
    assert isinstance(value, dict)
    return value


def test_json_holds_the_counts_and_the_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    (tmp_path / "photos" / "4.png").unlink()
    call("check", str(tmp_path), "--json")
    value = facts(capsys)
    assert (value["layout"], value["pairs"], value["usable"], value["subjects"]) == ("photos-sketches", 4, 4, 4)
    assert value["orphan_sketches"] == {"count": 1, "examples": ["sketches/4.png"]}
    assert value["orphan_photos"] == value["duplicates"] == value["identical"] == {"count": 0, "examples": []}
    assert value["size"] == [16, 20]
    assert sum(side["pairs"] for side in value["split"].values()) == 4
    assert all(len(side["sha256"]) == 64 and side["from"] == "hash" for side in value["split"].values())


def test_the_report_names_what_is_wrong_and_what_to_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fill(tmp_path / "my faces")
    (folder / "sketches" / "1.png").write_bytes(b"damaged")
    (folder / "photos" / "[x].png").write_bytes((folder / "photos" / "0.png").read_bytes())
    call("check", str(folder))
    said = capsys.readouterr().out
    assert "5 pairs of 5 subjects, laid out as photos-sketches" in said
    assert "photos/[x].png" in said  # brackets are no markup
    assert "sketches/1.png: not a picture" in said
    assert "fix or remove" in said
    assert f"next: facesketch train pix2pix --data '{folder}'" in said


def test_a_clean_folder_is_said_to_be_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("check", str(fill(tmp_path)))
    said = capsys.readouterr().out
    assert "every picture can be read" in said
    assert "such as" not in said
    assert all(side in said for side in ("train", "validation", "test"))


def test_at_most_three_examples_are_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, 6)
    for number in range(5):
        (tmp_path / "sketches" / f"{number}.png").unlink()
    call("check", str(tmp_path), "--json")
    value = facts(capsys)
    assert value["orphan_photos"]["count"] == 5
    assert value["orphan_photos"]["examples"] == ["photos/0.png", "photos/1.png", "photos/2.png"]


def test_validation_and_layout_are_passed_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, 20)
    call("check", str(tmp_path), "--json", "--validation", "0", "--layout", "photos-sketches")
    assert facts(capsys)["split"]["validation"]["pairs"] == 0
    with pytest.raises(ConfigError, match="validation = 3"):
        call("check", str(tmp_path), "--validation", "3")
    with pytest.raises(ConfigError, match="`layout` 'cuk'; did you mean 'cuhk'"):
        call("check", str(tmp_path), "--layout", "cuk")


def test_pairs_left_out_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    lines = ["stem,split,subject,photo,sketch"]
    lines += [f"{n},{'test' if n else 'train'},{min(n, 1)},photos/{n}.png,sketches/{n}.png" for n in range(5)]
    lines.append("9,train,1,photos/4.png,sketches/4.png")
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    call("check", str(tmp_path))
    assert "1 pair left out" in capsys.readouterr().out


def test_a_test_set_with_twins_is_said_not_to_be_independent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arrange: Callable[..., Path]
) -> None:
    folder = arrange(tmp_path)
    for side in ("train", "test"):
        for photo in sorted((folder / "photos").glob(f"{side}-*.png"))[:2]:
            photo.write_bytes((folder / "photos" / "train-face-0001.png").read_bytes())
    call("check", str(folder))
    said = capsys.readouterr().out
    assert "the test set is not independent" in said
    assert "2 of 2 test pairs" in said
    call("check", str(folder), "--json")
    found = facts(capsys)["twins"]
    assert (found["test"]["count"], found["validation"]["count"]) == (2, 0)
    assert "face-0001" in found["test"]["examples"][0]


def test_nothing_that_pairs_exits_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    for number in range(5):
        (tmp_path / "sketches" / f"{number}.png").rename(tmp_path / "sketches" / f"s{number}.png")
    with pytest.raises(SystemExit) as caught:
        call("check", str(tmp_path))
    assert caught.value.code == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "5 photos (photos/0.png, photos/1.png, photos/2.png, …)" in captured.err
    with pytest.raises(SystemExit):
        call("check", str(tmp_path), "--json")
    value = facts(capsys)
    assert value["pairs"] == 0
    assert "no pairs" in value["error"]


def test_pairs_none_of_which_can_be_read_exit_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in fill(tmp_path, 2).rglob("*.png"):
        path.write_bytes(b"damaged")
    with pytest.raises(SystemExit) as caught:
        call("check", str(tmp_path))
    assert caught.value.code == 1
    assert "cannot be read" in capsys.readouterr().out


def test_a_missing_folder_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        call("check", str(tmp_path / "gone"))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, dict[str, int]]]:
    """Stand in for the drawing itself and record how it is called."""
    calls: list[tuple[Path, dict[str, int]]] = []
    module = types.ModuleType("facesketch.data.synthetic.draw")
    module.write_sample = lambda folder, **options: calls.append((folder, options))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "facesketch.data.synthetic.draw", module)
    return calls


def test_sample_passes_its_options_and_says_what_is_next(
    tmp_path: Path, drawn: list[tuple[Path, dict[str, int]]], capsys: pytest.CaptureFixture[str]
) -> None:
    call("sample", str(tmp_path / "new"))
    call("sample", str(tmp_path / "new"), "--pairs", "1", "--size", "64", "--seed", "3")
    assert drawn == [
        (tmp_path / "new", {"pairs": 40, "size": 256, "seed": 0}),
        (tmp_path / "new", {"pairs": 1, "size": 64, "seed": 3}),
    ]
    said = capsys.readouterr().out
    assert "1 pair of 64x64 pixels" in said
    assert f"next: facesketch data check {tmp_path / 'new'}" in said


def test_sample_never_mixes_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(OutputError):
            call("sample", str(place))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_sample_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    options = ("--pairs", "2", "--size", "32")
    call("sample", str(tmp_path / "new"), *options)
    lost = tmp_path / "new" / "sketches" / "face-0002.png"
    drawn = lost.read_bytes()
    lost.unlink()
    call("sample", str(tmp_path / "new"), *options)
    assert lost.read_bytes() == drawn


@pytest.mark.parametrize(("option", "value"), [("--pairs", "0"), ("--size", "8"), ("--seed", "-1")])
def test_sample_refuses_what_cannot_be_drawn(tmp_path: Path, option: str, value: str) -> None:
    with pytest.raises(ConfigError, match=value):
        call("sample", str(tmp_path / "new"), option, value)
    assert not (tmp_path / "new").exists()


@pytest.mark.shared
def test_cuhk_as_it_is_checked(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("check", str(shared / "data" / "cuhk"), "--json", "--validation", "0")
    value = facts(capsys)
    assert {side: counts["pairs"] for side, counts in value["split"].items()} == {
        "train": 88,
        "validation": 0,
        "test": 100,
    }
    assert value["odd_sized"]["count"] == value["unreadable"]["count"] == 0
