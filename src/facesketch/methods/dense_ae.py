"""Dense autoencoder: every pixel to every unit. The study found it vague and heavy, and so will you."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.methods import losses
from facesketch.methods.base import Method, Phase
from facesketch.methods.families import DenseAEFamily, DenseAEOptions
from facesketch.methods.networks.dense import DenseAutoencoder


class DenseAE(DenseAEFamily, Method):
    """The networks and losses of `dense-ae`."""

    fixed = True
    phases: ClassVar = {"autoencoder": ("generator",)}

    def __init__(self, options: DenseAEOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.loss = options.loss
        self.generator = DenseAutoencoder(
            self.source_channels, self.target_channels, self.frame, hidden=(options.hidden,), latent=options.latent
        )

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """One phase: the pixel loss between the picture and the target, both in [0, 1]."""
        logits = self.generator(batch.source)  # (N, C, S, S)
        yield Phase("autoencoder", losses.pixel_loss(self.loss, logits, losses.to_unit(batch.target)))

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, S, S) pictures in [-1, 1]."""
        return losses.from_unit(self.generator(images).float().sigmoid())
