"""Weights that hold NaN or infinity draw no picture: the file is refused, or the first picture is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from facesketch.checkpoints.checkpoint import load_method, save_weights
from facesketch.checkpoints.header import require_finite, write_header
from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import Direction, RunConfig, configure
from facesketch.errors import CheckpointError
from facesketch.faces.colours import AUTO, Colours
from facesketch.inference.engines.onnx_engine import OnnxEngine
from facesketch.inference.export.trace import with_header
from facesketch.inference.translator import Translator
from facesketch.methods.registry import build, resolve

NEEDS = Preprocessing(
    photo_channels=3, sketch_channels=3, longest_side=32, frame=None, multiple=1, directions=("photo2sketch",)
)
NO_NUMBERS = [float("nan"), float("inf"), float("-inf")]


@pytest.fixture
def config() -> RunConfig:
    return resolve(configure("dense-ae", {"size": 32, "hidden": 8, "latent": 4}))


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_safetensors_with_one_such_weight_are_refused(value: float, config: RunConfig, tmp_path: Path) -> None:
    method = build(config)
    save_weights(tmp_path / "model.safetensors", method, config)
    load_method(tmp_path / "model.safetensors")
    with torch.no_grad():
        method.get_parameter("generator.decoder.2.bias")[-1] = value
    save_weights(tmp_path / "model.safetensors", method, config)
    assert not all(
        each.isfinite().all() for each in safetensors.torch.load_file(tmp_path / "model.safetensors").values()
    )
    with pytest.raises(CheckpointError, match="its weights hold NaN or infinity"):
        load_method(tmp_path / "model.safetensors")


def _onnx(path: Path, weights: NDArray[Any], config: RunConfig) -> Path:
    value, out = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
    tensors = [numpy_helper.from_array(np.ones(3, np.int64), "whole"), numpy_helper.from_array(weights, "w")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out], tensors)
    path.write_bytes(with_header(helper.make_model(graph), write_header(config, NEEDS, {})))
    return path


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_onnx_with_one_such_weight_is_refused(kind: Any, config: RunConfig, tmp_path: Path) -> None:
    largest = onnx.numpy_helper.to_array(numpy_helper.from_array(np.array([1e4, -1e-4, 0, -0.0]).astype(kind)))
    require_finite(_onnx(tmp_path / "model.onnx", largest, config))
    for value in NO_NUMBERS:
        path = _onnx(tmp_path / "model.onnx", np.array([1.0, 2.0, value]).astype(kind), config)
        with pytest.raises(CheckpointError, match=f"^{path}: its weights hold NaN or infinity"):
            OnnxEngine(path)


class Nothing:
    """An engine that computes no numbers."""

    preprocessing = NEEDS

    def __init__(self, config: RunConfig, value: float) -> None:
        self.config, self._value = config, value

    def run(
        self, images: NDArray[np.float32], direction: Direction, style: str | None = None, colours: Colours = AUTO
    ) -> NDArray[np.float32]:
        result = images.copy()
        result[..., 0, 0] = self._value
        return result


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_a_picture_that_is_none_is_refused(value: float, config: RunConfig) -> None:
    picture = Image.new("RGB", (32, 32))
    assert Translator(Nothing(config, 0.5))(picture).size == (32, 32)
    with pytest.raises(CheckpointError, match=r"^mine: outputs NaN or infinity"):
        Translator(Nothing(config, value), name="mine")(picture)
