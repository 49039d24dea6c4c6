"""The process: a socket, uvicorn on it, and an end in which everybody still gets an answer."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from facesketch.errors import ConfigError
from facesketch.serve.guard import Guard
from facesketch.serve.settings import Limits, Settings

_HEAD_BYTES = 16 << 10
_IDLE = 15.0


class Server(uvicorn.Server):
    """A server that on SIGTERM or SIGINT ends its running requests, refuses new ones with 503, and exits with 0.

    Args:
        guard: the application.
        limits: how long it may go on when it is stopped.
    """

    def __init__(self, guard: Guard, limits: Limits) -> None:
        super().__init__(
            uvicorn.Config(
                guard,
                http=_protocol(limits.silence),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=int(_IDLE),
                timeout_graceful_shutdown=int(limits.grace),
                limit_concurrency=limits.connections,
                h11_max_incomplete_event_size=_HEAD_BYTES,
            )
        )
        self._guard, self._limits = guard, limits
        self._until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; a second signal stops at once."""
        if self._until is not None:
            self.should_exit = self.force_exit = True
        self._guard.stopping = True
        self._until = time.monotonic() + self._limits.grace

    async def on_tick(self, counter: int) -> bool:
        """Stop for good once nothing runs any more, or it has taken too long."""
        if self._until is not None and (self._guard.running == 0 or time.monotonic() > self._until):
            self.should_exit = True
        return await super().on_tick(counter)


def _protocol(silence: float) -> type[H11Protocol]:
    """Return uvicorn's protocol with a limit on the time that the head of a request may take."""

    class Protocol(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._expect_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop_expecting()
            elif self._timer is None:
                self._expect_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_expecting()
            super().connection_lost(exc)

        def _expect_head(self) -> None:
            self._timer = self.loop.call_later(silence, self.transport.close)

        def _stop_expecting(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return Protocol


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        ConfigError: the address is not this machine's, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server(
            (settings.host, settings.port), family=family, backlog=settings.limits.connections
        )
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
        raise ConfigError(
            f"--host {settings.host} --port {settings.port}: cannot listen there ({reason}); "
            "give another --port or --host"
        ) from error
    # connections inherit it, and asyncio leaves it off: an answer's body would wait 40 ms behind its head
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address(settings: Settings, listening: socket.socket) -> str:
    """Return where the page is."""
    host, port = listening.getsockname()[:2]
    shown = "localhost" if settings.loopback and settings.host == "localhost" else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def serve(guard: Guard, settings: Settings, listening: socket.socket) -> None:
    """Serve until a signal ends it."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    Server(guard, settings.limits).run(sockets=[listening])
