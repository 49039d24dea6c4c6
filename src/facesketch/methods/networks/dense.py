"""The fully connected autoencoder, the study's first and weakest family, and the sparse one with tied weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise

import torch
from torch import Tensor, nn

from facesketch.images.tensors import with_channels
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


class SparseAutoencoder(nn.Module):
    """One layer of sigmoid units, and the same weights back: sigma(W^T sigma(W x + b) + c) (Le et al., ICML 2011).

    (N, in_channels, size, size) in [-1, 1] -> logits of the target (N, channels, size, size) and of the units
    (N, units); a sigmoid turns either into [0, 1].

    Tied weights want one shape on both sides. So `channels` is the larger of the two numbers: a source of one channel
    is repeated to the three of its target, and a target of one is the mean of three. W is kept once and serves twice,
    half of what an encoder and a decoder would take: at 256 pixels 25 million numbers for 128 units.

    Args:
        in_channels: channels of the source.
        out_channels: channels of the target.
        size: side of the square pictures.
        units: rows of W.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int, units: int) -> None:
        super().__init__()
        self.channels = max(in_channels, out_channels)
        self.shape = (self.channels, size, size)
        self.units = Linear(self.channels * size * size, units)  # W and b
        self.bias = nn.Parameter(torch.zeros(self.units.in_features))  # c
        initialise_glorot(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the target and of the units."""
        units = self.units(with_channels(x, self.channels).flatten(1))  # (N, units)
        in_half = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        with torch.autocast("cpu", enabled=False) if in_half else nullcontext():  # for the reasons given at `Linear`
            logits = torch.addmm(self.bias, units.sigmoid(), self.units.weight)  # (N, channels * size * size)
        return logits.unflatten(1, self.shape), units
