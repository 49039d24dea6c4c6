"""Raw pixels, and HOG against scikit-image."""

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

from facesketch.errors import DataError
from facesketch.metrics.descriptors import hog, raw_pixels
from facesketch.metrics.retrieval import cmc


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
    with pytest.raises(DataError, match="at least 20x20"):
        hog(_pictures(1, height=19, width=20))


@pytest.mark.parametrize("describe", [hog, raw_pixels])
def test_only_batches_of_pictures_are_described(describe: Any) -> None:
    with pytest.raises(DataError, match="1 or 3"):
        describe(torch.zeros(3, 40, 40))


def _cuhk(shared: Path, kind: str) -> tuple[Tensor, list[str]]:
    folder = shared / "data" / "cuhk"
    with (folder / "pairs.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    arrays = np.stack([np.asarray(Image.open(folder / row[kind]).convert("L")) for row in rows])
    return torch.from_numpy(arrays)[:, None], [row["stem"] for row in rows]


@pytest.mark.shared
def test_raw_pixels_and_hog_find_cuhk_photos_as_published(shared: Path) -> None:
    (sketches, names), (photos, _) = (_cuhk(shared, kind) for kind in ("sketch", "photo"))
    for describe, expected in ((raw_pixels, 0.67), (hog, 0.96)):
        curve = cmc(cdist(describe(sketches), describe(photos)), names, names)
        assert curve[0] == pytest.approx(expected, abs=0.02)
