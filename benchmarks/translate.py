"""Time a folder job beside a plain loop that opens a picture, translates it and saves it.

    python benchmarks/translate.py [--pictures FOLDER] [--model MODEL] [--count 200] [--rounds 3]

Both sides use the same loaded model on the same pictures, in turn, in this process; what is printed is the median of
each side's pictures per second, their ratio, and the share of the time that the network was at work. A share near 1
says that nothing but the network is waited for. The plain side does what one writes first, one thing after the other;
ours flushes every file to the disk, which the plain side does not.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesketch.data.synthetic.draw import draw_pair
from facesketch.devices import processors
from facesketch.images.io import is_picture, open_image
from facesketch.inference.folders import plan, run
from facesketch.inference.portraits import FacePipeline, FramedFace, Request

Timing = tuple[float, float]
"""Pictures per second, and the share of the time inside the network."""
inside = [0.0]


def drawn(folder: Path, count: int, size: int) -> list[Path]:
    """Draw some faces, and save each several times over, as JPEG photos of a phone would be."""
    folder.mkdir()
    different = [draw_pair(np.random.default_rng(seed), size)[0] for seed in range(min(count, 8))]
    paths = [folder / f"{number:05}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        different[number % len(different)].save(path, quality=92)
    return paths


def plain(studio: FacePipeline, paths: list[Path], out: Path) -> Timing:
    """Open, translate and save one picture after the other."""
    out.mkdir()
    before, start = inside[0], time.perf_counter()
    for path in paths:
        for number, sitting in enumerate(studio.prepare(open_image(path), str(path))):
            (array,) = studio.run([sitting])
            studio.restore(array, sitting).picture.save(out / f"{path.stem}-{number}.png")
    taken = time.perf_counter() - start
    return len(paths) / taken, (inside[0] - before) / taken


def ours(studio: FacePipeline, paths: list[Path], out: Path) -> Timing:
    """Do the same as a folder job does."""
    before, start = inside[0], time.perf_counter()
    for job, error in run(plan(paths, out), studio):
        assert error is None, f"{job.source}: {error}"
    taken = time.perf_counter() - start
    return len(paths) / taken, (inside[0] - before) / taken


class Timed(FacePipeline):
    """Adds up the seconds inside the network in `inside`."""

    def run(self, sittings: Sequence[FramedFace]) -> list[NDArray[np.uint8]]:
        """Run the network, and count."""
        begun = time.perf_counter()
        arrays = super().run(sittings)
        inside[0] += time.perf_counter() - begun
        return arrays


def compare(studio: FacePipeline, paths: list[Path], folder: Path, rounds: int) -> tuple[list[Timing], list[Timing]]:
    """Return the timings of both sides, taken in turn; a first short round warms up."""
    plain(studio, paths[:4], folder / "plain-warm")
    ours(studio, paths[:4], folder / "ours-warm")
    sides: tuple[list[Timing], list[Timing]] = ([], [])
    for number in range(rounds):
        for side, timings in zip((plain, ours), sides, strict=True):
            timings.append(side(studio, paths, folder / f"{side.__name__}-{number}"))
    return sides


def main() -> None:
    """Print pictures per second of both sides, their ratio, and how busy the network was."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, help="a folder; drawn faces when left out, which are not looked for")
    parser.add_argument("--model", help="a run folder or a model file; the package's own when left out")
    parser.add_argument("--direction", default="photo2sketch")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=1024, help="pixels of a drawn face")
    asked = parser.parse_args()
    request = Request(asked.model, backend=asked.backend, direction=asked.direction, align=asked.pictures is not None)
    studio = Timed(request)
    with tempfile.TemporaryDirectory() as folder:
        if asked.pictures is None:
            paths = drawn(Path(folder) / "in", asked.count, asked.size)
        else:
            paths = sorted(path for path in asked.pictures.rglob("*") if is_picture(path))[: asked.count]
        sides = compare(studio, paths, Path(folder), asked.rounds)
    what = f"drawn faces of {asked.size} pixels" if asked.pictures is None else "pictures, faces found and framed"
    print(f"{len(paths)} {what}, {processors()} processors, median of {asked.rounds} rounds")
    print(f"{'':11} {'pictures/s':>10} {'in the network':>14}")
    for name, timings in zip(("plain loop", "folder job"), sides, strict=True):
        rate, share = (statistics.median(column) for column in zip(*timings, strict=True))
        print(f"{name:11} {rate:10.1f} {share:14.0%}")
    ratios = [own[0] / loop[0] for loop, own in zip(*sides, strict=True)]
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
