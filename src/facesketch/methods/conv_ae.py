"""Convolutional autoencoder (CAE): six strided convolutions down to 2x2, and back up, without skips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from facesketch import losses
from facesketch.config import DataConfig, Direction, Frozen
from facesketch.data.datasets import Batch
from facesketch.methods.base import Defaults, Method, Phase, adam, power_of_two
from facesketch.networks.conv import ConvAutoencoder


class ConvAEOptions(Frozen):
    """Settings of `conv-ae`."""

    loss: Literal["mse", "mae", "bce", "ssim"] = "mse"
    """Loss on [0, 1]; `ssim` is 1 - SSIM, the structural loss that the study's text names."""
    noise: Annotated[float, Field(ge=0)] = 0.0
    """Spread of the Gaussian noise on the source while it learns, of [0, 1]: a denoising autoencoder."""
    encoder: Literal["study", "vgg16", "resnet", "lenet"] = "study"
    """Which encoder stands before the study's decoder."""
    encoder_weights: Path | None = None
    """A safetensors file with the encoder's trained weights (vgg16 only); read once, at the start of a training."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the channels' values dropped after the first and third layer up."""


class ConvAE(Method):
    """The study's CAE with a mean squared, mean absolute, cross-entropy or structural loss, denoising if asked to.

    With `noise` it is a denoising autoencoder (Gondara 2016, who adds 0.1 times a draw from N(0, 1)): while it learns,
    the source goes in corrupted and the target stays clean. The network stays the study's; Gondara's is smaller and
    gives back the picture itself.
    """

    title = "Convolutional autoencoder"
    defaults = Defaults(epochs=500, batch_size=32, learning_rate=1e-3, channels_last=True)
    Options = ConvAEOptions
    fixed = True

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
        yield Phase("generator", losses.pixel_loss(self.loss, logits, losses.to_unit(batch.target)))

    def _corrupted(self, source: Tensor) -> Tensor:
        """Return the source with noise in training, and as it is in validation."""
        if not (self.noise and self.training):
            return source
        return source + 2 * self.noise * torch.randn_like(source)  # [-1, 1] is twice as wide as [0, 1]

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, S, S) pictures in [-1, 1]."""
        return losses.from_unit(self.generator(images).float().sigmoid())

    def optimisers(self, learning_rate: float) -> dict[str, torch.optim.Optimizer]:
        """Adam with its usual moments."""
        return {"generator": adam([self.generator], learning_rate, self.defaults.betas)}
