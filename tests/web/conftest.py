"""A Chromium that tests can drive, and servers for it to visit."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

from facesketch.data.synthetic.draw import write_sample
from facesketch.search.gallery import Opened

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_LOUD = ("error", "warning", "assert")
_OURS = ("http://127.0.0.1:", "file:", "data:", "blob:")
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

NewPage = Callable[..., Page]
Save = Callable[[Locator], Path]
Serve = Callable[..., str]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Return a running Chromium, or skip.

    It ends with the tests of this package, because Playwright's event loop keeps `asyncio.run` from working.
    """
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium found: install one to see the page in a browser")
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        words = ["--disable-gpu", "--use-fake-device-for-media-stream"]  # an emulated GPU would only cost time
        with playwright.chromium.launch(executable_path=found, args=words) as browser:
            yield browser


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """Collect the errors that pages log, and what they ask other machines for; a test that expects some clears them."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def new_page(chromium: Browser, complaints: list[str]) -> Iterator[NewPage]:
    """Return a function that opens a page in a new context: `new_page(url, **options)`; without `url`, a blank one."""
    with ExitStack() as stack:

        def new(url: str = "", **options: Any) -> Page:
            values = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | options
            page = stack.enter_context(chromium.new_context(**values)).new_page()
            page.on(
                "console", lambda said: said.type in {"error", "warning", "assert"} and complaints.append(said.text)
            )
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda asked: asked.url.startswith(_OURS) or complaints.append(asked.url))
            if url:
                page.goto(url)
                expect(page.locator("html")).to_have_attribute("data-ready", "true")
            return page

        yield new


class Held:
    """The requests of a page to an address that wait until a test lets them go.

    Args:
        page: the page.
        address: a pattern of addresses.
        sending: hold only requests with this in their body, such as the name of a file.
    """

    def __init__(self, page: Page, address: str, sending: str = "") -> None:
        self._page = page
        self.routes: list[Route] = []

        def hold(route: Route) -> None:
            if sending.encode() in (route.request.post_data_buffer or b""):
                self.routes.append(route)
            else:
                route.continue_()

        page.route(address, hold)

    def wait(self, count: int) -> None:
        """Wait until the page has made `count` requests."""
        for _ in range(1500):
            if len(self.routes) >= count:
                break
            self._page.wait_for_timeout(20)
        assert len(self.routes) == count

    def let_go(self, number: int) -> None:
        """Give the page an answer, and time to do what it does with it."""
        self.routes[number].continue_()
        assert self.routes[number].request.response()
        self._page.wait_for_timeout(500)


@pytest.fixture
def saved(tmp_path: Path) -> Save:
    """Return a function that clicks a button that downloads a file, and returns the file under its own name."""

    def save(button: Locator) -> Path:
        with button.page.expect_download() as coming:
            button.click()
        path = tmp_path / coming.value.suggested_filename
        coming.value.save_as(path)
        return path

    return save


class Shelved:
    """A gallery of four people, which finds them in the same order whatever it is shown."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.few = folder, False
        self.routes: list[Any] = []

    def search(
        self, pictures: list[Opened], top: int, route: str, face: int | None, prior: float, where: list[str]
    ) -> SimpleNamespace:
        self.routes.append((route, top, prior))
        names = ("Anna", "Ben", "Cleo", "")
        hits = [
            SimpleNamespace(place=n, key=str(n), person=f"p{n}", label=label, score=0.9 - 0.1 * n, chance=0.4 / n)
            for n, label in enumerate(names[:top], 1)
        ]
        picture = pictures[0].image
        probe = SimpleNamespace(framed=picture, translated=ImageOps.invert(picture.convert("L")), turn=0)
        if self.few:
            for hit in hits:
                hit.chance = None
            few = {"absent": None, "elsewhere": None, "verdict": "Too few people in the gallery to tell a chance."}
            return SimpleNamespace(hits=hits, route=route, size=4, probes=(probe,), notes=(), **few)
        absent = 1 - sum(hit.chance for hit in hits) - 0.05
        values = {
            "hits": hits,
            "absent": absent,
            "elsewhere": 0.05,
            "route": route,
            "size": 4,
            "probes": (probe,),
            "notes": (),
        }
        return SimpleNamespace(verdict="Perhaps Anna (chance 40 %).", **values)

    def info(self) -> SimpleNamespace:
        values = {"count": 4, "people": 4, "version": 1, "fingerprint": "hog-0", "embedder": "hog", "indexed": False}
        return SimpleNamespace(**values)

    def thumbnail(self, key: str) -> bytes:
        return (self._folder / f"{key}.jpg").read_bytes()


@pytest.fixture(scope="session")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of synthetic pairs, large enough for a finder of faces; no test may write into it."""
    folder = tmp_path_factory.mktemp("portraits") / "pairs"
    write_sample(folder, pairs=4, size=256, seed=3)
    for number, path in enumerate(sorted((folder / "photos").iterdir()), 1):
        with Image.open(path) as image:
            image.resize((96, 120)).save(folder / f"{number}.jpg")
    return folder


@pytest.fixture(scope="session")
def serving(portraits: Path) -> Iterator[Serve]:
    """Return a function that serves the package's own models and returns the address: `serving(gallery=…, …)`."""
    from facesketch.serve.app import build
    from facesketch.serve.server import Server, listen
    from facesketch.serve.settings import Settings

    @contextmanager
    def running(gallery: Any, **given: Any) -> Iterator[str]:
        settings = Settings(port=0, **given)
        guard = build(settings, gallery=gallery)
        with listen(settings) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            server = Server(guard, settings.limits)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                with urllib.request.urlopen(url, timeout=30):  # it listens already, and answers once it has started
                    yield url
            finally:
                server.should_exit = True
                thread.join(30)
        assert not thread.is_alive(), "it did not stop"

    with ExitStack() as stack:
        yield lambda gallery=None, **given: stack.enter_context(running(gallery, **given))


@pytest.fixture(scope="session")
def shelved(portraits: Path) -> Shelved:
    """Return the gallery of the server that has everything."""
    return Shelved(portraits)


@pytest.fixture(scope="session")
def runs(portraits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one training that goes on; a test may continue it."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "first" / "samples").mkdir(parents=True)
    (folder / "first" / "config.toml").write_text('direction = "photo2sketch"\n[method]\nname = "pix2pix"\n')
    steps = [
        {"event": "step", "step": n, "epoch": 1, "losses": {"generator": 9 / n, "l1": 4 / n, "edges": 1 / n}}
        for n in range(1, 40)
    ]
    epoch = {"event": "epoch", "epoch": 1, "step": 39, "seconds": 9.0, "validation": {"ssim": 0.5, "own": 2.0}}
    (folder / "first" / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*steps, epoch]))
    for number in (1, 2):
        Image.new("RGB", (90, 40), (90, 90 * number, 90)).save(folder / "first" / "samples" / f"epoch-{number:04d}.png")
    return folder


@pytest.fixture(scope="session")
def everything(serving: Serve, shelved: Shelved, runs: Path) -> str:
    """Return the address of a server with two models, a gallery and trainings."""
    return serving(gallery=shelved, models=("pencil",), runs=runs)


@pytest.fixture
def page(new_page: NewPage, everything: str) -> Page:
    """Return the page of that server, opened."""
    return new_page(everything)
