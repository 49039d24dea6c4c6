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

from facesketch.metrics.base import checked, grey, in_chunks

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


def fsim(result: Tensor, truth: Tensor) -> Tensor:
    """Return the feature similarity of grey pictures: phase congruency and Scharr gradient, weighted by the former.

    Args:
        result: (N, 1 or 3, H, W), uint8 or floating, values in 0..255.
        truth: (N, 1 or 3, H, W), the same.

    Returns:
        (N,) float32 in (0, 1]; higher is better.

    Raises:
        DataError: the pictures are not fit to be compared, or a side is under 16 pixels.
    """
    result, truth = checked("fsim", result, truth, smallest=SMALLEST)
    return in_chunks(_fsim, grey(result), grey(truth))


def fsimc(result: Tensor, truth: Tensor) -> Tensor:
    """Return FSIM of the luma multiplied, at each pixel, by the likeness of the two chroma channels of YIQ.

    Args:
        result: (N, 3, H, W), uint8 or floating, values in 0..255.
        truth: (N, 3, H, W), the same.

    Returns:
        (N,) float32 in (0, 1]; higher is better.

    Raises:
        DataError: the pictures are not colour, not fit to be compared, or a side is under 16 pixels.
    """
    result, truth = checked("fsimc", result, truth, smallest=SMALLEST, channels=(3,))
    return in_chunks(_fsim, _yiq(result), _yiq(truth))


def _yiq(images: Tensor) -> Tensor:
    matrix = torch.tensor(_YIQ, device=images.device)
    return torch.einsum("dc,nchw->ndhw", matrix, images.to(torch.float32))


def _fsim(result: Tensor, truth: Tensor) -> Tensor:
    """Return FSIM of (N, 1, H, W) luma, or FSIMc of (N, 3, H, W) YIQ."""
    result, truth = _down_sample(result), _down_sample(truth)
    phases = phase_congruency(result[:, 0]), phase_congruency(truth[:, 0])
    alike = _similarity(*phases, T1) * _similarity(_gradient(result[:, :1]), _gradient(truth[:, :1]), T2)
    if result.shape[1] == 3:
        alike = alike * _chroma(result[:, 1:], truth[:, 1:])
    weight = torch.maximum(*phases).flatten(1)
    # Where neither picture has a feature there is nothing to weight by: every pixel then counts the same.
    weight = torch.where(weight.sum(1, keepdim=True) > 0, weight, torch.ones_like(weight))
    return (alike.flatten(1) * weight).sum(1) / weight.sum(1)


def _similarity(first: Tensor, second: Tensor, constant: float) -> Tensor:
    return (2 * first * second + constant) / (first.square() + second.square() + constant)


def _chroma(result: Tensor, truth: Tensor) -> Tensor:
    """Return the real part of (S_I S_Q)^0.03, which for a negative base is its size turned by 0.03 pi."""
    product = _similarity(result[:, 0], truth[:, 0], T3) * _similarity(result[:, 1], truth[:, 1], T4)
    turn = torch.where(product < 0, math.cos(math.pi * CHROMA_POWER), 1.0)
    return product.abs() ** CHROMA_POWER * turn


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
        sizes = (even.square() + odd.square()).sqrt()
        energy += (_local_energy(even, odd) - noise_ratio * _median(sizes[:, 0])).clamp(min=0)
        amplitude += sizes.sum(1)
    return energy / amplitude.clamp(min=_TINY)


def _local_energy(even: Tensor, odd: Tensor) -> Tensor:
    """Return sum over the scales of A_n (cos(deviation) - |sin(deviation)|): (N, scales, H, W) to (N, H, W)."""
    even_sum, odd_sum = even.sum(1, keepdim=True), odd.sum(1, keepdim=True)
    sine = (even * odd_sum - odd * even_sum).abs().sum(1)
    square = (even_sum.square() + odd_sum.square())[:, 0]
    return (square - sine) / (square.sqrt() + LENGTH_FLOOR)


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

    Returns:
        (orientations, 2, scales, rows, columns // 2 + 1), complex: frequency responses of the even and the odd filters
        for `irfft2`, and (orientations,).
    """
    down, right = torch.meshgrid(_frequencies(rows), _frequencies(columns), indexing="ij")
    radius, angle = torch.hypot(down, right), torch.atan2(-down, right)
    radial = torch.stack([_radial(radius, scale) for scale in range(SCALES)])
    banks, ratios = [], []
    for orientation in range(ORIENTATIONS):
        filters = radial * _angular(angle, orientation)
        opposite = torch.roll(torch.flip(filters, (-2, -1)), (1, 1), (-2, -1))
        even, odd = (filters + opposite) / 2, (filters - opposite) / 2j
        banks.append(torch.stack([even.to(odd.dtype), odd])[..., : columns // 2 + 1])
        ratios.append(_noise_ratio(filters[0], even))
    return torch.stack(banks).to(device, torch.complex64), torch.stack(ratios).to(device, torch.float32)


def _frequencies(length: int) -> Tensor:
    """Return frequencies in cycles per pixel, zero first; odd lengths reach +-0.5 as in Kovesi's code."""
    steps = torch.arange(length, dtype=torch.float64) - length // 2
    shifted: Tensor = torch.fft.ifftshift(steps / (length - length % 2))
    return shifted


def _radial(radius: Tensor, scale: int) -> Tensor:
    centre = 1.0 / (SMALLEST_WAVELENGTH * WAVELENGTH_STEP**scale)
    low_pass = 1.0 / (1.0 + (radius / LOW_PASS_CUTOFF) ** (2 * LOW_PASS_ORDER))
    # The logarithm of zero frequency is minus infinity, and the filter there 0.
    return torch.exp(-((radius / centre).log() ** 2) / (2 * math.log(BANDWIDTH) ** 2)) * low_pass


def _angular(angle: Tensor, orientation: int) -> Tensor:
    turned = angle - orientation * math.pi / ORIENTATIONS
    distance = torch.atan2(turned.sin(), turned.cos())
    return torch.exp(-(distance**2) / (2 * ANGULAR_SIGMA**2))


def _noise_ratio(smallest: Tensor, even: Tensor) -> Tensor:
    """Return the noise threshold of one orientation for a median amplitude of 1 at the smallest scale.

    Noise energy is taken as Rayleigh distributed. Its power is the median square over ln 2 over the smallest filter's
    own power; it reaches all scales together through their summed even filters, whose power Parseval gives.
    """
    noise_power = torch.reciprocal(smallest.square().sum() * math.log(2.0))
    sigmas = math.sqrt(math.pi / 2) + NOISE_SIGMAS * math.sqrt(2 - math.pi / 2)
    tau = torch.sqrt(noise_power * even.sum(0).square().sum())
    return tau * (sigmas / NOISE_OVERESTIMATE)
