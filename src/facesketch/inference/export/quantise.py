"""Smaller graphs: weights kept as 16-bit floats, or convolutions computed in 8-bit integers."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

_LEAST = 256  # smaller tensors, scales and shifts, are left as they are
_CONVOLUTIONS = ["Conv", "ConvTranspose", "Gemm", "MatMul"]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings of the exporter and the quantiser, which advise what changes nothing here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph whose weights are stored as float16 and computed with as float32.

    Processors have no fast float16 arithmetic, but the file is half as large; ONNX Runtime turns the weights back once,
    when the session starts. What the graph takes and gives stays float32.
    """
    import onnx

    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    casts = []
    for tensor in halved.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _LEAST or np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(
            onnx.helper.make_node("Cast", [tensor.name], [name], name=f"{name}.cast", to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *halved.graph.node]
    del halved.graph.node[:]
    halved.graph.node.extend(nodes)
    return halved


def quantise(model: onnx.ModelProto, calibration: Iterable[Mapping[str, NDArray[np.float32]]]) -> onnx.ModelProto:
    """Return a graph whose convolutions and matrix products compute in int8, one scale a channel of the weights.

    Args:
        model: a float32 graph.
        calibration: inputs from which the range of every layer's values is learned.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(calibration)

        def get_next(self) -> dict[str, Any] | None:
            inputs = next(self._left, None)
            return None if inputs is None else dict(inputs)

    with quiet(), tempfile.TemporaryDirectory(prefix="facesketch-") as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_CONVOLUTIONS,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(target)
