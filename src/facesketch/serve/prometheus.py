"""The server's metrics, in the text format of Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

MEDIA = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Everything that one server counts, in a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they would be a second series for each counter
        self._registry = every = CollectorRegistry()
        self.requests = Counter(
            "facesketch_requests_total", "Requests by route, method and status.", ("route", "method", "status"),
            registry=every,
        )  # fmt: skip
        self.seconds = Histogram(
            "facesketch_request_seconds", "Time from a request's head to the end of its answer.", ("route",),
            buckets=_SECONDS, registry=every,
        )  # fmt: skip
        self.pictures = Counter(
            "facesketch_pictures_total", "Pictures translated.", ("model", "direction"), registry=every
        )
        self._batches = Histogram(
            "facesketch_batch_pictures", "Pictures in one batch of a network.", buckets=(1, 2, 4, 8, 16), registry=every
        )
        self._network = Counter("facesketch_network_seconds_total", "Time inside the networks.", registry=every)
        self.crashes = Counter("facesketch_crashes_total", "Requests that failed because of a bug.", registry=every)
        started = time.monotonic()
        self.gauge("facesketch_up_seconds", "Time since the start.", lambda: time.monotonic() - started)
        ProcessCollector(registry=every)  # memory, processor time and open files; Linux only

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a number; `value` is called whenever the metrics are read."""
        Gauge(name, text, registry=self._registry).set_function(value)

    def batch(self, count: int, seconds: float) -> None:
        """Count a batch."""
        self._batches.observe(count)
        self._network.inc(seconds)

    def text(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self._registry)
