"""The table of a gallery: vectors and facts of photos in LanceDB, in a folder or in object storage.

A table is a sequence of whole versions: a killed writer leaves the previous one, a reader sees one version while others
write, and of two writers the later one builds on the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from facesketch.devices import processors
from facesketch.errors import GalleryError, NoGalleryError, OutputError, require
from facesketch.search.storage.people import Person
from facesketch.search.storage.rows import FACTS, Found, Known, Row, among, columns, described, schema

if TYPE_CHECKING:
    import pyarrow as pa

INDEX_FROM = 100_000  # with so many photos an index is built; fewer are all compared, which is exact
_NUMBERS = 25_600_000  # the same for long vectors: numbers in all vectors, from 10,000 photos on
_TABLE, _FOLDER = "photos", "photos.lance"
_KEPT = timedelta(minutes=10)  # how long old versions are kept for their readers
_AT_ONCE = 500  # keys in one condition
_INDEX = "by_vector"
_PIECES = 8  # every refresh adds a piece to the index; with more than these it is rebuilt
_CELL = 32_768  # photos in a cell of the index
_ALL = 1_000_000  # cells that a query visits at most: all, as a sketch is too far from its photo to leave any out
_BITS = 5  # of a code for each number of a vector; with 3, some of the nearest are lost where vectors spread evenly
_REFINED = 40  # photos at least that are taken from the index and compared by their whole vectors
_lost_threads = Event()  # set in a process that was forked


class Store:
    """One table of photos, from `open` or `create`; safe to use from several threads.

    Attributes:
        uri: the folder, or the place in object storage.
        fingerprint: of the describer that made the vectors.
        dimension: numbers in a vector.

    Raises:
        GalleryError: from every method, if the table cannot be read or was replaced by one of another describer.
        OutputError: from every method that writes, if the place cannot be written or the disk is full.
    """

    def __init__(self, uri: str, table: Any) -> None:
        self.uri, self._table = uri, table
        self.fingerprint, self.dimension = described(uri, table.schema)

    @classmethod
    def open(cls, uri: str | Path, fingerprint: str | None = None) -> Self:
        """Open an existing table.

        Args:
            uri: a folder, or a place in object storage such as `s3://bucket/gallery`.
            fingerprint: of the describer to use with it; None for none.

        Raises:
            NoGalleryError: there is none.
            GalleryError: it is damaged, or was made by a newer version or another describer.
        """
        where = str(uri)
        table = _opened(where)
        if table is None:
            raise NoGalleryError(f"{where}: no gallery here", "add photos to make one")
        store = cls(where, table)
        store.check(fingerprint)
        return store

    @classmethod
    def create(cls, uri: str | Path, fingerprint: str, dimension: int) -> Self:
        """Make an empty table, or open the one that another writer has just made."""
        where = str(uri)
        table = _opened(where)
        if table is None:
            with _writing(where):
                table = _created(where, schema(fingerprint, dimension))
        store = cls(where, table)
        store.check(fingerprint)
        return store

    @staticmethod
    def exists(uri: str | Path) -> bool:
        """Return whether there is a table at a place, without making anything there."""
        return _opened(str(uri)) is not None

    def check(self, fingerprint: str | None) -> None:
        """Refuse a describer other than the one that made the table's vectors."""
        if fingerprint is not None and fingerprint != self.fingerprint:
            raise GalleryError(
                f"{self.uri}: its photos were described by {self.fingerprint}, not by {fingerprint}",
                "give the `embedder` it was made with, or index the photos into a new gallery",
            )

    @property
    def count(self) -> int:
        """How many photos there are."""
        with _reading(self.uri):
            return int(self._table.count_rows())

    @property
    def version(self) -> int:
        """The number of the table's version; it grows with every change."""
        with _reading(self.uri):
            return int(self._table.version)

    @property
    def size(self) -> int:
        """The bytes of the photos' data, without the index and old versions."""
        with _reading(self.uri):
            return int(self._table.stats()["total_bytes"])

    @property
    def indexed(self) -> int:
        """How many photos the index covers; the others are compared one by one."""
        with _reading(self.uri):
            index = self._index()
        return 0 if index is None else int(index.num_indexed_rows)

    def upsert(self, rows: Sequence[Row]) -> None:
        """Add rows, and replace those with the same keys: all of them or, on failure, none."""
        if not rows:
            return
        with _writing(self.uri):
            self._unchanged()
            self._add_facts()
            merge = self._table.merge_insert("key").when_matched_update_all().when_not_matched_insert_all()
            merge.execute(columns(rows, self._table.schema))

    def rename(self, people: Mapping[str, Person]) -> None:
        """Change whom photos show, by their keys."""
        with _writing(self.uri):
            self._add_facts()
        persons, labels, facts = zip(*people.values(), strict=True)
        self._update({"key": list(people), "person": persons, "label": labels, FACTS: facts})

    def touch(self, stamps: dict[str, int]) -> None:
        """Note the new times of unchanged files, by their keys."""
        self._update({"key": list(stamps), "mtime_ns": list(stamps.values())})

    def delete(self, keys: Sequence[str], persons: Sequence[str] = ()) -> int:
        """Remove photos by their keys, and all photos of some people, and return how many were removed."""
        gone = 0
        with _writing(self.uri):
            for column, values in (("key", keys), ("person", persons)):
                for start in range(0, len(values), _AT_ONCE):
                    result = self._table.delete(among(column, values[start : start + _AT_ONCE]))
                    gone += int(result.num_deleted_rows)
        return gone

    def photo_keys(self) -> list[str]:
        """Return the keys of all photos."""
        return list(self._all("key")["key"].to_pylist())

    def known(self) -> dict[str, Known]:
        """Return what is known of every photo, by its key."""
        names = [name for name in Known._fields if name in self._columns]
        found = self._all("key", *names)
        rows = zip(*(found[name].to_pylist() for name in names), strict=True)
        known = (Known(*row[:5], *(tuple(facts or ()) for facts in row[5:])) for row in rows)
        return dict(zip(found["key"].to_pylist(), known, strict=True))

    def people(self, where: str | None = None) -> tuple[int, int]:
        """Return how many photos and people there are, of all or of those that meet a condition."""
        import pyarrow.compute as pc

        found = self._all("person", where=where)["person"]
        return len(found), int(pc.count_distinct(found).as_py())

    def facts(self) -> set[str]:
        """Return all facts of the form `column=value`."""
        import pyarrow.compute as pc

        if FACTS not in self._columns:
            return set()
        found = pc.unique(pc.list_flatten(self._all(FACTS)[FACTS])).to_pylist()
        return {fact for fact in found if "=" in fact}

    def thumbnail(self, key: str) -> bytes:
        """Return the small JPEG of a photo; empty when there is none, or no such photo."""
        with _reading(self.uri):
            found = self._table.search().where(among("key", [key])).select(["thumbnail"]).limit(1).to_arrow()
        return bytes(found["thumbnail"][0].as_py() or b"") if found.num_rows else b""

    def alike(self, size: int, keys: Sequence[str]) -> list[str]:
        """Return the keys of the photos with one of these keys or of this size in bytes."""
        with _reading(self.uri):
            found = self._table.search().where(f"size = {size} OR {among('key', keys)}")
            return list(found.select(["key"]).limit(None).to_arrow()["key"].to_pylist())

    def nearest(self, vector: NDArray[np.float32], k: int, where: str | None = None) -> list[Found]:
        """Return the k photos with the largest inner products with a (2D,) query, largest first.

        With `where` only photos that meet this condition are looked at.

        Without an index the result is exact. With one, short codes of all photos are compared (RabitQ, Gao and Long,
        SIGMOD 2024; one byte a number where the length is no multiple of 8), and the whole vectors of the nearest: at
        least 98 % of the ten nearest are found on average, with exact scores.
        """
        assert vector.shape == (self.dimension,), "the table's dimension"
        with _reading(self.uri):
            self._unchanged()
            query = self._table.search(vector, vector_column_name="vector").distance_type("dot")
            query = query.limit(min(k, 1 << 31))  # LanceDB counts in 32 bits
            query = query.select(["key", "person", "label", "_distance"])
            query = query if where is None else query.where(where, prefilter=True)
            found = query.nprobes(_ALL).refine_factor(refined(k)).to_arrow()
        scores = 1 - found["_distance"].to_numpy()
        names = (found[name].to_pylist() for name in ("key", "person", "label"))
        return [Found(*each) for each in zip(*names, scores.tolist(), strict=True)]

    def optimise(self) -> None:
        """Join small files, drop old versions, and build or refresh the index when there are enough photos.

        Files that another writer is joining at the same time are left to it.
        """
        with _writing(self.uri):
            count = int(self._table.count_rows())
            outgrown = count >= index_from(self.dimension) and self._index_is_outgrown()
            try:
                self._table.optimize(cleanup_older_than=_KEPT)
                if outgrown:
                    from lancedb.index import BTree, IvfRq, IvfSq

                    self._table.create_index("key", config=BTree())  # finds a key without reading all keys
                    how: Any = {"distance_type": "dot", "num_partitions": cells_of(count)}
                    config = IvfRq(**how, num_bits=_BITS) if self._sort == "IvfRq" else IvfSq(**how)
                    self._table.create_index("vector", config=config, name=_INDEX)
            except (OSError, RuntimeError) as error:
                if "conflict" not in str(error).lower():
                    raise

    @property
    def _columns(self) -> list[str]:
        with _reading(self.uri):
            return list(self._table.schema.names)

    def _index(self) -> Any | None:
        return next((each for each in self._table.list_indices() if each.name == _INDEX), None)

    @property
    def _sort(self) -> str:
        """The sort of index to build: LanceDB has RabitQ only for vectors whose length is a multiple of 8."""
        return "IvfSq" if self.dimension % 8 else "IvfRq"

    def _index_is_outgrown(self) -> bool:
        """Return whether there is no index, or one of another sort, for far fewer photos or in too many pieces."""
        index = self._index()
        if index is None or index.index_type != self._sort:
            return True
        return bool(index.num_unindexed_rows > index.num_indexed_rows or index.num_segments > _PIECES)

    def _add_facts(self) -> None:
        """Add the column that older galleries lack."""
        while FACTS not in self._table.schema.names:
            try:
                self._table.add_columns(schema(self.fingerprint, self.dimension).field(FACTS))
            except (OSError, RuntimeError, ValueError) as error:
                said = str(error).lower()
                if "conflict" not in said and "already exists" not in said:  # otherwise another writer was at it
                    raise

    def _update(self, changed: dict[str, Sequence[Any]]) -> None:
        """Replace some columns of the rows with these keys, and ignore keys that are not there."""
        import pyarrow as pa

        if changed["key"]:
            with _writing(self.uri):
                layout = pa.schema([self._table.schema.field(name) for name in changed])
                merge = self._table.merge_insert("key").when_matched_update_all()
                merge.execute(pa.table(changed, schema=layout))

    def _all(self, *names: str, where: str | None = None) -> pa.Table:
        with _reading(self.uri):
            query = self._table.search().select(list(names)).limit(None)
            return (query if where is None else query.where(where)).to_arrow()

    def _unchanged(self) -> None:
        """Refuse a table that was replaced by one of another describer since it was opened."""
        fingerprint, dimension = described(self.uri, self._table.schema)
        if (fingerprint, dimension) != (self.fingerprint, self.dimension):
            raise GalleryError(f"{self.uri}: was replaced by a gallery of {fingerprint}", "open it again")


def cells_of(count: int) -> int:
    """Return how many cells the index of so many photos has."""
    return max(1, count // _CELL)


def refined(k: int) -> int:
    """Return how many times the photos asked for are taken from the index, to be compared by their whole vectors."""
    return max(1, _REFINED // k)


def index_from(dimension: int) -> int:
    """Return how many photos it takes before an index is built, for vectors of a length."""
    return min(INDEX_FROM, max(10_000, _NUMBERS // dimension))


def is_local(uri: str | Path) -> bool:
    """Return whether a gallery lies in a folder of this machine rather than in object storage."""
    return "://" not in str(uri)


def require_own_threads(uri: str) -> None:
    """Refuse a process that was forked from one with LanceDB: it lacks LanceDB's threads, and would hang or crash.

    Raises:
        GalleryError: it was forked.
    """
    if _lost_threads.is_set():
        seen = f"{uri}: this process was forked from one that has used a gallery"
        raise GalleryError(seen, 'start it with multiprocessing.get_context("spawn")')


def _connect(uri: str) -> Any:
    os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of conflicts that it resolves itself
    os.environ.setdefault("LANCE_CPU_THREADS", str(processors()))  # its default leaves two processors idle
    require("search", "search")
    import lancedb

    _watch_forks()
    return lancedb.connect(uri, read_consistency_interval=timedelta(0))  # a reader sees what was just written


def _opened(uri: str) -> Any | None:
    """Return the table at a place, or None; nothing is made there."""
    with _reading(uri):
        if is_local(uri) and not Path(uri, _FOLDER).is_dir():
            _check_place(Path(uri))
            return None
        try:
            return _connect(uri).open_table(_TABLE)
        except (ValueError, FileNotFoundError) as error:
            if "not found" in str(error):
                return None
            raise


def _check_place(place: Path) -> None:
    """Refuse a place where no folder can be made, because it or one of its parents is a file."""
    there = next((each for each in (place, *place.parents) if each.exists() or each.is_symlink()), None)
    if there is not None and not there.is_dir():
        raise GalleryError(f"{there}: a file, not a folder", "`gallery` must be a folder, new or a gallery's")


def _created(uri: str, layout: pa.Schema) -> Any:
    """Make an empty table, unless another writer has just made it.

    In a folder it is made under a temporary name and renamed: if two writers make a table in one place at once, LanceDB
    lets the later one replace the earlier, with what was written to it.
    """
    if is_local(uri):
        Path(uri).mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=uri, prefix=".new-", ignore_cleanup_errors=True) as aside:
            _connect(aside).create_table(_TABLE, schema=layout)
            with suppress(OSError):  # it is there already
                Path(aside, _FOLDER).rename(Path(uri, _FOLDER))
        if (table := _opened(uri)) is not None:
            return table
    try:
        return _connect(uri).create_table(_TABLE, schema=layout)
    except ValueError as error:
        if "already exists" not in str(error):
            raise
        return _connect(uri).open_table(_TABLE)


@cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_lost_threads.set)


@contextmanager
def _reading(uri: str) -> Iterator[None]:
    """Turn LanceDB's errors into one line."""
    require_own_threads(uri)
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        hint = "check its address and your rights, or index the photos into a new gallery"
        raise GalleryError(f"{uri}: the gallery cannot be read ({_reason(error)})", hint) from error


@contextmanager
def _writing(uri: str) -> Iterator[None]:
    require_own_threads(uri)
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(f"{uri}: the gallery cannot be written ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    """Return the first line of LanceDB's message, without the places in its source."""
    said = str(error).partition("\n")[0].removeprefix("lance error: ")
    return said.partition(", /")[0].strip() or type(error).__name__
