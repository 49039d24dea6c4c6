"""SSIM's arithmetic, window by window (Wang et al., TIP 2004): the metric and the loss are made of the same."""

from __future__ import annotations

import math

import torch
from torch import Tensor

WINDOW, _WINDOW_SIGMA = 11, 1.5


def ssim_maps(result: Tensor, truth: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    """Return SSIM's luminance term, and its contrast and structure terms together, of every window.

    The window is 11x11 Gaussian of sigma 1.5, weights summing to 1 and no sample covariance; only windows that lie
    wholly inside the picture count. Gradients flow through both pictures.

    Args:
        result: (N, C, H, W) of at least 11 pixels a side, values in 0..peak.
        truth: the same.
        peak: the value of white.

    Returns:
        Two tensors of (N, C, H - 10, W - 10); their product is SSIM, channel by channel.
    """
    steady, sharp = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    moments = torch.cat([result, truth, result * result, truth * truth, result * truth], dim=1)  # (N, 5 C, H, W)
    means = _gaussian_means(moments).split(result.shape[1], dim=1)
    mean_r, mean_t, square_r, square_t, product = means
    luminance = (2 * mean_r * mean_t + steady) / (mean_r**2 + mean_t**2 + steady)
    covariance = product - mean_r * mean_t
    variances = square_r - mean_r**2 + square_t - mean_t**2
    return luminance, (2 * covariance + sharp) / (variances + sharp)


def _gaussian_means(images: Tensor) -> Tensor:
    """Return Gaussian means of all windows inside the picture: (N, C, H, W) to (N, C, H - 10, W - 10)."""
    half = WINDOW // 2
    weights = [math.exp(-(offset**2) / (2 * _WINDOW_SIGMA**2)) for offset in range(-half, half + 1)]
    # Adding shifted copies is several times faster than conv2d for one channel in float64.
    for dim in (-2, -1):
        size = images.shape[dim] - WINDOW + 1
        blurred = images.narrow(dim, 0, size) * (weights[0] / sum(weights))
        for start, weight in enumerate(weights[1:], start=1):
            blurred.add_(images.narrow(dim, start, size), alpha=weight / sum(weights))
        images = blurred
    return images
