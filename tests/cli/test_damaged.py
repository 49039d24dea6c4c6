"""Files of ours that somebody has changed by hand end a verb in one line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
import pytest

from facesketch.files import write_json
from facesketch.search.storage.rows import FORMAT, schema
from facesketch.study.study import Study

Refused = Callable[..., str]
DEEP = b"[" * 100_000
ODD = {
    "deep": DEEP,
    "deep inside": b'{"format": ' + DEEP,
    "no text": b"\xff\xfe\x00",
    "a list": b"[]",
    "a word": b'"format"',
    "empty": b"",
    "of other types": b'{"format": 1, "name": [], "data": 3, "cells": "x", "metrics": {"a": []}}',
}
odd = pytest.mark.parametrize("content", ODD.values(), ids=ODD)


@odd
def test_results(content: bytes, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(content)
    assert "r.json" in refused("compare", tmp_path / "r.json", tmp_path / "r.json")


def test_a_pipe_is_no_result(refused: Refused, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r.json")
    assert "r.json" in refused("compare", tmp_path / "r.json", tmp_path / "r.json")


@pytest.mark.parametrize("name", ["m.onnx", "m.safetensors", "m"])
def test_a_pipe_is_no_model(name: str, refused: Refused, faces: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    assert name in refused("translate", faces, "--model", tmp_path / name, "--out", tmp_path / "out")


@odd
def test_plans(content: bytes, refused: Refused, faces: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    assert "holds no study" in refused("report", tmp_path)
    assert "holds no study" in refused("study", faces, "--out", tmp_path)


@pytest.mark.parametrize(
    "cell", [{"method": "none"}, {"name": "../../x"}, {"name": ""}, {"settings": []}, {"extends": 3}]
)
def test_cells(cell: dict[str, Any], refused: Refused, tmp_path: Path) -> None:
    whole = {"name": "pencil", "method": "pencil", "direction": "photo2sketch"}
    write_json(tmp_path / "plan.json", {"data": "d", "preset": "quick", "seeds": 1, "cells": [whole | cell]})
    assert "holds no study" in refused("report", tmp_path)


@odd
def test_what_a_study_wrote(content: bytes, faces: Path, tmp_path: Path) -> None:
    study = Study.begin(faces, tmp_path, "quick", only=["pencil"], metrics=["ssim"])
    (cell,) = study.cells
    for path in (tmp_path / "failed" / f"{cell.name}.json", study.run_folder(cell) / "environment.json"):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    assert cell.name in str(study.failure(cell))


@odd
def test_results_of_a_report(content: bytes, refused: Refused, faces: Path, tmp_path: Path) -> None:
    study = Study.begin(faces, tmp_path, "quick", only=["pencil"], metrics=["ssim"])
    path = study.result_file(study.cells[0].name)
    path.parent.mkdir()
    path.write_bytes(content)
    assert path.name in refused("report", tmp_path)


@pytest.mark.parametrize("content", [b"a = " + DEEP, b"\xff", b"train = 3", b"[train]\nepochs = 'many'"])
def test_settings(content: bytes, refused: Refused, faces: Path, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_bytes(content)
    words = ("train", "dense-ae", "--data", faces, "--out", tmp_path / "run", "--config", tmp_path / "run.toml")
    assert len(refused(*words)) < 500


ABOUT = {"format": FORMAT, "fingerprint": "hog-pixels"}
TABLES = {
    "deep settings": (DEEP, None),
    "settings of another kind": (b"[]", None),
    "format as text": (json.dumps(ABOUT | {"format": "1"}).encode(), None),
    "fingerprint as number": (json.dumps(ABOUT | {"fingerprint": 3}).encode(), None),
    "no vectors": (json.dumps(ABOUT).encode(), "vector"),
    "no persons": (json.dumps(ABOUT).encode(), "person"),
}


@pytest.mark.parametrize(("about", "without"), TABLES.values(), ids=TABLES)
def test_galleries(
    about: bytes, without: str | None, refused: Refused, tmp_path: Path, sketch: Path, photos: Path, by_pixels: object
) -> None:
    ours = schema("hog-pixels", 128)
    columns = pa.schema([field for field in ours if field.name != without], metadata={"facesketch": about})
    lancedb.connect(str(tmp_path / "gallery")).create_table("photos", schema=columns)
    for words in (("query", sketch), ("info",), ("index", photos)):
        assert "gallery" in refused("search", *words, "--gallery", tmp_path / "gallery")
