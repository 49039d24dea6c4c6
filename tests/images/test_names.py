"""One table says which files are pictures, and it holds what Pillow reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from facesketch.data.layouts.tree import stem_of, walk
from facesketch.errors import ConfigError, ImageError
from facesketch.images.io import (
    FORMATS,
    NO_PICTURE,
    SUFFIXES,
    WRITABLE,
    is_picture,
    open_image,
    save_image,
    why_no_picture,
)
from facesketch.inference.folders.plan import plan


@pytest.mark.parametrize(
    "name", ["a.jpg", "A.JPEG", "a.jfif", "a.jpe", "b.png", "c.webp", "d.tif", "e.bmp", "g.ppm.bz2", "h.GIF", "i.avif"]
)
def test_names_of_pictures(name: str) -> None:
    assert is_picture(Path("folder.d") / name)
    assert why_no_picture(Path(name)) == ""


@pytest.mark.parametrize("name", [".a.jpg", "pairs.csv", "b.png.part", "archive.bz2", "png", "._c.png", ".d.heic"])
def test_names_of_other_things(name: str) -> None:
    assert not is_picture(Path("folder.png") / name)
    assert why_no_picture(Path(name)) == NO_PICTURE


def test_the_table_holds_every_suffix_of_the_formats_read() -> None:
    known = {suffix for suffix, kind in Image.registered_extensions().items() if kind in {*FORMATS, "MPO"}}
    assert known | {".ppm.bz2"} == SUFFIXES
    assert known >= WRITABLE


@pytest.mark.parametrize("suffix", sorted(WRITABLE))
def test_a_written_picture_opens_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    save_image(Image.new("L", (16, 12), 200), path)
    assert open_image(path).size == (16, 12)


def test_a_jpeg_by_another_name_is_taken_from_folders(tmp_path: Path) -> None:
    Image.new("L", (16, 12)).save(tmp_path / "anna.JFIF", "JPEG")
    (tmp_path / "notes.txt").write_text("none")
    assert [path.name for path in walk(tmp_path).pictures] == ["anna.JFIF"]
    assert stem_of(walk(tmp_path).pictures[0]) == "anna"
    assert [job.source.name for job in plan([tmp_path], tmp_path / "out")] == ["anna.JFIF"]


@pytest.mark.parametrize("name", ["a.heic", "b.HEIF", "c.jp2", "d.psd", "e.dng", "f.svg"])
def test_an_unsupported_picture_is_reported_with_what_to_do(name: str) -> None:
    assert not is_picture(Path(name))
    assert "JPEG" in why_no_picture(Path(name)).upper()


def test_a_heic_picture_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "IMG_0001.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(ImageError, match=r"HEIC.*convert it to JPEG"):
        open_image(path)


@pytest.mark.parametrize("suffix", [".mpo", ".ppm.bz2", ".heic", ".txt"])
def test_a_kind_that_cannot_be_written_is_refused_beforehand(tmp_path: Path, suffix: str) -> None:
    Image.new("L", (16, 12)).save(tmp_path / "anna.png")
    with pytest.raises(ConfigError, match="not that of a picture"):
        plan([tmp_path], tmp_path / "out", suffix=suffix)
