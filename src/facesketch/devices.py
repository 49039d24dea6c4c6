"""Which devices this machine computes on, and how its memory is kept."""

from __future__ import annotations

import os
from functools import cache, partial

import torch

from facesketch.errors import ResourceError


def pick_device(asked: str) -> str:
    """Return `cpu`, `cuda` or `mps`: the one asked for, or for `auto` the fastest that is there.

    Raises:
        ResourceError: the device asked for is not there.
    """
    _compute_after_forks()
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name, found in there.items() if found)
    if not there.get(asked, False):
        found = ", ".join(name for name, available in there.items() if available)
        raise ResourceError(f"`device` {asked}: not on this machine", f"expected auto or {found}")
    return asked


@cache
def _compute_after_forks() -> None:
    """Have processes that this one forks compute in one thread: a fork loses the others, and would wait for them."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
