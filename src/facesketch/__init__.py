"""Turn face photos into artists' sketches, and sketches into photos.

Each public name is loaded when you first use it, so `import facesketch` costs nothing.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# From 1.29 on ONNX Runtime tells its makers of every model that it loads, and keeps an identifier of the machine in the
# home folder, unless this is set before it is first imported. Nothing leaves the machine unless a verb says so.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from facesketch.errors import FacesketchError
    from facesketch.evaluation.evaluate import evaluate
    from facesketch.evaluation.publish import push
    from facesketch.evaluation.results import compare
    from facesketch.inference.model import Model, load
    from facesketch.methods.registry import create_model, list_methods
    from facesketch.search.gallery import Gallery
    from facesketch.training.trainer import resume, train

_PUBLIC = {
    "FacesketchError": "facesketch.errors",
    "Gallery": "facesketch.search.gallery",
    "Model": "facesketch.inference.model",
    "compare": "facesketch.evaluation.results",
    "create_model": "facesketch.methods.registry",
    "evaluate": "facesketch.evaluation.evaluate",
    "push": "facesketch.evaluation.publish",
    "list_methods": "facesketch.methods.registry",
    "load": "facesketch.inference.model",
    "resume": "facesketch.training.trainer",
    "train": "facesketch.training.trainer",
}
_NEED_TRAIN = {"evaluate": "measuring a model", "resume": "training", "train": "training"}
__all__ = [
    "FacesketchError",
    "Gallery",
    "Model",
    "__version__",
    "compare",
    "create_model",
    "evaluate",
    "list_methods",
    "load",
    "push",
    "resume",
    "study",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use (PEP 562)."""
    if name == "study":
        return importlib.import_module("facesketch.study")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'facesketch' has no attribute {name!r}")
    if name in _NEED_TRAIN:
        from facesketch.errors import require

        require("train", _NEED_TRAIN[name])
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    """List the public names without importing them."""
    return sorted(__all__)
