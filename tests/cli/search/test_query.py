"""`facesketch search query`: what it prints, writes and draws, and how it refuses."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facesketch.search.answer import LEAD
from facesketch.search.gallery import Gallery
from facesketch.search.hit_sheet import hit_sheet

pytestmark = pytest.mark.usefixtures("by_pixels")


def _lines(gallery: Path) -> list[dict[str, Any]]:
    log = gallery / "queries.jsonl"
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []


def _hits(out: str) -> list[list[str]]:
    """Return the words of each row of the table."""
    rows = [line.split() for line in out.splitlines()]
    return [row for row in rows if len(row) > 3 and row[0].isdecimal() and row[-1] == "%"]


def test_query_lists_hits_verdict_and_warning(command: Callable[..., Any], gallery: Path, sketch: Path) -> None:
    answer = command("search", "query", sketch, "--gallery", gallery, "--top", "3")
    assert (answer.code, answer.err) == (0, "")
    places = _hits(answer.out)
    assert [row[0] for row in places] == ["1", "2", "3"]
    assert places[0][1] == "person-3"
    assert "1.000" in places[0]
    assert LEAD in answer.out.splitlines()
    assert "30 photos, version" in answer.out
    found = Gallery(gallery, query_log=False).search(sketch, 3)
    assert found.verdict in answer.out.splitlines()


def test_query_of_too_few_people_has_no_chances(
    command: Callable[..., Any], gallery: Path, sketch: Path, tmp_path: Path
) -> None:
    Gallery(gallery).remove([str(tmp_path / "photos" / f"person-{number}.png") for number in range(4, 30)])
    sheet, out = tmp_path / "hits.png", tmp_path / "hits.json"
    answer = command("search", "query", sketch, "--gallery", gallery, "--sheet", sheet, "--json", out)
    assert answer.code == 0
    assert "Too few people in the gallery" in answer.out
    assert "%" not in answer.out
    assert "chance" not in answer.out.splitlines()[0], "the table has no such column"
    said = json.loads(out.read_text(encoding="utf-8"))
    assert (said["absent"], said["elsewhere"]) == (None, None)
    assert {hit["chance"] for hit in said["hits"]} == {None}
    assert "Too few people" in said["verdict"]
    with Image.open(sheet) as page:
        assert page.width == 1456
    assert _lines(gallery)[-1]["absent"] is None, "the log says so as well"


def test_query_says_when_nobody_fits(
    command: Callable[..., Any], gallery: Path, tmp_path: Path, portrait: Callable[[int], Image.Image]
) -> None:
    portrait(82).save(tmp_path / "stranger.png")
    answer = command("search", "query", tmp_path / "stranger.png", "--gallery", gallery, "--prior", "0.001")
    assert answer.code == 0
    assert "Probably not in this gallery" in answer.out
    assert LEAD in answer.out


def test_query_writes_everything_as_json(
    command: Callable[..., Any], gallery: Path, sketch: Path, tmp_path: Path
) -> None:
    out = tmp_path / "made" / "hits.json"
    words = ("search", "query", sketch, "--gallery", gallery, "--top", "4", "--route", "direct", "--prior", "0.3")
    answer = command(*words, "--json", out)
    assert f"written: {out}" in answer.out
    said = json.loads(out.read_text(encoding="utf-8"))
    assert said["lead"] == LEAD
    assert (said["route"], said["prior"], said["size"]) == ("direct", 0.3, 30)
    assert [hit["place"] for hit in said["hits"]] == [1, 2, 3, 4]
    assert Path(said["hits"][0]["key"]).name == "person-3.png"
    assert said["hits"][0]["score"] == pytest.approx(1, abs=1e-4)
    assert sum(hit["chance"] for hit in said["hits"]) + said["elsewhere"] + said["absent"] == pytest.approx(1)
    assert said["verdict"] in answer.out
    printed = command(*words, "--json", "-")
    assert json.loads(printed.out) == said
    assert not list(out.parent.glob(".*"))


def test_query_draws_a_hit_sheet(
    command: Callable[..., Any],
    gallery: Path,
    photos: Path,
    sketch: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    portrait: Callable[[int], Image.Image],
) -> None:
    drawn: list[dict[str, Any]] = []

    def draw(answer: Any, pictures: Any, **names: str) -> Image.Image:
        drawn.append({"pictures": pictures, **names})
        return hit_sheet(answer, pictures, **names)

    monkeypatch.setattr("facesketch.search.hit_sheet.hit_sheet", draw)
    shutil.rmtree(photos)
    answer = command("search", "query", sketch, "--gallery", gallery, "--top", "2", "--sheet", tmp_path / "hits.png")
    assert answer.code == 0
    assert f"written: {tmp_path / 'hits.png'}" in answer.out
    assert (drawn[0]["gallery"], drawn[0]["probe"]) == (str(gallery), "sketch.png")
    assert [picture.convert("RGB").size for picture in drawn[0]["pictures"]] == [(40, 50), (40, 50)]
    shown = np.asarray(drawn[0]["pictures"][0].convert("RGB"), float)
    assert abs(shown - np.asarray(portrait(3), float)).mean() < 30, "the face of the first hit, its file being gone"
    with Image.open(tmp_path / "hits.png") as sheet:
        assert sheet.size[0] == 1456


def test_query_is_noted_unless_told_not_to(command: Callable[..., Any], gallery: Path, sketch: Path) -> None:
    command("search", "query", sketch, "--gallery", gallery, "--no-query-log")
    assert _lines(gallery) == []
    command("search", "query", sketch, "--gallery", gallery, "--top", "2", "--prior", "0.2", "--route", "to-photo")
    (line,) = _lines(gallery)
    assert (line["top"], line["prior"], line["route"], len(line["hits"])) == (2, 0.2, "to-photo", 2)


def test_query_reads_the_sketch_from_standard_input(
    command: Callable[..., Any], gallery: Path, sketch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--gallery", gallery, "--top", "3")
    expected = command("search", "query", sketch, *words)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(sketch.read_bytes())))
    out, drawn = tmp_path / "hits.json", tmp_path / "hits.png"
    answer = command("search", "query", "-", *words, "--json", out, "--sheet", drawn)
    assert (answer.code, _hits(answer.out)) == (0, _hits(expected.out))
    (asked,) = json.loads(out.read_text("utf-8"))["pictures"]
    assert asked == {"name": "-", "taken_for": "sketch", "turned": 0}
    assert drawn.exists()
    first, second = _lines(gallery)
    assert first["probes"] == second["probes"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(sketch.read_bytes())))
    printed = command("search", "query", "-", *words, "--json", "-")
    assert json.loads(printed.out) == json.loads(out.read_text("utf-8")), "both may be piped"


def test_query_asks_several_pictures_at_once(
    command: Callable[..., Any],
    refused: Callable[..., str],
    gallery: Path,
    sketch: Path,
    tmp_path: Path,
    portrait: Callable[[int], Image.Image],
) -> None:
    portrait(5).save(tmp_path / "other.png")
    out, sheet = tmp_path / "hits.json", tmp_path / "hits.png"
    words = ("search", "query", sketch, tmp_path / "other.png", "--gallery", gallery)
    assert command(*words, "--json", out, "--sheet", sheet).code == 0
    said = json.loads(out.read_text("utf-8"))
    assert [each["name"] for each in said["pictures"]] == [str(sketch), str(tmp_path / "other.png")]
    assert {Path(hit["key"]).name for hit in said["hits"][:2]} == {"person-3.png", "person-5.png"}
    assert len(_lines(gallery)[0]["probes"]) == 2
    assert sheet.exists()
    assert "no picture to search with" in refused("search", "query", "--gallery", gallery)
    assert "- is given twice" in refused("search", "query", "-", "-", "--gallery", gallery)
    assert "is the sketch itself" in refused(*words, "--sheet", tmp_path / "other.png")


def test_query_narrows_the_gallery(
    command: Callable[..., Any], refused: Callable[..., str], gallery: Path, sketch: Path, tmp_path: Path
) -> None:
    table = tmp_path / "people.csv"
    lines = [f"photos/person-{n}.png,{n},,{'Female' if n % 2 else 'male'}" for n in range(1, 30)]
    table.write_text("\n".join(["file,id,label,gender", *lines]), encoding="utf-8")
    assert command("search", "index", "--gallery", gallery, "--people", table).code == 0
    words = ("search", "query", sketch, "--gallery", gallery)
    answer = command(*words, "--where", "gender=male", "--json", "-")
    said = json.loads(answer.out)
    assert {int(Path(hit["key"]).stem.partition("-")[2]) % 2 for hit in said["hits"]} == {0}
    assert (said["size"], said["where"]) == (15, ["gender=male"]), "14 men, and one of whom the table says nothing"
    assert "only 15 of 30 photos searched" in said["notice"]
    assert "did you mean 'gender=male'" in refused(*words, "--where", "gender=mail")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
def test_query_writes_the_name_of_a_sketch_that_is_not_utf_8(
    command: Callable[..., Any], gallery: Path, sketch: Path, tmp_path: Path
) -> None:
    odd = sketch.rename(tmp_path / os.fsdecode(b"odd\xff.png"))
    drawn, out = tmp_path / os.fsdecode(b"hits\xff.png"), tmp_path / "hits.json"
    for _ in range(2):
        answer = command("search", "query", odd, "--gallery", gallery, "--sheet", drawn, "--json", out)
        assert (answer.code, answer.err) == (0, "")
    assert json.loads(out.read_text("utf-8"))["pictures"][0]["name"] == str(tmp_path / "odd\\xff.png")


@pytest.mark.parametrize(("option", "name"), [("--json", "hits.json"), ("--sheet", "hits.png")])
def test_query_that_cannot_write_names_the_option(
    refused: Callable[..., str], gallery: Path, sketch: Path, tmp_path: Path, option: str, name: str
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    said = refused("search", "query", sketch, "--gallery", gallery, option, tmp_path / "file" / name)
    assert said.startswith(f"{tmp_path / 'file' / name}: cannot be written (")
    assert f"; give another {option}, " in said
    assert "--out" not in said


def test_query_may_replace_an_older_sheet(
    command: Callable[..., Any], gallery: Path, sketch: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        assert command("search", "query", sketch, "--gallery", gallery, "--sheet", tmp_path / "hits.png").code == 0


def test_query_shows_odd_labels_in_one_line(
    command: Callable[..., Any], photos: Path, place: Path, sketch: Path, tmp_path: Path
) -> None:
    (photos / "person-3.png").rename(photos / "per\nson\x1b[2J3.png")
    command("search", "index", photos, "--gallery", place)
    answer = command("search", "query", sketch, "--gallery", place, "--sheet", tmp_path / "hits.png")
    assert (answer.code, answer.err) == (0, "")
    assert "per son [2J3" in answer.out
    assert "\x1b" not in answer.out
    assert (tmp_path / "hits.png").exists()


def test_query_takes_one_of_several_faces(
    command: Callable[..., Any],
    refused: Callable[..., str],
    gallery: Path,
    tmp_path: Path,
    portrait: Callable[[int], Image.Image],
) -> None:
    both = Image.new("RGB", (80, 40))
    both.paste(portrait(2).resize((40, 40)), (0, 0))
    both.paste(portrait(4).resize((40, 40)), (40, 0))
    both.save(tmp_path / "both.png")
    words = ("search", "query", tmp_path / "both.png", "--gallery", gallery, "--top", "1")
    assert "2 faces; choose one with --face N" in refused(*words)
    assert _hits(command(*words, "--face", "1").out)[0][1] == "person-2"
    assert _hits(command(*words, "--face", "2").out)[0][1] == "person-4"


def test_query_shows_labels_with_ids(
    command: Callable[..., Any], photos: Path, gallery: Path, sketch: Path, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text(f"file,id,label\n{photos / 'person-3.png'},p7,Anna [red]\n", encoding="utf-8")
    command("search", "index", "--gallery", gallery, "--people", people)
    said = command("search", "query", sketch, "--gallery", gallery).out
    assert "Anna [red] (p7)" in said
    assert "(/" not in said, "a person without an id is not told by the path twice"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.png"], "nothing.png: no such file"),
        (["letter.txt"], "letter.txt: not a picture"),
        (["photos"], "photos: a folder"),
        (["wall.png"], "wall.png: no face found"),
        (["sketch.png", "--top", "0"], "expected at least 1"),
        (["sketch.png", "--prior", "0"], "expected a chance above 0"),
        (["sketch.png", "--prior", "nan"], "expected a chance above 0"),
        (["sketch.png", "--prior", "1.5"], "expected a chance above 0"),
        (["sketch.png", "--face", "0"], "--face 0; expected 1 for the largest"),
        (["sketch.png", "--route", "fussed"], "fused"),
        (["sketch.png", "--sheet", "hits.txt"], "--sheet hits.txt; expected the name of a picture"),
        (["sketch.png", "--sheet", "./sketch.png"], "--sheet sketch.png: is the sketch itself"),
        (["sketch.png", "--json", "sketch.png"], "--json sketch.png: is the sketch itself"),
        (["sketch.png", "--json", "people.csv"], "--json people.csv; expected a name that ends in .json"),
        (["sketch.png", "--json", "people"], "--json people; expected a name that ends in .json"),
        (["sketch.png", "--sheet", "photos/person-1.png"], "--sheet photos/person-1.png: is a photo of the gallery"),
        (["sketch.png", "--sheet", "linked/person-1.png"], "--sheet linked/person-1.png: is a photo of the gallery"),
        (["-"], "standard input is empty; expected a picture"),
        (["--tpo", "3", "sketch.png"], "unknown option --tpo; did you mean '--top'?"),
        (["-x"], "unknown option -x; type --help"),
        (["sketch.png", "--top", "101", "--sheet", "hits.png"], "a hit sheet has room for 100"),
        (["sketch.png", "other.png"], "other.png"),
    ],
)
def test_query_refuses_and_leaves_nothing(
    refused: Callable[..., str],
    words: list[str],
    said: str,
    gallery: Path,
    sketch: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(gallery.parent)
    Path("letter.txt").write_text("Dear Sir", encoding="utf-8")
    Image.new("L", (40, 50), 200).save("wall.png")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    Path("people.csv").write_text("file,id\n", encoding="utf-8")
    Path("linked").symlink_to("photos")
    kept = [sketch, Path("people.csv"), *Path("photos").iterdir()]
    before = [path.read_bytes() for path in kept]
    assert said in refused("search", "query", *words, "--gallery", gallery)
    assert [path.read_bytes() for path in kept] == before
    assert not Path("people").exists()
    assert _lines(gallery) == []
    assert not Path("hits.png").exists()
