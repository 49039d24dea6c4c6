"""Faces of others: drawn where the frame has them, or read from folders of any kind."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesketch.errors import ConfigError, DataError, ImageError, ResourceError
from facesketch.faces.frame import FRAME
from facesketch.search.evaluation import distractors as module
from facesketch.search.evaluation.distractors import FolderOfPhotos, SyntheticFaces, distractors, draw_framed


def _all(found: module.Distractors) -> list[Image.Image | ImageError]:
    return [each for chunk in found.chunks() for each in chunk]


def test_drawn_faces_have_their_eyes_where_the_frame_has_them() -> None:
    grey = np.mean([np.asarray(draw_framed(0, number).convert("L"), dtype=float) for number in range(1, 9)], axis=0)
    assert grey.shape == (FRAME.height, FRAME.width)
    for x, y in FRAME.eyes:
        column, row = int(x), int(y)
        pupil = grey[row - 3 : row + 4, column - 3 : column + 4].mean()
        cheek = grey[row + 22 : row + 30, column - 3 : column + 4].mean()
        assert pupil < 0.75 * cheek


def test_a_drawn_face_depends_on_seed_and_number_alone() -> None:
    first = _all(SyntheticFaces(10, seed=3))
    assert len(first) == 10
    assert first[8] == draw_framed(3, 9)
    assert first[:3] == _all(SyntheticFaces(3, seed=3))
    assert first[0] != _all(SyntheticFaces(1, seed=4))[0]
    assert len({image.tobytes() for image in first if isinstance(image, Image.Image)}) == 10


@pytest.mark.slow
def test_processes_draw_the_same_faces() -> None:
    found = _all(SyntheticFaces(70))
    assert len(found) == 70
    assert found[69] == draw_framed(0, 70)


@pytest.mark.slow
def test_a_killed_process_ends_the_drawing_in_one_line() -> None:
    drawn = SyntheticFaces(2000).chunks()
    next(drawn)
    for child in multiprocessing.active_children():
        child.kill()
    with pytest.raises(ResourceError, match="killed"):
        list(drawn)


def test_the_photos_of_pairs_are_taken_and_not_their_sketches(faces: Path) -> None:
    found = distractors(str(faces))
    assert isinstance(found, FolderOfPhotos)
    assert found.title == "12 photos of faces"
    assert {source.path.parent.name for source in found.sources} == {"photos"}
    assert len(_all(found)) == found.count == 12


def test_pictures_of_the_gallery_are_left_out(faces: Path) -> None:
    known = sorted((faces / "photos").iterdir())[:5]
    found = distractors(str(faces), besides=known)
    assert isinstance(found, FolderOfPhotos)
    assert found.count == 7
    assert {source.path.resolve() for source in found.sources}.isdisjoint(path.resolve() for path in known)


def test_any_folder_of_pictures_will_do_and_damaged_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for number in range(20):
        Image.new("RGB", (30, 40), (number, 0, 0)).save(tmp_path / "deep" / f"{number:02d}.png")
    (tmp_path / "deep" / "05.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not looked at")
    found = _all(distractors(str(tmp_path)))
    assert len(found) == 20
    assert isinstance(found[5], ImageError)
    pixels = [each.getpixel((0, 0)) for each in found if isinstance(each, Image.Image)]
    assert pixels == [(number, 0, 0) for number in range(20) if number != 5]


def test_large_photos_are_shrunk_when_they_are_read(tmp_path: Path) -> None:
    Image.new("RGB", (1024, 4096)).save(tmp_path / "large.png")
    (chunk,) = distractors(str(tmp_path)).chunks()
    assert [each.size for each in chunk if isinstance(each, Image.Image)] == [(512, 2048)]
    assert module._pixels([*chunk, ImageError("damaged")]) == 2048 * 512 * 3


def test_nothing_is_read_before_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(400):
        (tmp_path / f"{number:03d}.png").touch()
    read: list[int] = []
    monkeypatch.setattr(module, "_read", lambda sources: read.append(len(sources)) or [])
    monkeypatch.setattr(module, "_AHEAD", 8)
    chunks = distractors(str(tmp_path)).chunks()
    next(chunks)
    assert sum(read) <= 9 * 8
    assert len(list(chunks)) == 49


@pytest.mark.parametrize("what", ["synthetic:", "synthetic:0", "synthetic:many", "synthetic:-3"])
def test_a_number_of_faces_is_a_number(what: str) -> None:
    with pytest.raises(ConfigError, match="expected a number of faces, such as synthetic:10000"):
        distractors(what)


def test_folders_without_photos_are_refused(tmp_path: Path, faces: Path, arrange: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="no such folder"):
        distractors(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no photo in it"):
        distractors(str(tmp_path / "empty"))
    with pytest.raises(DataError, match="all of its 12 photos are in the gallery already"):
        distractors(str(faces), besides=(faces / "photos").iterdir())
