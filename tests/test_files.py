"""A file is whole or not there, whatever interrupts its writing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesketch.errors import OutputError
from facesketch.files import append_text, atomic, cannot_write, parse_json, read_json, write_json, write_text


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "made" / "on the way" / "file.bin"
    with atomic(path) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert _names(path.parent) == ["file.bin"]


@pytest.mark.parametrize("older", [None, b"older"])
def test_an_exception_leaves_everything_as_it_was(tmp_path: Path, older: bytes | None) -> None:
    path = tmp_path / "file.bin"
    if older is not None:
        path.write_bytes(older)

    def interrupted() -> None:
        with atomic(path) as file:
            file.write(b"newer")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (path.read_bytes() if path.exists() else None) == older
    assert _names(tmp_path) == ([] if older is None else ["file.bin"])


def test_a_full_disk_is_one_line_and_keeps_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "older")
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(OutputError) as caught:
        write_text(path, "newer")
    assert str(caught.value) == f"{path}: the disk is full; free some space or give another `out`"
    assert path.read_text() == "older"
    assert _names(tmp_path) == ["file.txt"]


def test_the_bytes_reach_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "file.txt", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append((os.fstat(descriptor).st_size, path.exists())))
    write_text(path, "flushed")
    assert seen == [(len("flushed"), False)]


def test_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    for path in (tmp_path / "taken" / "out.txt", tmp_path / "taken" / "deeper" / "out.txt"):
        with pytest.raises(OutputError, match=r"out\.txt: cannot be written \(.+\); give an `out` in a folder"):
            write_text(path, "text")
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_folder_where_a_file_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    for place in (path, tmp_path, Path(), Path("/"), path / ".."):
        with pytest.raises(OutputError, match="is a folder; give the name of a file in it"):
            write_text(place, "text")
    assert _names(tmp_path) == ["folder"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EACCES, "Permission denied"), "cannot be written (permission denied)"),
        (OSError("cannot write mode RGBA as JPEG"), "cannot be written (cannot write mode rgba as jpeg)"),
        (OSError(), "cannot be written (oserror)"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
    ],
)
def test_cannot_write_says_why(error: OSError, said: str) -> None:
    seen, hint = cannot_write(Path("runs/a.png"), error)
    assert seen.startswith(f"runs/a.png: {said}")
    assert "`out`" in hint


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_text_comes_back_as_it_went(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("text") / "file.txt"
    write_text(path, text)
    assert path.read_bytes() == text.encode()


def test_json_is_readable_by_people_and_machines(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"name": "Zoë", "folder": Path("runs/one"), "psnr": [15.4, None]})
    assert json.loads(path.read_text()) == {"name": "Zoë", "folder": "runs/one", "psnr": [15.4, None]}
    assert "Zoë" in path.read_text()
    assert path.read_text().endswith("}\n")
    assert len(path.read_text().splitlines()) > 3


def test_a_log_grows(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append_text(path, "one\n")
    append_text(path, "zwö\n")
    assert path.read_text(encoding="utf-8") == "one\nzwö\n"
    with pytest.raises(OutputError, match="cannot be written"):
        append_text(path / "deeper.jsonl", "three\n")


@pytest.mark.parametrize("name", ["鉛" * 82 + ".png", "x" * 255, "x" * 200])
def test_a_name_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for text in ("first", "second"):
        write_text(path, text)
    assert path.read_text() == "second"
    assert _names(tmp_path) == [name]


@pytest.fixture
def dead() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def _aged(path: Path, seconds: float = 90) -> Path:
    path.write_bytes(b"half")
    os.utime(path, (time.time() - seconds,) * 2)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="to ask for a process there may end it")
def test_what_a_dead_process_left_goes_with_the_next_writing(tmp_path: Path, dead: int) -> None:
    _aged(tmp_path / f".face-0005-sheet.png.{dead}.part")
    _aged(tmp_path / f".other.json.{dead}.part")
    kept = [f".own.{os.getpid()}.part", ".init.1.part", f"seen.{dead}.part", ".notes.part", f".new.{dead}.part"]
    for name in kept:
        _aged(tmp_path / name)
    _aged(tmp_path / kept[-1], 30)  # perhaps another machine's process, with another clock, writes it now
    (tmp_path / f".folder.{dead}.part").mkdir()
    write_text(tmp_path / "file.txt", "whole")
    assert _names(tmp_path) == sorted([*kept, f".folder.{dead}.part", "file.txt"])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs the rights to give files away")
def test_what_another_user_left_stays(tmp_path: Path, dead: int) -> None:
    os.chown(_aged(tmp_path / f".a.png.{dead}.part"), 12345, 12345)
    write_text(tmp_path / "file.txt", "whole")
    assert _names(tmp_path) == [f".a.png.{dead}.part", "file.txt"]


def test_a_folder_is_swept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[object] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scan(path))
    for number in range(3):
        write_text(tmp_path / f"{number}.txt", "whole")
    assert listed == [tmp_path]


DEEP = b"[" * 100_000


@pytest.mark.parametrize("content", [DEEP, b'{"a":' * 100_000, b"\xff\xfe{}", b"{", b"", b"[1]", b"null", b"7"])
def test_whatever_is_no_json_object_is_a_value_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        read_json(tmp_path / "file.json")


def test_json_may_begin_with_a_byte_order_mark() -> None:
    assert parse_json('{"a": "é"}'.encode("utf-8-sig")) == {"a": "é"}
