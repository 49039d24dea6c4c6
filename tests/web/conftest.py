"""A Chromium that tests can drive, and servers for it to visit.

It is driven by the DevTools protocol over a pair of pipes, so that nothing else need be installed.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import queue
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image, ImageOps

from facesketch.data.synthetic.draw import write_sample

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_WORDS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--remote-debugging-pipe"),
)
_PATIENCE = 30.0
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36}
_KEYS |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
_SHIFT, _CONTROL = 8, 2
_HOLD = """((path, name) => {
    const fetched = window.fetch;
    window.held = [];
    window.fetch = async (address, options) => {
        const answer = await fetched(address, options);
        const wanted = String(address).endsWith(path) && (!name || options?.body?.get("file").name.startsWith(name));
        if (wanted) await new Promise((done) => window.held.push(done));
        return answer;
    };
})"""


class Chromium:
    """One browser process; it is told what to do by JSON on a pipe and answers on another."""

    def __init__(self, path: str, folder: Path) -> None:
        self._numbers = itertools.count(1)
        self._answers: dict[int, Any] = {}
        self._pages: dict[str, Any] = {}
        read_orders, self._orders = os.pipe()
        self._news, write_news = os.pipe()
        # the browser reads from descriptor 3 and writes to 4; only a shell can put ours there without running Python
        # between fork and exec
        line = f'exec "$0" "$@" 3</dev/fd/{read_orders} 4>/dev/fd/{write_news}'
        words = ["sh", "-c", line, path, *_WORDS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        pipes = (read_orders, write_news)
        self._process = subprocess.Popen(
            words, pass_fds=pipes, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in pipes:
            os.close(end)
        self._lock = threading.Lock()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def call(self, method: str, session: str | None = None, **values: Any) -> dict[str, Any]:
        """Send one order and return its result."""
        number = next(self._numbers)
        waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers[number] = waiting
        order = {"id": number, "method": method, "params": values} | ({"sessionId": session} if session else {})
        with self._lock:
            os.write(self._orders, json.dumps(order).encode() + b"\0")
        answer = waiting.get(timeout=_PATIENCE)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def open(self) -> Page:
        """Return a new page that shares nothing with others."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, context)
        self._pages[session] = page
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        return page

    def close(self) -> None:
        """End the browser."""
        os.write(self._orders, json.dumps({"id": 0, "method": "Browser.close"}).encode() + b"\0")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._orders)
        self._listener.join(10)

    def _listen(self) -> None:
        rest = b""
        while got := os.read(self._news, 1 << 20):
            *whole, rest = (rest + got).split(b"\0")
            for message in map(json.loads, whole):
                if "id" in message:
                    waiting = self._answers.pop(message["id"], None)
                    if waiting is not None:
                        waiting.put(message)
                elif (page := self._pages.get(message.get("sessionId"))) is not None:
                    page.note(message["method"], message["params"])
        os.close(self._news)


class Page:
    """One page of the browser, and what it has said and asked for."""

    def __init__(self, browser: Chromium, session: str, context: str) -> None:
        self._browser, self._session, self.context = browser, session, context
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.downloads: Path | None = None

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """Send an order to this page."""
        return self._browser.call(method, self._session, **values)

    def note(self, event: str, values: dict[str, Any]) -> None:
        """Keep what the page complains of, and whom it asks for something."""
        if event == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(values["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and values["type"] in {"error", "warning", "assert"}:
            self.complaints.append(str([each.get("value") for each in values["args"]]))
        elif event == "Log.entryAdded" and values["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(f"{values['entry']['text']} {values['entry'].get('url', '')}")

    def size(self, width: int, height: int, *, touch: bool = False) -> None:
        """Set the window's inner size in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)

    def colours(self, scheme: str) -> None:
        """Say whether the system wants `light` or `dark`, and no movement."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        features.append({"name": "prefers-reduced-motion", "value": "reduce"})
        self.call("Emulation.setEmulatedMedia", features=features)

    def go(self, url: str, ready: str = "document.documentElement.dataset.ready === 'true'") -> None:
        """Open an address and wait until the page says that it is ready."""
        self.call("Page.navigate", url=url)
        self.wait(f"document.readyState === 'complete' && {ready}")

    def get(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, or of the promise that it gives."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, condition: str, seconds: float = _PATIENCE) -> None:
        """Wait until an expression holds; while it cannot be evaluated, it does not."""
        until = time.monotonic() + seconds
        while True:
            result = self.call("Runtime.evaluate", expression=f"Boolean({condition})", returnByValue=True)
            if "exceptionDetails" not in result and result["result"]["value"]:
                return
            assert time.monotonic() < until, f"never true: {condition}; the page said {self.complaints}"
            time.sleep(0.05)

    def place(self, selector: str) -> tuple[float, float, float, float]:
        """Scroll an element into view and return its box: left, top, width, height."""
        find = f"document.querySelector({json.dumps(selector)})"
        self.wait(f"{find}?.getBoundingClientRect().width > 0")
        box = "(node => { node.scrollIntoView({block: 'center'}); return node.getBoundingClientRect().toJSON(); })"
        found = self.get(f"{box}({find})")
        return found["x"], found["y"], found["width"], found["height"]

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Move, press or release the mouse, or a pen."""
        pressed = {"button": "left", "clickCount": 1} if kind != "mouseMoved" or more.get("buttons") else {}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **(pressed | more))

    def click(self, selector: str) -> None:
        """Click the middle of an element."""
        left, top, width, height = self.place(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, left + width / 2, top + height / 2)

    def drag(self, points: list[tuple[float, float]], **more: Any) -> None:
        """Press the mouse at the first point, move along the others and release it."""
        self.mouse("mousePressed", *points[0], buttons=1, **more)
        for point in points[1:]:
            self.mouse("mouseMoved", *point, buttons=1, **more)
        self.mouse("mouseReleased", *points[-1], **more)

    def press(self, key: str, *, shift: bool = False, control: bool = False) -> None:
        """Press one key."""
        code = _KEYS.get(key, ord(key.upper()[0]))
        held = _SHIFT * shift + _CONTROL * control
        values: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code, "modifiers": held}
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 and not control else "")
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **values)
        self.call("Input.dispatchKeyEvent", type="keyUp", **values)

    def write(self, text: str) -> None:
        """Type a text where the focus is."""
        self.call("Input.insertText", text=text)

    def files(self, selector: str, *paths: Path) -> None:
        """Choose files for a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        assert node, f"no {selector}"
        self.call("DOM.setFileInputFiles", files=[str(path) for path in paths], nodeId=node)

    def hold(self, path: str, name: str = "") -> None:
        """Keep back what is answered at an address, to all that is sent or to files whose name begins so."""
        source = f"{_HOLD}({json.dumps(path)}, {json.dumps(name)})"
        self.call("Page.addScriptToEvaluateOnNewDocument", source=source)
        self.get(source)

    def let_go(self, number: int) -> None:
        """Give the page an answer that was kept back, and time to do what it does with it."""
        self.get(f"held[{number}](); new Promise(done => setTimeout(done, 500))")

    def picture(self, path: Path, *, whole: bool = False) -> Path:
        """Take a picture of the window, or of the whole page."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))
        return path

    def keep_downloads(self, folder: Path) -> None:
        """Say where downloads go."""
        folder.mkdir(exist_ok=True)
        values = {"behavior": "allow", "downloadPath": str(folder), "browserContextId": self.context}
        self._browser.call("Browser.setDownloadBehavior", **values)
        self.downloads = folder

    def downloaded(self, name: str) -> Path:
        """Wait for a download to be whole, and return its path."""
        assert self.downloads is not None
        until = time.monotonic() + _PATIENCE
        while not (self.downloads / name).exists():
            assert time.monotonic() < until, f"{name} never came; there are {list(self.downloads.iterdir())}"
            time.sleep(0.05)
        return self.downloads / name

    def close(self) -> None:
        """Close the page and forget what it stored."""
        self._browser.call("Target.disposeBrowserContext", browserContextId=self.context)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Return a running Chromium, or skip."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium found: install one to see the page in a browser")
    browser = Chromium(found, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def new_page(chromium: Chromium) -> Iterator[Callable[[], Page]]:
    """Return what opens a page of its own, which is closed in the end."""
    opened: list[Page] = []

    def new() -> Page:
        page = chromium.open()
        page.size(1280, 900)
        page.colours("light")
        opened.append(page)
        return page

    yield new
    for page in opened:
        page.close()


class Shelved:
    """A gallery of four people, which finds them in the same order whatever it is shown."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.few = folder, False
        self.routes: list[Any] = []

    def search(
        self, pictures: list[Image.Image], top: int, route: str, face: int | None, prior: float, where: list[str]
    ) -> SimpleNamespace:
        self.routes.append((route, top, prior))
        names = ("Anna", "Ben", "Cleo", "")
        hits = [
            SimpleNamespace(place=n, key=str(n), person=f"p{n}", label=label, score=0.9 - 0.1 * n, chance=0.4 / n)
            for n, label in enumerate(names[:top], 1)
        ]
        (picture,) = pictures
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
def serving(portraits: Path) -> Iterator[Callable[..., str]]:
    """Return what starts a server with the package's own models and gives its address: `serving(gallery=…, …)`."""
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
                with urllib.request.urlopen(url, timeout=30):  # it listens already, and answers once it has begun
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
    """Return a folder with one training that goes on; a test may let it go further."""
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
def everything(serving: Callable[..., str], shelved: Shelved, runs: Path) -> str:
    """Return the address of a server with two models, a gallery and trainings."""
    return serving(gallery=shelved, models=("pencil",), runs=runs)


@pytest.fixture
def page(new_page: Callable[[], Page], everything: str) -> Page:
    """Return the page of that server, opened."""
    opened = new_page()
    opened.go(everything)
    return opened
