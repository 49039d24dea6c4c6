"""Time the making of a gallery, and queries in a large one beside exact search.

    python benchmarks/search.py index [--photos FOLDER] [--embedder NAME] [--count 200]
    python benchmarks/search.py query [--vectors 1000000] [--dimension 128] [--clusters 2000] [--queries 200]
                                      [--folder FOLDER]

`index` adds photos to a new gallery, from the file to the row: opened, faces found and framed, translated, described,
written and flushed. Drawn faces are saved as JPEG photos first. What is printed is photos per second, the time to load
the models left out.

`query` fills a store with made-up vectors of unit length in clusters, as faces of people who look alike would be, and
asks it for neighbours of some of them, disturbed. With `--clusters 0` they lie in all directions alike, which is the
worst case for an index. What is printed is how long filling and indexing took, the median and
the 95th percentile of a query's time, one query after the other, and recall at 10: how many of the ten nearest, as a
comparison with every vector finds them, are among the ten that the store gives. The vectors are drawn again, a part at
a time, where they are needed, so that memory does not depend on how many there are. With `--folder` the store is kept,
and used again when it is full.

Both print processor time too, which a busy machine changes less than it does the time one waits.
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
"""Vectors that are made, written and compared at a time."""
SPREAD, DISTURBED = 0.8, 0.4
"""How far vectors lie from the middle of their cluster, and queries from a vector, in lengths of a vector."""
NEAREST = 10
LOOKED_AT = 100
"""Photos that a search of a gallery takes from the store."""


@dataclass(frozen=True)
class Cloud:
    """Made-up vectors, the same whenever they are drawn."""

    count: int
    dimension: int
    clusters: int

    def parts(self) -> Iterator[tuple[int, Vectors]]:
        """Yield the place of a part's first vector, and its (N, D) vectors."""
        middles = unit(np.random.default_rng(0).standard_normal((max(1, self.clusters), self.dimension)))
        for place in range(0, self.count, PART):
            draw, size = np.random.default_rng([1, place]), min(PART, self.count - place)
            noise = draw.standard_normal((size, self.dimension), dtype=np.float32) * (SPREAD / np.sqrt(self.dimension))
            yield place, unit(middles[draw.integers(self.clusters, size=size)] + noise if self.clusters else noise)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(required=True)
    index = verbs.add_parser("index", help="photos per second from file to row")
    index.add_argument("--photos", type=Path, help="a folder; drawn faces when left out")
    index.add_argument("--embedder", help="learned, lite, sface, hog or a file; the best that is at hand when left out")
    index.add_argument("--count", type=int, default=200)
    index.add_argument("--size", type=int, default=512, help="pixels of a drawn face")
    index.set_defaults(run=time_indexing)
    query = verbs.add_parser("query", help="time and recall of queries in a large store")
    query.add_argument("--vectors", type=int, default=1_000_000)
    query.add_argument("--dimension", type=int, default=128)
    query.add_argument("--clusters", type=int, default=2_000)
    query.add_argument("--queries", type=int, default=200)
    query.add_argument("--folder", type=Path, help="where the store is kept; a temporary folder when left out")
    query.set_defaults(run=time_queries)
    asked = parser.parse_args()
    with ExitStack() as stack:
        asked.scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        asked.run(asked)
    print(f"{processors()} processors, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB at most")


def time_indexing(asked: argparse.Namespace) -> None:
    """Print photos per second."""
    if asked.photos is None:
        paths = drawn(asked.scratch / "photos", asked.count, asked.size)
        what = f"drawn faces of {asked.size} pixels"
    else:
        paths = sorted(path for path in asked.photos.rglob("*") if is_picture(path))[: asked.count]
        what = f"photos of {asked.photos}"
    describe = describer(asked.embedder)
    Gallery(asked.scratch / "warm", describe).add(paths[:4])
    gallery = Gallery(asked.scratch / "gallery", describe)
    start, spent = time.perf_counter(), time.process_time()
    report = gallery.add(paths)
    taken, spent = time.perf_counter() - start, time.process_time() - spent
    start = time.perf_counter()
    gallery.add(paths)
    print(f"{describe.fingerprint} {describe.notice}".strip())
    print(f"{report.added} of {len(paths)} {what}: {len(paths) / taken:.1f} photos/s, {taken:.1f} s")
    print(f"{1000 * spent / len(paths):.0f} ms of a processor's time for each")
    print(f"all once more, none changed: {time.perf_counter() - start:.2f} s")


def drawn(folder: Path, count: int, size: int) -> list[Path]:
    """Draw some faces, and save each several times over, as JPEG photos would be."""
    different = [draw_photo(np.random.default_rng(seed), size) for seed in range(min(count, 16))]
    paths = [folder / f"{number:05}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        save_image(different[number % len(different)], path)
    return paths


def time_queries(asked: argparse.Namespace) -> None:
    """Print the times of filling and of queries, and recall at 10."""
    cloud = Cloud(asked.vectors, asked.dimension, asked.clusters)
    store = filled(asked.folder or asked.scratch / "gallery", cloud)
    queries = disturbed(cloud, asked.queries)
    truth = exact(queries, cloud)
    for vector in queries[:5]:
        store.nearest(vector, NEAREST)
    for most in (NEAREST, LOOKED_AT):
        times, hits, spent = [], 0, time.process_time()
        for vector, keys in zip(queries, truth, strict=True):
            start = time.perf_counter()
            found = store.nearest(vector, most)
            times.append(1000 * (time.perf_counter() - start))
            hits += len({int(each.key) for each in found[:NEAREST]} & set(keys.tolist()))
        recall, each = hits / (NEAREST * len(queries)), 1000 * (time.process_time() - spent) / len(queries)
        median, late = np.percentile(times, [50, 95])
        print(f"{most:3} nearest: median {median:.1f} ms, 95 % within {late:.1f} ms, recall@10 {recall:.4f}")
        print(f"             {each:.1f} ms of a processor's time for each")


def filled(folder: Path, cloud: Cloud) -> Store:
    """Return a store of all the vectors, indexed."""
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
    """Return a row as a photo's would be, but for the small picture."""
    return Row(f"{number:09}", f"person-{number}", "", 100_000, number, f"{number:064x}", vector)


def unit(rows: NDArray[np.floating]) -> Vectors:
    """Return rows at unit length, float32."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def disturbed(cloud: Cloud, queries: int) -> Vectors:
    """Return (Q, D) stored vectors, spread over all of them, each moved a little."""
    chosen, found = np.linspace(0, cloud.count - 1, queries).astype(int), []
    for place, part in cloud.parts():
        found.append(part[[each - place for each in chosen if place <= each < place + len(part)]])
    noise = np.random.default_rng(2).standard_normal((queries, cloud.dimension)) * (
        DISTURBED / np.sqrt(cloud.dimension)
    )
    return unit(np.concatenate(found) + noise.astype(np.float32))


def exact(queries: Vectors, cloud: Cloud) -> NDArray[np.int64]:
    """Return (Q, 10) numbers of the vectors with the largest inner products, by comparing with all of them."""
    start, rows = time.perf_counter(), np.arange(len(queries))[:, None]
    best, keys = np.full((len(queries), NEAREST), -np.inf), np.zeros((len(queries), NEAREST), dtype=np.int64)
    for place, part in cloud.parts():
        scores = np.concatenate([best, queries @ part.T], axis=1)
        numbers = np.concatenate([keys, np.broadcast_to(place + np.arange(len(part)), (len(queries), len(part)))], 1)
        top = np.argpartition(-scores, NEAREST, axis=1)[:, :NEAREST]
        best, keys = scores[rows, top], numbers[rows, top]
    print(f"compared with all of them in {time.perf_counter() - start:.0f} s, drawing them anew included")
    return keys


if __name__ == "__main__":
    main()
