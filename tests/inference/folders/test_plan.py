"""Folders in, folders out: everything has its own place, what is there is known, and no input is ever written over."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesketch.errors import ConfigError, ImageError, OutputError
from facesketch.files import part_name
from facesketch.inference.folders.plan import Job, named, plan, sweep


def _picture(path: Path, shade: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 16), (shade, 50, 0)).save(path)
    return path


def _targets(jobs: list[Job], out: Path) -> dict[str, str]:
    return {job.source.name: job.target.relative_to(out).as_posix() for job in jobs}


def test_one_picture_goes_to_the_name_given(tmp_path: Path) -> None:
    picture = _picture(tmp_path / "a.png")
    assert plan([picture], tmp_path / "b.jpg") == [Job(picture, tmp_path / "b.jpg", done=False)]
    _picture(tmp_path / "b.jpg")
    assert not plan([picture], tmp_path / "b.jpg")[0].done, "who names a file wants it written"


def test_one_picture_may_go_to_a_folder(tmp_path: Path) -> None:
    picture = _picture(tmp_path / "a.png")
    assert plan([picture], tmp_path / "out")[0].target == tmp_path / "out" / "a.png"
    assert plan([picture], tmp_path / "out", suffix=".webp")[0].target == tmp_path / "out" / "a.webp"


def test_the_tree_of_a_folder_is_mirrored(tmp_path: Path) -> None:
    for name in ("a.jpg", "deep/b.png", "deep/er/c.BMP", "deep/.hidden.png"):
        _picture(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    jobs = plan([tmp_path / "in"], tmp_path / "out")
    assert _targets(jobs, tmp_path / "out") == {"a.jpg": "a.png", "b.png": "deep/b.png", "c.BMP": "deep/er/c.png"}


def test_several_folders_and_files_keep_apart(tmp_path: Path) -> None:
    _picture(tmp_path / "one" / "a.png")
    _picture(tmp_path / "two" / "a.png")
    single = _picture(tmp_path / "a.png")
    jobs = plan([tmp_path / "one", tmp_path / "two", single], tmp_path / "out")
    assert [job.target.relative_to(tmp_path / "out").as_posix() for job in jobs] == ["one/a.png", "two/a.png", "a.png"]


def test_no_two_pictures_share_a_target(tmp_path: Path) -> None:
    for name in ("a.bmp", "a.jpg", "a.png"):
        _picture(tmp_path / "in" / name)
    jobs = plan([tmp_path / "in"], tmp_path / "out")
    assert _targets(jobs, tmp_path / "out") == {"a.bmp": "a.png", "a.jpg": "a.jpg.png", "a.png": "a.png.png"}
    files = [_picture(tmp_path / name / "same.jpg") for name in ("x", "y", "z", "w")]
    targets = [job.target.name for job in plan(files, tmp_path / "out")]
    assert targets == ["same.png", "same.jpg.png", "same.jpg-2.png", "same.jpg-3.png"]
    assert [job.target.name for job in plan(files, tmp_path / "out")] == targets


def test_done_ones_are_skipped_unless_asked(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        _picture(tmp_path / "in" / name)
    _picture(tmp_path / "out" / "a.png")
    assert [job.done for job in plan([tmp_path / "in"], tmp_path / "out")] == [True, False]
    assert [job.done for job in plan([tmp_path / "in"], tmp_path / "out", overwrite=True)] == [False, False]


def test_inputs_are_never_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = _picture(tmp_path / "in" / "a.png")
    for paths, out in (([picture], picture), ([tmp_path / "in"], tmp_path / "in"), ([picture], tmp_path / "in")):
        with pytest.raises(OutputError, match="is one of the inputs and is never overwritten; give another `out`"):
            plan(paths, out, overwrite=True)
    (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(OutputError, match="never overwritten"):
        plan([tmp_path / "in"], tmp_path / "link")
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(OutputError, match="never overwritten"):
        plan([picture], Path("a.png"))


def test_letter_case_does_not_tell_names_apart(tmp_path: Path) -> None:
    picture = _picture(tmp_path / "in" / "IMG.JPG")  # macOS and Windows would write img.jpg over it
    for paths, out in (([tmp_path / "in"], tmp_path / "in"), ([picture], tmp_path / "in" / "img.jpg")):
        with pytest.raises(OutputError, match="never overwritten"):
            plan(paths, out, suffix=".jpg")
    jobs = plan([_picture(tmp_path / "x" / "A.jpg"), _picture(tmp_path / "y" / "a.jpg")], tmp_path / "out")
    assert [job.target.name for job in jobs] == ["A.png", "a.jpg.png"]


def test_a_folder_inside_the_input_is_not_read_again(tmp_path: Path) -> None:
    _picture(tmp_path / "in" / "a.png")
    _picture(tmp_path / "in" / "out" / "a.png")
    jobs = plan([tmp_path / "in"], tmp_path / "in" / "out")
    assert [(job.source.name, job.done) for job in jobs] == [("a.png", True)]
    assert jobs[0].source == tmp_path / "in" / "a.png"


@pytest.mark.parametrize("suffix", ["png", "", ".txt", ".", ".ppm.bz2", "/x.png"])
def test_a_suffix_is_that_of_a_picture(suffix: str, tmp_path: Path) -> None:
    _picture(tmp_path / "in" / "a.png")
    with pytest.raises(ConfigError, match="is not that of a picture; type `suffix`"):
        plan([tmp_path / "in"], tmp_path / "out", suffix=suffix)


def test_what_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"missing\.png: no such file or folder"):
        plan([tmp_path / "missing.png"], tmp_path / "out.png")
    with pytest.raises(ImageError, match="missing: no such file or folder"):
        plan([tmp_path / "missing"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="empty: no pictures in this folder; expected"):
        plan([tmp_path / "empty"], tmp_path / "out")
    picture = _picture(tmp_path / "a.png")
    with pytest.raises(OutputError, match="is a file; give a folder"):
        plan([picture, picture], picture)


def test_links_are_followed_to_files_and_protect_what_they_lead_to(tmp_path: Path) -> None:
    original = _picture(tmp_path / "originals" / "a.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").symlink_to(original)
    assert [job.source.name for job in plan([tmp_path / "in"], tmp_path / "out")] == ["a.png"]
    with pytest.raises(OutputError, match="never overwritten"):
        plan([tmp_path / "in" / "a.png"], tmp_path / "originals", overwrite=True)
    with pytest.raises(OutputError, match="never overwritten"):
        plan([tmp_path / "in" / "a.png"], original)
    (tmp_path / "in" / "around").symlink_to(tmp_path / "in")
    assert len(plan([tmp_path / "in"], tmp_path / "out")) == 1, "a link to a folder is not gone into"
    _picture(tmp_path / "out" / "made.png")
    (tmp_path / "in" / "made.png").symlink_to(tmp_path / "out" / "made.png")
    assert len(plan([tmp_path / "in"], tmp_path / "out")) == 1, "what was made is no input"


def test_a_folder_that_may_not_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _picture(tmp_path / "in" / "deep" / "a.png")
    scandir = os.scandir

    def guarded(path: Path) -> Any:
        if Path(path).name == "deep":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(ImageError, match="deep: cannot be read"):
        plan([tmp_path / "in"], tmp_path / "out")


# Several faces, and sheets


def test_several_faces_have_a_number_each(tmp_path: Path) -> None:
    (job,) = plan([_picture(tmp_path / "a.png")], tmp_path / "b.jpg", numbered=True)
    assert [job.place(number).name for number in range(3)] == ["b-1.jpg", "b-2.jpg", "b-3.jpg"]
    for name in ("a.png", "a.jpg", "a-1.png"):
        _picture(tmp_path / "in" / name)
    jobs = plan([tmp_path / "in"], tmp_path / "out", numbered=True)
    places = [job.place(number) for job in jobs for number in range(12)]
    assert len(set(places)) == 36
    assert _targets(jobs, tmp_path / "out") == {"a-1.png": "a-1-1.png", "a.jpg": "a-1.png", "a.png": "a.png-1.png"}


def test_no_further_face_lands_on_an_input(tmp_path: Path) -> None:
    for name in ("a.jpg", "a-2.png"):
        _picture(tmp_path / "in" / name)
    with pytest.raises(OutputError, match=r"a-2\.png: is one of the inputs"):
        plan([tmp_path / "in"], tmp_path / "in", numbered=True)
    _picture(tmp_path / "other" / "a.jpg")
    assert len(plan([tmp_path / "other"], tmp_path / "other", numbered=True)) == 1


def test_a_sheet_stands_beside_its_picture_and_on_no_other(tmp_path: Path) -> None:
    (job,) = plan([_picture(tmp_path / "a.png")], tmp_path / "b.jpg", sheet=True)
    assert (job.target.name, job.sheet) == ("b.jpg", tmp_path / "b-sheet.jpg")
    for name in ("a.png", "a-sheet.png"):
        _picture(tmp_path / "in" / name)
    jobs = plan([tmp_path / "in"], tmp_path / "out", sheet=True)
    assert len({path for job in jobs for path in (job.target, job.sheet)}) == 4
    with pytest.raises(OutputError, match=r"a-sheet\.png: is one of the inputs"):
        plan([_picture(tmp_path / "one" / "a-sheet.png")], tmp_path / "one" / "a.png", sheet=True)


def test_a_picture_without_its_sheet_is_not_done(tmp_path: Path) -> None:
    _picture(tmp_path / "in" / "a.png")
    _picture(tmp_path / "out" / "a.png")
    assert [job.done for job in plan([tmp_path / "in"], tmp_path / "out")] == [True]
    assert [job.done for job in plan([tmp_path / "in"], tmp_path / "out", sheet=True)] == [False]
    _picture(tmp_path / "out" / "a-sheet.png")
    assert [job.done for job in plan([tmp_path / "in"], tmp_path / "out", sheet=True)] == [True]


def test_what_comes_from_a_pipe_has_the_same_names(tmp_path: Path) -> None:
    picture, out = _picture(tmp_path / "a.png"), tmp_path / "b.jpg"
    for numbered in (False, True):
        (job,) = plan([picture], out, numbered=numbered, sheet=True)
        piped = named(out, numbered=numbered, sheet=True)
        assert (piped.target, piped.sheet, piped.place(0)) == (job.target, job.sheet, job.place(0))


# Many files, and what killed runs leave


def test_no_file_is_asked_for_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(300):
        (tmp_path / "in" / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / f"{number % 3}" / f"{number}.png").touch()
    _picture(tmp_path / "out" / "1" / "1.png")
    asked: list[str] = []

    def counting(name: str) -> None:
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *words, **more: (asked.append(name), real(*words, **more))[1])

    for name in ("stat", "lstat", "readlink"):
        counting(name)
    jobs = plan([tmp_path / "in"], tmp_path / "out")
    assert (len(jobs), sum(job.done for job in jobs)) == (300, 1)
    assert len(asked) < 150, "a stat of every file takes minutes for a million of them"


def test_what_was_left_of_a_long_name_goes_too(tmp_path: Path) -> None:
    name = "x" * 250 + ".png"
    _picture(tmp_path / "in" / name)
    unfinished = tmp_path / "out" / f".{part_name(name)}.12.part"
    unfinished.parent.mkdir()
    unfinished.touch()
    os.utime(unfinished, (1, 1))
    sweep(plan([tmp_path / "in"], tmp_path / "out"))
    assert not unfinished.exists()


def test_the_folder_above_stays_in_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here/a.png", "there/b.png", "c.png"):
        _picture(tmp_path / "in" / name)
    monkeypatch.chdir(tmp_path / "in" / "here")
    for up, name in (("..", "in"), (".", "here"), ("../there", "there")):
        jobs = plan([Path(up), Path("../c.png")], tmp_path / "out")
        assert all(job.target.resolve().is_relative_to(tmp_path / "out") for job in jobs)
        assert any(job.target.parent.is_relative_to(tmp_path / "out" / name) for job in jobs)


def test_what_a_killed_run_left_half_written_goes_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        _picture(tmp_path / "in" / name)
    (tmp_path / "out").mkdir()
    left = [".a.png.123.part", ".a-1.png.5.part", ".a-3.png.123.part", ".a-sheet.png.7.part"]
    kept = [".c.png.123.part", ".b.png.part", "a.png.123.part", ".notes"]
    old = time.time() - 3600
    for name in (*left, *kept):
        (tmp_path / "out" / name).touch()
        os.utime(tmp_path / "out" / name, (old, old))
    (tmp_path / "out" / ".b.png.9.part").touch()  # being written now
    sweep(plan([tmp_path / "in"], tmp_path / "out"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*left[1:], *kept, ".b.png.9.part"}
    sweep(plan([tmp_path / "in"], tmp_path / "out", numbered=True, sheet=True))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*kept, ".b.png.9.part"}
    sweep(plan([tmp_path / "in"], tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()
