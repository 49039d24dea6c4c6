"""Which devices this machine computes on."""

from __future__ import annotations

import torch

from facesketch.errors import ResourceError


def pick_device(asked: str) -> str:
    """Return `cpu`, `cuda` or `mps`: the one asked for, or for `auto` the fastest that is there.

    Raises:
        ResourceError: the device asked for is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name, found in there.items() if found)
    if not there.get(asked, False):
        found = ", ".join(name for name, available in there.items() if available)
        raise ResourceError(f"--device {asked}: not on this machine; expected auto or {found}")
    return asked
