"""Translation with ONNX Runtime, from an exported model; PyTorch is not needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facesketch.checkpoints.header import read_header, require_finite
from facesketch.config import Direction
from facesketch.devices import threads
from facesketch.errors import CheckpointError, ResourceError
from facesketch.faces.colours import AUTO, Colours
from facesketch.inference.engines.base import graph_inputs

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_ERRORS_ONLY = 3


class OnnxEngine:
    """Runs an `.onnx` file that `facesketch export` wrote.

    Args:
        path: the file.
        device: `auto` and `cpu` take the processor; `cuda` needs the package `onnxruntime-gpu`.

    Raises:
        CheckpointError: the file is missing, damaged or not one of facesketch.
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


def open_session(model: bytes, name: str, device: str = "cpu") -> onnxruntime.InferenceSession:
    """Return a session over the bytes of an ONNX file.

    Args:
        model: the file's content.
        name: what to call it in an error.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        CheckpointError: ONNX Runtime cannot read the graph.
        ResourceError: the device is not there.
    """
    provider = _PROVIDERS.get("cpu" if device == "auto" else device)
    there = onnxruntime.get_available_providers()
    if provider not in there:
        known = ", ".join(device for device, provider in _PROVIDERS.items() if provider in there)
        raise ResourceError(f"`device` {device}: ONNX Runtime has no such device here", f"expected auto or {known}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads()
    options.enable_mem_pattern = False  # it plans for one shape, and pictures come in many
    # a thread that waits by spinning takes the processor from those that read and write pictures meanwhile
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model, options, providers=[provider])
    except Exception as error:  # each kind of damage has its own exception, and their base is Exception itself
        line = str(error).splitlines()[0]
        raise CheckpointError(f"{name}: ONNX Runtime cannot read the graph ({line})", "export it again") from error
