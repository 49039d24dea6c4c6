"""The fitted map: a person's two pictures come close, and its file is whole or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from facesketch.config import Domain
from facesketch.errors import CheckpointError, ConfigError, DataError
from facesketch.faces import Face, FaceFinder
from facesketch.faces.frame import FRAME
from facesketch.search.embedding.embedders import EMBEDDERS, Learned, embedder_named
from facesketch.search.embedding.fit import fit
from facesketch.search.embedding.lda import Map, join_parts
from facesketch.search.probability import CALIBRATIONS

NAMES = ("hog", "sface")


def _people(count: int, seed: int = 0, noise: float = 1.5) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Photos and sketches that share a few numbers per person; the others differ, and more than people do."""
    draw, world = np.random.default_rng(seed), np.random.default_rng(99)
    person, style = world.normal(size=(6, 60)), world.normal(size=(8, 60))
    who = draw.normal(size=(count, 6)) @ person
    sides = []
    for offset in (0.0, 3.0):
        rows = who + noise * draw.normal(size=(count, 8)) @ style + offset
        rows = rows.astype(np.float32)
        sides.append([rows[:, :40] / 50, rows[:, 40:] / 50])
    return sides[0], sides[1]


def _found(photos: np.ndarray, sketches: np.ndarray) -> float:
    return float(((sketches @ photos.T).argmax(axis=1) == np.arange(len(photos))).mean())


def test_people_it_was_not_fitted_to_are_found_more_often() -> None:
    learned = Map.fit(NAMES, *_people(200), dimension=6)
    photos, sketches = _people(50, seed=1)
    before = _found(join_parts(NAMES, photos), join_parts(NAMES, sketches))
    after = _found(learned(photos, "photo"), learned(sketches, "sketch"))
    assert before < 0.4
    assert after > before + 0.2


@pytest.mark.parametrize("domain", ["photo", "sketch"])
def test_rows_are_unit_and_of_the_mean_of_their_kind(domain: Domain) -> None:
    sides = dict(zip(("photo", "sketch"), _people(30), strict=True))
    learned = Map.fit(NAMES, sides["photo"], sides["sketch"], dimension=5)
    rows = learned(sides[domain], domain)
    assert rows.shape == (30, 2 * 5)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    other = learned(sides[domain], "sketch" if domain == "photo" else "photo")
    assert np.abs(rows - other).max() > 0.1


def test_a_file_gives_the_same_map_in_half_precision(tmp_path: Path) -> None:
    photos, sketches = _people(40)
    learned = Map.fit(NAMES, photos, sketches, dimension=8)
    for name in ("one", "two"):
        learned.write(tmp_path / f"{name}.safetensors")
    again, other = (Map.read(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    assert again.digest == other.digest != ""
    assert again.parts == NAMES
    np.testing.assert_allclose(again(photos, "photo"), learned(photos, "photo"), atol=0.01)


def test_no_more_directions_than_people_can_span() -> None:
    assert Map.fit(NAMES, *_people(12)).dimension == 2 * 11
    with pytest.raises(DataError, match="9 pairs to fit to; expected at least 10"):
        Map.fit(NAMES, *_people(9))


def test_photos_given_as_sketches_are_refused() -> None:
    photos, _ = _people(12)
    with pytest.raises(DataError, match="the same pictures"):
        Map.fit(NAMES, photos, photos)


def test_a_joint_map_of_version_0_1_stays_readable(tmp_path: Path) -> None:
    photos, sketches = _people(20)
    (block,) = Map.fit(["hog"], [join_parts(NAMES, photos)], [join_parts(NAMES, sketches)], dimension=5).blocks
    tensors = {"photo": block.photo, "sketch": block.sketch, "projection": block.projection}
    about = {"about": json.dumps({"format": "facesketch search 1", "parts": NAMES})}
    path = tmp_path / "joint.safetensors"
    path.write_bytes(safetensors.numpy.save(tensors, metadata=about))
    joint = Map.read(path)
    assert (joint.parts, joint.dimension) == (NAMES, 5)
    np.testing.assert_allclose(joint(photos, "photo"), block(join_parts(NAMES, photos), "photo"), rtol=1e-5, atol=1e-6)


def test_photos_of_others_say_how_much_people_differ() -> None:
    photos, sketches = _people(200)
    others, _ = _people(400, seed=2)
    shown, drawn = _people(50, seed=1)
    told = Map.fit(NAMES, photos, sketches, dimension=6, others=others)
    before = _found(join_parts(NAMES, shown), join_parts(NAMES, drawn))
    assert _found(told(shown, "photo"), told(drawn, "sketch")) > before + 0.15
    alone = Map.fit(NAMES, photos, sketches, dimension=6)
    assert np.abs(told(shown, "photo") - alone(shown, "photo")).max() > 0.01


@pytest.mark.parametrize("content", [b"", b"no map", b"\0" * 100])
def test_a_file_that_is_no_map_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "map.safetensors"
    with pytest.raises(CheckpointError, match="missing, damaged or not a map for search"):
        Map.read(path)
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="missing, damaged or not a map for search"):
        embedder_named(str(path))


def test_a_torn_map_and_a_newer_one_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "map.safetensors"
    learned = Map.fit(NAMES, *_people(20))
    learned.write(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(CheckpointError):
        Map.read(path)
    monkeypatch.setattr("facesketch.search.embedding.lda.FORMAT", "facesketch search 3")
    learned.write(path)
    monkeypatch.undo()
    with pytest.raises(CheckpointError):
        Map.read(path)


def test_the_best_at_hand_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path))
    best = embedder_named()
    assert best.name == "lite"
    assert "facesketch models fetch sface" in best.notice
    with pytest.raises(ConfigError, match="`embedder` 'hogg'; did you mean 'hog'"):
        embedder_named("hogg")


@pytest.mark.shared
def test_with_sface_the_learned_map_is_the_best(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(shared / "models"))
    best = embedder_named()
    assert (best.name, best.notice) == ("learned", "")
    assert {name: EMBEDDERS[name]().dimension for name in EMBEDDERS} == {
        "learned": 384,
        "lite": 256,
        "sface": 128,
        "hog": 5544,
    }


def _middle(image: Image.Image) -> Face:
    """Return the face that an aligned picture of this size would show."""
    across, down = image.width / FRAME.width, image.height / FRAME.height
    first, second = ((across * x, down * y) for x, y in FRAME.eyes)
    return Face((0, 0, *image.size), (first, second))


class _Middle:
    """Takes a face to be in the middle of each picture that is not black."""

    def look(self, image: Image.Image) -> list[Face]:
        return [_middle(image)] if image.getbbox() else []

    def refine(self, image: Image.Image, face: Face) -> Face:
        return face


def test_a_map_is_fitted_to_pairs_and_loaded_by_its_path(arrange: Callable[..., Path], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    out, data = tmp_path / "mine.safetensors", arrange(tmp_path / "pairs", train=8, validation=3, test=1)
    progress = lambda done, total: told.append((done, total))  # noqa: E731
    Image.new("RGB", (64, 64)).save(data / "photos" / "train-face-0001.png")
    learned, left_out = fit(data, ["hog"], finder=cast(FaceFinder, _Middle()), progress=progress)
    learned.write(out)
    assert told[-1] == (11, 11), "test people are not learned from"
    assert len(left_out) == 1
    embedder = embedder_named(str(out))
    assert isinstance(embedder, Learned)
    assert (embedder.name, "map" in {name for name, _ in CALIBRATIONS}) == ("map", False)
    assert embedder.id.startswith("map-"), "a gallery names it, and asks for no weights that it does not use"
    with pytest.raises(ConfigError, match="`parts` 'vgg'"):
        fit(data, ["vgg"])
