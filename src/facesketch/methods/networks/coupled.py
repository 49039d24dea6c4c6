"""Networks in pairs, one for photos and one for sketches, that share the layers farthest from the pictures.

Liu and Tuzel, "Coupled generative adversarial networks", NIPS 2016. Layer counts, kernels and widths are those of the
authors' network for faces of 128 pixels; other sizes have one layer more or less per doubling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor, nn

from facesketch.config import Domain
from facesketch.methods.networks.blocks import Linear, Norm, initialise, initialise_glorot, normalisation

_LARGE_KERNELS = 3
"""Layers of 5x5 convolutions, from the picture on; those after them are 3x3."""


class CoupledGenerator(nn.Module):
    """A code becomes a photo and a sketch: a linear layer and 4x4 transposed convolutions of stride 2, from 4x4 up.

    (N, latent) -> (N, C, size, size) in [-1, 1] of either domain. At 128: 1024-512-256-128-64-32, each with batch norm
    and PReLU, and a 3x3 convolution with tanh.

    Args:
        channels: of photos and of sketches.
        size: side of the square pictures, a power of two of at least 32.
        latent: numbers in a code.
        width: channels of the 4x4 maps; each layer halves them.
        own: layers of stride 2, counted from the picture, that each domain has for itself.
    """

    def __init__(self, channels: Mapping[Domain, int], size: int, latent: int, width: int, own: int) -> None:
        super().__init__()
        widths = [max(1, width >> level) for level in range(size.bit_length() - 2)]
        ups = list(pairwise(widths))
        own = min(own, len(ups))
        self.shared = nn.Sequential(
            Linear(latent, widths[0] * 16, bias=False),
            nn.Unflatten(1, (widths[0], 4, 4)),
            *_finish(widths[0], "batch"),
            *(layer for before, after in ups[: len(ups) - own] for layer in _up(before, after)),
        )
        self.own = nn.ModuleDict(
            {
                domain: nn.Sequential(
                    *(layer for before, after in ups[len(ups) - own :] for layer in _up(before, after)),
                    nn.Conv2d(widths[-1], count, 3, padding=1),
                    nn.Tanh(),
                )
                for domain, count in channels.items()
            }
        )
        initialise(self)

    def forward(self, code: Tensor, domain: Domain) -> Tensor:
        """Return what a code looks like as a photo or as a sketch."""
        drawn: Tensor = self.own[domain](self.shared(code))
        return drawn


class CoupledEncoder(nn.Module):
    """A photo or a sketch becomes a few numbers: convolutions of stride 2 down to 2x2, and a linear layer.

    (N, C, size, size) in [-1, 1] of either domain -> (N, out). At 128: 32-64-128 of 5x5 and 256-512-1024 of 3x3, with
    PReLU. With one number it is CoGAN's discriminator, but for a layer of 2,048 units before the last, whose batch norm
    cannot learn from a batch of one picture.

    Args:
        channels: of photos and of sketches.
        size: side of the square pictures, a power of two of at least 32.
        out: how many numbers.
        width: channels of the 2x2 maps; each layer towards the picture has half of them.
        own: layers, counted from the picture, that each domain has for itself.
        norm: `batch` as in the paper, or `none`.
        dropouts: shares dropped after the last layers, as many as there are numbers.
    """

    def __init__(
        self,
        channels: Mapping[Domain, int],
        size: int,
        out: int,
        width: int,
        own: int,
        norm: Norm,
        dropouts: Sequence[float] = (),
    ) -> None:
        super().__init__()
        levels = size.bit_length() - 2
        widths = [max(1, width >> level) for level in reversed(range(levels))]
        shares = [0.0] * (levels - len(dropouts)) + list(dropouts)[-levels:]
        kernels = [5 if level < _LARGE_KERNELS else 3 for level in range(levels)]
        own = min(own, levels)

        def layers(first: int, last: int, before: int) -> list[nn.Module]:
            inward = [before, *widths[first:last]]
            return [
                layer
                for level, (before, after) in enumerate(pairwise(inward), first)
                for layer in _down(before, after, kernels[level], norm, shares[level])
            ]

        self.own = nn.ModuleDict({domain: nn.Sequential(*layers(0, own, count)) for domain, count in channels.items()})
        self.shared = nn.Sequential(
            *layers(own, levels, widths[own - 1] if own else next(iter(channels.values()))),
            nn.Flatten(),
            Linear(widths[-1] * 4, out),
        )
        (initialise if norm == "batch" else initialise_glorot)(self)

    def forward(self, x: Tensor, domain: Domain) -> Tensor:
        """Return the numbers of photos or of sketches."""
        numbers: Tensor = self.shared(self.own[domain](x))
        return numbers


def _finish(channels: int, norm: Norm) -> list[nn.Module]:
    return [normalisation(norm, channels), nn.PReLU(channels)]


def _up(before: int, after: int) -> list[nn.Module]:
    conv = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)  # its norm's shift makes a bias void
    return [conv, *_finish(after, "batch")]


def _down(before: int, after: int, kernel: int, norm: Norm, dropout: float) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, kernel, stride=2, padding=kernel // 2, bias=norm == "none")
    return [conv, *_finish(after, norm), *([nn.Dropout(dropout)] if dropout else [])]
