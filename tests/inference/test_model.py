"""A model finds faces, frames, translates and gives them back large; Python gives what the command line writes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import facesketch
from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import Direction, MethodConfig, RunConfig
from facesketch.data.synthetic.draw import draw_pair
from facesketch.errors import ConfigError, FaceError
from facesketch.faces import Face, FaceFrame, align
from facesketch.faces.colours import AUTO, LIGHT_GREY, PARTS, Colours, named
from facesketch.faces.turns import turned
from facesketch.images.io import open_image
from facesketch.inference.model import Model, Portrait, Request, useful_scale
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
            faces=frame,
        )
        self.seen: list[tuple[tuple[int, ...], Direction]] = []

    def run(
        self, images: NDArray[np.float32], direction: Direction, style: str | None = None, colours: Colours = AUTO
    ) -> NDArray[np.float32]:
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

    monkeypatch.setattr("facesketch.inference.model.FaceFinder", Finder)
    return faces


@pytest.fixture
def picture() -> Image.Image:
    """Return a picture of 900x700 whose colours tell where one is."""
    down, across = np.mgrid[0:700, 0:900]
    return Image.fromarray(np.stack([across / 900 * 255, down / 700 * 255, 0 * down + 90], -1).astype(np.uint8))


def drawn(engine: Unchanging, picture: Image.Image, **asked: Any) -> list[Portrait]:
    return Model(Translator(engine)).portraits(picture, **asked)


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


def test_a_margin_shows_more_around_the_same_face(found: list[Face], picture: Image.Image) -> None:
    found.append(_face(450, 350, 100))
    engine = Unchanging()
    (portrait,), (wide,) = drawn(engine, picture), drawn(engine, picture, margin=0.4)
    assert engine.seen[1][0] == (1, 3, 480, 384), "450x360, so the face is as large as without a margin"
    assert wide.picture.size == (720, 900)
    assert _difference(wide.picture.crop((160, 200, 560, 700)), portrait.picture) <= 3


def test_the_whole_picture_is_drawn_with_the_face_as_large_as_in_the_frame(
    found: list[Face], picture: Image.Image
) -> None:
    found.append(_face(450, 350, 100))
    engine = Unchanging()
    (portrait,) = drawn(engine, picture, whole=True)
    assert engine.seen[0][0] == (1, 3, 352, 480), "half of 900x700, as the eyes are 100 pixels apart instead of 50"
    assert portrait.source is not None
    assert portrait.source.tobytes() == picture.tobytes()
    assert _difference(portrait.picture, picture) <= 3
    found[:] = [_face(450, 350, 20)]
    drawn(engine, picture, whole=True)
    assert max(engine.seen[1][0]) == 1024, "a small face does not make the picture larger than that"
    found[:] = [_face(450, 350, 100).turned_back((900, 700), 90)]
    assert drawn(engine, turned(picture, 270), whole=True)[0].picture.size == (900, 700)


@pytest.mark.parametrize(
    "asked",
    [
        {"margin": -0.1},
        {"margin": 2.1},
        {"margin": "wide"},
        {"margin": 0.1, "align": False},
        {"whole": True, "align": False},
        {"whole": True, "margin": 0.1},
        {"whole": True, "faces": "all"},
    ],
)
def test_what_does_not_go_with_a_margin_or_the_whole_picture_is_refused(
    asked: dict[str, Any], picture: Image.Image
) -> None:
    with pytest.raises(ConfigError, match=r"margin|whole"):
        drawn(Unchanging(), picture, **asked)
    with pytest.raises(ConfigError, match=r"margin|whole"):
        drawn(Unchanging(frame=None), picture, **{**asked, "align": True})


class Detailing(Unchanging):
    """Gives back the last three channels: what was drawn before, enlarged."""

    def run(
        self, images: NDArray[np.float32], direction: Direction, style: str | None = None, colours: Colours = AUTO
    ) -> NDArray[np.float32]:
        super().run(images, direction, style, colours)
        return images[:, 3:]


@pytest.mark.parametrize(
    ("distance", "asked", "details", "size"),
    [
        (74, {}, False, (400, 500)),
        (76, {}, True, (400, 500)),
        (190, {}, True, (800, 1000)),
        (190, {"size": "200x250"}, False, (200, 250)),
        (20, {"size": "400x500"}, True, (400, 500)),
        (190, {"size": "400x500", "margin": 0.5}, True, (800, 1000)),
        (100, {"whole": True}, True, (900, 700)),
        (190, {"resolution": "native"}, False, (800, 1000)),
    ],
)
def test_details_are_drawn_where_the_face_has_them_or_on_request(
    found: list[Face],
    picture: Image.Image,
    distance: float,
    asked: dict[str, Any],
    *,
    details: bool,
    size: tuple[int, int],
) -> None:
    found.append(_face(450, 350, distance))
    engine, finer = Unchanging(), Detailing()
    (portrait,) = Model(Translator(engine, finer=lambda: finer)).portraits(picture, **asked)
    assert portrait.picture.size == size
    assert portrait.source is not None
    assert len(finer.seen) == details
    if details:
        ((_, channels, height, width), _), small = finer.seen[0], engine.seen[0][0]
        assert channels == 6, "the larger picture, and what was drawn of the smaller"
        assert height > 1.4 * small[2]
        assert width > 1.4 * small[3]
    off = np.asarray(portrait.picture, float) - np.asarray(portrait.source, float)
    assert np.abs(off).mean() < 0.5, "the picture is smooth, so enlarging loses next to nothing"


def test_a_photo_gets_details_however_small_the_sketch(found: list[Face], picture: Image.Image) -> None:
    found.append(_face(450, 350, 30))
    finer = Detailing(directions=BOTH[1:])
    model = Model(Translator(Unchanging(directions=BOTH[1:]), finer=lambda: finer))
    assert model(picture).size == (400, 500)
    assert len(finer.seen) == 1
    model(picture, size="200x250")
    assert len(finer.seen) == 1


def test_a_size_that_a_model_does_not_draw_is_refused(found: list[Face], picture: Image.Image) -> None:
    found.append(_face(450, 350, 100))
    model = Model(Translator(Unchanging()))
    assert model(picture, size="200x250").size == (200, 250)
    for size in ("400x500", "400", ""):
        with pytest.raises(ConfigError, match="size"):
            model(picture, size=size)
    with pytest.raises(ConfigError, match="size"):
        Model(Translator(Unchanging(frame=None)))(picture, size="200x250")


def test_faces_with_and_without_details_do_not_share_a_batch(found: list[Face], picture: Image.Image) -> None:
    found += [_face(450, 350, 100), _face(200, 350, 40)]
    model = Model(Translator(Unchanging(), finer=Detailing))
    first, second = model.prepare(picture, Request(faces="all"))
    assert first.batch != second.batch


def test_faces_are_chosen_by_their_size(found: list[Face], picture: Image.Image) -> None:
    small, large, middle = _face(100, 150, 40), _face(400, 300, 90), _face(750, 300, 60)
    found += [small, large, middle]

    def chosen(which: Any) -> list[Face | None]:
        return [portrait.face for portrait in drawn(Unchanging(), picture, faces=which)]

    assert chosen("largest") == chosen(None) == [large]
    assert chosen("all") == [large, middle, small]
    assert [chosen(number) for number in (1, 2, 3)] == [[large], [middle], [small]]
    with pytest.raises(FaceError, match=r"^me\.jpg: there is no face 4: 3 faces found"):
        Model(Translator(Unchanging())).prepare(picture, Request(faces=4), "me.jpg")


def test_a_picture_without_a_face_is_named(found: list[Face], picture: Image.Image) -> None:
    with pytest.raises(FaceError, match=r"^wall\.jpg: no face found; .*`align=False`"):
        Model(Translator(Unchanging())).prepare(picture, Request(), "wall.jpg")
    (portrait,) = drawn(Unchanging(), picture, align=False)
    assert (portrait.picture.size, portrait.face, portrait.source) == ((900, 700), None, picture)


def test_a_model_of_any_framing_takes_the_picture_as_it_is(found: list[Face], picture: Image.Image) -> None:
    engine = Unchanging(frame=None)
    model = Model(Translator(engine))
    assert model(picture).size == picture.size
    assert model.prepare(picture)[0].source is None, "it was not asked for"
    for asked in (Request(faces="all"), Request(faces=1, align=False)):
        with pytest.raises(ConfigError, match="faces"):
            model.check(asked)
        with pytest.raises(ConfigError, match="faces"):
            model.prepare(picture, asked)


def test_a_picture_on_its_side_gives_an_upright_portrait(found: list[Face], picture: Image.Image) -> None:
    upright = _face(450, 350, 130)
    found.append(upright.turned_back((900, 700), 90))
    (portrait,) = drawn(Unchanging(), turned(picture, 270))
    found[:] = [upright]
    (expected,) = drawn(Unchanging(), picture)
    assert (portrait.turned, expected.turned) == (90, 0)
    assert portrait.picture.tobytes() == expected.picture.tobytes()


# Directions, and the package's own models


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what says how every picture is told from now on."""

    def tell(what: str) -> None:
        monkeypatch.setattr("facesketch.inference.model.kind_of", lambda image: what)

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
    assert Model(one_way).portraits(picture)[0].direction == "photo2sketch", "there is nothing to choose"
    with pytest.raises(ConfigError, match="not sketch2photo"):
        Model(one_way).check(Request(direction="sketch2photo"))


def test_models_of_each_direction_are_loaded_when_they_are_needed(
    picture: Image.Image, told: Callable[[str], None]
) -> None:
    loaded: list[str] = []
    asked: list[tuple[Direction, str | None]] = []

    class Styled(Unchanging):
        def run(
            self, images: NDArray[np.float32], direction: Direction, style: str | None = None, colours: Colours = AUTO
        ) -> Any:
            asked.append((direction, style))
            return images

    def open_one(direction: Direction) -> Translator:
        loaded.append(direction)
        engine = Styled(frame=None, directions=(direction,))
        styles = ("hard", "soft") if direction == "photo2sketch" else ()
        engine.preprocessing = engine.preprocessing.model_copy(update={"styles": styles})
        return Translator(engine)

    model = Model({direction: partial(open_one, direction) for direction in BOTH}, style="soft")
    assert loaded == []
    for kind in ("photo", "photo", "sketch", "photo"):
        told(kind)
        model(picture)
    assert loaded == ["photo2sketch", "sketch2photo"]
    photo, sketch = ("photo2sketch", "soft"), ("sketch2photo", None)
    assert asked == [photo, photo, sketch, photo], "a photo has no style"
    told("photo")
    model(picture, style="hard")
    assert (loaded, asked[-1]) == (["photo2sketch", "sketch2photo"], ("photo2sketch", "hard"))
    with pytest.raises(ConfigError, match="one style"):
        model(picture, "sketch2photo")
    told("sketch")
    with pytest.raises(ConfigError, match="charcoal"):
        model(picture, style="charcoal")
    with pytest.raises(ConfigError, match="did you mean 'soft'"):
        model(picture, style="sofft")


def test_a_style_that_the_package_s_models_lack_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="charcoal"):
        facesketch.load(style="charcoal")
    assert facesketch.load(style="fs2k-1").directions == ("photo2sketch", "sketch2photo")


# Colours


class Coloured(Unchanging):
    """Draws a photo that is as light as the skin that it is told, and remembers what it was told."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.preprocessing = self.preprocessing.model_copy(update={"colours": ("skin", "hair")})
        self.told: list[Colours] = []

    def run(
        self, images: NDArray[np.float32], direction: Direction, style: str | None = None, colours: Colours = AUTO
    ) -> NDArray[np.float32]:
        """Return a grey that tells the skin's lightness."""
        self.told.append(colours)
        lightness = 0.0 if colours.skin is None else colours.skin[0]
        return np.full((len(images), 3, *images.shape[2:]), lightness / 50 - 1, np.float32)


def test_a_photo_is_drawn_in_the_colours_asked_for(picture: Image.Image) -> None:
    engine = Coloured(frame=None, directions=("sketch2photo",))
    model = Model(Translator(engine))
    assert model.colours == ("skin", "hair")
    model(picture)
    model(picture, skin="5", hair="black")
    model(picture, skin="auto")
    assert engine.told == [AUTO, Colours(named("skin", "5"), named("hair", "black")), AUTO]


def test_a_photo_stands_before_light_grey_unless_asked_otherwise(picture: Image.Image) -> None:
    engine = Coloured(frame=None, directions=("sketch2photo",))
    engine.preprocessing = engine.preprocessing.model_copy(update={"colours": PARTS})
    model = Model(Translator(engine))
    for asked in ({}, {"background": "auto"}, {"background": "navy"}):
        model(picture, **asked)
    backgrounds = [named("background", colour) for colour in (LIGHT_GREY, "auto", "navy")]
    assert engine.told == [Colours(background=each) for each in backgrounds]


def test_variants_stand_side_by_side_from_light_to_dark(picture: Image.Image) -> None:
    engine = Coloured(frame=None, directions=("sketch2photo",))
    result = Model(Translator(engine))(picture, variants=True, hair="grey")
    assert result.size == (3 * picture.width, picture.height)
    middles = [result.getpixel(((2 * place + 1) * picture.width // 2, 5))[0] for place in range(3)]
    assert middles == sorted(middles, reverse=True)
    assert len(set(middles)) == 3
    assert {told.hair for told in engine.told} == {named("hair", "grey")}


@pytest.mark.parametrize(
    "asked", [{"background": "blue"}, {"skin": "11"}, {"variants": True, "skin": "5"}, {"hair": "no colour"}]
)
def test_colours_that_a_model_cannot_draw_are_refused(picture: Image.Image, asked: dict[str, Any]) -> None:
    model = Model(Translator(Coloured(frame=None, directions=("sketch2photo",))))
    with pytest.raises(ConfigError):
        model(picture, **asked)


def test_a_model_without_colours_refuses_them_in_one_line(picture: Image.Image) -> None:
    model = Model(Translator(Unchanging(frame=None, directions=("sketch2photo",))))
    for asked in ({"skin": "5"}, {"variants": True}):
        with pytest.raises(ConfigError, match="takes no colours") as refused:
            model(picture, **asked)
        assert "\n" not in str(refused.value)


def test_colours_are_meant_for_the_photo_where_the_picture_tells_the_direction(
    picture: Image.Image, told: Callable[[str], None]
) -> None:
    engine = Coloured(frame=None, directions=("sketch2photo",))
    drawn = Translator(Unchanging(frame=None, directions=("photo2sketch",)))
    model = Model({"photo2sketch": lambda: drawn, "sketch2photo": lambda: Translator(engine)})
    told("photo")
    model(picture, skin="5")
    told("sketch")
    model(picture, skin="5")
    assert engine.told == [Colours(skin=named("skin", "5"))]
    with pytest.raises(ConfigError, match="takes no colours"):
        model(picture, "photo2sketch", skin="5")


# Python and the command line


@pytest.fixture(scope="module")
def model() -> Model:
    """Return the package's own models."""
    return facesketch.load()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> dict[str, Path]:
    """Return pictures with a drawn face, or two, somewhere in them."""
    folder = tmp_path_factory.mktemp("scenes")
    photos = [draw_pair(np.random.default_rng([7, number]), 256)[0] for number in range(2)]
    sketch = (
        open_image(faces / "sketches" / "face-0002.png").convert("RGB").resize((300, 300), Image.Resampling.BICUBIC)
    )
    wall, paper = (120, 135, 150), (250, 250, 248)
    drawn = {
        "photo": _scene((700, 480), wall, (photos[0], (380, 120))),
        "sketch": _scene((500, 640), paper, (sketch, (60, 250))),
        "two": _scene((900, 500), wall, (photos[0], (60, 100)), (photos[1].resize((200, 200)), (560, 180))),
    }
    drawn["lying"] = drawn["photo"].transpose(Image.Transpose.ROTATE_90)
    for name, picture in drawn.items():
        picture.save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in drawn}


def _scene(size: tuple[int, int], ground: tuple[int, ...], *faces: tuple[Image.Image, tuple[int, int]]) -> Image.Image:
    page = Image.new("RGB", size, ground)
    for face, place in faces:
        page.paste(face, place)
    return page


@pytest.mark.parametrize(
    ("scene", "words", "asked"),
    [
        ("photo", [], {}),
        ("sketch", [], {}),
        ("lying", [], {}),
        ("two", ["--faces", "2"], {"faces": 2}),
        ("photo", ["--style", "fs2k-1"], {"style": "fs2k-1"}),
        ("photo", ["--direction", "sketch2photo"], {"direction": "sketch2photo"}),
        ("photo", ["--resolution", "native"], {"resolution": "native"}),
        ("photo", ["--no-align"], {"align": False}),
        ("lying", ["--whole"], {"whole": True}),
        ("photo", ["--size", "200x250"], {"size": "200x250"}),
    ],
)
def test_python_and_the_command_line_give_the_same_picture(
    scenes: dict[str, Path],
    model: Model,
    command: Callable[..., Any],
    tmp_path: Path,
    scene: str,
    words: list[str],
    asked: dict[str, Any],
) -> None:
    assert command("translate", scenes[scene], "--out", tmp_path / "out.png", *words).code == 0
    written, made = open_image(tmp_path / "out.png"), model(scenes[scene], **asked)
    assert (made.mode, made.size) == (written.mode, written.size)
    assert made.tobytes() == written.tobytes()
    sizes = {"align": (700, 480), "whole": (700, 480), "size": (200, 250)}
    assert written.size == next((sizes[each] for each in asked if each in sizes), (400, 500))


def test_all_faces_are_the_files_that_the_command_line_numbers(
    scenes: dict[str, Path], model: Model, command: Callable[..., Any], tmp_path: Path
) -> None:
    assert command("translate", scenes["two"], "--out", tmp_path / "out.png", "--faces", "all").code == 0
    made = model(scenes["two"], faces="all")
    assert [each.tobytes() for each in made] == [
        open_image(tmp_path / f"out-{number}.png").tobytes() for number in (1, 2)
    ]


def test_a_model_of_one_direction_is_the_same(
    scenes: dict[str, Path], model: Model, command: Callable[..., Any], tmp_path: Path
) -> None:
    one, out = facesketch.load("photo2sketch", style="fs2k-2"), tmp_path / "out.png"
    words = ["--model", "photo2sketch", "--style", "fs2k-2", "--out", out]
    assert command("translate", scenes["photo"], *words).code == 0
    written = open_image(out).tobytes()
    assert one(scenes["photo"]).tobytes() == written == model(scenes["photo"], style="fs2k-2").tobytes()
    assert one(scenes["photo"], style="cuhk").tobytes() == model(scenes["photo"]).tobytes() != written
    assert (one.directions, model.directions) == (("photo2sketch",), ("photo2sketch", "sketch2photo"))
    assert one.styles == ("cuhk", "fs2k-0", "fs2k-1", "fs2k-2")


def test_the_kind_that_goes_in_comes_out(scenes: dict[str, Path], model: Model) -> None:
    path = scenes["photo"]
    expected, image = model(path), open_image(path)
    assert model(image).tobytes() == expected.tobytes()
    assert open_image(model(path.read_bytes())).tobytes() == expected.tobytes()
    assert np.array_equal(model(np.asarray(image)), np.asarray(expected))
    floats = model(np.asarray(image, dtype=np.float32) / 255)
    assert floats.dtype == np.float32
    assert np.abs(floats * 255 - np.asarray(expected)).max() <= 1


def test_portraits_tell_what_they_were_made_of(scenes: dict[str, Path], model: Model) -> None:
    (upright,) = model.portraits(scenes["photo"])
    (lying,) = model.portraits(scenes["lying"])
    assert (upright.turned, lying.turned, lying.direction) == (0, 90, "photo2sketch")
    assert upright.source is not None
    assert lying.source is not None
    assert upright.source.size == upright.picture.size
    assert lying.picture.tobytes() == upright.picture.tobytes()


def test_what_cannot_be_done_is_reported(model: Model, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), (90, 120, 60)).save(tmp_path / "wall.png")
    with pytest.raises(FaceError, match=r"wall\.png: no face found"):
        model(tmp_path / "wall.png")
    with pytest.raises(ConfigError, match="leave out one of them"):
        model(tmp_path / "wall.png", faces=1, align=False)
    with pytest.raises(ConfigError, match="charcoal"):
        facesketch.load("photo2sketch", style="charcoal")


@pytest.mark.parametrize("asked", [{"faces": 0}, {"faces": True}, {"faces": 1.0}, {"faces": "al"}, {"align": "no"}])
def test_what_nobody_can_mean_is_refused(asked: dict[str, Any], model: Model) -> None:
    with pytest.raises(ConfigError, match=next(iter(asked))):
        model(Image.new("RGB", (64, 64)), **asked)


@pytest.mark.parametrize("wrong", [{"direction": "sketch"}, {"resolution": "full", "whole": True}])
def test_unknown_words_are_refused_before_a_picture_is_drawn(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        facesketch.load()(Image.new("RGB", (64, 64)), **wrong)


@pytest.mark.parametrize("wrong", [{"engine": "onnxx"}, {"device": "gpu"}, {"weights": "good"}])
@pytest.mark.parametrize("path", [None, "pencil"])
def test_unknown_words_are_refused_when_a_model_is_loaded(path: str | None, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong.values()))):
        facesketch.load(path, **wrong)


def test_the_pencil_takes_pictures_as_they_are(scenes: dict[str, Path]) -> None:
    pencil = facesketch.load("pencil")
    assert pencil(scenes["two"]).size == (900, 500)
    with pytest.raises(ConfigError, match="without finding faces"):
        pencil(scenes["two"], faces="all")
