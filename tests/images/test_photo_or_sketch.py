"""A photo is told from a sketch by the picture itself, whatever was done to it on the way."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from facesketch.data.index import index
from facesketch.data.pairs import Pair
from facesketch.data.synthetic.draw import draw_pair
from facesketch.images.photo_or_sketch import _hats, _spread, kind_of, likeness

Change = Callable[[Image.Image], Image.Image]
_DRAWN = [draw_pair(np.random.default_rng(seed), 128) for seed in range(4)]


def _tinted(*paper: float) -> Change:
    def tint(image: Image.Image) -> Image.Image:
        return Image.fromarray((np.asarray(image.convert("RGB")) * np.array(paper)).astype(np.uint8))

    return tint


def _sepia(image: Image.Image) -> Image.Image:
    return ImageOps.colorize(image.convert("L"), (40, 20, 8), (250, 232, 200), mid=(150, 112, 74))


def _jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=30)
    return Image.open(io.BytesIO(buffer.getvalue()))


def _longest(side: int) -> Change:
    def resize(image: Image.Image) -> Image.Image:
        scale = side / max(image.size)
        return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)

    return resize


def _bordered(image: Image.Image) -> Image.Image:
    return ImageOps.expand(image.convert("RGB"), round(min(image.size) * 0.1), "white")


def _shadowed(image: Image.Image) -> Image.Image:
    """Darken the left to two thirds, softly, as a hand between lamp and sheet does."""
    across = np.linspace(-0.5, 0.5, image.width)[None, :, None]
    light = 1 - 0.35 / (1 + np.exp(across / 0.15))
    return Image.fromarray((np.asarray(image.convert("RGB")) * light).astype(np.uint8))


CHANGES: dict[str, Change] = {
    "as it is": lambda image: image,
    "grey": lambda image: image.convert("L"),
    "sepia": _sepia,
    "yellow paper": _tinted(1.0, 0.93, 0.75),
    "grey paper": _tinted(0.75, 0.75, 0.75),
    "JPEG 30": _jpeg,
    "128": _longest(128),
    "1024": _longest(1024),
    "white border": _bordered,
    "shadow": _shadowed,
}
IN_COLOUR = [name for name in CHANGES if name not in {"grey", "sepia"}]
ON_WHITE = ["as it is", "grey", "JPEG 30", "128", "1024", "white border"]
every_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


def test_synthetic_faces_are_told(faces: Path) -> None:
    pairs = index(faces).pairs
    assert [kind_of(pair.photo.open()) for pair in pairs] == ["photo"] * 12
    assert sum(kind_of(pair.sketch.open()) == "sketch" for pair in pairs) >= 11  # one at 64 pixels is nearly all dark


@pytest.mark.parametrize("change", [CHANGES[name] for name in ON_WHITE], ids=ON_WHITE)
def test_synthetic_sketches_are_told_while_their_paper_is_white(change: Change) -> None:
    assert [kind_of(change(sketch)) for _, sketch in _DRAWN] == ["sketch"] * len(_DRAWN)


# The paper's white is a good part of what tells a face shaded dark all over from a photo.
@every_change
def test_most_synthetic_sketches_are_told_whatever_was_done_to_them(change: Change) -> None:
    assert sum(kind_of(change(sketch)) == "sketch" for _, sketch in _DRAWN) >= len(_DRAWN) - 1


# Without their colour synthetic photos are smoother than any camera's, and their backgrounds as even as paper.
@pytest.mark.parametrize("change", [CHANGES[name] for name in IN_COLOUR], ids=IN_COLOUR)
def test_synthetic_photos_are_told_while_they_have_their_colour(change: Change) -> None:
    assert [kind_of(change(photo)) for photo, _ in _DRAWN] == ["photo"] * len(_DRAWN)


def test_the_score_says_how_likely_it_is_a_sketch() -> None:
    for photo, sketch in _DRAWN:
        assert likeness(photo) < 0.2
        assert likeness(sketch) > 0.8


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK", "1", "I;16"])
def test_any_mode_is_judged(mode: str) -> None:
    _, sketch = _DRAWN[0]
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(sketch).astype(np.uint16) * 257)
    else:
        picture = sketch.convert("RGB").convert(mode) if mode in {"P", "CMYK"} else sketch.convert(mode)
    assert kind_of(picture) == "sketch"


@pytest.mark.parametrize("mode", ["1", "L", "P", "I", "F", "I;16", "I;16B", "LA", "PA", "RGBA", "CMYK", "LAB", "HSV"])
def test_a_large_picture_of_any_mode_is_judged(mode: str) -> None:
    assert 0 <= likeness(Image.new(mode, (1500, 1000))) <= 1


def test_strokes_on_nothing_are_a_sketch() -> None:
    _, sketch = _DRAWN[0]
    strokes = Image.new("RGBA", sketch.size, (0, 0, 0, 0))
    strokes.putalpha(ImageOps.invert(sketch))
    assert kind_of(strokes) == "sketch"


@given(pair=st.sampled_from(_DRAWN), side=st.integers(0, 1), change=st.sampled_from(list(CHANGES)))
@settings(max_examples=30, deadline=None)
def test_a_mirror_changes_nothing(pair: tuple[Image.Image, Image.Image], side: int, change: str) -> None:
    picture = CHANGES[change](pair[side])
    assert likeness(ImageOps.mirror(picture)) == pytest.approx(likeness(picture), abs=0.05)


@given(pair=st.sampled_from(_DRAWN), side=st.integers(0, 1), pixels=st.integers(96, 700))
@settings(max_examples=20, deadline=None)
def test_size_changes_nothing(pair: tuple[Image.Image, Image.Image], side: int, pixels: int) -> None:
    assert kind_of(_longest(pixels)(pair[side])) == ("photo", "sketch")[side]


@given(width=st.integers(1, 300), height=st.integers(1, 300), grey=st.integers(0, 255))
@settings(max_examples=25, deadline=None)
def test_any_shape_has_an_answer(width: int, height: int, grey: int) -> None:
    assert 0 <= likeness(Image.new("L", (width, height), grey)) <= 1


def test_it_needs_no_torch() -> None:
    code = "import sys, facesketch.images.photo_or_sketch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("width", [3, 5, 9])
@pytest.mark.parametrize("size", [(103, 84), (8, 103), (4, 3)])
def test_narrow_places_are_those_that_opencv_finds(size: tuple[int, int], width: int) -> None:
    levels = np.random.default_rng(width).integers(0, 256, size, np.uint8)
    square = np.ones((width, width), np.uint8)
    assert np.array_equal(_spread(levels, width, np.maximum), cv2.dilate(levels, square))
    hats = [cv2.morphologyEx(levels, hat, square).mean() for hat in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)]
    assert _hats(levels, width) == tuple(hats)


def _share(pairs: list[Pair], kind: str, change: Change) -> float:
    sides = [pair.photo if kind == "photo" else pair.sketch for pair in pairs]
    return float(np.mean([kind_of(change(source.open())) == kind for source in sides]))


@pytest.mark.shared
@pytest.mark.parametrize(("data", "step"), [("cuhk", 2), ("cuhk_original", 4), ("fs2k_train", 9)])
def test_research_data_are_told(shared: Path, data: str, step: int) -> None:
    pairs = list(index(shared / "data" / data).pairs)[::step]
    assert _share(pairs, "photo", CHANGES["as it is"]) >= 0.995
    assert _share(pairs, "photo", CHANGES["grey"]) >= 0.98
    assert _share(pairs, "sketch", CHANGES["as it is"]) >= 0.99
