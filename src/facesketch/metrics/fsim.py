"""FSIM and FSIMc (Zhang, Zhang, Mou, Zhang, "FSIM: A Feature Similarity Index for Image Quality Assessment", TIP 2011).

Phase congruency follows Kovesi ("Image Features from Phase Congruency", Videre 1999; "Phase Congruency Detects Corners
and Edges", DICTA 2003) with the constants that the authors of FSIM published beside their paper.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from facesketch.metrics.base import metric

SMALLEST = 16
T1, T2, T3, T4 = 0.85, 160.0, 200.0, 200.0
CHROMA_POWER = 0.03
REFERENCE_SIDE = 256

SCALES, ORIENTATIONS = 4, 4
SMALLEST_WAVELENGTH, WAVELENGTH_STEP = 6.0, 2.0
BANDWIDTH = 0.55
ANGULAR_SIGMA = math.pi / ORIENTATIONS / 1.2
LOW_PASS_CUTOFF, LOW_PASS_ORDER = 0.45, 15
NOISE_SIGMAS = 2.0
NOISE_OVERESTIMATE = 1.7
LENGTH_FLOOR = 1e-4

_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
_TINY = 1e-12


@metric("FSIM", smallest=SMALLEST)
def fsim(result: Tensor, truth: Tensor) -> Tensor:
    """Return the feature similarity of grey pictures, in (0, 1].

    FSIM compares phase congruency and Scharr gradients, and weighs each pixel by its phase congruency.

    Examples:
        >>> pictures = torch.arange(1024.0).view(1, 1, 32, 32) / 5
        >>> fsim(pictures, pictures)
        tensor([1.])
    """
    return _fsim(result, truth)


@metric("FSIMc", smallest=SMALLEST, colour=True)
def fsimc(result: Tensor, truth: Tensor) -> Tensor:
    """Return FSIM of the luma multiplied, at each pixel, by the likeness of the two chroma channels of YIQ.

    Examples:
        >>> pictures = torch.rand(1, 3, 32, 32) * 255
        >>> bool(fsimc(pictures, 255 - pictures) < fsimc(pictures, pictures))
        True
    """
    matrix = torch.tensor(_YIQ, device=result.device)
    return _fsim(*(torch.einsum("dc,nchw->ndhw", matrix, images) for images in (result, truth)))


def _fsim(result: Tensor, truth: Tensor) -> Tensor:
    """Return FSIM of (N, 1, H, W) luma, or FSIMc of (N, 3, H, W) YIQ."""
    result, truth = _down_sample(result), _down_sample(truth)
    phases = phase_congruency(result[:, 0]), phase_congruency(truth[:, 0])
    alike = _similarity(*phases, T1) * _similarity(_gradient(result[:, :1]), _gradient(truth[:, :1]), T2)
    if result.shape[1] == 3:
        chroma = _similarity(result[:, 1], truth[:, 1], T3) * _similarity(result[:, 2], truth[:, 2], T4)
        # The real part of chroma^0.03: of a negative number the power is its size turned by 0.03 pi.
        alike = alike * chroma.abs() ** CHROMA_POWER * torch.where(chroma < 0, math.cos(math.pi * CHROMA_POWER), 1.0)
    weight = torch.maximum(*phases).flatten(1)
    # Where neither picture has a feature there is nothing to weight by: every pixel then counts the same.
    weight = torch.where(weight.sum(1, keepdim=True) > 0, weight, torch.ones_like(weight))
    return (alike.flatten(1) * weight).sum(1) / weight.sum(1)


def _similarity(first: Tensor, second: Tensor, constant: float) -> Tensor:
    return (2 * first * second + constant) / (first.square() + second.square() + constant)


def _down_sample(images: Tensor) -> Tensor:
    """Return means of FxF windows at every F-th pixel, F = max(1, round(short side / 256)), zeros beyond the border."""
    factor = max(1, math.floor(min(images.shape[-2:]) / REFERENCE_SIDE + 0.5))
    if factor == 1:
        return images
    after = factor // 2
    before = factor - 1 - after
    return F.avg_pool2d(F.pad(images, (before, after, before, after)), factor)


def _gradient(images: Tensor) -> Tensor:
    """Return the length of the Scharr gradient, zeros beyond the border: (N, 1, H, W) to (N, H, W)."""
    scharr = torch.tensor([[3.0, 0.0, -3.0], [10.0, 0.0, -10.0], [3.0, 0.0, -3.0]], device=images.device) / 16
    kernels = torch.stack([scharr, scharr.T])[:, None]  # (2, 1, 3, 3)
    across, down = F.conv2d(images, kernels, padding=1).unbind(1)
    return torch.hypot(across, down)


def phase_congruency(images: Tensor) -> Tensor:
    """Return where the frequencies of a picture are in step, whatever their contrast (Kovesi's PC_2).

    Args:
        images: grey, (N, H, W) float32, values in 0..255.

    Returns:
        (N, H, W) in [0, 1].
    """
    rows, columns = images.shape[-2:]
    banks, noise_ratios = _filter_banks(rows, columns, str(images.device))
    # No filter passes the mean; without it a flat picture gives exact zeros instead of rounding noise.
    spectrum = torch.fft.rfft2(images - images.mean((-2, -1), keepdim=True))  # (N, H, W // 2 + 1)
    energy, amplitude = torch.zeros_like(images), torch.zeros_like(images)
    for bank, noise_ratio in zip(banks, noise_ratios, strict=True):
        even, odd = torch.fft.irfft2(spectrum[:, None, None] * bank, s=(rows, columns)).unbind(1)  # (N, scales, H, W)
        # the local energy, the sum over the scales of A_n (cos(deviation) - |sin(deviation)|)
        even_sum, odd_sum = even.sum(1, keepdim=True), odd.sum(1, keepdim=True)
        sine = (even * odd_sum - odd * even_sum).abs().sum(1)
        square = (even_sum.square() + odd_sum.square())[:, 0]
        local = (square - sine) / (square.sqrt() + LENGTH_FLOOR)
        sizes = (even.square() + odd.square()).sqrt()
        energy += (local - noise_ratio * _median(sizes[:, 0])).clamp(min=0)
        amplitude += sizes.sum(1)
    return energy / amplitude.clamp(min=_TINY)


def _median(maps: Tensor) -> Tensor:
    """Return the root of the median square, (N, H, W) to (N, 1, 1); an even count takes both middle squares' mean."""
    squares = maps.flatten(1).square()
    lower = squares.median(1, keepdim=True).values  # torch takes the lower of two middle values
    repeated = (squares <= lower).sum(1, keepdim=True) > squares.shape[1] / 2
    above = torch.where(squares > lower, squares, math.inf).amin(1, keepdim=True)
    return ((lower + torch.where(repeated, lower, above)) / 2).sqrt()[:, :, None]


@lru_cache(maxsize=8)
def _filter_banks(rows: int, columns: int, device: str) -> tuple[Tensor, Tensor]:
    """Return log-Gabor filters by orientation, and for each orientation the noise threshold over the median amplitude.

    Noise energy is taken as Rayleigh distributed. Its power is the median square over ln 2 over the smallest filter's
    own power; it reaches all scales together through their summed even filters, whose power Parseval gives.

    Returns:
        (orientations, 2, scales, rows, columns // 2 + 1), complex: frequency responses of the even and the odd filters
        for `irfft2`, and (orientations,).
    """
    down, right = torch.meshgrid(_frequencies(rows), _frequencies(columns), indexing="ij")
    radius, angle = torch.hypot(down, right), torch.atan2(-down, right)
    low_pass = 1.0 / (1.0 + (radius / LOW_PASS_CUTOFF) ** (2 * LOW_PASS_ORDER))
    wavelengths = [SMALLEST_WAVELENGTH * WAVELENGTH_STEP**scale for scale in range(SCALES)]
    # The logarithm of zero frequency is minus infinity, and the filter there 0.
    spreads = torch.stack([(radius * wavelength).log() ** 2 for wavelength in wavelengths])
    radial = torch.exp(-spreads / (2 * math.log(BANDWIDTH) ** 2)) * low_pass
    sigmas = math.sqrt(math.pi / 2) + NOISE_SIGMAS * math.sqrt(2 - math.pi / 2)
    banks, ratios = [], []
    for orientation in range(ORIENTATIONS):
        turned = angle - orientation * math.pi / ORIENTATIONS
        distance = torch.atan2(turned.sin(), turned.cos())
        filters = radial * torch.exp(-(distance**2) / (2 * ANGULAR_SIGMA**2))
        opposite = torch.roll(torch.flip(filters, (-2, -1)), (1, 1), (-2, -1))
        even, odd = (filters + opposite) / 2, (filters - opposite) / 2j
        banks.append(torch.stack([even.to(odd.dtype), odd])[..., : columns // 2 + 1])
        noise_power = torch.reciprocal(filters[0].square().sum() * math.log(2.0))
        ratios.append((noise_power * even.sum(0).square().sum()).sqrt() * (sigmas / NOISE_OVERESTIMATE))
    return torch.stack(banks).to(device, torch.complex64), torch.stack(ratios).to(device, torch.float32)


def _frequencies(length: int) -> Tensor:
    """Return frequencies in cycles per pixel, zero first; odd lengths reach +-0.5 as in Kovesi's code."""
    steps = torch.arange(length, dtype=torch.float64) - length // 2
    shifted: Tensor = torch.fft.ifftshift(steps / (length - length % 2))
    return shifted
