"""Many requests at once: places, time limits, batches, and crashes that end only their own request."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from tests.serve.conftest import Ask, Client, Network, grey, pixels, problem

from facesketch.images.fit import Placement
from facesketch.inference.translator import Prepared, Translator
from facesketch.serve.admission import Admission
from facesketch.serve.batching import Batcher
from facesketch.serve.codec import ImageDecoder
from facesketch.serve.problems import ProblemError


def test_when_all_places_are_taken_the_answer_says_when_to_try_again(serve: Ask, network: Network) -> None:
    client = serve(limits={"queue": 3})
    network.go.clear()
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(client.send, grey(value)) for value in (1, 2, 3)]
        _until(lambda: client.get("/v1/health").json()["queue"] == 3)
        answer = client.send(grey(4))
        assert problem(answer, 429) == "The server is busy."
        assert 1 <= int(answer.headers["retry-after"]) <= 30
        assert client.get("/v1/models").status_code == 200, "what costs nothing is answered"
        network.go.set()
        assert [each.result().status_code for each in waiting] == [200] * 3
    assert client.send(grey(4)).status_code == 200


def test_what_takes_too_long_ends_and_keeps_its_place_until_its_thread_is_free(serve: Ask, network: Network) -> None:
    client = serve(limits={"queue": 1, "seconds": 2})
    assert client.send(grey(1)).status_code == 200, "the decoder has started"
    network.go.clear()
    assert problem(client.send(grey(1)), 504) == "This took longer than 2 s."
    assert client.get("/v1/health").json()["queue"] == 1, "the network is still busy with it"
    problem(client.send(grey(1)), 429)
    network.go.set()
    _until(lambda: client.get("/v1/health").json()["queue"] == 0)
    assert client.send(grey(1)).status_code == 200


def test_a_decoder_that_has_died_is_replaced() -> None:
    decoder = ImageDecoder(10_000, 10)
    try:
        for _ in range(2):
            with decoder.open(grey(1)) as image:
                assert image.size == (16, 12)
            (idle,) = decoder._idle
            idle.kill()
            _until(lambda idle=idle: not idle.alive)
    finally:
        decoder.close()


def test_a_request_whose_client_has_gone_leaves_the_line(serve: Ask, network: Network) -> None:
    client = serve()
    network.go.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.send, grey(1))
        assert network.begun.wait(10)
        _leave_early(client.app, grey(2))
        _until(lambda: client.get("/v1/health").json()["queue"] == 1)
        network.go.set()
        assert first.result().status_code == 200
    assert sum(network.batches) == 1, "the network did not work for the client that had gone"


def _leave_early(app: object, file: bytes) -> None:
    """Send a picture, wait until it is in line, and close the connection."""
    request = httpx.Request("POST", "http://localhost/v1/translate", files={"file": ("me.png", file)})
    body = request.read()
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    messages: Iterator[dict[str, object]] = iter([{"type": "http.request", "body": body}])

    async def receive() -> dict[str, object]:
        for message in messages:
            return message
        await asyncio.sleep(0.5)
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/v1/translate", "headers": headers, "query_string": b""}
    scope |= {"http_version": "1.1", "scheme": "http", "server": ("localhost", 80), "client": ("127.0.0.1", 9)}
    asyncio.run(app(scope, receive, send))  # type: ignore[operator]


def _one_and_eight(client: Client, network: Network) -> list[httpx.Response]:
    """Send a picture, eight more while the network is busy with it, and return all nine answers."""
    network.go.clear()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(client.send, grey(0))
        assert network.begun.wait(10)
        rest = [pool.submit(client.send, grey(value)) for value in range(1, 9)]
        _until(lambda: "facesketch_network_waiting 8.0\n" in client.get("/v1/metrics").text)
        network.go.set()
        return [each.result() for each in (first, *rest)]


def test_what_waits_goes_through_the_network_together(serve: Ask, network: Network) -> None:
    client = serve()
    greys = [int(pixels(each.content)[0, 0]) for each in _one_and_eight(client, network)]
    assert greys == [255 - value for value in range(9)], "each got the answer to its own picture"
    assert network.batches == [1, 8]


def test_a_picture_on_which_the_network_fails_ends_only_its_own_request(
    serve: Ask, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve()
    network.poison = 4
    answers = _one_and_eight(client, network)
    assert [each.status_code for each in answers] == [200] * 4 + [500] + [200] * 4
    said = problem(answers[4], 500)
    assert "worked on" not in said, "what went wrong inside is for the log"
    assert "facesketch_crashes_total 1.0\n" in client.get("/v1/metrics").text
    assert "a picture that cannot be worked on" in caplog.text
    assert answers[4].headers["content-security-policy"]


def _prepared(value: int, width: int = 4) -> Prepared:
    size = (width, 4)
    return Prepared(np.full((4, width, 1), value, np.uint8), Placement(size, size, (0, 0)))


def _line_up(batcher: Batcher, translator: Translator, *pictures: Prepared) -> list[Future[np.ndarray]]:
    return [batcher.submit(translator, each, "photo2sketch", None) for each in pictures]


def test_batches_hold_one_shape_and_the_first_kind_goes_first(network: Network) -> None:
    batcher, translator = Batcher(3), Translator(network)
    network.go.clear()
    held = _line_up(batcher, translator, _prepared(0))
    assert network.begun.wait(10)
    wide = _line_up(batcher, translator, *(_prepared(value, 8) for value in range(4)))
    narrow = _line_up(batcher, translator, *(_prepared(value) for value in range(2)))
    network.go.set()
    for number, each in enumerate([*wide, *narrow]):
        assert (each.result(10) == 255 - number % 4).all()
    assert network.batches == [1, 3, 2, 1], "what is too much for one batch goes behind the others"
    assert held[0].result(10).shape == (4, 4, 1)
    batcher.close()


def test_a_cancelled_picture_does_not_reach_the_network(network: Network) -> None:
    batcher, translator = Batcher(3), Translator(network)
    network.go.clear()
    _line_up(batcher, translator, _prepared(0))
    assert network.begun.wait(10)
    gone, kept = _line_up(batcher, translator, _prepared(1), _prepared(2))
    assert gone.cancel()
    network.go.set()
    assert (kept.result(10) == 253).all()
    assert network.batches == [1, 1]
    batcher.close()


def test_a_batcher_that_is_closed_finishes_what_waits(network: Network) -> None:
    batcher, translator = Batcher(2), Translator(network)
    network.go.clear()
    waiting = _line_up(batcher, translator, *(_prepared(value) for value in range(5)))
    closing = threading.Thread(target=batcher.close)
    closing.start()
    network.go.set()
    closing.join(10)
    assert not closing.is_alive()
    assert all(each.done() for each in waiting)
    with pytest.raises(RuntimeError, match="stopping"):
        _line_up(batcher, translator, _prepared(1))


def test_the_limit_on_pixels_decoded_at_once_holds_and_none_is_overtaken() -> None:
    decoder, names = ImageDecoder(300, 10), ("small", "large", "late")
    sizes = {"small": (8, 8), "large": (16, 16), "late": (8, 9)}
    inside, leave = ({name: threading.Event() for name in names} for _ in range(2))

    def work(name: str) -> None:
        with decoder.open(grey(1, sizes[name])):
            inside[name].set()
            assert leave[name].wait(10)

    with ThreadPoolExecutor(3) as pool:
        pool.submit(work, "small")
        assert inside["small"].wait(10)
        pool.submit(work, "large")
        assert not inside["large"].wait(0.2), "64 + 256 pixels are more than 300"
        pool.submit(work, "late")
        assert not inside["late"].wait(0.2), "64 + 72 would fit, but the large one came before"
        leave["small"].set()
        assert inside["large"].wait(10)
        assert not inside["late"].wait(0.1)
        leave["large"].set()
        assert inside["late"].wait(10)
        leave["late"].set()


def test_retry_after_grows_with_the_line() -> None:
    told = []
    for requests in (1, 100, 100_000):
        admission = Admission(requests, 10)
        tickets = [admission.admit() for _ in range(requests)]
        with pytest.raises(ProblemError) as caught:
            admission.admit()
        told.append(int(caught.value.headers["Retry-After"]))
        assert len(tickets) == admission.active
    assert told == [1, 10, 30]


def _until(true: object) -> None:
    until = time.monotonic() + 20
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.01)
