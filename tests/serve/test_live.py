"""Real sockets: slow and cut uploads, sixty-four at once, and a clean end."""

from __future__ import annotations

import asyncio
import io
import signal
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.serve.conftest import Network, Process, Running, grey, pixels, png, problem, started

from facesketch.images.io import open_image
from facesketch.inference.model import load

Threaded = Callable[..., AbstractContextManager[Running]]
_HASTY = {"silence": 0.5, "upload_seconds": 1.5}


def _head(length: int) -> bytes:
    return (
        "POST /v1/translate HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def _body(content: bytes) -> bytes:
    head = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    return head + content + b"\r\n--edge--\r\n"


def _answer(connection: socket.socket) -> bytes:
    connection.settimeout(15)
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def _send_on(connection: socket.socket, sent: bytes) -> None:
    while True:
        connection.sendall(sent)


def _queue(running: Running) -> int:
    return int(httpx.get(f"{running.url}/v1/health").json()["queue"])


def _empty(running: Running) -> None:
    until = time.monotonic() + 10
    while _queue(running):
        assert time.monotonic() < until, "a place was never given back"
        time.sleep(0.05)


def test_an_upload_that_stalls_is_ended(threaded: Threaded) -> None:
    body = _body(grey(1))
    with threaded(limits=_HASTY) as running, socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(_head(len(body)) + body[:40])
        answer = _answer(connection)
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        assert b"The upload took too long to arrive." in answer
        _empty(running)


def test_an_upload_that_trickles_is_ended(threaded: Threaded) -> None:
    body = _body(grey(1) + bytes(4000))
    with threaded(limits=_HASTY) as running, socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(_head(len(body)))
        began = time.monotonic()
        with suppress(OSError):  # reset or broken pipe
            for place in range(len(body)):
                connection.sendall(body[place : place + 1])
                time.sleep(0.05)
        assert time.monotonic() - began < 10, "it would have taken 200 s"
        _empty(running)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET /v1/health HTTP/1.1\r\nHost: local", b"X"])
def test_a_head_that_never_ends_closes_the_connection(threaded: Threaded, sent: bytes) -> None:
    with threaded(limits=_HASTY) as running, socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(sent)
        began = time.monotonic()
        _answer(connection)
        assert time.monotonic() - began < 5


def test_a_second_head_on_one_connection_has_no_more_time(threaded: Threaded) -> None:
    with threaded(limits=_HASTY) as running, socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.3)
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nHo")
        began = time.monotonic()
        assert _answer(connection).count(b"200 OK") == 1
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("sent", "status", "then"),
    [
        (b"GET /x\r\n\r\n", b"400", b""),
        (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"400", b""),
        (b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", b"404", b"z"),
    ],
)
def test_no_connection_is_held_for_nothing(threaded: Threaded, sent: bytes, status: bytes, then: bytes) -> None:
    with threaded(limits=_HASTY) as running, socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(sent)
        assert connection.recv(65536).startswith(b"HTTP/1.1 " + status)
        connection.sendall(then)
        began = time.monotonic()
        _answer(connection)
        assert time.monotonic() - began < 5


def test_a_client_that_does_not_read_is_let_go(threaded: Threaded) -> None:
    asked = b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with threaded(limits=_HASTY) as running, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", running.port))
        connection.settimeout(5)
        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
            _send_on(connection, asked)
        assert httpx.get(f"{running.url}/v1/health").status_code == 200


def test_a_refused_request_does_not_spoil_the_end(threaded: Threaded) -> None:
    odd = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.socket() as connection:
        with threaded() as running:
            connection.connect(("127.0.0.1", running.port))
            connection.sendall(odd)
            assert connection.recv(65536).startswith(b"HTTP/1.1 400")
        assert connection.recv(1) == b"", "it has ended without an error"


def test_more_connections_than_it_takes_are_told_to_come_later(threaded: Threaded) -> None:
    with threaded(limits={"connections": 2}) as running, ExitStack() as open_ones:
        for _ in range(2):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", running.port)))
        answer = httpx.get(f"{running.url}/v1/health")
        assert problem(answer, 429) == "The server is busy."
        assert int(answer.headers["retry-after"]) > 0


def test_an_upload_to_a_stopping_server_is_answered(threaded: Threaded) -> None:
    with threaded() as running:
        running.guard.stopping = True
        answer = httpx.post(f"{running.url}/v1/translate", content=bytes(8 << 20))
        assert problem(answer, 503) == "The server is stopping."


def test_an_upload_that_is_cut_off_disturbs_no_other(threaded: Threaded) -> None:
    body = _body(grey(1))
    with threaded() as running:
        for place in (0, 20, len(body) // 2, len(body) - 1):
            with socket.create_connection(("127.0.0.1", running.port)) as connection:
                connection.sendall(_head(len(body)) + body[:place])
        _empty(running)
        answer = httpx.post(f"{running.url}/v1/translate", files={"file": grey(7)})
        assert pixels(answer.content)[0, 0] == 248


def test_a_client_that_sends_too_much_learns_why(threaded: Threaded) -> None:
    with threaded(limits={"upload": 1 << 20}) as running:
        for attempt in range(3):
            answer = httpx.post(f"{running.url}/v1/translate", files={"file": bytes(3 << 20)})
            assert problem(answer, 413) == "The upload is larger than 1 MiB.", attempt


def test_a_full_server_says_so_at_once(threaded: Threaded, network: Network) -> None:
    with threaded(limits={"queue": 1}) as running, httpx.Client(base_url=running.url) as client:
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            connection.sendall(_head(100))
            while _queue(running) == 0:
                time.sleep(0.01)
            answer = client.post("/v1/translate", files={"file": bytes(300_000)})
            assert problem(answer, 429)
            assert answer.headers["retry-after"]
        _empty(running)
        assert client.post("/v1/translate", files={"file": grey(7)}).status_code == 200


def test_sixty_four_at_once_each_get_the_answer_to_their_own_picture(process: Process) -> None:
    sent = [_striped(number) for number in range(64)]

    async def ask_all() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(base_url=process.url, timeout=120, limits=limits) as client:
            return await asyncio.gather(*(_ask(client, content) for content in sent))

    answers = asyncio.run(ask_all())
    assert [each.status_code for each in answers] == [200] * 64
    model = load("photo2sketch")
    for number in (0, 1, 2, 31, 62, 63):
        right = np.asarray(model(open_image(sent[number]), align=False)).astype(int)
        distances = [np.abs(pixels(each.content).astype(int) - right).mean() for each in answers]
        assert int(np.argmin(distances)) == number
        assert distances[number] < 0.5, "only rounding differs between batches"


def _striped(number: int) -> bytes:
    """Return a picture like no other: a bright block in one of 64 places."""
    values = np.full((64, 64, 3), 60, np.uint8)
    row, column = divmod(number, 8)
    values[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = (250, 200, 180)
    return png(Image.fromarray(values))


async def _ask(client: httpx.AsyncClient, content: bytes) -> httpx.Response:
    fields = {"direction": "photo2sketch", "align": "false"}
    return await client.post("/v1/translate", files={"file": content}, data=fields)


def test_nothing_is_written_to_the_disk(process: Process) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
    large = io.BytesIO()
    Image.fromarray(noise).save(large, "BMP")
    answer = httpx.post(
        f"{process.url}/v1/translate", files={"file": large.getvalue()}, data={"align": "false"}, timeout=60
    )
    assert answer.status_code == 200
    assert [path for path in process.folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_requests_end_and_refuses_new_ones(tmp_path: Path, number: int) -> None:
    body = _body(grey(90, (64, 64)))
    with started(tmp_path) as process, socket.create_connection(("127.0.0.1", process.port)) as connection:
        connection.sendall(_head(len(body)) + body[:50])
        with httpx.Client(base_url=process.url) as client:
            while client.get("/v1/health").json()["queue"] == 0:
                time.sleep(0.02)
            process.popen.send_signal(number)
            answer = client.get("/v1/health")
            while answer.status_code == 200:
                answer = client.get("/v1/health")
            assert problem(answer, 503) == "The server is stopping."
            assert answer.headers["retry-after"]
        assert process.popen.poll() is None
        connection.sendall(body[50:])
        status, _, content = _answer(connection).partition(b"\r\n\r\n")
        assert status.startswith(b"HTTP/1.1 400 "), "it was finished: there is no face in it"
        assert b"No face was found in this picture." in content
        assert process.popen.wait(20) == 0
        assert process.popen.stderr is not None
        assert all(line.startswith("note: faces are") for line in process.popen.stderr), "nothing went wrong"


def test_a_taken_port_gets_one_line(process: Process, refused: Callable[..., str]) -> None:
    said = refused("serve", "--port", process.port)
    assert "cannot listen there (address already in use); give another --port" in said
