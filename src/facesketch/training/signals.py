"""Hold back Ctrl+C and SIGTERM until a training can be cut off."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held_back(*, when: bool = True) -> Iterator[Callable[[], int]]:
    """Hold back the first SIGINT or SIGTERM; a second one has its usual effect.

    A signal still held back at the end of the block takes effect there. Signals that are ignored, as in a shell's
    background, stay ignored. Only the main thread receives signals, so in others nothing is held back.

    Args:
        when: whether to hold anything back.

    Yields:
        What returns the number of the signal that came, or 0.
    """
    came = 0
    before: dict[signal.Signals, signal._HANDLER] = {}

    def note(number: int, _: FrameType | None) -> None:
        nonlocal came
        came = number
        _restore(before)

    if when and threading.current_thread() is threading.main_thread():
        before = {each: signal.getsignal(each) for each in _SIGNALS}
        before = {each: handler for each, handler in before.items() if handler not in {signal.SIG_IGN, None}}
    for each in before:
        signal.signal(each, note)
    try:
        yield lambda: came
        if came:
            end_by(came)
    finally:
        _restore(before)


def _restore(before: dict[signal.Signals, signal._HANDLER]) -> None:
    for each, handler in before.items():
        signal.signal(each, handler)


def end_by(number: int, message: str = "") -> None:
    """End as if the signal had ended the program.

    Raises:
        KeyboardInterrupt: it was an interrupt; with the message.
        SystemExit: it was a SIGTERM.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt(message)
    raise SystemExit(128 + number)
