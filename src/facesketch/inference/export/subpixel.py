"""Enlarging and then convolving, computed as one convolution before the enlargement.

Of nearest-neighbour enlargement by two and a 3x3 convolution, each of the four pixels that come of one sees only 2x2
different ones, so that four 2x2 convolutions of the small map give the same with 4/9 of the multiplications (Shi et
al., "Is the deconvolution layer the same as a convolutional layer?", 2016). The file keeps the 3x3 weights: runtimes
compute the others from them once, when a session starts.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

_PHASES = tuple(itertools.product((0, 1), repeat=2))
_KERNEL = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1], "dilations": [1, 1], "group": 1}


def fuse(model: onnx.ModelProto) -> int:
    """Replace every nearest-neighbour enlargement by two that only a 3x3 convolution sees, and return how many.

    Args:
        model: a float32 graph whose weights are initialisers; it is changed in place.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    uses = Counter(name for node in graph.node for name in node.input)
    enlarged = {node.output[0]: node for node in graph.node if _doubles(node, constants) and uses[node.output[0]] == 1}
    nodes: list[onnx.NodeProto] = []
    fused: set[str] = set()
    for node in graph.node:
        source = enlarged.get(node.input[0]) if node.op_type == "Conv" and _plain(node, constants) else None
        if source is None:
            nodes.append(node)
            continue
        fused.add(source.output[0])
        nodes += _phases(graph, node, source.input[0], tuple(constants[node.input[1]].dims))
    _replace(graph, [node for node in nodes if node.output[0] not in fused])
    return len(fused)


def _replace(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Put nodes in the place of those that are there, and drop the constants that none of them takes any more."""
    del graph.node[:]
    graph.node.extend(nodes)
    taken = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in taken]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _doubles(node: onnx.NodeProto, constants: dict[str, Any]) -> bool:
    import onnx

    if node.op_type != "Resize" or len(node.input) != 3 or node.input[2] not in constants:
        return False
    given = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    scales = onnx.numpy_helper.to_array(constants[node.input[2]]).tolist()
    asked = [given.get(name) for name in ("mode", "coordinate_transformation_mode", "nearest_mode")]
    return scales == [1, 1, 2, 2] and asked == [b"nearest", b"asymmetric", b"floor"]


def _plain(node: onnx.NodeProto, constants: dict[str, Any]) -> bool:
    """Tell whether a convolution is 3x3 with known weights, steps by one pixel and keeps the size."""
    import onnx

    weight = constants.get(node.input[1])
    given = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    given.pop("auto_pad", None)  # explicit pads say that it is not set
    known = {"dilations": [1, 1], "group": 1, "strides": [1, 1], **given}
    return weight is not None and tuple(weight.dims[2:]) == (3, 3) and {"kernel_shape": [3, 3], **known} == _KERNEL


def _phases(graph: onnx.GraphProto, conv: onnx.NodeProto, source: str, shape: tuple[int, ...]) -> list[onnx.NodeProto]:
    """Return nodes that compute `conv` of the enlarged `source` from `source` itself."""
    from onnx import helper, numpy_helper

    out, before = shape[:2]
    name = conv.output[0]
    nodes: list[onnx.NodeProto] = []

    def add(kind: str, inputs: list[str], result: str, **given: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [result], name=f"{result}.node", **given))
        return result

    def constant(values: NDArray[Any], label: str) -> str:
        graph.initializer.append(numpy_helper.from_array(values, f"{name}.{label}"))
        return f"{name}.{label}"

    flat = add("Reshape", [conv.input[1], constant(np.array([out * before, 9]), "flat")], f"{name}.flat_weight")
    folded = add("MatMul", [flat, constant(_fold(), "fold")], f"{name}.folded")
    apart = add("Reshape", [folded, constant(np.array([out, before, 4, 2, 2]), "apart")], f"{name}.apart_weight")
    outer = add("Transpose", [apart], f"{name}.outer_weight", perm=[2, 0, 1, 3, 4])
    weight = add("Reshape", [outer, constant(np.array([4 * out, before, 2, 2]), "shape")], f"{name}.weight")
    bias = [add("Concat", [conv.input[2]] * 4, f"{name}.bias", axis=0)] if len(conv.input) > 2 else []
    grown = add("Conv", [source, weight, *bias], f"{name}.grown", kernel_shape=[2, 2], pads=[1, 1, 1, 1])
    # (N, 4 C, H + 1, W + 1): a phase begins at the first or the second row and column
    axes, parts, last = constant(np.array([1, 2, 3]), "axes"), [], np.iinfo(np.int64).max
    for place, (row, column) in enumerate(_PHASES):
        ends = [(place + 1) * out, last if row else -1, last if column else -1]
        bounds = [
            constant(np.array(values, dtype=np.int64), f"{label}{place}")
            for label, values in (("from", [place * out, row, column]), ("to", ends))
        ]
        parts.append(add("Slice", [grown, *bounds, axes], f"{name}.phase{place}"))
    joined = add("Concat", parts, f"{name}.joined", axis=1)  # (N, 4 C, H, W)
    add("DepthToSpace", [joined], name, blocksize=2, mode="DCR")  # (N, C, 2 H, 2 W)
    return nodes


def _fold() -> NDArray[np.float32]:
    """Return (9, 16): which of the 3x3 weights each of the 2x2 weights of each phase is the sum of."""
    fold = np.zeros((3, 3, 2, 2, 2, 2), dtype=np.float32)
    for row, column in _PHASES:
        for down, across in itertools.product(range(3), repeat=2):
            fold[down, across, row, column, (down + 1 - row) // 2, (across + 1 - column) // 2] = 1
    return fold.reshape(9, 16)
