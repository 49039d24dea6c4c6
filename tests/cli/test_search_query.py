"""`facesketch search query`: what it prints, writes and draws, and how it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facesketch.search.answer import LEAD
from facesketch.search.gallery import Gallery
from facesketch.search.sheet import hit_sheet

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
    assert "6 photos, version" in answer.out
    found = Gallery(gallery, audit=False).search(sketch, 3)
    assert found.verdict in answer.out.splitlines()


def test_query_says_when_nobody_fits(
    command: Callable[..., Any], gallery: Path, tmp_path: Path, portrait: Callable[[int], Image.Image]
) -> None:
    portrait(77).save(tmp_path / "stranger.png")
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
    assert (said["route"], said["prior"], said["size"]) == ("direct", 0.3, 6)
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

    monkeypatch.setattr("facesketch.search.sheet.hit_sheet", draw)
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


def test_query_notes_what_was_asked_unless_told_not_to(
    command: Callable[..., Any], gallery: Path, sketch: Path
) -> None:
    command("search", "query", sketch, "--gallery", gallery, "--no-audit")
    assert _lines(gallery) == []
    command("search", "query", sketch, "--gallery", gallery, "--top", "2", "--prior", "0.2", "--route", "to-photo")
    (line,) = _lines(gallery)
    assert (line["top"], line["prior"], line["route"], len(line["hits"])) == (2, 0.2, "to-photo", 2)


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
    assert "--face 1" in refused(*words)
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
        (["sketch.png", "--sheet", "hits.txt"], "--sheet hits.txt; expected a picture's name"),
        (["sketch.png", "--sheet", "./sketch.png"], "--sheet sketch.png: is the sketch itself"),
        (["sketch.png", "--json", "sketch.png"], "--json sketch.png: is the sketch itself"),
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
    before = sketch.read_bytes()
    assert said in refused("search", "query", *words, "--gallery", gallery)
    assert sketch.read_bytes() == before
    assert _lines(gallery) == []
    assert not Path("hits.png").exists()
