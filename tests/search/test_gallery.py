"""A gallery answers with the most similar photos and with chances that add up, and logs its queries."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facesketch.errors import ConfigError, FaceError, GalleryError, ImageError
from facesketch.images.io import open_image
from facesketch.search import gallery as module
from facesketch.search.answer import LEAD, Answer, Hit
from facesketch.search.gallery import Gallery, Opened
from facesketch.search.storage import query_log
from facesketch.search.storage.rows import Found, Row
from facesketch.search.storage.store import Store

REDDISH, BLACK = (240, 40, 30), (0, 0, 0)
ORDER = ["red.png", "dark.png", "green.png", "blue.png"]  # by likeness to reddish

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@pytest.fixture
def filled(gallery: Gallery, photos: Path) -> Gallery:
    """Return a gallery of four photos, of which red and blue show the same person."""
    table = photos.parent / "people.csv"
    lines = ["file,id,label", "red.png,7,Ann", "more/blue.png,7,Ann", "green.png,8,Bob", "more/dark.png,9,Cid"]
    table.write_text("\n".join(lines))
    gallery.add(photos, table)
    return gallery


@pytest.fixture
def sketch(tmp_path: Path, draw: Any) -> Path:
    path: Path = draw(tmp_path / "sketch.png", REDDISH)
    return path


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let galleries of a few photos give chances, for tests that are not about how many are needed."""
    monkeypatch.setattr("facesketch.search.probability.FEWEST", 1)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let chances be a tenth for each score, and return what they are asked about."""
    calls: list[Any] = []

    def tenths(scores: Any, rest: int, calibration: Any, prior: float) -> tuple[Any, float]:
        calls.append((scores.tolist(), rest, calibration, prior))
        return np.full(len(scores), 0.1), 0.2

    monkeypatch.setattr("facesketch.search.probability.chances", tenths)
    monkeypatch.setattr("facesketch.search.probability.calibration", lambda embedder, route: (embedder, route))
    return calls


def _names(answer: Answer) -> list[str]:
    return [Path(hit.key).name for hit in answer.hits]


def test_the_most_alike_come_first(filled: Gallery, sketch: Path, photos: Path) -> None:
    answer = filled.search(sketch)
    assert _names(answer) == ORDER
    best = answer.hits[0]
    assert (best.key, best.person, best.label) == (str(photos / "red.png"), "7", "Ann")
    assert best.score == pytest.approx(0.9987, abs=0.0001)
    assert [hit.place for hit in answer.hits] == [1, 2, 3, 1], "photos of one person share the place"
    assert answer.hits[0].chance == answer.hits[3].chance > answer.hits[1].chance
    assert (answer.size, answer.version, answer.route) == (4, filled.store.version, "fused")
    assert answer.probes[0].framed.size == (40, 50)
    assert answer.notice == ""


@pytest.mark.parametrize("top", [1, 2, 4, 99])
@pytest.mark.parametrize("prior", [0.01, 0.5, 0.99])
def test_chances_add_up(filled: Gallery, sketch: Path, top: int, prior: float) -> None:
    answer = filled.search(sketch, top, prior=prior)
    assert _names(answer) == ORDER[:top]
    persons = {hit.person: hit.chance for hit in answer.hits}
    assert sum(persons.values()) + answer.absent + answer.elsewhere == pytest.approx(1)
    assert min(*persons.values(), answer.absent, answer.elsewhere) >= 0


def test_chances_are_of_persons_by_their_best_photos(
    filled: Gallery, sketch: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOKED_AT", 2)
    monkeypatch.setattr("facesketch.search.probability.NEXT", 1)
    answer = filled.search(sketch, 1, route="to-photo", prior=0.3)
    ((scores, rest, calibration, prior),) = asked
    assert len(scores) == 2, "a person for each of the two photos that were looked at"
    assert scores == sorted(scores, reverse=True)
    assert (rest, calibration, prior) == (1, ("hog", "to-photo"), 0.3)
    assert [hit.chance for hit in answer.hits] == [0.1]
    assert (answer.absent, answer.elsewhere) == (0.2, pytest.approx(0.7))


def test_many_photos_of_one_person_do_not_hide_who_comes_next(
    filled: Gallery, sketch: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOKED_AT", 1)
    filled.search(sketch, 1)
    ((scores, rest, *_),) = asked
    assert (len(scores), rest) == (3, 0), "everybody, as fewer than come next were among the first"


def test_photos_beyond_the_top_count_but_are_not_listed(filled: Gallery, sketch: Path, asked: list[Any]) -> None:
    answer = filled.search(sketch, 2)
    assert asked[0][1] == 0, "all three persons were looked at"
    assert _names(answer) == ORDER[:2]
    assert answer.elsewhere == pytest.approx(1 - 0.2 - 2 * 0.1)


def test_too_few_people_have_no_chances(
    gallery: Gallery, tmp_path: Path, draw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facesketch.search.probability.FEWEST", 5)
    sketch = draw(tmp_path / "sketch.png", (220, 30, 40))
    for number in range(4):
        draw(tmp_path / "some" / f"{number}.png", (200 - 5 * number, 40 + 5 * number, 60))
    draw(tmp_path / "some" / "again.png", (210, 40, 60))
    table = tmp_path / "people.csv"
    table.write_text("file,id,label\nsome/0.png,0,Ann\nsome/again.png,0,Ann\n")
    gallery.add(tmp_path / "some", table)
    answer = gallery.search(sketch, 4)
    assert (gallery.info().count, gallery.info().people) == (5, 4)
    assert (answer.absent, answer.elsewhere) == (None, None)
    assert [hit.chance for hit in answer.hits] == [None] * 4
    assert "Too few people in the gallery" in answer.verdict
    assert f"{answer.hits[0].label} is nearest" in answer.verdict
    assert "%" not in answer.verdict
    draw(tmp_path / "some" / "fifth.png", (20, 40, 200))
    gallery.add(tmp_path / "some")
    answer = gallery.search(sketch, 4)
    assert answer.absent is not None
    assert all(hit.chance is not None for hit in answer.hits)


def test_an_empty_gallery_answers_that_nobody_is_in_it(gallery: Gallery, store: Store, sketch: Path) -> None:
    assert gallery.exists()
    answer = gallery.search(sketch)
    assert (answer.hits, answer.absent, answer.elsewhere, answer.size) == ([], 1.0, 0.0, 0)
    assert answer.verdict == "There is nobody in this gallery."


@pytest.mark.parametrize(
    ("chance", "absent", "said"),
    [
        (0.9, 0.1, "Perhaps Ann (chance 90 %)."),
        (0.999, 0.001, "Perhaps Ann (chance > 99 %)."),
        (0.05, 0.92, "Probably not in this gallery (chance 92 %)."),
        (0.3, 0.7, "No clear lead: Ann is nearest (chance 30 %); not in this gallery: chance 70 %."),
        (0.3, 0.005, "No clear lead: Ann is nearest (chance 30 %); not in this gallery: chance < 1 %."),
    ],
)
def test_the_verdict_is_one_plain_sentence(chance: float, absent: float, said: str) -> None:
    hits = [Hit(1, "a", "7", "Ann", 0.9, chance)]
    assert Answer(hits, absent, 0.0, "fused", 1, 1, ()).verdict == said


def test_the_verdict_of_a_narrowed_search_says_nothing_of_the_gallery() -> None:
    hits = [Hit(1, "a", "7", "Ann", 0.9, 0.05)]
    said = [Answer(found, 0.92, 0.0, "fused", 1, 1, (), where=("gender=f",)).verdict for found in (hits, [])]
    assert said == ["Probably not among the photos searched (chance 92 %).", "No photo fits."]


def test_a_lead_is_not_an_identification() -> None:
    assert LEAD.startswith("A hit is a lead, not an identification. ")


def test_a_sketch_may_be_a_path_bytes_or_a_picture(filled: Gallery, sketch: Path) -> None:
    expected = filled.search(sketch).hits
    assert filled.search(str(sketch)).hits == filled.search(sketch.read_bytes()).hits == expected
    assert filled.search(Image.open(sketch)).hits == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"top": 0}, "`top` 0; expected at least 1"),
        ({"route": "to-phot"}, "`route` 'to-phot'; did you mean 'to-photo'?"),
        ({"prior": 0.0}, "`prior` 0; expected a chance above 0 and below 1"),
        ({"prior": 1.0}, "`prior` 1; expected"),
        ({"prior": float("nan")}, "`prior` nan"),
    ],
)
def test_a_question_out_of_range_is_refused(filled: Gallery, sketch: Path, words: Any, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        filled.search(sketch, **words)
    assert str(raised.value).startswith(said)


def test_a_sketch_without_a_face_or_of_text_is_refused(filled: Gallery, tmp_path: Path, draw: Any) -> None:
    with pytest.raises(FaceError, match=r"wall\.png: no face found"):
        filled.search(draw(tmp_path / "wall.png", BLACK))
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(ImageError, match=r"text\.png: not a picture"):
        filled.search(tmp_path / "text.png")
    assert not Path(filled.uri, query_log.NAME).exists()


def test_the_wanted_face_and_the_name_reach_the_describer(filled: Gallery, sketch: Path, colours: Any) -> None:
    seen, real = [], colours.probe
    colours.probe = lambda picture, name, face: seen.append((name, face)) or real(picture, name, face)
    filled.search(sketch, face=2)
    filled.search(sketch.read_bytes())
    assert seen == [(str(sketch), 2), ("probe", None)]


def test_several_pictures_score_as_their_mean(filled: Gallery, sketch: Path, tmp_path: Path, draw: Any) -> None:
    other = draw(tmp_path / "other.png", (10, 40, 240))
    scores = [{hit.key: hit.score for hit in filled.search(each).hits} for each in (sketch, other)]
    both = filled.search([sketch, other.read_bytes()])
    assert len(both.probes) == 2
    for hit in both.hits:
        assert hit.score == pytest.approx((scores[0][hit.key] + scores[1][hit.key]) / 2, abs=1e-6)
    with pytest.raises(ConfigError, match="no picture to search with"):
        filled.search([])


def test_facts_narrow_the_gallery(gallery: Gallery, photos: Path, sketch: Path) -> None:
    table = photos.parent / "people.csv"
    lines = ["file,id,label,Gender,glasses", "red.png,7,Ann,F,", "more/blue.png,8,Bea,f,yes", "green.png,9,Bob,m,no"]
    table.write_text("\n".join(lines))
    gallery.add(photos, table)
    said = gallery.search(sketch, where=["gender=F"])
    assert set(_names(said)) == {"red.png", "blue.png", "dark.png"}, "dark's gender is not known"
    assert (said.size, said.where) == (3, ("gender=f",))
    assert "witnesses err" in said.notice
    both = gallery.search(sketch, where=[" gender = f", "glasses=yes"])
    assert set(_names(both)) == {"red.png", "blue.png", "dark.png"}, "whether red has glasses is not known"
    either = gallery.search(sketch, where=["gender=f", "gender=m", "glasses=no"])
    assert set(_names(either)) == {"red.png", "green.png", "dark.png"}
    assert gallery.search(sketch).notice == ""
    with pytest.raises(ConfigError, match="no photo of the gallery has it; the table has gender, glasses"):
        gallery.search(sketch, where=["hair=red"])


def test_the_notice_of_the_describer_is_passed_on(filled: Gallery, sketch: Path, colours: Any) -> None:
    colours.notice = "faces are guessed"
    assert filled.search(sketch).notice == "faces are guessed"


def test_a_search_sees_one_version_while_others_write(
    filled: Gallery, sketch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, writes = Store.nearest, [{"no such photo": 1}, {}]  # the first look is followed by a new version

    def nearest(store: Store, *asked: Any) -> list[Found]:
        found = real(store, *asked)
        if writes and writes.pop(0):
            store.delete([found[-1].key])
        return found

    monkeypatch.setattr(Store, "nearest", nearest)
    answer = filled.search(sketch)
    assert (answer.version, answer.size, len(answer.hits)) == (filled.store.version, 3, 3)


def test_a_query_is_noted_unless_it_is_not_wanted(filled: Gallery, sketch: Path, colours: Any) -> None:
    answer = filled.search(sketch, 2, route="direct", prior=0.3)
    Gallery(filled.uri, colours, query_log=False).search(sketch)
    (line,) = Path(filled.uri, query_log.NAME).read_text().splitlines()
    noted = json.loads(line)
    assert noted.pop("time").endswith("+00:00")
    assert noted == {
        "probes": [hashlib.sha256(sketch.read_bytes()).hexdigest()],
        "face": None,
        "gallery": {"version": filled.store.version, "size": 4, "fingerprint": colours.fingerprint},
        "route": "direct",
        "top": 2,
        "prior": 0.3,
        "where": [],
        "hits": [{"key": hit.key, "score": hit.score, "chance": hit.chance} for hit in answer.hits],
        "absent": answer.absent,
    }


def test_a_probe_is_known_again_by_its_bytes_or_pixels(filled: Gallery, sketch: Path) -> None:
    picture = Image.open(sketch).convert("RGB")
    for source in (sketch, sketch.read_bytes(), picture, picture.copy(), picture.resize((50, 40))):
        filled.search(source)
    log = Path(filled.uri, query_log.NAME).read_text()
    probes = [probe for line in log.splitlines() for probe in json.loads(line)["probes"]]
    assert probes[0] == probes[1]
    assert probes[2] == probes[3]
    assert len(set(probes)) == 3


def test_the_log_of_a_decoded_picture_holds_the_hash_of_its_file(filled: Gallery, sketch: Path) -> None:
    filled.search([Opened(open_image(sketch).resize((90, 90)), "ab12")])
    (line,) = Path(filled.uri, query_log.NAME).read_text().splitlines()
    assert json.loads(line)["probes"] == ["ab12"]


def test_object_storage_has_no_query_log(filled: Gallery, sketch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_local", lambda uri: False)
    assert filled.search(sketch).notice == "object storage has no query log"
    filled.query_log = False
    assert filled.search(sketch).notice == ""
    assert not Path(filled.uri, query_log.NAME).exists()


def test_removing_takes_paths_names_and_persons(filled: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    assert filled.remove("green.png") == 1, "a path from here"
    assert filled.remove(["7", "nobody"]) == 2, "both photos of a person"
    assert list(filled.store.known()) == [str(photos / "more" / "dark.png")]
    assert filled.remove(photos / "more" / "dark.png") == 1
    assert filled.remove([]) == 0
    assert filled.info().count == 0


def test_pruning_removes_what_is_gone_from_the_disk(filled: Gallery, photos: Path, sketch: Path) -> None:
    assert filled.prune() == ([], [])
    gone = photos / "red.png"
    gone.unlink()
    assert _names(filled.search(sketch))[0] == "red.png", "until then it is shown as it was"
    assert filled.thumbnail(str(gone))[:2] == b"\xff\xd8"
    assert filled.prune() == ([str(gone)], [])
    assert _names(filled.search(sketch)) == ORDER[1:]
    assert filled.thumbnail(str(gone)) == b""


def test_pruning_removes_dangling_links_and_keeps_unreadable_files(
    gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "link.png").symlink_to(photos / "red.png")
    gallery.add(photos)
    (photos / "red.png").unlink()
    real = Path.stat

    def locked(path: Path, **more: Any) -> Any:
        if path.name == "blue.png":
            raise PermissionError(13, "no")
        return real(path, **more)

    monkeypatch.setattr(Path, "stat", locked)
    assert sorted(gallery.prune().removed) == [str(photos / "link.png"), str(photos / "red.png")]


def test_pruning_keeps_photos_of_a_folder_that_is_missing(filled: Gallery, photos: Path, tmp_path: Path) -> None:
    away = photos.rename(tmp_path / "unmounted")
    keys = sorted(filled.store.known())
    pruned = filled.prune()
    assert (pruned.removed, sorted(pruned.kept)) == ([], keys)
    photos.mkdir()  # where a drive would be mounted
    assert filled.prune().removed == []
    photos.rmdir()
    away.rename(photos)
    assert filled.prune() == ([], [])


def test_a_folder_is_removed_if_its_path_ends_in_a_slash(filled: Gallery, photos: Path) -> None:
    assert filled.remove(str(photos / "more")) == 0
    assert filled.remove(f"{photos / 'mor'}/") == 0
    assert filled.remove(f"{photos / 'more'}/") == 2
    assert filled.remove(f"{photos}/") == 2


def test_pruning_leaves_photos_that_have_only_a_name(filled: Gallery) -> None:
    filled.store.upsert([Row("a name", "p", "l", 1, 1, "ab", np.ones(6, np.float32))])
    assert filled.prune() == ([], [])
    assert "a name" in filled.store.known()


def test_info_counts_photos_and_people(filled: Gallery, colours: Any) -> None:
    info = filled.info()
    assert (info.count, info.people, info.indexed) == (4, 3, 0)
    assert (info.fingerprint, info.embedder, info.version) == (colours.fingerprint, "hog", filled.store.version)
    assert info.size > 1000
    filled.remove("8")
    assert filled.info().people == 2
    assert filled.info().version > info.version


def test_an_opened_gallery_sees_what_others_add(filled: Gallery, photos: Path, sketch: Path, colours: Any) -> None:
    other = Gallery(filled.uri, colours, create=False)
    assert other.search(sketch).size == 4
    (photos / "more" / "dark.png").replace(photos / "moved.png")
    filled.add(photos / "moved.png")
    filled.prune()
    answer = other.search(sketch)
    assert (answer.size, answer.version) == (4, filled.store.version)
    assert _names(answer)[1] == "moved.png"


def test_many_may_ask_at_once(filled: Gallery, sketch: Path) -> None:
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(filled.search(sketch))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [_names(answer) for answer in answers] == [ORDER] * 8
    assert len(Path(filled.uri, query_log.NAME).read_text().splitlines()) == 8


def test_a_gallery_that_is_not_there_is_not_made_by_asking(tmp_path: Path, colours: Any) -> None:
    with pytest.raises(GalleryError, match="no gallery here"):
        Gallery(tmp_path / "typo", colours, create=False)
    Gallery(tmp_path / "new", colours)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda typo, sketch: typo.search(sketch),
        lambda typo, sketch: typo.info(),
        lambda typo, sketch: typo.prune(),
        lambda typo, sketch: typo.remove("7"),
        lambda typo, sketch: typo.thumbnail("red.png"),
        lambda typo, sketch: typo.holds(sketch),
        lambda typo, sketch: typo.describer,
    ],
)
@pytest.mark.parametrize("given", [True, False])
def test_a_gallery_that_nobody_made_does_not_answer(
    gallery: Gallery, sketch: Path, colours: Any, ask: Any, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facesketch.search.embedding.describer.describer", lambda name=None: pytest.fail("was loaded"))
    with pytest.raises(GalleryError, match=r"gallery: no gallery here; add photos"):
        ask(Gallery(gallery.uri, colours if given else None), sketch)
    assert not gallery.exists()
    assert not Path(gallery.uri).exists()


@pytest.mark.parametrize("below", ["", "gallery"])
def test_a_file_is_no_place_for_a_gallery(sketch: Path, colours: Any, below: str) -> None:
    before = sketch.read_bytes()
    for create in (True, False):
        with pytest.raises(GalleryError) as raised:
            Gallery(sketch / below, colours, create)
        assert str(raised.value).startswith(f"{sketch}: a file, not a folder; `gallery` must be")
    assert sketch.read_bytes() == before


def test_a_gallery_knows_its_photos_by_any_name(
    filled: Gallery, photos: Path, sketch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    (photos.parent / "linked").symlink_to(photos)
    Path("other.png").hardlink_to("green.png")
    for name in ("red.png", "./more/../red.png", "more/blue.png", "../linked/red.png", "other.png"):
        assert filled.holds(Path(name)), name
    shown = Path("red.png").read_bytes()
    Path("red.png").write_bytes(shown + b"more")
    assert filled.holds(Path("red.png")), "also when it has changed"
    Path("copy.png").write_bytes(shown)
    assert not any(map(filled.holds, (sketch, Path("copy.png"), Path("nowhere.png"), Path(300 * "x"), photos)))
    Path("green.png").unlink()
    assert not filled.holds(Path("green.png")), "what is gone can be written again"


def test_another_describer_than_the_gallerys_is_refused(filled: Gallery, colours: Any) -> None:
    colours.fingerprint = "hog-9"
    with pytest.raises(GalleryError, match=r"not by hog-9"):
        Gallery(filled.uri, colours)


def test_the_describer_is_loaded_when_it_is_needed_and_by_what_the_gallery_was_made(
    filled: Gallery, sketch: Path, colours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str | None] = []
    monkeypatch.setattr(
        "facesketch.search.embedding.describer.describer", lambda name=None: loaded.append(name) or colours
    )
    opened = Gallery(filled.uri)
    assert (opened.info().count, opened.prune(), opened.remove("nobody"), loaded) == (4, ([], []), 0, [])
    opened.search(sketch)
    opened.search(sketch)
    assert loaded == ["hog"]
    Gallery(Path(filled.uri).with_name("new")).add(sketch)
    assert loaded == ["hog", None]
    colours.fingerprint = "hog-of-another-release"
    with pytest.raises(GalleryError, match="not by hog-of-another-release"):
        Gallery(filled.uri).search(sketch)


def test_a_new_gallery_keeps_what_described_it(gallery: Gallery, photos: Path, colours: Any) -> None:
    gallery.add(photos)
    opened = Store.open(gallery.uri)
    assert (opened.fingerprint, opened.dimension) == (colours.fingerprint, colours.dimension)
