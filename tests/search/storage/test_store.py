"""Photos and their vectors stay whole under writers and readers at once; the nearest are found, exactly or nearly."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lancedb.index import IvfSq
from numpy.typing import NDArray

from facesketch.errors import GalleryError, MissingExtraError, NoGalleryError, OutputError
from facesketch.search.storage import rows, store
from facesketch.search.storage.people import Person
from facesketch.search.storage.rows import FORMAT, Known, Row
from facesketch.search.storage.store import Store

DIMENSION = 8
PATIENCE = 60.0
ODD_NAMES = [
    "/it's/a 'photo'.jpg",
    '/"quoted"/b.jpg',
    "/back\\slash.jpg",
    "/per%cent_.jpg",
    "/Ä/ß/写真.jpg",
    "/a;b--c.jpg",
]


def _row(key: str, vector: NDArray[np.float32] | None = None, person: str = "", **more: object) -> Row:
    vector = np.arange(DIMENSION, dtype=np.float32) if vector is None else vector
    return Row(key, person or key, f"label of {key}", 10, 20, "ab", vector, **more)  # type: ignore[arg-type]


def _clustered(count: int, dimension: int, seed: int = 0) -> NDArray[np.float32]:
    """Return unit vectors that gather round centres, as those of faces do."""
    drawn = np.random.default_rng(seed)
    centres = drawn.normal(size=(40, dimension))
    vectors = centres[drawn.integers(40, size=count)] + 0.6 * drawn.normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "gallery", "hog-1", DIMENSION)


def test_a_second_reader_finds_what_was_written(empty: Store) -> None:
    empty.upsert([_row("a", thumbnail=b"jpeg"), _row("b", person="ann")])
    opened = Store.open(empty.uri, "hog-1")
    assert (opened.fingerprint, opened.dimension, opened.count, opened.people()) == ("hog-1", DIMENSION, 2, (2, 2))
    assert opened.known() == {
        "a": Known(10, 20, "ab", "a", "label of a"),
        "b": Known(10, 20, "ab", "ann", "label of b"),
    }
    assert (opened.thumbnail("a"), opened.thumbnail("b"), opened.thumbnail("c")) == (b"jpeg", b"", b"")
    assert opened.size > 0


def test_a_key_is_there_once(empty: Store) -> None:
    empty.upsert([_row("a"), _row("b")])
    version = empty.version
    empty.upsert([_row("b", np.ones(DIMENSION, np.float32), person="new"), _row("c")])
    assert empty.version > version
    assert {key: known.person for key, known in empty.known().items()} == {"a": "a", "b": "new", "c": "c"}
    assert empty.nearest(np.ones(DIMENSION, np.float32), 3)[2].score == pytest.approx(8)


def test_people_and_times_change_without_the_vectors(empty: Store) -> None:
    empty.upsert([_row("a", thumbnail=b"jpeg"), _row("b")])
    before = empty.nearest(np.ones(DIMENSION, np.float32), 2)
    empty.rename({"a": Person("7", "Ann"), "nobody": Person("8", "")})
    empty.touch({"b": 99, "nobody": 1})
    assert empty.known() == {"a": Known(10, 20, "ab", "7", "Ann"), "b": Known(10, 99, "ab", "b", "label of b")}
    after = empty.nearest(np.ones(DIMENSION, np.float32), 2)
    assert [(each.key, each.score) for each in after] == [(each.key, each.score) for each in before]
    assert empty.thumbnail("a") == b"jpeg"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_with_marks_of_the_query_language_are_names(empty: Store, name: str) -> None:
    empty.upsert([_row(name, thumbnail=b"this"), _row("other", thumbnail=b"that")])
    assert empty.thumbnail(name) == b"this"
    empty.delete([name, "' OR true --"])
    assert list(empty.known()) == ["other"]


def test_many_are_removed_at_once(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_AT_ONCE", 3)
    empty.upsert([_row(str(number)) for number in range(10)])
    assert empty.delete([str(number) for number in range(8)]) == 8
    assert sorted(empty.photo_keys()) == sorted(empty.known()) == ["8", "9"]
    assert empty.delete([]) == 0
    empty.upsert([_row("a", person="ann"), _row("b", person="ann"), _row("ann", person="bob")])
    assert empty.delete(["8", "nobody"], ["ann", "nobody"]) == 3
    assert sorted(empty.photo_keys()) == ["9", "ann"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 60), k=st.integers(1, 80))
def test_without_an_index_the_order_is_that_of_the_inner_products(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, k: int
) -> None:
    vectors = np.random.default_rng(seed).normal(size=(count + 1, DIMENSION)).astype(np.float32)
    made = Store.create(tmp_path_factory.mktemp("exact"), "hog-1", DIMENSION)
    made.upsert([_row(str(number), vector) for number, vector in enumerate(vectors[1:])])
    scores = vectors[1:] @ vectors[0]
    order = np.argsort(-scores)[:k]
    found = made.nearest(vectors[0], k)
    assert [int(each.key) for each in found] == order.tolist()
    np.testing.assert_allclose([each.score for each in found], scores[order], rtol=1e-4, atol=1e-4)
    assert (found[0].person, found[0].label) == (found[0].key, f"label of {found[0].key}")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store with an index of some cells, and photos that came after it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "INDEX_FROM", 6000)
        patch.setattr(store, "_CELL", 100)
        made = Store.create(tmp_path_factory.mktemp("large"), "hog-1", 32)
        vectors = _clustered(6500, 32)
        made.upsert([_row(str(number), vectors[number]) for number in range(5999)])
        made.optimise()
        assert made.indexed == 0, "too few to need an index"
        made.upsert([_row("5999", vectors[5999])])
        made.optimise()
        assert made.indexed == 6000
        made.upsert([_row(str(number), vectors[number]) for number in range(6000, 6500)])
        assert (made.indexed, made.count) == (6000, 6500)
    return made


def test_with_an_index_nearly_all_of_the_nearest_are_found_with_exact_scores(
    large: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_CELL", 100)
    vectors = _clustered(6500, 32)
    right = 0
    for probe in _clustered(60, 32, seed=1):
        scores = vectors @ probe
        found = large.nearest(probe, 10)
        right += len({int(each.key) for each in found} & set(np.argsort(-scores)[:10].tolist()))
        np.testing.assert_allclose([each.score for each in found], [scores[int(each.key)] for each in found], atol=1e-5)
    assert right >= 0.98 * 600
    assert large.nearest(vectors[6400], 1)[0].key == "6400", "photos after the index are looked at too"


def test_with_an_index_photos_are_still_found_replaced_and_removed_by_their_keys(large: Store) -> None:
    before = large.count
    large.upsert([_row(key, _clustered(1, 32)[0], thumbnail=b"new") for key in ("7", "6499", "brand new")])
    assert large.count == before + 1
    assert [large.thumbnail(key) for key in ("7", "6499", "brand new", "8")] == [b"new"] * 3 + [b""]
    large.rename({"7": Person("p", "a label"), "6499": Person("p", "a label")})
    assert [large.known()[key].label for key in ("7", "6499")] == ["a label"] * 2
    assert large.delete(["7", "6499", "brand new", "nobody"]) == 3
    assert large.count == before - 2


@pytest.mark.parametrize(("dimension", "count"), [(2, 100_000), (256, 100_000), (512, 50_000), (12_000, 10_000)])
def test_an_index_is_built_sooner_for_long_vectors(dimension: int, count: int) -> None:
    assert store.index_from(dimension) == count


def test_an_index_is_refreshed_and_then_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "INDEX_FROM", 300)
    monkeypatch.setattr(store, "_PIECES", 2)
    made = Store.create(tmp_path, "hog-1", DIMENSION)
    vectors = _clustered(1000, DIMENSION)
    pieces = []
    for start, end in ((0, 300), (300, 350), (350, 400), (400, 450), (450, 1000)):
        made.upsert([_row(str(number), vectors[number]) for number in range(start, end)])
        made.optimise()
        assert made.indexed == end
        pieces.append(made._index().num_segments)  # type: ignore[union-attr]
    assert pieces == [1, 2, 3, 1, 1], "one more each time, rebuilt above two and when it has more than doubled"


@pytest.mark.parametrize("dimension", [1, 12])
def test_an_index_is_built_for_vectors_of_any_length(
    dimension: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "INDEX_FROM", 300)
    made = Store.create(tmp_path, "hog-1", dimension)
    vectors = _clustered(300, dimension)
    made.upsert([_row(str(number), vector) for number, vector in enumerate(vectors)])
    made.optimise()
    built = made.version
    made.optimise()
    assert (made.indexed, made.version) == (300, built), "one that fits is not built again"
    assert made.nearest(vectors[7], 1)[0].score == pytest.approx(1, abs=1e-5)


def test_an_index_of_another_sort_finds_everything_until_it_is_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "INDEX_FROM", 600)
    vectors = _clustered(600, 32)
    made = Store.create(tmp_path, "hog-1", 32)
    made.upsert([_row(str(number), vector) for number, vector in enumerate(vectors)])
    config = IvfSq(distance_type="dot", num_partitions=6)  # as version 0.1 made them
    made._table.create_index("vector", config=config, name=store._INDEX)
    for _ in range(2):
        found = [[each.key for each in made.nearest(vectors[number], 3)] for number in range(0, 600, 60)]
        nearest = [np.argsort(-(vectors @ vectors[number]))[:3].astype(str).tolist() for number in range(0, 600, 60)]
        assert found == nearest
        made.optimise()
    assert made._index().index_type == "IvfRq"  # type: ignore[union-attr]


def _write_many(uri: str, person: str, times: int) -> None:
    made = Store.create(uri, "hog-1", DIMENSION)
    for number in range(times):
        made.upsert([_row(str(key), person=person) for key in range(10 * number, 10 * number + 30)])
        if number % 4 == 3:
            made.optimise()


def test_two_processes_write_the_same_photos_at_once(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, __file__, tmp_path, name]) for name in ("ann", "bob")]
    assert [writer.wait(PATIENCE) for writer in writers] == [0, 0]
    made = Store.open(tmp_path)
    assert made.count == 100, "no key is there twice, none is missing"
    assert len(made.known()) == 100


def _at_once(count: int, work: Callable[[int], object]) -> None:
    """Let threads begin at the same moment, and raise what one of them raises."""
    start, failed = threading.Barrier(count), []

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_the_first_photos_of_several_writers_are_all_there_and_none_is_twice(tmp_path: Path) -> None:
    for attempt in range(3):
        uri = tmp_path / str(attempt)

        def begin(number: int, uri: Path = uri) -> None:
            Store.create(uri, "hog-1", DIMENSION).upsert([_row("same"), _row(str(number))])

        _at_once(6, begin)
        made = Store.open(uri)
        assert (made.count, len(made.known())) == (7, 7)
        assert [path.name for path in uri.iterdir()] == ["photos.lance"]


def test_a_reader_beside_a_writer_sees_whole_batches(empty: Store) -> None:
    reader, seen, done = Store.open(empty.uri), set(), threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(len(reader.nearest(np.ones(DIMENSION, np.float32), 1000)))

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(8):
        empty.upsert([_row(f"{number}-{place}") for place in range(20)])
        empty.optimise()
    done.set()
    thread.join()
    assert seen <= {20 * number for number in range(9)}
    assert len(reader.nearest(np.ones(DIMENSION, np.float32), 1000)) == 160, "what was just written is seen"


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    assert not Store.exists(tmp_path / "nowhere")
    with pytest.raises(NoGalleryError, match="nowhere: no gallery here"):
        Store.open(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_another_describer_is_refused(empty: Store) -> None:
    for refuse in (lambda: Store.open(empty.uri, "sface-2"), lambda: Store.create(empty.uri, "sface-2", DIMENSION)):
        with pytest.raises(GalleryError, match=r"described by hog-1, not by sface-2; give the `embedder`"):
            refuse()


def test_a_table_replaced_by_another_describer_is_refused(empty: Store) -> None:
    empty.upsert([_row("a")])
    lancedb.connect(empty.uri).create_table("photos", schema=rows.schema("sface-2", 4), mode="overwrite")
    with pytest.raises(GalleryError, match="was replaced by a gallery of sface-2"):
        empty.nearest(np.ones(DIMENSION, np.float32), 1)
    with pytest.raises(GalleryError, match="was replaced by a gallery of sface-2"):
        empty.upsert([_row("b")])


def _foreign(folder: Path, about: object) -> Path:
    metadata = {} if about is None else {"facesketch": json.dumps(about)}
    layout = rows.schema("hog-1", DIMENSION).with_metadata(metadata)
    lancedb.connect(folder).create_table("photos", schema=layout)
    return folder


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"format": FORMAT + 1, "future": True}, "made by a newer facesketch.*pip install -U"),
        (None, "no gallery of facesketch"),
        ({"other": 1}, "no gallery of facesketch"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, about: object, said: str) -> None:
    with pytest.raises(GalleryError, match=said):
        Store.open(_foreign(tmp_path, about))
    with pytest.raises(GalleryError, match=said):
        Store.create(tmp_path, "hog-1", DIMENSION)


def test_a_half_made_table_is_finished(tmp_path: Path) -> None:
    (tmp_path / "photos.lance" / "_versions").mkdir(parents=True)
    (tmp_path / "photos.lance" / "data").mkdir()
    assert not Store.exists(tmp_path)
    Store.create(tmp_path, "hog-1", DIMENSION)
    assert Store.exists(tmp_path)


def test_a_damaged_table_is_an_error_of_one_line(empty: Store) -> None:
    empty.upsert([_row("a")])
    for part in Path(empty.uri).rglob("*.manifest"):
        part.write_bytes(b"damaged")
    with pytest.raises(GalleryError, match="cannot be read") as raised:
        Store.open(empty.uri)
    assert "\n" not in str(raised.value)
    assert ".rs" not in str(raised.value)


def test_an_unwritable_place_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="cannot be written"):
        Store.create(tmp_path / "new", "hog-1", DIMENSION)


@pytest.mark.parametrize("call", [Store.open, Store.exists, lambda uri: Store.create(uri, "hog-1", 2)])
def test_without_lancedb_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[Path], object]
) -> None:
    (tmp_path / "photos.lance").mkdir()
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'facesketch\[search\]'"):
        call(tmp_path)


SCRIPT = """
import sys, threading, numpy as np
from facesketch.search.storage.rows import Row
from facesketch.search.storage.store import Store

made = Store.create(sys.argv[1], "hog-1", 4)

def work(who):
    for n in range(6):
        made.upsert([Row(f"{who}{n}", "p", "l", 1, 1, "ab", np.ones(4, np.float32))])
        made.optimise()
        made.nearest(np.ones(4, np.float32), 3)

threads = [threading.Thread(target=work, args=(who,)) for who in "abcd"]
for thread in threads:
    thread.start()
if sys.argv[2] == "raise":
    raise SystemExit(3)
"""


@pytest.mark.parametrize(("how", "code"), [("end", 0), ("raise", 3)])
def test_a_process_that_has_used_it_ends_and_nothing_is_said_of_settled_conflicts(
    tmp_path: Path, how: str, code: int
) -> None:
    command = [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path), how]
    ended = subprocess.run(command, timeout=PATIENCE, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")
    assert Store.open(tmp_path).count == 24


def test_a_layout_is_what_was_written_down(empty: Store) -> None:
    """A change of these columns needs another FORMAT, or galleries that are in use can no longer be read."""
    expected = pa.schema(
        [
            pa.field("key", pa.string(), nullable=False, metadata={rows._UNIQUE: "1"}),
            *(pa.field(name, pa.string()) for name in ("person", "label")),
            *(pa.field(name, pa.int64()) for name in ("size", "mtime_ns")),
            pa.field("sha256", pa.string()),
            pa.field("vector", pa.list_(pa.float32(), 2), nullable=False),
            pa.field("thumbnail", pa.binary()),
            pa.field(rows.FACTS, pa.list_(pa.string())),
        ]
    )
    assert rows.schema("hog-1", 2).remove_metadata().equals(expected, check_metadata=True)
    assert FORMAT == 1


def test_a_gallery_made_before_there_were_facts_gets_them(empty: Store) -> None:
    layout = rows.schema("hog-1", DIMENSION)
    layout = layout.remove(layout.get_field_index(rows.FACTS))
    db = lancedb.connect(empty.uri)
    db.create_table("photos", schema=layout, mode="overwrite")
    store = Store.open(empty.uri)
    assert (store.facts(), store.known()) == (set(), {})
    store.upsert([_row("a"), _row("b")])
    store.rename({"a": Person("7", "Ann", ("gender", "gender=f"))})
    assert store.facts() == {"gender=f"}
    assert [store.known()[key].facts for key in "ab"] == [("gender", "gender=f"), ()]
    assert store.people(rows.narrowed(["gender=f"])) == (2, 2), "nothing is known of b"


def test_two_writers_of_a_gallery_without_facts_lose_nothing(empty: Store) -> None:
    layout = rows.schema("hog-1", DIMENSION)
    layout = layout.remove(layout.get_field_index(rows.FACTS))
    lancedb.connect(empty.uri).create_table("photos", schema=layout, mode="overwrite")
    stores = [Store.open(empty.uri) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda store, key: store.upsert([_row(key)]), stores, "abc"))
    assert sorted(Store.open(empty.uri).photo_keys()) == ["a", "b", "c"]


def test_writers_that_make_a_gallery_elsewhere_at_once_lose_nothing(tmp_path: Path) -> None:
    uri = f"file://{tmp_path / 'gallery'}"  # as in object storage, where nothing can be renamed
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: Store.create(uri, "hog-1", DIMENSION), range(4)))
        list(pool.map(lambda store, key: store.upsert([_row(key)]), stores, "abcd"))
    assert sorted(Store.open(uri).photo_keys()) == ["a", "b", "c", "d"]


def test_a_gallery_that_was_deleted_is_said_in_one_line(empty: Store) -> None:
    empty.upsert([_row("a")])
    shutil.rmtree(empty.uri)
    for ask in (empty.known, empty.facts, empty.photo_keys):
        with pytest.raises(GalleryError, match="cannot be read"):
            ask()


def test_odd_keys_and_numbers_are_no_tracebacks(empty: Store) -> None:
    empty.upsert([_row("a")])
    assert empty.delete(["/x/\udcff.png"]) == 0
    assert empty.thumbnail("/x/\udcff.png") == b""
    assert [each.key for each in empty.nearest(_row("a").vector, 1 << 33)] == ["a"]


if __name__ == "__main__":  # one of the two processes
    _write_many(sys.argv[1], sys.argv[2], 8)
