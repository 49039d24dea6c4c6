"""The one meaning of `--out`: a file where the name has that file's suffix, otherwise a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facesketch.search.evaluation.results import SearchResults

Run = Callable[..., Any]


def test_search_evaluate_writes_the_file_that_is_named(command: Run, faces: Path, tmp_path: Path) -> None:
    words = ("--data", faces, "--split", "all", "--embedder", "hog", "--routes", "direct", "--quiet")
    answer = command("search", "evaluate", *words, "--out", tmp_path / "r.json")
    assert answer.code == 0, answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json", "r.png"]
    assert (tmp_path / "r.json").is_file()
    SearchResults.load(tmp_path / "r.json")
    assert "r.json and r.png" in answer.out


@pytest.mark.parametrize("name", ["photos/face-0001.json", "anno_test.json"])
def test_search_evaluate_overwrites_no_data(name: str, refused: Run, faces: Path, tmp_path: Path) -> None:
    data = shutil.copytree(faces, tmp_path / "data")
    (data / "anno_test.json").write_text("[]")
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert "a file of --data" in refused("search", "evaluate", "--data", data, "--out", data / name)
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


FOLDERS = {
    "study": ("study", "{data}", "--out"),
    "align": ("faces", "align", "{data}", "--out"),
    "search": ("search", "evaluate", "--data", "{data}", "--out"),
    "sample": ("data", "sample"),
    "train": ("train", "dense-ae", "--steps", "1", "--size", "32", "--data", "{data}", "--out"),
    "translate": ("translate", "{data}/photos", "--out"),
}


@pytest.mark.parametrize("name", ["r.html", "r.png", "r.csv", "r.onnx"])
@pytest.mark.parametrize("words", FOLDERS.values(), ids=FOLDERS)
def test_a_folder_is_not_named_like_a_file(
    words: tuple[str, ...], name: str, refused: Run, faces: Path, tmp_path: Path
) -> None:
    given = [word.format(data=faces) for word in words]
    assert "named like a file; give a folder" in refused(*given, tmp_path / name)
    (tmp_path / name).write_text("mine")
    assert "is a file" in refused(*given, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["results", "r.png", "r.v2"])
@pytest.mark.parametrize(
    ("words", "suffix"),
    [
        (("evaluate", "pencil", "--metrics", "psnr", "--data", "{data}", "--out"), ".json"),
        (("report", "{data}", "--out"), ".html"),
        (("search", "fit", "--data", "{data}", "--out"), ".safetensors"),
    ],
)
def test_a_file_has_its_suffix(
    words: tuple[str, ...], suffix: str, name: str, refused: Run, faces: Path, tmp_path: Path
) -> None:
    assert suffix in refused(*(word.format(data=faces) for word in words), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
