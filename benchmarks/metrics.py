"""Time the fidelity metrics: FSIM and Scoot beside plain Python loops, and all of them on 100 pairs.

    python benchmarks/metrics.py [--threads N] [--pairs N]

The pictures are drawn for the benchmark, at the 200x250 of the aligned face sets. Each loop is a first, simple version
of the metric: FFT and filters from numpy, computed once, then pixel by pixel (FSIM) or block by block (Scoot). The
values are compared as well. Run this on a quiet machine: on a busy one the threads wait for each other, so try
--threads 1.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import cyclopts
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facesketch.data.synthetic.draw import draw_pair
from facesketch.images.io import to_array
from facesketch.metrics.base import Compute
from facesketch.metrics.fidelity import FIDELITY

Array = NDArray[np.float64]
WIDTH, HEIGHT = 200, 250


def draw(pairs: int, channels: int) -> tuple[Tensor, Tensor]:
    """Return photos and their sketches, (pairs, channels, 250, 200) uint8, cut from the middle of the drawn squares."""
    rng, left = np.random.default_rng(0), (HEIGHT - WIDTH) // 2
    drawn = [draw_pair(rng, HEIGHT) for _ in range(pairs)]
    photos, sketches = (
        torch.from_numpy(np.stack([to_array(pair[side], channels)[:, left : left + WIDTH] for pair in drawn]))
        for side in (0, 1)
    )
    return photos.permute(0, 3, 1, 2), sketches.permute(0, 3, 1, 2)


def frequency_filters(rows: int, columns: int) -> list[list[Array]]:
    """Return log-Gabor filters by orientation and scale."""

    def steps(length: int) -> Array:
        return np.fft.ifftshift((np.arange(length) - length // 2) / (length - length % 2))

    x, y = np.meshgrid(steps(columns), steps(rows))
    radius, angle = np.hypot(x, y), np.arctan2(-y, x)
    radius[0, 0] = 1
    low_pass = 1 / (1 + (radius / 0.45) ** 30)
    low_pass[0, 0] = 0
    filters = []
    for orientation in range(4):
        away = np.angle(np.exp(1j * (angle - orientation * math.pi / 4)))
        spread = np.exp(-(away**2) / (2 * (math.pi / 4.8) ** 2)) * low_pass
        bands = [np.exp(-(np.log(radius * 6 * 2**scale) ** 2) / (2 * math.log(0.55) ** 2)) for scale in range(4)]
        filters.append([band * spread for band in bands])
    return filters


def noise_threshold(filters: list[Array], smallest: NDArray[np.complex128]) -> float:
    """Return the noise threshold of one orientation."""
    summed = np.fft.ifft2(np.sum(filters, axis=0)).real * math.sqrt(filters[0].size)
    power = np.median(np.abs(smallest) ** 2) / math.log(2) / (filters[0] ** 2).sum()
    tau = math.sqrt(power * (summed**2).sum())
    return tau * (math.sqrt(math.pi / 2) + 2 * math.sqrt(2 - math.pi / 2)) / 1.7


def loop_phase(image: Array, filters: list[list[Array]]) -> Array:
    """Return phase congruency, pixel by pixel."""
    spectrum = np.fft.fft2(image)
    energy, amplitude = np.zeros_like(image), np.zeros_like(image)
    for bands in filters:
        responses = [np.fft.ifft2(spectrum * band) for band in bands]
        threshold = noise_threshold(bands, responses[0])
        for row in range(image.shape[0]):
            for column in range(image.shape[1]):
                vectors = [complex(response[row, column]) for response in responses]
                total = sum(vectors)
                mean = total / (abs(total) + 1e-4)
                turned = [vector.conjugate() * mean for vector in vectors]
                local = sum(vector.real - abs(vector.imag) for vector in turned)
                energy[row, column] += max(local - threshold, 0.0)
                amplitude[row, column] += sum(abs(vector) for vector in vectors)
    return energy / amplitude


def loop_gradient(image: Array) -> Array:
    """Return Scharr's gradient, pixel by pixel."""
    found, padded = np.zeros_like(image), np.pad(image, 1).tolist()
    for row in range(image.shape[0]):
        above, here, below = padded[row : row + 3]
        for column in range(image.shape[1]):
            left, middle, right = column, column + 1, column + 2
            across = 3 * (above[right] - above[left] + below[right] - below[left]) + 10 * (here[right] - here[left])
            down = 3 * (below[left] - above[left] + below[right] - above[right]) + 10 * (below[middle] - above[middle])
            found[row, column] = math.hypot(across, down) / 16
    return found


def loop_fsim(result: Array, target: Array, filters: list[list[Array]]) -> float:
    """Return FSIM, pixel by pixel."""
    phases = loop_phase(result, filters), loop_phase(target, filters)
    slopes = loop_gradient(result), loop_gradient(target)
    above, below = 0.0, 0.0
    for index in np.ndindex(result.shape):
        p, q, g, h = (float(values[index]) for values in (*phases, *slopes))
        alike = (2 * p * q + 0.85) / (p * p + q * q + 0.85) * (2 * g * h + 160) / (g * g + h * h + 160)
        above, below = above + max(p, q) * alike, below + max(p, q)
    return above / below


def loop_block(block: list[list[int]]) -> tuple[float, float]:
    """Return contrast and energy of one block of levels."""
    counts = [[0.0] * 6 for _ in range(6)]
    for down, right in ((0, 1), (-1, 1), (-1, 0), (-1, -1)):
        for row in range(-down, len(block)):
            for column in range(max(0, -right), len(block[0]) - max(0, right)):
                counts[block[row][column]][block[row + down][column + right]] += 0.25
    rounded = [[math.floor(count + 0.5) for count in row] for row in counts]
    total = sum(map(sum, rounded))
    contrast = sum(rounded[i][j] * (i - j) ** 2 for i in range(6) for j in range(6)) / total
    return contrast, sum(count**2 for row in rounded for count in row) / total**2


def loop_scoot(result: Array, target: Array) -> float:
    """Return Scoot, block by block."""
    square = 0.0
    rows, columns = ([length * block // 4 for block in range(5)] for length in result.shape)
    levels = [np.minimum(image * 6 // 255, 5).astype(int) for image in (result, target)]
    for i in range(4):
        for j in range(4):
            cut = slice(rows[i], rows[i + 1]), slice(columns[j], columns[j + 1])
            first, second = (loop_block(image[cut].tolist()) for image in levels)
            square += (first[0] - second[0]) ** 2 + (first[1] - second[1]) ** 2
    return 1 / (1 + math.sqrt(square))


def timed(compute: Compute, result: Tensor, target: Tensor) -> tuple[float, list[float]]:
    """Return the seconds taken, and the values."""
    start = time.perf_counter()
    values = compute(result, target).tolist()
    return time.perf_counter() - start, values


def compare(name: str, loop: Callable[[Array, Array], float], result: Tensor, target: Tensor) -> None:
    """Print the seconds of a metric by loop and by batch, their ratio, and the largest difference of the values."""

    def looped(result: Tensor, target: Tensor) -> Tensor:
        pairs = zip(result[:, 0].double().numpy(), target[:, 0].double().numpy(), strict=True)
        return torch.tensor([loop(*pair) for pair in pairs], dtype=torch.float64)

    compute = FIDELITY[name]
    compute(result[:1], target[:1])  # filters and indices are made once per size, those of the loops beforehand too
    slow, expected = timed(looped, result, target)
    fast, found = min(timed(compute, result, target) for _ in range(5))
    apart = max(abs(a - b) for a, b in zip(found, expected, strict=True))
    print(
        f"{name:8} loop {slow:7.2f} s   batch {fast:6.3f} s   ratio {slow / fast:6.1f}   largest difference {apart:.1e}"
    )


def main(*, threads: int = torch.get_num_threads(), pairs: int = 100) -> None:
    """Print all timings."""
    torch.set_num_threads(threads)
    print(f"{WIDTH}x{HEIGHT}, {threads} threads, torch {torch.__version__}")
    filters = frequency_filters(HEIGHT, WIDTH)
    compare("fsim", lambda result, target: loop_fsim(result, target, filters), *draw(2, 1))
    compare("scoot", loop_scoot, *draw(8, 1))
    result, target = draw(pairs, 3)
    total = 0.0
    for name, metric in FIDELITY.items():
        seconds, _ = timed(metric, result, target)
        total += seconds
        print(f"{name:8} {pairs} pairs {seconds:6.2f} s")
    print(f"all      {pairs} pairs {total:6.2f} s")


if __name__ == "__main__":
    cyclopts.run(main)
