"""`scripts/readme_picture.py`: the astronaut is scikit-image's, and the picture holds a row for each photo."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import skimage.data
from PIL import Image

from facesketch.images.io import open_image


def test_the_astronaut_is_the_public_domain_one(script: Callable[[str], ModuleType]) -> None:
    crop = np.asarray(open_image(script("readme_picture").ASTRONAUT)).astype(int)
    original = skimage.data.astronaut()[:320, 60:380].astype(int)
    assert np.abs(crop - original).mean() < 3  # of 255: the loss of JPEG


@pytest.mark.parametrize("photos", [1, 2])
def test_the_picture_has_a_row_per_photo(photos: int, script: Callable[[str], ModuleType]) -> None:
    module = script("readme_picture")
    drawn: Image.Image = module.picture([module.ASTRONAUT] * photos)
    assert drawn.size == (6 * 206, 25 + photos * 256)
