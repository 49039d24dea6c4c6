"""A trained network as an ONNX graph: traced from PyTorch for any batch and size, and written small.

The traced copy uses ONNX's own instance norm, where the exporter would make six nodes of the group norm that stands for
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from facesketch.config import ENDS, Direction
from facesketch.errors import require
from facesketch.inference.engines.base import IMAGE, STYLE, TRANSLATION
from facesketch.inference.export.quantise import quiet
from facesketch.methods.base import Method

if TYPE_CHECKING:
    import onnx

_OPSET = 18


class Graph(nn.Module):
    """What is exported of a method: (N, C, H, W) and (N, S + T) styles and colours -> (N, C', H, W), in [-1, 1].

    Args:
        method: a method in evaluation mode.
        direction: one that it serves.
    """

    def __init__(self, method: Method, direction: Direction) -> None:
        super().__init__()
        self.method, self.direction = method, direction

    def forward(self, image: Tensor, style: Tensor | None = None) -> Tensor:
        """Translate, in the mixture of styles and with the colours given where the method has any."""
        return self.method.translate(image, self.direction) if style is None else self.method.draw(image, style)


def trace(method: Method, direction: Direction) -> onnx.ModelProto:
    """Return a method's network as a float32 graph of one direction.

    Args:
        method: a trained method; it stays as it is.
        direction: one that it serves.

    Returns:
        A graph with the input `image`, for methods with styles or colours `style`, and the output `translation`. The
        batch is open, and so are both sides in steps of `method.multiple` unless the method's size is fixed.

    Raises:
        MissingExtraError: the exporter is not installed.
    """
    require("export", "export")
    graph = Graph(_with_instance_norms(deepcopy(method).cpu().float().eval()), direction)
    example, shapes = _example(method, direction)
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph,
            kwargs=example,
            dynamic_shapes=shapes,
            input_names=list(example),
            output_names=[TRANSLATION],
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None, "the exporter returns a program when it is given no file"
    return _bare(program.model_proto)


def _example(method: Method, direction: Direction) -> tuple[dict[str, Tensor], dict[str, dict[int, Any]]]:
    """Return example inputs of ordinary size, and which of their dimensions may vary."""
    channels = method.data.channels(ENDS[direction][0])
    batch, step = Dim("batch", min=1), method.multiple
    height, width = (method.frame, method.frame) if method.fixed else (2 * step, 3 * step)
    example = {IMAGE: torch.zeros(2, channels, height, width)}
    shapes: dict[str, dict[int, Any]] = {IMAGE: {0: batch}}
    if not method.fixed:
        sides = [Dim(name, min=1) for name in ("rows", "columns")]
        shapes[IMAGE] |= {axis: step * side if step > 1 else side for axis, side in enumerate(sides, 2)}
    if method.conditions:
        example[STYLE], shapes[STYLE] = torch.zeros(2, method.conditions), {0: batch}
    return example, shapes


def _with_instance_norms(module: nn.Module) -> Any:
    """Replace every group norm of one channel a group, which is how `networks.blocks` writes an instance norm."""
    for name, child in module.named_children():
        if isinstance(child, nn.GroupNorm) and child.num_groups == child.num_channels:
            norm = nn.InstanceNorm2d(child.num_channels, child.eps, affine=child.affine)
            if child.affine:
                norm.weight, norm.bias = child.weight, child.bias
            setattr(module, name, norm.eval())
        else:
            _with_instance_norms(child)
    return module


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove what the exporter notes of this machine (stack traces, paths), and shapes that can be inferred."""
    model.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    model.graph.doc_string = ""
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    return model


def with_header(model: onnx.ModelProto, entries: Mapping[str, str]) -> bytes:
    """Return the bytes of a model file with these entries in its header."""
    del model.metadata_props[:]
    for key, value in sorted(entries.items()):
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
