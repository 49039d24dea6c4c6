"""What every picture metric is made of: the check of its pictures, the grey it looks at, and small batches."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from facesketch.errors import DataError

Compute = Callable[[Tensor, Tensor], Tensor]

# Pillow's ITU-R 601-2 luma in 16-bit fixed point: 0.299, 0.587 and 0.114.
_LUMA, _LUMA_ONE = (19595.0, 38470.0, 7471.0), 65536.0
# Pictures are measured a few at a time: their maps then stay in the processor's cache, and memory stays bounded.
_CHUNK_PIXELS = 400_000


class Metric:
    """A measure of translated pictures against the true ones: call it with two batches.

    Both batches are (N, C, H, W) of one size, uint8 or floating, with values in 0..255. C is 1 or 3, and 3 where the
    metric looks at colour. The result is (N,) float32 without gradients, higher where pictures are more alike. A
    `DataError` says why pictures cannot be compared.

    Attributes:
        name: the short name in tables and files, such as `ms-ssim`.
        title: the name for people, with its unit if it has one.
        smallest: the least height and width in pixels that it can measure.
        colour: whether it looks at colour; others turn colour to grey.
    """

    def __init__(self, compute: Compute, title: str, smallest: int, colour: bool) -> None:
        functools.update_wrapper(self, compute)
        self.name = compute.__name__.replace("_", "-")
        self.title, self.smallest, self.colour, self._compute = title, smallest, colour, compute

    def __call__(self, result: Tensor, truth: Tensor) -> Tensor:
        """Measure a batch."""
        require_pair(self.name, result, truth, self.smallest, (3,) if self.colour else (1, 3))
        count = max(1, _CHUNK_PIXELS // (result.shape[-1] * result.shape[-2]))
        chunks = zip(result.detach().split(count), truth.detach().split(count), strict=True)
        seen = torch.Tensor.float if self.colour else grey
        return torch.cat([self._compute(seen(some), seen(others)) for some, others in chunks]).float()


def metric(title: str, *, smallest: int = 1, colour: bool = False) -> Callable[[Compute], Metric]:
    """Make a `Metric` of a function of two batches: (N, 1, H, W) grey, or (N, 3, H, W) RGB for one of colour."""
    return lambda compute: Metric(compute, title, smallest, colour)


def require_pair(name: str, result: Tensor, truth: Tensor, smallest: int, channels: tuple[int, ...] = (1, 3)) -> None:
    """Refuse two batches that are not fit to be compared.

    Raises:
        DataError: another shape, dtype or range, a value that is not a number, too small, or two different sizes.
    """
    require_pictures(f"{name}: the result", result, smallest, channels)
    require_pictures(f"{name}: the truth", truth, smallest, channels)
    if len(result) != len(truth):
        raise DataError(f"{name}: {len(result)} results and {len(truth)} truths", "expected one truth per result")
    if result.shape[-2:] != truth.shape[-2:]:
        seen = f"{name}: the result is {_size(result)} and the truth {_size(truth)} pixels"
        raise DataError(seen, "expected one size, so cut the padding off or resize the result")


def require_pictures(what: str, images: Tensor, smallest: int = 1, channels: tuple[int, ...] = (1, 3)) -> None:
    """Refuse what is not a batch of pictures in 0..255.

    Raises:
        DataError: another shape, dtype or range, a value that is not a number, or a side shorter than `smallest`.
    """
    if images.ndim != 4 or images.shape[1] not in channels or not len(images):
        allowed = " or ".join(map(str, channels))
        raise DataError(f"{what} has shape {tuple(images.shape)}", f"expected (N, C, height, width) with C {allowed}")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise DataError(f"{what} is {images.dtype}", "expected torch.uint8 or a floating type")
    if min(images.shape[-2:]) < smallest:
        raise DataError(f"{what} is {_size(images)} pixels", f"expected at least {smallest}x{smallest}")
    low, high = (float(value) for value in images.detach().aminmax())
    if not (low >= 0 and high <= 255):  # written so that NaN is refused too
        seen = f"{what} holds values from {low:g} to {high:g}"
        raise DataError(seen, "expected 0 to 255, so bring [-1, 1] there with (x + 1) * 127.5")


def _size(images: Tensor) -> str:
    return f"{images.shape[-1]}x{images.shape[-2]}"


def grey(images: Tensor) -> Tensor:
    """Return (N, 1, H, W) float32 grey of (N, 1 or 3, H, W) pictures in 0..255, as Pillow's `L` rounds it."""
    if images.shape[1] == 1:
        return images.float()
    red, green, blue = images.double().split(1, dim=1)
    luma = red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]
    return torch.floor(luma / _LUMA_ONE + 0.5).float()
