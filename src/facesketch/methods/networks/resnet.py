"""The residual generator of CycleGAN (Zhu et al. 2017, section 7.2; Johnson et al. 2016)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from facesketch.methods.networks.blocks import initialise, normalisation


class ResNetGenerator(nn.Module):
    """C7S1-64, D128, D256, nine R256, U128, U64, C7S1-out with reflection padding, ReLU and tanh.

    (N, in_channels, H, W) in [-1, 1] -> (N, out_channels, H, W) in [-1, 1], for any H and W of at least 8 that are
    multiples of `stride`. The paper has 9 blocks for 256 pixels and above, and 6 for 128.

    Attributes:
        stride: what both sides of the input must be a multiple of.
    """

    stride = 4

    def __init__(self, in_channels: int, out_channels: int, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *_conv(in_channels, width, 7),  # (N, 64, H, W)
            *_conv(width, width * 2, 3, stride=2),  # (N, 128, H / 2, W / 2)
            *_conv(width * 2, width * 4, 3, stride=2),  # (N, 256, H / 4, W / 4)
            *(ResidualBlock(width * 4) for _ in range(blocks)),
            *_up(width * 4, width * 2),  # (N, 128, H / 2, W / 2)
            *_up(width * 2, width),  # (N, 64, H, W)
            nn.Conv2d(width, out_channels, 7, padding=3, padding_mode="reflect"),  # (N, out, H, W)
            nn.Tanh(),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to their input; (N, channels, H, W) -> the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.net = nn.Sequential(*_conv(channels, channels, 3), second, normalisation("instance", channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.net(x)


def _conv(before: int, after: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    mode: Literal["reflect", "zeros"] = "reflect" if stride == 1 else "zeros"  # reflected where the size is kept
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, padding_mode=mode, bias=False)
    return [conv, normalisation("instance", after), nn.ReLU(inplace=True)]


def _up(before: int, after: int) -> list[nn.Module]:
    conv = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1, bias=False)
    return [conv, normalisation("instance", after), nn.ReLU(inplace=True)]
