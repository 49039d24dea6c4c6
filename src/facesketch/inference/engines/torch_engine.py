"""Translation with PyTorch, from a run's own weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facesketch.checkpoints.checkpoint import load_method, preprocessing
from facesketch.config import Direction, RunConfig
from facesketch.devices import pick_device
from facesketch.faces.colours import AUTO, Colours
from facesketch.inference.engines.base import conditions
from facesketch.methods.base import Method


class TorchEngine:
    """Runs a method on a processor or a GPU.

    Args:
        method: put in evaluation mode and moved to the device.
        config: its settings.
        device: `auto`, `cpu`, `cuda` or `mps`.

    Raises:
        ResourceError: the device is not there.
    """

    def __init__(self, method: Method, config: RunConfig, device: str = "cpu") -> None:
        self.config, self.preprocessing = config, preprocessing(method)
        self._device = torch.device(pick_device(device))
        self._method = method.eval().to(self._device)

    @classmethod
    def open(cls, path: str, weights: str = "best", device: str = "auto") -> TorchEngine:
        """Return the engine of a run folder or a `.safetensors` file.

        Raises:
            CheckpointError: the file is missing, damaged or not a facesketch model.
            ResourceError: the device is not there.
        """
        method, config = load_method(Path(path), weights)
        return cls(method, config, device)

    @torch.inference_mode()
    def run(
        self,
        images: NDArray[np.float32],
        direction: Direction,
        style: str | None = None,
        colours: Colours = AUTO,
    ) -> NDArray[np.float32]:
        """Translate (N, C, H, W) in [-1, 1], as every engine does."""
        source = torch.from_numpy(images).to(self._device)
        told = conditions(self.preprocessing, style, colours, len(images))
        if told is None:
            result = self._method.translate(source, direction)
        else:
            result = self._method.draw(source, torch.from_numpy(told).to(self._device))
        array: NDArray[np.float32] = result.to("cpu", torch.float32).numpy()
        return array
