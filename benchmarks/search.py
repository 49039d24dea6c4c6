"""Time indexing a gallery, and queries in a large one beside exact search.

    python benchmarks/search.py index [--photos FOLDER] [--embedder NAME] [--count 200]
    python benchmarks/search.py query [--vectors 1000000] [--dimension 128] [--clusters 2000] [--queries 200]
                                      [--folder FOLDER]

`index` adds photos to a new gallery and prints photos per second. It opens each file, finds and frames the face,
translates and embeds it, and writes the row. Without `--photos` it draws faces and saves them as JPEG first. The time
to load the models is not counted.

`query` fills a store with random unit vectors and searches for neighbours of some of them, with noise added. The
vectors lie in clusters, as those of similar faces do. With `--clusters 0` they spread evenly over all directions, the
worst case for an index. It prints the time of filling and indexing, the median and the 95th percentile of the time per
query, one query at a time, and recall at 10: the share of the ten nearest vectors that the store returns. The vectors
are drawn again in parts where they are needed, so memory does not depend on their number. `--folder` keeps the store
and reuses it once it is full.

Both also print processor time, which depends less on other programs than elapsed time does.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesketch.data.synthetic.draw import draw_photo
from facesketch.devices import processors
from facesketch.images.io import is_picture, save_image
from facesketch.search.embedding.describer import describer
from facesketch.search.gallery import Gallery
from facesketch.search.storage.rows import Row
from facesketch.search.storage.store import Store

Vectors = NDArray[np.float32]
PART = 20_000
"""Vectors drawn, written and compared at a time."""
SPREAD, NOISE = 0.8, 0.4
"""Distance of a vector from the middle of its cluster, and of a query from its vector; vectors have length 1."""
NEAREST = 10
LOOKED_AT = 100
"""Photos that a search takes from the store."""


@dataclass(frozen=True)
class Cloud:
    """Random vectors, the same each time they are drawn."""

    count: int
    dimension: int
    clusters: int

    def parts(self) -> Iterator[tuple[int, Vectors]]:
        """Yield the number of a part's first vector, and its (N, D) vectors."""
        middles = unit(np.random.default_rng(0).standard_normal((max(1, self.clusters), self.dimension)))
        for place in range(0, self.count, PART):
            draw, size = np.random.default_rng([1, place]), min(PART, self.count - place)
            noise = draw.standard_normal((size, self.dimension), dtype=np.float32) * (SPREAD / np.sqrt(self.dimension))
            yield place, unit(middles[draw.integers(self.clusters, size=size)] + noise if self.clusters else noise)


def main() -> None:
    """Run the chosen benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(required=True)
    index = verbs.add_parser("index", help="photos per second from file to row")
    index.add_argument("--photos", type=Path, help="a folder; default: drawn faces")
    index.add_argument("--embedder", help="learned, lite, sface, hog or a file; default: the best one available")
    index.add_argument("--count", type=int, default=200)
    index.add_argument("--size", type=int, default=512, help="pixels of a drawn face")
    index.set_defaults(run=time_indexing)
    query = verbs.add_parser("query", help="time and recall of queries in a large store")
    query.add_argument("--vectors", type=int, default=1_000_000)
    query.add_argument("--dimension", type=int, default=128)
    query.add_argument("--clusters", type=int, default=2_000)
    query.add_argument("--queries", type=int, default=200)
    query.add_argument("--folder", type=Path, help="where to keep the store; default: a temporary folder")
    query.set_defaults(run=time_queries)
    args = parser.parse_args()
    with ExitStack() as stack:
        args.scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        args.run(args)
    print(
        f"{processors()} processors, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB peak memory"
    )


def time_indexing(args: argparse.Namespace) -> None:
    """Print photos per second."""
    if args.photos is None:
        paths = drawn(args.scratch / "photos", args.count, args.size)
        what = f"drawn faces of {args.size} pixels"
    else:
        paths = sorted(path for path in args.photos.rglob("*") if is_picture(path))[: args.count]
        what = f"photos of {args.photos}"
    describe = describer(args.embedder)
    Gallery(args.scratch / "warm", describe).add(paths[:4])
    gallery = Gallery(args.scratch / "gallery", describe)
    start, spent = time.perf_counter(), time.process_time()
    report = gallery.add(paths)
    taken, spent = time.perf_counter() - start, time.process_time() - spent
    start = time.perf_counter()
    gallery.add(paths)
    print(f"{describe.fingerprint} {describe.notice}".strip())
    print(f"{report.added} of {len(paths)} {what}: {len(paths) / taken:.1f} photos/s, {taken:.1f} s")
    print(f"{1000 * spent / len(paths):.0f} ms of processor time each")
    print(f"again, with nothing changed: {time.perf_counter() - start:.2f} s")


def drawn(folder: Path, count: int, size: int) -> list[Path]:
    """Draw some faces and save each several times, as JPEG photos."""
    different = [draw_photo(np.random.default_rng(seed), size) for seed in range(min(count, 16))]
    paths = [folder / f"{number:05}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        save_image(different[number % len(different)], path)
    return paths


def time_queries(args: argparse.Namespace) -> None:
    """Print the time of filling and of queries, and recall at 10."""
    cloud = Cloud(args.vectors, args.dimension, args.clusters)
    store = filled(args.folder or args.scratch / "gallery", cloud)
    queries = with_noise(cloud, args.queries)
    nearest = exact(queries, cloud)
    for vector in queries[:5]:
        store.nearest(vector, NEAREST)
    for count in (NEAREST, LOOKED_AT):
        times, hits, spent = [], 0, time.process_time()
        for vector, keys in zip(queries, nearest, strict=True):
            start = time.perf_counter()
            found = store.nearest(vector, count)
            times.append(1000 * (time.perf_counter() - start))
            hits += len({int(each.key) for each in found[:NEAREST]} & set(keys.tolist()))
        recall, each = hits / (NEAREST * len(queries)), 1000 * (time.process_time() - spent) / len(queries)
        median, late = np.percentile(times, [50, 95])
        print(f"{count:3} nearest: median {median:.1f} ms, 95th percentile {late:.1f} ms, recall@10 {recall:.4f}")
        print(f"             {each:.1f} ms of processor time each")


def filled(folder: Path, cloud: Cloud) -> Store:
    """Return a store that holds all the vectors, indexed."""
    count, dimension = cloud.count, cloud.dimension
    store = Store.create(folder, f"benchmark-{cloud.clusters}", dimension)
    if store.count < count:
        start = time.perf_counter()
        for place, part in cloud.parts():
            store.upsert([row(place + number, vector) for number, vector in enumerate(part)])
            print(f"\r{place + len(part):,} written", end="", flush=True)
        print(f"\r{count:,} vectors of {dimension} numbers written in {time.perf_counter() - start:.0f} s")
        start = time.perf_counter()
        store.optimise()
        print(f"indexed {store.indexed:,} in {time.perf_counter() - start:.0f} s")
    print(f"{store.count:,} vectors, {store.indexed:,} indexed, {store.size / 2**20:,.0f} MiB of data")
    return store


def row(number: int, vector: Vectors) -> Row:
    """Return a row like a photo's, without a thumbnail."""
    return Row(f"{number:09}", f"person-{number}", "", 100_000, number, f"{number:064x}", vector)


def unit(rows: NDArray[np.floating]) -> Vectors:
    """Return rows scaled to unit length, float32."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def with_noise(cloud: Cloud, queries: int) -> Vectors:
    """Return (Q, D) stored vectors, evenly spaced in the store, with noise added."""
    chosen, found = np.linspace(0, cloud.count - 1, queries).astype(int), []
    for place, part in cloud.parts():
        found.append(part[[each - place for each in chosen if place <= each < place + len(part)]])
    noise = np.random.default_rng(2).standard_normal((queries, cloud.dimension)) * (NOISE / np.sqrt(cloud.dimension))
    return unit(np.concatenate(found) + noise.astype(np.float32))


def exact(queries: Vectors, cloud: Cloud) -> NDArray[np.int64]:
    """Return (Q, 10) numbers of the vectors with the largest inner products, by comparing with all vectors."""
    start, rows = time.perf_counter(), np.arange(len(queries))[:, None]
    best, keys = np.full((len(queries), NEAREST), -np.inf), np.zeros((len(queries), NEAREST), dtype=np.int64)
    for place, part in cloud.parts():
        scores = np.concatenate([best, queries @ part.T], axis=1)
        numbers = np.concatenate([keys, np.broadcast_to(place + np.arange(len(part)), (len(queries), len(part)))], 1)
        top = np.argpartition(-scores, NEAREST, axis=1)[:, :NEAREST]
        best, keys = scores[rows, top], numbers[rows, top]
    print(f"compared with all vectors in {time.perf_counter() - start:.0f} s, including drawing them again")
    return keys


if __name__ == "__main__":
    main()
