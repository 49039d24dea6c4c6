"""`facesketch search index` and `info`, and how the verbs of search refuse a gallery that does not fit."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesketch.search.embedding.describer import Describer

pytestmark = pytest.mark.usefixtures("by_pixels")


def test_index_makes_a_gallery(command: Callable[..., Any], photos: Path, place: Path) -> None:
    answer = command("search", "index", photos, "--gallery", place)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == ["30 added", f"{place}: 30 photos of 30 people"]


def test_index_uses_the_embedder_that_is_named(
    command: Callable[..., Any], photos: Path, place: Path, by_pixels: Any
) -> None:
    command("search", "index", photos, "--gallery", place, "--embedder", "sface")
    assert by_pixels.asked[0] == "sface"
    assert command("search", "index", photos, "--gallery", place).code == 0
    assert "sface" not in by_pixels.asked[1:]


def test_index_looks_at_what_is_new_or_changed(
    command: Callable[..., Any], photos: Path, gallery: Path, portrait: Callable[[int], Image.Image]
) -> None:
    portrait(20).save(photos / "new.png")
    portrait(21).save(photos / "person-0.png")
    answer = command("search", "index", photos, "--gallery", gallery)
    assert answer.out.splitlines() == ["1 added, 1 refreshed, 29 unchanged", f"{gallery}: 31 photos of 31 people"]
    answer = command("search", "index", photos, "--gallery", gallery)
    assert (answer.code, answer.out.splitlines()[0]) == (0, "31 unchanged")


def test_index_names_what_it_leaves_out(command: Callable[..., Any], photos: Path, place: Path) -> None:
    Image.new("L", (40, 50), 200).save(photos / "wall.png")
    (photos / "letter.png").write_text("Dear Sir", encoding="utf-8")
    answer = command("search", "index", photos, "--gallery", place)
    assert answer.code == 1
    assert answer.out.splitlines() == ["30 added, 2 left out", f"{place}: 30 photos of 30 people"]
    said = sorted(answer.err.splitlines())
    assert len(said) == 2
    assert said[0].startswith(f"left out {photos / 'letter.png'}: ")
    assert "not a picture" in said[0]
    assert said[1] == f"left out {photos / 'wall.png'}: no face found"


def test_index_names_only_some_of_many(command: Callable[..., Any], photos: Path, place: Path) -> None:
    for number in range(13):
        Image.new("L", (40, 50), 200).save(photos / f"wall-{number}.png")
    answer = command("search", "index", photos, "--gallery", place)
    assert len(answer.err.splitlines()) == 11
    assert answer.err.splitlines()[-1] == "and 3 more"


def test_index_names_photos_that_it_turned_upright(
    command: Callable[..., Any], photos: Path, place: Path, portrait: Callable[[int], Image.Image]
) -> None:
    portrait(40).rotate(90, expand=True).save(photos / "lying.png")
    answer = command("search", "index", photos, "--gallery", place)
    assert answer.out.splitlines()[0] == "31 added, 1 turned upright"
    assert answer.err == f"turned upright {photos / 'lying.png'}: by 90° clockwise\n"


def test_index_of_no_faces_at_all_is_refused(refused: Callable[..., str], tmp_path: Path, place: Path) -> None:
    Image.new("L", (40, 50), 200).save(tmp_path / "wall.png")
    said = refused("search", "index", tmp_path / "wall.png", "--gallery", place)
    assert said == f"nothing to put into {place}: 1 photo left out; {tmp_path / 'wall.png'}: no face found"
    assert not place.exists()


def test_index_of_no_photos_makes_no_gallery(refused: Callable[..., str], tmp_path: Path, place: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = refused("search", "index", tmp_path / "empty", "--gallery", place)
    assert said == f"no photo in {tmp_path / 'empty'}; give photos or folders of them"
    assert not place.exists()


def test_index_prunes_a_gallery_that_it_then_makes(command: Callable[..., Any], photos: Path, place: Path) -> None:
    answer = command("search", "index", photos, "--gallery", place, "--prune")
    assert (answer.code, answer.out.splitlines()[1]) == (0, "30 added")


def test_index_names_a_file_in_one_line_whatever_it_is_called(
    command: Callable[..., Any], photos: Path, place: Path
) -> None:
    (photos / "no\npicture\x1b.png").write_text("Dear Sir", encoding="utf-8")
    (line,) = command("search", "index", photos, "--gallery", place).err.splitlines()
    assert line.startswith(f"left out {photos / 'no picture .png'}: ")


@pytest.mark.parametrize("verb", [["index", "photos"], ["query", "sketch.png"], ["info"]])
def test_a_file_given_as_gallery_is_refused(
    refused: Callable[..., str], verb: list[str], photos: Path, sketch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sketch.parent)
    said = refused("search", *verb, "--gallery", "photos/person-1.png")
    assert said == "photos/person-1.png: a file, not a folder; --gallery must be a folder, new or a gallery's"


def test_index_reads_the_table_of_people(
    command: Callable[..., Any], photos: Path, place: Path, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("file,id,label\nperson-0.png,p7,Anna\nperson-1.png,p7,Anna\ngone.png,p8,Ben\n", encoding="utf-8")
    answer = command("search", "index", photos, "--gallery", place, "--people", people)
    assert answer.code == 0
    assert answer.out.splitlines() == ["30 added", f"{place}: 30 photos of 29 people"]
    assert answer.err == "note: 1 name of --people matched no photo: gone.png\n"
    people.write_text(f"file,id,label\n{photos / 'person-1.png'},p9,Carla\n", encoding="utf-8")
    answer = command("search", "index", "--gallery", place, "--people", people)
    assert answer.out.splitlines() == ["1 renamed", f"{place}: 30 photos of 30 people"]


def test_index_removes_people_photos_and_what_is_gone(
    command: Callable[..., Any], photos: Path, gallery: Path, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    people.write_text(f"file,id\n{photos / 'person-0.png'},p7\n{photos / 'person-1.png'},p7\n", encoding="utf-8")
    assert command("search", "index", "--gallery", gallery, "--people", people).code == 0
    answer = command("search", "index", "--gallery", gallery, "--remove", "p7", photos / "person-2.png")
    assert answer.out.splitlines() == ["3 photos removed", f"{gallery}: 27 photos of 27 people"]
    (photos / "person-3.png").unlink()
    answer = command("search", "index", "--gallery", gallery, "--prune")
    assert answer.out.splitlines() == [
        "1 photo removed, gone from the disk",
        f"{gallery}: 26 photos of 26 people",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to do; type: facesketch search index PHOTOS --gallery"),
        (["nowhere"], "nowhere: no such file or folder"),
        (["empty"], "no photo in empty; give photos"),
        (["photos", "--people", "nobody.csv"], "nobody.csv: cannot be read (no such file"),
        (["--remove", "p99"], "no photo and no person p99; give paths or ids"),
        (["--remove", "person-2"], "no photo and no person person-2; those are labels, so give ids: /"),
        (["photos", "--face", "2"], "Unknown option"),
        (["photos", "--galery", "x"], "Did you mean"),
    ],
)
def test_index_refuses(
    refused: Callable[..., str], words: list[str], said: str, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(gallery.parent)
    Path("empty").mkdir()
    assert said in refused("search", "index", *words, "--gallery", gallery)


def test_a_notice_is_passed_on_when_faces_were_looked_at(
    command: Callable[..., Any], photos: Path, place: Path, by_pixels: Any
) -> None:
    by_pixels.notice = "faces are sought the old way"
    assert command("search", "index", photos, "--gallery", place).err == "note: faces are sought the old way\n"
    assert command("search", "index", photos, "--gallery", place).err == ""


def test_info_says_what_is_in_a_gallery(command: Callable[..., Any], gallery: Path) -> None:
    answer = command("search", "info", "--gallery", gallery)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("30 photos of 30 people in ")
    assert "embedder hog, described by hog-pixels" in answer.out
    assert "every photo is compared" in answer.out


@pytest.mark.parametrize("verb", [["query", "sketch.png"], ["info"], ["index", "--prune"], ["index", "--remove", "p1"]])
def test_a_missing_gallery_is_refused_and_not_made(
    refused: Callable[..., str], verb: list[str], place: Path, sketch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sketch.parent)
    said = refused("search", *verb, "--gallery", place)
    assert said == f"{place}: no gallery here; type: facesketch search index PHOTOS --gallery {place}"
    assert not place.exists()


def test_a_gallery_of_another_describer_is_refused(
    refused: Callable[..., str],
    gallery: Path,
    sketch: Path,
    photos: Path,
    by_pixels: Any,
    portrait: Callable[[int], Image.Image],
) -> None:
    portrait(50).save(photos / "new.png")
    by_pixels.fingerprint = "hog-others"
    for words in (["query", sketch], ["index", photos], ["index", photos, "--embedder", "hog"]):
        said = refused("search", *words, "--gallery", gallery)
        assert "hog-pixels" in said
        assert "hog-others" in said
        assert "give the --embedder it was made with" in said


def test_a_newer_gallery_is_refused(
    refused: Callable[..., str], gallery: Path, sketch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facesketch.search.storage.rows.FORMAT", 0)
    for words in (["query", sketch], ["info"], ["index", "--prune"]):
        assert "newer" in refused("search", *words, "--gallery", gallery)


def test_without_lancedb_it_says_what_to_install(
    refused: Callable[..., str], gallery: Path, sketch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lancedb", None)
    assert "pip install 'facesketch[search]'" in refused("search", "query", sketch, "--gallery", gallery)


@pytest.mark.parametrize("method", ["gallery", "probe", "query"])
def test_the_fake_is_called_as_the_real_one(method: str, by_pixels: Any) -> None:
    fake, real = (inspect.signature(getattr(kind, method)).parameters for kind in (type(by_pixels), Describer))
    assert [(each.name, each.default) for each in fake.values()] == [
        (each.name, each.default) for each in real.values()
    ]


LIGHT = """
import json, sys
from facesketch.cli.main import main
from facesketch.cli.search import app
verbs = [name for name in app if not name.startswith("-")]
for words in (["search"], *(["search", verb, "--help"] for verb in verbs)):
    try:
        main(words)
    except SystemExit as ended:
        assert ended.code in (0, None), words
print(json.dumps({"verbs": verbs, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""


def test_help_of_every_verb_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout.splitlines()[-1])
    assert {"index", "query", "info", "evaluate"} <= set(seen["verbs"])
    assert {"torch", "numpy", "PIL", "cv2", "lancedb", "pyarrow", "onnxruntime", "matplotlib"}.isdisjoint(
        seen["modules"]
    )
