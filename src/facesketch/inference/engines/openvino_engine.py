"""Translation with OpenVINO, from the same exported model as ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facesketch.checkpoints.header import read_header, require_finite
from facesketch.config import Direction
from facesketch.devices import threads
from facesketch.errors import CheckpointError, ResourceError, require
from facesketch.faces.colours import AUTO, Colours
from facesketch.inference.engines.base import graph_inputs
from facesketch.inference.engines.onnx_engine import does_not_run


class OpenVinoEngine:
    """Runs an `.onnx` file on a processor; the convolutions of a file exported as int8 compute in int8.

    Args:
        path: a file that `facesketch export` wrote.
        precision: `f32`, or `bf16` for processors that compute in it (AVX-512 BF16, AMX), where it is faster.
        device: `auto` or `cpu`.

    Raises:
        CheckpointError: the file is missing, damaged or not a facesketch model.
        MissingExtraError: OpenVINO is not installed.
        ResourceError: the device is not the processor.
    """

    def __init__(self, path: Path, precision: Literal["f32", "bf16"] = "f32", device: str = "cpu") -> None:
        if device not in {"auto", "cpu"}:
            raise ResourceError(f"`device` {device}: OpenVINO runs only on the processor here", "expected auto or cpu")
        self._name = str(path)
        header = read_header(path)
        require_finite(path)
        self.config, self.preprocessing = header.config, header.preprocessing
        require("openvino", "`engine` openvino")
        import openvino

        settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": str(threads())}
        try:
            self._model = openvino.compile_model(str(path), "CPU", settings)
        except RuntimeError as error:
            line = str(error).strip().splitlines()[-1]
            raise CheckpointError(f"{path}: OpenVINO cannot read the graph ({line})", "export it again") from error

    def run(
        self,
        images: NDArray[np.float32],
        direction: Direction,
        style: str | None = None,
        colours: Colours = AUTO,
    ) -> NDArray[np.float32]:
        """Translate (N, C, H, W) in [-1, 1], as every engine does."""
        request = self._model.create_infer_request()  # one per call: a request serves one thread at a time
        inputs = graph_inputs(self.preprocessing, images, style, colours)
        try:
            outputs = request.infer(inputs)
        except RuntimeError as error:
            raise does_not_run(self._name, error) from error
        return np.array(outputs[0], dtype=np.float32)
