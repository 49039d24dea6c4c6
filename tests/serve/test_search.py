"""Searching over HTTP, in a gallery that answers as a test tells it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from tests.serve.conftest import Ask, Client, grey, pixels, problem

from facesketch.errors import FaceError, GalleryError, MissingExtraError, OutputError, SeveralFacesError
from facesketch.search.answer import LEAD, Answer, Hit
from facesketch.search.embedding.describer import ROUTES
from facesketch.search.gallery import Gallery, GalleryInfo, Opened
from facesketch.serve import searcher as searching
from facesketch.serve.schemas import SearchForm

_NOTICE = "compared by gradients alone: no weights in /secret/models: type `facesketch models fetch`; and so on"
_KEYS = ["/secret/faces/anna.jpg", "/secret/faces/ben.jpg"]


@dataclass
class Shown:
    """A gallery of two."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    error: Exception | None = None
    named: bool = True
    at_once: int = 0
    most_at_once: int = 0
    few: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def search(
        self, pictures: list[Opened], top: int, route: Any, face: int | None, prior: float, where: list[str]
    ) -> Answer:
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.asked.append((*(picture.image.size for picture in pictures), top, route, face, prior, *where))
        if self.error is not None:
            raise self.error
        hits = [
            Hit(number, key, self.person(number, key), f"Person {number}", 0.9 / number, 0.4)
            for number, key in enumerate(_KEYS, 1)
        ]
        probe = SimpleNamespace(
            framed=Image.new("L", (20, 25), 9), translated=Image.new("RGB", (20, 25), (200, 9, 9)), turn=90
        )
        told: Any = (route, 2 if where else 7, 3, (probe,) * len(pictures), _NOTICE, True, ("turned by 90°",))
        with self.lock:
            self.at_once -= 1
        if self.few:
            hits = [replace(hit, chance=None) for hit in hits]
            return Answer(hits[:top], None, None, *told)
        return Answer(hits[:top], 0.1, 0.1, *told)

    def person(self, number: int, key: str) -> str:
        return f"p{number}" if self.named else key

    def info(self) -> GalleryInfo:
        return GalleryInfo(count=7, people=2, fingerprint="hog-1", embedder="hog", version=3, indexed=0, size=999)

    def thumbnail(self, key: str) -> bytes:
        return b"jpeg of " + key.encode() if key == _KEYS[0] else b""


@pytest.fixture
def gallery() -> Shown:
    return Shown()


@pytest.fixture
def client(serve: Ask, gallery: Shown) -> Client:
    return serve(gallery=gallery)


def _search(client: Client, **fields: str) -> Any:
    return client.send(grey(250, (30, 40)), accept="application/json", path="/v1/search", **fields)


def test_a_gallery_of_too_few_people_gives_no_chance(client: Client, gallery: Shown) -> None:
    gallery.few = True
    told = _search(client).json()
    assert (told["absent"], told["elsewhere"], {hit["chance"] for hit in told["hits"]}) == (None, None, {None})
    assert "Too few people in the gallery" in told["verdict"]
    assert told["lead"] == LEAD


def test_hits_come_with_chances_and_the_warning(client: Client, gallery: Shown) -> None:
    told = _search(client, top="2", route="to-photo", face="1", prior="0.2").json()
    assert gallery.asked == [((30, 40), 2, "to-photo", 1, 0.2)]
    assert [(hit["place"], hit["person"], hit["label"], hit["chance"]) for hit in told["hits"]] == [
        (1, "p1", "Person 1", 0.4),
        (2, "p2", "Person 2", 0.4),
    ]
    assert (told["absent"], told["elsewhere"], told["route"], told["size"]) == (0.1, 0.1, "to-photo", 7)
    assert told["lead"] == LEAD
    assert told["verdict"].endswith(".")
    (probe,) = told["probes"]
    assert probe["turned"] == 90
    assert "90°" in told["notice"]
    assert "secret" not in told["notice"]
    for name, size in (("translated", (25, 20, 3)), ("framed", (25, 20))):
        head, _, body = probe[name].partition(",")
        assert head == "data:image/jpeg;base64"
        assert pixels(base64.b64decode(body)).shape == size


def test_several_pictures_are_asked_at_once(client: Client, gallery: Shown) -> None:
    parts = [("file", ("a.png", grey(250, (30, 40)))), ("file", ("b.png", grey(20, (20, 30))))]
    answer = client.post("/v1/search", files=parts, data={"where": "gender=f, glasses=yes"})
    assert answer.status_code == 200
    assert gallery.asked == [((30, 40), (20, 30), 10, "fused", None, 0.5, "gender=f", " glasses=yes")]
    assert (len(answer.json()["probes"]), answer.json()["size"]) == (2, 2)
    assert client.get("/v1/health").json()["gallery"] == 7, "the photos of the gallery, not those compared"
    answer = client.post("/v1/search", files=9 * parts[:1])
    assert answer.status_code == 422
    assert "More than 8 pictures" in answer.text


def test_a_field_that_is_left_out_has_the_gallerys_default(client: Client, gallery: Shown) -> None:
    _search(client)
    assert gallery.asked == [((30, 40), 10, "fused", None, 0.5)]


def test_a_hit_does_not_reveal_the_path_of_its_photo(client: Client, gallery: Shown) -> None:
    gallery.named = False  # without a list of people a photo is its own person, by its path
    answer = _search(client)
    assert "secret" not in answer.text
    assert [hit["person"] for hit in answer.json()["hits"]] == ["Person 1", "Person 2"]
    first, second = (hit["picture"] for hit in answer.json()["hits"])
    shown = client.get(first)
    assert (shown.content, shown.headers["content-type"]) == (b"jpeg of " + _KEYS[0].encode(), "image/jpeg")
    problem(client.get(second), 404)
    assert _search(client).json()["hits"][0]["picture"] == first, "a browser may keep it"


def test_only_pictures_that_were_shown_can_be_asked_for(client: Client, serve: Ask) -> None:
    name = _search(client).json()["hits"][0]["picture"].rpartition("/")[2]
    other = serve(gallery=Shown())
    problem(other.get(f"/v1/gallery/pictures/{name}"), 404)
    for guessed in ("0" * 32, name[:-1] + ("0" if name[-1] != "0" else "1")):
        problem(client.get(f"/v1/gallery/pictures/{guessed}"), 404)
    for odd in ("x", name + "0", name.upper() + "Z"):
        problem(client.get(f"/v1/gallery/pictures/{odd}"), 422)


def test_names_of_pictures_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_REMEMBERED", 3)
    names = searching.PictureNames()
    given = [names.name(f"key {number}") for number in range(5)]
    assert [names.key(name) for name in given] == [None, None, "key 2", "key 3", "key 4"]


def test_the_gallery_tells_what_it_holds(client: Client) -> None:
    told = client.get("/v1/gallery").json()
    assert (told["count"], told["people"], told["version"], told["indexed"]) == (7, 2, 3, False)
    assert told["routes"] == list(ROUTES)
    assert told["lead"] == LEAD
    assert client.get("/v1/health").json()["gallery"] == 7


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FaceError("no face found", "give another sketch", "probe"), "No face found."),
        (
            SeveralFacesError("3 faces found", "say which with `face` 1 to 3", "probe"),
            "The sketch shows several faces.",
        ),
    ],
)
def test_a_sketch_without_one_face(client: Client, gallery: Shown, error: FaceError, said: str) -> None:
    gallery.error = error
    answer = _search(client)
    assert problem(answer, 400) == said
    assert answer.json().get("field") == ("face" if isinstance(error, SeveralFacesError) else None)


@pytest.mark.parametrize(
    "fields", [{"top": "0"}, {"top": "101"}, {"route": "sideways"}, {"prior": "0"}, {"prior": "nan"}, {"face": "-1"}]
)
def test_fields_out_of_range(client: Client, gallery: Shown, fields: dict[str, str]) -> None:
    problem(_search(client, **fields), 422)
    assert gallery.asked == []


def test_searches_wait_for_each_other(client: Client, gallery: Shown) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _search(client), range(8)))
    assert [each.status_code for each in answers] == [200] * 8
    assert gallery.most_at_once == 1


def test_an_upload_that_is_not_a_picture_is_not_searched_for(client: Client, gallery: Shown) -> None:
    problem(client.send(b"nothing", path="/v1/search"), 415)
    assert gallery.asked == []


def test_a_server_without_a_gallery_says_so(serve: Ask) -> None:
    client = serve()
    assert problem(_search(client), 404) == "This server has no gallery to search."
    problem(client.get("/v1/gallery"), 404)
    problem(client.get("/v1/gallery/pictures/" + "0" * 32), 404)
    assert client.get("/v1/health").json()["gallery"] is None


def test_the_form_knows_the_routes_of_the_search() -> None:
    assert set(SearchForm.model_fields["route"].annotation.__args__) == set(ROUTES)  # type: ignore[union-attr]


def test_a_real_gallery_has_what_a_server_uses() -> None:
    for name in ("search", "info", "thumbnail"):
        assert callable(getattr(Gallery, name))


def test_a_gallery_that_is_not_there(refused: Callable[..., str], tmp_path: Path) -> None:
    said = refused("serve", "--port", "0", "--gallery", tmp_path / "nowhere")
    assert "nowhere" in said


@pytest.mark.parametrize("kind", [OutputError, GalleryError, MissingExtraError])
def test_a_fault_of_the_gallery_is_the_servers_and_names_no_path(
    client: Client, gallery: Shown, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    gallery.error = kind("the query cannot be noted", "leave out `query_log`", "/secret/cases/queries.jsonl")
    answer = _search(client)
    assert problem(answer, 500) == "Something went wrong on the server."
    assert "secret" not in answer.text
    assert "queries.jsonl" in caplog.text, "the person who runs it can read why"
