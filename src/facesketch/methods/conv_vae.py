"""Convolutional variational autoencoder (CVAE), after Kingma and Welling (2014), translating rather than copying."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.methods import losses
from facesketch.methods.base import Method, Phase
from facesketch.methods.families import ConvVAEOptions
from facesketch.methods.networks.blocks import Linear, initialise_glorot, normed_activation, widths_of_levels


class VariationalAutoencoder(nn.Module):
    """The study's convolutional variational autoencoder.

    At 256 with three channels each way it has 5,524,775, 5,537,067 or 5,586,235 parameters for a latent of 2, 4 or 12.
    The encoder is 3x3 stride-2 convolutions, 8 to 512 wide, with batch norm on layers 3, 5, 6 and 7; two linear layers
    give the mean and the logarithm of the variance; the decoder mirrors the encoder, with dropout 0.1 after its first
    and third layers, and ends in a 3x3 transposed convolution. `size` is a power of two, 32 or more: smaller sizes drop
    the widest layers, larger ones repeat the widest.

    Raises:
        ConfigError: a size that does not fit.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int = 256, latent: int = 12) -> None:
        super().__init__()
        widths = widths_of_levels((8, 16, 32, 64, 128, 256, 512), size, 1)
        inward: list[nn.Module] = []  # each layer halves the sides, down to 2x2
        for number, (before, after) in enumerate(pairwise([in_channels, *widths]), 1):
            inward.append(nn.Conv2d(before, after, 3, stride=2, padding=1))
            inward += normed_activation(after, number not in {1, 2, 4})
        self.encoder = nn.Sequential(*inward, nn.Flatten())
        self.mean = Linear(widths[-1] * 4, latent)
        self.log_variance = Linear(widths[-1] * 4, latent)
        outward = widths[::-1]
        layers: list[nn.Module] = [Linear(latent, outward[0] * 4), nn.LeakyReLU(0.2, inplace=True)]
        layers.append(nn.Unflatten(1, (outward[0], 2, 2)))
        for number, (before, after) in enumerate(pairwise([outward[0], *outward]), 1):  # each layer doubles the sides
            layers.append(nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            layers += [nn.Dropout(0.1)] if number in {1, 3} else []
        self.decoder = nn.Sequential(*layers, nn.ConvTranspose2d(outward[-1], out_channels, 3, padding=1))
        initialise_glorot(self)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, in_channels, size, size) in [-1, 1] -> mean and log-variance, each (N, latent)."""
        features = self.encoder(x)  # (N, 2048) at 256
        return self.mean(features), self.log_variance(features)

    def decode(self, z: Tensor) -> Tensor:
        """(N, latent) -> logits (N, out_channels, size, size); a sigmoid turns them into [0, 1]."""
        return self.decoder(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, mean and log-variance; the code is a draw in training and the mean itself in evaluation."""
        mean, log_variance = self.encode(x)
        z = reparameterise(mean, log_variance) if self.training else mean
        return self.decode(z), mean, log_variance


def reparameterise(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Draw z = mean + exp(log_variance / 2) * noise, so that gradients reach both (Kingma & Welling 2014, eq. 10)."""
    return mean + torch.randn_like(mean) * (0.5 * log_variance).exp()


class ConvVAE(Method):
    """The losses of `conv-vae`."""

    Options = ConvVAEOptions
    fixed = halves = True
    phases: ClassVar = {"autoencoder": ("generator",)}

    def __init__(self, options: ConvVAEOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.generator = VariationalAutoencoder(self.source_channels, self.target_channels, self.frame, options.latent)

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """One phase: the negative evidence lower bound, with the mean over channels as in the study."""
        logits, mean, log_variance = self.generator(batch.source)
        per_pixel = losses.pixel_loss(self.options.reconstruction, logits, losses.to_unit(batch.target))
        divergence = losses.kl_divergence(mean, log_variance)
        parts = {"reconstruction": (1, per_pixel * self.frame**2), "divergence": (self.options.beta, divergence)}
        yield Phase.weighted("autoencoder", **parts)

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, S, S) pictures in [-1, 1] through the mean of the code, without noise."""
        mean, _ = self.generator.encode(images)
        return losses.from_unit(self.generator.decode(mean).float().sigmoid())
