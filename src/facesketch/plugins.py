"""What other distributions add: entry points of the groups `facesketch.methods`, `.metrics` and `.embedders`."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Any

from facesketch.errors import ConfigError


def added(group: str, taken: Iterable[str] = ()) -> dict[str, str]:
    """Return what distributions add to a group: by name, sorted, the path `module:attribute`.

    Args:
        group: `methods`, `metrics` or `embedders`.
        taken: names that the package keeps for itself.
    """
    points = {point.name: point.value for point in entry_points(group=f"facesketch.{group}")}
    return {name: points[name] for name in sorted(points.keys() - set(taken))}


def load(what: str, name: str, path: str) -> Any:
    """Import what a path names.

    Args:
        what: `method`, `metric` or `embedder`, for the error.
        name: its name.
        path: `module:attribute`.

    Raises:
        ConfigError: it cannot be imported.
    """
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{what} '{name}': {path} cannot be imported ({error})") from error
