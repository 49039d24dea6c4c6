"""The shipped models still draw what they drew: a drawn face in both directions, beside stored pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facesketch
from facesketch.config import DIRECTIONS, Direction
from facesketch.data.synthetic.draw import draw_pair

GOLDEN = Path(__file__).parent / "golden"
MOST, MEAN = 24, 1.0  # levels of 255: processors round differently, and another model or frame is far above


def portrait(direction: Direction) -> Image.Image:
    """Return what the package's own model makes of a drawn face on a wall or on paper, found and framed."""
    photo, sketch = draw_pair(np.random.default_rng(11), 256)
    scene = Image.new("RGB", (420, 380), (120, 135, 150) if direction == "photo2sketch" else (250, 250, 248))
    scene.paste(photo if direction == "photo2sketch" else sketch.convert("RGB"), (90, 70))
    made: Image.Image = facesketch.load(direction)(scene)
    return made


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_shipped_model_draws_the_stored_picture(direction: Direction) -> None:
    with Image.open(GOLDEN / f"{direction}.png") as stored:
        expected = np.asarray(stored, dtype=np.float64)
    made = np.asarray(portrait(direction).resize((100, 125), Image.Resampling.BOX), dtype=np.float64)
    assert made.shape == expected.shape
    assert np.abs(made - expected).mean() <= MEAN
    assert np.abs(made - expected).max() <= MOST
