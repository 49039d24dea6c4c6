"""Sparse autoencoder with tied weights: few units answer to each face.

Le et al., "On optimization methods for deep learning", ICML 2011; the study's equation 1, which it
mentions but does not use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import ClassVar

import torch
from torch import Tensor, nn

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.images.tensors import with_channels
from facesketch.methods import losses
from facesketch.methods.base import Method, Phase
from facesketch.methods.families import SparseAEOptions
from facesketch.methods.networks.blocks import Linear, initialise_glorot


class SparseAutoencoder(nn.Module):
    """One layer of sigmoid units, and the same weights back: sigma(W^T sigma(W x + b) + c).

    (N, in_channels, size, size) in [-1, 1] -> logits of the target (N, channels, size, size) and of the units
    (N, units); a sigmoid turns either into [0, 1].

    Tied weights want one shape on both sides. So `channels` is the larger of the two numbers: a source of one channel
    is repeated to the three of its target, and a target of one is the mean of three. W is kept once and serves twice:
    at 256 pixels 25 million numbers for 128 units.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int, units: int) -> None:
        super().__init__()
        self.channels = max(in_channels, out_channels)
        self.shape = (self.channels, size, size)
        self.units = Linear(self.channels * size * size, units)  # W and b
        self.bias = nn.Parameter(torch.zeros(self.units.in_features))  # c
        initialise_glorot(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        units = self.units(with_channels(x, self.channels).flatten(1))  # (N, units)
        in_half = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        with torch.autocast("cpu", enabled=False) if in_half else nullcontext():  # for the reasons given at `Linear`
            logits = torch.addmm(self.bias, units.sigmoid(), self.units.weight)  # (N, channels * size * size)
        return logits.unflatten(1, self.shape), units


class SparseAE(Method):
    """The losses of `sparse-ae`.

    The study's text: the sum over pictures of ||sigma(W^T sigma(W x + b) + c) - x||^2, over W, b and c, with a
    Kullback-Leibler penalty on the units' mean activation. Ours: the source stands for the first x and the target for
    the second, as in every autoencoder of the study; the mean over pictures stands for the sum; the source is in [-1,
    1], which is nearer to the paper's centred data than [0, 1]; Adam stands for the paper's L-BFGS; and the weight is
    larger than what is usual for small patches, because the squares of a whole picture are summed.
    """

    Options = SparseAEOptions
    fixed = True
    phases: ClassVar = {"autoencoder": ("generator",)}

    def __init__(self, options: SparseAEOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.generator = SparseAutoencoder(self.source_channels, self.target_channels, self.frame, options.units)

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """One phase: the squared error summed over the picture, and the divergence of the units."""
        logits, units = self.generator(batch.source)
        target = with_channels(losses.to_unit(batch.target), self.generator.channels)
        reconstruction = losses.mse(logits.float().sigmoid(), target) * target[0].numel()
        divergence = losses.sparsity(units, self.options.activation)
        weight = self.options.sparsity_weight
        yield Phase.weighted("autoencoder", reconstruction=(1, reconstruction), divergence=(weight, divergence))

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, S, S) pictures in [-1, 1]."""
        logits, _ = self.generator(images)
        drawn = losses.from_unit(logits.float().sigmoid())
        return drawn if drawn.shape[1] == self.target_channels else drawn.mean(dim=1, keepdim=True)
