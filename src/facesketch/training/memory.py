"""How this process keeps its memory between steps."""

from __future__ import annotations

import ctypes
import sys

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
