"""Dynamic batching: one thread runs the networks, each time on all waiting pictures of one kind."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesketch.config import Direction
from facesketch.faces.colours import AUTO, Colours
from facesketch.inference.translator import Prepared, Translator

Pixels = NDArray[np.uint8]
_BATCH_PIXELS = 8 * 256 * 256
Report = Callable[[int, float], None]


@dataclass(frozen=True)
class _Key:
    """What pictures that go through a network together have in common."""

    translator: int
    direction: Direction
    style: str | None
    colours: Colours
    shape: tuple[int, ...]


@dataclass(eq=False)
class _Waiting:
    """Pictures for one network, oldest first."""

    translator: Translator
    pictures: list[tuple[Prepared, Future[Pixels]]] = field(default_factory=list)


class Batcher:
    """Owns the networks: pictures of one shape that wait for the same network go through it together.

    An idle network takes what there is and does not wait for more; batches fill up while it works. Of several kinds
    the oldest goes first. If a batch fails, its pictures are tried one by one, so that only the request with the bad
    picture fails.

    Args:
        most: pictures in a batch.
        report: called with the number of pictures and the seconds of each batch.
    """

    def __init__(self, most: int, report: Report = lambda count, seconds: None) -> None:
        self._most, self._report = most, report
        self._waiting: OrderedDict[_Key, _Waiting] = OrderedDict()
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
        key = _Key(id(translator), direction, style, colours, prepared.array.shape)
        with self._changed:
            if self._closed:
                raise RuntimeError("the server is stopping")
            waiting = self._waiting.setdefault(key, _Waiting(translator))
            waiting.pictures.append((prepared, future))
            self._changed.notify()
        return future

    @property
    def waiting(self) -> int:
        """How many pictures wait for a network."""
        with self._changed:
            return sum(len(each.pictures) for each in self._waiting.values())

    def close(self, seconds: float | None = None) -> None:
        """Finish what waits and end the thread; wait at most so many seconds for it."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(seconds)

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            key, translator, pictures = batch
            alive = [each for each in pictures if each[1].set_running_or_notify_cancel()]
            if alive:
                begun = time.perf_counter()
                self._translate(key, translator, alive)
                self._report(len(alive), time.perf_counter() - begun)
            del batch, pictures, alive  # the next wait may be long

    def _next(self) -> tuple[_Key, Translator, list[tuple[Prepared, Future[Pixels]]]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            key, waiting = self._waiting.popitem(last=False)
            size = max(1, min(self._most, _BATCH_PIXELS // math.prod(key.shape[:2])))
            if rest := waiting.pictures[size:]:
                self._waiting[key] = _Waiting(waiting.translator, rest)  # behind the others
            return key, waiting.translator, waiting.pictures[:size]

    def _translate(
        self, key: _Key, translator: Translator, pictures: Sequence[tuple[Prepared, Future[Pixels]]]
    ) -> None:
        try:
            fitted = [prepared for prepared, _ in pictures]
            arrays = translator.run(fitted, key.direction, key.style, key.colours)
        except BaseException as error:
            if len(pictures) == 1:
                pictures[0][1].set_exception(error)
                return
            for each in pictures:
                self._translate(key, translator, [each])
            return
        results: Any = zip(pictures, arrays, strict=True)
        for (_, future), array in results:
            future.set_result(array)
