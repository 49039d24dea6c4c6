"""ONNX Runtime behind the engine's call: any batch and size, each style, errors of one line, and no PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesketch.errors import CheckpointError, ConfigError, ResourceError
from facesketch.inference.engines.onnx_engine import OnnxEngine
from facesketch.inference.model import load

Write = Callable[..., Path]


def _images(count: int, height: int = 8, width: int = 12) -> np.ndarray:
    return np.random.default_rng(count).uniform(-1, 1, (count, 1, height, width)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_batch_and_size(count: int, exported: Write) -> None:
    engine = OnnxEngine(exported())
    for height, width in ((8, 12), (4, 4), (32, 20)):
        images = _images(count, height, width)
        result = engine.run(images, "photo2sketch")
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, images * np.float32(0.5))


def test_each_style_and_first_the_first(exported: Write) -> None:
    engine, images = OnnxEngine(exported(styles=("pen", "chalk"))), _images(3)
    for style, added in ((None, 0.25), ("pen", 0.25), ("chalk", -0.5)):
        np.testing.assert_allclose(engine.run(images, "photo2sketch", style), images * 0.5 + added, atol=1e-6)
    with pytest.raises(ConfigError, match="style 'chlk'; did you mean 'chalk'"):
        engine.run(images, "photo2sketch", "chlk")
    with pytest.raises(ConfigError, match="style 'pen'; this model has one style, leave it out"):
        OnnxEngine(exported("plain.onnx")).run(images, "photo2sketch", "pen")


def test_threads_may_share_it(exported: Write) -> None:
    engine = OnnxEngine(exported())
    batches = [_images(number % 4 + 1) for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        for images, result in zip(
            batches, pool.map(lambda each: engine.run(each, "photo2sketch"), batches), strict=True
        ):
            np.testing.assert_array_equal(result, images * np.float32(0.5))


def test_a_model_draws_in_the_style_it_was_loaded_with(exported: Write) -> None:
    path = exported(styles=("pen", "chalk"))
    grey = Image.new("L", (30, 20), 128)
    pen, chalk = load(path), load(path, style="chalk")
    assert pen.styles == ("pen", "chalk")
    assert pen(grey).getpixel((9, 9)) == round((0.25 + 1 / 510 + 1) * 127.5)
    assert chalk(grey).getpixel((9, 9)) == pen(grey, style="chalk").getpixel((9, 9)) < pen(grey).getpixel((9, 9))
    assert chalk(grey, style="pen").getpixel((9, 9)) == pen(grey).getpixel((9, 9))
    with pytest.raises(ConfigError, match="style 'ink'; known: pen, chalk"):
        load(path, style="ink")


def test_a_device_that_is_not_there_is_one_line(exported: Write) -> None:
    assert OnnxEngine(exported(), "auto").preprocessing.multiple == 4
    with pytest.raises(ResourceError, match="`device` mps: ONNX Runtime has no such device here; expected auto or cpu"):
        OnnxEngine(exported(), "mps")


def test_a_device_that_is_built_in_but_does_not_work_is_one_line(
    exported: Write, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: there)
    with pytest.raises(ResourceError, match="`device` cuda: ONNX Runtime cannot use it"):
        OnnxEngine(exported(), device="cuda")
    assert capfd.readouterr().out == "", "a picture may go there"


def test_a_graph_that_cannot_be_read_is_one_line(exported: Write) -> None:
    path = exported()
    path.write_bytes(path.read_bytes().replace(b"MatMul", b"MtaMul").replace(b"Mul", b"Muu"))
    with pytest.raises(CheckpointError, match="ONNX Runtime cannot read the graph") as caught:
        OnnxEngine(path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value).splitlines()) == 1


def test_which_engine_runs_which_file_is_said(exported: Write, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"PyTorch does not run \.onnx files; give the run folder"):
        load(exported(), engine="torch")
    for engine in ("onnx", "openvino", "openvino-bf16"):
        with pytest.raises(ConfigError, match=rf"{engine} runs \.onnx files; type: facesketch export runs/one `out`"):
            load("runs/one", engine=engine)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="no such model file; give a run folder"):
        load(tmp_path / "none.onnx")


CODE = """
import json, sys
from facesketch import load
translator = load(sys.argv[1])
translator(sys.argv[2]).save(sys.argv[3])
print(json.dumps(sorted(sys.modules)))
"""


def test_translating_an_exported_model_imports_no_torch(exported: Write, tmp_path: Path) -> None:
    Image.new("L", (30, 20), 100).save(tmp_path / "in.png")
    words = [str(exported()), str(tmp_path / "in.png"), str(tmp_path / "out.png")]
    done = subprocess.run([sys.executable, "-W", "error", "-c", CODE, *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    loaded = set(json.loads(done.stdout))
    assert "onnxruntime" in loaded
    assert {"torch", "onnx", "lightning_fabric", "matplotlib", "cv2", "rich"}.isdisjoint(loaded)
    with Image.open(tmp_path / "out.png") as result:
        assert (result.size, result.getpixel((3, 3))) == ((30, 20), 114)
