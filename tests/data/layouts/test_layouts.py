from __future__ import annotations

import bz2
import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from facesketch.data.index import Index, index
from facesketch.data.layouts.tree import subject_of
from facesketch.data.pairs import NoPairsError
from facesketch.errors import DataError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def rows(found: Index) -> dict[str, tuple[str, str]]:
    """Return (photo, sketch) by stem, as paths relative to the folder."""
    return {
        pair.stem: (
            pair.photo.path.relative_to(found.folder).as_posix(),
            pair.sketch.path.relative_to(found.folder).as_posix(),
        )
        for pair in found.pairs
    }


def sides(found: Index) -> dict[str, str | None]:
    return {pair.stem: pair.split for pair in found.pairs}


def subjects(found: Index) -> dict[str, str]:
    return {pair.stem: pair.subject for pair in found.pairs}


class TestPairsCsv:
    def write(self, folder: Path, text: str, *, encoding: str = "utf-8") -> Path:
        (folder / "pairs.csv").write_text(text, encoding=encoding)
        return touch(folder, "photos/a.jpg", "photos/b.jpg", "sketches/a.jpg", "sketches/b.jpg")

    def test_columns_become_stem_split_and_attributes(self, tmp_path: Path) -> None:
        text = "stem,split,photo,sketch,gender\none,train,photos/a.jpg,sketches/a.jpg,f\n"
        found = index(self.write(tmp_path, text + "two,val,photos/b.jpg,sketches/b.jpg,m\n"))
        assert found.layout == "pairs.csv"
        assert rows(found) == {"one": ("photos/a.jpg", "sketches/a.jpg"), "two": ("photos/b.jpg", "sketches/b.jpg")}
        assert sides(found) == {"one": "train", "two": "validation"}
        assert [pair.attributes for pair in found.pairs] == [{"gender": "f"}, {"gender": "m"}]

    def test_the_list_may_pair_names_that_differ_and_name_subjects(self, tmp_path: Path) -> None:
        text = "photo,sketch,subject\nphotos/a.jpg,sketches/b.jpg,anna\nphotos/b.jpg,sketches/a.jpg,anna\n"
        found = index(self.write(tmp_path, text))
        assert rows(found) == {"a": ("photos/a.jpg", "sketches/b.jpg"), "b": ("photos/b.jpg", "sketches/a.jpg")}
        assert found.subjects == ("anna",)
        assert set(sides(found).values()) == {None}

    def test_spreadsheets_and_windows(self, tmp_path: Path) -> None:
        text = "Stem;Photo;Sketch\r\none;photos\\A.JPG; sketches/a.jpg \r\n;;\r\n"
        assert rows(index(self.write(tmp_path, text, encoding="utf-8-sig"))) == {
            "one": ("photos/a.jpg", "sketches/a.jpg")
        }

    @pytest.mark.parametrize(
        "path", ["../x.jpg", "photos/../../x.jpg", "/etc/x.jpg", "C:\\x.jpg", "C:x.jpg", "\\\\host\\x.jpg", ""]
    )
    def test_paths_never_leave_the_folder(self, tmp_path: Path, path: str) -> None:
        with pytest.raises(DataError, match=r"line 3: path .* expected one inside the folder"):
            index(self.write(tmp_path, f"stem,photo,sketch\nx,photos/a.jpg,sketches/a.jpg\ny,{path},sketches/b.jpg\n"))

    @pytest.mark.parametrize("stem", ["../x", "a/b", "a\\b", ".hidden"])
    def test_stems_are_plain_names(self, tmp_path: Path, stem: str) -> None:
        with pytest.raises(DataError, match=r"line 2: stem .* expected a plain name"):
            index(self.write(tmp_path, f"stem,photo,sketch\n{stem},photos/a.jpg,sketches/a.jpg\n"))

    def test_an_unknown_split_and_missing_columns_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="split 'holdout'; expected train, validation or test"):
            index(self.write(tmp_path, "split,photo,sketch\nholdout,photos/a.jpg,sketches/a.jpg\n"))
        with pytest.raises(DataError, match=r"no column 'sketch', only photo, drawing; expected .* photo,sketch"):
            index(self.write(tmp_path, "photo,drawing\nphotos/a.jpg,sketches/a.jpg\n"))

    def test_a_list_in_another_encoding_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="not text in UTF-8"):
            index(self.write(tmp_path, "photo,sketch,who\nphotos/a.jpg,sketches/a.jpg,Zoë\n", encoding="latin-1"))

    def test_missing_files_and_repeated_stems_are_reported(self, tmp_path: Path) -> None:
        text = "stem,photo,sketch\na,photos/a.jpg,sketches/a.jpg\na,photos/b.jpg,sketches/b.jpg\n"
        found = index(self.write(tmp_path, text + "c,photos/b.jpg,sketches/c.jpg\n"))
        assert list(rows(found)) == ["a"]
        assert found.duplicates == (("photos/a.jpg", "photos/b.jpg"),)
        assert found.unreadable == ("sketches/c.jpg: no such file",)
        assert (found.orphan_photos, found.orphan_sketches) == (("photos/b.jpg",), ())

    def test_a_photo_with_two_sketches_needs_stems(self, tmp_path: Path) -> None:
        text = "photo,sketch\nphotos/a.jpg,sketches/a.jpg\nphotos/a.jpg,sketches/b.jpg\n"
        found = index(self.write(tmp_path, text))
        assert (list(rows(found)), found.duplicates) == (["a"], (("sketches/a.jpg", "sketches/b.jpg"),))

    def test_stems_of_one_name_in_two_cases_are_one(self, tmp_path: Path) -> None:
        text = "stem,photo,sketch\nA,photos/a.jpg,sketches/a.jpg\na,photos/b.jpg,sketches/b.jpg\n"
        assert list(rows(index(self.write(tmp_path, text)))) == ["A"]

    def test_the_list_is_found_in_any_letter_case(self, tmp_path: Path) -> None:
        folder = self.write(tmp_path, "split,photo,sketch\ntest,photos/a.jpg,sketches/a.jpg\n")
        (folder / "pairs.csv").rename(folder / "Pairs.CSV")
        found = index(folder)
        assert (sides(found), found.passed_over) == ({"a": "test"}, ())

    def test_a_name_too_long_for_a_file_is_a_missing_file(self, tmp_path: Path) -> None:
        name = "photos/" + "x" * 5000
        text = f"stem,photo,sketch\na,photos/a.jpg,sketches/a.jpg\nb,{name},sketches/b.jpg\n"
        assert index(self.write(tmp_path, text)).unreadable == (f"{name}: no such file",)

    def test_a_list_that_cannot_be_read_is_not_passed_over(self, tmp_path: Path) -> None:
        folder = touch(tmp_path, "photos/a.jpg", "sketches/a.jpg")
        (folder / "pairs.csv").symlink_to("moved.csv")
        with pytest.raises(DataError, match="cannot be read"):
            index(folder)

    def test_a_list_of_nothing_is_not_passed_over(self, tmp_path: Path) -> None:
        with pytest.raises(NoPairsError):
            index(self.write(tmp_path, "stem,photo,sketch\nx,photos/x.jpg,sketches/x.jpg\n"))


class TestPhotosAndSketches:
    @pytest.mark.parametrize("pattern", ["{side}/{kind}/{name}", "{kind}/{side}/{name}"])
    def test_sides_above_and_below(self, tmp_path: Path, pattern: str) -> None:
        for side, name in (("train", "a"), ("val", "b"), ("Testing", "c")):
            for kind in ("photos", "sketches"):
                touch(tmp_path, pattern.format(side=side, kind=kind, name=f"{name}.jpg"))
        assert sides(index(tmp_path)) == {"a": "train", "b": "validation", "c": "test"}

    def test_a_side_on_one_kind_alone_counts(self, tmp_path: Path) -> None:
        found = index(touch(tmp_path, "photos/test/a.jpg", "sketches/a.jpg"))
        assert sides(found) == {"a": "test"}

    def test_equal_names_on_different_sides_are_different_pairs(self, tmp_path: Path) -> None:
        names = [f"{side}/{kind}/1.jpg" for side in ("train", "test") for kind in ("photo", "sketch")]
        found = index(touch(tmp_path, *names))
        assert rows(found) == {
            "test-1": ("test/photo/1.jpg", "test/sketch/1.jpg"),
            "train-1": ("train/photo/1.jpg", "train/sketch/1.jpg"),
        }
        assert subjects(found) == {"test-1": "test-1", "train-1": "train-1"}

    def test_contradicting_sides_do_not_pair(self, tmp_path: Path) -> None:
        touch(tmp_path, "photos/train/a.jpg", "sketches/test/a.jpg", "photos/b.jpg", "sketches/b.jpg")
        found = index(tmp_path)
        assert list(rows(found)) == ["b"]
        assert found.orphan_photos == ("photos/train/a.jpg",)
        assert found.orphan_sketches == ("sketches/test/a.jpg",)

    def test_folders_below_keep_equal_names_apart(self, tmp_path: Path) -> None:
        names = [f"{kind}/{who}/1.jpg" for kind in ("photos", "sketches") for who in ("anna", "ben")]
        found = index(touch(tmp_path, *names))
        assert rows(found) == {
            "anna-1": ("photos/anna/1.jpg", "sketches/anna/1.jpg"),
            "ben-1": ("photos/ben/1.jpg", "sketches/ben/1.jpg"),
        }

    def test_photo_and_sketch_folders_may_differ(self, tmp_path: Path) -> None:
        found = index(touch(tmp_path, "photos/jpg/a.jpg", "sketches/png/a.png"))
        assert rows(found) == {"a": ("photos/jpg/a.jpg", "sketches/png/a.png")}

    def test_what_could_go_with_two_goes_with_neither(self, tmp_path: Path) -> None:
        touch(tmp_path, "photos/x/a.jpg", "photos/y/a.jpg", "sketches/z/a.jpg", "photos/b.jpg", "sketches/b.jpg")
        touch(tmp_path, "photos/x/c.jpg", "sketches/y/c.jpg", "sketches/z/c.jpg")
        found = index(tmp_path)
        assert list(rows(found)) == ["b"]
        assert found.orphan_photos == ("photos/x/a.jpg", "photos/x/c.jpg", "photos/y/a.jpg")
        assert found.orphan_sketches == ("sketches/y/c.jpg", "sketches/z/a.jpg", "sketches/z/c.jpg")

    def test_the_kaggle_copy_of_cuhk(self, tmp_path: Path) -> None:
        names = [
            "photos/f-005-01.jpg",
            "sketches/F2-005-01-sz1.jpg",
            "photos/f1-001-01.jpg",
            "sketches/f1-001-01-sz1.jpg",
        ]
        found = index(touch(tmp_path, *names))
        assert rows(found) == {"f1-001-01": (names[2], names[3]), "f2-005-01": (names[0], names[1])}
        assert subjects(found) == {"f1-001-01": "f1-001", "f2-005-01": "f2-005"}

    def test_a_second_series_beside_the_first_stays_apart(self, tmp_path: Path) -> None:
        touch(tmp_path, "photos/f-005-01.jpg", "sketches/f-005-01-sz1.jpg", "sketches/F2-005-01-sz1.jpg")
        found = index(tmp_path)
        assert list(rows(found)) == ["f-005-01"]
        assert found.orphan_sketches == ("sketches/F2-005-01-sz1.jpg",)


class TestCuhk:
    @pytest.mark.parametrize(
        ("photos", "sketches"),
        [
            ("CUHK_training_photo", "CUHK_training_sketch"),
            ("CUHK_training_photo/photo", "CUHK_training_sketch/sketch"),
            ("CUHK_training_cropped_photos/photos", "CUHK_training_cropped_sketches/sketches"),
            ("cuhk_training_photo/training photo", "CUHK_training_sketch/training sketch"),
        ],
    )
    def test_the_downloads_as_they_unpack(self, tmp_path: Path, photos: str, sketches: str) -> None:
        touch(tmp_path, f"{photos}/f2-005-01.jpg", f"{sketches}/F2-005-01-sz1.jpg")
        test_photos, test_sketches = photos.replace("training", "testing"), sketches.replace("training", "testing")
        touch(tmp_path, f"{test_photos}/f-039-01.jpg", f"{test_sketches}/f-039-01-sz1.jpg")
        found = index(tmp_path)
        assert found.layout == "cuhk"
        assert sides(found) == {"f-039-01": "test", "f2-005-01": "train"}
        assert subjects(found) == {"f-039-01": "f-039", "f2-005-01": "f2-005"}

    def test_cropped_photos_do_not_go_with_uncropped_sketches(self, tmp_path: Path) -> None:
        with pytest.raises(NoPairsError):
            index(touch(tmp_path, "CUHK_training_cropped_photos/f-005-01.jpg", "CUHK_training_sketch/f-005-01.jpg"))

    def test_cropped_and_uncropped_pictures_are_never_mixed(self, tmp_path: Path) -> None:
        for name in ("f-039-01", "f-040-01"):
            for words in ("", "cropped_"):
                touch(
                    tmp_path, f"CUHK_testing_{words}photos/{name}.jpg", f"CUHK_testing_{words}sketches/{name}-sz1.jpg"
                )
        found = index(tmp_path)
        assert all("cropped" in path for both in rows(found).values() for path in both)
        assert found.duplicates == ()
        assert found.notes == ("the folder holds cropped and uncropped pictures; the cropped ones are used",)

    def test_the_variant_with_more_pairs_is_used(self, tmp_path: Path) -> None:
        touch(tmp_path, "CUHK_testing_cropped_photos/f-039-01.jpg", "CUHK_testing_cropped_sketches/f-039-01-sz1.jpg")
        for name in ("f-039-01", "f-040-01"):
            touch(tmp_path, f"CUHK_testing_photo/{name}.jpg", f"CUHK_testing_sketch/{name}-sz1.jpg")
        found = index(tmp_path)
        assert list(rows(found)) == ["f-039-01", "f-040-01"]
        assert not any("cropped" in path for both in rows(found).values() for path in both)

    def test_other_sets_of_cufs_beside_it_keep_their_names_apart(self, tmp_path: Path) -> None:
        touch(tmp_path, "CUHK_testing_photo/m-001-01.jpg", "CUHK_testing_sketch/m-001-01-sz1.jpg")
        touch(tmp_path, "AR_photo/m-001-01.jpg", "AR_sketch/m-001-01-sz1.jpg")
        found = index(tmp_path)
        assert rows(found)["ar-m-001-01"] == ("AR_photo/m-001-01.jpg", "AR_sketch/m-001-01-sz1.jpg")
        assert rows(found)["m-001-01"] == ("CUHK_testing_photo/m-001-01.jpg", "CUHK_testing_sketch/m-001-01-sz1.jpg")
        assert sides(found) == {"ar-m-001-01": None, "m-001-01": "test"}
        assert found.subjects == ("ar-m-001", "m-001")


@pytest.mark.parametrize(
    ("stem", "subject"),
    [
        ("f-005-01", "f-005"),
        ("m1-010-01", "m1-010"),
        ("000_1_1", "000"),
        ("00001fa010_930831", "00001"),
        ("00043fb001d_931230", "00043"),
        ("00001_930831_fb", "00001"),
        ("1-0110", "1-0110"),
        ("img-01", "img-01"),
        ("anna", "anna"),
    ],
)
def test_subjects_come_from_the_names_of_known_sets_only(stem: str, subject: str) -> None:
    assert subject_of(stem) == subject


class TestCufsf:
    LIST = "names_of_photos_used_for_drawing_sketches.txt"

    def ppm(self, path: Path, grey: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = io.BytesIO()
        Image.new("RGB", (16, 24), (grey, grey, grey)).save(data, "PPM")
        path.write_bytes(bz2.compress(data.getvalue()) if path.suffix == ".bz2" else data.getvalue())

    def test_listed_grey_names_find_colour_photos(self, tmp_path: Path) -> None:
        (tmp_path / self.LIST).write_text("feret/00001fb010_930831.tif\n\n00002fa010_930831\r\n")
        touch(tmp_path, "original_sketch/00001.jpg", "original_sketch/00002.jpg")
        self.ppm(tmp_path / "dvd1/images/00001/00001_930831_fb.ppm.bz2", 40)
        self.ppm(tmp_path / "dvd1/images/00001/00001_930831_fa.ppm.bz2", 50)
        self.ppm(tmp_path / "dvd1/images/00001/00001_940422_fb.ppm.bz2", 60)
        self.ppm(tmp_path / "dvd1/images/00002/00002_930831_fa_a.ppm", 70)
        found = index(tmp_path)
        assert found.layout == "cufsf"
        assert rows(found) == {
            "00001": ("dvd1/images/00001/00001_930831_fb.ppm.bz2", "original_sketch/00001.jpg"),
            "00002": ("dvd1/images/00002/00002_930831_fa_a.ppm", "original_sketch/00002.jpg"),
        }
        assert found.orphan_photos == ()  # FERET holds thousands that nobody drew
        assert found.pairs[0].photo.open().getpixel((3, 3)) == (40, 40, 40)

    def test_a_list_in_the_order_of_the_sketches(self, tmp_path: Path) -> None:
        (tmp_path / "list.txt").write_text("# photos\n00005fa010_930831\n00003fb010_930831\n")
        touch(
            tmp_path,
            "sketches/s1.jpg",
            "sketches/s2.jpg",
            "photos/00003fb010_930831.ppm",
            "photos/00005fa010_930831.ppm",
        )
        found = index(tmp_path)
        assert rows(found)["s1"][0] == "photos/00005fa010_930831.ppm"
        assert rows(found)["s2"][0] == "photos/00003fb010_930831.ppm"
        assert subjects(found) == {"s1": "00005", "s2": "00003"}

    def test_a_list_of_another_length_is_not_guessed_at(self, tmp_path: Path) -> None:
        (tmp_path / "list.txt").write_text("00005fa010_930831\n00003fb010_930831\n")
        touch(tmp_path, "sketches/s1.jpg", "photos/00003fb010_930831.ppm")
        with pytest.raises(DataError, match="names 2 FERET photos, but the folder holds 1 sketch"):
            index(tmp_path)

    def test_what_is_missing_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / "list.txt").write_text("".join(f"0000{n}fa010_930831\n" for n in (1, 2, 3)))
        touch(tmp_path, "original_sketch/00001.jpg", "original_sketch/00002.jpg", "original_sketch/00009.jpg")
        touch(tmp_path, "feret/00001fa010_930831.ppm", "feret/00003fa010_930831.ppm", "feret/00004fa010_930831.ppm")
        found = index(tmp_path)
        assert list(rows(found)) == ["00001"]
        assert found.orphan_sketches == ("original_sketch/00002.jpg", "original_sketch/00009.jpg")
        assert found.orphan_photos == ("feret/00003fa010_930831.ppm",)

    def test_without_a_list_a_subject_with_one_photo_is_certain(self, tmp_path: Path) -> None:
        touch(tmp_path, "sketch/00001.jpg", "sketch/00002fb010_930831.jpg", "sketch/00003.jpg")
        touch(tmp_path, "photo/00001fa010_930831.ppm", "photo/00002fa010_930831.ppm", "photo/00002fb010_930831.PPM")
        touch(tmp_path, "photo/00003fa010_930831.ppm", "photo/00003fb010_930831.ppm")
        found = index(tmp_path)
        assert rows(found) == {
            "00001": ("photo/00001fa010_930831.ppm", "sketch/00001.jpg"),
            "00002fb010_930831": ("photo/00002fb010_930831.PPM", "sketch/00002fb010_930831.jpg"),
        }
        assert subjects(found) == {"00001": "00001", "00002fb010_930831": "00002"}
        assert found.orphan_sketches == ("sketch/00003.jpg",)

    def test_original_sketches_come_before_cropped_ones_and_copies_are_reported(self, tmp_path: Path) -> None:
        (tmp_path / "list.txt").write_text("00001fa010_930831\n")
        touch(tmp_path, "original_sketch/00001.jpg", "cropped_sketch/00001.jpg")
        touch(tmp_path, "feret/00001fa010_930831.ppm", "feret/00001fa010_930831.tif")
        found = index(tmp_path)
        assert rows(found) == {"00001": ("feret/00001fa010_930831.ppm", "original_sketch/00001.jpg")}
        assert found.duplicates == (("feret/00001fa010_930831.ppm", "feret/00001fa010_930831.tif"),)
        assert found.orphan_sketches == ()

    def test_numbers_alone_are_an_ordinary_folder(self, tmp_path: Path) -> None:
        found = index(touch(tmp_path, "photos/00001.jpg", "sketches/00001.jpg"))
        assert (found.layout, list(rows(found))) == ("photos-sketches", ["00001"])


class TestFs2k:
    def entry(self, name: str, **others: object) -> Mapping[str, object]:
        return {"image_name": name, "gender": 1, "skin_patch": [163, 139], **others}

    def fill(self, folder: Path) -> Path:
        (folder / "anno_train.json").write_text(json.dumps([self.entry("photo1/image0110", style=0)]))
        (folder / "anno_test.json").write_text(json.dumps([self.entry("photo3/image0007", style=2)]))
        touch(folder, "photo/photo1/image0110.jpg", "sketch/sketch1/sketch0110.jpg")
        return touch(folder, "photo/photo3/image0007.PNG", "sketch/sketch3/sketch0007.jpg")

    def test_numbered_folders_and_annotations(self, tmp_path: Path) -> None:
        found = index(self.fill(tmp_path))
        assert found.layout == "fs2k"
        assert rows(found) == {
            "1-0110": ("photo/photo1/image0110.jpg", "sketch/sketch1/sketch0110.jpg"),
            "3-0007": ("photo/photo3/image0007.PNG", "sketch/sketch3/sketch0007.jpg"),
        }
        assert sides(found) == {"1-0110": "train", "3-0007": "test"}
        assert found.pairs[0].attributes == {"gender": "1", "skin_patch": "[163, 139]", "style": "0"}

    def test_one_folder_further_down_and_without_annotations(self, tmp_path: Path) -> None:
        touch(tmp_path, "FS2K/photo/photo2/image0001.jpg", "FS2K/sketch/sketch2/sketch0001.jpg")
        touch(tmp_path, "FS2K/photo/photo2/image0002.jpg", "FS2K/sketch/sketch2/sketch0003.jpg")
        found = index(tmp_path)
        assert sides(found) == {"2-0001": None}
        assert found.orphan_photos == ("FS2K/photo/photo2/image0002.jpg",)
        assert found.orphan_sketches == ("FS2K/sketch/sketch2/sketch0003.jpg",)

    def test_the_copies_that_its_own_script_makes(self, tmp_path: Path) -> None:
        for side, number in (("train", "0110"), ("test", "0111")):
            touch(tmp_path, f"{side}/photo/photo1_image{number}.jpg", f"{side}/sketch/sketch1_sketch{number}.jpg")
        assert sides(index(tmp_path)) == {"1-0110": "train", "1-0111": "test"}
        touch(tmp_path, "photo/photo1/image0110.jpg", "sketch/sketch1/sketch0110.jpg")
        found = index(tmp_path)
        assert rows(found) == {"1-0110": ("photo/photo1/image0110.jpg", "sketch/sketch1/sketch0110.jpg")}
        assert found.duplicates == ()

    def test_annotated_pictures_that_are_not_there_are_counted(self, tmp_path: Path) -> None:
        self.fill(tmp_path)
        (tmp_path / "anno_test.json").write_text(
            json.dumps([self.entry("photo2/image0042"), self.entry("photo2/image0041")])
        )
        assert index(tmp_path).notes == ("2 annotated pictures are not in the folder, such as 2-0041",)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "not JSON"),
            ("{}", "expected a list"),
            ('[{"image_name": "x"}]', "image_name 'x'; expected one such as"),
        ],
    )
    def test_foreign_annotations_are_refused(self, tmp_path: Path, text: str, said: str) -> None:
        self.fill(tmp_path)
        (tmp_path / "anno_train.json").write_text(text)
        with pytest.raises(DataError, match=said):
            index(tmp_path)
