"""Measures of one translated picture against the true one, pixel by pixel and structure by structure."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from facesketch.methods.structure import WINDOW, ssim_maps
from facesketch.metrics import fsim as _fsim
from facesketch.metrics import scoot as _scoot
from facesketch.metrics.base import Metric, checked, grey, in_chunks
from facesketch.metrics.fsim import fsim, fsimc
from facesketch.metrics.scoot import scoot

__all__ = ["FIDELITY", "Metric", "fsim", "fsimc", "grey", "ms_ssim", "psnr", "scoot", "ssim"]

PEAK = 255.0
SCALE_POWERS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Halved four times, rounding up, 161 is the least side that still holds one window.
MS_SSIM_SMALLEST = (WINDOW - 1) * 2 ** (len(SCALE_POWERS) - 1) + 1


def psnr(result: Tensor, truth: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of grey pictures in dB, infinite for equal ones.

    Args:
        result: (N, 1 or 3, H, W), uint8 or floating, values in 0..255.
        truth: (N, 1 or 3, H, W), the same.

    Returns:
        (N,) float32; higher is better.

    Raises:
        DataError: the pictures are not fit to be compared.
    """
    result, truth = checked("psnr", result, truth, smallest=1)
    return in_chunks(_psnr, grey(result), grey(truth))


def _psnr(result: Tensor, truth: Tensor) -> Tensor:
    error = (result.to(torch.float64) - truth).square().mean((1, 2, 3))
    return (10 * torch.log10(PEAK**2 / error)).to(torch.float32)


def ssim(result: Tensor, truth: Tensor) -> Tensor:
    """Return the mean structural similarity of grey pictures (Wang et al., TIP 2004).

    Windows are those of `structure.ssim_maps`. This is what scikit-image gives with `gaussian_weights=True`.

    Args:
        result: (N, 1 or 3, H, W), uint8 or floating, values in 0..255.
        truth: (N, 1 or 3, H, W), the same.

    Returns:
        (N,) float32 in [-1, 1]; higher is better.

    Raises:
        DataError: the pictures are not fit to be compared, or a side is under 11 pixels.
    """
    result, truth = checked("ssim", result, truth, smallest=WINDOW)
    return in_chunks(_ssim, grey(result), grey(truth))


def _ssim(result: Tensor, truth: Tensor) -> Tensor:
    luminance, contrast = ssim_maps(result.to(torch.float64), truth.to(torch.float64), PEAK)
    return (luminance * contrast).mean((1, 2, 3)).to(torch.float32)


def ms_ssim(result: Tensor, truth: Tensor) -> Tensor:
    """Return the structural similarity over five scales of grey pictures (Wang, Simoncelli, Bovik, Asilomar 2003).

    Each scale is the mean of 2x2 pixels of the one before, an odd last row or column repeated. A scale whose mean is
    negative counts as 0, since its power would not be a real number.

    Args:
        result: (N, 1 or 3, H, W), uint8 or floating, values in 0..255.
        truth: (N, 1 or 3, H, W), the same.

    Returns:
        (N,) float32 in [0, 1]; higher is better.

    Raises:
        DataError: the pictures are not fit to be compared, or a side is under 161 pixels.
    """
    result, truth = checked("ms-ssim", result, truth, smallest=MS_SSIM_SMALLEST)
    return in_chunks(_ms_ssim, grey(result), grey(truth))


def _ms_ssim(result: Tensor, truth: Tensor) -> Tensor:
    result, truth = result.to(torch.float64), truth.to(torch.float64)
    product = torch.ones(len(result), dtype=torch.float64, device=result.device)
    for scale, power in enumerate(SCALE_POWERS):
        luminance, contrast = ssim_maps(result, truth, PEAK)
        alike = luminance * contrast if scale == len(SCALE_POWERS) - 1 else contrast
        product *= alike.mean((1, 2, 3)).clamp(min=0) ** power
        result, truth = _halve(result), _halve(truth)
    return product.to(torch.float32)


def _halve(images: Tensor) -> Tensor:
    odd = F.pad(images, (0, images.shape[-1] % 2, 0, images.shape[-2] % 2), mode="replicate")
    return F.avg_pool2d(odd, 2)


FIDELITY: dict[str, Metric] = {
    "psnr": Metric("psnr", "PSNR (dB)", "higher", (0.0, math.inf), False, psnr),
    "ssim": Metric("ssim", "SSIM", "higher", (-1.0, 1.0), False, ssim, smallest=WINDOW),
    "ms-ssim": Metric("ms-ssim", "MS-SSIM", "higher", (0.0, 1.0), False, ms_ssim, smallest=MS_SSIM_SMALLEST),
    "fsim": Metric("fsim", "FSIM", "higher", (0.0, 1.0), False, fsim, smallest=_fsim.SMALLEST),
    "fsimc": Metric("fsimc", "FSIMc", "higher", (0.0, 1.0), True, fsimc, smallest=_fsim.SMALLEST),
    "scoot": Metric("scoot", "Scoot", "higher", (0.0, 1.0), False, scoot, smallest=_scoot.SMALLEST),
}
