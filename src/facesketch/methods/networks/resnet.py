"""The residual generator of CycleGAN (Zhu et al. 2017, section 7.2; Johnson et al. 2016)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from facesketch.methods.networks.blocks import Norm, initialise, normalisation


class ResNetGenerator(nn.Module):
    """C7S1-64, D128, D256, nine R256, U128, U64, C7S1-out with reflection padding, ReLU and tanh.

    (N, in_channels, H, W) in [-1, 1] -> (N, out_channels, H, W) in [-1, 1], for any H and W of at least 8 that are
    multiples of `stride`.

    Args:
        in_channels: channels of the source.
        out_channels: channels of the target.
        width: channels of the first layer; 64 in the paper.
        blocks: residual blocks; 9 in the paper for 256 and above, 6 for 128.
        norm: `instance` in the paper, or `batch` or `none`.

    Attributes:
        stride: what both sides of the input must be a multiple of.
    """

    stride = 4

    def __init__(
        self, in_channels: int, out_channels: int, width: int = 64, blocks: int = 9, norm: Norm = "instance"
    ) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *_conv(in_channels, width, 7, norm),  # (N, 64, H, W)
            *_conv(width, width * 2, 3, norm, stride=2),  # (N, 128, H / 2, W / 2)
            *_conv(width * 2, width * 4, 3, norm, stride=2),  # (N, 256, H / 4, W / 4)
            *(ResidualBlock(width * 4, norm) for _ in range(blocks)),
            *_up(width * 4, width * 2, norm),  # (N, 128, H / 2, W / 2)
            *_up(width * 2, width, norm),  # (N, 64, H, W)
            nn.Conv2d(width, out_channels, 7, padding=3, padding_mode="reflect"),  # (N, out, H, W)
            nn.Tanh(),
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the translated pictures."""
        translated: Tensor = self.net(x)
        return translated


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to their input; (N, channels, H, W) -> the same shape."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=norm == "none")
        self.net = nn.Sequential(*_conv(channels, channels, 3, norm), second, normalisation(norm, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus what the block makes of it."""
        residual: Tensor = self.net(x)
        return x + residual


def _conv(before: int, after: int, kernel: int, norm: Norm, stride: int = 1) -> list[nn.Module]:
    padding_mode: Literal["reflect", "zeros"] = (
        "reflect" if stride == 1 else "zeros"
    )  # the paper reflects where it keeps the size
    conv = nn.Conv2d(
        before, after, kernel, stride=stride, padding=kernel // 2, padding_mode=padding_mode, bias=norm == "none"
    )
    return [conv, normalisation(norm, after), nn.ReLU(inplace=True)]


def _up(before: int, after: int, norm: Norm) -> list[nn.Module]:
    conv = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1, bias=norm == "none")
    return [conv, normalisation(norm, after), nn.ReLU(inplace=True)]
