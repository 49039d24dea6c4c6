"""The table of people is read as spreadsheets write it, and every line that cannot be understood is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesketch.errors import DataError
from facesketch.search.people import match, read_people


def _table(folder: Path, text: str | bytes) -> Path:
    path = folder / "people.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("parted", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_it_is_read_however_a_spreadsheet_writes_it(tmp_path: Path, parted: str, ending: str, mark: str) -> None:
    lines = [["file", "id", "label", "born"], ["a.jpg", "7", "Müller", "1970"], ["b/c.jpg", "8", "", ""]]
    text = mark + ending.join(parted.join(line) for line in lines) + ending
    assert read_people(_table(tmp_path, text)) == {"a.jpg": ("7", "Müller"), "b/c.jpg": ("8", "8")}


def test_labels_and_other_orders_of_columns_are_welcome(tmp_path: Path) -> None:
    assert read_people(_table(tmp_path, "id,file\n7, a.jpg \n")) == {"a.jpg": ("7", "7")}
    quoted = 'file,id,label\n"a, b.jpg",7,"Ann ""Red"" Lee"\n'
    assert read_people(_table(tmp_path, quoted)) == {"a, b.jpg": ("7", 'Ann "Red" Lee')}


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
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = _table(tmp_path, text)
    with pytest.raises(DataError) as raised:
        read_people(path)
    assert said in str(raised.value)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_people(tmp_path / "nobody.csv")


def test_names_are_matched_as_they_are_or_from_the_first_folder_that_has_them(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    keys = {str(first / "a.jpg"), str(second / "a.jpg"), str(second / "b.jpg")}
    people = {name: (name, name) for name in ("a.jpg", "../second/b.jpg", str(second / "a.jpg"), "none.jpg")}
    found, unmatched = match(people, keys, [first, second])
    assert {key: person[0] for key, person in found.items()} == {
        str(first / "a.jpg"): "a.jpg",
        str(second / "b.jpg"): "../second/b.jpg",
        str(second / "a.jpg"): str(second / "a.jpg"),
    }
    assert unmatched == ["none.jpg"]
