from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.signal import convolve2d
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from facesketch.errors import DataError
from facesketch.metrics.base import grey
from facesketch.metrics.fidelity import FIDELITY, ms_ssim, psnr, ssim

HEIGHT, WIDTH = 161, 170


def _pictures(seed: int, count: int = 2, channels: int = 1, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """Return smooth random pictures with a little grain, whole values in 0..255."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, channels, max(2, height // 12), max(2, width // 12), generator=generator) * 255
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return (smooth + torch.randn(smooth.shape, generator=generator) * 6).clamp(0, 255).round()


def _noisy(images: Tensor, sigma: float) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(99))
    return (images + sigma * noise).clamp(0, 255).round()


def _blurred(images: Tensor, times: int) -> Tensor:
    for _ in range(times):
        padded = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="reflect")
        images = torch.nn.functional.avg_pool2d(padded, 3, stride=1)
    return images


def test_ssim_is_scikit_image_s() -> None:
    truth = _pictures(1, count=3, height=61, width=48)
    result = _noisy(truth, 25)
    expected = [
        structural_similarity(
            r.numpy(), t.numpy(), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
        for r, t in zip(result[:, 0].double(), truth[:, 0].double(), strict=True)
    ]
    np.testing.assert_allclose(ssim(result, truth).numpy(), expected, atol=1e-6)


def test_ssim_is_scikit_image_s_where_pictures_are_nearly_white() -> None:
    truth = 250 + _pictures(2, count=1, height=40, width=40) / 255 * 5
    result = 255 - (255 - truth) * 0.5
    expected = structural_similarity(
        result[0, 0].double().numpy(),
        truth[0, 0].double().numpy(),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert float(ssim(result, truth)) == pytest.approx(expected, abs=1e-6)


def test_ssim_of_two_flat_pictures_is_its_luminance_term() -> None:
    black, grey_level = torch.zeros(1, 1, 20, 20), torch.full((1, 1, 20, 20), 100.0)
    c1 = 2.55**2
    assert float(ssim(black, grey_level)) == pytest.approx(c1 / (100.0**2 + c1), rel=1e-5)


def test_psnr_is_scikit_image_s() -> None:
    truth = _pictures(3, count=3, height=30, width=20)
    result = _noisy(truth, 10)
    expected = [
        peak_signal_noise_ratio(t.numpy(), r.numpy(), data_range=255) for r, t in zip(result, truth, strict=True)
    ]
    np.testing.assert_allclose(psnr(result, truth).numpy(), expected, atol=1e-4)


def test_psnr_of_one_step_everywhere() -> None:
    result, truth = torch.full((1, 1, 4, 4), 8, dtype=torch.uint8), torch.full((1, 1, 4, 4), 7, dtype=torch.uint8)
    assert float(psnr(result, truth)) == pytest.approx(20 * math.log10(255), abs=1e-4)


def _reference_terms(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float]:
    """Return the means of SSIM and of its contrast-structure term over windows inside the picture."""
    offset = np.arange(11) - 5.0
    kernel = np.exp(-(offset[:, None] ** 2 + offset[None, :] ** 2) / 4.5)
    kernel /= kernel.sum()
    mean_1, mean_2 = convolve2d(first, kernel, "valid"), convolve2d(second, kernel, "valid")
    variance_1 = convolve2d(first**2, kernel, "valid") - mean_1**2
    variance_2 = convolve2d(second**2, kernel, "valid") - mean_2**2
    covariance = convolve2d(first * second, kernel, "valid") - mean_1 * mean_2
    contrast = (2 * covariance + 7.65**2) / (variance_1 + variance_2 + 7.65**2)
    luminance = (2 * mean_1 * mean_2 + 2.55**2) / (mean_1**2 + mean_2**2 + 2.55**2)
    return float((luminance * contrast).mean()), float(contrast.mean())


def _reference_half(image: NDArray[np.float64]) -> NDArray[np.float64]:
    # A 2x2 mean with mirrored borders at every pixel, of which every second is kept.
    whole = np.pad(image, ((0, 1), (0, 1)), mode="symmetric")
    return ((whole[:-1, :-1] + whole[1:, :-1] + whole[:-1, 1:] + whole[1:, 1:]) / 4)[::2, ::2]


@pytest.mark.parametrize(("height", "width"), [(161, 170), (192, 163)])
def test_ms_ssim_is_the_product_over_five_scales(height: int, width: int) -> None:
    truth = _pictures(4, count=1, height=height, width=width)
    result = _noisy(0.5 * truth + 0.5 * _pictures(20, count=1, height=height, width=width), 12)
    first, second = result[0, 0].double().numpy(), truth[0, 0].double().numpy()
    expected = 1.0
    for power in (0.0448, 0.2856, 0.3001, 0.2363):
        expected *= _reference_terms(first, second)[1] ** power
        first, second = _reference_half(first), _reference_half(second)
    expected *= _reference_terms(first, second)[0] ** 0.1333
    assert float(ms_ssim(result, truth)) == pytest.approx(expected, abs=1e-6)


def test_ms_ssim_of_a_negative_is_zero() -> None:
    truth = _pictures(5, count=1)
    assert float(ms_ssim(255 - truth, truth)) == 0.0


def test_grey_is_pillow_s_luma() -> None:
    array = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    array[0, :4] = [[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]]
    expected = np.asarray(Image.fromarray(array).convert("L"))
    found = grey(torch.from_numpy(array).permute(2, 0, 1)[None])
    assert found.shape == (1, 1, 64, 64)
    np.testing.assert_array_equal(found[0, 0].numpy(), expected)


def test_grey_leaves_one_channel_alone() -> None:
    images = torch.tensor([[[[0.25, 254.75]]]])
    assert torch.equal(grey(images), images)


@pytest.mark.parametrize("name", sorted(FIDELITY))
def test_the_smallest_picture_is_measured_and_one_less_refused(name: str) -> None:
    metric = FIDELITY[name]
    assert metric.name == name
    images = _pictures(6, 1, 3, metric.smallest, metric.smallest + 3)
    assert torch.isfinite(metric(images, 255 - images)).all()
    if metric.smallest > 1:
        with pytest.raises(DataError, match=f"expected at least {metric.smallest}x{metric.smallest}"):
            metric(images[..., 1:, :], images[..., 1:, :])


def test_ms_ssim_starts_at_161_pixels() -> None:
    assert FIDELITY["ms-ssim"].smallest == 161


@pytest.mark.parametrize("name", sorted(FIDELITY))
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_equal_pictures_give_the_top_and_others_stay_in_range(name: str, seed: int) -> None:
    metric, images = FIDELITY[name], _pictures(seed, 1, 3)
    other = _pictures(seed + 1, 1, 3)
    best = math.inf if name == "psnr" else 1
    assert float(metric(images, images)) == pytest.approx(best, abs=1e-6)
    assert (-1 if name == "ssim" else 0) <= float(metric(other, images)) < best


@pytest.mark.parametrize("name", sorted(FIDELITY))
def test_the_two_pictures_may_change_places(name: str) -> None:
    first, second = _pictures(7, 2, 3), _pictures(8, 2, 3)
    compute = FIDELITY[name]
    torch.testing.assert_close(compute(first, second), compute(second, first), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(FIDELITY))
@pytest.mark.parametrize("kind", ["noise", "blur"])
def test_more_damage_gives_a_lower_value(name: str, kind: str) -> None:
    truth = _pictures(9, 2, 3)
    damaged = [_noisy(truth, s) for s in (4, 12, 36)] if kind == "noise" else [_blurred(truth, n) for n in (1, 3, 9)]
    values = torch.stack([FIDELITY[name](result, truth) for result in damaged])
    assert (values[1:] < values[:-1]).all()


@pytest.mark.parametrize("name", sorted(FIDELITY))
def test_a_batch_gives_what_its_pictures_give_alone_in_any_dtype(name: str) -> None:
    truth = _pictures(10, 18, 3)  # more than one chunk at this size
    result = _noisy(truth, 20)
    compute = FIDELITY[name]
    together = compute(result, truth)
    assert together.shape == (18,)
    assert together.dtype == torch.float32
    for index in (0, 14, 17):
        alone = compute(result[index : index + 1].to(torch.uint8), truth[index : index + 1].double())
        torch.testing.assert_close(alone[0], together[index], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(FIDELITY) - {"fsimc"}))
def test_colour_is_seen_as_grey(name: str) -> None:
    result, truth = _pictures(11, 1, 3), _pictures(12, 1, 3)
    compute = FIDELITY[name]
    assert torch.equal(compute(result, truth), compute(grey(result), grey(truth)))
    assert torch.equal(compute(result, truth), compute(result, grey(truth)))


@pytest.mark.parametrize("name", sorted(FIDELITY))
def test_unfit_pictures_are_refused_in_one_line(name: str) -> None:
    good = _pictures(13, 2, 3)
    holed = good.clone()
    holed[1, 0, 3, 3] = math.nan
    cases = {
        "expected one size": good[..., 1:],
        "expected one truth per result": good[:1],
        "expected 0 to 255": good / 127.5 - 1,
        "values from": good + 1,
        "nan": holed,
        "expected torch.uint8 or a floating type": good.to(torch.int64),
        "expected \\(N, C, height, width\\)": good[0],
        "has shape \\(0, 3,": good[:0],
        "has shape \\(2, 2,": good[:, :2],
    }
    larger = _pictures(13, 2, 3, HEIGHT, WIDTH + 1)
    for pattern, bad in cases.items():
        with pytest.raises(DataError, match=pattern) as caught:
            FIDELITY[name](bad, larger if "size" in pattern else good)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_gradients_are_left_behind() -> None:
    images = _pictures(14).requires_grad_()
    assert not ssim(images, _pictures(15)).requires_grad
