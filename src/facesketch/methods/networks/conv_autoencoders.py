"""The study's two convolutional autoencoders: one that maps to a point (CAE) and one to a distribution (CVAE).

Both squeeze a square picture into 2x2 maps and so need a side that is a power of two, 32 or more. At 256 they are the
study's networks to the last parameter; smaller sizes drop the widest layers, larger ones repeat the widest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from facesketch.errors import ConfigError
from facesketch.methods.networks.backbones import encoder as known_encoder
from facesketch.methods.networks.blocks import Linear, initialise_glorot

_SMALLEST = 32
_CAE_WIDTHS = (16, 32, 64, 128, 256, 512)
_CAE_UNNORMALISED = (1, 3)
_VAE_WIDTHS = (8, 16, 32, 64, 128, 256, 512)
_VAE_UNNORMALISED = (1, 2, 4)
_DROPOUT_AFTER = (1, 3)


class ConvAutoencoder(nn.Module):
    """The study's convolutional autoencoder (CAE): 9,788,363 parameters at 256 with three channels each way.

    (N, in_channels, size, size) in [-1, 1] -> logits (N, out_channels, size, size).

    The encoder is 4x4 stride-2 convolutions without padding, 16 to 512 wide (256, 127, 62, 30, 14, 6, 2), leaky ReLU
    and batch norm on all layers but the first and third; the decoder mirrors it with transposed convolutions and ends
    in two 2x2 ones of stride 1 (254, 255, 256), 8 and `out_channels` wide. The study's notebook ended in a ReLU while
    its sketches lay in [-1, 1], half of which a ReLU cannot reach. Here the last layer has no activation: the sigmoid
    belongs to the loss, or to the caller who wants a picture in [0, 1].

    Args:
        in_channels: channels of the source.
        out_channels: channels of the target.
        size: side of the square pictures, a power of two of at least 32.
        encoder: `study` for the encoder above, or `vgg16`, `resnet` or `lenet` for a known one in its place.
        dropout: share of values dropped after the decoder's first and third layers.
        encoder_weights: safetensors file with the known encoder's pretrained weights.

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
        widths = _widths(_CAE_WIDTHS, size, 2)
        if encoder == "study" and encoder_weights is not None:
            raise ConfigError(
                f"encoder_weights = {encoder_weights}: the study's encoder starts untrained", "set encoder to vgg16"
            )
        inward: list[nn.Module] = []  # each layer halves a side s to s / 2 - 1, down to 2x2
        for number, (before, after) in enumerate(pairwise([in_channels, *widths]), 1):
            inward.append(nn.Conv2d(before, after, 4, stride=2))
            inward += _norm_and_activation(after, number not in _CAE_UNNORMALISED)
        # a known encoder is initialised, or loaded, where it is built
        known = encoder != "study"
        self.encoder = known_encoder(encoder, in_channels, size, encoder_weights) if known else nn.Sequential(*inward)
        if not known:
            initialise_glorot(self.encoder)
        outward = widths[::-1]
        layers: list[nn.Module] = []  # each layer grows a side s to 2 s + 2, the last two by one pixel
        for number, (before, after) in enumerate(pairwise([512 if known else widths[-1], *outward]), 1):
            layers += [nn.ConvTranspose2d(before, after, 4, stride=2), nn.LeakyReLU(0.2, inplace=True)]
            layers += [nn.Dropout(dropout)] if number in _DROPOUT_AFTER else []
        narrow = outward[-1] // 2
        layers += [nn.ConvTranspose2d(outward[-1], narrow, 2), nn.LeakyReLU(0.2, inplace=True)]  # (N, 8, size - 1, …)
        self.decoder = nn.Sequential(*layers, nn.ConvTranspose2d(narrow, out_channels, 2))
        initialise_glorot(self.decoder)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the target."""
        latent = self.encoder(x)  # (N, 512, 2, 2) at 256
        logits: Tensor = self.decoder(latent)  # (N, out, size, size)
        return logits


class ConvVAE(nn.Module):
    """The study's convolutional variational autoencoder (CVAE); Kingma & Welling 2014.

    At 256 with three channels each way it has 5,524,775, 5,537,067 or 5,586,235 parameters for a latent of 2, 4 or 12.
    The encoder is 3x3 stride-2 convolutions, 8 to 512 wide, with batch norm on layers 3, 5, 6 and 7; two linear layers
    give the mean and the logarithm of the variance; the decoder mirrors the encoder and ends in a 3x3 transposed
    convolution.

    Args:
        in_channels: channels of the source.
        out_channels: channels of the target.
        size: side of the square pictures, a power of two of at least 32.
        latent: dimensions of the latent space.
        dropout: share of values dropped after the decoder's first and third layers.

    Raises:
        ConfigError: a size that does not fit.
    """

    def __init__(
        self, in_channels: int, out_channels: int, size: int = 256, latent: int = 12, dropout: float = 0.1
    ) -> None:
        super().__init__()
        widths = _widths(_VAE_WIDTHS, size, 1)
        self.latent = latent
        inward: list[nn.Module] = []  # each layer halves the sides, down to 2x2
        for number, (before, after) in enumerate(pairwise([in_channels, *widths]), 1):
            inward.append(nn.Conv2d(before, after, 3, stride=2, padding=1))
            inward += _norm_and_activation(after, number not in _VAE_UNNORMALISED)
        self.encoder = nn.Sequential(*inward, nn.Flatten())
        self.mean = Linear(widths[-1] * 4, latent)
        self.log_variance = Linear(widths[-1] * 4, latent)
        outward = widths[::-1]
        layers: list[nn.Module] = [Linear(latent, outward[0] * 4), nn.LeakyReLU(0.2, inplace=True)]
        layers.append(nn.Unflatten(1, (outward[0], 2, 2)))
        for number, (before, after) in enumerate(pairwise([outward[0], *outward]), 1):  # each layer doubles the sides
            layers.append(nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            layers += [nn.Dropout(dropout)] if number in _DROPOUT_AFTER else []
        self.decoder = nn.Sequential(*layers, nn.ConvTranspose2d(outward[-1], out_channels, 3, padding=1))
        initialise_glorot(self)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, in_channels, size, size) in [-1, 1] -> mean and log-variance, each (N, latent)."""
        features = self.encoder(x)  # (N, 2048) at 256
        return self.mean(features), self.log_variance(features)

    def decode(self, z: Tensor) -> Tensor:
        """(N, latent) -> logits (N, out_channels, size, size); a sigmoid turns them into [0, 1]."""
        logits: Tensor = self.decoder(z)
        return logits

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, mean and log-variance; the latent is a draw in training and the mean itself in evaluation."""
        mean, log_variance = self.encode(x)
        z = reparameterise(mean, log_variance) if self.training else mean
        return self.decode(z), mean, log_variance


def reparameterise(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Draw z = mean + exp(log_variance / 2) * noise, so that gradients reach both (Kingma & Welling 2014, eq. 10)."""
    return mean + torch.randn_like(mean) * (0.5 * log_variance).exp()


def _widths(widths: Sequence[int], size: int, less: int) -> list[int]:
    """Return log2(size) - less widths, the last repeated where there are more levels."""
    if size < _SMALLEST or size & (size - 1):
        near = max(_SMALLEST, 1 << round(math.log2(max(size, 1))))
        raise ConfigError(
            f"size = {size}: the convolutional autoencoders need a power of two from {_SMALLEST} up",
            f"set size to {near}",
        )
    return [widths[min(level, len(widths) - 1)] for level in range(size.bit_length() - 1 - less)]


def _norm_and_activation(channels: int, norm: bool) -> list[nn.Module]:
    activation = nn.LeakyReLU(0.2, inplace=True)
    return [nn.BatchNorm2d(channels), activation] if norm else [activation]
