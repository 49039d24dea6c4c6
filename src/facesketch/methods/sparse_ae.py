"""Sparse autoencoder with tied weights: few units answer to each face.

Le et al., "On optimization methods for deep learning", ICML 2011; the study's equation 1, which it names and does not
build.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.images.tensors import with_channels
from facesketch.methods import losses
from facesketch.methods.base import Method, Phase
from facesketch.methods.families import SparseAEFamily, SparseAEOptions
from facesketch.methods.networks.dense import SparseAutoencoder


class SparseAE(SparseAEFamily, Method):
    """The networks and losses of `sparse-ae`.

    The study's text: the sum over pictures of ||sigma(W^T sigma(W x + b) + c) - x||^2, over W, b and c, with a
    Kullback-Leibler penalty on the units' mean activation. Ours: the source stands for the first x and the target for
    the second, as in every autoencoder of the study; the mean over pictures stands for the sum; the source is in [-1,
    1], which is nearer to the paper's centred data than [0, 1]; Adam stands for the paper's L-BFGS; and the weight is
    larger than what is usual for small patches, because the squares of a whole picture are summed.
    """

    fixed = True
    phases: ClassVar = {"autoencoder": ("generator",)}

    def __init__(self, options: SparseAEOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.activation, self.sparsity_weight = options.activation, options.sparsity_weight
        self.generator = SparseAutoencoder(self.source_channels, self.target_channels, self.frame, options.units)

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """One phase: the squared error summed over the picture, and the divergence of the units."""
        logits, units = self.generator(batch.source)
        target = with_channels(losses.to_unit(batch.target), self.generator.channels)
        reconstruction = losses.mse(logits.float().sigmoid(), target) * target[0].numel()
        divergence = losses.sparsity(units, self.activation)
        loss = reconstruction + self.sparsity_weight * divergence
        yield Phase("autoencoder", loss, {"reconstruction": reconstruction.detach(), "divergence": divergence.detach()})

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, S, S) pictures in [-1, 1]."""
        logits, _ = self.generator(images)
        drawn = losses.from_unit(logits.float().sigmoid())
        return drawn if drawn.shape[1] == self.target_channels else drawn.mean(dim=1, keepdim=True)
