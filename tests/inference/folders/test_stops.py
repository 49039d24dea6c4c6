"""A folder job that is killed or interrupted leaves whole files only, and goes on from there."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from facesketch.inference.folders.pipeline import run
from facesketch.inference.folders.plan import plan
from facesketch.inference.model import Model

COUNT, PATIENCE = 60, 60.0
# The command itself, with a network that takes a while and needs no model file.
SCRIPT = """
import signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that a shell runs in the background have it ignored
import facesketch.inference.model
from conftest import Inverting
from facesketch.cli.main import main
from facesketch.inference.translator import Translator

engine = Inverting()
engine.hold = lambda: time.sleep(1.0)  # long beside what a busy machine makes the test wait
facesketch.inference.model.load_translator = lambda *words, **more: Translator(engine)
main(["translate", sys.argv[2], "--model", "any", "--out", sys.argv[3]])
"""


@pytest.fixture
def started(tmp_path: Path, draw: Callable[..., Path]) -> Iterator[subprocess.Popen[str]]:
    """Give a process that has written some of its pictures."""
    for number in range(COUNT):
        draw(tmp_path / "in" / f"{number:03}.png", number, (200, 160))
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(tmp_path / "in"), str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + PATIENCE
    while not list((tmp_path / "out").glob("*.png")) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    yield process
    process.kill()
    process.communicate()


def _whole(folder: Path) -> list[str]:
    """Name the pictures of a folder, each of which is whole and the right one."""
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            image.load()
            assert image.getpixel((0, 0))[0] == 255 - int(path.stem)  # type: ignore[index]
    return sorted(path.name for path in folder.glob("*.png"))


def test_a_killed_job_goes_on(tmp_path: Path, started: subprocess.Popen[str], model: Model) -> None:
    started.send_signal(signal.SIGKILL)
    assert started.wait(PATIENCE) == -signal.SIGKILL
    made = _whole(tmp_path / "out")
    assert 0 < len(made) < COUNT
    before = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in made}
    jobs = plan([tmp_path / "in"], tmp_path / "out")
    assert sum(job.done for job in jobs) == len(made)
    todo = [job for job in jobs if not job.done]
    assert [error for _, error, _ in run(todo, model)] == [None] * len(todo)
    assert len(_whole(tmp_path / "out")) == COUNT
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in made} == before


def test_an_interrupted_job_ends_cleanly(tmp_path: Path, started: subprocess.Popen[str]) -> None:
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=PATIENCE)
    assert (started.returncode, said) == (130, "facesketch: stopped\n")
    assert 0 < len(_whole(tmp_path / "out")) < COUNT
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.endswith(".part")] == []
