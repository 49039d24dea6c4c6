"""Open ONNX models with ONNX Runtime: ours, and those that the OpenCV Zoo publishes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from facesketch.devices import threads
from facesketch.errors import CheckpointError, ResourceError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def open_session(model: bytes, name: str, device: str = "cpu", *, published: bool = False) -> InferenceSession:
    """Return a session over the bytes of an ONNX file.

    Args:
        model: the file's content.
        name: what to call it in an error.
        device: `auto`, `cpu` or `cuda`.
        published: someone else's model, which finds or describes faces. Its 8-bit weights become float32 when the
            session starts, not at each run. It computes in one thread, since several threads use it together.

    Raises:
        CheckpointError: ONNX Runtime cannot read the graph.
        ResourceError: the device is not there.
    """
    import onnxruntime

    provider = _PROVIDERS.get("cpu" if device == "auto" else device)
    there = onnxruntime.get_available_providers()
    if provider not in there:
        known = ", ".join(device for device, provider in _PROVIDERS.items() if provider in there)
        raise ResourceError(f"`device` {device}: ONNX Runtime has no such device here", f"expected auto or {known}")
    elsewhere = provider != _PROVIDERS["cpu"]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = 1 if published else threads()
    options.enable_mem_pattern = False  # it plans for one shape, and pictures come in many
    # a thread that waits by spinning takes the processor from those that read and write pictures meanwhile
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_quant_qdq", str(int(published)))
    try:  # without the fallback, which prints to the standard output that it computes on the processor
        session = onnxruntime.InferenceSession(model, options, providers=[provider], enable_fallback=0)
    except Exception as error:  # each kind of damage has its own exception, and their base is Exception itself
        line = str(error).splitlines()[0]
        if elsewhere:
            raise ResourceError(f"`device` {device}: ONNX Runtime cannot use it ({line})", "try cpu") from error
        hint = "fetch it again" if published else "export it again"
        raise CheckpointError(f"{name}: ONNX Runtime cannot read the graph ({line})", hint) from error
    if elsewhere and provider not in session.get_providers():  # it was built for the device, and found no driver
        raise ResourceError(f"`device` {device}: ONNX Runtime cannot use it here", "check its drivers, or try cpu")
    return session


def open_published(path: Path, rewritten: Callable[[bytes], bytes]) -> InferenceSession:
    """Return a session over a file of the OpenCV Zoo.

    Args:
        path: the file.
        rewritten: turns the file's bytes into what ONNX Runtime can read, or runs faster.

    Raises:
        CheckpointError: the file is missing or damaged, or ONNX Runtime cannot read it.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file", "type `facesketch models fetch`, or give an ONNX model")
    try:
        model = rewritten(path.read_bytes())
    except ValueError as error:
        raise CheckpointError(f"{path}: damaged, or not a model file ({error})", "fetch it again") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({(error.strerror or 'error').lower()})") from error
    return open_session(model, str(path), published=True)
