"""What this machine computes with: devices, processors, threads that work ahead, and memory that is kept."""

from __future__ import annotations

import ctypes
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import cache, partial
from itertools import count, islice
from pathlib import Path
from typing import Generic, Self, TypeVar

from facesketch.errors import ResourceError

Item = TypeVar("Item")
Result = TypeVar("Result")
_LOOKS, _BETWEEN = 6, 0.02  # looks at what runs on this machine, and the seconds between two


def pick_device(asked: str) -> str:
    """Return `cpu`, `cuda` or `mps`: the one asked for, or for `auto` the fastest that is there.

    Raises:
        ResourceError: the device asked for is not there.
    """
    import torch

    _compute_after_forks()
    if (granted := quota()) is not None and granted < torch.get_num_threads():
        torch.set_num_threads(granted)
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name, found in there.items() if found)
    if not there.get(asked, False):
        found = ", ".join(name for name, available in there.items() if available)
        raise ResourceError(f"`device` {asked}: not on this machine", f"expected auto or {found}")
    return asked


def computes_in_bf16(precision: str, device: str) -> bool:
    """Tell whether to compute in bf16: if asked to, or with `auto` if the hardware multiplies in it."""
    import torch

    if precision != "auto":
        return precision == "bf16"
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    abilities = torch.cpu.get_capabilities()
    return device == "cpu" and bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16") or abilities.get("bf16"))


def is_first_process() -> bool:
    """Tell whether this process writes and prints, of those that train together."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


@cache
def _compute_after_forks() -> None:
    """Have processes that this one forks compute in one thread: a fork loses the others, and would wait for them."""
    import torch

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


def processors() -> int:
    """Return how many processors this process may use, by its affinity and by the quota of its container."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(there, quota() or there)


@cache
def quota(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """Return how many processors' time a Linux control group grants, rounded up, or None if it grants all."""
    try:
        granted, period = file.read_text(encoding="ascii").split()
        return max(1, math.ceil(int(granted) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):  # none, or `max`
        return None


def threads() -> int:
    """Return how many threads to compute with: `OMP_NUM_THREADS`, or all processors that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else processors()


@cache
def free_threads() -> int:
    """Return how many threads a long computation should use; all calls in a process return the same.

    That is `OMP_NUM_THREADS`, or the number of processors that other programs leave free, the most seen in a few looks,
    and at least one. Where others work, threads wait for each other, which costs processor time.
    """
    most = threads()
    if "OMP_NUM_THREADS" in os.environ:
        return most
    others = []
    try:
        for _ in range(_LOOKS):
            running = Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[0]
            others.append(int(running) - 1)
            time.sleep(_BETWEEN)
    except (OSError, ValueError, IndexError):  # no Linux
        return most
    return max(1, min(most, (os.cpu_count() or 1) - min(others)))


def sleep_soon() -> None:
    """Have threads that wait for work sleep after some 30 microseconds, about what putting one to sleep costs.

    By default OpenMP and OpenBLAS spin for milliseconds. Where other programs need the processors, or a quota counts
    the time, that costs more than it brings. Call it before the libraries load; settings in the environment take
    precedence.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
        os.environ.setdefault("KMP_BLOCKTIME", "0")
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "16")  # 2^16 cycles


class ThreadedMap(Generic[Item, Result]):
    """Results of a function on items, in their order, computed ahead by threads; use it in a `with` block.

    Items are taken from the iterable only as there is room for them. What the function raises is raised where its
    result would come. Leaving the block cancels what has not begun and waits for the rest.

    Args:
        work: the function; Pillow, ONNX Runtime and PyTorch let other threads run while they work.
        items: what it is called with.
        threads: None for one per processor, at most 8.
        most: items that are taken and not yet given back as results.
        held: bytes of results above which no thread begins another item.
        size: tells the bytes of a result; those given back count until the next are asked for.
        name: of the threads.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        threads: int | None = None,
        most: int = 32,
        held: int = 256 << 20,
        size: Callable[[Result], int] = lambda result: 0,
        name: str = "map",
    ) -> None:
        self._work, self._items, self._size = work, iter(items), size
        self._most, self._most_held = most, held
        self._pool = ThreadPoolExecutor(threads or min(8, processors()), name)
        self._numbers, self._waiting = count(), deque[Future[Result]]()
        self._changed = threading.Condition()
        self._held = self._given = self._given_bytes = 0
        self._asked, self._stopped = -1, False  # the number of the result that is waited for

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Result:
        self._let_go()
        self._begin()
        if not self._waiting:
            raise StopIteration
        return self._result()

    def take(self) -> list[Result]:
        """Return the next result and those after it that are there already; nothing at the end."""
        self._let_go()
        taken: list[Result] = []
        while len(taken) < self._most:
            self._begin()
            if not self._waiting or (taken and not self._waiting[0].done()):
                break
            taken.append(self._result())
        return taken

    def _begin(self) -> None:
        for item in islice(self._items, self._most - len(self._waiting)):
            self._waiting.append(self._pool.submit(self._task, next(self._numbers), item))

    def _result(self) -> Result:
        with self._changed:
            self._asked = self._given
            self._changed.notify_all()
        self._given += 1
        result = self._waiting.popleft().result()
        self._given_bytes += self._size(result)
        return result

    def _task(self, number: int, item: Item) -> Result:
        with self._changed:  # the one that is waited for never waits itself
            self._changed.wait_for(lambda: self._held < self._most_held or number <= self._asked or self._stopped)
            if self._stopped:
                raise CancelledError
        result = self._work(item)
        with self._changed:
            self._held += self._size(result)
        return result

    def _let_go(self) -> None:
        with self._changed:
            self._held, self._given_bytes = self._held - self._given_bytes, 0
            self._changed.notify_all()


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
