"""The trivial baselines of CUHK 88/100, against numbers that another implementation measured."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from facesketch.images.io import open_image, to_array
from facesketch.metrics.fidelity import FIDELITY

pytestmark = [pytest.mark.shared, pytest.mark.slow]

TOLERANCE = {"ssim": 0.01, "fsim": 0.01, "scoot": 0.02, "psnr": 0.2}


@pytest.fixture(scope="module")
def cuhk(shared: Path) -> dict[str, Tensor]:
    """Return grey (N, 1, 250, 200) pictures under `photo/train`, `sketch/test` and so on."""
    folder = shared / "data" / "cuhk"
    with (folder / "pairs.csv").open() as file:
        rows = list(csv.DictReader(file))
    arrays = {
        f"{kind}/{split}": [to_array(open_image(folder / row[kind]), 1) for row in rows if row["split"] == split]
        for kind in ("photo", "sketch")
        for split in ("train", "test")
    }
    found = {name: torch.from_numpy(np.stack(some)).permute(0, 3, 1, 2) for name, some in arrays.items()}
    # The numbers were measured on training sketches whose paper reached the border. In this copy 42 of the 88 have
    # black wedges there, left by levelling the eyes; test sketches and photos have theirs in both.
    found["sketch/train"] = torch.stack([_paper_to_the_border(sketch[0])[None] for sketch in found["sketch/train"]])
    return found


def _paper_to_the_border(sketch: Tensor) -> Tensor:
    """Return an (H, W) sketch with the evenly black areas at its border painted white."""
    array = sketch.numpy().copy()
    areas, count = ndimage.label(array < 40)
    numbers = np.arange(1, count + 1)
    black = (ndimage.mean(array, areas, numbers) < 8) & (ndimage.sum_labels(np.ones_like(array), areas, numbers) >= 30)
    border = np.unique(np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]]))
    wedges = np.isin(areas, np.intersect1d(numbers[black], border))
    if wedges.any():
        array[ndimage.binary_dilation(wedges, iterations=2)] = 255  # the JPEG's ringing beside them too
    return torch.from_numpy(array)


def _mean(images: Tensor) -> Tensor:
    return images.float().mean(0, keepdim=True).round().expand(100, -1, -1, -1)


def _nearest(queries: Tensor, gallery: Tensor) -> Tensor:
    return torch.cdist(queries.flatten(1).double(), gallery.flatten(1).double()).argmin(1)


@pytest.mark.parametrize(
    ("baseline", "source", "target", "expected"),
    [
        ("copy", "photo", "sketch", {"ssim": 0.534, "fsim": 0.697, "scoot": 0.501, "psnr": 11.0}),
        ("mean", "photo", "sketch", {"ssim": 0.528, "fsim": 0.655, "scoot": 0.444, "psnr": 13.3}),
        ("nearest", "photo", "sketch", {"ssim": 0.500, "fsim": 0.656, "scoot": 0.525, "psnr": 12.9}),
        ("copy", "sketch", "photo", {"ssim": 0.534, "scoot": 0.501, "psnr": 11.0}),  # FSIM's symmetry is tested apart
        ("mean", "sketch", "photo", {"ssim": 0.619, "fsim": 0.730, "scoot": 0.514, "psnr": 14.7}),
        ("nearest", "sketch", "photo", {"ssim": 0.577, "fsim": 0.736, "scoot": 0.568, "psnr": 14.2}),
    ],
)
def test_baseline(cuhk: dict[str, Tensor], baseline: str, source: str, target: str, expected: dict[str, float]) -> None:
    truth, training = cuhk[f"{target}/test"], cuhk[f"{target}/train"]
    assert truth.shape == (100, 1, 250, 200)
    if baseline == "copy":
        result = cuhk[f"{source}/test"]
    elif baseline == "mean":
        result = _mean(training)
    else:
        result = training[_nearest(cuhk[f"{source}/test"], cuhk[f"{source}/train"])]
    found = {name: float(FIDELITY[name](result, truth).mean()) for name in expected}
    assert all(abs(found[name] - expected[name]) <= TOLERANCE[name] for name in expected), (found, expected)
