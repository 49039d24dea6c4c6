"""Files that are no pictures: in folders they are named and passed over, and alone they are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesketch.data.index import index
from facesketch.data.pairs import NoPairsError
from facesketch.errors import ImageError
from facesketch.images.io import open_image

Run = Callable[..., Any]
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
NAMED = {
    "self.png": "a link that leads nowhere",
    "gone.jpg": "a link that leads nowhere",
    "pipe.png": "a pipe, a socket or a device",
    "device.png": "a pipe, a socket or a device",
    "anna.heic": "HEIC is not read; convert it to JPEG",
    "scan.pdf": "PDF is not read",
    "notes.txt": "not a picture, judging by its name",
}


def litter(folder: Path) -> Path:
    """Fill a folder with what is no picture; whoever opens the pipe waits for ever."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "self.png").symlink_to("self.png")
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "pipe.png")
    (folder / "device.png").symlink_to("/dev/zero")
    for name in ("anna.heic", "scan.pdf", "notes.txt", ".hidden.heic"):
        (folder / name).write_bytes(b"content")
    return folder


def picture(path: Path, seed: int = 0) -> Path:
    Image.effect_noise((40, 50), 40 + seed).save(path)
    return path


def names_all(said: str) -> bool:
    return all(f"{name}: {reason}" in said for name, reason in NAMED.items()) and "hidden" not in said


def test_translate_names_what_it_passes_over(command: Run, tmp_path: Path) -> None:
    litter(tmp_path / "in")
    for name in ("good.png", "other.jfif"):
        Image.new("RGB", (40, 50), "grey").save(tmp_path / "in" / name, "PNG")
    answer = command("translate", tmp_path / "in", "--out", tmp_path / "out", "--model", "pencil")
    assert answer.code == 0, answer.err
    assert names_all(answer.err)
    assert "2 translated" in answer.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good.png", "other.png"]


@pytest.mark.parametrize("name", ["self.png", "pipe.png", "device.png"])
def test_alone_they_are_refused(name: str, refused: Run, tmp_path: Path) -> None:
    said = refused("translate", litter(tmp_path / "in") / name, "--out", tmp_path / "o.png", "--model", "pencil")
    assert name in said
    assert not (tmp_path / "o.png").exists()


def test_a_pipe_given_beside_a_folder_is_refused(refused: Run, tmp_path: Path) -> None:
    folder = litter(tmp_path / "in")
    picture(folder / "good.png")
    said = refused("translate", folder, folder / "pipe.png", "--out", tmp_path / "out", "--model", "pencil")
    assert "pipe.png" in said


def test_a_folder_of_other_kinds_alone_says_what_to_do(refused: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "anna.heic").write_bytes(b"content")
    assert "HEIC" in refused("translate", tmp_path / "in", "--out", tmp_path / "out", "--model", "pencil")
    assert "HEIC" in refused("search", "index", tmp_path / "in", "--gallery", tmp_path / "gallery")
    (tmp_path / "in" / "photos").mkdir()
    (tmp_path / "in" / "anna.heic").rename(tmp_path / "in" / "photos" / "anna.heic")
    with pytest.raises(NoPairsError, match="HEIC"):
        index(tmp_path / "in")


def test_data_check_counts_them(command: Run, arrange: Callable[..., Path], tmp_path: Path) -> None:
    folder = arrange(tmp_path / "pairs")
    litter(folder / "photos")
    answer = command("data", "check", folder, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)["passed_over"]
    assert found["count"] == len(NAMED)
    answer = command("data", "check", folder)
    assert "not pictures, skipped" in answer.out
    assert "photos/anna.heic: HEIC is not read; convert it" in " ".join(answer.out.split())


def test_other_kinds_of_pictures_are_named_before_texts(arrange: Callable[..., Path], tmp_path: Path) -> None:
    folder = arrange(tmp_path / "pairs")
    for name in ("a.txt", "b.md", "z.heic"):
        (folder / "photos" / name).write_bytes(b"content")
    assert index(folder).passed_over[0].startswith("photos/z.heic: HEIC is not read")


def test_a_set_of_links_and_pipes_trains(command: Run, arrange: Callable[..., Path], tmp_path: Path) -> None:
    folder = arrange(tmp_path / "pairs")
    (folder / "pairs.csv").unlink()
    litter(folder / "sketches")
    words = ("--size", 16, "--steps", 1, "--validation", 0, "--data", folder, "--out", tmp_path / "run")
    assert command("train", "dense-ae", *words).code == 0


def test_search_index_names_them(command: Run, tmp_path: Path, by_pixels: object) -> None:
    folder = litter(tmp_path / "photos")
    picture(folder / "good.png")
    (folder / "people.csv").write_text("file,id\ngood.png,1\n")
    answer = command("search", "index", folder, "--gallery", tmp_path / "gallery", "--people", folder / "people.csv")
    assert (answer.code, "1 photo of 1 person" in answer.out) == (0, True), answer
    assert names_all(answer.err)
    assert "people.csv" not in answer.err
    answer = command("search", "index", folder / "pipe.png", "--gallery", tmp_path / "gallery")
    assert answer.code == 1
    assert "pipe.png: a pipe" in answer.err


def test_faces_align_names_them(command: Run, faces: Path, tmp_path: Path) -> None:
    folder = litter(tmp_path / "in")
    photo = next((faces / "photos").glob("*.png"))
    Image.open(photo).resize((200, 250)).save(folder / "good.png")
    answer = command("faces", "align", folder, "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert names_all(answer.err)
    told = json.loads((tmp_path / "out" / "report.json").read_text())["passed_over"]
    assert len(told) == len(NAMED)


def test_pictures_of_other_kinds_are_named_first(command: Run, faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in [f"{number:02}.txt" for number in range(12)] + ["z.heic"]:
        (folder / name).write_bytes(b"content")
    answer = command("translate", folder, "--model", "pencil", "--out", tmp_path / "out")
    assert "z.heic: HEIC is not read" in answer.err
    Image.open(next((faces / "photos").glob("*.png"))).save(folder / "good.png")
    answer = command("translate", folder, "--model", "pencil", "--out", tmp_path / "out")
    assert "z.heic: HEIC is not read" in next(line for line in answer.err.splitlines() if "skipped" in line)


@pytest.mark.parametrize("name", ["pipe.csv", "device.csv"])
def test_lists_are_files_too(name: str, refused: Run, tmp_path: Path, by_pixels: object) -> None:
    picture(tmp_path / "good.png")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "device.csv").symlink_to("/dev/zero")
    words = ("search", "index", tmp_path / "good.png", "--gallery", tmp_path / "gallery", "--people", tmp_path / name)
    assert "a pipe, a socket or a device" in refused(*words)
    assert not (tmp_path / "gallery").exists()


def test_the_halves_of_a_picture_have_half_its_width(command: Run, tmp_path: Path) -> None:
    for number in range(4):
        both = Image.new("RGB", (257 if number else 261, 128), (200, 120, 90))
        both.paste(Image.effect_noise((128, 128), 60), (both.width - 128, 0))
        both.save(tmp_path / f"{number}.png")
    answer = command("data", "check", tmp_path, "--json")
    found = json.loads(answer.out)
    assert (found["layout"], found["size"]) == ("side-by-side", [128, 128])
    assert found["odd_sized"]["examples"] == ["0: 130x128, most are 128x128"]


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    for path in ("pipe.png", "device.png", "pipe.ppm.bz2"):
        if path.startswith("pipe"):
            os.mkfifo(tmp_path / path)
        else:
            (tmp_path / path).symlink_to("/dev/zero")
        with pytest.raises(ImageError, match="a pipe, a socket or a device"):
            open_image(tmp_path / path)
