"""Requests that two servers could read differently, and invalid ones: refused, and the connection is closed."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.serve.conftest import Network, Running, catalogue, running_in_thread

from facesketch.serve.heads import HEAD_BYTES

_NEXT = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
_GET = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n"
_POST = b"POST /v1/translate HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    network = Network()
    with running_in_thread(catalogue(network), network) as running:
        yield running


def _said(running: Running, sent: bytes) -> tuple[bytes, bytes]:
    """Send something with a valid request behind it; return what comes until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=8) as connection:
        # its own thread, as an answer may come while there still is something to send
        sending = threading.Thread(target=_send, args=(connection, sent + _NEXT))
        sending.start()
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        sending.join()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def _send(connection: socket.socket, sent: bytes) -> None:
    with suppress(OSError):  # the server closed the connection meanwhile
        connection.sendall(sent)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(_POST + b"Content-Length: 5\r\n" + _CHUNKED + b"\r\n0\r\n\r\n", id="length-and-chunked"),
        pytest.param(_POST + _CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n", id="chunked-and-length"),
        pytest.param(_POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", id="two-lengths"),
        pytest.param(_POST + b"Content-Length: 5\r\ncontent-length: 5\r\n\r\nabcde", id="one-length-twice"),
        pytest.param(_POST + b"Content-Length: 5, 6\r\n\r\nabcde", id="two-lengths-in-one"),
        *(
            pytest.param(_POST + b"Content-Length: " + each + b"\r\n\r\nabcde", id=f"length-{each.decode()}")
            for each in (b"+5", b"-5", b"0x5", b"5 5", b"5;", b"1e1", b"five", b"5" * 30)
        ),
        pytest.param(_POST + b"Content-Length : 5\r\n\r\nabcde", id="space-before-the-colon"),
        pytest.param(_POST + _CHUNKED + _CHUNKED + b"\r\n0\r\n\r\n", id="chunked-twice"),
        *(
            pytest.param(_POST + b"Transfer-Encoding:" + each + b"\r\n\r\n0\r\n\r\n", id=f"coding-{each.decode()}")
            for each in (b"gzip, chunked", b"chunked, identity", b"xchunked", b"identity", b"\x0bchunked", b'"chunked"')
        ),
        pytest.param((_POST + _CHUNKED).replace(b"1.1", b"1.0") + b"\r\n0\r\n\r\n", id="chunked-of-old"),
        *(
            pytest.param(_POST + _CHUNKED + b"\r\n" + each, id=f"chunk-{number}")
            for number, each in enumerate(
                (
                    *(b"x\r\nabc\r\n0\r\n\r\n", b"-1\r\na\r\n0\r\n\r\n", b"0x3\r\nabc\r\n0\r\n\r\n"),
                    *(b"3\nabc\r\n0\r\n\r\n", b"3\r\nabcde\r\n0\r\n\r\n", b"+3\r\nabc\r\n0\r\n\r\n"),
                    *(b"f" * 30 + b"\r\nabc", b"3;" + b"x" * HEAD_BYTES * 2 + b"\r\nabc\r\n0\r\n\r\n", b"\r\n\r\n"),
                )
            )
        ),
        pytest.param(_GET + b"X-One: a\r\n b\r\n\r\n", id="folded"),
        pytest.param(_GET + b"X-One: a\r\n\tTransfer-Encoding: chunked\r\n\r\n", id="folded-by-a-tab"),
        pytest.param(_GET + b" Content-Length: 5\r\n\r\n", id="a-space-before-a-header"),
        pytest.param(_GET.replace(b"\r\n", b"\n") + b"\n", id="bare-line-feeds"),
        pytest.param(_GET + b"X-One: a\nX-Two: b\r\n\r\n", id="one-bare-line-feed"),
        pytest.param(_GET + b"X-One: a\rX-Two: b\r\n\r\n", id="a-bare-carriage-return"),
        pytest.param(_GET + b"X-One: a\0b\r\n\r\n", id="a-zero"),
        pytest.param(_GET + b"Host: other\r\n\r\n", id="two-hosts"),
        pytest.param(b"GET /v1/models HTTP/1.1\r\n\r\n", id="no-host"),
        pytest.param(b"GET /v1/models\r\n\r\n", id="no-version"),
        pytest.param(b"GET  /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", id="two-spaces"),
        pytest.param(b"GET /v1/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", id="bytes-in-the-path"),
        pytest.param(b"\r\n" + _GET + b"\r\n", id="an-empty-line-before"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="another-protocol"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), id="tls"),
        pytest.param(b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", id="a-long-line"),
        pytest.param(_GET + b"X-One: " + b"a" * (1 << 20) + b"\r\n\r\n", id="a-long-header"),
        pytest.param(_GET + b"X-One: a\r\n" * 100_000 + b"\r\n", id="many-headers"),
    ],
)
def test_an_ambiguous_request_is_refused_and_its_connection_closed(running: Running, sent: bytes) -> None:
    began = time.monotonic()
    head, body = _said(running, sent)
    status, *lines = head.lower().split(b"\r\n")
    assert status.startswith(b"http/1.1 4"), head
    assert (len(sent) > 200_000) == status.startswith(b"http/1.1 431 "), status
    assert b"connection: close" in lines
    assert json.loads(body).keys() == {"seen", "hint"}, "one answer, and none to the request behind"
    assert b"x-content-type-options: nosniff" in lines
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("body", [b"0\r\n\n", b"0\r\nX: a\n\n", b"0\r\nHost: other\r\n\r\n", b"0\r\n\r\n"])
def test_a_body_in_chunks_is_the_last_of_its_connection(running: Running, body: bytes) -> None:
    head, told = _said(running, _POST + _CHUNKED + b"\r\n" + body)
    assert head.startswith(b"HTTP/1.1 4"), head
    assert b"\r\nconnection: close" in head.lower()
    assert json.loads(told).keys() == {"seen", "hint"}


def test_valid_requests_follow_each_other_on_one_connection(running: Running) -> None:
    post = _POST + b"Content-Length: 7\r\n\r\nno form"
    with socket.create_connection(("127.0.0.1", running.port), timeout=8) as connection:
        connection.sendall(_NEXT + post + _GET + b"Connection: close\r\n\r\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"400", b"200"]
