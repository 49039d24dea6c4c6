"""Admission control: limits on requests at once and on the bytes of their uploads; requests beyond get a 429."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Self, TypeVar

from facesketch.serve.problems import ProblemError

Result = TypeVar("Result")
_LONGEST_WAIT = 30


class Admission:
    """Counts the requests that are arriving, waiting or running.

    Attributes:
        active: how many there are now.
        held: bytes of their uploads.

    Args:
        requests: the most requests at once.
        size: the most bytes of uploads at once.
    """

    def __init__(self, requests: int, size: int) -> None:
        self._requests, self._size = requests, size
        self.active, self.held = 0, 0
        self._pace = 0.1  # seconds by which each request delays the next, a running mean
        self._lock = threading.Lock()

    def admit(self) -> Ticket:
        """Admit one more request.

        Raises:
            ProblemError: 429, there are too many.
        """
        with self._lock:
            if self.active >= self._requests:
                raise self._full()
            self.active += 1
        return Ticket(self)

    def record(self, seconds: float) -> None:
        """Record by how many seconds a request delayed the next; `Retry-After` is estimated from it."""
        with self._lock:
            self._pace += 0.05 * (seconds - self._pace)

    def _full(self) -> ProblemError:
        wait = min(_LONGEST_WAIT, max(1, math.ceil(self.active * self._pace)))
        return ProblemError(429, "The server is busy.", f"Try again in {wait} s.", {"Retry-After": str(wait)})

    def _take(self, count: int) -> None:
        with self._lock:
            if self.held + count > self._size:
                raise self._full()
            self.held += count

    def _leave(self, held: int) -> None:
        with self._lock:
            self.active -= 1
            self.held -= held


class Ticket:
    """The place of one request, released when its block has ended and all work that it started is done.

    Python cannot stop a thread. If a request times out while a thread works for it, its place stays taken until that
    thread is done, so that work never piles up beyond the limit.
    """

    def __init__(self, admission: Admission) -> None:
        self._admission, self._held = admission, 0
        self._work: list[Future[Any]] = []

    def reserve(self, count: int) -> None:
        """Count more bytes of the upload.

        Raises:
            ProblemError: 429, all uploads together are too large.
        """
        self._admission._take(count)
        self._held += count

    async def run(self, pool: Executor, work: Callable[..., Result], *given: Any) -> Result:
        """Do some work in a thread of the pool and return its result."""
        return await self.result(pool.submit(work, *given))

    async def result(self, work: Future[Result]) -> Result:
        """Return the result of work that has started; the place stays taken at least until it is done."""
        self._work.append(work)
        return await asyncio.wrap_future(work)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def _release(self) -> None:
        while self._work:
            work = self._work.pop()
            if not work.done():
                work.add_done_callback(lambda _: self._release())
                return
        self._admission._leave(self._held)
