"""Request heads: limit how long they take, and refuse those that another server may read differently.

If a proxy and a server disagree on where a request ends, one client can smuggle text into the request of the next. So
anything ambiguous gets a 400, and the connection is closed.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from facesketch.serve.middleware import SECURITY
from facesketch.serve.problems import ProblemError

HEAD_BYTES = 16 << 10
"""The most bytes that a request line and its headers may have."""
_LINGER = 2.0  # seconds that a refused client may go on sending, so that it reads the answer before a reset
_END = re.compile(rb"\n\r?\n")
# a line that does not end in CR LF, one that goes on in the next, and a header that comes twice
_AMBIGUOUS = re.compile(
    rb"(?<!\r)\n|\r(?!\n|\Z)|\n[ \t]|^(content-length|transfer-encoding|host)[ \t]*:(?s:.*)^\1[ \t]*:", re.I | re.M
)


class _Connection(h11.Connection):
    """Reads as h11 does, and refuses what h11 tolerates.

    Attributes:
        status: how the last refused request is answered.
    """

    status = 400

    def next_event(self) -> Any:
        """Return the next event.

        Raises:
            RemoteProtocolError: the client breaks the protocol, or is ambiguous.
        """
        try:
            if self.their_state is h11.IDLE:
                _check_head(self.trailing_data[0])
            event = super().next_event()
            if isinstance(event, h11.Request):
                _check_framing(event)
            return event
        except h11.RemoteProtocolError as error:
            # h11 also suggests 501 for an unknown Transfer-Encoding, which is the client's mistake here
            self.status = 431 if error.error_status_hint == 431 else 400
            raise


def _check_head(received: bytes) -> None:
    end = _END.search(received)
    if _AMBIGUOUS.search(received[: end.end()] if end else received[:HEAD_BYTES]):
        raise h11.RemoteProtocolError("a head that can be read in two ways")


def _check_framing(request: h11.Request) -> None:
    if request.http_version not in {b"1.0", b"1.1"}:
        raise h11.RemoteProtocolError("another protocol")
    names = {name for name, _ in request.headers}
    if b"transfer-encoding" in names and (b"content-length" in names or request.http_version < b"1.1"):
        raise h11.RemoteProtocolError("a body whose end can be seen in two places")


async def _crowded(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request on a connection more than the server takes."""
    headers = {**SECURITY, "Retry-After": "5", "Connection": "close"}
    await ProblemError(429, "The server is busy.", "Try again in 5 s.", headers).response()(scope, receive, send)


class _Protocol(H11Protocol):
    """A stricter form of uvicorn's protocol, in which no client holds a connection for nothing."""

    silence: float
    most: int
    conn: _Connection
    _timer: asyncio.TimerHandle | None = None
    _reader: asyncio.TimerHandle | None = None
    _refused = False

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.conn = _Connection(h11.SERVER, HEAD_BYTES)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self.app = _crowded
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)
        if self._refused:  # a timer of its own closes it
            return
        if self.conn.their_state is not h11.IDLE and self.conn.our_state is not h11.DONE:
            self._stop_expecting()
        elif self._timer is None:  # the next head, or the rest of a body that nobody reads any more
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        self._stop_watching()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close the connection once its answer is sent; h11 takes no more events where a request was refused."""
        if self._refused:
            self.transport.close()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        self._stop_watching()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer an invalid request, unless an answer is already on its way, and close the connection."""
        self._refused = True
        if self.cycle is not None:
            self.cycle.disconnected = True  # nobody waits for this answer any more
            self.cycle.message_event.set()
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE} or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write(_answer(self.conn.status))
        self.transport.write_eof()
        self._stop_expecting()
        self._timer = self.loop.call_later(_LINGER, self.transport.close)

    def _watch_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._reader = self.loop.call_later(self.silence, self._check_reader, left)

    def _check_reader(self, before: int) -> None:
        if self.transport.get_write_buffer_size() >= before:  # the client has read nothing meanwhile
            self.transport.abort()
        else:
            self._watch_reader()

    def _stop_watching(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(self.silence, self.transport.close)

    def _stop_expecting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def protocol(silence: float, most: int) -> type[H11Protocol]:
    """Return the protocol for a server.

    Args:
        silence: seconds that the head of a request may take, and that a client may read nothing of its answer.
        most: how many connections get more than "busy".
    """
    return type("Protocol", (_Protocol,), {"silence": silence, "most": most})


def _answer(status: int) -> bytes:
    what = "The request line or the headers are too long." if status == 431 else "This is not a valid request."
    answer = ProblemError(status, what, "Send it as a browser or curl would.", {**SECURITY, "Connection": "close"})
    response = answer.response()
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(),
        *(b": ".join(each) for each in response.raw_headers),
    ]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
