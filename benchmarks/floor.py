"""Measure what this machine can do, and how many times as long as its floor each translation takes.

    python benchmarks/floor.py [--size 256] [--rounds 3] [--only pix2pix,cyclegan]

A floor is the least time that the arithmetic could take: the multiplications at the speed of a large matrix product or
convolution, whichever is faster. That of a training step, which `training.py` prints, adds Adam's reads and writes at
the speed of a large copy. All times are processor time, so they also hold while other programs run. Translations are of
one picture in fp32. A file that was exported may take less than a floor, as exporting folds some layers into others.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cyclopts
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from facesketch.config import DIRECTIONS, configure
from facesketch.inference.engines.torch_engine import TorchEngine
from facesketch.inference.translator import Translator, load
from facesketch.methods.registry import build, resolve

_SIDE, _COPIED = 1024, 1 << 27
_ADAM = 28  # bytes a parameter: weight, gradient and two moments are read, weight and moments written
_EXTENSIONS = ("avx2", "avx512", "avx512_bf16", "amx_bf16", "bf16")


@dataclass(frozen=True)
class Peaks:
    """The most that one thread does in a second of processor time."""

    fp32: float
    """Floating-point operations in fp32 products or convolutions."""
    bf16: float
    """The same in bf16."""
    memory: float
    """Bytes read and written by a copy that no cache holds."""

    def __str__(self) -> str:
        fp32, bf16, memory = (each / 1e9 for each in (self.fp32, self.bf16, self.memory))
        return f"one thread reaches {fp32:.0f} GFLOP/s in fp32, {bf16:.0f} in bf16, and {memory:.1f} GB/s"

    def step(self, flops: int, parameters: int, *, half: bool) -> float:
        """Return the floor of a training step in seconds of processor time."""
        return flops / (self.bf16 if half else self.fp32) + parameters * _ADAM / self.memory


def machine() -> str:
    """Return what the processor is called, and which of its instructions multiply matrices."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(": ")[2] for line in info.read_text().splitlines() if line.startswith("model name")]
        name = names[0] if names else name
    there = torch.cpu.get_capabilities()
    return " ".join([name, *(each for each in _EXTENSIONS if there.get(each))])


def seconds(work: Callable[[], object], rounds: int) -> list[float]:
    """Return the processor time of each round, after one that warms up."""
    taken = []
    for _ in range(rounds + 1):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return taken[1:]


def peaks(rounds: int = 7) -> Peaks:
    """Measure the peaks of one thread: the best of some rounds, as other programs only ever slow one down."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        products = [
            max(_product(dtype, rounds), _convolution(dtype, rounds)) for dtype in (torch.float32, torch.bfloat16)
        ]
        there, here = (torch.zeros(_COPIED, dtype=torch.uint8) for _ in range(2))
        return Peaks(products[0], products[1], 2 * _COPIED / min(seconds(lambda: here.copy_(there), rounds)))
    finally:
        torch.set_num_threads(before)


def _product(dtype: torch.dtype, rounds: int) -> float:
    matrix = torch.rand(_SIDE, _SIDE).to(dtype)
    return 2 * _SIDE**3 / min(seconds(lambda: torch.mm(matrix, matrix), rounds))


@torch.no_grad()
def _convolution(dtype: torch.dtype, rounds: int) -> float:
    """Return the speed of the convolution that most of CycleGAN consists of."""
    layer = torch.nn.Conv2d(256, 256, 3, padding=1).to(dtype)
    maps = torch.rand(1, 256, 64, 64).to(dtype)
    return 2 * 256 * 256 * 9 * 64 * 64 / min(seconds(lambda: layer(maps), rounds))


def translation(translator: Translator, rounds: int) -> tuple[int, float]:
    """Return the operations of translating one picture of the model's size, and the median seconds of its network."""
    config, direction = translator.config, translator.directions[0]
    picture = Image.new("RGB", (config.data.size, config.data.size))
    fitted = translator.prepare(picture, direction)
    height, width, channels = fitted.array.shape
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        build(config, fresh=False).eval().translate(torch.empty(1, channels, height, width), direction)
    taken = seconds(lambda: translator.run([fitted], direction), rounds)
    return counter.get_total_flops(), statistics.median(taken)


def main(
    *,
    size: int = 256,
    rounds: int = 3,
    only: str = "dense-ae,conv-ae,conv-vae,pix2pix,cyclegan,photo2sketch,sketch2photo",
) -> None:
    """Print the peaks, and the floors of each family's translation and of the package's own models.

    Args:
        size: Pixels, for the families.
    """
    most = peaks()
    print(machine())
    print(most)
    print(f"{'translation':12} {'floor':>10} {'taken':>10} {'floors':>6}")
    for name in only.split(","):
        if name in DIRECTIONS:
            translator = load(name)
        else:
            config = resolve(configure(name, {"size": size}))
            translator = Translator(TorchEngine(build(config), config), name=name)
        flops, taken = translation(translator, rounds)
        floor = flops / most.fp32
        print(f"{name:12} {floor * 1000:7.1f} ms {taken * 1000:7.1f} ms {taken / floor:6.1f}", flush=True)


if __name__ == "__main__":
    cyclopts.run(main)
