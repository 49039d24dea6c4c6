"""Faces are found, framed, translated and given back at a useful size; what cannot be done is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import facesketch.faces
from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import Direction, MethodConfig, RunConfig
from facesketch.errors import ConfigError, FaceError
from facesketch.faces import Face, FaceFrame, align
from facesketch.faces.turns import turned
from facesketch.inference.portraits import FacePipeline, Portrait, Request, useful_scale
from facesketch.inference.translator import Translator

FRAME = FaceFrame()
BOTH: tuple[Direction, ...] = ("photo2sketch", "sketch2photo")


class Unchanging:
    """An engine that gives back what it gets, and remembers the shapes and directions."""

    def __init__(self, frame: FaceFrame | None = FRAME, directions: tuple[Direction, ...] = BOTH[:1]) -> None:
        self.config = RunConfig(method=MethodConfig(name="pencil"))
        self.preprocessing = Preprocessing(
            photo_channels=3,
            sketch_channels=3,
            longest_side=256,
            frame=None,
            multiple=32,
            directions=directions,
            faces=frame.header() if frame else None,
        )
        self.seen: list[tuple[tuple[int, ...], Direction]] = []

    def run(self, images: NDArray[np.float32], direction: Direction, style: str | None = None) -> NDArray[np.float32]:
        self.seen.append((images.shape, direction))
        return images


def _face(x: float, y: float, distance: float) -> Face:
    eyes = ((x - distance / 2, y), (x + distance / 2, y))
    return Face((x - distance, y - distance, 2 * distance, 3 * distance), eyes, score=0.9)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Face]:
    """Return the list of the faces that are found in every picture, to be filled."""
    faces: list[Face] = []

    class Finder:
        def find(self, image: Image.Image, *, most: int | None = None) -> list[Face]:
            return sorted(faces, key=lambda face: -face.area)[:most]

    monkeypatch.setattr(facesketch.faces, "FaceFinder", Finder)
    return faces


@pytest.fixture
def picture() -> Image.Image:
    """Return a picture of 900x700 whose colours tell where one is."""
    down, across = np.mgrid[0:700, 0:900]
    return Image.fromarray(np.stack([across / 900 * 255, down / 700 * 255, 0 * down + 90], -1).astype(np.uint8))


def drawn(engine: Unchanging, picture: Image.Image, **asked: Any) -> list[Portrait]:
    return FacePipeline(Request(**asked), Translator(engine), keep_sources=True)(picture)


def _difference(first: Image.Image, second: Image.Image) -> float:
    assert first.size == second.size
    return float(np.abs(np.asarray(first, dtype=float) - np.asarray(second, dtype=float)).max())


@pytest.mark.parametrize(
    ("frame", "distance", "scale"),
    [
        (FRAME, 10, 2),  # smaller than the frame, yet a portrait of 400x500
        (FRAME, 50, 2),
        (FRAME, 130, 3),  # of 2.6 frames, so the nearest whole number
        (FRAME, 190, 4),
        (FRAME, 900, 4),
        (FaceFrame(400, 500, (150.0, 250.0), (250.0, 250.0)), 90, 1),
        (FaceFrame(400, 500, (150.0, 250.0), (250.0, 250.0)), 210, 2),
        (FaceFrame(64, 80, (24.0, 40.0), (40.0, 40.0)), 16, 4),
    ],
)
def test_a_portrait_is_near_the_face_s_own_resolution(frame: FaceFrame, distance: float, scale: int) -> None:
    assert useful_scale(frame, _face(500, 400, distance)) == scale


def test_a_face_is_framed_translated_and_shown_large(found: list[Face], picture: Image.Image) -> None:
    found.append(_face(450, 350, 130))
    engine = Unchanging()
    (portrait,) = drawn(engine, picture)
    assert engine.seen == [((1, 3, 256, 224), "photo2sketch")], "the network gets the frame that it learned from"
    assert portrait.picture.size == (600, 750)
    assert portrait.source is not None
    assert _difference(portrait.source, align(picture, found[0], FRAME, scale=3).image) == 0
    assert _difference(portrait.picture, portrait.source) <= 3, "the picture is smooth, so nothing is lost on the way"
    assert (portrait.face, portrait.direction) == (found[0], "photo2sketch")


def test_at_native_resolution_the_network_sees_the_large_portrait(found: list[Face], picture: Image.Image) -> None:
    found.append(_face(450, 350, 150))
    engine = Unchanging()
    (portrait,) = drawn(engine, picture, resolution="native")
    assert engine.seen[0][0] == (1, 3, 768, 608)
    assert portrait.source is not None
    assert _difference(portrait.picture, portrait.source) == 0


def test_faces_are_chosen_by_their_size(found: list[Face], picture: Image.Image) -> None:
    small, large, middle = _face(100, 150, 40), _face(400, 300, 90), _face(750, 300, 60)
    found += [small, large, middle]

    def chosen(which: Any) -> list[Face | None]:
        return [portrait.face for portrait in drawn(Unchanging(), picture, faces=which)]

    assert chosen("largest") == chosen(None) == [large]
    assert chosen("all") == [large, middle, small]
    assert [chosen(number) for number in (1, 2, 3)] == [[large], [middle], [small]]
    studio = FacePipeline(Request(faces=4), Translator(Unchanging()))
    with pytest.raises(FaceError, match=r"^me\.jpg: there is no face 4: 3 faces found"):
        studio(picture, "me.jpg")


def test_a_picture_without_a_face_is_told_by_its_name(found: list[Face], picture: Image.Image) -> None:
    with pytest.raises(FaceError, match=r"^wall\.jpg: no face found; .*`align=False`"):
        FacePipeline(Request(), Translator(Unchanging()))(picture, "wall.jpg")
    (portrait,) = drawn(Unchanging(), picture, align=False)
    assert (portrait.picture.size, portrait.face, portrait.source) == ((900, 700), None, picture)


def test_a_model_of_any_framing_takes_the_picture_as_it_is(found: list[Face], picture: Image.Image) -> None:
    engine = Unchanging(frame=None)
    studio = FacePipeline(Request(), Translator(engine))
    (portrait,) = studio(picture)
    assert portrait.picture.size == picture.size
    assert portrait.source is None, "nobody asked to keep it"
    with pytest.raises(ConfigError, match=r"knows no aligned faces .* leave out `faces`"):
        FacePipeline(Request(faces="all"), Translator(engine))
    with pytest.raises(ConfigError, match="`align=False` does not look for"):
        FacePipeline(Request(faces=1, align=False), Translator(Unchanging()))


def test_a_picture_on_its_side_is_told_by_its_name(found: list[Face], picture: Image.Image) -> None:
    upright = _face(450, 350, 130)
    found.append(upright.turned_back((900, 700), 90))
    lying = turned(picture, 270)
    studio = FacePipeline(Request(), Translator(Unchanging()))
    (portrait,) = studio(lying, "me.jpg")
    assert (portrait.turned, studio.turned) == (90, {"me.jpg": 90})
    found[:] = [upright]
    other = FacePipeline(Request(), Translator(Unchanging()))
    (expected,) = other(picture)
    assert (expected.turned, other.turned) == (0, {})
    assert portrait.picture.tobytes() == expected.picture.tobytes(), "the portrait stands upright"


# Directions, and the package's own models


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what says how every picture is told from now on."""
    kind = pytest.importorskip("facesketch.images.photo_or_sketch")

    def tell(what: str) -> None:
        monkeypatch.setattr(kind, "kind_of", lambda image: what)

    return tell


def test_the_picture_tells_the_direction_where_both_are_served(
    found: list[Face], picture: Image.Image, told: Callable[[str], None]
) -> None:
    engine = Unchanging(frame=None, directions=BOTH)
    for kind, direction in (("photo", "photo2sketch"), ("sketch", "sketch2photo")):
        told(kind)
        assert drawn(engine, picture)[0].direction == direction
    assert drawn(engine, picture, direction="photo2sketch")[0].direction == "photo2sketch"
    one_way = Translator(Unchanging(frame=None, directions=("photo2sketch",)))
    assert FacePipeline(Request(), one_way)(picture)[0].direction == "photo2sketch", "there is nothing to tell"
    with pytest.raises(ConfigError, match="not sketch2photo"):
        FacePipeline(Request(direction="sketch2photo"), one_way)


def test_the_package_s_own_models_are_loaded_when_they_are_needed(
    picture: Image.Image, told: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    asked: list[tuple[Direction, str | None]] = []

    class Handed(Unchanging):
        def run(self, images: NDArray[np.float32], direction: Direction, style: str | None = None) -> Any:
            asked.append((direction, style))
            return images

    def load(path: Direction, **more: Any) -> Translator:
        loaded.append(path)
        engine = Handed(frame=None, directions=(path,))
        hands = ("hard", "soft") if path == "photo2sketch" else ()
        engine.preprocessing = engine.preprocessing.model_copy(update={"styles": hands})
        return Translator(engine)

    monkeypatch.setattr("facesketch.inference.portraits.load", load)
    monkeypatch.setattr("facesketch.inference.portraits._shipped", lambda direction: direction)
    studio = FacePipeline(Request(style="soft"))
    assert loaded == []
    for kind in ("photo", "photo", "sketch", "photo"):
        told(kind)
        studio(picture)
    assert loaded == ["photo2sketch", "sketch2photo"]
    photo, sketch = ("photo2sketch", "soft"), ("sketch2photo", None)
    assert asked == [photo, photo, sketch, photo], "a photo is drawn in no hand"
    told("photo")
    hard = studio.again(Request(style="hard"), keep_sources=False)
    hard(picture)
    assert (loaded, asked[-1]) == (["photo2sketch", "sketch2photo"], ("photo2sketch", "hard"))
    with pytest.raises(ConfigError, match="one style"):
        FacePipeline(Request(direction="sketch2photo", style="soft"))
