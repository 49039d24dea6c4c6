"""How fast search is: photos into a gallery, and queries of a large one beside exact search and FAISS.

    .venv/bin/python benchmarks/search.py index [--photos FOLDER] [--embedder NAME] [--count 200] [--size 512]
    .venv/bin/python benchmarks/search.py query [--like GALLERY] [--vectors 1000000] [--queries 100] [--folder FOLDER]

`index` adds photos to a new gallery and prints photos per second. It opens each file, finds and frames the face,
translates and embeds it, and writes the row. Without `--photos` it draws faces and saves them as JPEG first. The time
to load the models is not counted.

`query` draws vectors with the mean and the covariance of those of a gallery, so that they spread as real faces do;
without `--like` they lie in all directions alike, the worst case for an index. A query is as near to one of them as a
sketch to its photo. The same vectors and queries go to the store, to a comparison with all vectors in NumPy, and to
FAISS with an inverted file of 8-bit codes, all cells of which are visited. Both compare the nearest again by whole
vectors. It prints the time of filling and indexing, the median and 95th percentile of the
time per query, one query at a time, the ratio of processor time, recall at 10, which is the share of the ten nearest
vectors that are found, and memory. FAISS is left out where `faiss-cpu` is not installed.

Both also print processor time, which depends less on other programs than elapsed time does.
"""

from __future__ import annotations

import importlib.util
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cyclopts
import numpy as np
from numpy.typing import NDArray

from facesketch.data.synthetic.draw import draw_pair
from facesketch.devices import processors
from facesketch.images.io import is_picture, save_image
from facesketch.search.embedding.describer import describer
from facesketch.search.gallery import Gallery
from facesketch.search.storage.rows import Row
from facesketch.search.storage.store import Store, cells_of, refined

Vectors = NDArray[np.float32]
Search = Callable[[Vectors], NDArray[np.int64]]
PART = 20_000
"""Vectors drawn and written at a time."""
NEAR = 0.4
"""How much of its vector a query has, beside one of nobody: their cosine is 0.37, that of a sketch and its photo."""
NEAREST = 10

app = cyclopts.App(help="How fast search is.")


@app.command
def index(*, photos: Path | None = None, embedder: str | None = None, count: int = 200, size: int = 512) -> None:
    """Print photos per second from file to row.

    Args:
        photos: A folder; by default drawn faces.
        embedder: learned, lite, sface, hog or a file; by default the best one available.
        size: Pixels of a drawn face.
    """
    with tempfile.TemporaryDirectory() as scratch:
        if photos is None:
            paths, what = drawn(Path(scratch, "photos"), count, size), f"drawn faces of {size} pixels"
        else:
            paths = sorted(path for path in photos.rglob("*") if is_picture(path))[:count]
            what = f"photos of {photos}"
            if not paths:
                raise SystemExit(f"{photos}: no photos")
        describe = describer(embedder)
        Gallery(Path(scratch, "warm"), describe).add(paths[:4])
        gallery = Gallery(Path(scratch, "gallery"), describe)
        start, spent = time.perf_counter(), time.process_time()
        report = gallery.add(paths)
        taken, spent = time.perf_counter() - start, time.process_time() - spent
        start = time.perf_counter()
        gallery.add(paths)
    print(f"{describe.fingerprint} {describe.notice}".strip())
    print(f"{report.added} of {len(paths)} {what}: {len(paths) / taken:.1f} photos/s, {taken:.1f} s")
    print(f"{1000 * spent / len(paths):.0f} ms of processor time each")
    print(f"again, with nothing changed: {time.perf_counter() - start:.2f} s")
    print_machine()


def print_machine() -> None:
    """Print how many processors there are, and how much memory was needed."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{processors()} processors, {peak:.2f} GiB peak memory")


def drawn(folder: Path, count: int, size: int) -> list[Path]:
    """Draw some faces and save each several times, as JPEG photos."""
    different = [draw_pair(np.random.default_rng(seed), size)[0] for seed in range(min(count, 16))]
    paths = [folder / f"{number:05}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        save_image(different[number % len(different)], path)
    return paths


@app.command
def query(
    *,
    like: str | None = None,
    vectors: int = 1_000_000,
    dimension: int = 128,
    queries: int = 100,
    folder: Path | None = None,
) -> None:
    """Print the time of filling a large store and of queries, recall at 10, and ratios.

    Args:
        like: A gallery of real faces, whose spread the vectors get.
        dimension: Without `--like`.
        folder: Where to make the store; by default a temporary folder.
    """
    draw = spread_of(like, dimension)
    rows = np.empty((vectors, draw(1, [0]).shape[1]), np.float32)
    for place in range(0, vectors, PART):
        rows[place : place + PART] = draw(min(PART, vectors - place), [1, place])
    asked = unit(NEAR * rows[np.linspace(0, vectors - 1, queries).astype(int)] + draw(queries, [2]))
    with tempfile.TemporaryDirectory() as scratch:
        compare(rows, asked, folder or Path(scratch, "gallery"))
    print_machine()


def compare(vectors: Vectors, queries: Vectors, folder: Path) -> None:
    """Compare NumPy, the store and FAISS on the same vectors and queries."""
    print(f"{len(vectors):,} vectors of {vectors.shape[1]} numbers, {vectors.nbytes / 2**30:.2f} GiB")
    exact, base = timed("all compared in NumPy", queries, lambda query: best(vectors @ query))
    store = filled(folder, vectors)
    for count in (NEAREST, 100):
        nearest = partial(found_in, store, count)
        report(f"store, {count} nearest", timed(f"store, {count} nearest", queries, nearest), exact, base)
    if importlib.util.find_spec("faiss") is None:
        print("FAISS is left out: pip install faiss-cpu")
        return
    before, started = memory(), time.perf_counter()
    search = faiss_index(vectors)
    print(f"FAISS: built in {time.perf_counter() - started:.0f} s, {memory() - before:.2f} GiB more memory")
    report("FAISS", timed("FAISS", queries, search), exact, base)


def spread_of(gallery: str | None, dimension: int) -> Callable[[int, list[int]], Vectors]:
    """Return what draws (N, D) unit vectors by a seed, spread as those of a gallery or in all directions alike."""
    mean, axes = np.zeros(dimension, np.float32), np.eye(dimension, dtype=np.float32)
    if gallery is not None:
        table = Store.open(gallery)._table.to_arrow()["vector"].combine_chunks()
        rows = table.flatten().to_numpy().reshape(len(table), -1)
        mean = rows.mean(axis=0)
        _, lengths, turned = np.linalg.svd(rows - mean, full_matrices=False)
        axes = lengths[:, None] / np.sqrt(len(rows)) * turned

    def draw(count: int, seed: list[int]) -> Vectors:
        normal = np.random.default_rng(seed).standard_normal((count, len(axes)), dtype=np.float32)
        return unit(mean + normal @ axes)

    return draw


def timed(title: str, queries: Vectors, search: Search) -> tuple[NDArray[np.int64], float]:
    """Return the (Q, 10) nearest that a search finds and its processor time per query, and print the milliseconds."""
    for query in queries[:3]:
        search(query)
    found, times, spent = [], [], time.process_time()
    for query in queries:
        start = time.perf_counter()
        found.append(search(query))
        times.append(1000 * (time.perf_counter() - start))
    median, late = np.percentile(times, [50, 95])
    each = 1000 * (time.process_time() - spent) / len(queries)
    print(f"{title}: median {median:.1f} ms, 95th percentile {late:.1f} ms, {each:.1f} ms of processor time")
    return np.array(found), each


def report(title: str, measured: tuple[NDArray[np.int64], float], exact: NDArray[np.int64], base: float) -> None:
    """Print what a search finds of the nearest, and its processor time as a share of that of exact search."""
    recall = np.mean([np.isin(right, some).mean() for right, some in zip(exact, measured[0], strict=True)])
    print(f"{title}: recall@10 {recall:.4f}, {measured[1] / base:.2f} times the processor time of exact search")


def best(scores: Vectors) -> NDArray[np.int64]:
    """Return the numbers of the ten largest."""
    return np.argpartition(-scores, NEAREST)[:NEAREST]


def found_in(store: Store, count: int, query: Vectors) -> NDArray[np.int64]:
    """Return the numbers of the ten nearest in a store that is asked for so many."""
    return np.array([int(each.key) for each in store.nearest(query, count)[:NEAREST]])


def filled(folder: Path, vectors: Vectors) -> Store:
    """Return a new store that holds all the vectors, indexed."""
    store = Store.create(folder, "benchmark-1", vectors.shape[1])
    start, spent = time.perf_counter(), time.process_time()
    for place in range(0, len(vectors), PART):
        store.upsert([row(place + number, vector) for number, vector in enumerate(vectors[place : place + PART])])
    print(
        f"store: written in {time.perf_counter() - start:.0f} s, {time.process_time() - spent:.0f} s of processor time"
    )
    start, spent, before = time.perf_counter(), time.process_time(), memory()
    store.optimise()
    print(
        f"store: indexed {store.indexed:,} in {time.perf_counter() - start:.0f} s,"
        f" {time.process_time() - spent:.0f} s of processor time, {memory() - before:.2f} GiB more memory;"
        f" {store.size / 2**30:.2f} GiB of data"
    )
    return store


def faiss_index(vectors: Vectors) -> Search:
    """Return a search of an inverted file of 8-bit codes, with as many cells as the store's."""
    import faiss

    faiss.omp_set_num_threads(processors())
    dimension, cells = vectors.shape[1], cells_of(len(vectors))
    kind = faiss.ScalarQuantizer.QT_8bit
    flat = faiss.IndexFlatIP(dimension)
    inverted = faiss.IndexIVFScalarQuantizer(flat, dimension, cells, kind, faiss.METRIC_INNER_PRODUCT)
    inverted.train(vectors[:: max(1, len(vectors) // (256 * cells))])
    inverted.add(vectors)
    inverted.nprobe = cells

    def search(query: Vectors) -> NDArray[np.int64]:
        _, near = inverted.search(query[None], refined(NEAREST) * NEAREST)
        near = near[0][near[0] >= 0]
        found: NDArray[np.int64] = near[best(vectors[near] @ query)]
        return found

    return search


def row(number: int, vector: Vectors) -> Row:
    """Return a row like a photo's, without a thumbnail."""
    return Row(f"{number:09}", f"person-{number}", "", 100_000, number, f"{number:064x}", vector)


def unit(rows: NDArray[np.floating]) -> Vectors:
    """Return rows scaled to unit length, float32."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def memory() -> float:
    """Return the GiB that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**30


if __name__ == "__main__":
    app()
