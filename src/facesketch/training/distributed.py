"""Where and how precisely a training computes: on one device, or in several processes."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities import move_data_to_device
from torch import Tensor

from facesketch.config import RunConfig, TrainConfig
from facesketch.devices import computes_in_bf16, free_threads, keep_freed_memory, pick_device
from facesketch.errors import ResourceError, count
from facesketch.training.cost import out_of_memory


def launch(settings: TrainConfig) -> Fabric:
    """Return a launched Fabric for the settings, with as many processes as `devices` or torchrun asks for.

    Raises:
        ResourceError: this machine does not have the device, or not as many as asked for.
    """
    keep_freed_memory()
    torchrun = "LOCAL_WORLD_SIZE" in os.environ
    local = int(os.environ["LOCAL_WORLD_SIZE"]) if torchrun else settings.devices
    processes = int(os.environ["WORLD_SIZE"]) if torchrun else local
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the trainer says the same
    device = pick_device(settings.device)
    there = {"cuda": torch.cuda.device_count(), "mps": 1}.get(device, local)
    if local > there:
        raise ResourceError(
            f"`devices` {local}: this machine has {count(there, f'{device} device')}", f"give `devices` {there}"
        )
    if local > 1 and not torchrun and hasattr(sys, "ps1"):  # each process runs the command or the script
        raise ResourceError(f"`devices` {local}: not from a prompt or notebook", "train from a script or a shell")
    fabric = Fabric(
        accelerator=device,
        devices=local,
        num_nodes=max(1, processes // local),
        strategy="ddp" if processes > 1 else settings.strategy,
        precision="bf16-mixed" if computes_in_bf16(settings.precision, device) else "32-true",
    )
    fabric.launch()
    if settings.threads is not None or local == 1:  # Fabric shares processors out among several processes
        torch.set_num_threads(settings.threads or free_threads())
    if torch.distributed.is_initialized():
        atexit.register(_leave_group)  # Fabric leaves only the groups of NCCL
    return fabric


def _leave_group() -> None:
    """End gloo's threads: one that frees its last tensor while the interpreter shuts down aborts the process."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def is_half(fabric: Fabric) -> bool:
    """Tell whether a launched Fabric computes in bf16."""
    return precision_name(fabric) == "bf16-mixed"


def precision_name(fabric: Fabric) -> str:
    """Return the precision that a launched Fabric computes in."""
    return str(fabric._precision.precision)


def device_name(device: torch.device) -> str:
    """Return a device's name as people know it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def mean_over_processes(fabric: Fabric, value: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes; with one process the tensor itself."""
    if fabric.world_size == 1:
        return value
    return cast(Tensor, fabric.all_reduce(value, reduce_op="mean"))


def average_gradients(fabric: Fabric, optimiser: torch.optim.Optimizer) -> None:
    """Replace each gradient by its mean over all processes, in one exchange.

    DDP's wrapper would not do: a method may run a network several times before its loss.
    """
    if fabric.world_size == 1:
        return
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = mean_over_processes(fabric, torch.cat([gradient.reshape(-1) for gradient in gradients]))
    for gradient, mean in zip(gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def gather(fabric: Fabric, value: Tensor) -> Tensor:
    """Return a tensor of each process, stacked by rank, on the CPU; all processes must call this."""
    return value[None] if fabric.world_size == 1 else cast(Tensor, fabric.all_gather(value)).cpu()


def gather_extra_states(fabric: Fabric, state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the method's `extra_state` of each process, by rank; all processes must call this."""
    if fabric.world_size == 1:
        return [state]
    states: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(states, move_data_to_device(state, torch.device("cpu")))
    return states


@contextmanager
def one_line_errors(config: RunConfig, out: Path) -> Iterator[None]:
    """Turn running out of memory, and the death of a process that prepares batches, into an error with a hint."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise out_of_memory(config) from error
    except RuntimeError as error:
        if "not enough memory" in str(error) or "out of memory" in str(error):
            raise out_of_memory(config) from error
        if "DataLoader worker" in str(error):
            line = str(error).splitlines()[0].rstrip(".")
            again = f"to go on without such processes: `resume` {out} `workers` 0"
            raise ResourceError(f"a process that prepares batches died ({line})", again) from error
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            line = " ".join(str(error).split("\n\n")[0].split())[:200]  # what follows is for PyTorch's developers
            raise ResourceError(f"the networks do not compile ({line})", "train without `compile`") from error
        raise
