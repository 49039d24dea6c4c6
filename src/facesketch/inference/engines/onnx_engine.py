"""Translation with ONNX Runtime, from an exported model; PyTorch is not needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesketch.checkpoints.header import read_header, require_finite
from facesketch.config import Direction
from facesketch.errors import CheckpointError
from facesketch.faces.colours import AUTO, Colours
from facesketch.inference.engines.base import graph_inputs
from facesketch.weights.session import open_session


class OnnxEngine:
    """Runs an `.onnx` file that `facesketch export` wrote.

    Args:
        path: the file.
        device: `auto` and `cpu` use the processor; `cuda` needs the package `onnxruntime-gpu`.

    Raises:
        CheckpointError: the file is missing, damaged or not a facesketch model.
        ResourceError: the device is not there.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        header = read_header(path)
        require_finite(path)
        self.config, self.preprocessing = header.config, header.preprocessing
        self._name = str(path)
        self._session = open_session(path.read_bytes(), str(path), device)

    def run(
        self,
        images: NDArray[np.float32],
        direction: Direction,
        style: str | None = None,
        colours: Colours = AUTO,
    ) -> NDArray[np.float32]:
        """Translate (N, C, H, W) in [-1, 1], as every engine does."""
        inputs = graph_inputs(self.preprocessing, images, style, colours)
        try:
            (result,) = self._session.run(None, inputs)
        except Exception as error:  # as in `open_session`
            raise does_not_run(self._name, error) from error
        return np.asarray(result, dtype=np.float32)


def does_not_run(name: str, error: Exception) -> CheckpointError:
    """Return the error for a graph that takes other pictures than its header says."""
    line = str(error).strip().splitlines()[-1:] or [type(error).__name__]
    return CheckpointError(
        f"{name}: the graph does not run on what its header says ({line[0][:200]})", "export it again"
    )
