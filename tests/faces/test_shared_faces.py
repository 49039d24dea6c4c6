"""On research data: every face is found, and the originals are aligned as the published crops are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesketch.faces import FaceFinder, align, fill_corners
from facesketch.faces.black_corners import black_corners
from facesketch.faces.frame import FRAME
from facesketch.faces.turns import Turn, turned
from facesketch.faces.yunet import YuNet
from facesketch.images.io import open_image
from facesketch.weights import shipped

pytestmark = pytest.mark.shared

EVERY = 12


def pictures(shared: Path, name: str) -> list[Path]:
    found = sorted((shared / "data" / name).iterdir())
    assert found
    return found


@pytest.mark.parametrize("name", ["cuhk/photos", "cuhk/sketches", "cuhk_original/photos", "cuhk_original/sketches"])
def test_every_face_of_cuhk_is_found(shared: Path, name: str) -> None:
    detector = YuNet(shipped.YUNET)
    found = {path.stem: len(detector.detect(open_image(path, box=320))) for path in pictures(shared, name)}
    assert [stem for stem, faces in found.items() if faces != 1] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fs2k_train/photos", "fs2k_train/sketches"])
def test_almost_every_face_of_fs2k_is_found(shared: Path, name: str) -> None:
    detector = YuNet(shipped.YUNET)
    found = [bool(detector.detect(open_image(path))) for path in pictures(shared, name)]
    assert np.mean(found) >= 0.97


@pytest.mark.parametrize("kind", ["photos", "sketches"])
def test_the_originals_are_aligned_as_the_published_crops_are(shared: Path, kind: str) -> None:
    finder = FaceFinder()
    detector = YuNet(shipped.YUNET)
    off = []
    for path in pictures(shared, f"cuhk_original/{kind}")[::EVERY]:
        image = open_image(path)
        ours = align(image, finder.find(image, most=1)[0]).image
        crop = open_image(shared / "data" / "cuhk" / kind / path.name)
        seen, published = (detector.refine(image, detector.detect(image)[0]).eyes for image in (ours, crop))
        off += [np.hypot(*(np.array(a) - b)) for a, b in zip(seen, published, strict=True)]
    assert np.median(off) < 3  # of the 50 pixels between the eyes
    assert np.max(off) < 8


def test_the_published_crops_have_their_eyes_where_the_frame_says(shared: Path) -> None:
    finder = FaceFinder()
    paths = [path for kind in ("photos", "sketches") for path in pictures(shared, f"cuhk/{kind}")[::EVERY]]
    eyes = np.array([finder.find(open_image(path))[0].eyes for path in paths])
    assert np.abs(eyes.mean(axis=0) - FRAME.eyes).max() < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["photos", "sketches"])
def test_a_face_is_found_whichever_way_the_picture_lies(shared: Path, kind: str) -> None:
    finder = FaceFinder()
    turns: tuple[Turn, ...] = (0, 90, 180, 270)
    wrong = []
    for path in [*pictures(shared, f"cuhk_original/{kind}")[::EVERY], *pictures(shared, f"fs2k_train/{kind}")[::50]]:
        upright = open_image(path, box=640)
        (expected, *_) = finder.find(upright, most=1)
        for turn in turns:
            lying = turned(upright, turn)
            (face, *_) = finder.find(lying, most=1)
            if face.turn != (360 - turn) % 360 or not np.allclose(face.upright(lying.size).eyes, expected.eyes):
                wrong.append((path.name, turn))
    assert wrong == []


@pytest.mark.parametrize(("kind", "least"), [("photos", 80), ("sketches", 95)])
def test_the_black_corners_of_the_published_crops_are_filled(shared: Path, kind: str, least: int) -> None:
    crops = [open_image(path) for path in pictures(shared, f"cuhk/{kind}")]
    mended = [fill_corners(crop) for crop in crops]
    cornered = [(crop, filled) for crop, filled in zip(crops, mended, strict=True) if filled is not crop]
    assert len(cornered) >= least
    assert not any(black_corners(filled).any() for _, filled in cornered)
    if kind == "sketches":  # of a photo's border hair and clothes are black too
        border = np.concatenate([np.asarray(filled.convert("L"))[:, -1] for _, filled in cornered])
        assert (border < 60).mean() < 0.03


@pytest.mark.parametrize("size", [(20_000, 10), (600, 30), (728, 90), (100, 1000), (12, 9)])
def test_a_strip_of_paper_shows_nobody(size: tuple[int, int]) -> None:
    """In strips that come to 32 pixels OpenCV reads memory that nothing was written to."""
    detector = YuNet(shipped.YUNET)
    for _ in range(4):
        assert detector.detect(Image.new("RGB", size, "white")) == []
