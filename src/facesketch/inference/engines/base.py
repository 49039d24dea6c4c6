"""What computes a translation: PyTorch, ONNX Runtime or OpenVINO, behind one call on arrays."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import Direction, RunConfig
from facesketch.faces.colours import AUTO, Colours

IMAGE, STYLE, TRANSLATION = "image", "style", "translation"
"""Names of an exported graph's inputs, (N, C, H, W) in [-1, 1] and (N, S + T), and of its output (N, C', H, W)."""


class Engine(Protocol):
    """A loaded network.

    Attributes:
        config: the settings it was trained with.
        preprocessing: what pictures it takes.
    """

    config: RunConfig
    preprocessing: Preprocessing

    def run(
        self,
        images: NDArray[np.float32],
        direction: Direction,
        style: str | None = None,
        colours: Colours = AUTO,
    ) -> NDArray[np.float32]:
        """Translate (N, C, H, W) in [-1, 1] into (N, C', H, W) in [-1, 1]; may be called from several threads.

        Args:
            images: their sides are multiples of `preprocessing.multiple`, or `preprocessing.frame` if there is one.
            direction: one of `preprocessing.directions`.
            style: one of `preprocessing.styles`, or None for the first.
            colours: hints, only for the parts in `preprocessing.colours`.

        Raises:
            ConfigError: the model has no such style, or takes no such colour.
        """
        ...


def conditions(
    preprocessing: Preprocessing, style: str | None, colours: Colours, count: int
) -> NDArray[np.float32] | None:
    """Return what a network with styles or colours takes in addition to pictures; None for any other.

    Raises:
        ConfigError: the model has no such style, or takes no such colour.
    """
    told = preprocessing.conditions(style, colours, count)
    return told if preprocessing.styles or preprocessing.colours else None


def graph_inputs(
    preprocessing: Preprocessing, images: NDArray[np.float32], style: str | None, colours: Colours
) -> dict[str, NDArray[np.float32]]:
    """Return the inputs of an exported graph.

    Raises:
        ConfigError: the model has no such style, or takes no such colour.
    """
    told = conditions(preprocessing, style, colours, len(images))
    return {IMAGE: images} if told is None else {IMAGE: images, STYLE: told}
