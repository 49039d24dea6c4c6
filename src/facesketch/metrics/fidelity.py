"""Metrics of one translated picture against the true one, pixel by pixel and structure by structure."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from facesketch.methods.losses import WINDOW, ssim_maps
from facesketch.metrics.base import metric
from facesketch.metrics.fsim import fsim, fsimc
from facesketch.metrics.scoot import scoot

PEAK = 255.0
SCALE_POWERS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


@metric("PSNR (dB)")
def psnr(result: Tensor, truth: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of grey pictures in dB, infinite for equal ones.

    Examples:
        >>> result, truth = torch.full((1, 1, 4, 4), 8.0), torch.full((1, 1, 4, 4), 7.0)
        >>> round(psnr(result, truth).item(), 2)
        48.13
    """
    return 10 * torch.log10(PEAK**2 / (result.double() - truth).square().mean((1, 2, 3)))


@metric("SSIM", smallest=WINDOW)
def ssim(result: Tensor, truth: Tensor) -> Tensor:
    """Return the mean structural similarity of grey pictures, in [-1, 1] (Wang et al., TIP 2004).

    Windows are those of `methods.losses.ssim_maps`. This is what scikit-image gives with `gaussian_weights=True`.

    Examples:
        >>> pictures = torch.arange(256.0).view(1, 1, 16, 16)
        >>> ssim(pictures, pictures)
        tensor([1.])
    """
    luminance, contrast = ssim_maps(result.double(), truth.double(), PEAK)
    return (luminance * contrast).mean((1, 2, 3))


# Halved four times, rounding up, 161 is the least side that still holds one window.
@metric("MS-SSIM", smallest=(WINDOW - 1) * 2 ** (len(SCALE_POWERS) - 1) + 1)
def ms_ssim(result: Tensor, truth: Tensor) -> Tensor:
    """Return the structural similarity over five scales of grey pictures (Wang, Simoncelli, Bovik, Asilomar 2003).

    Each scale is the mean of 2x2 pixels of the one before, an odd last row or column repeated. A scale whose mean is
    negative counts as 0, since its power would not be a real number. So values lie in [0, 1].

    Examples:
        >>> pictures = torch.rand(2, 3, 161, 161) * 255
        >>> ms_ssim(pictures, pictures)
        tensor([1., 1.])
    """
    result, truth = result.double(), truth.double()
    product = torch.ones(len(result), dtype=torch.float64, device=result.device)
    for scale, power in enumerate(SCALE_POWERS):
        luminance, contrast = ssim_maps(result, truth, PEAK)
        alike = luminance * contrast if scale == len(SCALE_POWERS) - 1 else contrast
        product *= alike.mean((1, 2, 3)).clamp(min=0) ** power
        odd = (0, result.shape[-1] % 2, 0, result.shape[-2] % 2)
        result, truth = (F.avg_pool2d(F.pad(images, odd, mode="replicate"), 2) for images in (result, truth))
    return product


FIDELITY = {each.name: each for each in (psnr, ssim, ms_ssim, fsim, fsimc, scoot)}
