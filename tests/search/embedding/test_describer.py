"""The real describer: two halves per photo, every route an inner product, and no place lost where a face is missing."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

from facesketch.errors import CheckpointError, ConfigError, FaceError
from facesketch.faces import Face, FaceFinder
from facesketch.faces.frame import FRAME
from facesketch.inference.translator import load
from facesketch.search.embedding.describer import ROUTES, Describer, Route, describer
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
        assert isinstance(row, np.ndarray)
        assert row.shape == (describe.dimension,)
        np.testing.assert_allclose(row[: hog.dimension], hog.describe([photo], "photo")[0], atol=1e-6)
        np.testing.assert_allclose(row[hog.dimension :], hog.describe([sketch], "sketch")[0], atol=0.02)


def test_a_picture_without_a_face_keeps_its_place(describe: Describer, photos: list[Image.Image]) -> None:
    black = Image.new("RGB", (200, 250))
    first, error, second = describe.gallery([photos[0], black, photos[1]])
    assert isinstance(error, FaceError)
    for row, photo in ((first, photos[0]), (second, photos[1])):
        np.testing.assert_allclose(cast(np.ndarray, row), cast(np.ndarray, describe.gallery([photo])[0]), atol=1e-3)
    assert describe.gallery([]) == []
    assert isinstance(describe.gallery([black])[0], FaceError)


def test_routes_compare_what_they_say(describe: Describer, photos: list[Image.Image], sketch: Image.Image) -> None:
    probe = describe.probe(sketch)
    stored = np.stack([cast(np.ndarray, row) for row in describe.gallery(photos)])
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
    with pytest.raises(ConfigError, match="unknown route 'sideways'; expected one of direct, to-photo"):
        describe.query(probe, cast(Route, "sideways"))


def test_a_probe_shows_what_it_was_taken_for(describe: Describer, sketch: Image.Image) -> None:
    probe = describe.probe(sketch)
    assert probe.framed.size == probe.translated.size == (200, 250)
    assert probe.translated.mode == "RGB"
    with pytest.raises(FaceError, match=r"me\.png: no face found"):
        describe.probe(Image.new("L", (200, 250)), "me.png")


def test_the_fingerprint_names_all_that_makes_a_vector(describe: Describer, tmp_path: Path) -> None:
    embedder, sketches, photos = describe.fingerprint.split("+")
    assert embedder == "hog-1"
    assert sketches.startswith("photo2sketch-")
    assert photos.startswith("sketch2photo-")
    other = tmp_path / "other.onnx"
    other.write_bytes(shipped.path("photo2sketch").read_bytes() + b"\x72\x00")  # a field that no reader knows
    changed = describer("hog", photo2sketch=other, finder=cast(FaceFinder, _Middle())).fingerprint
    assert changed.split("+")[1] != sketches
    assert changed.split("+")[::2] == [embedder, photos]
    assert describer("lite", finder=cast(FaceFinder, _Middle())).fingerprint.startswith("lite-")
    assert describe.notice == ""


def test_models_of_the_wrong_direction_are_refused() -> None:
    with pytest.raises(ConfigError):
        describer("hog", photo2sketch=shipped.path("sketch2photo"))
    with pytest.raises(CheckpointError):
        describer("hog", photo2sketch="nowhere.onnx")
