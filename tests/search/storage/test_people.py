"""The table of people is read as spreadsheets write it, and every line that cannot be understood is named."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from facesketch.data.index import index
from facesketch.data.layouts.tree import fold
from facesketch.errors import DataError
from facesketch.search.storage.people import Person, match, read_people


def _table(folder: Path, text: str | bytes) -> Path:
    path = folder / "people.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("parted", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_tables_of_any_spreadsheet_are_read(tmp_path: Path, parted: str, ending: str, mark: str) -> None:
    lines = [["file", "id", "label", "born"], ["a.jpg", "7", "Müller", "1970"], ["b/c.jpg", "8", "", ""]]
    text = mark + ending.join(parted.join(line) for line in lines) + ending
    assert read_people(_table(tmp_path, text)) == {
        "a.jpg": ("7", "Müller", ("born", "born=1970")),
        "b/c.jpg": ("8", "8", ()),
    }


def test_labels_and_other_orders_of_columns_are_welcome(tmp_path: Path) -> None:
    assert read_people(_table(tmp_path, "id,file\n7, a.jpg \n")) == {"a.jpg": ("7", "7", ())}
    quoted = 'file,id,label\n"a, b.jpg",7,"Ann ""Red"" Lee"\n'
    assert read_people(_table(tmp_path, quoted)) == {"a, b.jpg": ("7", 'Ann "Red" Lee', ())}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column 'file', only nothing"),
        ("name,id\na,1\n", "no column 'file', only name, id"),
        ("file,label\na,1\n", "no column 'id'"),
        ("file,id\na.jpg,\n", "line 2 has no id"),
        ("file,id\na.jpg,1\n,2\n", "line 3 has no file"),
        ("file,id\na.jpg,1\na.jpg,2\n", "line 3 gives a.jpg a second id"),
        ('file,id\n"a.jpg,1\n', "is not CSV"),
        (b"file,id\n\xff\xfe,1\n", "not text in UTF-8"),
    ],
)
def test_a_wrong_table_is_an_error_of_one_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = _table(tmp_path, text)
    with pytest.raises(DataError) as raised:
        read_people(path)
    assert said in str(raised.value)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_people(tmp_path / "nobody.csv")


def test_names_are_matched_as_they_are_or_from_the_first_folder_that_has_them(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    keys = {str(first / "a.jpg"), str(second / "a.jpg"), str(second / "b.jpg")}
    people = {name: Person(name, name) for name in ("a.jpg", "../second/b.jpg", str(second / "a.jpg"), "none.jpg")}
    found, unmatched = match(people, keys, [first, second])
    assert {key: person[0] for key, person in found.items()} == {
        str(first / "a.jpg"): "a.jpg",
        str(second / "b.jpg"): "../second/b.jpg",
        str(second / "a.jpg"): str(second / "a.jpg"),
    }
    assert unmatched == ["none.jpg"]


@pytest.mark.parametrize(
    "name",
    [
        "./a/B.png",
        ".\\a\\B.png",
        "A/b.PNG",
        "a\\b.png",
        "a//B.png",
        "Photos/A/B.png",
        unicodedata.normalize("NFD", "ä/b.png"),
    ],
)
def test_names_are_taken_as_pairs_csv_takes_them(name: str, tmp_path: Path) -> None:
    keys = {str(tmp_path / "a" / "B.png"), str(tmp_path / "photos" / "a" / "B.png"), str(tmp_path / "ä" / "b.png")}
    found, unmatched = match({name: Person("1", "1")}, keys, [tmp_path])
    assert (len(found), unmatched) == (1, [])
    assert fold(next(iter(found))).endswith(fold(name.replace("\\", "/").replace("//", "/").removeprefix(".")))


def test_photos_that_differ_in_letter_case_alone_need_their_own_names(tmp_path: Path) -> None:
    keys = {str(tmp_path / "a.png"), str(tmp_path / "A.png")}
    assert match({"A.png": Person("1", "1")}, keys, [tmp_path])[0] == {str(tmp_path / "A.png"): Person("1", "1")}
    assert match({"A.PNG": Person("1", "1")}, keys, [tmp_path]) == ({}, ["A.PNG"])


def test_one_photo_has_one_id(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two ids, 1 and 2"):
        match({"a.png": Person("1", "1"), "A.png": Person("2", "2")}, {str(tmp_path / "a.png")}, [tmp_path])


HEADS = ["{0},{1}", " {0} , {1} ", "{0};{1}", "{0}\t{1}", "\ufeff{0},{1}", "\ufeff {0} ;{1}"]


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("head", HEADS)
def test_both_tables_are_read_by_one_reader(head: str, upper: bool, tmp_path: Path) -> None:
    parted = next((mark for mark in ";\t" if mark in head), ",")
    names = {"people": ("file", "id"), "pairs": ("photo", "sketch")}
    for table, columns in names.items():
        first = head.format(*(name.title() if upper else name for name in columns))
        (tmp_path / f"{table}.csv").write_text(f"{first}\n\n x/a.png {parted} y/b.png \n", encoding="utf-8")
    assert read_people(tmp_path / "people.csv") == {"x/a.png": Person("y/b.png", "y/b.png")}
    for place in ("x/A.png", "y/b.png"):
        (tmp_path / place).parent.mkdir()
        (tmp_path / place).write_bytes(b"a picture")
    assert [pair.stem for pair in index(tmp_path).pairs] == ["a"]
