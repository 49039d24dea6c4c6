"""The fully connected autoencoder, the study's first and weakest family."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from facesketch.methods.networks.blocks import Linear, initialise_glorot


class DenseAutoencoder(nn.Module):
    """Fully connected encoder and mirrored decoder around a small latent vector.

    (N, in_channels, size, size) in [-1, 1] -> logits (N, out_channels, size, size); a sigmoid turns them into [0, 1].
    The study gives no sizes. The first and last layers hold nearly all weights, about `hidden[0] * size**2 *
    (in_channels + out_channels)`: 50 million for the defaults at 256 with three channels each way.

    Args:
        in_channels: channels of the source.
        out_channels: channels of the target.
        size: side of the square pictures.
        hidden: widths of the encoder's hidden layers; the decoder mirrors them.
        latent: width of the bottleneck, which has no activation.
    """

    def __init__(
        self, in_channels: int, out_channels: int, size: int, hidden: Sequence[int] = (128,), latent: int = 64
    ) -> None:
        super().__init__()
        self.shape = (out_channels, size, size)
        self.encoder = _perceptron([in_channels * size * size, *hidden, latent])
        self.decoder = _perceptron([latent, *reversed(hidden), math.prod(self.shape)])
        initialise_glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the target."""
        latent = self.encoder(x.flatten(1))  # (N, latent)
        logits: Tensor = self.decoder(latent).unflatten(1, self.shape)  # (N, out, size, size)
        return logits


def _perceptron(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with a leaky ReLU between each two."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [Linear(before, after), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers[:-1])
