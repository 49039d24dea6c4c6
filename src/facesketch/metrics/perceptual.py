"""LPIPS, and the features over which the Fréchet and kernel distances between sets of pictures are taken.

LPIPS compares two pictures by the features of an ImageNet network (Zhang et al., CVPR 2018, version 0.1). The two set
distances compare where the features of many pictures lie; their features are VGG16's, so their numbers are called
`frechet-vgg16` and `kernel-vgg16` and cannot be set beside an FID or a KID, whose features are Inception's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from facesketch.methods.networks.backbones import VGG16Features, imagenet_normalise
from facesketch.methods.networks.lpips import SMALLEST, PerceptualDistance
from facesketch.metrics.base import require_pair, require_pictures
from facesketch.metrics.retrieval import Array

_BATCH = 8


@torch.inference_mode()
def lpips(network: PerceptualDistance, x: Tensor, y: Tensor) -> Tensor:
    """Return the learned perceptual distance of each pair of pictures: 0 for the same picture, at least 0 for any two.

    Args:
        network: with its weights loaded.
        x, y: (N, 1 or 3, H, W), values 0 to 255; one channel is repeated.

    Raises:
        DataError: the pictures are not fit to be compared, or a side is too short for the network.
    """
    require_pair(f"LPIPS ({network.net})", x, y, SMALLEST[network.net])
    pairs = zip(_batches(x, network), _batches(y, network), strict=True)
    return torch.cat([network(some, others) for some, others in pairs])


def _batches(images: Tensor, network: nn.Module) -> Iterator[Tensor]:
    """Yield a few pictures at a time on the network's device, values in [-1, 1]."""
    device = next(network.parameters()).device
    for batch in images.split(_BATCH):
        yield batch.to(device, torch.float32) / 127.5 - 1  # (n, C, H, W)


@torch.inference_mode()
def features(images: Tensor, trunk: VGG16Features) -> Array:
    """Return (N, 512) relu5_3 features of VGG16, averaged over the places; pictures are as in `lpips`, not resized.

    Raises:
        DataError: a side is shorter than 16 pixels.
    """
    require_pictures("VGG16: a set of pictures", images, SMALLEST["vgg"])
    maps = (trunk(imagenet_normalise(batch))[-1].double() for batch in _batches(images, trunk.eval()))
    return np.concatenate([last.mean(dim=(2, 3)).cpu().numpy() for last in maps])
