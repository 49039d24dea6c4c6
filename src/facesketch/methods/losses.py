"""Losses as plain functions of tensors, computed in float32 whatever comes in, each a mean over the batch."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

PixelLoss = Literal["mse", "mae", "bce", "ssim"]
WINDOW, _WINDOW_SIGMA = 11, 1.5


def to_unit(x: Tensor) -> Tensor:
    """[-1, 1] -> [0, 1], as float32."""
    return (x.float() + 1) / 2


def from_unit(x: Tensor) -> Tensor:
    """[0, 1] -> [-1, 1], as float32."""
    return x.float() * 2 - 1


def l1(x: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of two tensors of one shape."""
    return F.l1_loss(x.float(), target.float())


def mse(x: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of two tensors of one shape."""
    return F.mse_loss(x.float(), target.float())


def bce(logits: Tensor, target01: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of sigmoid(logits) against a target in [0, 1], of one shape.

    A target outside [0, 1] makes this loss unbounded below; it can only come from a mistake of ours, so it is asserted.
    """
    target = target01.float()
    assert target.is_meta or bool(((target >= 0) & (target <= 1)).all()), (
        "the target of a cross-entropy must lie in [0, 1]; see to_unit"
    )
    return F.binary_cross_entropy_with_logits(logits.float(), target)


def ssim_maps(result: Tensor, truth: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    """Return SSIM's luminance term, and its contrast and structure terms together, of every window (Wang et al. 2004).

    The window is 11x11 Gaussian of sigma 1.5, weights summing to 1 and no sample covariance; only windows that lie
    wholly inside the picture count. Gradients flow through both pictures.

    Both pictures are (N, C, H, W), at least 11 pixels a side, with values in 0..peak. The two maps are (N, C, H - 10,
    W - 10); their product is SSIM, channel by channel.
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


def dissimilarity(x: Tensor, target: Tensor) -> Tensor:
    """Return 1 - SSIM of two (N, C, H, W) batches in [0, 1], at least 11 pixels a side, per channel.

    Wang et al. 2004; of grey pictures it is one less the metric `ssim`. That looks at grey alone, which would leave the
    colours of a photo open.
    """
    luminance, contrast = ssim_maps(x.float(), target.float(), 1.0)
    return 1 - (luminance * contrast).mean()


def pixel_loss(name: PixelLoss, logits: Tensor, target01: Tensor) -> Tensor:
    """Return the loss between sigmoid(logits) and a target in [0, 1]: squared, absolute, cross-entropy or 1 - SSIM."""
    if name == "bce":
        return bce(logits, target01)
    return {"mse": mse, "mae": l1, "ssim": dissimilarity}[name](torch.sigmoid(logits.float()), target01)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_variance)) || N(0, 1)): (N, latent) each, summed over the latent, mean over the batch.

    Kingma & Welling 2014, appendix B.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return (0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)).sum(dim=1).mean()


def kl_of_means(mean: Tensor) -> Tensor:
    """Return the mean square of a code's means: twice KL(N(mean, 1) || N(0, 1)) for each of its numbers, any shape.

    UNIT's authors compute the divergence this way in their code, and their weights assume it (Liu et al. 2017).
    """
    return mean.float().square().mean()


def sparsity(logits: Tensor, activation: float) -> Tensor:
    """Return KL(activation || mean activation) of (N, units) sigmoids over the batch, summed (Le et al. 2011).

    It is computed in logarithms, so that a unit which is always on, or always off, still gets a gradient.
    """
    logits = logits.float()
    on, off = (F.logsigmoid(each).logsumexp(dim=0) - math.log(len(logits)) for each in (logits, -logits))
    wanted, unwanted = activation, 1 - activation
    entropy = wanted * math.log(wanted) + unwanted * math.log(unwanted)
    return (entropy - wanted * on - unwanted * off).sum()


def adversarial_bce(logits: Tensor, real: bool) -> Tensor:
    """Return -log sigmoid(logits) when they should say real, -log(1 - sigmoid(logits)) when fake; any shape.

    Goodfellow et al. 2014; for a generator, `real=True` on its own pictures is the non-saturating form.
    """
    return F.softplus(-logits.float() if real else logits.float()).mean()


def adversarial_least_squares(logits: Tensor, real: bool) -> Tensor:
    """Return the mean of (logits - 1)^2 when they should say real, of logits^2 when fake (Mao et al. 2017)."""
    return (logits.float() - float(real)).square().mean()


def edges(x: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of the gradients across and down, at full and at half the resolution.

    An absolute difference of pixels forgives a line drawn faintly; this does not, since a line is all gradient.
    """
    difference = x.float() - target.float()
    total = difference.new_zeros(())
    for scale in (1, 2):
        at = difference if scale == 1 else F.avg_pool2d(difference, 2)
        total = total + at.diff(dim=-1).abs().mean() + at.diff(dim=-2).abs().mean()
    return total / 4
