"""Small graphs made by hand, so that engines are tested without tracing anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facesketch.checkpoints.header import write_header
from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import MethodConfig, RunConfig
from facesketch.inference.export.trace import with_header

LEVELS = np.array([[0.25], [-0.5]], dtype=np.float32)
"""What each of two styles adds."""


def _graph(styles: int) -> onnx.ModelProto:
    """Half of every picture, and on top what the style adds: (N, S) @ (S, 1)."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, "height", "width"])
    style = helper.make_tensor_value_info("style", TensorProto.FLOAT, ["batch", styles])
    out = helper.make_tensor_value_info("translation", TensorProto.FLOAT, ["batch", 1, "height", "width"])
    nodes = [helper.make_node("Mul", ["image", "half"], ["halved" if styles else "translation"])]
    constants = [numpy_helper.from_array(np.float32(0.5), "half")]
    if styles:
        nodes += [
            helper.make_node("MatMul", ["style", "levels"], ["added"]),
            helper.make_node("Unsqueeze", ["added", "axes"], ["flat"]),
            helper.make_node("Add", ["halved", "flat"], ["translation"]),
        ]
        constants += [numpy_helper.from_array(LEVELS, "levels"), numpy_helper.from_array(np.array([2, 3]), "axes")]
    inputs = [image, style] if styles else [image]
    graph = helper.make_graph(nodes, "small", inputs, [out], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.fixture
def exported(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a model file of a graph that halves pictures: `exported(styles=("pen", "chalk"))`."""

    def write(name: str = "model.onnx", **changes: Any) -> Path:
        values: dict[str, Any] = {
            **{"photo_channels": 1, "sketch_channels": 1, "longest_side": 32, "frame": None, "multiple": 4},
            **{"directions": ("photo2sketch",), **changes},
        }
        needs = Preprocessing(**values)
        header = write_header(RunConfig(method=MethodConfig(name="pix2pix")), needs, {"epoch": 2})
        path = tmp_path / name
        path.write_bytes(with_header(_graph(len(needs.styles)), header))
        return path

    return write
