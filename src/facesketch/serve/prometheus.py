"""Counts and times of a server, in the text format that Prometheus reads."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path

Labels = tuple[str, ...]
TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16)


class Counter:
    """A number that only grows, for each combination of labels."""

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name, self.text, self._names = name, text, tuple(labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0.0}
        self._lock = threading.Lock()

    def add(self, *labels: str, amount: float = 1.0) -> None:
        """Add to one of the numbers."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0.0) + amount

    def lines(self) -> Iterator[str]:
        """Yield what Prometheus reads."""
        yield from (f"# HELP {self.name} {self.text}", f"# TYPE {self.name} counter")
        with self._lock:
            values = sorted(self._values.items())
        for labels, value in values:
            yield f"{self.name}{_labelled(self._names, labels)} {_number(value)}"


class Histogram:
    """How often values fell below each of some bounds, for each combination of labels."""

    def __init__(self, name: str, text: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:
        self.name, self.text, self._bounds, self._names = name, text, tuple(bounds), tuple(labels)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}
        self._lock = threading.Lock()

    def observe(self, value: float, *labels: str) -> None:
        """Note a value."""
        with self._lock:
            counts = self._counts.setdefault(labels, [0] * (len(self._bounds) + 1))
            counts[bisect_left(self._bounds, value)] += 1
            self._sums[labels] = self._sums.get(labels, 0.0) + value

    def lines(self) -> Iterator[str]:
        """Yield what Prometheus reads."""
        yield from (f"# HELP {self.name} {self.text}", f"# TYPE {self.name} histogram")
        with self._lock:
            found = sorted((labels, list(counts), self._sums[labels]) for labels, counts in self._counts.items())
        for labels, counts, total in found:
            below = 0
            for bound, count in zip((*map(_number, self._bounds), "+Inf"), counts, strict=True):
                below += count
                yield f"{self.name}_bucket{_labelled((*self._names, 'le'), (*labels, bound))} {below}"
            yield f"{self.name}_sum{_labelled(self._names, labels)} {_number(total)}"
            yield f"{self.name}_count{_labelled(self._names, labels)} {below}"


class Meters:
    """All that a server counts."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self.requests = Counter(
            "facesketch_requests_total", "Requests by route, method and status.", ("route", "method", "status")
        )
        self.seconds = Histogram(
            "facesketch_request_seconds", "Time from a request's head to its answer's end.", _SECONDS, ("route",)
        )
        self.pictures = Counter("facesketch_pictures_total", "Pictures translated.", ("model", "direction"))
        self.batches = Histogram("facesketch_batch_pictures", "Pictures that went through a network together.", _SIZES)
        self.network = Counter("facesketch_network_seconds_total", "Time inside the networks.")
        self.crashes = Counter("facesketch_crashes_total", "Requests that met a mistake of ours.")

    def batch(self, count: int, seconds: float) -> None:
        """Note that so many pictures went through a network together."""
        self.batches.observe(count)
        self.network.add(amount=seconds)

    def text(self, now: dict[str, tuple[str, float]]) -> str:
        """Return everything, and beside it what `now` names, each with what it means and its value of this moment."""
        gauges = now | {"facesketch_up_seconds": ("Time since the start.", time.monotonic() - self._since)}
        if (resident := _resident()) is not None:
            gauges["process_resident_memory_bytes"] = ("Memory of the process.", resident)
        lines = [line for each in self._meters() for line in each.lines()]
        for name, (text, value) in gauges.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {_number(value)}"]
        return "\n".join(lines) + "\n"

    def _meters(self) -> tuple[Counter | Histogram, ...]:
        return self.requests, self.seconds, self.pictures, self.batches, self.network, self.crashes


def _resident() -> float | None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None  # only Linux tells
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


def _labelled(names: Sequence[str], values: Sequence[str]) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
