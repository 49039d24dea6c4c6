"""Which devices this machine computes on, and how its memory is kept."""

from __future__ import annotations

import ctypes
import os
import sys
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
        raise ResourceError(f"--device {asked}: not on this machine; expected auto or {found}")
    return asked


@cache
def _compute_after_forks() -> None:
    """Have processes that this one forks compute in one thread: a fork loses the others, and would wait for them."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT = 1 << 30


def keep_freed_memory() -> bool:
    """Let the C library keep the large blocks that a training step frees, and tell whether it could be asked to.

    By default glibc gives every block above 32 MiB back to the system, which hands it out again at the next step as
    pages to be cleared one by one: a fifth of a Pix2Pix step at 256 pixels. Kept is at most what one step needs.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # a C library other than glibc
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _KEPT) and mallopt(_M_TRIM_THRESHOLD, _KEPT))
