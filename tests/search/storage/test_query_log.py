"""Lines of the log of queries are whole, whoever else writes at the same time and whatever went wrong before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from facesketch.errors import OutputError
from facesketch.search.storage import query_log

LINES = 100


def _lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / query_log.NAME).read_text().splitlines()]


def test_a_line_says_when_in_utc_and_what(tmp_path: Path) -> None:
    query_log.append(tmp_path, {"probe": "ab", "hits": [{"key": "Jürgen.jpg", "score": 0.5}]})
    query_log.append(tmp_path, {"probe": "cd", "hits": []})
    first, second = _lines(tmp_path)
    assert {**first, "time": 0} == {"time": 0, "probe": "ab", "hits": [{"key": "Jürgen.jpg", "score": 0.5}]}
    assert second["probe"] == "cd"
    when = datetime.fromisoformat(str(first["time"]))
    assert when.tzinfo == UTC
    assert abs(datetime.now(UTC) - when) < timedelta(minutes=1)


@pytest.mark.skipif(sys.platform == "win32", reason="no such rights there")
def test_only_the_owner_may_read_the_log(tmp_path: Path) -> None:
    query_log.append(tmp_path, {})
    assert (tmp_path / query_log.NAME).stat().st_mode & 0o777 == 0o600


def test_a_torn_line_is_ended_and_the_next_is_whole(tmp_path: Path) -> None:
    query_log.append(tmp_path, {"probe": "first"})
    with (tmp_path / query_log.NAME).open("a") as file:
        file.write('{"time": "2026')
    query_log.append(tmp_path, {"probe": "second"})
    lines = (tmp_path / query_log.NAME).read_text().splitlines()
    assert [line[:8] for line in lines] == ['{"time":'] * 3
    assert json.loads(lines[2])["probe"] == "second"


def _write_many(folder: Path, name: str) -> None:
    for number in range(LINES):
        query_log.append(folder, {"probe": name, "number": number, "long": name * 5000})


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, __file__, tmp_path, name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    lines = _lines(tmp_path)
    for name in "ab":
        assert [line["number"] for line in lines if line["probe"] == name] == list(range(LINES))


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")
def test_a_writer_waits_for_another_to_finish(tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / query_log.NAME).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writer = threading.Thread(target=query_log.append, args=(tmp_path, {"probe": "second"}))
        writer.start()
        other.write('{"probe": "first"')
        other.flush()
        writer.join(0.2)
        assert writer.is_alive()
        other.write("}\n")
    writer.join()
    assert [line["probe"] for line in _lines(tmp_path)] == ["first", "second"]


def test_an_unwritable_log_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="`query_log=False`"):
        query_log.append(tmp_path / "nowhere", {})


def test_nothing_is_left_of_a_line_that_did_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query_log.append(tmp_path, {"probe": "first"})
    write = os.write

    def fills_up(file: int, data: bytes) -> int:
        if len(data) < 5:
            raise OSError(28, "No space left on device")
        return write(file, data[:5])

    monkeypatch.setattr(os, "write", fills_up)
    with pytest.raises(OutputError, match="no space left"):
        query_log.append(tmp_path, {"probe": "second"})
    monkeypatch.undo()
    assert [line["probe"] for line in _lines(tmp_path)] == ["first"]


if __name__ == "__main__":  # one of the two processes
    _write_many(Path(sys.argv[1]), sys.argv[2])
