"""Time a server beside the translator alone, or watch the server's memory.

    python benchmarks/serve.py [--pictures FOLDER] [--model MODEL] [--clients 1 8 64] [--count 64] [--rounds 3]
    python benchmarks/serve.py --soak 5000

Both sides take the bytes of the same files and return PNG bytes, in turn: the translator in a plain loop in this
process, and the server in another process over HTTP on the loopback. Each client sends its next picture as soon as it
has the answer to the last. The benchmark prints medians over the rounds of pictures per second, the 95th percentile of
the time per picture, and the ratio to the translator alone. The clients run on the same processors.

The soak sends pictures of changing sizes from 8 clients and prints the server's resident memory. From the first tenth
of the requests to the last it must grow by less than 5 %.
"""

from __future__ import annotations

import argparse
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

import httpx
import numpy as np

from facesketch.data.synthetic.draw import draw_pair
from facesketch.devices import processors
from facesketch.images.io import is_picture, open_image
from facesketch.inference.model import Model, load
from facesketch.inference.translator import png

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
        png(model(open_image(file), align=align))
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


def compare(model: Model, url: str, files: Sequence[bytes], args: argparse.Namespace) -> None:
    """Print one line per number of clients."""
    fields = {"direction": args.direction, "align": str(args.pictures is not None).lower()}
    if args.model:
        fields["model"] = httpx.get(f"{url}/v1/models").json()[-1]["id"]
    align = args.pictures is not None
    bare(model, align, files[:8])
    asyncio.run(loaded(url, files[:8], 8, fields))
    rounds: dict[int, list[Timing]] = {clients: [] for clients in args.clients}
    alone: list[Timing] = []
    for _ in range(args.rounds):
        alone.append(bare(model, align, files))
        for clients in args.clients:
            rounds[clients].append(asyncio.run(loaded(url, files, clients, fields)))
    print(f"{'':16} {'pictures/s':>10} {'95th percentile':>16} {'ratio':>6}")
    rate, slow = (statistics.median(column) for column in zip(*alone, strict=True))
    print(f"{'translator alone':16} {rate:10.1f} {slow:14.3f} s")
    for clients, timings in rounds.items():
        rate, slow = (statistics.median(column) for column in zip(*timings, strict=True))
        ratios = [timing[0] / base[0] for timing, base in zip(timings, alone, strict=True)]
        name = f"{clients} client{'s' if clients > 1 else ''}"
        spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:16} {rate:10.1f} {slow:14.3f} s {statistics.median(ratios):6.2f} {spread}")


def soak(url: str, count: int) -> None:
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


def main() -> None:
    """Compare or soak."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="a folder; default: drawn faces, used without face detection")
    parser.add_argument("--model", help="a run folder or a model file; default: the package's own")
    parser.add_argument("--direction", default="photo2sketch")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=512, help="pixels of a drawn face")
    parser.add_argument("--soak", type=int, metavar="REQUESTS", help="watch the memory over this many requests instead")
    args = parser.parse_args()
    with server(args.model) as url:
        if args.soak:
            soak(url, args.soak)
            return
        if args.pictures is None:
            files = drawn(args.count, args.size)
            what = f"drawn faces of {args.size} pixels"
        else:
            paths = sorted(path for path in args.pictures.rglob("*") if is_picture(path))[: args.count]
            files, what = [path.read_bytes() for path in paths], "pictures, faces found and framed"
        print(f"{len(files)} {what}, {processors()} processors, median of {args.rounds} rounds")
        model = load(args.model or args.direction)
        compare(model, url, files, args)


if __name__ == "__main__":
    main()
