"""Dense autoencoder: fully connected layers from every pixel to a code and back; large, and vague in what it draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor, nn

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.methods import losses
from facesketch.methods.base import Method, Phase
from facesketch.methods.families import DenseAEOptions
from facesketch.methods.networks.blocks import Linear, initialise_glorot


class DenseAutoencoder(nn.Module):
    """Fully connected encoder and mirrored decoder around a small code without activation.

    (N, in_channels, size, size) in [-1, 1] -> logits (N, out_channels, size, size); a sigmoid turns them into [0, 1].
    The first and last layers hold nearly all weights: 50 million for a `hidden` of 128 at 256 with three channels each.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int, hidden: int = 128, latent: int = 64) -> None:
        super().__init__()
        self.shape = (out_channels, size, size)

        def perceptron(before: int, after: int) -> nn.Sequential:
            return nn.Sequential(Linear(before, hidden), nn.LeakyReLU(0.2, inplace=True), Linear(hidden, after))

        self.encoder = perceptron(in_channels * size * size, latent)
        self.decoder = perceptron(latent, out_channels * size * size)
        initialise_glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        latent = self.encoder(x.flatten(1))  # (N, latent)
        return self.decoder(latent).unflatten(1, self.shape)  # (N, out, size, size)


class DenseAE(Method):
    """The losses of `dense-ae`."""

    Options = DenseAEOptions
    fixed = True
    phases: ClassVar = {"autoencoder": ("generator",)}

    def __init__(self, options: DenseAEOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        source, target = self.source_channels, self.target_channels
        self.generator = DenseAutoencoder(source, target, self.frame, options.hidden, options.latent)

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """One phase: the pixel loss between the picture and the target, both in [0, 1]."""
        logits = self.generator(batch.source)  # (N, C, S, S)
        yield Phase("autoencoder", losses.pixel_loss(self.options.loss, logits, losses.to_unit(batch.target)))

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, S, S) pictures in [-1, 1]."""
        return losses.from_unit(self.generator(images).float().sigmoid())
