"""The sparse autoencoder with tied weights (Le et al., ICML 2011)."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from facesketch.images.tensors import with_channels
from facesketch.methods.networks.blocks import Linear, initialise_glorot


class SparseAutoencoder(nn.Module):
    """One layer of sigmoid units, and the same weights back: sigma(W^T sigma(W x + b) + c).

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
