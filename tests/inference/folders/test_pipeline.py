"""Reading, translating and writing overlap; memory stays flat; one bad picture stops nothing, and nothing is half."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facesketch.errors import ImageError, OutputError
from facesketch.inference.folders.pipeline import Limits, run, side_by_side, write
from facesketch.inference.folders.plan import Job, plan
from facesketch.inference.model import FramedFace, Model, Portrait
from facesketch.inference.translator import Translator

PATIENCE = 30.0  # seconds that a loaded machine may take for what must happen


def _shade(path: Path) -> int:
    with Image.open(path) as image:
        value = image.getpixel((0, 0))
    assert isinstance(value, tuple)
    return int(value[0])


def _folder(draw: Callable[..., Path], folder: Path, count: int, size: tuple[int, int] = (20, 16)) -> list[Path]:
    return [draw(folder / f"{number:04}.png", number % 256, size) for number in range(count)]


@pytest.fixture(autouse=True)
def no_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda file: None)


def test_every_picture_gets_its_own_translation(tmp_path: Path, model: Model, draw: Callable[..., Path]) -> None:
    for number in range(40):
        draw(tmp_path / "in" / f"{number}.png", number, (20 + number % 3, 16))
    jobs = plan([tmp_path / "in"], tmp_path / "out")
    outcomes = list(run(jobs, model))
    assert sorted(job.source for job, *_ in outcomes) == sorted(job.source for job in jobs)
    assert all(error is None for _, error, _ in outcomes)
    for number in range(40):
        assert _shade(tmp_path / "out" / f"{number}.png") == 255 - number
        with Image.open(tmp_path / "out" / f"{number}.png") as result:
            assert result.size == (20 + number % 3, 16)


def test_batches_are_of_one_shape_full_and_no_larger_than_allowed(
    tmp_path: Path, engine: Any, model: Model, draw: Callable[..., Path]
) -> None:
    for number in range(16):
        draw(tmp_path / "in" / f"{number}.png", number, (20, 16) if number % 2 else (16, 20))
    read = threading.Semaphore(0)
    prepare = model.prepare

    def counted(*given: Any, **more: Any) -> list[FramedFace]:
        framed = prepare(*given, **more)
        read.release()
        return framed

    def once() -> None:  # the first batch takes until everything is read
        engine.hold = lambda: None
        assert all(read.acquire(timeout=PATIENCE) for _ in range(16))

    model.prepare, engine.hold = counted, once  # type: ignore[method-assign, assignment]
    assert len(list(run(plan([tmp_path / "in"], tmp_path / "out"), model, limits=Limits(batch=4)))) == 16
    assert sum(shape[0] for shape in engine.shapes) == 16
    assert {shape[2:] for shape in engine.shapes} == {(16, 20), (20, 16)}
    assert max(shape[0] for shape in engine.shapes) == 4
    assert len(engine.shapes) <= 8, "what was read while the network worked goes in full batches"
    engine.shapes.clear()
    jobs = plan([tmp_path / "in"], tmp_path / "out", overwrite=True)
    assert len(list(run(jobs, model, limits=Limits(pixels=700)))) == 16
    assert max(shape[0] for shape in engine.shapes) <= 2, "two pictures of 20x16 are 640 pixels, three are 960"


def test_pictures_are_read_and_written_while_the_network_works(
    tmp_path: Path, engine: Any, model: Model, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _folder(draw, tmp_path / "in", 6)
    first, second, read, written = (threading.Event() for _ in range(4))
    seen = []

    def hold() -> None:
        if len(engine.shapes) == 1:
            first.set()
            seen.append(read.wait(PATIENCE))
        elif len(engine.shapes) == 2:
            second.set()
            seen.append(written.wait(PATIENCE))

    prepare = model.prepare

    def reading(image: Image.Image, asked: Any, name: str, **more: Any) -> list[FramedFace]:
        if name.endswith("0001.png"):
            assert first.wait(PATIENCE), "this one is read only while the first batch is in the network"
            read.set()
        return prepare(image, asked, name, **more)

    def writing(job: Job, portraits: list[Portrait]) -> None:
        assert second.wait(PATIENCE), "nothing is written before the second batch is in the network"
        write(job, portraits)
        written.set()

    model.prepare, engine.hold = reading, hold  # type: ignore[method-assign, assignment]
    monkeypatch.setattr("facesketch.inference.folders.pipeline.write", writing)
    assert len(list(run(plan([tmp_path / "in"], tmp_path / "out"), model, limits=Limits(batch=1)))) == 6
    assert seen == [True, True]


class _Counting(Model):
    """A model that counts the pictures that are alive."""

    alive = peak = 0
    counting = threading.RLock()

    def prepare(self, *given: Any, **more: Any) -> list[FramedFace]:
        framed = super().prepare(*given, **more)
        with self.counting:
            self.alive += len(framed)
            self.peak = max(self.peak, self.alive)
        for each in framed:
            weakref.finalize(each, self._gone)
        return framed

    def _gone(self) -> None:
        with self.counting:
            self.alive -= 1


@pytest.mark.parametrize("slow", ["nothing", "network", "writing"])
def test_memory_is_flat_however_many_pictures_there_are(
    slow: str, tmp_path: Path, engine: Any, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, pause = draw(tmp_path / "a.png"), threading.Event()
    model = _Counting(Translator(engine))
    if slow == "network":
        engine.hold = lambda: pause.wait(0.002)
    made = []
    writing = {"nothing": 0.0, "network": 0.0, "writing": 0.001}[slow]
    monkeypatch.setattr(
        "facesketch.inference.folders.pipeline.write",
        lambda job, portraits: (made.append(job), writing and pause.wait(writing)),
    )
    jobs = (Job(source, tmp_path / f"{number}.png", False) for number in range(600))
    count = sum(1 for _ in run(jobs, model, limits=Limits(pictures=10, readers=3, writers=2)))
    gc.collect()
    assert (count, len(made), len(set(made))) == (600, 600, 600)
    assert model.peak <= 10 + 10 + 2, "read ahead, in the network, and being written"
    assert model.alive == 0


def test_few_large_pictures_are_on_their_way_at_once(tmp_path: Path, engine: Any, draw: Callable[..., Path]) -> None:
    source, size = draw(tmp_path / "a.png", size=(32, 32)), 32 * 32 * 3
    # every reader may have begun before the others are weighed, and one waits to be written
    for held, most in ((10 * size, 10 + 2 - 1 + 1), (1, 2 + 1)):
        model = _Counting(Translator(engine))
        jobs = [Job(source, tmp_path / f"{held}-{number}.png", False) for number in range(60)]
        assert len(list(run(jobs, model, limits=Limits(held=held, readers=2, writers=1)))) == 60
        assert model.peak <= most, "one that is larger than allowed goes alone, beside what was begun with it"


def test_sources_that_are_kept_for_a_sheet_count(tmp_path: Path, engine: Any, draw: Callable[..., Path]) -> None:
    source, size = draw(tmp_path / "a.png", size=(32, 32)), 32 * 32 * 3
    model = _Counting(Translator(engine))
    jobs = [
        Job(source, tmp_path / f"{number}.png", False, sheet=tmp_path / f"{number}-sheet.png") for number in range(60)
    ]
    assert len(list(run(jobs, model, limits=Limits(held=4 * 2 * size, readers=2, writers=1)))) == 60
    assert model.peak <= 4 + 2 - 1 + 1, "four pictures and what is translated of each, one begun and one being written"


def test_jobs_are_taken_as_they_are_needed(tmp_path: Path, model: Model, draw: Callable[..., Path]) -> None:
    source = draw(tmp_path / "a.png")
    taken: list[int] = []

    def endless() -> Iterator[Job]:
        while True:
            taken.append(len(taken))
            yield Job(source, tmp_path / f"{len(taken)}.png", False)

    results = run(endless(), model, limits=Limits(pictures=5, writers=2))
    for _ in range(10):
        next(results)
    results.close()
    assert len(taken) <= 10 + 5 + 5 + 2


# What goes wrong


def test_one_bad_picture_stops_nothing(tmp_path: Path, model: Model, draw: Callable[..., Path]) -> None:
    _folder(draw, tmp_path / "in", 12)
    for name in ("0003.png", "0007.png"):
        (tmp_path / "in" / name).write_text("text")
    jobs = plan([tmp_path / "in"], tmp_path / "out")
    outcomes = {job.source.name: error for job, error, _ in run(jobs, model)}
    assert len(outcomes) == 12
    bad = {name: error for name, error in outcomes.items() if error is not None}
    assert set(bad) == {"0003.png", "0007.png"}
    assert all(isinstance(error, ImageError) and name in str(error) for name, error in bad.items())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(set(outcomes) - set(bad))


def test_a_full_disk_stops_the_whole_and_leaves_nothing_half(
    tmp_path: Path, engine: Any, model: Model, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _folder(draw, tmp_path / "in", 200)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        list(run(plan([tmp_path / "in"], tmp_path / "out"), model, limits=Limits(pictures=10)))
    assert list((tmp_path / "out").iterdir()) == []
    assert sum(shape[0] for shape in engine.shapes) <= 30, "the rest is not tried"


def test_our_own_mistakes_are_not_swallowed(tmp_path: Path, model: Model, draw: Callable[..., Path]) -> None:
    _folder(draw, tmp_path / "in", 3)

    def broken(*_: object, **__: object) -> list[FramedFace]:
        raise ZeroDivisionError("ours")

    model.prepare = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(ZeroDivisionError, match="ours"):
        list(run(plan([tmp_path / "in"], tmp_path / "out"), model))


def test_who_stops_early_gets_whole_files_and_no_threads(
    tmp_path: Path, model: Model, draw: Callable[..., Path]
) -> None:
    _folder(draw, tmp_path / "in", 50)
    results = run(plan([tmp_path / "in"], tmp_path / "out"), model, limits=Limits(pictures=6, writers=2))
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("read", "write"))]
    made = list((tmp_path / "out").iterdir())
    assert 1 <= len(made) <= 3
    for path in made:
        assert _shade(path) == 255 - int(path.stem)


# Several faces, and sheets


def test_the_file_that_means_done_is_written_last(
    tmp_path: Path, model: Model, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = plan([draw(tmp_path / "a.png", 10)], tmp_path / "out", numbered=True, sheet=True)
    (portrait,) = model.portraits(Image.new("RGB", (20, 16), (10, 50, 0)))
    written = []
    monkeypatch.setattr(
        "facesketch.inference.folders.pipeline.save_image", lambda image, path: written.append(path.name)
    )
    write(job, [portrait, portrait, portrait])
    assert set(written) == {"a-1.png", "a-2.png", "a-3.png", "a-sheet.png"}
    assert written[-1] == job.target.name == "a-1.png"


def test_a_sheet_shows_input_and_output_side_by_side(tmp_path: Path, model: Model, draw: Callable[..., Path]) -> None:
    draw(tmp_path / "in" / "a.png", 10, (64, 48))
    jobs = plan([tmp_path / "in"], tmp_path / "out", sheet=True)
    assert [error for _, error, _ in run(jobs, model)] == [None]
    with Image.open(tmp_path / "out" / "a-sheet.png") as page:
        pixels = np.asarray(page.convert("RGB"))
    inputs, outputs = ((pixels == colour).all(axis=2) for colour in ((10, 50, 0), (245, 205, 255)))
    assert inputs.sum() == outputs.sum() == 64 * 48
    assert inputs.nonzero()[1].max() < outputs.nonzero()[1].min(), "the input stands left"


def test_a_sheet_shows_a_wide_output_whole() -> None:
    tones = Portrait(Image.new("RGB", (120, 50), "red"), "sketch2photo", None, Image.new("L", (40, 50)))
    pixels = np.asarray(side_by_side([tones]))
    assert (pixels == (255, 0, 0)).all(axis=2).sum() == 120 * 50
