"""Folders in, folders out: everything has its own place, and one bad picture stops nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesketch import bulk
from facesketch.bulk import Job, plan
from facesketch.errors import ConfigError, ImageError, OutputError
from facesketch.translate import Translator, load


@pytest.fixture(scope="module")
def pencil() -> Translator:
    return load("pencil", device="cpu")


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
        with pytest.raises(OutputError, match="is one of the inputs and is never overwritten; give another --out"):
            plan(paths, out, overwrite=True)
    (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(OutputError, match="never overwritten"):
        plan([tmp_path / "in"], tmp_path / "link")
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(OutputError, match="never overwritten"):
        plan([picture], Path("a.png"))


def test_a_folder_inside_the_input_is_not_read_again(tmp_path: Path) -> None:
    _picture(tmp_path / "in" / "a.png")
    _picture(tmp_path / "in" / "out" / "a.png")
    jobs = plan([tmp_path / "in"], tmp_path / "in" / "out")
    assert [(job.source.name, job.done) for job in jobs] == [("a.png", True)]
    assert jobs[0].source == tmp_path / "in" / "a.png"


@pytest.mark.parametrize("suffix", ["png", "", ".txt", ".", ".ppm.bz2", "/x.png"])
def test_a_suffix_is_that_of_a_picture(suffix: str, tmp_path: Path) -> None:
    _picture(tmp_path / "in" / "a.png")
    with pytest.raises(ConfigError, match="is not that of a picture; type --suffix"):
        plan([tmp_path / "in"], tmp_path / "out", suffix=suffix)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"missing\.png: no such file or folder"):
        plan([tmp_path / "missing.png"], tmp_path / "out.png")
    with pytest.raises(ImageError, match="missing: no such file or folder"):
        plan([tmp_path / "missing"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="empty: no pictures in this folder; expected"):
        plan([tmp_path / "empty"], tmp_path / "out")
    picture = _picture(tmp_path / "a.png")
    with pytest.raises(OutputError, match="is a file; give a folder with --out for several pictures"):
        plan([picture, picture], picture)


def test_one_bad_picture_stops_nothing(tmp_path: Path, pencil: Translator) -> None:
    good = [_picture(tmp_path / "in" / f"{name}.png") for name in "ac"]
    (tmp_path / "in" / "b.png").write_text("text")
    jobs = plan([tmp_path / "in"], tmp_path / "out")
    results = list(bulk.run(jobs, pencil, None))
    assert [job for job, _ in results] == jobs
    assert [error is None for _, error in results] == [True, False, True]
    assert "not a picture that can be read" in str(results[1][1])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    for source in good:
        with Image.open(tmp_path / "out" / source.name) as result:
            assert np.array_equal(np.asarray(result), np.asarray(pencil(source)))


def test_done_ones_are_not_touched(tmp_path: Path, pencil: Translator) -> None:
    _picture(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"an earlier one")
    jobs = plan([tmp_path / "in"], tmp_path / "out")
    assert [error for _, error in bulk.run(jobs, pencil, None)] == [None]
    assert (tmp_path / "out" / "a.png").read_bytes() == b"an earlier one"


def test_a_full_disk_stops_the_whole_and_leaves_nothing_half(
    tmp_path: Path, pencil: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _picture(tmp_path / "in" / "a.png")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        list(bulk.run(plan([tmp_path / "in"], tmp_path / "out"), pencil, None))
    assert list((tmp_path / "out").iterdir()) == []
