"""Who is let in: so many requests at once and so many bytes of uploads, and the rest are told when to come again."""

from __future__ import annotations

import math
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from facesketch.serve.problems import ProblemError

_LONGEST_WAIT = 30


class Desk:
    """Counts the requests that are being received, waiting or worked on.

    Attributes:
        taken: how many there are now.
        held: bytes of their uploads.

    Args:
        places: most requests at once.
        room: most bytes of uploads at once.
    """

    def __init__(self, places: int, room: int) -> None:
        self._places, self._room = places, room
        self.taken, self.held = 0, 0
        self._pace = 0.1  # seconds that a request adds to the wait of those behind it, a running mean
        self._lock = threading.Lock()

    def ticket(self) -> Ticket:
        """Let one more request in.

        Raises:
            ProblemError: 429, there are too many.
        """
        with self._lock:
            if self.taken >= self._places:
                raise self._full()
            self.taken += 1
        return Ticket(self)

    def passed(self, seconds: float) -> None:
        """Note how long the work on one request took, by which the wait is told."""
        with self._lock:
            self._pace += 0.05 * (seconds - self._pace)

    def _full(self) -> ProblemError:
        wait = min(_LONGEST_WAIT, max(1, math.ceil(self.taken * self._pace)))
        hint = f"Send it again in {wait} s."
        return ProblemError(429, "The server has as much to do as it can hold.", hint, {"Retry-After": str(wait)})

    def _take(self, count: int) -> None:
        with self._lock:
            if self.held + count > self._room:
                raise self._full()
            self.held += count

    def _leave(self, held: int) -> None:
        with self._lock:
            self.taken -= 1
            self.held -= held


class Ticket:
    """One request's place; given back when the block ends and nothing that was begun for it is still running.

    A thread cannot be stopped. When a request runs out of time while one works for it, its place stays taken until
    that thread is done, so that no more work piles up than there are places.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk, self._held = desk, 0
        self._work: list[Future[Any]] = []

    def carry(self, count: int) -> None:
        """Take room for so many bytes more.

        Raises:
            ProblemError: 429, all uploads together are too large.
        """
        self._desk._take(count)
        self._held += count

    def attach(self, work: Future[Any]) -> None:
        """Keep the place at least until some work is done."""
        self._work.append(work)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        while self._work:
            work = self._work.pop()
            if not work.done():
                work.add_done_callback(lambda _: self._release())
                return
        self._desk._leave(self._held)
