"""Pencil filter: grey, inverted, blurred, dodged. Nothing is learned; a floor that every model has to beat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from facesketch.config import DataConfig, Direction, Frozen
from facesketch.data.datasets import Batch
from facesketch.errors import ConfigError
from facesketch.losses import from_unit, to_unit
from facesketch.methods.base import Defaults, Method, Phase
from facesketch.tensors import with_channels


class PencilOptions(Frozen):
    """Settings of `pencil`."""

    sigma: Annotated[float, Field(gt=0)] = 5.0
    """Width of the blur, in pixels of a picture 256 high."""


class Pencil(Method):
    """Colour dodge of the grey picture by its blurred negative: result = grey / (1 - blur(1 - grey))."""

    title = "Pencil filter"
    learned = False
    directions = ("photo2sketch",)
    defaults = Defaults(epochs=1, batch_size=1, learning_rate=1e-3)
    Options = PencilOptions

    def __init__(self, options: PencilOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.sigma = options.sigma

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """Refuse: there is nothing to learn."""
        raise ConfigError("pencil needs no training; type: facesketch translate PHOTO --model pencil --out SKETCH")

    def optimisers(self, learning_rate: float) -> dict[str, torch.optim.Optimizer]:
        """Return none: there is nothing to learn."""
        return {}

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Draw (N, C, H, W) photos in [-1, 1] as grey sketches in [-1, 1]."""
        grey = with_channels(to_unit(images), 1)  # (N, 1, H, W) in [0, 1]
        sigma = self.sigma * max(images.shape[-2:]) / 256
        sketch = (grey / _blur(grey, sigma).clamp_min(1e-3)).clamp(0.0, 1.0)
        return from_unit(sketch).expand(-1, self.data.sketch_channels, -1, -1)


def _blur(image: Tensor, sigma: float) -> Tensor:
    """Blur a (N, 1, H, W) picture by a Gaussian; the blurred negative is one minus the blurred."""
    radius = max(1, int(3 * sigma + 0.5))
    offsets = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, -1, 1)
    padded = F.pad(image, (radius, radius, radius, radius), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel), kernel.transpose(2, 3))
