"""The shipped models still draw what they drew: a drawn face in both directions, beside stored pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import facesketch
from facesketch.config import DIRECTIONS, Direction
from facesketch.data.synthetic.draw import draw_pair

GOLDEN = Path(__file__).parent / "golden"
MOST, MEAN = 24, 1.0  # levels of 255: processors round differently, and another model or frame is far above


def portrait(direction: Direction, size: str) -> Image.Image:
    """Return what the package's own model makes of a drawn face on a wall or on paper, found and framed."""
    photo, sketch = draw_pair(np.random.default_rng(11), 256)
    scene = Image.new("RGB", (420, 380), (120, 135, 150) if direction == "photo2sketch" else (250, 250, 248))
    scene.paste(photo if direction == "photo2sketch" else sketch.convert("RGB"), (90, 70))
    made: Image.Image = facesketch.load(direction)(scene, size=size)
    return made


@pytest.mark.parametrize(
    ("direction", "size"), [(direction, size) for direction in DIRECTIONS for size in ("200x250", "400x500")]
)
def test_a_shipped_model_draws_the_stored_picture(direction: Direction, size: str) -> None:
    with Image.open(GOLDEN / f"{direction}-{size}.png") as stored:
        expected = np.asarray(stored, dtype=np.float64)
    made = np.asarray(portrait(direction, size).resize(stored.size, Image.Resampling.BOX), dtype=np.float64)
    assert made.shape == expected.shape
    assert np.abs(made - expected).mean() <= MEAN
    assert np.abs(made - expected).max() <= MOST


def test_details_are_drawn_and_not_enlarged() -> None:
    large, small = (portrait("photo2sketch", size) for size in ("400x500", "200x250"))
    enlarged = small.resize(large.size, Image.Resampling.BICUBIC)
    pixels = (np.asarray(each, np.float32) for each in (large, enlarged))
    fine, soft = (each - cv2.GaussianBlur(each, (0, 0), 1) for each in pixels)
    assert fine.std() > 1.2 * soft.std()
