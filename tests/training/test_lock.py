"""One program at a time writes into a folder, and a dead one keeps nobody out."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from facesketch.errors import OutputError
from facesketch.training.lock import LOCK, hold

HOLDER = """
import os, sys, time
from pathlib import Path
from facesketch.training.lock import hold
with hold(Path(sys.argv[1])):
    if "fork" not in sys.argv or not os.fork():
        print(os.getpid(), flush=True)
    time.sleep(60)
"""


def _holder(folder: Path, *words: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder), *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    process, _ = _holder(tmp_path / "run")
    try:
        since = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        said = rf"^{re.escape(str(tmp_path / 'run'))}: process {process.pid} on \S+ since {since} is writing"
        with pytest.raises(OutputError, match=said), hold(tmp_path / "run"):
            pytest.fail("held twice")
    finally:
        _end(process)


def test_a_holder_that_was_killed_keeps_nobody_out(tmp_path: Path) -> None:
    process, _ = _holder(tmp_path)
    _end(process)
    assert (tmp_path / LOCK).exists(), "nobody was left to remove it"
    with hold(tmp_path):
        assert str(os.getpid()) in (tmp_path / LOCK).read_text()
    assert not (tmp_path / LOCK).exists()


def test_a_forked_process_does_not_outlive_the_lock(tmp_path: Path) -> None:
    process, child = _holder(tmp_path, "fork")
    try:
        process.kill()
        process.wait()
        with hold(tmp_path):
            os.kill(child, 0)  # it lives
    finally:
        os.kill(child, signal.SIGKILL)
        _end(process)


def test_a_forked_process_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom facesketch.training.lock import LOCK, hold\n"
        "with hold(Path(sys.argv[1])):\n"
        "    if os.fork():\n"
        "        os.wait()\n"
        "        print(os.path.exists(os.path.join(sys.argv[1], LOCK)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_threads_and_blocks_of_one_process_keep_each_other_out(tmp_path: Path) -> None:
    with hold(tmp_path):
        with pytest.raises(OutputError, match=f"process {os.getpid()} on "), hold(tmp_path):
            pytest.fail("held twice")
        assert (tmp_path / LOCK).exists()
    with hold(tmp_path):
        pass


def test_folders_that_were_made_for_nothing_are_removed(tmp_path: Path) -> None:
    with hold(tmp_path / "a" / "b"):
        pass
    assert list(tmp_path.iterdir()) == []
    with hold(tmp_path / "a" / "b"):
        (tmp_path / "a" / "kept").write_text("")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]


def test_many_takers_never_hold_it_together(tmp_path: Path) -> None:
    script = (
        "import os, sys, time\nfrom pathlib import Path\nfrom facesketch.training.lock import hold\n"
        "from facesketch.errors import OutputError\n"
        "folder, end, won = Path(sys.argv[1]), time.monotonic() + 2, 0\n"
        "while time.monotonic() < end:\n"
        "    try:\n"
        "        with hold(folder / 'run'):\n"
        "            os.close(os.open(folder / 'inside', os.O_CREAT | os.O_EXCL))\n"
        "            os.unlink(folder / 'inside')\n"
        "            won += 1\n"
        "    except OutputError:\n"
        "        pass\n"
        "print(won)\n"
    )
    (tmp_path / "run").mkdir()
    command = [sys.executable, "-c", script, str(tmp_path)]
    takers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outs = [taker.communicate()[0] for taker in takers]
    assert [taker.returncode for taker in takers] == [0, 0, 0]
    assert all(int(out) > 0 for out in outs)


@pytest.mark.parametrize(("number", "free"), [(errno.ENOLCK, True), (errno.EACCES, False)])
def test_where_there_are_no_locks_nobody_is_kept_out(
    number: int, free: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def acquire(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    with nullcontext() if free else pytest.raises(OutputError), hold(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()
