from __future__ import annotations

import os
import random
import sys
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facesketch.data.index import Index, check, index
from facesketch.data.layouts.registry import LAYOUTS
from facesketch.data.pairs import NoPairsError, Source
from facesketch.errors import ConfigError, DataError, ImageError

PHOTO, SKETCH = (180, 120, 90), (230, 230, 230)


def draw(path: Path, colour: tuple[int, int, int] = PHOTO, size: tuple[int, int] = (16, 20), shade: int = 0) -> Path:
    """Write a one-coloured picture; `shade` makes its bytes differ from those of others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, colour)
    image.putpixel((0, 0), (shade % 256, 255 - shade % 256, 7))
    image.save(path, format="PNG" if path.suffix.lower() == ".png" else "JPEG")
    return path


def folder_of_pairs(folder: Path, count: int = 3) -> Path:
    for number in range(count):
        draw(folder / "photos" / f"p{number}.png", PHOTO, shade=number)
        draw(folder / "sketches" / f"p{number}.png", SKETCH, shade=100 + number)
    return folder


def touch(folder: Path, names: list[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def stems(found: Index) -> list[str]:
    return [pair.stem for pair in found.pairs]


def test_pairs_are_sorted_and_open(tmp_path: Path) -> None:
    found = index(folder_of_pairs(tmp_path))
    assert stems(found) == ["p0", "p1", "p2"]
    assert found.layout == "photos-sketches"
    pair = found.pairs[1]
    assert pair.photo.path == tmp_path / "photos" / "p1.png"
    assert pair.photo.open().getpixel((5, 5)) == PHOTO
    assert pair.sketch.open().getpixel((5, 5)) == SKETCH
    assert found.subjects == ("p0", "p1", "p2")


def test_a_source_cuts_its_half_and_drops_an_odd_middle(tmp_path: Path) -> None:
    image = Image.new("RGB", (21, 10), (0, 0, 0))
    image.paste((255, 0, 0), (0, 0, 10, 10))
    image.paste((0, 0, 255), (11, 0, 21, 10))
    image.save(tmp_path / "both.png")
    left, right = Source(tmp_path / "both.png", "left").open(), Source(tmp_path / "both.png", "right").open()
    assert left.size == right.size == (10, 10)
    assert left.getcolors() == [(100, (255, 0, 0))]
    assert right.getcolors() == [(100, (0, 0, 255))]


def test_a_source_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        Source(tmp_path / "gone.png").open()


def test_index_reads_no_picture(tmp_path: Path) -> None:
    touch(tmp_path, ["photos/a.jpg", "sketches/a.jpg"])  # empty files would not decode
    assert stems(index(tmp_path)) == ["a"]


@pytest.mark.parametrize(
    "litter", ["photos/._a.jpg", "photos/.DS_Store", "__MACOSX/photos/b.jpg", ".trash/photos/b.jpg"]
)
def test_what_systems_leave_behind_is_ignored(tmp_path: Path, litter: str) -> None:
    found = index(touch(tmp_path, ["photos/a.jpg", "sketches/a.jpg", litter]))
    assert (stems(found), found.orphan_photos, found.duplicates) == (["a"], (), ())


def test_orphans_and_duplicates_are_named(tmp_path: Path) -> None:
    names = ["photos/a.jpg", "photos/a.png", "photos/b.jpg", "sketches/A.JPG", "sketches/c.tif"]
    found = index(touch(tmp_path, names))
    assert stems(found) == ["a"]
    assert found.pairs[0].photo.path.name == "a.jpg"
    assert found.duplicates == (("photos/a.jpg", "photos/a.png"),)
    assert found.orphan_photos == ("photos/b.jpg",)
    assert found.orphan_sketches == ("sketches/c.tif",)


def test_links_are_followed_but_never_round_in_circles(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere", ["a.jpg"])
    touch(tmp_path / "set", ["sketches/a.jpg"])
    (tmp_path / "set" / "photos").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "sketches" / "again").symlink_to(tmp_path / "set")
    found = index(tmp_path / "set")
    assert stems(found) == ["a"]
    assert found.orphan_sketches == ()


def test_a_missing_folder_and_a_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        index(tmp_path / "gone")
    with pytest.raises(DataError, match="a file; give the folder"):
        index(draw(tmp_path / "one.png"))


def test_an_unknown_layout_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'side-by-side'"):
        index(tmp_path, "side-bi-side")


def test_a_layout_that_is_asked_for_is_the_only_one_tried(tmp_path: Path) -> None:
    folder_of_pairs(tmp_path)
    assert index(tmp_path, "photos-sketches").layout == "photos-sketches"
    with pytest.raises(NoPairsError, match="looked for the layout 'fs2k'"):
        index(tmp_path, "fs2k")


def test_nothing_pairs_says_which_names_were_seen(tmp_path: Path) -> None:
    touch(tmp_path, ["photos/anna.jpg", "photos/ben.jpg", "sketches/1.jpg"])
    with pytest.raises(NoPairsError) as caught:
        index(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert "2 photos (photos/anna.jpg, photos/ben.jpg)" in message
    assert "1 sketch (sketches/1.jpg)" in message
    assert all(name in message for name in LAYOUTS)


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        ([], "found no picture;"),
        (["readme.txt"], "no picture, but 1 file \\(readme.txt\\)"),
        (["a.jpg", "b.jpg", "c.jpg", "d.jpg"], "4 pictures \\(a.jpg, b.jpg, c.jpg, …\\)"),
    ],
)
def test_an_empty_folder_and_one_without_halves(tmp_path: Path, names: list[str], seen: str) -> None:
    with pytest.raises(NoPairsError, match=seen):
        index(touch(tmp_path, names))


STEM = st.text("abcxyzABC0189é- ", min_size=1, max_size=6).map(str.strip).filter(lambda text: text not in {"", "-"})
SUFFIX = st.sampled_from([".jpg", ".JPG", ".jpeg", ".png", ".Png", ".tif", ".bmp", ".webp", ".ppm", ".ppm.bz2"])
FILES = st.sets(st.tuples(STEM, SUFFIX).map("".join), max_size=8)


def folded(name: str) -> str:
    lower = unicodedata.normalize("NFC", name.casefold()).removesuffix(".bz2")
    return lower[: lower.rindex(".")]


def outcome(folder: Path) -> tuple[object, ...]:
    try:
        found = index(folder)
    except NoPairsError:
        return ((), (), (), ())
    rows = tuple((p.stem, p.subject, *(s.path.relative_to(folder) for s in (p.photo, p.sketch))) for p in found.pairs)
    return rows, found.orphan_photos, found.orphan_sketches, found.duplicates


@settings(deadline=None, max_examples=60)
@given(
    photos=FILES,
    sketches=FILES,
    folders=st.sampled_from([("photos", "sketches"), ("Photo", "SKETCH"), ("train/photos", "train/sketches")]),
    seed=st.integers(0, 9),
)
def test_exactly_equal_names_pair_in_any_order(
    photos: set[str], sketches: set[str], folders: tuple[str, str], seed: int
) -> None:
    names = sorted([f"{folders[0]}/{name}" for name in photos] + [f"{folders[1]}/{name}" for name in sketches])
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        seen = outcome(touch(Path(first), names))
        random.Random(seed).shuffle(names)
        assert outcome(touch(Path(second), names)) == seen
    pairs = {row[0] for row in seen[0]}  # type: ignore[attr-defined]
    both = {folded(name) for name in photos} & {folded(name) for name in sketches}
    assert pairs == both
    if both:
        assert {folded(Path(name).name) for name in seen[1]} == {folded(n) for n in photos} - both  # type: ignore[attr-defined]
        assert {folded(Path(name).name) for name in seen[2]} == {folded(n) for n in sketches} - both  # type: ignore[attr-defined]


def test_check_finds_the_damaged_the_odd_and_the_identical(tmp_path: Path) -> None:
    folder_of_pairs(tmp_path, 6)
    whole = (tmp_path / "photos" / "p1.png").read_bytes()
    (tmp_path / "photos" / "p1.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "sketches" / "p2.png").write_bytes(b"")
    draw(tmp_path / "sketches" / "p3.png", SKETCH, size=(30, 20))
    draw(tmp_path / "photos" / "p4.png", PHOTO, size=(24, 24))
    draw(tmp_path / "sketches" / "p4.png", SKETCH, size=(24, 24))
    (tmp_path / "photos" / "p5.png").write_bytes((tmp_path / "photos" / "p0.png").read_bytes())
    report = check(tmp_path)
    assert [text.split(":")[0] for text in report.unreadable] == ["photos/p1.png", "sketches/p2.png"]
    assert "empty" in report.unreadable[1]
    assert report.odd_sized == ("p3: photo 16x20, sketch 30x20", "p4: 24x24, most are 16x20")
    assert report.identical == (("photos/p0.png", "photos/p5.png"),)
    assert [pair.stem for pair in report.usable] == ["p0", "p3", "p4", "p5"]
    assert report.size == (16, 20)
    assert len(report.index.pairs) == 6


def test_check_reads_every_file_once_and_says_how_far_it_is(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    check(folder_of_pairs(tmp_path), progress=lambda done, total: steps.append((done, total)))
    assert steps == [(n, 6) for n in range(1, 7)]


def test_no_size_is_usual_when_none_has_the_majority(tmp_path: Path) -> None:
    for number, side in enumerate((16, 24)):
        draw(tmp_path / "photos" / f"{number}.png", size=(side, side))
        draw(tmp_path / "sketches" / f"{number}.png", SKETCH, size=(side, side))
    report = check(tmp_path)
    assert (report.size, report.odd_sized) == (None, ())


def test_a_folder_that_may_not_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of_pairs(tmp_path)
    scandir = os.scandir

    def guarded(path: Path) -> object:
        if Path(path).name == "photos":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(DataError, match=r"photos: cannot be listed \(permission denied\)"):
        index(tmp_path)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "layout", "count"),
    [("cuhk", "pairs.csv", 188), ("cuhk_original", "photos-sketches", 188), ("fs2k_train", "pairs.csv", 1058)],
)
def test_the_research_sets(shared: Path, name: str, layout: str, count: int) -> None:
    found = index(shared / "data" / name)
    assert (found.layout, len(found.pairs), len(found.subjects)) == (layout, count, count)
    assert found.orphan_photos == found.orphan_sketches == found.duplicates == found.unreadable == ()


@pytest.mark.shared
def test_cuhk_pairs_the_same_way_with_and_without_its_list(shared: Path) -> None:
    listed, unlisted = index(shared / "data" / "cuhk"), index(shared / "data" / "cuhk", "photos-sketches")
    assert [(p.stem, p.subject, p.photo, p.sketch) for p in listed.pairs] == [
        (p.stem, p.subject, p.photo, p.sketch) for p in unlisted.pairs
    ]


@pytest.mark.shared
def test_cuhk_is_whole_and_all_of_one_size(shared: Path) -> None:
    report = check(shared / "data" / "cuhk")
    assert report.unreadable == report.odd_sized == report.identical == ()
    assert (report.size, len(report.usable)) == ((200, 250), 188)


@pytest.mark.parametrize(
    "marks", [["config.toml", "log.jsonl"], ["plan.json", "pictures/photo/a.png"], ["search.json", "search.png"]]
)
def test_results_that_lie_among_the_pairs_are_no_pairs(tmp_path: Path, marks: list[str]) -> None:
    """A study keeps pictures of the people it tests on; taken for pairs they would be trained on."""
    for name in ("photos/a.png", "sketches/a.png", "photos/b.png", "sketches/b.png"):
        draw(tmp_path / name)
    before = [pair.stem for pair in index(tmp_path).pairs]
    for name in ("photos/c.png", "sketches/c.png"):
        draw(tmp_path / "made" / name)
    assert len(index(tmp_path).pairs) == len(before) + 1, "a folder like any other"
    for name in marks:
        (tmp_path / "made" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "made" / name).touch()
    assert [pair.stem for pair in index(tmp_path).pairs] == before
    assert [pair.stem for pair in index(tmp_path / "made").pairs] == ["c"], "asked for, it is looked at"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_names_that_are_not_utf_8_are_reported(tmp_path: Path) -> None:
    odd = os.fsdecode(b"Ren\xe9.png")
    for kind in ("photos", "sketches"):
        draw(tmp_path / kind / "a.png")
        (tmp_path / kind / "a.png").rename(tmp_path / kind / odd)
    with pytest.raises(DataError, match=r"Ren\\xe9\.png: a name that is not UTF-8; rename it") as told:
        index(tmp_path)
    str(told.value).encode()
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    with pytest.raises(DataError, match=r"caf\\xe9: a name that is not UTF-8"):
        index(folder)
