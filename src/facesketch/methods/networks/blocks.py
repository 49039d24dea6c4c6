"""The parts that several networks share: normalisation, initialisation, freezing and counting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from facesketch.errors import ConfigError

Norm = Literal["instance", "batch", "none"]

_WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_NORMS = (nn.BatchNorm2d, nn.GroupNorm)


class Linear(nn.Linear):
    """A linear layer that computes in fp32 on a CPU, also where autocast asks for bf16.

    On Intel processors with AMX oneDNN's bf16 products divide by zero, and so end the process, for some shapes: 8 rows
    of 196,608 numbers and 64 or more outputs are one. Where the inner size is above 32 and no multiple of it they also
    read numbers of neighbouring rows. Gradients are products of yet other shapes. fp32 is slower: a step of `dense-ae`
    at 256 pixels takes 60 ms instead of 45 at batch 8, and 83 instead of 58 at batch 32, on two quiet cores.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


def normalisation(name: Norm, channels: int) -> nn.Module:
    """Return the layer that normalises feature maps of `channels` channels; its state is `weight` and `bias`.

    `instance` is instance normalisation (Ulyanov et al. 2016) with a learned scale and shift and no running statistics,
    so training and translating compute the same. It is written as a group norm of one channel per group: on a CPU the
    backward pass of `nn.InstanceNorm2d` is wrong, with no error, for batch 1 and a channels-last gradient, and it is
    slower. Like every instance norm it refuses a map of one pixel, whose spread is always zero.
    """
    if name == "instance":
        return nn.GroupNorm(channels, channels)
    return nn.BatchNorm2d(channels) if name == "batch" else nn.Identity()


def initialise(module: nn.Module, std: float = 0.02) -> None:
    """Draw weights from N(0, std) and norm scales from N(1, std), and zero all biases, as pix2pix and CycleGAN do.

    Isola et al. 2017, section 6.2; Zhu et al. 2017, section 7.1.
    """
    for layer in module.modules():
        if not isinstance(layer, (*_WEIGHTED, *_NORMS)):
            continue
        if layer.weight is not None:
            nn.init.normal_(layer.weight, 1.0 if isinstance(layer, _NORMS) else 0.0, std)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def initialise_glorot(module: nn.Module) -> None:
    """Draw weights uniformly so that signal and gradient keep their spread, and zero all biases (Glorot & Bengio 2010).

    The autoencoders start from it, as the study's framework did by default: their decoders have no norm that would make
    up for smaller weights.
    """
    for layer in module.modules():
        if isinstance(layer, _WEIGHTED):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def widths_of_levels(widths: Sequence[int], size: int, less: int) -> list[int]:
    """Return log2(size) - less widths for an autoencoder's levels, the last repeated where there are more.

    Raises:
        ConfigError: the size is not a power of two, or less than 32.
    """
    if size < 32 or size & (size - 1):
        near = max(32, 1 << round(math.log2(max(size, 1))))
        seen = f"size = {size}: the convolutional autoencoders need a power of two from 32 up"
        raise ConfigError(seen, f"set size to {near}")
    return [widths[min(level, len(widths) - 1)] for level in range(size.bit_length() - 1 - less)]


def normed_activation(channels: int, norm: bool) -> list[nn.Module]:
    """Return the leaky ReLU of an autoencoder's layer, behind a batch norm or not."""
    activation = nn.LeakyReLU(0.2, inplace=True)
    return [nn.BatchNorm2d(channels), activation] if norm else [activation]


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Let no parameter of `modules` require a gradient inside the block; each is as before after it, even on an error.

    A generator's step through a frozen discriminator skips the discriminator's weight gradients, which nobody uses
    there; gradients still flow through it to its input.
    """
    before = [(parameter, parameter.requires_grad) for module in modules for parameter in module.parameters()]
    try:
        for parameter, _ in before:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter, required in before:
            parameter.requires_grad_(required)


def count_parameters(module: nn.Module) -> int:
    """Return how many numbers `module` learns."""
    return sum(parameter.numel() for parameter in module.parameters())
