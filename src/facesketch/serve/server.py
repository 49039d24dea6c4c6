"""The server process: a socket, uvicorn on it, and a shutdown in which every request gets an answer."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from types import FrameType

import uvicorn

from facesketch.errors import ConfigError
from facesketch.serve.decoding import kill_all
from facesketch.serve.heads import HEAD_BYTES, protocol
from facesketch.serve.middleware import OuterMiddleware
from facesketch.serve.settings import Limits, Settings

_IDLE = 15.0
_FAREWELL = 2  # seconds to send the last answers once the grace period is over


class Server(uvicorn.Server):
    """A server that on SIGTERM or SIGINT finishes running requests, refuses new ones with 503, and exits with 0.

    A second signal ends the process at once.

    Args:
        app: the application.
        limits: on its connections, and on the time that running requests get when it is stopped.
    """

    def __init__(self, app: OuterMiddleware, limits: Limits) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol(limits.silence, limits.connections),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=int(_IDLE),
                timeout_graceful_shutdown=_FAREWELL,
                h11_max_incomplete_event_size=HEAD_BYTES,
            )
        )
        self._app, self._limits = app, limits
        self._until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; at a second signal, end the process at once, whatever its threads do."""
        if self._until is not None:
            try:
                kill_all()
            finally:
                os._exit(128 + sig)
        self._app.stopping = True
        self._until = time.monotonic() + self._limits.grace

    async def on_tick(self, counter: int) -> bool:
        """Stop once no request is running and all answers are sent, or the grace period is over."""
        if self._until is not None:
            sending = any(each.transport.get_write_buffer_size() for each in self.server_state.connections)
            if (self._app.running == 0 and not sending) or time.monotonic() > self._until:
                self.should_exit = True
        return await super().on_tick(counter)


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        ConfigError: this machine does not have the address, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server(
            (settings.host, settings.port), family=family, backlog=settings.limits.connections
        )
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
        raise ConfigError(
            f"`host` {settings.host} `port` {settings.port}: cannot listen there ({reason})",
            "give another `port` or `host`",
        ) from error
    # connections inherit this; asyncio does not set it, and without it a body arrives 40 ms after its head
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address(settings: Settings, listening: socket.socket) -> str:
    """Return the address of the page."""
    host, port = listening.getsockname()[:2]
    shown = "localhost" if settings.loopback and settings.host == "localhost" else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def serve(app: OuterMiddleware, settings: Settings, listening: socket.socket) -> None:
    """Serve until a signal arrives; a stuck thread does not keep the process from ending."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it warns of what clients do wrong
    Server(app, settings.limits).run(sockets=[listening])
    until = time.monotonic() + _FAREWELL
    for each in threading.enumerate():
        if each is not threading.main_thread() and not each.daemon:  # Python would wait for it forever
            each.join(max(0.0, until - time.monotonic()))
            if each.is_alive():
                os._exit(0)
