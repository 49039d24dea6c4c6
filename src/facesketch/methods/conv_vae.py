"""Convolutional variational autoencoder (CVAE), after Kingma and Welling (2014), translating rather than copying."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.methods import losses
from facesketch.methods.base import Method, Phase, power_of_two
from facesketch.methods.families import ConvVAEFamily, ConvVAEOptions
from facesketch.methods.networks.conv_autoencoders import ConvVAE as ConvVAENetwork


class ConvVAE(ConvVAEFamily, Method):
    """The networks and losses of `conv-vae`."""

    fixed = True
    phases: ClassVar = {"autoencoder": ("generator",)}

    def __init__(self, options: ConvVAEOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.reconstruction, self.beta = options.reconstruction, options.beta
        self.generator = ConvVAENetwork(self.source_channels, self.target_channels, self.frame, latent=options.latent)

    @property
    def frame(self) -> int:
        """The next power of two: each layer halves the side, down to 2x2."""
        return power_of_two(self.data.size)

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """One phase: the negative evidence lower bound, with the mean over channels as in the study."""
        logits, mean, log_variance = self.generator(batch.source)
        per_pixel = losses.pixel_loss(self.reconstruction, logits, losses.to_unit(batch.target))
        reconstruction = per_pixel * self.frame**2
        divergence = losses.kl_divergence(mean, log_variance)
        loss = reconstruction + self.beta * divergence
        yield Phase("autoencoder", loss, {"reconstruction": reconstruction.detach(), "divergence": divergence.detach()})

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, S, S) pictures in [-1, 1] through the mean of the code, without noise."""
        mean, _ = self.generator.encode(images)
        return losses.from_unit(self.generator.decode(mean).float().sigmoid())
