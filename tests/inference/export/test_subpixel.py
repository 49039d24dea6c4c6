"""A convolution before an enlargement gives what it gave after it; everything else in a graph is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F

from facesketch.inference.export.subpixel import fuse
from facesketch.weights.session import open_session

RESIZE = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def _model(
    weight: np.ndarray,
    bias: np.ndarray | None,
    resize: dict[str, Any] | None = None,
    scales: tuple[float, ...] = (1, 1, 2, 2),
    seen_twice: bool = False,
    **conv: Any,
) -> onnx.ModelProto:
    names = ["x", "y"]
    value, out = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None, "h", "w"]) for name in names)
    given = {"kernel_shape": list(weight.shape[2:]), "pads": [1, 1, 1, 1]} | conv
    inputs = ["grown", "weight"] if bias is None else ["grown", "weight", "bias"]
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["grown"], **(resize or RESIZE)),
        helper.make_node("Conv", inputs, ["y"], **given),
    ]
    outs = [out]
    if seen_twice:
        nodes.append(helper.make_node("Relu", ["grown"], ["z"]))
        outs.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", None, "h", "w"]))
    constants = {"scales": np.array(scales, np.float32), "weight": weight} | ({} if bias is None else {"bias": bias})
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", [value], outs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def _numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3), (8, 8)])
def test_the_same_comes_out(size: tuple[int, int], biased: bool) -> None:
    weight, bias = _numbers(5, 3, 3, 3), _numbers(5) if biased else None
    model = _model(weight, bias)
    assert fuse(model) == 1
    onnx.checker.check_model(model, full_check=True)
    assert "Resize" not in {node.op_type for node in model.graph.node}
    images = _numbers(2, 3, *size)
    (result,) = open_session(model.SerializeToString(), "fused").run(None, {"x": images})
    enlarged = F.interpolate(torch.from_numpy(images), scale_factor=2, mode="nearest")
    expected = F.conv2d(enlarged, torch.from_numpy(weight), None if bias is None else torch.from_numpy(bias), padding=1)
    np.testing.assert_allclose(result, expected.numpy(), atol=2e-5)


def test_the_file_keeps_the_weights_it_had() -> None:
    model = _model(_numbers(64, 32, 3, 3), None)
    before = len(model.SerializeToString())
    fuse(model)
    assert len(model.SerializeToString()) < before + 3000


@pytest.mark.parametrize(
    "changes",
    [
        {"resize": {**RESIZE, "mode": "linear"}},
        {"resize": {**RESIZE, "nearest_mode": "ceil"}},
        {"resize": {**RESIZE, "coordinate_transformation_mode": "half_pixel"}},
        {"scales": (1, 1, 4, 4)},
        {"scales": (1, 1, 2, 1)},
        {"seen_twice": True},
        {"strides": [2, 2]},
        {"dilations": [2, 2], "pads": [2, 2, 2, 2]},
        {"pads": [0, 0, 0, 0]},
    ],
)
def test_what_is_something_else_is_left_alone(changes: dict[str, Any]) -> None:
    model = _model(_numbers(5, 3, 3, 3), None, **changes)
    before = model.SerializeToString()
    assert fuse(model) == 0
    assert model.SerializeToString() == before


def test_other_kernels_and_groups_are_left_alone() -> None:
    for weight, given in ((_numbers(5, 3, 5, 5), {"pads": [2, 2, 2, 2]}), (_numbers(3, 1, 3, 3), {"group": 3})):
        assert fuse(_model(weight, None, **given)) == 0
