"""UNIT's encoders and generators, which meet in one latent space (Liu, Breuel and Kautz, NIPS 2017, appendix)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from facesketch.config import Domain
from facesketch.methods.networks.blocks import initialise
from facesketch.methods.networks.resnet import ResidualBlock


class SharedLatent(nn.Module):
    """An encoder and a generator each for photos and for sketches, with one residual block of either shared.

    Encoder: 7x7 convolution of `width` channels, two 3x3 ones of stride 2 that double them, residual blocks, and the
    shared block, whose result is the mean of the code. Generator: the shared block, residual blocks, two 3x3 transposed
    convolutions of stride 2, and a 1x1 convolution with tanh. Leaky ReLU throughout, instance norm in the blocks alone.

    Args:
        channels: of photos and of sketches.
        width: channels of the first layer; 64 in the paper.
        blocks: residual blocks that each encoder and each generator has for itself; 3 in the paper.

    Attributes:
        stride: what both sides of a picture must be a multiple of.
    """

    stride = 4

    def __init__(self, channels: Mapping[Domain, int], width: int, blocks: int) -> None:
        super().__init__()
        deep = width * 4

        def chain() -> list[nn.Module]:
            return [ResidualBlock(deep, "instance") for _ in range(blocks)]

        def encoder(count: int) -> nn.Sequential:
            return nn.Sequential(
                *(nn.Conv2d(count, width, 7, padding=3), nn.LeakyReLU(inplace=True)),  # (N, 64, H, W)
                *(
                    nn.Conv2d(width, width * 2, 3, stride=2, padding=1),
                    nn.LeakyReLU(inplace=True),
                ),  # (N, 128, H / 2, …)
                *(nn.Conv2d(width * 2, deep, 3, stride=2, padding=1), nn.LeakyReLU(inplace=True)),  # (N, 256, H / 4, …)
                *chain(),
            )

        def generator(count: int) -> nn.Sequential:
            return nn.Sequential(
                *chain(),
                *_up(deep, width * 2),  # (N, 128, H / 2, W / 2)
                *_up(width * 2, width),  # (N, 64, H, W)
                nn.Conv2d(width, count, 1),  # (N, C, H, W)
                nn.Tanh(),
            )

        self.encoders = nn.ModuleDict({domain: encoder(count) for domain, count in channels.items()})
        self.into_code = ResidualBlock(deep, "instance")
        self.from_code = ResidualBlock(deep, "instance")
        self.generators = nn.ModuleDict({domain: generator(count) for domain, count in channels.items()})
        initialise(self)

    def encode(self, x: Tensor, domain: Domain) -> Tensor:
        """(N, C, H, W) in [-1, 1] -> the mean of the code, (N, 4 width, H / 4, W / 4)."""
        mean: Tensor = self.into_code(self.encoders[domain](x))
        return mean

    def decode(self, code: Tensor, domain: Domain) -> Tensor:
        """(N, 4 width, H / 4, W / 4) -> (N, C, H, W) in [-1, 1]."""
        drawn: Tensor = self.generators[domain](self.from_code(code))
        return drawn


def _up(before: int, after: int) -> list[nn.Module]:
    conv = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)
    return [conv, nn.LeakyReLU(inplace=True)]
