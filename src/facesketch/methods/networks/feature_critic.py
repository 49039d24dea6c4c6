"""A discriminator that judges pixels and the feature maps of a pretrained network (Sauer et al., NeurIPS 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from facesketch.methods.networks.blocks import initialise
from facesketch.methods.networks.patchgan import PatchGAN


class FeatureCritic(nn.Module):
    """A patch discriminator over source and picture, and one small head over each feature map of the picture.

    The pretrained network tells good faces from bad ones before anything is learned, so few steps suffice; the patches
    see the finest pixels, which it overlooks. Spectral norm (Miyato et al., ICLR 2018) bounds all slopes.

    ((N, channels of source and picture, H, W) in [-1, 1], maps) -> logits of the patches and of each head,
    (N, 1, h, w); high means real.
    """

    def __init__(self, channels: int, maps: Sequence[int], width: int) -> None:
        super().__init__()
        self.patches = PatchGAN(channels, width, norm="none")
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, 2 * width, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(2 * width, 2 * width, 3, padding=1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(2 * width, 1, 1),
            )
            for before in maps
        )
        initialise(self)
        for layer in list(self.modules()):
            if isinstance(layer, nn.Conv2d):
                spectral_norm(layer)

    def forward(self, pictures: Tensor, maps: Sequence[Tensor]) -> list[Tensor]:
        judged: list[Tensor] = [head(each) for head, each in zip(self.heads, maps, strict=True)]
        return [self.patches(pictures), *judged]


def hinge(logits: Sequence[Tensor], real: bool) -> Tensor:
    """Return the discriminator's loss: the mean over the judges of max(0, 1 - logit), of 1 + logit when fake."""
    sign = 1.0 if real else -1.0
    return torch.stack([(1 - sign * each.float()).relu().mean() for each in logits]).mean()


def fooling(logits: Sequence[Tensor]) -> Tensor:
    """Return the generator's loss: minus the mean over the judges of their logits."""
    return -torch.stack([each.float().mean() for each in logits]).mean()
