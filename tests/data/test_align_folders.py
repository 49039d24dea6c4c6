"""Aligning folders: pairs kept together, sets merged, what is left out, and the report."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesketch.data.align_folders import align_folders, plan
from facesketch.data.index import index
from facesketch.data.synthetic.draw import draw_pair
from facesketch.errors import DataError, FaceError, OutputError
from facesketch.faces import Face, FaceFinder
from facesketch.images.io import open_image


class BrightFinder(FaceFinder):
    """Finds a face in every picture that is not almost black, with its eyes a fifth from either side."""

    def find(self, image: Image.Image, *, most: int | None = None) -> list[Face]:
        if np.asarray(image).max() < 20:
            return []
        width, height = image.size
        eyes = (0.2 * width, 0.5 * height), (0.8 * width, 0.6 * height)
        return [Face((0, 0, width, height), eyes, score=1.0)]


FINDER = BrightFinder()


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "pairs.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def report(folder: Path) -> dict[str, object]:
    read: dict[str, object] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return read


def add_column(folder: Path, column: str, value: str) -> None:
    table = [row | {column: value} for row in rows(folder)]
    with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


def test_landscapes_are_pictures_and_side_by_side_pairs_are_pairs(tmp_path: Path) -> None:
    for number in range(4):
        photo, sketch = draw_pair(np.random.default_rng(number), 96)
        for folder, right in (("landscapes", draw_pair(np.random.default_rng(10 + number), 96)[0]), ("pairs", sketch)):
            (tmp_path / folder).mkdir(exist_ok=True)
            page = Image.new("RGB", (192, 96))
            page.paste(photo)
            page.paste(right, (96, 0))
            page.save(tmp_path / folder / f"{number}.png")
    (tmp_path / "pairs" / "0.png").write_bytes((tmp_path / "pairs" / "0.png").read_bytes()[:-900])
    made = [align_folders([tmp_path / each], tmp_path / f"{each}-out", FINDER) for each in ("landscapes", "pairs")]
    assert [(each.pairs, len(each.left_out)) for each in made] == [(0, 0), (3, 1)], "one is damaged"
    assert len([*(tmp_path / "landscapes-out").glob("[0-9].png")]) == 4


def test_pairs_stay_pairs_with_all_that_is_known_of_them(arrange: Callable[..., Path], tmp_path: Path) -> None:
    source = arrange(tmp_path / "set", train=3, validation=1, test=2)
    add_column(source, "hair", "long")
    done = align_folders([source], tmp_path / "out", FINDER)
    assert (done.pairs, done.left_out) == (6, ())
    before, after = index(source).pairs, index(tmp_path / "out").pairs
    for old, new in zip(before, after, strict=True):
        assert (new.stem, new.subject, new.split, new.attributes) == (
            old.stem,
            old.subject,
            old.split,
            {"hair": "long"},
        )
        assert new.photo.open().size == new.sketch.open().size == (200, 250)
    assert {row["photo"] for row in rows(tmp_path / "out")} == {f"photos/{pair.stem}.png" for pair in before}


def test_a_pair_without_a_face_is_left_out_whole_and_named(arrange: Callable[..., Path], tmp_path: Path) -> None:
    source = arrange(tmp_path / "set", train=4, validation=0, test=0)
    dark, damaged = rows(source)[1], rows(source)[2]
    Image.new("L", (64, 64), 3).save(source / dark["sketch"])
    (source / damaged["photo"]).write_bytes((source / damaged["photo"]).read_bytes()[:200])
    done = align_folders([source], tmp_path / "out", FINDER)
    assert [row["stem"] for row in rows(tmp_path / "out")] == [rows(source)[0]["stem"], rows(source)[3]["stem"]]
    assert dict(done.left_out).keys() == {dark["stem"], damaged["stem"]}
    assert dict(done.left_out)[dark["stem"]] == f"{source / dark['sketch']}: no face found"
    assert "damaged or cut short" in dict(done.left_out)[damaged["stem"]]
    assert not list((tmp_path / "out").rglob(f"{dark['stem']}.*"))
    told = report(tmp_path / "out")
    assert told["left_out"] == [{"name": name, "reason": reason} for name, reason in done.left_out]


def test_pictures_without_a_counterpart_are_named(arrange: Callable[..., Path], tmp_path: Path) -> None:
    source = arrange(tmp_path / "set", train=4, validation=0, test=0)
    first, second = rows(source)[:2]
    (source / first["sketch"]).unlink()
    (source / second["photo"]).unlink()
    done = align_folders([source], tmp_path / "out", FINDER)
    assert dict(done.passed_over) == {
        source / first["sketch"]: "no such file",
        source / second["photo"]: "no such file",
        source / first["photo"]: "no sketch goes with it",
        source / second["sketch"]: "no photo goes with it",
    }
    assert len(report(tmp_path / "out")["passed_over"]) == 4


def test_the_report_counts_and_measures(arrange: Callable[..., Path], tmp_path: Path) -> None:
    source = arrange(tmp_path / "set", train=4, validation=0, test=0)
    Image.new("L", (64, 64), 3).save(source / rows(source)[0]["sketch"])
    align_folders([source], tmp_path / "out", FINDER, scale=2.0)
    told = report(tmp_path / "out")
    assert told["turned"] == []
    assert told["frame"] == {
        "width": 200,
        "height": 250,
        "left_eye": [75.0, 125.0],
        "right_eye": [125.0, 125.0],
        "scale": 2.0,
    }
    assert told["pairs"] == 3
    pictures = told["pictures"]
    assert isinstance(pictures, dict)
    assert (pictures["photo"]["looked_at"], pictures["photo"]["found"]) == (4, 4)
    assert (pictures["sketch"]["looked_at"], pictures["sketch"]["found"]) == (4, 3)
    apart = np.hypot(0.6 * 64, 0.1 * 64)
    assert pictures["photo"]["scale"]["median"] == pytest.approx(2 * 50 / apart, rel=1e-3)
    assert pictures["photo"]["angle_degrees"]["most"] == pytest.approx(np.degrees(np.arctan2(0.1, 0.6)), abs=1e-3)


def test_the_contact_sheet_shows_what_was_written(arrange: Callable[..., Path], tmp_path: Path) -> None:
    source = arrange(tmp_path / "set", train=5, validation=0, test=0)
    align_folders([source], tmp_path / "out", FINDER)
    page = np.asarray(open_image(tmp_path / "out" / "contact.png"), dtype=float)
    first = (
        open_image(tmp_path / "out" / rows(tmp_path / "out")[0]["photo"])
        .convert("RGB")
        .resize((160, 200), Image.Resampling.LANCZOS)
    )
    differences = [
        np.abs(page[top : top + 200, left : left + 160] - np.asarray(first)).mean()
        for top in range(0, 40)
        for left in range(0, 20)
    ]
    assert min(differences) < 1.0
    assert page.shape[0] > 2 * 200  # five pairs, four of them in a row


def test_several_sets_become_one(arrange: Callable[..., Path], tmp_path: Path) -> None:
    one = arrange(tmp_path / "cuhk", train=2, validation=0, test=0)
    two = arrange(tmp_path / "fs2k", train=2, validation=0, test=0)
    add_column(two, "style", "1")
    done = align_folders([one, two], tmp_path / "out", FINDER)
    stems = [row["stem"] for row in rows(one)]
    table = rows(tmp_path / "out")
    assert done.pairs == len(table) == 4
    assert [row["stem"] for row in table] == [f"{name}-{stem}" for name in ("cuhk", "fs2k") for stem in stems]
    assert [row["subject"] for row in table] == [row["stem"] for row in table]
    assert [(row["set"], row["style"]) for row in table] == [("cuhk", "cuhk")] * 2 + [("fs2k", "fs2k-1")] * 2
    assert len(index(tmp_path / "out").pairs) == 4


def test_stems_that_only_one_set_has_keep_their_names(arrange: Callable[..., Path], tmp_path: Path) -> None:
    one = arrange(tmp_path / "cuhk", train=2, validation=0, test=0)
    two = arrange(tmp_path / "fs2k", train=2, validation=0, test=0)
    with (two / "pairs.csv").open(encoding="utf-8") as file:
        text = file.read()
    first = rows(two)[0]["stem"]
    (two / "pairs.csv").write_text(text.replace(f"\n{first},{first},", "\nanna,anna,"), encoding="utf-8")
    names = {unit.name for unit in plan([one, two], ".png")}
    second = rows(one)[1]["stem"]
    assert names == {first, f"cuhk-{second}", "anna", f"fs2k-{second}"}


def test_a_style_is_kept_as_it_is_in_a_single_set(arrange: Callable[..., Path], tmp_path: Path) -> None:
    source = arrange(tmp_path / "fs2k", train=1, validation=0, test=0)
    add_column(source, "style", "2")
    assert plan([source], ".png")[0].row["style"] == "2"
    assert "set" not in plan([source], ".png")[0].row


def test_a_plain_folder_keeps_its_tree(faces: Path, tmp_path: Path) -> None:
    album = tmp_path / "album"
    (album / "summer").mkdir(parents=True)
    pictures = sorted((faces / "photos").iterdir())
    shutil.copyfile(pictures[0], album / "anna.png")
    open_image(pictures[0]).save(album / "anna.jpg")
    shutil.copyfile(pictures[1], album / "summer" / "ben.png")
    done = align_folders([album], tmp_path / "out", FINDER, suffix=".jpg")
    made = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert made == {"anna.jpg.jpg", "anna.png.jpg", "summer/ben.jpg", "report.json", "contact.png"}
    assert (done.pairs, len(done.kept)) == (0, 3)
    assert open_image(tmp_path / "out" / "summer" / "ben.jpg").size == (200, 250)


def test_two_folders_of_one_name_get_two_names(faces: Path, tmp_path: Path) -> None:
    for place in ("a/album", "b/album"):
        (tmp_path / place).mkdir(parents=True)
        shutil.copyfile(faces / "photos" / "face-0001.png", tmp_path / place / "anna.png")
    units = plan([tmp_path / "a/album", tmp_path / "b/album"], ".png")
    assert [str(unit.pictures[0].place) for unit in units] == ["album/anna.png", "album-2/anna.png"]


def test_no_two_folders_get_one_name(faces: Path, tmp_path: Path) -> None:
    places = [tmp_path / place for place in ("a/x-3", "b/x", "c/x", "d/photos", "e/contact.png")]
    for place in places:
        place.mkdir(parents=True)
        shutil.copyfile(faces / "photos" / "face-0001.png", place / "anna.png")
    names = [unit.pictures[0].place.parts[0] for unit in plan(places, ".png")]
    assert names == ["x-3", "x", "x-2", "photos", "contact.png-2"]
    beside_pairs = [unit.pictures[0].place for unit in plan([faces, places[3]], ".png")]
    assert beside_pairs[-1].parts[0] == "photos-2"
    assert len(set(beside_pairs)) == len(beside_pairs)


def test_a_stem_with_its_set_in_front_is_unique(arrange: Callable[..., Path], tmp_path: Path) -> None:
    one = arrange(tmp_path / "a", train=1, validation=0, test=0)
    two = arrange(tmp_path / "b", train=2, validation=0, test=0)
    for folder in (one, two):
        text = (folder / "pairs.csv").read_text(encoding="utf-8")
        for row, name in zip(rows(folder), ("1", "a-1"), strict=False):
            text = text.replace(f"\n{row['stem']},{row['subject']},", f"\n{name},{name},")
        (folder / "pairs.csv").write_text(text, encoding="utf-8")
    done = align_folders([one, two], tmp_path / "out", FINDER)
    assert [(row["stem"], row["subject"]) for row in rows(tmp_path / "out")] == [
        ("a-1-2", "a-1-2"),
        ("b-1", "b-1"),
        ("a-1", "a-1"),
    ]
    assert done.pairs == len(index(tmp_path / "out").pairs) == len(list((tmp_path / "out" / "photos").iterdir())) == 3


def test_no_picture_takes_the_place_of_another_or_of_the_contact_sheet(faces: Path, tmp_path: Path) -> None:
    album, picture = tmp_path / "album", open_image(faces / "photos" / "face-0001.png")
    for name in ("contact.jpg", "report.json/b.png", "sub/contact.png", "a.jpg", "a.png", "a.png.bmp"):
        (album / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(album / name)
    done = align_folders([album], tmp_path / "out", FINDER)
    places = {str(unit.pictures[0].source.path.relative_to(album)): str(unit.pictures[0].place) for unit in done.kept}
    assert places == {
        "a.jpg": "a.jpg.png",
        "a.png": "a.png-2.png",
        "a.png.bmp": "a.png.png",
        "contact.jpg": "picture-contact.png",
        "report.json/b.png": "picture-report.json/b.png",
        "sub/contact.png": "sub/contact.png",
    }
    assert {open_image(tmp_path / "out" / place).size for place in places.values()} == {(200, 250)}
    assert open_image(tmp_path / "out" / "contact.png").size != (200, 250)


def test_what_the_output_would_overlap_is_refused(faces: Path, tmp_path: Path) -> None:
    for out in (faces, faces / "aligned", faces.parent):
        with pytest.raises(OutputError, match="overlaps"):
            align_folders([faces], out, FINDER)
    assert not (faces / "aligned").exists()


def test_nothing_is_written_where_no_face_is_found(tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    Image.new("L", (64, 64), 3).save(tmp_path / "night" / "a.png")
    with pytest.raises(FaceError, match=r"none of 1 could be aligned; the first: .*a\.png: no face found"):
        align_folders([tmp_path / "night"], tmp_path / "out", FINDER)
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture in it"):
        align_folders([tmp_path / "empty"], tmp_path / "out", FINDER)


def test_a_list_of_pairs_that_names_nothing_is_not_taken_for_an_album(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "pairs.csv").write_text("photo,sketch\na.png,b.png\n", encoding="utf-8")
    with pytest.raises(DataError, match="no pairs"):
        align_folders([tmp_path / "set"], tmp_path / "out", FINDER)


def test_progress_is_called_after_every_unit(arrange: Callable[..., Path], tmp_path: Path) -> None:
    source = arrange(tmp_path / "set", train=3, validation=0, test=0)
    Image.new("L", (64, 64), 3).save(source / rows(source)[0]["sketch"])
    told: list[tuple[int, int]] = []
    align_folders([source], tmp_path / "out", FINDER, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
