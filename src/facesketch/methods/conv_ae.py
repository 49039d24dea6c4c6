"""Convolutional autoencoder (CAE): six strided convolutions down to 2x2, and back up, without skips."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.methods import losses
from facesketch.methods.base import Method, Phase, power_of_two
from facesketch.methods.families import ConvAEFamily, ConvAEOptions
from facesketch.methods.networks.conv_autoencoders import ConvAutoencoder


class ConvAE(ConvAEFamily, Method):
    """The networks and losses of `conv-ae`.

    With `noise` it is a denoising autoencoder (Gondara 2016, who adds 0.1 times a draw from N(0, 1)): while it learns,
    the source goes in corrupted and the target stays clean. The network stays the study's; Gondara's is smaller and
    gives back the picture itself.
    """

    fixed = True
    phases: ClassVar = {"autoencoder": ("generator",)}

    def __init__(self, options: ConvAEOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.loss, self.noise = options.loss, options.noise
        self.generator = ConvAutoencoder(
            self.source_channels,
            self.target_channels,
            self.frame,
            encoder=options.encoder,
            dropout=options.dropout,
            encoder_weights=options.encoder_weights,
        )

    @property
    def frame(self) -> int:
        """The next power of two: 256→127→62→30→14→6→2 only comes out even from there."""
        return power_of_two(self.data.size)

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """One phase: the loss between the picture and the target, both in [0, 1]."""
        logits = self.generator(self._corrupted(batch.source))  # (N, C, S, S)
        yield Phase("autoencoder", losses.pixel_loss(self.loss, logits, losses.to_unit(batch.target)))

    def _corrupted(self, source: Tensor) -> Tensor:
        """Return the source with noise in training, and as it is in validation."""
        if not (self.noise and self.training):
            return source
        return source + 2 * self.noise * torch.randn_like(source)  # [-1, 1] is twice as wide as [0, 1]

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, S, S) pictures in [-1, 1]."""
        return losses.from_unit(self.generator(images).float().sigmoid())
