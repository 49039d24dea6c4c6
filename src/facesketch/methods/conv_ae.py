"""Convolutional autoencoder (CAE): six strided convolutions down to 2x2, and back up, without skips."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.errors import ConfigError
from facesketch.methods import losses
from facesketch.methods.base import Method, Phase
from facesketch.methods.families import ConvAEOptions
from facesketch.methods.networks.backbones import encoder as known_encoder
from facesketch.methods.networks.blocks import initialise_glorot, normed_activation, widths_of_levels


class ConvAutoencoder(nn.Module):
    """The study's convolutional autoencoder (CAE): 9,788,363 parameters at 256 with three channels each way.

    (N, in_channels, size, size) in [-1, 1] -> logits (N, out_channels, size, size); `size` is a power of two, 32 or
    more. Smaller sizes drop the widest layers, larger ones repeat the widest.

    The encoder is 4x4 stride-2 convolutions without padding, 16 to 512 wide (256, 127, 62, 30, 14, 6, 2), leaky ReLU
    and batch norm on all layers but the first and third; the decoder mirrors it with transposed convolutions and ends
    in two 2x2 ones of stride 1 (254, 255, 256), 8 and `out_channels` wide. The study's notebook ended in a ReLU while
    its sketches lay in [-1, 1], half of which a ReLU cannot reach. Here the last layer has no activation: the sigmoid
    belongs to the loss, or to the caller who wants a picture in [0, 1].

    Raises:
        ConfigError: a size that does not fit, an unknown encoder, or weights for an encoder that takes none.
        CheckpointError: `encoder_weights` does not hold that encoder.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: int = 256,
        encoder: str = "study",
        dropout: float = 0.1,
        encoder_weights: Path | None = None,
    ) -> None:
        super().__init__()
        widths = widths_of_levels((16, 32, 64, 128, 256, 512), size, 2)
        if encoder == "study":
            if encoder_weights is not None:
                seen = f"encoder_weights = {encoder_weights}: the study's encoder starts untrained"
                raise ConfigError(seen, "set encoder to vgg16")
            inward: list[nn.Module] = []  # each layer halves a side s to s / 2 - 1, down to 2x2
            for number, (before, after) in enumerate(pairwise([in_channels, *widths]), 1):
                inward.append(nn.Conv2d(before, after, 4, stride=2))
                inward += normed_activation(after, number not in {1, 3})
            self.encoder: nn.Module = nn.Sequential(*inward)
            initialise_glorot(self.encoder)
            deepest = widths[-1]
        else:  # initialised, or loaded, where it is built
            self.encoder, deepest = known_encoder(encoder, in_channels, size, encoder_weights), 512
        layers: list[nn.Module] = []  # each layer grows a side s to 2 s + 2, the last two by one pixel
        for number, (before, after) in enumerate(pairwise([deepest, *widths[::-1]]), 1):
            layers += [nn.ConvTranspose2d(before, after, 4, stride=2), nn.LeakyReLU(0.2, inplace=True)]
            layers += [nn.Dropout(dropout)] if number in {1, 3} else []
        narrow = widths[0] // 2
        layers += [nn.ConvTranspose2d(widths[0], narrow, 2), nn.LeakyReLU(0.2, inplace=True)]  # (N, 8, size - 1, …)
        self.decoder = nn.Sequential(*layers, nn.ConvTranspose2d(narrow, out_channels, 2))
        initialise_glorot(self.decoder)

    def forward(self, x: Tensor) -> Tensor:
        latent = self.encoder(x)  # (N, 512, 2, 2) at 256
        return self.decoder(latent)  # (N, out, size, size)


class ConvAE(Method):
    """The losses of `conv-ae`.

    With `noise` it is a denoising autoencoder (Gondara 2016, who adds 0.1 times a draw from N(0, 1)): while it learns,
    the source goes in corrupted and the target stays clean. The network stays the study's; Gondara's is smaller and
    gives back the picture itself.
    """

    Options = ConvAEOptions
    fixed = halves = True
    phases: ClassVar = {"autoencoder": ("generator",)}

    def __init__(self, options: ConvAEOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        channels = self.source_channels, self.target_channels
        self.generator = ConvAutoencoder(
            *channels, self.frame, options.encoder, options.dropout, options.encoder_weights
        )

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """One phase: the loss between the picture and the target, both in [0, 1]."""
        source, noise = batch.source, self.options.noise
        if noise and self.training:  # not in validation
            source = source + 2 * noise * torch.randn_like(source)  # [-1, 1] is twice as wide as [0, 1]
        logits = self.generator(source)  # (N, C, S, S)
        yield Phase("autoencoder", losses.pixel_loss(self.options.loss, logits, losses.to_unit(batch.target)))

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, S, S) pictures in [-1, 1]."""
        return losses.from_unit(self.generator(images).float().sigmoid())
