"""`facesketch translate` with models of aligned faces: which faces, at what size, and without PyTorch."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

import facesketch.inference.model
import facesketch.inference.translator
from facesketch.checkpoints.header import write_header
from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import Direction, MethodConfig, RunConfig
from facesketch.faces import Face, FaceFrame
from facesketch.faces.colours import AUTO, Colours
from facesketch.inference.engines.base import IMAGE, TRANSLATION
from facesketch.inference.translator import Translator

PENCIL = ["--model", "pencil", "--device", "cpu"]


def _picture(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)
    return path


def _tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def portraits(monkeypatch: pytest.MonkeyPatch) -> list[Face]:
    """Return the faces that are found in every picture, for a model of aligned faces that changes nothing."""
    found: list[Face] = []

    class Finder:
        def find(self, image: Image.Image, *, most: int | None = None) -> list[Face]:
            return found[:most]

    monkeypatch.setattr(facesketch.inference.model, "FaceFinder", Finder)
    real = facesketch.inference.translator.load
    monkeypatch.setattr(
        facesketch.inference.model,
        "load_translator",
        lambda path, **more: Translator(Unchanging()) if path == "portrait" else real(path, **more),
    )
    return found


class Unchanging:
    """An engine for aligned faces that gives back what it gets."""

    def __init__(self) -> None:
        self.config = RunConfig(method=MethodConfig(name="pencil"))
        shape: dict[str, Any] = {"longest_side": 256, "frame": None, "multiple": 16}
        self.preprocessing = Preprocessing(
            photo_channels=3, sketch_channels=3, directions=("photo2sketch",), faces=FaceFrame(), **shape
        )

    def run(
        self, images: NDArray[np.float32], direction: Direction, style: str | None = None, colours: Colours = AUTO
    ) -> NDArray[np.float32]:
        return images


def _face(x: float, y: float) -> Face:
    return Face((x - 40, y - 40, 80, 110), ((x - 20, y), (x + 20, y)))


PORTRAIT = ["--model", "portrait"]


def test_a_face_becomes_a_portrait(tmp_path: Path, portraits: list[Face], command: Callable[..., Any]) -> None:
    portraits += [_face(100, 100)]
    picture, out = _picture(tmp_path / "in.png", (300, 250)), tmp_path / "out.png"
    answer = command("translate", picture, *PORTRAIT, "--out", out)
    assert (answer.code, answer.err) == (0, "1 translated\n")
    with Image.open(out) as result:
        assert result.size == (400, 500)
    assert command("translate", picture, *PORTRAIT, "--out", out, "--no-align", "--quiet").err == ""
    with Image.open(out) as result:
        assert result.size == (300, 250), "the whole picture, as it is"


def test_all_faces_are_numbered(tmp_path: Path, portraits: list[Face], command: Callable[..., Any]) -> None:
    portraits += [_face(60, 60), _face(200, 60), _face(130, 180)]
    picture = _picture(tmp_path / "in" / "a.png", (300, 250))
    words = ["translate", picture, *PORTRAIT, "--quiet"]
    assert command(*words, "--out", tmp_path / "one" / "me.jpg", "--faces", "all").code == 0
    assert set(_tree(tmp_path / "one")) == {"me-1.jpg", "me-2.jpg", "me-3.jpg"}
    assert command(*words, "--out", tmp_path / "two", "--faces", "all", "--sheet").code == 0
    assert set(_tree(tmp_path / "two")) == {"a-1.png", "a-2.png", "a-3.png", "a-sheet.png"}
    assert command(*words, "--out", tmp_path / "second.png", "--faces", "2").code == 0
    assert command(*words, "--out", tmp_path / "first.png").code == 0
    made = [(tmp_path / name).read_bytes() for name in ("first.png", "second.png")]
    assert made == [(tmp_path / "two" / f"a-{number}.png").read_bytes() for number in (1, 2)]
    folder = ["translate", tmp_path / "in", *PORTRAIT, "--out", tmp_path / "two", "--faces", "all", "--sheet"]
    assert command(*folder).err == "0 translated, 1 already done (--overwrite translates them again)\n"
    (tmp_path / "two" / "a-sheet.png").unlink()
    assert "1 translated" in command(*folder).err


def test_a_picture_without_a_face(
    tmp_path: Path, portraits: list[Face], refused: Callable[..., str], command: Callable[..., Any]
) -> None:
    picture, out = _picture(tmp_path / "in" / "wall.png", (300, 250)), tmp_path / "out"
    line = refused("translate", picture, *PORTRAIT, "--out", out / "a.png")
    assert line.startswith(f"{picture}: no face found; ")
    assert "--no-align" in line
    (tmp_path / "in" / "text.png").write_text("text")
    answer = command("translate", tmp_path / "in", *PORTRAIT, "--out", out)
    assert answer.code == 2
    assert sum(line.startswith("left out: ") for line in answer.err.splitlines()) == 2
    portraits += [_face(100, 100)]
    answer = command("translate", tmp_path / "in", *PORTRAIT, "--out", out)
    assert (answer.code, answer.err.splitlines()[-1]) == (1, "1 translated, 1 left out")
    assert "there is no face 2: 1 face found" in refused(
        "translate", picture, *PORTRAIT, "--out", out / "a.png", "--faces", "2"
    )


def test_a_sheet_stands_beside_the_picture(tmp_path: Path, command: Callable[..., Any]) -> None:
    picture = _picture(tmp_path / "in" / "a.png", (80, 60))
    for out, names in (
        (tmp_path / "one" / "b.webp", {"b.webp", "b-sheet.webp"}),
        (tmp_path / "two", {"a.png", "a-sheet.png"}),
    ):
        assert command("translate", picture, *PENCIL, "--out", out, "--sheet", "--quiet").code == 0
        assert set(_tree(out.parent if out.suffix else out)) == names
    with Image.open(tmp_path / "two" / "a-sheet.png") as page:
        assert page.width > 2 * 80


def test_faces_are_asked_for_in_words_that_are_understood(tmp_path: Path, refused: Callable[..., str]) -> None:
    words = ["translate", _picture(tmp_path / "a.png"), *PENCIL, "--out", tmp_path / "out.png"]
    for wrong in ("both", "0", "-1", "1.5", "", "9" * 5000):
        assert "expected largest, all, or a number, 1 for the largest" in refused(*words, f"--faces={wrong}")
    assert "without finding faces" in refused(*words, "--faces", "all")
    assert "leave out one of them" in refused(*words, "--faces", "all", "--no-align")
    assert "one style" in refused(*words, "--style", "charcoal")
    assert "did you mean '--no-align'" in refused(*words[:2], "--no-aling", *words[2:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]


def test_a_portrait_through_a_pipe(
    tmp_path: Path, portraits: list[Face], command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    portraits += [_face(100, 100), _face(200, 100)]
    content = _picture(tmp_path / "in.png", (300, 250)).read_bytes()

    def piped(*words: object) -> Any:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        return command("translate", "-", *PORTRAIT, *words)

    assert piped("--out", tmp_path / "plain" / "me.png").code == 0
    with Image.open(tmp_path / "plain" / "me.png") as result:
        assert result.size == (400, 500)
    assert piped("--out", tmp_path / "made" / "me.png", "--faces", "all", "--sheet").code == 0
    assert set(_tree(tmp_path / "made")) == {"me-1.png", "me-2.png", "me-sheet.png"}
    for flag in (["--sheet"], ["--faces", "all"]):
        answer = piped("--out", "-", *flag)
        assert (answer.code, answer.out) == (2, "")
        assert "a pipe takes one picture" in answer.err


# Without PyTorch


def _onnx(path: Path) -> Path:
    """Write a model that changes nothing, as an `.onnx` file."""
    shape = ["n", 3, "h", "w"]
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in (IMAGE, TRANSLATION)]
    node = onnx.helper.make_node("Identity", [IMAGE], [TRANSLATION])
    graph = onnx.helper.make_graph([node], "same", ends[:1], ends[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    engine = Unchanging()
    header = write_header(engine.config, engine.preprocessing.model_copy(update={"faces": None}), {})
    onnx.helper.set_model_props(model, header)
    path.write_bytes(model.SerializeToString())
    return path


def _imported(words: Sequence[object]) -> set[str]:
    """Run the command in a process of its own, and name every module that it imported."""
    command = [sys.executable, "-X", "importtime", "-m", "facesketch", "translate", *map(str, words)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return {line.rpartition("|")[2].strip() for line in said.splitlines() if line.startswith("import time:")}


HEAVY = {"torch", "torchmetrics", "lightning_fabric", "matplotlib", "rich.progress", "onnx", "ray", "scipy"}


def test_an_exported_model_needs_no_pytorch(tmp_path: Path) -> None:
    picture, out = _picture(tmp_path / "in.png", (64, 48)), tmp_path / "out.png"
    imported = _imported([picture, "--model", _onnx(tmp_path / "model.onnx"), "--out", out, "--sheet"])
    assert {"onnxruntime", "facesketch.inference.folders.pipeline"} <= imported, "the list is what it seems"
    assert not HEAVY & imported
    with Image.open(out) as result, Image.open(picture) as expected:
        assert np.array_equal(np.asarray(result), np.asarray(expected))


@pytest.mark.shared
@pytest.mark.parametrize(("kind", "mode"), [("photos", "L"), ("sketches", "RGB")])
def test_the_package_s_own_models_need_no_pytorch(kind: str, mode: str, shared: Path, tmp_path: Path) -> None:
    picture = next((shared / "data" / "cuhk_original" / kind).glob("*.*"))
    imported = _imported([picture, "--out", tmp_path / "out.png"])
    assert "onnxruntime" in imported
    assert not {"torch", "cv2"} & imported
    assert not HEAVY & imported
    with Image.open(tmp_path / "out.png") as result:
        assert result.mode == mode
        assert result.size in {(400, 500), (600, 750), (800, 1000)}, (
            "a whole multiple of the frame, and not a small one"
        )
