"""What computes a translation: PyTorch, ONNX Runtime or OpenVINO, behind one call on arrays."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import Direction, RunConfig

IMAGE, STYLE, TRANSLATION = "image", "style", "translation"
"""Names of an exported graph's inputs, (N, C, H, W) in [-1, 1] and (N, S), and of its output (N, C', H, W)."""


class Engine(Protocol):
    """A loaded network.

    Attributes:
        config: the settings it was trained with.
        preprocessing: what pictures it takes.
    """

    config: RunConfig
    preprocessing: Preprocessing

    def run(self, images: NDArray[np.float32], direction: Direction, style: str | None = None) -> NDArray[np.float32]:
        """Translate (N, C, H, W) in [-1, 1] into (N, C', H, W) in [-1, 1]; may be called from several threads.

        Args:
            images: sides multiples of `preprocessing.multiple`, or `preprocessing.frame` square where there is one.
            direction: one of `preprocessing.directions`.
            style: one of `preprocessing.styles`, or None for the first.

        Raises:
            ConfigError: the model has no such style.
        """
        ...


def graph_inputs(
    preprocessing: Preprocessing, images: NDArray[np.float32], style: str | None
) -> dict[str, NDArray[np.float32]]:
    """Return what an exported graph takes.

    Raises:
        ConfigError: the model has no such style.
    """
    if not preprocessing.styles and style is None:
        return {IMAGE: images}
    return {IMAGE: images, STYLE: preprocessing.style_weights(style, len(images))}
