"""Aligning by given eyes, filling what the picture does not cover, and putting the frame back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from facesketch.faces import Face, FaceFrame, align
from facesketch.faces.frame import Point

FRAME = FaceFrame()
Eyes = tuple[Point, Point]


def face(eyes: Eyes) -> Face:
    return Face((0.0, 0.0, 100.0, 100.0), eyes, score=1.0)


def dots(size: tuple[int, int], eyes: Eyes, radius: float, mode: str = "RGB") -> Image.Image:
    """Draw a light picture with a dark disc for each eye, its edge soft, so that its centre can be measured finely."""
    rows, columns = np.indices((size[1], size[0])) + 0.5
    near = np.min([np.hypot(columns - x, rows - y) for x, y in eyes], axis=0)
    return Image.fromarray((20 + 210 * np.clip(near - radius + 1, 0, 1)).round().astype(np.uint8)).convert(mode)


def centres(image: Image.Image) -> list[Point]:
    """Return the centres of the dark discs, left to right."""
    dark = np.clip(200.0 - np.asarray(image.convert("L"), dtype=np.float64), 0, None)
    middle = image.width // 2
    found = []
    for start, part in ((0, dark[:, :middle]), (middle, dark[:, middle:])):
        rows, columns = np.indices(part.shape) + 0.5
        found.append((float((columns * part).sum() / part.sum()) + start, float((rows * part).sum() / part.sum())))
    return found


def pattern(size: tuple[int, int]) -> Image.Image:
    """Return a smooth colourful picture, every part of which is different."""
    noise = np.random.default_rng(5).integers(0, 256, (size[1] // 8 + 1, size[0] // 8 + 1, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))


def pixels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, dtype=np.float64)


@settings(max_examples=20, deadline=None)
@given(
    angle=st.floats(-60, 60),
    apart=st.floats(25, 220),
    across=st.floats(250, 350),
    down=st.floats(200, 300),
    scale=st.sampled_from([0.5, 1.0, 1.6]),
)
def test_eyes_come_to_lie_where_the_frame_has_them(
    angle: float, apart: float, across: float, down: float, scale: float
) -> None:
    half = apart / 2 * np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
    eyes = ((across - half[0], down - half[1]), (across + half[0], down + half[1]))
    made = align(dots((600, 500), eyes, apart / 8), face(eyes), FRAME, scale=scale)
    assert made.image.size == (round(200 * scale), round(250 * scale))
    for seen, wanted in zip(centres(made.image), FRAME.eyes, strict=True):
        assert math.dist(seen, (wanted[0] * scale, wanted[1] * scale)) < 0.3


def test_the_matrix_is_that_of_the_picture() -> None:
    eyes = ((210.0, 180.0), (330.0, 140.0))
    made = align(pattern((600, 500)), face(eyes), scale=2.0)
    for eye, wanted in zip(eyes, FRAME.eyes, strict=True):
        assert np.allclose(made.matrix @ [*eye, 1], np.array(wanted) * 2)


def test_another_frame_is_respected() -> None:
    frame = FaceFrame(128, 128, (40.0, 50.0), (88.0, 54.0))
    eyes = ((210.0, 180.0), (330.0, 140.0))
    made = align(dots((600, 500), eyes, 15), face(eyes), frame)
    assert made.image.size == (128, 128)
    assert all(math.dist(a, b) < 0.3 for a, b in zip(centres(made.image), frame.eyes, strict=True))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_aligned_picture_passes_unchanged(mode: str) -> None:
    image = pattern((200, 250)).convert(mode)
    made = align(image, face(((76.5, 124.0), (124.0, 126.5))))
    assert made.image.mode == mode
    assert made.image.tobytes() == image.tobytes()
    assert made.image is not image
    assert np.allclose(made.matrix, np.eye(2, 3))


def test_an_aligned_picture_of_twice_the_size_is_only_scaled() -> None:
    image = pattern((400, 500))
    made = align(image, face(((150.0, 250.0), (250.0, 250.0))))
    assert made.image.size == (200, 250)
    assert np.abs(pixels(made.image) - pixels(image.reduce(2))).mean() < 1.5


def test_eyes_elsewhere_in_a_picture_of_the_frames_size_are_brought_in_place() -> None:
    eyes = ((80.0, 121.0), (130.0, 121.0))
    made = align(dots((200, 250), eyes, 6), face(eyes))
    assert all(math.dist(a, b) < 0.3 for a, b in zip(centres(made.image), FRAME.eyes, strict=True))


def test_aligning_twice_changes_nothing_more() -> None:
    eyes = ((210.0, 180.0), (330.0, 140.0))
    once = align(dots((600, 500), eyes, 15), face(eyes)).image
    left, right = centres(once)
    assert align(once, face((left, right))).image.tobytes() == once.tobytes()


def test_strong_shrinking_leaves_no_false_pattern() -> None:
    fine = np.indices((1500, 1500)).sum(axis=0) % 2 * 255
    eyes = ((600.0, 700.0), (900.0, 715.0))
    shrunk = pixels(align(Image.fromarray(fine.astype(np.uint8)), face(eyes)).image)
    assert shrunk.std() < 2
    assert abs(shrunk.mean() - 127.5) < 2


def test_detail_survives() -> None:
    image = pattern((600, 750))
    made = pixels(align(image, face(((255.0, 375.0), (405.0, 375.0)))).image)
    plain = pixels(image.crop((30, 0, 600, 750)).resize((190, 250), Image.Resampling.LANCZOS))
    assert np.abs(made[:, :180] - plain[:, :180]).mean() < 1.5


@pytest.mark.parametrize(
    "eyes", [((20.0, 20.0), (60.0, 25.0)), ((150.0, 180.0), (190.0, 170.0)), ((0.0, 90.0), (90.0, 0.0))]
)
def test_a_plain_picture_continues_plain(eyes: Eyes) -> None:
    made = align(Image.new("RGB", (200, 200), (200, 120, 40)), face(eyes))
    assert np.abs(pixels(made.image) - (200, 120, 40)).max() <= 1  # neither black beyond the border nor dark seams


def test_what_continues_beyond_the_border_has_no_streaks() -> None:
    stripes = np.full((200, 200, 3), 30, dtype=np.uint8)  # not black, which an earlier levelling would have left
    stripes[:, ::8], stripes[:, 1::8], stripes[:, 2::8] = (220, 90, 90), (220, 90, 90), (220, 90, 90)
    made = pixels(align(Image.fromarray(stripes), face(((75.0, 50.0), (125.0, 50.0)))).image)
    beyond = made[:60]  # the picture begins at row 75
    assert made[80:].std(axis=1).mean() > 50
    assert beyond.std(axis=1).max() < 15


@pytest.mark.parametrize("eyes", [FRAME.eyes, ((60.0, 100.0), (120.0, 110.0))])
def test_black_of_an_earlier_levelling_is_filled(eyes: Eyes) -> None:
    turned = Image.new("RGB", (200, 250), (90, 150, 210)).rotate(4)
    assert np.abs(pixels(align(turned, face(eyes)).image).astype(int) - (90, 150, 210)).max() <= 8


def test_a_drawing_continues_as_paper() -> None:
    drawing = Image.new("L", (200, 200), 235)
    pen = ImageDraw.Draw(drawing)
    for x in range(0, 200, 5):
        pen.line([(x, 0), (x + 20, 60)], fill=30, width=2)
    made = pixels(align(drawing, face(((75.0, 50.0), (125.0, 50.0)))).image)
    assert made[:70].min() > 228


def test_hair_that_the_border_cuts_does_not_continue() -> None:
    head = Image.new("RGB", (200, 200), (90, 140, 190))
    ImageDraw.Draw(head).rectangle([60, 0, 140, 120], fill=(30, 20, 15))
    made = pixels(align(head, face(((75.0, 50.0), (125.0, 50.0)))).image)
    assert np.abs(made[:70] - (90, 140, 190)).max() < 5
    assert np.abs(made[90:120, 70:130] - (30, 20, 15)).max() < 5


def test_a_frame_beside_the_picture_is_grey() -> None:
    made = align(Image.new("RGB", (50, 50), (255, 0, 0)), face(((5000.0, 5000.0), (5050.0, 5000.0))))
    assert set(np.unique(pixels(made.image))) == {128.0}
    assert made.undo(Image.new("RGB", (200, 250)), Image.new("RGB", (50, 50), (255, 0, 0))).getpixel((5, 5)) == (
        255,
        0,
        0,
    )


@settings(max_examples=15, deadline=None)
@given(angle=st.floats(-40, 40), apart=st.floats(30, 70))
def test_undoing_gives_the_picture_back(angle: float, apart: float) -> None:
    original = pattern((300, 320))
    half = apart / 2 * np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
    made = align(original, face(((150 - half[0], 160 - half[1]), (150 + half[0], 160 + half[1]))), scale=2.0)
    back = made.undo(made.image, original)
    assert back.size == original.size
    half_a_pixel = np.abs(np.diff(pixels(original), axis=1)).mean() / 2
    assert np.abs(pixels(back) - pixels(original)).mean() < half_a_pixel / 2


def test_undoing_touches_the_frames_place_only() -> None:
    original = pattern((400, 400))
    made = align(
        original, face(((180.0, 190.0), (230.0, 190.0)))
    )  # one pixel for one: columns 105 to 305, rows 65 to 315
    kept = original.tobytes()
    back = pixels(made.undo(Image.new("RGB", (100, 125), (255, 0, 0)), original))
    inside = np.zeros((400, 400), dtype=bool)
    inside[65:315, 105:305] = True
    assert np.array_equal(back[~inside], pixels(original)[~inside])
    assert np.abs(back[inside] - (255, 0, 0)).max() <= 1
    assert original.tobytes() == kept


def test_a_feathered_edge_fades() -> None:
    original = Image.new("L", (400, 400), 0)
    made = align(original, face(((180.0, 190.0), (230.0, 190.0))))
    row = pixels(made.undo(Image.new("L", (200, 250), 200), original, feather=0.1))[190, 100:140]
    assert row[4] == 0
    assert row[5] < 15
    assert 80 < row[15] < 130
    assert row[30] == 200
    assert (np.diff(row) >= 0).all()


@pytest.mark.parametrize(
    ("picture", "original", "result"),
    [("L", "L", "L"), ("RGB", "L", "RGB"), ("L", "RGB", "RGB"), ("RGB", "RGB", "RGB")],
)
def test_undoing_keeps_colour_where_either_has_it(picture: str, original: str, result: str) -> None:
    whole = pattern((300, 300)).convert(original)
    made = align(whole, face(((120.0, 150.0), (170.0, 150.0))))
    assert made.image.mode == original
    assert made.undo(pattern((200, 250)).convert(picture), whole).mode == result


def test_a_picture_that_was_taken_as_it_is_is_undone_too() -> None:
    original = pattern((400, 500))
    made = align(original, face(((150.0, 250.0), (250.0, 250.0))))
    back = made.undo(Image.new("RGB", (200, 250), (9, 9, 9)), original)
    assert back.size == (400, 500)
    assert np.abs(pixels(back) - 9).max() <= 1
