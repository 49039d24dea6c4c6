"""Only what is new or changed is described, what cannot be used is named, and a killed run resumes where it stopped."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesketch.errors import DataError, ImageError, OutputError
from facesketch.search.gallery import Gallery
from facesketch.search.storage import indexing
from facesketch.search.storage.indexing import Report
from facesketch.search.storage.store import Store

RED, GREEN, BLUE, DARK = (250, 20, 20), (20, 250, 20), (20, 20, 250), (60, 60, 60)
BLACK = (0, 0, 0)  # no face, says the describer
PATIENCE = 60.0

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def _names(gallery: Gallery) -> list[str]:
    return sorted(Path(key).name for key in gallery.store.known())


def test_a_folder_is_added_with_those_below(gallery: Gallery, photos: Path) -> None:
    assert gallery.add(photos) == Report(added=4)
    assert _names(gallery) == ["blue.png", "dark.png", "green.png", "red.png"]
    known = gallery.store.known()[str(photos / "red.png")]
    status = (photos / "red.png").stat()
    assert known[:2] == (status.st_size, status.st_mtime_ns)
    assert (known.person, known.label) == (str(photos / "red.png"), "red")


def test_unchanged_photos_are_not_read(
    gallery: Gallery, photos: Path, colours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.add(photos)
    monkeypatch.setattr(indexing, "_read", lambda photo: pytest.fail("was read"))
    version = gallery.store.version
    assert gallery.add([photos, photos / "red.png"]) == Report(unchanged=4)
    assert (len(colours.described), gallery.store.version) == (4, version)


def test_rewritten_photos_with_the_same_bytes_are_not_described(gallery: Gallery, photos: Path, colours: Any) -> None:
    gallery.add(photos)
    os.utime(photos / "red.png", ns=(1, 1))
    assert gallery.add(photos) == Report(unchanged=4)
    assert len(colours.described) == 4
    assert gallery.store.known()[str(photos / "red.png")].mtime_ns == 1, "so that it need not be read next time"


def test_changed_photos_are_described_again(gallery: Gallery, photos: Path, colours: Any, draw: Any) -> None:
    gallery.add(photos)
    colours.described.clear()
    draw(photos / "red.png", BLUE)
    draw(photos / "new.png", GREEN)
    assert gallery.add(photos) == Report(added=1, refreshed=1, unchanged=3)
    assert sorted(colours.described) == [BLUE, GREEN]
    assert gallery.store.count == 5


def test_unusable_files_are_skipped_with_a_reason(gallery: Gallery, photos: Path, draw: Any) -> None:
    (photos / "notes.txt").write_text("hello")
    (photos / "text.jpg").write_text("hello")
    (photos / "empty.png").write_bytes(b"")
    (photos / "damaged.png").write_bytes((photos / "red.png").read_bytes()[:60])
    (photos / ".hidden.png").write_bytes(b"")
    draw(photos / "wall.png", BLACK)
    report = gallery.add(photos)
    assert (report.added, gallery.store.count) == (4, 4)
    reasons = {path.name: reason for path, reason in report.skipped}
    assert reasons.keys() == {"text.jpg", "empty.png", "damaged.png", "wall.png"}, (
        "what is not a picture, judging by its name is passed over"
    )
    assert reasons["text.jpg"].startswith("not a picture that can be read")
    assert reasons["empty.png"].startswith("the file is empty")
    assert "damaged or cut short" in reasons["damaged.png"]
    assert reasons["wall.png"] == "no face found"


def test_a_photo_that_became_unreadable_keeps_its_older_version(gallery: Gallery, photos: Path) -> None:
    gallery.add(photos)
    (photos / "red.png").write_text("hello")
    for _ in range(2):  # it is reported every time, because the user may mend it at any time
        report = gallery.add(photos)
        assert report.skipped[0][1].endswith("; the gallery keeps its older version")
        assert (report.unchanged, gallery.store.count) == (3, 4)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
def test_a_name_that_is_not_utf_8_is_skipped(gallery: Gallery, photos: Path) -> None:
    shutil.copyfile(photos / "red.png", os.fsencode(photos / "x") + b"\xff.png")
    report = gallery.add(photos)
    assert (report.added, [reason for _, reason in report.skipped]) == (4, ["its name is not UTF-8; rename it"])


def test_a_missing_path_is_refused_and_makes_no_gallery(gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file or folder"):
        gallery.add([tmp_path / "nowhere"])
    assert not Path(gallery.uri).exists()


def test_photos_that_show_no_face_make_no_gallery(gallery: Gallery, tmp_path: Path, draw: Any) -> None:
    wall = draw(tmp_path / "photos" / "wall.png", BLACK)
    assert gallery.add(tmp_path / "photos").skipped == [(wall, "no face found")]
    Path(gallery.uri).mkdir()
    gallery.add(wall)
    assert list(Path(gallery.uri).iterdir()) == []
    assert not gallery.exists()
    draw(tmp_path / "photos" / "red.png", RED)
    assert gallery.add(tmp_path / "photos").added == 1
    assert gallery.exists()


def test_the_table_of_people_may_be_named_as_text(gallery: Gallery, photos: Path) -> None:
    table = photos.parent / "people.csv"
    table.write_text("file,id\nred.png,p7\n", encoding="utf-8")
    assert gallery.add(str(photos), people=str(table)).added == 4
    assert gallery.store.known()[str(photos / "red.png")].person == "p7"


def test_the_gallery_may_lie_among_its_photos(photos: Path, colours: Any) -> None:
    gallery = Gallery(photos / "gallery", colours)
    assert gallery.add(photos) == Report(added=4)
    assert gallery.add(photos) == Report(unchanged=4)


def test_a_large_photo_is_shrunk_and_its_thumbnail_is_small(gallery: Gallery, tmp_path: Path, colours: Any) -> None:
    Image.new("RGB", (5000, 3000), RED).save(tmp_path / "large.jpg")
    sizes: list[tuple[int, int]] = []
    real = colours.gallery
    colours.gallery = lambda pictures: sizes.extend(each.size for each in pictures) or real(pictures)
    gallery.add(tmp_path / "large.jpg")
    assert sizes == [(2048, 1229)]
    small = Image.open(io.BytesIO(gallery.thumbnail(str(tmp_path / "large.jpg"))))
    assert (small.format, small.size) == ("JPEG", (224, 134))


def test_photos_that_were_turned_upright_are_named(gallery: Gallery, photos: Path, draw: Any) -> None:
    lying = draw(photos / "lying.png", (90, 0, 90))
    assert gallery.add(photos) == Report(added=5, turned=[(lying, 90)])
    assert gallery.add(photos) == Report(unchanged=5)


def _table(folder: Path, *lines: str) -> Path:
    path = folder / "people.csv"
    path.write_text("\n".join(["file,id,label", *lines]))
    return path


def _who(gallery: Gallery) -> dict[str, tuple[str, str]]:
    return {Path(key).name: (each.person, each.label) for key, each in gallery.store.known().items()}


def test_people_are_given_by_a_table(gallery: Gallery, photos: Path, colours: Any) -> None:
    report = gallery.add(photos, _table(photos, "red.png,7,Ann", "more/blue.png,7,Ann", "gone.png,9,Nobody"))
    assert (report.added, report.renamed, report.unmatched, report.skipped) == (4, 0, ["gone.png"], [])
    dark = (str(photos / "more" / "dark.png"), "dark")
    green = (str(photos / "green.png"), "green")
    assert _who(gallery) == {"red.png": ("7", "Ann"), "blue.png": ("7", "Ann"), "dark.png": dark, "green.png": green}
    assert gallery.info().people == 3


def test_a_changed_label_is_written_without_describing_it_again(
    gallery: Gallery, photos: Path, tmp_path: Path, colours: Any, draw: Any
) -> None:
    gallery.add(photos, _table(tmp_path, "red.png,7,Ann", "green.png,8,Bob", "more/blue.png,9,Cid"))
    colours.described.clear()
    draw(photos / "green.png", DARK)
    os.utime(photos / "more" / "blue.png", ns=(1, 1))
    report = gallery.add(photos, _table(tmp_path, "red.png,7,Anna", "green.png,8,Bobby", "more/blue.png,9,Sid"))
    assert report == Report(refreshed=1, unchanged=3, renamed=2)
    assert colours.described == [DARK]
    who = _who(gallery)
    assert [who[name][1] for name in ("red.png", "green.png", "blue.png")] == ["Anna", "Bobby", "Sid"]
    assert gallery.add(photos) == Report(unchanged=4), "without a table everybody keeps their name"
    assert _who(gallery) == who
    draw(photos / "red.png", BLUE)
    assert gallery.add(photos).refreshed == 1
    assert _who(gallery) == who, "a photo that changed keeps its name as well"


def test_a_table_alone_names_photos_that_are_there(gallery: Gallery, photos: Path, colours: Any) -> None:
    gallery.add(photos)
    assert gallery.add([], _table(photos, "red.png,7,Ann")) == Report(renamed=1)
    assert len(colours.described) == 4


def test_a_table_of_other_photos_is_refused_before_anything_is_described(
    gallery: Gallery, photos: Path, tmp_path: Path, colours: Any
) -> None:
    with pytest.raises(DataError, match=r"names no photo that is given or in the gallery; its first is 'x\.png'"):
        gallery.add(photos, _table(tmp_path, "x.png,7,Ann"))
    assert colours.described == []


@pytest.fixture
def many(tmp_path: Path, draw: Any) -> Path:
    """Return a folder of 40 photos."""
    for number in range(40):
        draw(tmp_path / "many" / f"{number:02}.png", (number, 100, 200))
    return tmp_path / "many"


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(indexing, "BATCH", 8)
    return 8


def test_progress_counts_what_is_written(gallery: Gallery, many: Path, small_batches: int) -> None:
    told: list[tuple[int, int, int]] = []
    gallery.add(many, progress=lambda done, count: told.append((done, count, gallery.store.count)))
    assert told == [(done, 40, done) for done in (8, 16, 24, 32, 40)]


def test_reading_and_writing_go_on_while_a_batch_is_described(
    gallery: Gallery, store: Store, many: Path, small_batches: int, colours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, written, seen = threading.Semaphore(0), threading.Event(), []
    real_read, real_upsert = indexing._read, store.upsert
    monkeypatch.setattr(indexing, "_read", lambda photo: (real_read(photo), read.release())[0])
    monkeypatch.setattr(store, "upsert", lambda rows: (real_upsert(rows), written.set()))

    def describing() -> None:
        if len(colours.described) == 8:  # the second batch, while the first is written and the third is read
            seen.append(written.wait(PATIENCE) and all(read.acquire(timeout=PATIENCE) for _ in range(24)))

    colours.hold = describing
    gallery.add(many)
    assert seen == [True]


def test_few_photos_are_held_at_once(
    gallery: Gallery, many: Path, small_batches: int, colours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_AHEAD", 4)
    started = []
    real = indexing._read
    monkeypatch.setattr(indexing, "_read", lambda photo: (started.append(photo), real(photo))[1])
    colours.hold = lambda: (time.sleep(0.05), ahead.append(len(started) - len(colours.described)))
    ahead: list[int] = []
    gallery.add(many)
    assert max(ahead) <= 8 + 4 + 1


def test_a_batch_of_large_photos_is_short(gallery: Gallery, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "_HELD", 3 * 40 * 50 * 3)
    told: list[int] = []
    gallery.add(many, progress=lambda done, count: told.append(done))
    assert told == list(range(4, 41, 4))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_what_was_written_stays_when_describing_stops(
    gallery: Gallery, many: Path, small_batches: int, colours: Any, stop: type[BaseException]
) -> None:
    def fail() -> None:
        if len(colours.described) == 16:
            raise stop

    colours.hold = fail
    with pytest.raises(stop):
        gallery.add(many)
    assert gallery.store.count == 16
    colours.hold = lambda: None
    assert gallery.add(many) == Report(added=24, unchanged=16)


@pytest.mark.parametrize(("batch", "described"), [(8, 16), (99, 40)])
def test_a_full_disk_stops_the_run(
    gallery: Gallery,
    store: Store,
    many: Path,
    colours: Any,
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
    described: int,
) -> None:
    monkeypatch.setattr(indexing, "BATCH", batch)

    def full(rows: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr(store, "upsert", full)
    with pytest.raises(OutputError, match="the disk is full"):
        gallery.add(many)
    assert len(colours.described) == described, "the first batch fails while the next is described"


def test_small_files_are_joined_on_the_way(
    gallery: Gallery, store: Store, many: Path, small_batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_JOINED", 2)
    joined: list[int] = []
    real = store.optimise
    monkeypatch.setattr(store, "optimise", lambda: (real(), joined.append(store.count)))
    gallery.add(many)
    assert joined == [16, 32, 40]


# A run with the describer of these tests, which takes a while and says in a file what it has described.
SCRIPT = """
import sys, time
import lancedb
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from conftest import Colours
from facesketch.search.storage import indexing
from facesketch.search.gallery import Gallery

indexing.BATCH = 8
describer = Colours()
gallery = Gallery(sys.argv[3], describer)
print("ready", flush=True)
while not Path(sys.argv[5]).exists():
    time.sleep(0.01)
describer.hold = lambda: (Path(sys.argv[4]).write_text(str(len(describer.described))), time.sleep(0.6))
gallery.add(Path(sys.argv[2]), progress=lambda done, count: print(done, flush=True))
"""


@pytest.fixture
def running(tmp_path: Path, many: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Return what starts a run over the photos in a process of its own; it waits for a file `go`."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        words = [Path(__file__).parents[1], many, tmp_path / "gallery", tmp_path / "described", tmp_path / "go"]
        command = [sys.executable, "-c", SCRIPT, *map(str, words)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _let_go(folder: Path, *processes: subprocess.Popen[str]) -> None:
    """Wait for runs to be ready, and let them begin."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    (folder / "go").touch()


@pytest.mark.parametrize("after", [1, 3])
def test_a_killed_run_goes_on(
    gallery: Gallery,
    many: Path,
    tmp_path: Path,
    running: Callable[[], subprocess.Popen[str]],
    colours: Any,
    after: int,
) -> None:
    process = running()
    _let_go(tmp_path, process)
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(after)]
    time.sleep(0.01 * after)
    process.send_signal(signal.SIGKILL)
    assert process.wait(PATIENCE) == -signal.SIGKILL
    stored, described = gallery.store.count, int((tmp_path / "described").read_text())
    assert said[-1] <= stored < 40, "what was reported as done is there"
    assert stored % 8 == 0, "a batch is there whole or not at all"
    assert described - stored <= 8, "at most one batch has to be described again"
    assert gallery.add(many) == Report(added=40 - stored, unchanged=stored)
    assert len(colours.described) == 40 - stored
    assert _names(gallery) == [f"{number:02}.png" for number in range(40)]


def test_two_runs_at_once_make_one_gallery(
    gallery: Gallery, many: Path, tmp_path: Path, running: Callable[[], subprocess.Popen[str]], colours: Any
) -> None:
    processes = [running(), running()]
    _let_go(tmp_path, *processes)
    for process in processes:
        said, complaint = process.communicate(timeout=PATIENCE)
        assert (process.returncode, complaint) == (0, "")
        assert said.split()[-1] == "40"
    assert gallery.add(many) == Report(unchanged=40)
    assert colours.described == []
