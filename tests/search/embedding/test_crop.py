"""Which face is meant, and what happens to pictures that were cropped to the frame already."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from PIL import Image

from facesketch.errors import FaceError
from facesketch.faces import Face, FaceFinder
from facesketch.search.embedding.crop import framed, meant
from facesketch.search.evaluation.distractors import draw_framed


class _Finder:
    """Finds what it is told to."""

    def __init__(self, *faces: Face) -> None:
        self.faces, self.refined = sorted(faces, key=lambda face: -face.area), 0

    def look(self, image: Image.Image) -> list[Face]:
        return list(self.faces)

    def refine(self, image: Image.Image, face: Face) -> Face:
        self.refined += 1
        return face


def _face(x: float, y: float, apart: float) -> Face:
    box = (x - apart, y - apart, 2 * apart, 2.5 * apart)
    return Face(box, ((x - apart / 2, y), (x + apart / 2, y)), None, 0.9)


def _framed(picture: Image.Image, *faces: Face, number: int | None = None, only: bool = False) -> Image.Image:
    return framed(picture, meant(cast(FaceFinder, _Finder(*faces)), picture, number, only=only))


@pytest.fixture(scope="module")
def crowd() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    return Image.fromarray(noise)


LARGE, LESS, SMALL = _face(200, 300, 80), _face(600, 300, 70), _face(500, 100, 20)


def test_the_largest_face_is_brought_into_the_frame(crowd: Image.Image) -> None:
    result = _framed(crowd, SMALL, LARGE)
    assert result.size == (200, 250)
    assert result.tobytes() == _framed(crowd, LARGE).tobytes() != _framed(crowd, SMALL).tobytes()


def test_of_several_people_one_has_to_be_chosen(crowd: Image.Image) -> None:
    with pytest.raises(FaceError, match="2 faces; choose one with `face` N, 1 being the largest, or crop"):
        _framed(crowd, LESS, SMALL, LARGE, only=True)
    chosen = _framed(crowd, LESS, SMALL, LARGE, number=2, only=True)
    assert chosen.tobytes() == _framed(crowd, LESS).tobytes()


def test_a_passer_by_is_no_second_person(crowd: Image.Image) -> None:
    assert _framed(crowd, LARGE, SMALL, only=True).tobytes() == _framed(crowd, LARGE).tobytes()


def test_only_the_face_that_is_meant_is_looked_at_closely(crowd: Image.Image) -> None:
    finder = _Finder(LARGE, LESS, SMALL)
    meant(cast(FaceFinder, finder), crowd, 2)
    assert finder.refined == 1


@pytest.mark.parametrize("number", [0, -1, 3])
def test_a_number_that_is_not_there_is_told(crowd: Image.Image, number: int) -> None:
    with pytest.raises(FaceError, match=f"there is no face {number}: 2 faces found; give `face` 1 to 2"):
        _framed(crowd, LARGE, SMALL, number=number)


def test_no_face_is_told(crowd: Image.Image) -> None:
    with pytest.raises(FaceError, match="no face found; give a picture that shows one from the front"):
        _framed(crowd)


def test_a_crop_stays_as_it_is_unless_its_eyes_are_far_off() -> None:
    crop = draw_framed(1, 1)
    near, far = _face(106, 125, 50), _face(120, 125, 50)
    assert _framed(crop, near) is crop
    assert _framed(crop, far).tobytes() != crop.tobytes()
    larger = crop.resize((400, 500))
    assert _framed(larger, _face(212, 250, 100)).size == (200, 250)
