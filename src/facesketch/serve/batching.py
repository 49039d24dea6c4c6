"""Dynamic batching: one thread runs the networks, each time on the waiting pictures that fit together."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facesketch.config import Direction
from facesketch.faces.colours import AUTO, Colours
from facesketch.inference.translator import Prepared, Translator

Pixels = NDArray[np.uint8]
_BATCH_PIXELS = 8 * 256 * 256

_Picture = tuple[Prepared, Future[Pixels]]


class _Key(NamedTuple):
    """What pictures that go through a network together have in common."""

    translator: Translator
    direction: Direction
    style: str | None
    colours: Colours
    shape: tuple[tuple[int, ...], ...]


class Batcher:
    """Owns the networks: pictures of one shape that wait for the same network go through it together.

    An idle network takes what there is and does not wait for more; batches fill up while it works. The oldest batch
    goes first. If one fails, its pictures are tried one by one, so that only the request with the bad picture fails.

    Args:
        most: pictures in a batch.
        report: called with the number of pictures and the seconds of each batch.
    """

    def __init__(self, most: int, report: Callable[[int, float], None] = lambda count, seconds: None) -> None:
        self._most, self._report = most, report
        self._waiting: OrderedDict[_Key, list[_Picture]] = OrderedDict()
        self._changed, self._closed = threading.Condition(), False
        self._thread = threading.Thread(target=self._work, name="networks", daemon=True)
        self._thread.start()

    def submit(
        self,
        translator: Translator,
        prepared: Prepared,
        direction: Direction,
        style: str | None,
        colours: Colours = AUTO,
    ) -> Future[Pixels]:
        """Queue a fitted picture; cancelling the future takes it out again."""
        future: Future[Pixels] = Future()
        key = _Key(translator, direction, style, colours, prepared.shape)
        with self._changed:
            if self._closed:
                raise RuntimeError("the server is stopping")
            self._waiting.setdefault(key, []).append((prepared, future))
            self._changed.notify()
        return future

    @property
    def waiting(self) -> int:
        """How many pictures wait for a network."""
        with self._changed:
            return sum(map(len, self._waiting.values()))

    def close(self, seconds: float | None = None) -> None:
        """Finish the waiting pictures and end the thread; wait at most `seconds` for it."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(seconds)

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            key, pictures = batch
            alive = [each for each in pictures if each[1].set_running_or_notify_cancel()]
            if alive:
                begun = time.perf_counter()
                self._translate(key, alive)
                self._report(len(alive), time.perf_counter() - begun)
            del batch, key, pictures, alive  # they need not stay in memory while this thread waits

    def _next(self) -> tuple[_Key, list[_Picture]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            key, pictures = self._waiting.popitem(last=False)
            size = max(1, min(self._most, _BATCH_PIXELS // math.prod(key.shape[-1][:2])))
            if rest := pictures[size:]:
                self._waiting[key] = rest  # behind the others
            return key, pictures[:size]

    def _translate(self, key: _Key, pictures: Sequence[_Picture]) -> None:
        try:
            fitted = [prepared for prepared, _ in pictures]
            arrays = key.translator.run(fitted, key.direction, key.style, key.colours)
        except BaseException as error:
            if len(pictures) == 1:
                pictures[0][1].set_exception(error)
                return
            for each in pictures:
                self._translate(key, [each])
            return
        results: Any = zip(pictures, arrays, strict=True)
        for (_, future), array in results:
            future.set_result(array)
