"""Pictures in, pictures out."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from tests.serve.conftest import Ask, Client, Network, catalogue, grey, pixels, png, problem

from facesketch.data.synthetic.draw import draw_pair
from facesketch.faces.colours import LIGHT_GREY, Colours, named
from facesketch.images.io import open_image
from facesketch.inference.model import load
from facesketch.serve.app import build
from facesketch.serve.catalogue import load_catalogue
from facesketch.serve.settings import Settings
from facesketch.serve.translating import Job
from facesketch.weights import shipped


@pytest.fixture(scope="module")
def face() -> bytes:
    """Return a synthetic face."""
    return png(draw_pair(np.random.default_rng(3), 256)[0])


def test_a_face_comes_back_as_the_translator_draws_it(own: Client, face: bytes) -> None:
    (portrait,) = load("photo2sketch").portraits(open_image(face))
    answer = own.send(face)
    assert answer.status_code == 200, answer.text
    assert (pixels(answer.content) == np.asarray(portrait.picture)).all()
    told = {name: answer.headers[f"x-facesketch-{name}"] for name in ("direction", "model", "kind", "style")}
    assert told == {"direction": "photo2sketch", "model": "portrait", "kind": "photo", "style": "cuhk"}


def test_the_whole_answer_shows_what_was_framed_and_made(own: Client, face: bytes) -> None:
    told = own.send(face, accept="application/json", style="fs2k-1").json()
    (portrait,) = load("photo2sketch", style="fs2k-1").portraits(open_image(face))
    assert (pixels(_unpacked(told["result"], "image/png")) == np.asarray(portrait.picture)).all()
    source = pixels(_unpacked(told["source"], "image/jpeg"))
    assert source.shape[:2] == (told["height"], told["width"]) == (portrait.picture.height, portrait.picture.width)
    assert portrait.source is not None
    assert np.abs(source.astype(int) - np.asarray(portrait.source)).mean() < 3
    assert portrait.face is not None
    assert told["face"]["box"] == pytest.approx(portrait.face.box, abs=0.1)
    large = open_image(face).resize((2560, 2560))
    whole = own.send(png(large), accept="application/json", whole="true").json()
    assert whole["face"]["box"] == pytest.approx([10 * value for value in told["face"]["box"]], rel=0.1)
    assert (told["faces"], told["style"], told["direction"]) == (1, "fs2k-1", "photo2sketch")
    assert (told["turned"], told["notice"]) == (0, "")


def test_a_face_on_its_side_is_drawn_upright_and_the_answer_says_so(own: Client, face: bytes) -> None:
    lying = png(open_image(face).transpose(Image.Transpose.ROTATE_90))
    answer, upright = own.send(lying), own.send(face)
    assert (pixels(answer.content) == pixels(upright.content)).all()
    assert [each.headers["x-facesketch-turned"] for each in (upright, answer)] == ["0", "90"]
    told = own.send(lying, accept="application/json").json()
    assert told["turned"] == 90
    assert "90°" in told["notice"]
    whole = own.send(lying, align="false")
    assert whole.headers["x-facesketch-turned"] == "0"


def _unpacked(url: str, media: str) -> bytes:
    head, _, body = url.partition(",")
    assert head == f"data:{media};base64"
    return base64.b64decode(body, validate=True)


def test_a_sketch_is_told_from_a_photo(own: Client) -> None:
    sketch = png(draw_pair(np.random.default_rng(1), 200)[1])
    answer = own.send(sketch, align="false")
    assert answer.headers["x-facesketch-direction"] == "sketch2photo"
    assert answer.headers["x-facesketch-kind"] == "sketch"
    assert pixels(answer.content).shape == (200, 200, 3)


def test_a_style_applies_to_sketches_unless_the_direction_is_named(own: Client) -> None:
    sketch = png(draw_pair(np.random.default_rng(1), 200)[1])
    for asked, style in (({}, "natural"), ({"direction": "sketch2photo"}, "fs2k-2")):
        answer = own.send(sketch, align="false", style="fs2k-2", **asked)
        assert answer.headers["x-facesketch-style"] == style
        (portrait,) = load("sketch2photo", style=style).portraits(open_image(sketch), align=False)
        assert (pixels(answer.content) == np.asarray(portrait.picture)).all()


def test_a_picture_without_a_face_is_refused_in_plain_words(own: Client) -> None:
    answer = own.send(grey(200, (300, 300)), direction="photo2sketch")
    assert problem(answer, 400) == "No face was found in this picture."
    assert answer.json()["field"] == "align"


def test_a_face_that_is_not_there(own: Client, face: bytes) -> None:
    assert problem(own.send(face, face="2"), 400) == "The picture shows one face, so there is no face 2."
    assert problem(own.send(face, face="2", align="false"), 400).startswith("The server did not look for faces")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "PNG"),
        ("*/*", "PNG"),
        ("image/*", "PNG"),
        ("image/jpeg", "JPEG"),
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "WEBP"),
        ("image/webp;q=0.5, image/jpeg;q=0.9", "JPEG"),
        ("image/png;q=0, image/*;q=0.1", "JPEG"),
        ("text/html, image/png;q=0.2", "PNG"),
    ],
)
def test_the_answer_has_the_format_that_is_preferred(serve: Ask, accept: str, kind: str) -> None:
    answer = serve().send(grey(30), accept=accept)
    assert answer.headers["content-type"] == f"image/{kind.lower()}"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.size) == (kind, (16, 12))
        assert np.abs(np.asarray(image.convert("L")).astype(int) - 225).max() <= 2, "the network gives the negative"


@pytest.mark.parametrize("accept", ["text/html", "image/png;q=0", "application/xml;q=0.9"])
def test_an_answer_that_the_server_cannot_give(serve: Ask, accept: str) -> None:
    problem(serve().send(grey(30), accept=accept), 406)


def test_what_is_asked_reaches_the_network() -> None:
    network = Network(styles=("soft", "hard"))
    with _around(network) as client:
        assert client.send(grey(30), direction="sketch2photo").headers["x-facesketch-style"] == "soft"
        assert client.send(grey(30), direction="photo2sketch", style="hard").headers["x-facesketch-style"] == "hard"
        assert problem(client.send(grey(30), style="harder"), 400)
        assert problem(client.send(grey(30), model="negativ"), 400) == "There is no model with this id."
    assert network.asked == [("sketch2photo", "soft"), ("photo2sketch", "hard")]


def test_the_colours_of_a_photo_reach_the_network() -> None:
    network = Network(colours=("skin", "background"))
    with _around(network) as client:
        (model,) = client.get("/v1/models").json()
        assert model["colours"] == ["skin", "background"]
        client.send(grey(30), direction="sketch2photo", skin="5", background="auto")
        client.send(grey(30), direction="sketch2photo")
        for asked in ({"hair": "black"}, {"skin": "eleven"}):
            problem(client.send(grey(30), direction="sketch2photo", **asked), 400)
    assert network.told == [Colours(skin=named("skin", "5")), Colours(background=named("background", LIGHT_GREY))]


def test_colours_apply_to_photos_unless_the_direction_is_named(own: Client, face: bytes) -> None:
    drawn = own.send(face, skin="5")
    assert (drawn.status_code, drawn.headers["x-facesketch-direction"]) == (200, "photo2sketch")
    problem(own.send(face, skin="5", direction="photo2sketch"), 400)
    problem(own.send(face, hair="brwon"), 400)


def test_a_photo_is_drawn_in_three_tones_of_skin(own: Client, face: bytes) -> None:
    sketch = png(draw_pair(np.random.default_rng(1), 200)[1])
    answer = own.send(sketch, align="false", variants="true", hair="grey")
    drawn = load("sketch2photo")(open_image(sketch), align=False, variants=True, hair="grey")
    assert (pixels(answer.content) == np.asarray(drawn)).all()
    told = own.send(sketch, accept="application/json", align="false", variants="true").json()
    assert (told["width"], told["height"]) == (600, 200)
    assert pixels(_unpacked(told["source"], "image/jpeg")).shape == (200, 200)
    problem(own.send(sketch, variants="true", skin="5"), 400)
    assert own.send(face, variants="true").content == own.send(face).content, "a sketch has no colours"


def test_a_size_applies_to_the_direction_that_has_it(own: Client, face: bytes) -> None:
    sketch = png(draw_pair(np.random.default_rng(2), 256)[1])
    assert pixels(own.send(face, size="200x250").content).shape == (250, 200)
    assert own.send(sketch, size="400x500").content == own.send(sketch).content
    problem(own.send(sketch, size="300x300"), 400)


def test_a_direction_that_the_model_does_not_serve() -> None:
    with _around(Network(directions=("sketch2photo",))) as client:
        said = problem(client.send(grey(30), direction="photo2sketch"), 400)
        assert said == "The model negative translates sketch2photo, not photo2sketch."
        assert client.send(grey(30)).headers["x-facesketch-direction"] == "sketch2photo"


def test_a_network_of_one_size_knows_no_native_resolution() -> None:
    with _around(Network(frame=32)) as client:
        assert "fixed size" in problem(client.send(grey(30), resolution="native"), 400)
        assert pixels(client.send(grey(30)).content).shape == (12, 16)


def _around(network: Network) -> Client:
    return Client(build(Settings(), catalogue(network)))


def test_whole_pictures_are_kept_within_bounds(serve: Ask) -> None:
    client = serve(limits={"side": 200, "native": 100})
    assert pixels(client.send(grey(30, (400, 300))).content).shape == (150, 200)
    assert pixels(client.send(grey(30, (400, 300)), resolution="native").content).shape == (75, 100)
    assert pixels(client.send(grey(30, (200, 120))).content).shape == (120, 200)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"direction": "upwards"}, "Direction = 'upwards'"),
        ({"face": "0"}, "Face = '0'"),
        ({"face": "nine"}, "Face = 'nine'"),
        ({"style": ""}, "Style = ''"),
        ({"align": "perhaps"}, "Align = 'perhaps'"),
        ({"stile": "cuhk"}, "Unknown key 'stile'; did you mean 'style'?"),
    ],
)
def test_fields_that_are_not_understood(serve: Ask, fields: dict[str, str], said: str) -> None:
    assert problem(serve().send(grey(30), **fields), 422).startswith(said)


def test_models_are_listed_with_what_they_do(own: Client) -> None:
    assert own.get("/v1/models").json() == [
        {
            "id": "portrait",
            "title": "Portrait (comes with facesketch)",
            "directions": ["photo2sketch", "sketch2photo"],
            "styles": {
                "photo2sketch": ["cuhk", "fs2k-0", "fs2k-1", "fs2k-2"],
                "sketch2photo": ["natural", "cuhk", "fs2k-0", "fs2k-1", "fs2k-2"],
            },
            "sizes": {"photo2sketch": ["200x250", "400x500"], "sketch2photo": ["200x250", "400x500"]},
            "colours": ["skin", "hair", "background"],
            "faces": True,
            "native": True,
            "size": 250,
            "default": True,
        }
    ]


def test_your_own_model_is_offered_without_its_path(tmp_path: Path, serve: Ask) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        shutil.copyfile(shipped.path("photo2sketch"), tmp_path / folder / "My Model.onnx")
    names = tuple(str(tmp_path / folder / "My Model.onnx") for folder in ("one", "two"))
    client = serve(models=load_catalogue(Settings(models=names)))
    listed = client.get("/v1/models")
    assert [each["id"] for each in listed.json()] == ["portrait", "my-model", "my-model-2"]
    assert [each["directions"] for each in listed.json()][1:] == [["photo2sketch"]] * 2
    answer = client.send(grey(90, (64, 64)), model="my-model-2", align="false")
    assert answer.headers["x-facesketch-model"] == "my-model-2"
    said = client.send(grey(90, (64, 64)), model="my-model", direction="sketch2photo").text + listed.text
    assert str(tmp_path) not in said


def test_a_style_of_any_name_fits_into_a_header() -> None:
    framed, model = (
        SimpleNamespace(direction="photo2sketch", face=None, style="鉛筆"),
        SimpleNamespace(about=SimpleNamespace(id="m")),
    )
    headers = Job(framed, None, model, 0).headers()
    assert unquote(headers["X-Facesketch-Style"]) == "鉛筆"
    assert all(value.isascii() for value in headers.values())
