"""Hold back Ctrl+C and SIGTERM until a training can stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held_back(*, when: bool = True) -> Iterator[Callable[[], int]]:
    """Hold back the first SIGINT or SIGTERM if `when` is true; a second one has its usual effect.

    A signal that is still held back at the end of the block takes effect there. Ignored signals, as in a shell's
    background, stay ignored. Only the main thread receives signals, so in others nothing is held back.

    Yields:
        A function that returns the number of the signal that came, or 0.
    """
    came = 0
    before: dict[signal.Signals, signal._HANDLER] = {}

    def restore() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    def note(number: int, _: FrameType | None) -> None:
        nonlocal came
        came = number
        restore()

    if when and threading.current_thread() is threading.main_thread():
        for each in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(each)
            if handler not in {signal.SIG_IGN, None}:
                before[each] = handler
                signal.signal(each, note)
    try:
        yield lambda: came
        if came:
            end_by(came)
    finally:
        restore()


def end_by(number: int, message: str = "") -> None:
    """Raise KeyboardInterrupt with the message for SIGINT, and SystemExit as if by the signal for others."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt(message)
    raise SystemExit(128 + number)
