"""Raw pixels, HOG against scikit-image, and the SFace embedding."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import cdist
from skimage.feature import hog as skimage_hog
from torch import Tensor

from facesketch.errors import CheckpointError, ImageError
from facesketch.metrics.descriptors import FaceEmbedding, hog, raw_pixels
from facesketch.metrics.retrieval import cmc, cosine_distances
from facesketch.weights import shipped
from facesketch.weights.catalogue import locate


def _pictures(count: int, channels: int = 1, height: int = 50, width: int = 40) -> Tensor:
    draw = np.random.default_rng(0)
    return torch.from_numpy(draw.integers(0, 256, (count, channels, height, width), dtype=np.uint8))


def test_raw_pixels_are_correlations() -> None:
    x = _pictures(4)
    rows = raw_pixels(x)
    assert rows.shape == (4, 2000)
    assert rows @ rows.T == pytest.approx(np.corrcoef(x.reshape(4, -1).numpy()), abs=1e-9)
    assert raw_pixels(x * 0.5 + 30) == pytest.approx(rows, abs=1e-9)
    assert not raw_pixels(torch.full((1, 1, 5, 5), 9.0)).any()
    assert x.dtype == torch.uint8


def test_colour_is_compared_by_its_luma() -> None:
    x = _pictures(2, channels=3)
    luma = torch.stack([torch.from_numpy(_luma(p)) for p in x])[:, None]
    assert raw_pixels(x) == pytest.approx(raw_pixels(luma), abs=1e-9)
    assert hog(x) == pytest.approx(hog(luma), abs=1e-6)


def _luma(picture: Tensor) -> np.ndarray:
    return picture.permute(1, 2, 0).double().numpy() @ np.array([0.299, 0.587, 0.114])


@pytest.mark.parametrize(("cell", "height", "width"), [(10, 50, 40), (8, 45, 37), (5, 12, 10)])
def test_hog_is_that_of_scikit_image(cell: int, height: int, width: int) -> None:
    x = _pictures(3, height=height, width=width)
    expected = [skimage_hog(p[0].numpy(), 9, (cell, cell), (2, 2)) for p in x]
    assert hog(x, cell) == pytest.approx(np.stack(expected), abs=1e-6)


def test_hog_refuses_pictures_of_less_than_two_cells() -> None:
    assert hog(_pictures(1, height=20, width=20)).shape == (1, 36)
    with pytest.raises(ImageError, match=r"20x19 pictures; HOG with cells of 10 needs at least 20x20"):
        hog(_pictures(1, height=19, width=20))


@pytest.mark.parametrize("describe", [hog, raw_pixels])
def test_only_batches_of_pictures_are_described(describe: Any) -> None:
    with pytest.raises(ImageError, match="1 or 3"):
        describe(torch.zeros(3, 40, 40))


def test_files_that_are_no_models_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"sface\.onnx: no such file"):
        FaceEmbedding(tmp_path / "sface.onnx")
    (tmp_path / "sface.onnx").write_bytes(b"no model")
    with pytest.raises(CheckpointError, match=r"sface\.onnx: OpenCV cannot read it"):
        FaceEmbedding(tmp_path / "sface.onnx")


@pytest.fixture
def models(shared: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("FACESKETCH_MODELS", str(shared / "models"))
    return locate("sface"), shipped.YUNET


def _cuhk(shared: Path, kind: str, split: str | None = None, mode: str = "RGB") -> tuple[Tensor, list[str]]:
    folder = shared / "data" / "cuhk"
    with (folder / "pairs.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if split in (None, row["split"])]
    arrays = np.stack([np.asarray(Image.open(folder / row[kind]).convert(mode)) for row in rows])
    arrays = arrays if mode == "RGB" else arrays[..., None]
    return torch.from_numpy(arrays).permute(0, 3, 1, 2), [row["stem"] for row in rows]


@pytest.mark.shared
def test_raw_pixels_and_hog_find_cuhk_photos_as_published(shared: Path) -> None:
    (sketches, names), (photos, _) = (_cuhk(shared, kind, "test", "L") for kind in ("sketch", "photo"))
    for describe, expected in ((raw_pixels, 0.67), (hog, 0.96)):
        curve = cmc(cdist(describe(sketches), describe(photos)), names, names)
        assert curve[0] == pytest.approx(expected, abs=0.02)


@pytest.mark.shared
@pytest.mark.slow
def test_sface_finds_cuhk_photos_without_training(shared: Path, models: tuple[Path, Path]) -> None:
    embedding = FaceEmbedding(*models)
    (sketches, names), (photos, _) = _cuhk(shared, "sketch"), _cuhk(shared, "photo")
    curve = cmc(cosine_distances(embedding.embed(sketches), embedding.embed(photos)), names, names)
    assert curve[0] == pytest.approx(0.745, abs=0.02)
    assert curve[4] == pytest.approx(0.920, abs=0.02)
    assert curve[9] == pytest.approx(0.947, abs=0.02)


@pytest.mark.shared
def test_embeddings_are_unit_vectors_and_alike_for_one_person(shared: Path, models: tuple[Path, Path]) -> None:
    photos = _cuhk(shared, "photo")[0][:6]
    rows = FaceEmbedding(*models).embed(photos)
    assert rows.shape == (6, 128)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1)
    darker = FaceEmbedding(*models).embed(photos.float() * 0.8)
    assert np.diag(darker @ rows.T).min() > 0.9
    assert (darker @ rows.T - 2 * np.eye(6)).max() < 0.7
    grey = FaceEmbedding(*models).embed(_cuhk(shared, "photo", mode="L")[0][:1])
    assert grey[0] @ rows[0] > 0.8
    swapped = FaceEmbedding(*models).embed(photos.flip(1))
    assert not np.allclose(swapped, rows, atol=1e-3)
    assert FaceEmbedding(*models).embed(photos[:0]).shape == (0, 128)


@pytest.mark.shared
def test_the_frame_stands_in_where_no_face_is_found(shared: Path, models: tuple[Path, Path]) -> None:
    photos = _cuhk(shared, "photo")[0][:4]
    with_detector, without = FaceEmbedding(*models), FaceEmbedding(models[0])
    assert np.diag(with_detector.embed(photos) @ without.embed(photos).T).min() > 0.75
    blank = torch.full((1, 3, 250, 200), 128)
    assert np.array_equal(with_detector.embed(blank), without.embed(blank))
    small = torch.nn.functional.interpolate(photos.double(), size=(125, 100), mode="area")
    assert np.diag(without.embed(small) @ without.embed(photos).T).min() > 0.7
    with pytest.raises(ImageError, match="picture 1: no face found"):
        with_detector.embed(blank[..., :150, :])
    with pytest.raises(ImageError, match="picture 1 is 200x150"):
        without.embed(blank[..., :150, :])
