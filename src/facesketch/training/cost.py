"""What a training will cost, before it starts.

One step is run on the meta device, where tensors have shapes but no numbers, so this takes no memory and almost no time
whatever the model's size. Floating-point operations are counted there, and so is what the step keeps for its gradients.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from facesketch.config import RunConfig
from facesketch.data.datasets import Batch
from facesketch.errors import OutputError, ResourceError
from facesketch.methods.networks.blocks import count_parameters
from facesketch.methods.registry import build

_OVERHEAD = 1 << 29
"""Bytes that Python, torch and the decoded pictures of a small set take whatever the model."""


@dataclass(frozen=True)
class Estimate:
    """The size of a training.

    Attributes:
        parameters: trainable numbers in all networks.
        memory: bytes needed while training: weights, gradients, Adam's moments and the largest step's activations.
        flops: floating-point operations of one step, forward and backward.
        weights: bytes of a model file.
    """

    parameters: int
    memory: int
    flops: int
    weights: int = 0

    @property
    def kept(self) -> int:
        """Bytes of the run folder at the end: best and last weights, and the state from which it can be made longer."""
        return 2 * self.weights + self._state

    @property
    def room(self) -> int:
        """Bytes of the run folder at most: while a state is written, the one before it is there too."""
        return self.kept + self._state

    @property
    def _state(self) -> int:
        return self.weights + 8 * self.parameters  # Adam's two moments

    def seconds(self, flops_per_second: float) -> float:
        """Return the seconds one step takes at a given speed."""
        return self.flops / flops_per_second


def estimate(config: RunConfig, *, half: bool) -> Estimate:
    """Count one training step of a resolved configuration.

    Args:
        config: the resolved settings.
        half: whether activations are bf16.
    """
    kept: dict[
        int, torch.UntypedStorage
    ] = {}  # holds on to them, lest a later one gets the address of one that is gone
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
        optimised = count_parameters(method)
        batch = _meta_batch(config, method.frame)
        counter = FlopCounterMode(display=False)
        with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            for phase in method.training_step(batch):
                phase.loss.backward()
    activations = sum(storage.nbytes() for storage in kept.values()) // (2 if half else 1)
    weights = sum(tensor.nbytes for tensor in method.state_dict().values())
    return Estimate(optimised, optimised * 16 + activations + _OVERHEAD, counter.get_total_flops(), weights)


def _meta_batch(config: RunConfig, frame: int) -> Batch:
    count, data = config.train.batch_size or 1, config.data
    photo = torch.empty(count, data.photo_channels, frame, frame, device="meta")
    sketch = torch.empty(count, data.sketch_channels, frame, frame, device="meta")
    return Batch(photo, sketch, (), (), (), config.direction)


def speed(device: torch.device, half: bool) -> float:
    """Return floating-point operations a second of this machine, measured on a convolution in 0.1 s."""
    kind = torch.bfloat16 if half else torch.float32
    with torch.random.fork_rng(devices=[]):  # a look at the machine must not change what a training draws
        layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(device, kind)
    image = torch.ones(1, 64, 128, 128, device=device, dtype=kind)
    with torch.no_grad():
        layer(image)
        start, rounds = time.perf_counter(), 0
        while time.perf_counter() - start < 0.1:
            layer(image).sum().item()
            rounds += 1
    return rounds * 2 * 64 * 64 * 9 * 128 * 128 / (time.perf_counter() - start)


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that are free on a device, or None where the system does not tell."""
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
            f"{out}: the run takes up to {gigabytes(cost.room)} on the disk, and {gigabytes(free)} are free",
            "free some room or give another `out`",
        )


def gigabytes(count: int) -> str:
    """Return a number of bytes for people to read."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{max(1, round(count / 1e6))} MB"


def out_of_memory(config: RunConfig, *, needed: int | None = None, free: int | None = None) -> ResourceError:
    """Return an error that names the next smaller setting."""
    batch, size = config.train.batch_size or 1, config.data.size
    smaller = f"`batch_size` {batch // 2}" if batch > 1 else f"`size` {max(16, size // 2)}"
    amount = f" (about {needed / 2**30:.1f} GiB needed, {free / 2**30:.1f} free)" if needed and free else ""
    return ResourceError(f"out of memory at batch size {batch}, size {size}{amount}", f"type {smaller}")
