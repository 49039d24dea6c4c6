"""What a training will cost, before it starts."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.filesize import decimal
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from facesketch.config import RunConfig
from facesketch.data.datasets import Batch
from facesketch.errors import OutputError, ResourceError
from facesketch.methods.networks.blocks import count_parameters
from facesketch.methods.registry import build

_OVERHEAD = 1 << 29
"""Bytes that Python, torch and the decoded pictures of a small set take with any model."""


@dataclass(frozen=True)
class Estimate:
    """The size of a training."""

    parameters: int
    """Trainable numbers in all networks."""
    memory: int
    """Bytes needed while training: weights, gradients, Adam's moments and the largest step's activations."""
    flops: int
    """Floating-point operations of one batch, forward and backward."""
    weights: int
    """Bytes of a model file."""
    averaged: bool = False
    """Whether an average of the weights is kept beside them."""

    @property
    def kept(self) -> int:
        """Bytes of the run folder at the end: best and last weights, and a state."""
        return 2 * self.weights + self._state

    @property
    def room(self) -> int:
        """Most bytes of the run folder: while a state is written, the previous one is there too."""
        return 2 * self.weights + 2 * self._state

    @property
    def _state(self) -> int:
        """Bytes of a state: the weights, perhaps their average, and Adam's two moments."""
        return (2 if self.averaged else 1) * self.weights + 8 * self.parameters


def estimate(config: RunConfig, *, half: bool, pairs: int = 0) -> Estimate:
    """Count one training step on the meta device, where tensors have shapes but no numbers.

    This takes no memory and almost no time, whatever the model's size.

    Args:
        config: the resolved settings.
        half: whether activations are bf16.
        pairs: how many are trained on, which `lle` and `mrf` keep.
    """
    kept: dict[int, torch.UntypedStorage] = {}  # keeps them alive, so that no later one gets the same address
    owned: set[int] = set()

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in owned:
            kept[storage._cdata] = storage
        return tensor

    with torch.random.fork_rng(devices=[]):
        with torch.device("meta"):
            method = build(config, fresh=False).train()
        owned.update(parameter.untyped_storage()._cdata for parameter in method.parameters())
        parameters = count_parameters(method)
        count, side = config.train.batch_size or 1, method.frame
        channels = config.data.photo_channels, config.data.sketch_channels
        photo, sketch = (torch.empty(count, each, side, side, device="meta") for each in channels)
        batch = Batch(photo, sketch, (), (), (), config.direction)
        counter = FlopCounterMode(display=False)
        with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            for phase in method.training_step(batch):
                phase.loss.backward()
    activations = sum(storage.nbytes() for storage in kept.values()) // (2 if half else 1)
    weights = sum(tensor.nbytes for tensor in method.state_dict().values())
    averaged, exemplars = bool(config.train.average), method.Options.exemplars
    if exemplars:
        weights += pairs * side * side * sum(channels)
    memory = parameters * 16 + (averaged or exemplars) * weights + activations + _OVERHEAD
    return Estimate(parameters, memory, counter.get_total_flops(), weights, averaged)


def speed(device: torch.device, half: bool) -> float:
    """Return how many floating-point operations a device does in a second, measured on a convolution for 0.1 s."""
    dtype = torch.bfloat16 if half else torch.float32
    with torch.random.fork_rng(devices=[]):  # what a training draws must not depend on this
        layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(device, dtype)
    image = torch.ones(1, 64, 128, 128, device=device, dtype=dtype)
    with torch.no_grad():
        layer(image)
        start, rounds = time.perf_counter(), 0
        while time.perf_counter() - start < 0.1:
            layer(image).sum().item()
            rounds += 1
    return rounds * 2 * 64 * 64 * 9 * 128 * 128 / (time.perf_counter() - start)


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that are free on a device, or None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def require_room(out: Path, cost: Estimate) -> None:
    """Refuse a run folder that its disk cannot hold.

    Raises:
        OutputError: not enough room.
    """
    free = shutil.disk_usage(out).free
    if cost.room > free:
        raise OutputError(
            f"{out}: the run takes up to {decimal(cost.room)} on the disk, and {decimal(free)} are free",
            "free some space or give another `out`",
        )


def out_of_memory(config: RunConfig, *, needed: int | None = None, free: int | None = None) -> ResourceError:
    """Return the error for a training that needs too much; it names the next smaller setting."""
    batch, size = config.train.batch_size or 1, config.data.size
    smaller = f"`batch_size` {batch // 2}" if batch > 1 else f"`size` {max(16, size // 2)}"
    amount = f" (about {needed / 2**30:.1f} GiB needed, {free / 2**30:.1f} free)" if needed and free else ""
    return ResourceError(f"out of memory at batch size {batch}, size {size}{amount}", f"begin again with {smaller}")
