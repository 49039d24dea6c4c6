"""Colours of skin, hair and background: measured where they lie, and read as people write them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageColor
from skimage.color import rgb2lab

from facesketch.errors import ConfigError
from facesketch.faces.colours import AUTO, MONK, PARTS, Colours, Part, measure, named, numbers


def _face(skin: str, hair: str | None, wall: str | None) -> NDArray[np.uint8]:
    """Draw a face of the frame: a head before a wall, or before a chequered one, with hair or shaven."""

    def rgb(text: str) -> tuple[int, ...]:
        return tuple(bytes.fromhex(text))

    picture = np.empty((250, 200, 3), np.uint8)
    picture[:] = rgb(wall or "808080")
    if wall is None:
        picture[(np.indices((250, 200)) // 12).sum(axis=0) % 2 == 0] = 255
    if hair is not None:
        cv2.ellipse(picture, (100, 110), (72, 90), 0, 0, 360, rgb(hair), -1)
    cv2.ellipse(picture, (100, 150), (52, 76 if hair else 125), 0, 0, 360, rgb(skin), -1)
    return picture


def _lab(text: str) -> tuple[float, float, float]:
    found = named("background", f"#{text}")
    assert found is not None
    return found


@pytest.mark.parametrize(("skin", "hair", "wall"), [("d7a582", "2b1d14", "3c66a0"), ("5c3a28", "9a9a98", "e8e4da")])
def test_the_colours_of_a_face_before_a_wall(skin: str, hair: str, wall: str) -> None:
    found = measure(_face(skin, hair, wall))
    for colour, text in zip(found, (skin, hair, wall), strict=True):
        assert colour is not None
        np.testing.assert_allclose(colour, _lab(text), atol=1.5)


def test_a_shaven_head_has_no_hair_and_a_busy_wall_no_colour() -> None:
    found = measure(_face("a07050", None, "204080"))
    assert (found.hair, found.given) == (None, ("skin", "background"))
    assert measure(_face("a07050", "201810", None)).background is None


def test_a_face_of_twice_the_size_has_the_same_colours() -> None:
    small = _face("d7a582", "2b1d14", "3c66a0")
    large = np.ascontiguousarray(small.repeat(2, axis=0).repeat(2, axis=1))
    np.testing.assert_allclose(np.array(measure(large)), np.array(measure(small)), atol=0.5)


def test_colours_are_read_as_people_write_them() -> None:
    assert named("skin", "auto") is None
    assert named("hair", " Black ") == (0.0, 0.0, 0.0)
    assert named("background", "rgb(0, 0, 255)") == named("background", "#00f") == named("background", "blue")
    assert named("hair", "rgb(300, 0, 0)") == named("hair", "hsl(0, 200%, 50%)") == named("hair", "red")
    assert named("skin", 4) == named("skin", "4")  # type: ignore[arg-type]
    steps = [named("skin", str(step + 1)) for step in range(len(MONK))]
    lightness = [step[0] for step in steps if step is not None]
    assert len(lightness) == 10
    assert lightness[3:] == sorted(lightness[3:], reverse=True)
    assert (max(lightness), min(lightness)) == (84, 22), "no cheek in a photo is lighter or darker"


def test_colours_are_in_cielab() -> None:
    for name in ImageColor.colormap:
        expected = rgb2lab(np.array(ImageColor.getrgb(name), np.uint8))
        np.testing.assert_allclose(named("hair", name), expected, atol=0.01)


@pytest.mark.parametrize(
    ("part", "colour"),
    [
        ("skin", 12),
        ("hair", (1, 2, 3)),
        ("skin", b"red"),
        ("skin", "0"),
        ("skin", "11"),
        ("skin", "1" * 5000),
        ("hair", "3"),
        ("hair", "blackk"),
        ("skin", ""),
    ],
)
def test_what_is_no_colour_is_refused(part: Part, colour: Any) -> None:
    with pytest.raises(ConfigError) as refused:
        named(part, colour)
    assert f"`{part}`" in refused.value.seen
    assert ("Monk" in str(refused.value.hint)) == (part == "skin")


def test_numbers_tell_an_unknown_colour_from_grey() -> None:
    grey = Colours(hair=(50.0, 0.0, 0.0))
    assert numbers(grey, PARTS).tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert numbers(grey, ("background",)).tolist() == [0, 0, 0, 0]
    assert not numbers(AUTO, PARTS).any()
