"""What comes with which extra, and the one line that tells what to install."""

from __future__ import annotations

from importlib.util import find_spec

from facesketch.errors import MissingExtraError

EXTRAS: dict[str, tuple[str, ...]] = {
    "train": ("torch", "lightning_fabric", "torchmetrics", "matplotlib", "jinja2"),
    "export": ("torch", "onnx", "onnxscript"),
    "search": ("lancedb", "pyarrow", "matplotlib"),
    "serve": ("fastapi", "uvicorn", "python_multipart"),
    "openvino": ("openvino",),
    "bulk": ("ray",),
}
"""The modules that each extra brings, as they are imported."""


def require(extra: str, what: str) -> None:
    """Check that an extra is installed.

    Args:
        extra: a key of `EXTRAS`.
        what: what needs it, to begin the line with.

    Raises:
        MissingExtraError: a part of it is missing.
    """
    missing = [name for name in EXTRAS[extra] if find_spec(name) is None]
    if missing:
        be = "is" if len(missing) == 1 else "are"
        names = " and ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
        raise MissingExtraError(
            f"{what} needs {names}, which {be} not installed; type: pip install 'facesketch[{extra}]'"
        )
