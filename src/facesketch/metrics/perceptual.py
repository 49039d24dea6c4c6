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

from facesketch.errors import DataError, ImageError
from facesketch.networks.backbones import VGG16Features, imagenet_normalise, load_trunk
from facesketch.networks.lpips import CHANNELS, SMALLEST, Net, PerceptualDistance

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
            raise ImageError(f"pictures of {tuple(x.shape)} and {tuple(y.shape)}; expected two batches of one shape")
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
        raise ImageError(f"pictures of shape {tuple(images.shape)}; expected (N, 1 or 3, H, W)")
    height, width = images.shape[-2:]
    if min(height, width) < smallest:
        raise ImageError(f"{width}x{height} pictures; {what} needs at least {smallest}x{smallest}: use a larger size")


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


def frechet(x: Features, y: Features) -> float:
    """Return the squared Fréchet distance between Gaussians fitted to two sets of features.

    |mean difference|² + tr(S + T - 2 (S T)^½), with the sample covariances S and T (Dowson & Landau 1982). With the
    centred features X and Y of n and m rows, tr (S T)^½ is the sum of the singular values of X Yᵀ over √((n-1)(m-1)):
    no root of a singular matrix is taken, so fewer rows than columns do no harm to the arithmetic. They do to the
    estimate, which is too high for small sets: compare only sets of one size.

    Args:
        x: (N, D), N at least 2.
        y: (M, D), M at least 2.

    Returns:
        At least 0; 0 when both sets have the same mean and covariance.

    Raises:
        DataError: a set has fewer than two rows, the columns differ, or a value is not finite.
    """
    _check_sets(x, y, at_least=2)
    means = x.mean(axis=0), y.mean(axis=0)
    roots = [(rows - mean) / np.sqrt(len(rows) - 1) for rows, mean in zip((x, y), means, strict=True)]
    first, second = (_at_most_square(root) for root in roots)
    cross = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    spread = sum(float(np.square(root).sum()) for root in roots)
    return max(0.0, float(np.square(means[0] - means[1]).sum() + spread - 2 * cross))


def _at_most_square(root: Features) -> Features:
    """Return at most D rows R with the same RᵀR."""
    return root if len(root) <= root.shape[1] else np.asarray(np.linalg.qr(root, mode="r"))


def kernel_distance(x: Features, y: Features, *, subsets: int = 100, size: int = 50, seed: int = 0) -> float:
    """Return the squared maximum mean discrepancy of two sets of features, unbiased, averaged over random subsets.

    The kernel is (a·b / D + 1)³, as in KID (Bińkowski et al., ICLR 2018, section 4). Two samples of one distribution
    give 0 in the mean at every size, so single values may be negative.

    Args:
        x: (N, D), N at least 2.
        y: (M, D), M at least 2.
        subsets: how many pairs of subsets are drawn, without replacement within one.
        size: rows of a subset; at most those of the smaller set. When that takes all of both sets, one pair is enough.
        seed: of the draws.

    Raises:
        DataError: a set has fewer than two rows, the columns differ, or a value is not finite.
    """
    _check_sets(x, y, at_least=2)
    size = min(size, len(x), len(y))
    assert size >= 2, "the unbiased estimate needs two rows"
    assert subsets >= 1, "at least one subset must be drawn"
    if size == len(x) == len(y):
        return _mmd(x, y)
    draw = np.random.default_rng(seed)
    return float(
        np.mean([_mmd(*(s[draw.choice(len(s), size, replace=False)] for s in (x, y))) for _ in range(subsets)])
    )


def _mmd(x: Features, y: Features) -> float:
    """Return the unbiased squared MMD (Gretton et al. 2012, equation 3)."""

    def kernel(a: Features, b: Features) -> Features:
        values: Features = (a @ b.T / a.shape[1] + 1) ** 3
        return values

    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (kernel(x, x), kernel(y, y))]
    return float(within[0] + within[1] - 2 * kernel(x, y).mean())


def _check_sets(x: Features, y: Features, at_least: int) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise DataError(f"features of {x.shape} and {y.shape}; expected (N, D) and (M, D)")
    if min(len(x), len(y)) < at_least:
        raise DataError(f"{len(x)} and {len(y)} pictures; a distance of sets needs at least {at_least} in each")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("the features hold values that are not numbers; the pictures or the weights are damaged")
