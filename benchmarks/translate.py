"""Time a folder job beside a plain loop that opens a picture, translates it and saves it.

    python benchmarks/translate.py [--pictures FOLDER] [--model MODEL] [--count 200] [--rounds 3]

Both sides use the same loaded model on the same pictures, in turn, in this process. The benchmark prints the median
pictures per second of each side, their ratio, and the share of the time that the network was busy. The plain loop does
one thing after another. Only the folder job flushes every file to the disk.

The last line compares the folder job with its bound: the speed at which all processors together could read the
pictures, find and frame the faces and run the network, if nothing had to be restored, encoded or written.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated

import cyclopts
import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from facesketch.config import Direction
from facesketch.data.synthetic.draw import draw_pair
from facesketch.devices import processors
from facesketch.images.io import is_picture, open_image
from facesketch.inference.folders.pipeline import run
from facesketch.inference.folders.plan import plan
from facesketch.inference.model import FramedFace, Model, Request, load
from facesketch.inference.translator import EngineName

Timing = tuple[float, float, float]
"""Pictures per second, the share of the time spent in the network, and the bound that the plain loop shows."""


def drawn(folder: Path, count: int, sizes: Sequence[int]) -> list[Path]:
    """Draw some faces and save each several times, as JPEG photos of these sizes in turn."""
    folder.mkdir()
    different = [
        draw_pair(np.random.default_rng(seed), min(size, 1024))[0].resize((size, size))
        for seed, size in enumerate(islice(cycle(sizes), max(8, len(sizes))))
    ]
    paths = [folder / f"{number:05}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        different[number % len(different)].save(path, quality=92)
    return paths


def plain(model: Model, request: Request, paths: list[Path], out: Path) -> float:
    """Open, translate and save one picture after another; return the processor time until each drawing was there."""
    out.mkdir()
    spent = 0.0
    for path in paths:
        begun = time.process_time()
        faces = model.prepare(open_image(path), request, str(path))
        arrays = [model.run([face])[0] for face in faces]
        spent += time.process_time() - begun
        for number, (array, face) in enumerate(zip(arrays, faces, strict=True)):
            model.restore(array, face).picture.save(out / f"{path.stem}-{number}.png")
    return spent


def ours(model: Model, request: Request, paths: list[Path], out: Path) -> float:
    """Do the same as a folder job."""
    for job, error, _ in run(plan(paths, out), model, request):
        assert error is None, f"{job.source}: {error}"
    return math.nan


def timed(side: Callable[..., float], model: Model, request: Request, paths: list[Path], out: Path) -> Timing:
    """Return how fast one side is, and how busy it keeps the network."""
    inside = 0.0
    run_network = model.run

    def counted(framed: Sequence[FramedFace]) -> list[NDArray[np.uint8]]:
        nonlocal inside
        begun = time.perf_counter()
        arrays = run_network(framed)
        inside += time.perf_counter() - begun
        return arrays

    model.run = counted  # type: ignore[method-assign]
    start = time.perf_counter()
    spent = side(model, request, paths, out)
    taken = time.perf_counter() - start
    model.run = run_network  # type: ignore[method-assign]
    return len(paths) / taken, inside / taken, len(paths) * processors() / spent


def compare(
    model: Model, request: Request, paths: list[Path], folder: Path, rounds: int
) -> tuple[list[Timing], list[Timing]]:
    """Return the timings of both sides, taken in turn after a short warm-up."""
    plain(model, request, paths[:4], folder / "plain-warm")
    ours(model, request, paths[:4], folder / "ours-warm")
    sides: tuple[list[Timing], list[Timing]] = ([], [])
    for number in range(rounds):
        for side, timings in zip((plain, ours), sides, strict=True):
            timings.append(timed(side, model, request, paths, folder / f"{side.__name__}-{number}"))
    return sides


def main(
    *,
    pictures: Path | None = None,
    model: str | None = None,
    direction: Direction = "photo2sketch",
    engine: EngineName = "auto",
    count: int = 200,
    rounds: int = 3,
    size: Annotated[tuple[int, ...], Parameter(consume_multiple=True)] = (1024,),
) -> None:
    """Print pictures per second of both sides, their ratio, and the share of the network.

    Args:
        pictures: A folder; by default drawn faces, used without face detection.
        model: A run folder or a model file; by default the package's own.
        size: Pixels of drawn faces; several take turns.
    """
    loaded, request = load(model, engine=engine), Request(direction, align=pictures is not None)
    with tempfile.TemporaryDirectory() as folder:
        if pictures is None:
            paths = drawn(Path(folder) / "in", count, size)
            what = f"drawn faces of {' and '.join(map(str, size))} pixels"
        else:
            paths = sorted(path for path in pictures.rglob("*") if is_picture(path))[:count]
            what = "pictures, faces found and framed"
        sides = compare(loaded, request, paths, Path(folder), rounds)
    print(f"{len(paths)} {what}, {processors()} processors, median of {rounds} rounds")
    print(f"{'':11} {'pictures/s':>10} {'in the network':>14}")
    for name, timings in zip(("plain loop", "folder job"), sides, strict=True):
        rate, share, _ = (statistics.median(column) for column in zip(*timings, strict=True))
        print(f"{name:11} {rate:10.1f} {share:14.0%}")
    ratios = [own[0] / loop[0] for loop, own in zip(*sides, strict=True)]
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    reached = [own[0] / loop[2] for loop, own in zip(*sides, strict=True)]
    print(f"the folder job reaches {statistics.median(reached):.2f} of its bound")


if __name__ == "__main__":
    cyclopts.run(main)
