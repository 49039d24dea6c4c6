"""The describer: which face counts, two halves per photo, and every route an inner product."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

from facesketch.errors import CheckpointError, ConfigError, FaceError, SeveralFacesError
from facesketch.faces import Face, FaceFinder
from facesketch.faces.frame import FRAME
from facesketch.inference.translator import load
from facesketch.search.embedding.describer import (
    ROUTES,
    Describer,
    PhotoVector,
    Route,
    choose_face,
    describer,
    frame_face,
)
from facesketch.search.embedding.embedders import EMBEDDERS
from facesketch.search.evaluation.distractors import draw_framed
from facesketch.weights import shipped


def _middle(image: Image.Image) -> Face:
    """Return the face that an aligned picture of this size would show."""
    across, down = image.width / FRAME.width, image.height / FRAME.height
    first, second = ((across * x, down * y) for x, y in FRAME.eyes)
    return Face((0, 0, *image.size), (first, second))


class _Middle:
    """Finds a face in the middle of every picture but the black ones."""

    def look(self, image: Image.Image) -> list[Face]:
        return [_middle(image)] if np.asarray(image).any() else []

    def refine(self, image: Image.Image, face: Face) -> Face:
        return face


def _vectors(rows: list[PhotoVector | FaceError]) -> np.ndarray:
    return np.stack([row.vector for row in rows if isinstance(row, PhotoVector)])


@pytest.fixture(scope="module")
def describe() -> Describer:
    return describer("hog", finder=cast(FaceFinder, _Middle()))


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    return [draw_framed(3, number) for number in range(3)]


@pytest.fixture(scope="module")
def sketch(photos: list[Image.Image]) -> Image.Image:
    (drawn,) = load(str(shipped.path("photo2sketch"))).translate([photos[1]], "photo2sketch")
    return drawn


def test_a_photo_is_described_as_it_is_and_as_a_sketch(describe: Describer, photos: list[Image.Image]) -> None:
    rows = describe.gallery(photos)
    hog = EMBEDDERS["hog"]()
    sketches = load(str(shipped.path("photo2sketch"))).translate(photos, "photo2sketch")
    for row, photo, sketch in zip(rows, photos, sketches, strict=True):
        assert isinstance(row, PhotoVector)
        assert (row.vector.shape, row.turn) == ((describe.dimension,), 0)
        np.testing.assert_allclose(row.vector[: hog.dimension], hog.describe([photo], "photo")[0], atol=1e-6)
        np.testing.assert_allclose(row.vector[hog.dimension :], hog.describe([sketch], "sketch")[0], atol=0.02)


def test_a_picture_without_a_face_keeps_its_place(describe: Describer, photos: list[Image.Image]) -> None:
    black = Image.new("RGB", (200, 250))
    first, error, second = describe.gallery([photos[0], black, photos[1]])
    assert isinstance(error, FaceError)
    for row, photo in ((first, photos[0]), (second, photos[1])):
        np.testing.assert_allclose(_vectors([row]), _vectors(describe.gallery([photo])), atol=1e-3)
    assert describe.gallery([]) == []
    assert isinstance(describe.gallery([black])[0], FaceError)


def test_routes_compare_what_they_say(describe: Describer, photos: list[Image.Image], sketch: Image.Image) -> None:
    probe = describe.probe(sketch)
    stored = _vectors(describe.gallery(photos))
    photo_half, sketch_half = np.split(stored, 2, axis=1)
    expected = {
        "direct": photo_half @ probe.sketch,
        "to-photo": photo_half @ probe.photo,
        "to-sketch": sketch_half @ probe.sketch,
    }
    expected["fused"] = np.mean(list(expected.values()), axis=0)
    for route in ROUTES:
        scores = stored @ describe.query(probe, route)
        np.testing.assert_allclose(scores, expected[route], atol=1e-5)
        assert np.abs(scores).max() <= 1 + 1e-6
    assert expected["to-sketch"].argmax() == 1, "the sketch was made of the second photo"
    with pytest.raises(ConfigError, match="`route` 'sideways'"):
        describe.query(probe, cast(Route, "sideways"))


def test_a_probe_shows_what_it_was_taken_for(describe: Describer, sketch: Image.Image) -> None:
    probe = describe.probe(sketch)
    assert probe.translated is not None
    assert probe.framed.size == probe.translated.size == (200, 250)
    assert probe.translated.mode == "RGB"
    with pytest.raises(FaceError, match=r"me\.png: no face found; give"):
        describe.probe(Image.new("L", (200, 250)), "me.png")


def test_a_photo_is_compared_with_the_photos_on_every_route(describe: Describer, photos: list[Image.Image]) -> None:
    probe = describe.probe(photos[1])
    assert probe.sketch is probe.translated is None
    scores = np.array([_vectors(describe.gallery(photos)) @ describe.query(probe, route) for route in ROUTES])
    assert (scores == scores[0]).all()
    assert scores[0].argmax() == 1
    assert scores[0, 1] == pytest.approx(1, abs=1e-5)


def test_the_fingerprint_names_all_that_makes_a_vector(describe: Describer, tmp_path: Path) -> None:
    embedder, sketches, photos = describe.query_fingerprint.split("+")
    assert describe.fingerprint == f"{embedder}+{sketches}", "sketch2photo makes no photo's vector"
    assert embedder == "hog-1"
    assert sketches.startswith("photo2sketch-")
    assert photos.startswith("sketch2photo-")
    other = tmp_path / "other.onnx"
    other.write_bytes(shipped.path("photo2sketch").read_bytes() + b"\x72\x00")  # a field that no reader knows
    changed = describer("hog", photo2sketch=other, finder=cast(FaceFinder, _Middle())).query_fingerprint
    assert changed.split("+")[1] != sketches
    assert changed.split("+")[::2] == [embedder, photos]
    assert describer("lite", finder=cast(FaceFinder, _Middle())).fingerprint.startswith("lite-")
    assert describe.notice == ""


def test_models_of_the_wrong_direction_are_refused() -> None:
    with pytest.raises(ConfigError):
        describer("hog", photo2sketch=shipped.path("sketch2photo"))
    with pytest.raises(CheckpointError):
        describer("hog", photo2sketch="nowhere.onnx")


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


def _frame(picture: Image.Image, *faces: Face, number: int | None = None, only: bool = False) -> Image.Image:
    return frame_face(picture, choose_face(cast(FaceFinder, _Finder(*faces)), picture, number, only=only))


@pytest.fixture(scope="module")
def crowd() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    return Image.fromarray(noise)


LARGE, LESS, SMALL = _face(200, 300, 80), _face(600, 300, 70), _face(500, 100, 20)


def test_the_largest_face_is_framed(crowd: Image.Image) -> None:
    result = _frame(crowd, SMALL, LARGE)
    assert result.size == (200, 250)
    assert result.tobytes() == _frame(crowd, LARGE).tobytes() != _frame(crowd, SMALL).tobytes()


def test_several_large_faces_need_a_number(crowd: Image.Image) -> None:
    with pytest.raises(SeveralFacesError, match="2 faces; choose one with `face` N"):
        _frame(crowd, LESS, SMALL, LARGE, only=True)
    chosen = _frame(crowd, LESS, SMALL, LARGE, number=2, only=True)
    assert chosen.tobytes() == _frame(crowd, LESS).tobytes()


def test_a_small_second_face_is_ignored(crowd: Image.Image) -> None:
    assert _frame(crowd, LARGE, SMALL, only=True).tobytes() == _frame(crowd, LARGE).tobytes()


def test_only_the_chosen_face_is_refined(crowd: Image.Image) -> None:
    finder = _Finder(LARGE, LESS, SMALL)
    choose_face(cast(FaceFinder, finder), crowd, 2)
    assert finder.refined == 1


@pytest.mark.parametrize("number", [0, -1, 3])
def test_a_number_beyond_the_faces_is_refused(crowd: Image.Image, number: int) -> None:
    with pytest.raises(FaceError, match=f"there is no face {number}: 2 faces found; give `face` 1 to 2"):
        _frame(crowd, LARGE, SMALL, number=number)


def test_no_face_is_an_error(crowd: Image.Image) -> None:
    with pytest.raises(FaceError, match="no face found"):
        _frame(crowd)


def test_a_crop_stays_as_it_is_unless_its_eyes_are_far_off() -> None:
    crop = draw_framed(1, 1)
    near, far = _face(106, 125, 50), _face(120, 125, 50)
    assert _frame(crop, near) is crop
    assert _frame(crop, far).tobytes() != crop.tobytes()
    larger = crop.resize((400, 500))
    assert _frame(larger, _face(212, 250, 100)).size == (200, 250)
