"""LPIPS, and the Fréchet and kernel distances between sets of pictures.

LPIPS compares two pictures by the features of an ImageNet network (Zhang et al., CVPR 2018, version 0.1). The two set
distances compare where the features of many pictures lie; their features are VGG16's, so their numbers are called
`frechet-vgg16` and `kernel-vgg16` and cannot be set beside an FID or a KID, whose features are Inception's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facesketch.errors import ImageError
from facesketch.methods.networks.backbones import VGG16Features, imagenet_normalise, load_trunk
from facesketch.methods.networks.lpips import CHANNELS, SMALLEST, Net, PerceptualDistance

Features = NDArray[np.float64]

_BATCH = 8


class Lpips(nn.Module):
    """Learned perceptual distance of two pictures, version 0.1: 0 for the same picture, at least 0 for any two.

    Both pictures go through an ImageNet trunk; at five depths the features of each place are scaled to unit length,
    their squared differences are weighted per channel by a learned non-negative head and averaged over the places, and
    the five averages are added (Zhang et al., CVPR 2018, equation 1).

    Args:
        net: `alex`, which the literature reports, or `vgg`.
        trunk: safetensors of the ImageNet trunk (`alexnet` or `vgg16` of the fetched weights).
        heads: the learned heads (`lpips-alex` or `lpips-vgg`), safetensors or `.pth`.

    Raises:
        CheckpointError: a file does not hold this network's weights.
    """

    def __init__(self, net: Net, trunk: Path, heads: Path) -> None:
        super().__init__()
        self.net: Net = net
        self.distance = PerceptualDistance(net).load(trunk, heads)

    @torch.inference_mode()
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the distance of each pair.

        Args:
            x: (N, 1 or 3, H, W), values 0 to 255; one channel is repeated.
            y: the same shape.

        Returns:
            (N,) distances, at least 0.

        Raises:
            ImageError: the shapes differ, or a side is too short for the network.
        """
        if x.shape != y.shape:
            raise ImageError(f"pictures of {tuple(x.shape)} and {tuple(y.shape)}", "expected two batches of one shape")
        _check_sides(x, SMALLEST[self.net], f"LPIPS ({self.net})")
        device = self.distance.heads[0].device
        pairs = zip(_batches(x, device), _batches(y, device), strict=True)
        return torch.cat([torch.zeros(0, device=device), *(self.distance(a, b) for a, b in pairs)])


def _batches(images: Tensor, device: torch.device) -> Iterator[Tensor]:
    """Yield a few pictures at a time, values in [-1, 1]."""
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        yield batch.to(device, torch.float32) / 127.5 - 1  # (n, C, H, W)


def _check_sides(images: Tensor, smallest: int, what: str) -> None:
    if images.ndim != 4 or images.shape[1] not in {1, 3}:
        raise ImageError(f"pictures of shape {tuple(images.shape)}", "expected (N, 1 or 3, H, W)")
    height, width = images.shape[-2:]
    if min(height, width) < smallest:
        raise ImageError(
            f"{width}x{height} pictures", f"{what} needs at least {smallest}x{smallest}: use a larger size"
        )


@torch.inference_mode()
def features(images: Tensor, trunk: Path | VGG16Features) -> Features:
    """Return VGG16's relu5_3 features of each picture, averaged over the places; pictures are not resized.

    Args:
        images: (N, 1 or 3, H, W), values 0 to 255; one channel is repeated.
        trunk: safetensors of VGG16's ImageNet trunk (`vgg16` of the fetched weights), or the loaded trunk.

    Returns:
        (N, 512) float64.

    Raises:
        CheckpointError: the file does not hold VGG16's weights.
        ImageError: a side is shorter than 16 pixels.
    """
    _check_sides(images, SMALLEST["vgg"], "VGG16")
    network = load_trunk(VGG16Features(), trunk) if isinstance(trunk, Path) else trunk
    network.eval()
    device = next(network.parameters()).device
    pooled = [
        network(imagenet_normalise(batch))[-1].double().mean(dim=(2, 3)).cpu().numpy()
        for batch in _batches(images, device)
    ]
    return np.concatenate([np.zeros((0, CHANNELS["vgg"][-1])), *pooled])
