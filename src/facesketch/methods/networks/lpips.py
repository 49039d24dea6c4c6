"""LPIPS as a network: the learned perceptual distance of two pictures, with gradients (Zhang et al., CVPR 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from facesketch.errors import CheckpointError
from facesketch.methods.networks.backbones import AlexNetFeatures, VGG16Features, imagenet_normalise, load_trunk
from facesketch.weights.download import read

Net = Literal["alex", "vgg"]

CHANNELS: dict[Net, tuple[int, ...]] = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
SMALLEST: dict[Net, int] = {"alex": 31, "vgg": 16}
"""Smaller sides leave nothing after the last pooling."""


class PerceptualDistance(nn.Module):
    """Learned perceptual distance of two pictures, version 0.1: 0 for the same picture, at least 0 for any two.

    Both pictures go through an ImageNet trunk; at five depths the features of each place are scaled to unit length,
    their squared differences are weighted per channel by a learned non-negative head and averaged over the places, and
    the five averages are added (equation 1). No parameter is ever trained, but gradients flow to the pictures.

    Built without its weights, which `load` brings, so that a training's cost can be told without the files. The
    literature reports `alex`.
    """

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net: Net = net
        self.trunk: AlexNetFeatures | VGG16Features = AlexNetFeatures() if net == "alex" else VGG16Features()
        self.heads = nn.ParameterList(nn.Parameter(torch.ones(channels, 1, 1)) for channels in CHANNELS[net])
        self.requires_grad_(False).eval()

    def load(self, trunk: Path, heads: Path) -> PerceptualDistance:
        """Read the weights of the ImageNet trunk and of the learned heads, and return the network itself.

        Raises:
            CheckpointError: a file does not hold this network's weights.
        """
        load_trunk(self.trunk, trunk)
        self.heads = nn.ParameterList(_read_heads(heads, self.net))
        return self.requires_grad_(False).eval()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the distance of each pair, (N,), of (N, 1 or 3, H, W) pictures in [-1, 1]; one channel is repeated.

        LPIPS' own shift (-.030, -.088, -.188) and scale (.458, .448, .450) are ImageNet's mean and spread on [0, 1].
        """
        return self.between(self.maps(x), self.maps(y))

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return the trunk's five feature maps of pictures (N, 1 or 3, H, W) in [-1, 1]."""
        return self.trunk(imagenet_normalise(x))

    def between(self, fs: Sequence[Tensor], gs: Sequence[Tensor]) -> Tensor:
        """Return the distance of each pair, (N,), from the feature maps of both sides."""
        total = torch.zeros(len(fs[0]), device=fs[0].device)
        for head, f, g in zip(self.heads, fs, gs, strict=True):
            difference = (_unit(f.float()) - _unit(g.float())).square()  # (N, C, h, w)
            total = total + (difference * head).sum(dim=1).mean(dim=(1, 2))  # (N,)
        return total


def _read_heads(path: Path, net: Net) -> list[nn.Parameter]:
    """Return five (C, 1, 1) weights."""
    tensors = read(path)
    heads = []
    for index, channels in enumerate(CHANNELS[net]):
        head = tensors.get(f"lin{index}.model.1.weight")
        if head is None or head.shape != (1, channels, 1, 1) or bool((head < 0).any()):
            raise CheckpointError(
                f"{path}: not the LPIPS heads for {net}", f"type `facesketch models fetch lpips-{net}`"
            )
        heads.append(nn.Parameter(head[0].float()))
    return heads


def _unit(features: Tensor) -> Tensor:
    """Scale the channels of every place to unit length; a place where all are 0 stays 0.

    The small number stands inside the root: at 0 its slope would be infinite, and 0 times that is no gradient.
    """
    return features / (features.square().sum(dim=1, keepdim=True) + 1e-20).sqrt()
