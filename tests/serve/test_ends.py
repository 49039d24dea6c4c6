"""The end of a server: by signals, while decoders, networks and searches are stuck."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.serve.conftest import Process, children, grey, problem, started

_STUCK = """
import sys, threading
from types import SimpleNamespace
from tests.serve.conftest import Network, catalogue
from facesketch.serve.app import build
from facesketch.serve.server import address, listen, serve
from facesketch.serve.settings import Limits, Settings

class Gallery:
    def info(self):
        if threading.current_thread() is not threading.main_thread():
            threading.Event().wait()
        return SimpleNamespace(count=1)

class Endless(Network):
    def run(self, *given):
        threading.Event().wait()

settings = Settings(port=0, limits=Limits(grace=1, seconds=50, decoding=50))
with listen(settings) as listening:
    guard = build(settings, catalogue(Endless()), Gallery())
    print(f"serving on {address(settings, listening)}", file=sys.stderr, flush=True)
    serve(guard, settings, listening)
"""


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _until(true: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def _hang(process: Process) -> list[int]:
    """Make every decoder of a server hang, as if a bomb kept it busy, and return their process ids."""
    assert httpx.post(f"{process.url}/v1/translate", files={"file": grey(1, (64, 64))}, timeout=30).status_code == 400
    stuck = children(process.popen.pid)
    assert stuck
    for each in stuck:
        os.kill(each, signal.SIGSTOP)
    return stuck


def _send(pool: ThreadPoolExecutor, process: Process) -> Future[httpx.Response]:
    sent = pool.submit(httpx.post, f"{process.url}/v1/translate", files={"file": grey(1, (64, 64))}, timeout=60)
    _until(lambda: httpx.get(f"{process.url}/v1/health").json()["queue"])
    return sent


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds child processes in /proc")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once_and_its_decoders_with_it(tmp_path: Path, number: int) -> None:
    with started(tmp_path) as process, ThreadPoolExecutor() as pool:
        stuck = _hang(process)
        sent = _send(pool, process)
        process.popen.send_signal(number)
        _until(lambda: httpx.get(f"{process.url}/v1/health").status_code == 503)
        assert process.popen.poll() is None, "it waits for the upload that is being decoded"
        process.popen.send_signal(number)
        assert process.popen.wait(10) == 128 + number, "the upload would take 30 s"
        _until(lambda: not any(map(_lives, stuck)))
        assert isinstance(sent.exception(), httpx.TransportError)


@pytest.mark.slow
def test_a_decoder_that_is_stuck_is_ended_in_time_and_the_next_one_works(tmp_path: Path) -> None:
    with started(tmp_path) as process, ThreadPoolExecutor() as pool:
        stuck = _hang(process)
        sent = _send(pool, process)
        assert problem(sent.result(), 422) == "The picture takes too much time to decode."
        _until(lambda: not any(map(_lives, stuck)))
        assert "No face" in problem(httpx.post(f"{process.url}/v1/translate", files={"file": grey(1, (64, 64))}), 400)


@pytest.mark.parametrize("what", ["decoder", "network", "search"])
def test_what_is_stuck_when_the_grace_is_over_is_answered_and_does_not_delay_the_end(tmp_path: Path, what: str) -> None:
    with started(tmp_path, command=["-c", _STUCK]) as process, ThreadPoolExecutor() as pool:
        if what == "search":
            sent = pool.submit(httpx.get, f"{process.url}/v1/gallery", timeout=60)
        else:
            sent = pool.submit(httpx.post, f"{process.url}/v1/translate", files={"file": grey(1)}, timeout=60)
        stopped: list[int] = []
        if what == "decoder":
            _until(lambda: children(process.popen.pid))
            stopped = children(process.popen.pid)
            for each in stopped:
                os.kill(each, signal.SIGSTOP)
        _until(lambda: httpx.get(f"{process.url}/v1/health").json()["queue"])
        time.sleep(0.5)
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait(20) == 0
        assert problem(sent.result(), 503) == "The server is stopping."
        for each in filter(_lives, stopped):  # a decoder that hangs does not see that its server is gone
            os.kill(each, signal.SIGKILL)


def test_a_server_that_is_killed_leaves_no_decoder_behind(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        httpx.post(f"{process.url}/v1/translate", files={"file": grey(1, (64, 64))}, timeout=30)
        decoders = children(process.popen.pid)
        assert decoders
        process.popen.kill()
        _until(lambda: not any(map(_lives, decoders)))
