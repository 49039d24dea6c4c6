"""A small U-Net that draws in several styles: resize-convolutions, and norms with a scale and shift per style."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facesketch.methods.networks.blocks import initialise

_MULTIPLES = (1, 2, 4, 8, 8)


class _InstanceNorm(nn.GroupNorm):
    """Instance norm without scale and shift that gives 0 for a map of one pixel, where torch's layers refuse it.

    That happens at the bottom of the smallest pictures, 32 pixels, where only the shift is then left.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, affine=False)  # a group norm: see `blocks.normalisation`

    def forward(self, x: Tensor) -> Tensor:
        return torch.group_norm(x, self.num_groups, eps=self.eps)


class StyleNorm(nn.Module):
    """Instance norm whose scale and shift belong to a style (Dumoulin et al., ICLR 2017, equation 5).

    (N, C, H, W) and weights (N, S + T) -> (N, C, H, W). The first S are over the styles, one-hot or a mixture; the
    others are numbers that change the style, such as colours, and 0 changes nothing.
    """

    def __init__(self, channels: int, styles: int, told: int = 0) -> None:
        super().__init__()
        self.normalise = _InstanceNorm(channels)
        self.scale = nn.Parameter(torch.cat([torch.ones(styles, channels), torch.zeros(told, channels)]))
        self.shift = nn.Parameter(torch.zeros(styles + told, channels))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Return the maps in the style's contrast and level."""
        scale, shift = style @ self.scale, style @ self.shift  # (N, C)
        styled: Tensor = self.normalise(x) * scale[:, :, None, None] + shift[:, :, None, None]
        return styled


class _Layer(nn.Module):
    """Convolution, style norm, leaky ReLU."""

    def __init__(self, before: int, after: int, styles: int, told: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride=stride, padding=1, bias=False)  # the norm has a shift
        self.norm = StyleNorm(after, styles, told)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return F.leaky_relu(self.norm(self.conv(x), style), 0.2)


class _Residual(nn.Module):
    """Two layers and a shortcut (He et al. 2016)."""

    def __init__(self, channels: int, styles: int, told: int) -> None:
        super().__init__()
        self.first = _Layer(channels, channels, styles, told)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = StyleNorm(channels, styles, told)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        out: Tensor = x + self.norm(self.conv(self.first(x, style)), style)
        return out


class PortraitUNet(nn.Module):
    """U-Net of five levels with residual blocks at the bottom and the source itself beside the last layer.

    (N, in_channels, H, W) in [-1, 1], weights (N, S + T) as `StyleNorm` takes them -> (N, out_channels, H, W) in
    [-1, 1], H and W multiples of `stride`.

    Each level up is enlargement and a 3x3 convolution, which leaves no checkerboard (Odena et al. 2016). The last layer
    sees the source's own pixels, so that fine edges need not pass through half the resolution.

    Args:
        in_channels: channels of the source.
        out_channels: channels of the target.
        width: channels of the first level.
        blocks: residual blocks at 1/32 of the sides; with them every output sees the whole face.
        styles: how many styles it draws in.
        told: how many numbers more it is told, such as colours.
        enlarge: `nearest` or `bilinear`, which leaves no visible grid on smooth skin.
    """

    stride = 2 ** len(_MULTIPLES)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int = 24,
        blocks: int = 3,
        styles: int = 1,
        told: int = 0,
        *,
        enlarge: str = "nearest",
    ) -> None:
        super().__init__()
        self.enlarge = nn.Upsample(scale_factor=2, mode=enlarge)
        widths = [width * multiple for multiple in _MULTIPLES]
        self.first = nn.Conv2d(in_channels, width, 4, stride=2, padding=1)
        self.down = nn.ModuleList(
            _Layer(before, after, styles, told, kernel=4, stride=2) for before, after in pairwise(widths)
        )
        self.blocks = nn.ModuleList(_Residual(widths[-1], styles, told) for _ in range(blocks))
        ups = list(reversed(widths[:-1]))  # widths of the levels that are come back to
        befores = [widths[-1], *(2 * width for width in ups[:-1])]
        self.up = nn.ModuleList(_Layer(before, after, styles, told) for before, after in zip(befores, ups, strict=True))
        self.fine = _Layer(2 * width, max(width // 2, 1), styles, told)
        self.touch = nn.Conv2d(max(width // 2, 1) + in_channels, max(width // 2, 1), 3, padding=1)
        self.out = nn.Conv2d(max(width // 2, 1), out_channels, 3, padding=1)
        initialise(self)

    def forward(self, source: Tensor, style: Tensor) -> Tensor:
        """Return the picture in the target's style."""
        x = F.leaky_relu(self.first(source), 0.2)  # (N, width, H / 2, W / 2)
        skips = [x]
        for down in self.down:
            x = down(x, style)  # (N, width * multiple, H / 2 of the level before, W / 2)
            skips.append(x)
        skips.pop()
        for block in self.blocks:
            x = block(x, style)  # (N, 8 width, H / 32, W / 32)
        for up in self.up:
            x = torch.cat([up(self.enlarge(x), style), skips.pop()], dim=1)  # (N, 2 width * multiple, 2 H, 2 W)
        x = self.fine(self.enlarge(x), style)  # (N, width / 2, H, W)
        x = F.leaky_relu(self.touch(torch.cat([x, source], dim=1)), 0.2)  # (N, width / 2, H, W)
        return torch.tanh(self.out(x))  # (N, out, H, W)
