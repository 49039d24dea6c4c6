"""The patch discriminator of pix2pix and CycleGAN (Isola et al. 2017, section 6.1.2)."""

from __future__ import annotations

from torch import Tensor, nn

from facesketch.methods.networks.blocks import Norm, initialise, normalisation


class PatchGAN(nn.Module):
    """C64-C128-C256-C512 of 4x4 convolutions, leaky ReLU 0.2, no norm on the first; judges every 70x70 patch.

    (N, channels, H, W) in [-1, 1] -> a map of logits (N, 1, H / 8 - 2, W / 8 - 2), one per patch; high means real. For
    pix2pix `channels` is that of photo and sketch together, joined along the channels. H and W must be at least 32 with
    an instance norm, which needs more than one pixel.
    """

    def __init__(self, channels: int, width: int = 64, norm: Norm = "instance") -> None:
        super().__init__()
        net: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        for before, after, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            net.append(nn.Conv2d(width * before, width * after, 4, stride, padding=1, bias=norm == "none"))
            net += [normalisation(norm, width * after), nn.LeakyReLU(0.2, inplace=True)]
        self.net = nn.Sequential(*net, nn.Conv2d(width * 8, 1, 4, padding=1))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)
