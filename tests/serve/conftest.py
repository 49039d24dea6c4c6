"""Servers for the tests: in this process around a network that answers at once, in a thread, and in another process."""

from __future__ import annotations

import asyncio
import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import DIRECTIONS, Direction, MethodConfig, RunConfig
from facesketch.faces.colours import AUTO, Colours, Part
from facesketch.inference.translator import Translator
from facesketch.serve.app import build
from facesketch.serve.catalogue import Catalogue, offer
from facesketch.serve.middleware import OuterMiddleware
from facesketch.serve.server import Server, listen
from facesketch.serve.settings import Settings


@dataclass
class Network:
    """A network that gives the negative of a picture, and does as a test tells it.

    Attributes:
        go: it waits for this before it answers.
        begun: set when it has something to do.
        batches: how many pictures came together, in order.
        poison: a picture whose first pixel is this grey makes it fail.
    """

    directions: tuple[Direction, ...] = DIRECTIONS
    styles: tuple[str, ...] = ()
    colours: tuple[Part, ...] = ()
    frame: int | None = None
    go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    batches: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    told: list[Colours] = field(default_factory=list)
    poison: int = -1

    def __post_init__(self) -> None:
        self.go.set()
        self.config = RunConfig(method=MethodConfig(name="pencil"))
        self.preprocessing = Preprocessing(
            photo_channels=1,
            sketch_channels=1,
            longest_side=None,
            frame=self.frame,
            multiple=1,
            directions=self.directions,
            styles=self.styles,
            colours=self.colours,
        )

    def run(
        self, images: NDArray[np.float32], direction: Direction, style: str | None = None, colours: Colours = AUTO
    ) -> NDArray[np.float32]:
        self.begun.set()
        assert self.go.wait(30)
        self.batches.append(len(images))
        self.asked.append((direction, style))
        self.told.append(colours)
        greys = np.rint((images[:, 0, 0, 0] + 1) * 127.5)
        if (greys == self.poison).any():
            raise RuntimeError("a picture that cannot be worked on")
        return -images


@pytest.fixture
def network() -> Network:
    return Network()


def catalogue(network: Network, name: str = "negative") -> Catalogue:
    translator = Translator(network, name=name)
    return Catalogue([offer(name, "Negative", dict.fromkeys(network.directions, translator), default=True)])


class Client:
    """Sends requests to an application in this process, from any thread; its event loop has a thread of its own."""

    def __init__(self, app: OuterMiddleware, url: str = "http://localhost:8000") -> None:
        self.app, self._loop = app, asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url, timeout=60)

    def __enter__(self) -> Client:
        self._thread.start()
        self._run(self._begin())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def request(self, method: str, path: str, **given: Any) -> httpx.Response:
        answer: httpx.Response = self._run(self._http.request(method, path, **given))
        return answer

    def get(self, path: str, **given: Any) -> httpx.Response:
        return self.request("GET", path, **given)

    def post(self, path: str, **given: Any) -> httpx.Response:
        return self.request("POST", path, **given)

    def send(
        self, file: bytes, accept: str = "image/png", path: str = "/v1/translate", **fields: str
    ) -> httpx.Response:
        """Send a picture and fields as a browser's form does."""
        return self.post(path, files={"file": ("me.png", file)}, data=fields, headers={"Accept": accept})

    async def _begin(self) -> None:
        self._orders, self._started = asyncio.Queue[Any](), asyncio.Event()
        self._orders.put_nowait({"type": "lifespan.startup"})
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._life = asyncio.ensure_future(self.app(scope, self._orders.get, self._said))
        await self._started.wait()

    async def _said(self, message: Any) -> None:
        self._started.set()
        assert message["type"] in {"lifespan.startup.complete", "lifespan.shutdown.complete"}, message

    async def _end(self) -> None:
        await self._http.aclose()
        self._orders.put_nowait({"type": "lifespan.shutdown"})
        await self._life

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


Ask = Callable[..., Client]


@pytest.fixture
def serve(network: Network) -> Iterator[Ask]:
    """Return a function that gives a client of a server in this process: `serve(token="…", gallery=…)` and settings."""
    with ExitStack() as stack:
        stack.callback(network.go.set)

        def start(*, gallery: Any = None, models: Catalogue | None = None, **settings: Any) -> Client:
            guard = build(Settings(**settings), models or catalogue(network), gallery)
            return stack.enter_context(Client(guard))

        yield start


@pytest.fixture(scope="session")
def own() -> Iterator[Client]:
    """Return a client of a server of the package's own models."""
    with Client(build(Settings())) as client:
        yield client


@dataclass
class Running:
    """A server in a thread.

    Attributes:
        url: where it is.
        port: the same.
        guard: its application.
    """

    url: str
    port: int
    guard: OuterMiddleware


@contextmanager
def running_in_thread(models: Catalogue, network: Network, **given: Any) -> Iterator[Running]:
    """Run uvicorn in a thread, on a free loopback port."""
    settings = Settings(port=0, **given)
    guard = build(settings, models)
    with listen(settings) as listening:
        port = listening.getsockname()[1]
        server = Server(guard, settings.limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            _wait_for(f"http://127.0.0.1:{port}/v1/health")
            yield Running(f"http://127.0.0.1:{port}", port, guard)
        finally:
            network.go.set()
            server.should_exit = True
            thread.join(30)
    assert not thread.is_alive(), "it did not stop"


@pytest.fixture
def threaded(network: Network) -> Callable[..., AbstractContextManager[Running]]:
    """Return a function that runs uvicorn in a thread, on a free port: `with threaded(limits=…) as running`."""
    return lambda **given: running_in_thread(catalogue(network), network, **given)


_ROOT = Path(__file__).parents[2]
"""The folder from which a test's own program imports `tests`."""
_COMMAND = ("-m", "facesketch", "serve", "--port", "0")


@dataclass
class Process:
    """A server as a user starts it.

    Attributes:
        popen: the process.
        url: where it is.
        port: the same.
        folder: an empty folder for whatever it might write to the disk.
    """

    popen: subprocess.Popen[str]
    url: str
    port: int
    folder: Path


@contextmanager
def started(folder: Path, *words: str, command: Sequence[str] = _COMMAND) -> Iterator[Process]:
    """Start `facesketch serve` on a free port, or another server, and end it."""
    command = [sys.executable, "-W", "error", *command, *words]
    environment = os.environ | {"TMPDIR": str(folder), "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(_ROOT), *sys.path])
    popen = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment)
    try:
        assert popen.stderr is not None
        line = popen.stderr.readline()
        found = re.search(r"serving on (http://127\.0\.0\.1:(\d+))/", line)
        assert found, line + popen.stderr.read()
        _wait_for(found[1] + "/")
        yield Process(popen, found[1], int(found[2]), folder)
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.communicate(timeout=30)


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Return a server process of the package's own models; tests may not stop it."""
    with started(tmp_path_factory.mktemp("server")) as running:
        yield running


def _wait_for(url: str) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            assert time.monotonic() < until, f"nothing answers at {url}"
            time.sleep(0.05)


def children(pid: int) -> list[int]:
    """Return the ids of the processes that a process has started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that has ended meanwhile
            found += map(int, (task / "children").read_text().split())
    return found


def grey(value: int, size: tuple[int, int] = (16, 12)) -> bytes:
    """Return a PNG of one grey."""
    return png(Image.new("L", size, value))


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def pixels(content: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


def problem(response: httpx.Response, status: int) -> str:
    """Check the shape of a problem, and return what it says was wrong."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told.keys() - {"field"} == {"seen", "hint"}, told
    assert told["seen"].endswith((".", "!", "?")), told
    assert told["hint"], told
    return str(told["seen"])
