"""Every verb that prints a table, on terminals, files and pipes that know few letters."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from facesketch.cli.main import main

Spoken = Callable[..., tuple[int, bytes, bytes]]
ENCODINGS = ["cp1252", "ascii", "cp932"]


@pytest.fixture(params=ENCODINGS)
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def arrow(word: str, encoding: str) -> bytes:
    """Return how a word with an arrow behind it is printed: cp932 has the arrow, the others do not."""
    return f"{word} {'↑' if encoding == 'cp932' else '^'}".encode(encoding)


@pytest.fixture
def spoken(encoding: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Spoken:
    """Return what runs a verb with both outputs in an encoding, and gives its exit code and the bytes of both."""
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path / "no-weights"))
    for name in ("FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: object) -> tuple[int, bytes, bytes]:
        outputs = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2)]
        with monkeypatch.context() as swapped:
            swapped.setattr(sys, "stdout", outputs[0])
            swapped.setattr(sys, "stderr", outputs[1])
            code: object = 0
            try:
                main([str(word) for word in words])
            except SystemExit as ended:
                code = ended.code
        said, told = (each.buffer.getvalue() for each in outputs)  # type: ignore[attr-defined]
        return int(str(code or 0)), said, told

    return run


@pytest.fixture
def pairs(faces: Path, tmp_path: Path) -> Path:
    """Copy the pairs to where no encoding but UTF-8 can name them."""
    return Path(shutil.copytree(faces, tmp_path / "Zoë ↑ 顔"))


def test_evaluate_and_compare_print_their_tables(spoken: Spoken, pairs: Path, tmp_path: Path, encoding: str) -> None:
    files = [tmp_path / f"{name}.json" for name in ("first", "second")]
    for path in files:
        name = f"{path.stem} – a name too long for a column"
        words = ("evaluate", "pencil", "--data", pairs, "--metrics", "ssim", "--name", name, "--out", path)
        code, said, told = spoken(*words)
        assert (code, told) == (0, b"")
        assert arrow("SSIM", encoding) in said
        assert b"written: " in said
    code, said, told = spoken("compare", *files)
    assert (code, told) == (0, b"")
    assert arrow("SSIM", encoding) in said
    code, said, _ = spoken("compare", *files, "--json")
    assert json.loads(said)["comparisons"][0]["first"] == "first – a name too long for a column"


def test_data_check_prints_its_table(spoken: Spoken, pairs: Path, encoding: str) -> None:
    for path in sorted((pairs / "sketches").iterdir())[:5]:
        path.unlink()  # five examples, of which three and an ellipsis are shown
    Image.new("L", (8, 8)).save(pairs / "photos" / "Žofie.png")
    code, said, told = spoken("data", "check", pairs)
    assert (code, told) == (0, b"")
    assert ("…".encode(encoding) if encoding in {"cp1252", "cp932"} else b"...") in said
    code, said, _ = spoken("data", "check", pairs, "--json")
    assert (code, json.loads(said)["folder"]) == (0, str(pairs))


def test_lists_are_printed(spoken: Spoken) -> None:
    for words in (("models", "list"), ("methods",), ("methods", "pix2pix"), ("--help",), ("evaluate", "--help")):
        code, said, told = spoken(*words)
        assert (code, told) == (0, b"")
        assert len(said) > 200


def test_search_prints_its_table(spoken: Spoken, photos: Path, sketch: Path, tmp_path: Path, by_pixels: object) -> None:
    gallery = tmp_path / "Bögen 顔"
    (photos / "person-0.png").rename(photos / "Jürgen 顔.png")
    (photos / "人.png").write_bytes(b"damaged")
    code, said, told = spoken("search", "index", photos, "--gallery", gallery)
    assert (code, b"30 photos" in said, b"left out" in told) == (1, True, True)
    for words in (("query", sketch, "--sheet", tmp_path / "hits ↑.png"), ("info",)):
        code, said, told = spoken("search", *words, "--gallery", gallery)
        assert (code, told) == (0, b"")
    code, said, _ = spoken("search", "query", sketch, "--gallery", gallery, "--json", "-")
    assert json.loads(said)["gallery"] == str(gallery)


@pytest.mark.parametrize("encoding", ["cp1252"])  # it takes longer than the others
def test_search_evaluate_prints_its_table(spoken: Spoken, pairs: Path, encoding: str) -> None:
    words = ("--data", pairs, "--split", "all", "--embedder", "hog", "--routes", "direct", "--quiet")
    code, said, told = spoken("search", "evaluate", *words)
    assert (code, told) == (0, b"")
    assert arrow("rank-1", encoding) in said


def test_study_prints_its_table(spoken: Spoken, pairs: Path, tmp_path: Path) -> None:
    code, _, told = spoken("study", pairs, "--out", tmp_path / "Studie ↑", "--only", "pencil", "--metrics", "ssim")
    assert code == 0
    assert b"parameters" in told
    code, said, _ = spoken("report", tmp_path / "Studie ↑")
    assert code == 0
    assert b"report.html" in said


def test_mistakes_are_reported_in_one_line(spoken: Spoken, tmp_path: Path) -> None:
    code, said, told = spoken("data", "check", tmp_path / "Zoë ↑ 顔")
    assert (code, said, told.count(b"\n")) == (2, b"", 1)
    assert b"no such folder" in told


def test_a_name_that_is_no_text_is_printed_too(tmp_path: Path) -> None:
    place = os.fsdecode(bytes(tmp_path) + b"/Andr\xe9")
    told = _run("utf-8", "data", "sample", place, "--pairs", "1", "--size", "32")
    assert told.returncode == 0, told.stderr
    assert b"Andr\\udce9" in told.stdout


def test_the_users_own_error_handler_stays(tmp_path: Path) -> None:
    done = _run("ascii:xmlcharrefreplace", "data", "sample", str(tmp_path / "Zoë"), "--pairs", "1", "--size", "32")
    assert done.returncode == 0, done.stderr
    assert b"Zo&#235;" in done.stdout


def _run(encoding: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-m", "facesketch", *words], capture_output=True, env=environment)
