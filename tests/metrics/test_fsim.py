from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from facesketch.errors import DataError
from facesketch.metrics.fsim import fsim, fsimc, phase_congruency

Array = NDArray[np.float64]


def _pictures(seed: int, height: int, width: int, channels: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, max(2, height // 5), max(2, width // 5), generator=generator) * 255
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return (smooth + torch.randn(smooth.shape, generator=generator) * 6).clamp(0, 255).round()


def _frequency(index: int, length: int) -> float:
    signed = index if index < (length + 1) // 2 else index - length
    return signed / (length - 1 if length % 2 else length)


def _filter(rows: int, columns: int, scale: int, orientation: int) -> Array:
    """Return one log-Gabor filter, made bin by bin."""
    found = np.zeros((rows, columns))
    for v in range(rows):
        for u in range(columns):
            y, x = _frequency(v, rows), _frequency(u, columns)
            radius = math.hypot(x, y)
            if radius == 0:
                continue
            log_gabor = math.exp(-(math.log(radius * 6 * 2**scale) ** 2) / (2 * math.log(0.55) ** 2))
            low_pass = 1 / (1 + (radius / 0.45) ** 30)
            away = abs(cmath.phase(complex(x, -y) * cmath.exp(-1j * orientation * math.pi / 4)))
            found[v, u] = log_gabor * low_pass * math.exp(-(away**2) / (2 * (math.pi / 4 / 1.2) ** 2))
    return found


def _threshold(filters: list[Array], smallest: NDArray[np.complex128]) -> float:
    """Return Kovesi's noise threshold by the sums over the filters' spatial forms."""
    rows, columns = filters[0].shape
    spatial = [np.fft.ifft2(f).real * math.sqrt(rows * columns) for f in filters]
    power = float(np.median(np.abs(smallest) ** 2)) / -math.log(0.5) / float((filters[0] ** 2).sum())
    squares = sum(float((s**2).sum()) for s in spatial)
    products = sum(float((spatial[i] * spatial[j]).sum()) for i in range(4) for j in range(i + 1, 4))
    noise_energy_2 = 2 * power * squares + 4 * power * products
    tau = math.sqrt(noise_energy_2 / 2)
    return (tau * math.sqrt(math.pi / 2) + 2 * math.sqrt((2 - math.pi / 2) * tau**2)) / 1.7


def _reference_phase_congruency(image: Array) -> Array:
    rows, columns = image.shape
    spectrum = np.fft.fft2(image)
    energy, amplitude = np.zeros_like(image), np.zeros_like(image)
    for orientation in range(4):
        filters = [_filter(rows, columns, scale, orientation) for scale in range(4)]
        responses = [np.fft.ifft2(spectrum * f) for f in filters]
        threshold = _threshold(filters, responses[0])
        for v in range(rows):
            for u in range(columns):
                vectors = [complex(response[v, u]) for response in responses]
                total = sum(vectors)
                mean = total / (abs(total) + 1e-4)
                local = 0.0
                for e in vectors:
                    local += e.real * mean.real + e.imag * mean.imag - abs(e.real * mean.imag - e.imag * mean.real)
                energy[v, u] += max(local - threshold, 0.0)
                amplitude[v, u] += sum(abs(e) for e in vectors)
    return energy / amplitude


def _reference_gradient(image: Array) -> Array:
    padded, found = np.pad(image, 1), np.zeros_like(image)
    for v in range(image.shape[0]):
        for u in range(image.shape[1]):
            p = padded[v : v + 3, u : u + 3]
            across = 3 * (p[0, 2] - p[0, 0]) + 10 * (p[1, 2] - p[1, 0]) + 3 * (p[2, 2] - p[2, 0])
            down = 3 * (p[2, 0] - p[0, 0]) + 10 * (p[2, 1] - p[0, 1]) + 3 * (p[2, 2] - p[0, 2])
            found[v, u] = math.hypot(across / 16, down / 16)
    return found


def _like(first: float, second: float, constant: float) -> float:
    return (2 * first * second + constant) / (first * first + second * second + constant)


def _reference_fsim(result: Array, truth: Array) -> float:
    """Return FSIM of (1, H, W) pictures or FSIMc of (3, H, W) ones."""
    if len(result) == 3:
        yiq = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
        result, truth = np.tensordot(yiq, result, 1), np.tensordot(yiq, truth, 1)
    phase_1, phase_2 = _reference_phase_congruency(result[0]), _reference_phase_congruency(truth[0])
    slope_1, slope_2 = _reference_gradient(result[0]), _reference_gradient(truth[0])
    above = below = np.zeros(())
    for v, u in np.ndindex(phase_1.shape):
        alike = _like(phase_1[v, u], phase_2[v, u], 0.85) * _like(slope_1[v, u], slope_2[v, u], 160)
        if len(result) == 3:
            chroma = _like(result[1, v, u], truth[1, v, u], 200) * _like(result[2, v, u], truth[2, v, u], 200)
            alike *= (complex(chroma) ** 0.03).real
        weight = max(phase_1[v, u], phase_2[v, u])
        above, below = above + weight * alike, below + weight
    return float(above / below)


@pytest.mark.parametrize(("height", "width"), [(24, 20), (23, 19), (18, 25)])
def test_phase_congruency_is_kovesi_s(height: int, width: int) -> None:
    image = _pictures(1, height, width)
    expected = _reference_phase_congruency(image[0, 0].double().numpy())
    assert expected.max() > 0.3
    np.testing.assert_allclose(phase_congruency(image[:, 0])[0].numpy(), expected, atol=2e-5)


@pytest.mark.parametrize(("height", "width"), [(32, 26), (23, 28)])
def test_fsim_is_the_per_pixel_one(height: int, width: int) -> None:
    result, truth = _pictures(2, height, width), _pictures(3, height, width)
    expected = _reference_fsim(result[0].double().numpy(), truth[0].double().numpy())
    assert float(fsim(result, truth)) == pytest.approx(expected, abs=1e-5)


def test_fsimc_is_the_per_pixel_one() -> None:
    result, truth = _pictures(4, 21, 24, 3), _pictures(5, 21, 24, 3)
    expected = _reference_fsim(result[0].double().numpy(), truth[0].double().numpy())
    assert float(fsimc(result, truth)) == pytest.approx(expected, abs=1e-5)


def test_phase_congruency_does_not_depend_on_contrast() -> None:
    image = _pictures(6, 40, 40)[:, 0]
    torch.testing.assert_close(phase_congruency(image * 0.25 + 90), phase_congruency(image), atol=2e-3, rtol=0)


def test_a_step_is_more_of_a_feature_than_noise() -> None:
    image = 20 + 2 * torch.randn(1, 64, 256, generator=torch.Generator().manual_seed(0))
    image[:, :, 128:] += 200
    found = phase_congruency(image)[0]
    assert found[:, 127:129].mean() > 0.75
    assert found[:, 40:90].mean() < 0.4


def _grained(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return a picture under coarse grain, which averaging takes away, and the picture itself."""
    truth = _pictures(7, height, width)
    return (truth + 40 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(8))).clamp(0, 255), truth


def _averaged(image: Tensor, factor: int) -> Tensor:
    # Windows of 2 start at the pixel kept, windows of 3 one before it, where the border is black.
    before = (factor - 1) // 2
    padded = np.pad(image[0, 0].double().numpy(), ((before, factor), (before, factor)))
    rows, columns = range(0, image.shape[-2], factor), range(0, image.shape[-1], factor)
    means = [[padded[v : v + factor, u : u + factor].mean() for u in columns] for v in rows]
    return torch.tensor(means)[None, None]


@pytest.mark.parametrize(("factor", "height", "width"), [(2, 384, 390), (3, 642, 645)])
def test_large_pictures_are_averaged_first(factor: int, height: int, width: int) -> None:
    result, truth = _pictures(7, height, width), _pictures(8, height, width)

    assert float(fsim(result, truth)) == pytest.approx(
        float(fsim(_averaged(result, factor), _averaged(truth, factor))), abs=1e-5
    )


def test_pictures_of_383_pixels_are_not_averaged() -> None:
    result, truth = _grained(383, 400)
    assert float(fsim(_averaged(result, 2), _averaged(truth, 2))) > float(fsim(result, truth)) + 0.02


def test_flat_pictures_have_a_value() -> None:
    black, white = torch.zeros(1, 1, 32, 32), torch.full((1, 1, 32, 32), 255.0)
    assert float(fsim(white, white)) == 1.0
    assert 0 < float(fsim(black, white)) < 1
    assert float(fsim(torch.full((1, 1, 32, 32), 77.0), _pictures(10, 32, 32))) < 0.9


def test_fsimc_sees_colour_that_fsim_does_not() -> None:
    grey = _pictures(11, 32, 32).expand(1, 3, 32, 32) * 0.5 + 60
    offset = torch.tensor([40.0, -25.0, 23.8]).view(1, 3, 1, 1)  # luma 0
    assert float(fsim(grey + offset, grey)) > 0.995
    assert float(fsimc(grey + offset, grey)) < 0.97


def test_fsimc_of_opposite_colours_takes_the_real_part() -> None:
    flat = torch.full((1, 1, 16, 16), 120.0)
    shift = torch.tensor([0.956, -0.272, -1.106]).view(1, 3, 1, 1) * 50  # I of +-50, Q of 0
    value = float(fsimc(flat + shift, flat - shift))
    assert value == pytest.approx((complex((-2 * 2500 + 200) / (2 * 2500 + 200)) ** 0.03).real, abs=2e-3)


def test_fsimc_needs_colour() -> None:
    image = _pictures(12, 32, 32)
    with pytest.raises(DataError, match=r"fsimc: the result has shape .* with C 3"):
        fsimc(image, image)
