from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.images.fit import Placement
from facesketch.methods.base import Method, Phase
from facesketch.methods.families import Family
from facesketch.training.validation import is_better, sample_sheet, validate

SIDE, PLACE = 32, Placement((20, 32), (20, 32), (6, 0))


class Negative(Method):
    """A network that inverts what it sees; it serves both directions."""

    class Options(Family):
        both_ways = True

    def __init__(self) -> None:
        super().__init__(self.Options(), DataConfig(size=SIDE, photo_channels=3, sketch_channels=3), "photo2sketch")

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        yield Phase("one", batch.photo.mean())
        yield Phase("two", batch.sketch.mean())

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        return -images

    def optimisers(self, learning_rate: float) -> dict[str, torch.optim.Optimizer]:
        return {}


def _batch(count: int, seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    photo, sketch = (torch.rand(count, 3, SIDE, SIDE, generator=generator) * 2 - 1 for _ in range(2))
    stems = tuple(f"face-{seed}{number}" for number in range(count))
    return Batch(photo, sketch, stems, stems, (PLACE,) * count, "photo2sketch")


def _pixels(image: Tensor) -> np.ndarray:
    cut = PLACE.cut(image) * 127.5 + 127.5
    return (cut * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(dim=0).numpy()


def test_figures_are_means_over_pictures_and_directions_without_the_padding() -> None:
    batches = [_batch(3, 1), _batch(1, 2)]
    figures = validate(Negative(), batches)
    ssims, errors = [], []
    for batch in batches:
        for photo, sketch in zip(batch.photo, batch.sketch, strict=True):
            for source, target in ((photo, sketch), (sketch, photo)):
                ssims.append(
                    structural_similarity(
                        _pixels(-source),
                        _pixels(target),
                        data_range=255,
                        gaussian_weights=True,
                        sigma=1.5,
                        use_sample_covariance=False,
                    )
                )
                errors.append(float(PLACE.cut(-source - target).abs().mean()) / 2)
    assert figures["ssim"] == pytest.approx(np.mean(ssims), abs=1e-5)
    assert figures["mae"] == pytest.approx(np.mean(errors), abs=1e-6)
    photos, sketches = (torch.cat([getattr(batch, kind) for batch in batches]).mean() for kind in ("photo", "sketch"))
    assert figures["one"] == pytest.approx(float(photos), abs=1e-6)
    assert figures["loss"] == pytest.approx(float(photos + sketches), abs=1e-6)


def test_a_perfect_translation_is_reported_as_one() -> None:
    batch = _batch(2, 3)
    mirror = Batch(batch.photo, -batch.photo, batch.photo_stems, batch.photo_stems, (PLACE,) * 2, "photo2sketch")
    figures = validate(Negative(), [mirror])
    assert figures["ssim"] == pytest.approx(1.0, abs=1e-6)
    assert figures["mae"] == pytest.approx(0.0, abs=1e-7)


def test_a_sheet_shows_source_result_and_truth_of_each_direction() -> None:
    page = np.asarray(sample_sheet(Negative(), _batch(2, 4)))
    batch = _batch(2, 4)
    shown = 0
    for place in range(2):
        for image in (batch.photo[place], -batch.photo[place], batch.sketch[place], -batch.sketch[place]):
            cell = PLACE.cut(image).mul(127.5).add(127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
            windows = np.lib.stride_tricks.sliding_window_view(page, cell.shape)
            shown += int((windows == cell).all(axis=(-3, -2, -1)).sum())
    assert shown == 2 * (1 + 1 + 1 + 1) + 2 * 2, "photo and sketch each stand there twice, as source and as truth"


@pytest.mark.parametrize(
    ("select", "value", "best", "better"),
    [
        ("ssim", 0.5, None, True),
        ("ssim", 0.5, 0.4, True),
        ("ssim", 0.5, 0.5, False),
        ("mae", 0.5, 0.4, False),
        ("mae", 0.3, 0.4, True),
        ("loss", -1.0, 0.0, True),
        ("loss", 0.0, 0.0, False),
    ],
)
def test_better_is_up_for_ssim_and_down_for_the_others(
    select: str, value: float, best: float | None, better: bool
) -> None:
    assert is_better(select, {select: value, "other": 9.0}, best) is better


@pytest.mark.parametrize("select", ["ssim", "mae", "loss"])
def test_what_is_not_a_number_is_never_best(select: str) -> None:
    assert not is_better(select, {select: float("nan")}, None)
    assert not is_better(select, {select: float("nan")}, 0.5)
    assert is_better(select, {select: 0.5}, None)
