"""Measure pictures drawn at 400x500 against true ones, beside those drawn at 200x250 and enlarged.

    python benchmarks/details.py --data LARGE [--model photo2sketch] [--people 100] [--out FOLDER]

LARGE is what `scripts/portrait_details.py pairs` writes. Of its test pairs, photo and sketch of one person at 400x500,
the first N are measured: LPIPS (vgg) and FSIM to the true picture, each with its 95 % interval over people, and the
share of spectral energy beyond the small frame. That is the power of the grey picture, its mean taken off and its
border faded out, at more than half of the highest frequency across or down. FOLDER gets a sheet of six people.
"""

from __future__ import annotations

from pathlib import Path

import cyclopts
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from facesketch.data.index import index
from facesketch.errors import DataError
from facesketch.images.contact_sheet import sheet
from facesketch.images.io import save_image
from facesketch.inference.translator import Translator, load
from facesketch.methods.networks.lpips import PerceptualDistance
from facesketch.metrics.bootstrap import Bootstrap
from facesketch.metrics.fsim import fsim
from facesketch.metrics.perceptual import lpips
from facesketch.weights.catalogue import locate

LARGE, SMALL, SHOWN = (400, 500), (200, 250), 6


def beyond(picture: Image.Image) -> float:
    """Return the share of a picture's spectral energy that half of its sides cannot hold."""
    grey = np.asarray(picture.convert("L"), np.float64)
    window = np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    down, across = (np.abs(np.fft.fftfreq(side)) > 0.25 for side in grey.shape)
    return float(power[down[:, None] | across].sum() / power.sum())


def drawn(translator: Translator, source: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Return a translation at 200x250, enlarged, and one at 400x500."""
    direction = translator.directions[0]
    small = source.resize(SMALL, Image.Resampling.LANCZOS)
    prepared = [translator.prepare(small, direction), translator.prepare(small, direction, larger=source)]
    made = [translator.restore(translator.run([each], direction)[0], each) for each in prepared]
    return made[0].resize(LARGE, Image.Resampling.BICUBIC), made[1]


def stacked(picture: Image.Image) -> torch.Tensor:
    """Return (1, C, H, W), 0 to 255."""
    array = np.asarray(picture, np.float32)
    return torch.from_numpy(array.reshape(1, *array.shape[:2], -1).transpose(0, 3, 1, 2).copy())


def measured(network: PerceptualDistance, picture: Image.Image, truth: Image.Image) -> tuple[float, float, float]:
    """Return LPIPS, FSIM and the share of energy."""
    both, grey = (stacked(picture), stacked(truth)), (stacked(picture.convert("L")), stacked(truth.convert("L")))
    return float(lpips(network, *both)), float(fsim(*grey)), beyond(picture)


def main(*, data: Path, model: str = "photo2sketch", people: int | None = None, out: Path | None = None) -> None:
    """Measure, print and show."""
    translator = load(model)
    if len(translator.sizes) < 2:
        raise DataError(f"{model}: draws at one size only", "give one of the package's models that draws at 400x500")
    network = PerceptualDistance("vgg").load(locate("vgg16"), locate("lpips-vgg"))
    pairs = [pair for pair in index(data).pairs if pair.split == "test"][:people]
    rows: list[list[Image.Image]] = []
    values: list[list[tuple[float, float, float]]] = []
    for pair in pairs:
        photo, sketch = pair.photo.open().convert("RGB"), pair.sketch.open().convert("L")
        source, truth = (photo, sketch) if translator.directions[0] == "photo2sketch" else (sketch, photo)
        pictures = drawn(translator, source)
        values.append([measured(network, each, truth) for each in pictures] + [(0, 1, beyond(truth))])
        rows.append([source, *pictures, truth])
    numbers: NDArray[np.float64] = np.array(values)  # (people, pictures, measures)
    draws = Bootstrap([pair.subject for pair in pairs])
    print(f"{model}, {len(pairs)} people\n{'':10} {'LPIPS (vgg)':>24} {'FSIM':>24} {'beyond 200x250, %':>24}")
    for name, each in zip(("enlarged", "400x500", "true"), numbers.transpose(1, 2, 0), strict=True):
        found = [draws.mean(row * scale) for row, scale in zip(each, (1, 1, 100), strict=True)]
        print(f"{name:10} " + " ".join(f"{at.value:8.4f} [{at.low:6.4f},{at.high:6.4f}]" for at in found))
    if out is not None:
        chosen = np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).round().astype(int)
        names = ("source", "enlarged", "400x500", "true")
        save_image(sheet([tuple(rows[row]) for row in chosen], names, cell=LARGE), out / "details.png")


if __name__ == "__main__":
    cyclopts.run(main)
