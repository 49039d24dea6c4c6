"""`facesketch.load` in Python gives the picture that `facesketch translate` writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import facesketch
from facesketch.data.synthetic.draw import draw_photo
from facesketch.errors import ConfigError, FaceError
from facesketch.images.io import open_image
from facesketch.inference.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    """Return the package's own models."""
    return facesketch.load()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory, faces: Path) -> dict[str, Path]:
    """Return pictures with a drawn face, or two, somewhere in them."""
    folder = tmp_path_factory.mktemp("scenes")
    photos = [draw_photo(np.random.default_rng([7, number]), 256) for number in range(2)]
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
    assert written.size == ((700, 480) if asked == {"align": False} else (400, 500))


def test_all_faces_are_the_files_that_the_command_line_numbers(
    scenes: dict[str, Path], model: Model, command: Callable[..., Any], tmp_path: Path
) -> None:
    assert command("translate", scenes["two"], "--out", tmp_path / "out.png", "--faces", "all").code == 0
    made = model(scenes["two"], faces="all")
    assert [each.tobytes() for each in made] == [
        open_image(tmp_path / f"out-{number}.png").tobytes() for number in (1, 2)
    ]


def test_one_way_s_model_is_the_same(
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


def test_what_cannot_be_done_is_told(model: Model, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), (90, 120, 60)).save(tmp_path / "wall.png")
    with pytest.raises(FaceError, match=r"wall\.png: no face found"):
        model(tmp_path / "wall.png")
    with pytest.raises(ConfigError, match="leave out one of them"):
        model(tmp_path / "wall.png", faces=1, align=False)
    with pytest.raises(ConfigError, match="charcoal"):
        facesketch.load("photo2sketch", style="charcoal")


def test_a_model_of_any_framing_takes_pictures_as_they_are(scenes: dict[str, Path]) -> None:
    pencil = facesketch.load("pencil")
    assert pencil(scenes["two"]).size == (900, 500)
    with pytest.raises(ConfigError, match="knows no aligned faces"):
        pencil(scenes["two"], faces="all")
