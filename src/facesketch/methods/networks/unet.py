"""The U-Net generator of pix2pix (Isola et al. 2017, section 6.1.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facesketch.methods.networks.blocks import Norm, initialise, normalisation

_MULTIPLES = (1, 2, 4, 8, 8, 8, 8, 8)
_WIDEST = 8
_DROPPED = 3


class UNetGenerator(nn.Module):
    """Encoder and decoder of 4x4 stride-2 convolutions with a skip connection at every level.

    (N, in_channels, H, W) in [-1, 1] -> (N, out_channels, H, W) in [-1, 1], for any H and W that are multiples of
    `stride`.

    At 256 and above: encoder C64-C128-C256-C512-C512-C512-C512 with leaky ReLU 0.2 and no norm on the first, a
    bottleneck of 512 with ReLU, decoder C512-C512-C512-C512-C256-C128-C64 with ReLU and dropout on the first three, and
    tanh. Smaller sizes have fewer levels, floor(log2(size)); the bottleneck is one pixel where the size is a power of
    two up to 256. It has no norm: of one pixel per channel, an instance norm would leave its shift alone and so pass
    nothing on.

    Attributes:
        stride: what both sides of the input must be a multiple of.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: int = 256,
        width: int = 64,
        dropout: float = 0.5,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        depth = min(len(_MULTIPLES), size.bit_length() - 1)
        assert depth >= 2, "a U-Net needs pictures of at least 4 pixels"
        self.stride = 2**depth
        widths = [width * multiple for multiple in _MULTIPLES[:depth]]
        norms: list[Norm] = ["none", *[norm] * (depth - 2), "none"]
        self.down = nn.ModuleList(
            _down(before, after, norms[level], innermost=level == depth - 1)
            for level, (before, after) in enumerate(zip([in_channels, *widths], widths, strict=False))
        )
        self.up = nn.ModuleList()
        for level in range(depth - 2, -1, -1):
            joined = widths[level + 1] * (1 if level == depth - 2 else 2)
            drops = len(self.up) < _DROPPED and _MULTIPLES[level] == _WIDEST
            self.up.append(_up(joined, widths[level], norm, dropout if drops else 0.0))
        self.out = nn.Sequential(nn.ConvTranspose2d(widths[0] * 2, out_channels, 4, stride=2, padding=1), nn.Tanh())
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for down in self.down:
            x = down(x)  # (N, width * multiple, H / 2, W / 2) of the level before
            skips.append(x)
        skips.pop()
        for up in self.up:
            x = torch.cat([up(x), skips.pop()], dim=1)  # (N, 2 * width * multiple, 2 H, 2 W)
        return self.out(x)  # (N, out, H, W)


def _down(before: int, after: int, norm: Norm, *, innermost: bool) -> nn.Sequential:
    activation = nn.ReLU(inplace=True) if innermost else nn.LeakyReLU(0.2, inplace=True)
    conv = nn.Conv2d(before, after, 4, stride=2, padding=1, bias=norm == "none")  # a norm's shift makes a bias void
    return nn.Sequential(conv, normalisation(norm, after), activation)


def _up(before: int, after: int, norm: Norm, dropout: float) -> nn.Sequential:
    conv = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=norm == "none")
    dropped = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(conv, normalisation(norm, after), *dropped, nn.ReLU(inplace=True))
