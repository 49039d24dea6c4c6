"""Threads that work ahead: results in order, a bound on items and on bytes, and no thread left behind."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import facesketch
from facesketch import devices as module
from facesketch.devices import ThreadedMap, free_threads, quota, sleep_soon, threads

PATIENCE = 30.0  # seconds that a loaded machine may take for what must happen


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("held", [0, 1, 5, 1000])
def test_results_come_in_order_whatever_the_bounds(threads: int, held: int) -> None:
    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    with ThreadedMap(work, range(60), threads=threads, most=7, held=held, size=lambda _: 2) as results:
        assert list(results) == [number * number for number in range(60)]


def test_items_are_taken_only_as_they_are_needed() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    with ThreadedMap(str, endless(), most=5) as results:
        assert [next(results) for _ in range(10)] == [str(number) for number in range(10)]
    assert len(taken) <= 10 + 5


def test_threads_work_ahead_while_results_are_used() -> None:
    done: list[int] = []
    with ThreadedMap(done.append, range(20), threads=2, most=8) as results:
        next(results)
        _until(lambda: len(done) == 8)
        time.sleep(0.02)
        assert len(done) == 8


def test_reading_stops_at_the_bound_on_bytes() -> None:
    made: list[int] = []
    with ThreadedMap(
        lambda number: made.append(number) or number, range(40), threads=2, held=10, size=lambda _: 1
    ) as results:
        next(results)
        _until(lambda: len(made) >= 10)
        time.sleep(0.05)
        assert len(made) <= 10 + 2 - 1, "each thread may have begun one before the others were weighed"
        assert list(results) == list(range(1, 40))


def test_what_was_given_back_counts_until_more_is_asked_for() -> None:
    made: list[int] = []
    with ThreadedMap(
        lambda number: made.append(number) or number, range(6), threads=1, most=6, held=2, size=lambda _: 1
    ) as results:
        assert next(results) == 0
        _until(lambda: len(made) == 2)
        time.sleep(0.05)
        assert made == [0, 1]
        assert next(results) == 1
        _until(lambda: len(made) == 3)


def test_take_gives_what_is_there_and_waits_for_one() -> None:
    gate, done = threading.Event(), threading.Semaphore(0)

    def work(number: int) -> int:
        if number == 4:
            assert gate.wait(PATIENCE)
        done.release()
        return number

    with ThreadedMap(work, range(6), threads=1, most=5) as results:
        taken = results.take()
        while len(taken) < 4:
            taken += results.take()
        assert taken == [0, 1, 2, 3]
        gate.set()
        while len(taken) < 6:
            taken += results.take()
        assert (taken, results.take()) == ([0, 1, 2, 3, 4, 5], [])


def test_an_error_comes_in_its_place_and_nothing_more_begins() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        return 10 // (number - 3)

    def all_of_them() -> None:
        with ThreadedMap(work, range(1000), threads=1, most=4) as results:
            for seen in results:
                got.append(seen)

    got: list[int] = []
    with pytest.raises(ZeroDivisionError):
        all_of_them()
    assert got == [-4, -5, -10]
    assert len(begun) <= 3 + 4 + 1


def test_leaving_early_waits_for_what_has_begun() -> None:
    finished: list[int] = []

    def work(number: int) -> int:
        time.sleep(0.01)
        finished.append(number)
        return number

    with ThreadedMap(work, range(100), threads=2, most=10, held=1, size=lambda _: 1) as results:
        next(results)
    count = len(finished)
    time.sleep(0.03)
    assert len(finished) == count <= 5


def test_it_needs_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "facesketch.devices")
    monkeypatch.setattr(facesketch, "devices", facesketch.devices)  # which the import replaces
    devices = importlib.import_module("facesketch.devices")

    with devices.ThreadedMap(abs, [-1]) as results:
        assert list(results) == [1]


def test_threads_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads() == 3
    for nonsense in ("0", "-1", "many", ""):
        monkeypatch.setenv("OMP_NUM_THREADS", nonsense)
        assert threads() >= 1


@pytest.mark.parametrize(
    ("granted", "processors"), [("max 100000", None), ("150000 100000", 2), ("1000 100000", 1), ("", None)]
)
def test_a_quota_is_rounded_up(tmp_path: Path, granted: str, processors: int | None) -> None:
    (tmp_path / "cpu.max").write_text(granted + "\n")
    assert quota(tmp_path / "cpu.max") == processors
    assert quota(tmp_path / "none") is None


def test_the_environment_says_how_long_threads_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OPENBLAS_THREAD_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KMP_BLOCKTIME", "7")
    sleep_soon()
    assert int(os.environ["GOMP_SPINCOUNT"]) > 0
    assert os.environ["KMP_BLOCKTIME"] == "7"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    sleep_soon()
    assert "GOMP_SPINCOUNT" not in os.environ


def test_busy_processors_are_left_to_those_that_use_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(module, "threads", lambda: 8)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    running = iter([4, 7, *[5] * 100])
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: f"0.5 0.5 0.5 {next(running)}/99 1")
    free_threads.cache_clear()
    try:
        assert free_threads() == 5, "8 less the 3 that run beside it at the quietest look"
    finally:
        free_threads.cache_clear()
