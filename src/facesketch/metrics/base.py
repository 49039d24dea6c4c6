"""What every picture metric is made of: its description, the check of its pictures, and the grey it looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from facesketch.errors import DataError

Compute = Callable[[Tensor, Tensor], Tensor]

# Pillow's ITU-R 601-2 luma in 16-bit fixed point: 0.299, 0.587 and 0.114.
_LUMA = (19595.0, 38470.0, 7471.0)
_LUMA_ONE = 65536.0
# Pictures are measured a few at a time: their maps then stay in the processor's cache, and memory stays bounded.
_CHUNK_PIXELS = 400_000


@dataclass(frozen=True)
class Metric:
    """One measure of a translated picture against the true one.

    Attributes:
        name: the short name in tables and files, such as `ssim`.
        title: the name for people, with its unit if it has one.
        better: whether a `higher` or a `lower` value is the better one.
        range: the least and the greatest value it can take.
        colour: whether it looks at colour and so needs three channels; others turn colour to grey.
        compute: takes result and truth, (N, C, H, W) with values in 0..255, and returns (N,) values.
        smallest: the least height and width in pixels that it can measure.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    range: tuple[float, float]
    colour: bool
    compute: Compute
    smallest: int = 1


def checked(
    metric: str, result: Tensor, truth: Tensor, *, smallest: int, channels: tuple[int, ...] = (1, 3)
) -> tuple[Tensor, Tensor]:
    """Return both batches without their gradient history, once they are known to be fit for a metric.

    Args:
        metric: the metric's name, for messages.
        result: translated pictures, (N, C, H, W), uint8 or floating, values in 0..255.
        truth: true pictures, (N, C, H, W) of the same N, H and W.
        smallest: least height and width in pixels.
        channels: the values of C that are allowed.

    Raises:
        DataError: another shape, dtype or range, a value that is not a number, too small, or two different sizes.
    """
    _check_images(metric, "result", result, smallest, channels)
    _check_images(metric, "truth", truth, smallest, channels)
    if result.shape[0] != truth.shape[0]:
        raise DataError(
            f"{metric}: {result.shape[0]} results and {truth.shape[0]} truths", "expected one truth per result"
        )
    if result.shape[-2:] != truth.shape[-2:]:
        sizes = f"the result is {_size(result)} and the truth {_size(truth)} pixels"
        raise DataError(f"{metric}: {sizes}", "expected one size, so cut the padding off or resize the result")
    return result.detach(), truth.detach()


def _check_images(metric: str, role: str, images: Tensor, smallest: int, channels: tuple[int, ...]) -> None:
    shape, allowed = tuple(images.shape), " or ".join(map(str, channels))
    if images.ndim != 4 or images.shape[1] not in channels or images.shape[0] == 0:
        raise DataError(f"{metric}: the {role} has shape {shape}", f"expected (N, C, height, width) with C {allowed}")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise DataError(f"{metric}: the {role} is {images.dtype}", "expected torch.uint8 or a floating type")
    if min(shape[-2:]) < smallest:
        raise DataError(f"{metric}: the {role} is {_size(images)} pixels", f"expected at least {smallest}x{smallest}")
    low, high = (float(value) for value in images.detach().aminmax())
    if not (low >= 0 and high <= 255):  # written so that NaN is refused too
        found = f"the {role} holds values from {low:g} to {high:g}"
        raise DataError(f"{metric}: {found}", "expected 0 to 255, so bring [-1, 1] there with (x + 1) * 127.5")


def _size(images: Tensor) -> str:
    return f"{images.shape[-1]}x{images.shape[-2]}"


def grey(images: Tensor) -> Tensor:
    """Return pictures as grey: one channel unchanged, three as ITU-R 601 luma rounded exactly as Pillow's `L` is.

    Args:
        images: (N, 1 or 3, H, W), values in 0..255.

    Returns:
        (N, 1, H, W) float32, values in 0..255.
    """
    if images.shape[1] == 1:
        return images.to(torch.float32)
    red, green, blue = (images[:, index : index + 1].to(torch.float64) for index in range(3))
    luma = red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]
    return torch.floor(luma / _LUMA_ONE + 0.5).to(torch.float32)


def in_chunks(compute: Compute, result: Tensor, truth: Tensor) -> Tensor:
    """Return `compute` of the batches, taken a few pictures at a time so that memory does not grow with N."""
    count = max(1, _CHUNK_PIXELS // (result.shape[-1] * result.shape[-2]))
    pairs = zip(torch.split(result, count), torch.split(truth, count), strict=True)
    return torch.cat([compute(some_result, some_truth) for some_result, some_truth in pairs])
