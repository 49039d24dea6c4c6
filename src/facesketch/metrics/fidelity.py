"""Measures of one translated picture against the true one, pixel by pixel and structure by structure."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from facesketch.metrics import fsim as _fsim
from facesketch.metrics import scoot as _scoot
from facesketch.metrics.base import Metric, checked, grey, in_chunks
from facesketch.metrics.fsim import fsim, fsimc
from facesketch.metrics.scoot import scoot

__all__ = ["FIDELITY", "Metric", "fsim", "fsimc", "grey", "ms_ssim", "psnr", "scoot", "ssim"]

PEAK = 255.0
WINDOW, WINDOW_SIGMA = 11, 1.5
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
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

    The window is 11x11 Gaussian of sigma 1.5, weights summing to 1 and no sample covariance; only windows that lie
    wholly inside the picture count. This is what scikit-image gives with `gaussian_weights=True`.

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
    luminance, contrast = _ssim_maps(result.to(torch.float64), truth.to(torch.float64))
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
        luminance, contrast = _ssim_maps(result, truth)
        alike = luminance * contrast if scale == len(SCALE_POWERS) - 1 else contrast
        product *= alike.mean((1, 2, 3)).clamp(min=0) ** power
        result, truth = _halve(result), _halve(truth)
    return product.to(torch.float32)


def _halve(images: Tensor) -> Tensor:
    odd = F.pad(images, (0, images.shape[-1] % 2, 0, images.shape[-2] % 2), mode="replicate")
    return F.avg_pool2d(odd, 2)


def _ssim_maps(result: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return SSIM's luminance term, and its contrast and structure terms together: (N, 1, H - 10, W - 10) each."""
    moments = torch.cat([result, truth, result * result, truth * truth, result * truth], dim=1)  # (N, 5, H, W)
    mean_r, mean_t, square_r, square_t, product = torch.split(_blur(moments), 1, dim=1)
    luminance = (2 * mean_r * mean_t + C1) / (mean_r**2 + mean_t**2 + C1)
    covariance = product - mean_r * mean_t
    variances = square_r - mean_r**2 + square_t - mean_t**2
    return luminance, (2 * covariance + C2) / (variances + C2)


def _blur(images: Tensor) -> Tensor:
    """Return Gaussian means of all windows inside the picture: (N, C, H, W) to (N, C, H - 10, W - 10)."""
    half = WINDOW // 2
    weights = [math.exp(-(offset**2) / (2 * WINDOW_SIGMA**2)) for offset in range(-half, half + 1)]
    # Adding shifted copies is several times faster than conv2d for one channel in float64.
    for dim in (-2, -1):
        size = images.shape[dim] - WINDOW + 1
        blurred = images.narrow(dim, 0, size) * (weights[0] / sum(weights))
        for start, weight in enumerate(weights[1:], start=1):
            blurred.add_(images.narrow(dim, start, size), alpha=weight / sum(weights))
        images = blurred
    return images


FIDELITY: dict[str, Metric] = {
    "psnr": Metric("psnr", "PSNR (dB)", "higher", (0.0, math.inf), False, psnr),
    "ssim": Metric("ssim", "SSIM", "higher", (-1.0, 1.0), False, ssim, smallest=WINDOW),
    "ms-ssim": Metric("ms-ssim", "MS-SSIM", "higher", (0.0, 1.0), False, ms_ssim, smallest=MS_SSIM_SMALLEST),
    "fsim": Metric("fsim", "FSIM", "higher", (0.0, 1.0), False, fsim, smallest=_fsim.SMALLEST),
    "fsimc": Metric("fsimc", "FSIMc", "higher", (0.0, 1.0), True, fsimc, smallest=_fsim.SMALLEST),
    "scoot": Metric("scoot", "Scoot", "higher", (0.0, 1.0), False, scoot, smallest=_scoot.SMALLEST),
}
