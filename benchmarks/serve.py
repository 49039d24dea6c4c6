"""Time a server beside the translator alone, or watch the server's memory.

    python benchmarks/serve.py [--pictures FOLDER] [--model MODEL] [--clients 1 8 64] [--count 128] [--rounds 3]
    python benchmarks/serve.py --soak 5000

Both sides take the bytes of the same files and return PNG bytes, in turn: the translator in a plain loop in this
process, and the server in another process over HTTP on the loopback. Each client sends its next picture as soon as it
has the answer to the last. The benchmark prints medians over the rounds of pictures per second, the 95th percentile of
the time per picture, and the ratio to the translator alone. The clients run on the same processors.

The soak sends pictures of changing sizes from 8 clients and prints the server's resident memory. From the first tenth
of the requests to the last it must grow by less than 5 %.
"""

from __future__ import annotations

import asyncio
import io
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import cyclopts
import httpx
import numpy as np
from cyclopts import Parameter

from facesketch.config import Direction
from facesketch.data.synthetic.draw import draw_pair
from facesketch.devices import processors
from facesketch.images.io import encoded, is_picture, open_image
from facesketch.inference.model import Model, load

Timing = tuple[float, float]
"""Pictures per second, and the 95th percentile of the seconds per picture."""
_MOST_GROWTH = 0.05


def drawn(count: int, size: int) -> list[bytes]:
    """Return drawn faces as JPEG bytes, as a phone would send them."""
    files = []
    for seed in range(min(count, 8)):
        buffer = io.BytesIO()
        draw_pair(np.random.default_rng(seed), size)[0].save(buffer, "JPEG", quality=92)
        files.append(buffer.getvalue())
    return [files[number % len(files)] for number in range(count)]


def summary(seconds: Sequence[float], taken: float) -> Timing:
    """Return pictures per second and the 95th percentile."""
    return len(seconds) / taken, float(np.percentile(seconds, 95))


def bare(model: Model, align: bool, files: Sequence[bytes]) -> Timing:
    """Translate one picture after another."""
    seconds, start = [], time.perf_counter()
    for file in files:
        begun = time.perf_counter()
        encoded(model(open_image(file), align=align), "PNG")
        seconds.append(time.perf_counter() - begun)
    return summary(seconds, time.perf_counter() - start)


async def loaded(url: str, files: Sequence[bytes], clients: int, fields: dict[str, str]) -> Timing:
    """Send pictures from several clients at once."""
    waiting, seconds = list(files), list[float]()
    room = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)

    async def client(http: httpx.AsyncClient) -> None:
        while waiting:
            file, begun = waiting.pop(), time.perf_counter()
            answer = await http.post("/v1/translate", files={"file": file}, data=fields)
            assert answer.status_code == 200, answer.text
            seconds.append(time.perf_counter() - begun)

    async with httpx.AsyncClient(base_url=url, timeout=300, limits=room) as http:
        start = time.perf_counter()
        await asyncio.gather(*(client(http) for _ in range(clients)))
    return summary(seconds, time.perf_counter() - start)


@contextmanager
def server(model: str | None) -> Iterator[str]:
    """Run `facesketch serve` on a free port and yield its address."""
    command = [sys.executable, "-m", "facesketch", "serve", "--port", "0", "--queue", "256", "--timeout", "300"]
    process = subprocess.Popen([*command, *(["--model", model] if model else [])], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"(http://\S+)/ ", line)
        assert found, line + process.stderr.read()
        yield found[1]
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0, "the server must exit cleanly"


def compare(
    model: Model, url: str, files: Sequence[bytes], fields: dict[str, str], clients: Sequence[int], rounds: int
) -> None:
    """Print one line per number of clients."""
    align = fields["align"] == "true"
    bare(model, align, files[:8])
    asyncio.run(loaded(url, files[:8], 8, fields))
    together: dict[int, list[Timing]] = {count: [] for count in clients}
    alone: list[Timing] = []
    for _ in range(rounds):
        alone.append(bare(model, align, files))
        for count in clients:
            together[count].append(asyncio.run(loaded(url, files, count, fields)))
    print(f"{'':16} {'pictures/s':>10} {'95th percentile':>16} {'ratio':>6}")
    rate, slow = (statistics.median(column) for column in zip(*alone, strict=True))
    print(f"{'translator alone':16} {rate:10.1f} {slow:14.3f} s")
    for count, timings in together.items():
        rate, slow = (statistics.median(column) for column in zip(*timings, strict=True))
        ratios = [timing[0] / base[0] for timing, base in zip(timings, alone, strict=True)]
        name = f"{count} client{'s' if count > 1 else ''}"
        spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:16} {rate:10.1f} {slow:14.3f} s {statistics.median(ratios):6.2f} {spread}")


def watch_memory(url: str, count: int) -> None:
    """Send many pictures and print how the server's memory grows."""
    files = [file for size in range(96, 416, 32) for file in drawn(3, size)]
    tenth = max(1, count // 10)
    sizes = []
    for done in range(0, count, tenth):
        sent = [files[(done + number) % len(files)] for number in range(min(tenth, count - done))]
        rate, _ = asyncio.run(loaded(url, sent, 8, {"align": "false"}))
        sizes.append(resident(url))
        print(f"{done + len(sent):6} requests {sizes[-1] / (1 << 20):8.1f} MiB {rate:6.1f} pictures/s", flush=True)
    growth = sizes[-1] / sizes[0] - 1
    print(f"growth {growth:.1%} since the first tenth; expected under {_MOST_GROWTH:.0%}")
    if growth >= _MOST_GROWTH:
        raise SystemExit(1)


def resident(url: str) -> int:
    """Return the server's resident memory in bytes."""
    found = re.search(r"^process_resident_memory_bytes (\S+)$", httpx.get(f"{url}/v1/metrics").text, re.MULTILINE)
    assert found, "only Linux reports resident memory"
    return int(float(found[1]))


def main(
    *,
    pictures: Path | None = None,
    model: str | None = None,
    direction: Direction = "photo2sketch",
    clients: Annotated[tuple[int, ...], Parameter(consume_multiple=True)] = (1, 8, 64),
    count: int = 128,
    rounds: int = 3,
    size: int = 512,
    soak: int = 0,
) -> None:
    """Compare the server with the bare translator, or watch the server's memory.

    Args:
        pictures: A folder; by default drawn faces, used without face detection.
        model: A run folder or a model file; by default the package's own.
        size: Pixels of a drawn face.
        soak: Watch the memory over this many requests instead.
    """
    with server(model) as url:
        if soak:
            watch_memory(url, soak)
            return
        if pictures is None:
            files, what = drawn(count, size), f"drawn faces of {size} pixels"
        else:
            paths = sorted(path for path in pictures.rglob("*") if is_picture(path))[:count]
            files, what = [path.read_bytes() for path in paths], "pictures, faces found and framed"
        print(f"{len(files)} {what}, {processors()} processors, median of {rounds} rounds")
        fields = {"direction": direction, "align": str(pictures is not None).lower()}
        if model is not None:
            fields["model"] = httpx.get(f"{url}/v1/models").json()[-1]["id"]
        compare(load(model or direction), url, files, fields, clients, rounds)


if __name__ == "__main__":
    cyclopts.run(main)
