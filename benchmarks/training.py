"""Time a training step of the study's five methods beside a plain textbook loop with the same networks and losses.

    python benchmarks/training.py [--size 256] [--rounds 5] [--only pix2pix,cyclegan] [--history FILE]

Both sides start from the same weights and see the same pictures, in turn, each in a process of its own. Printed are the
median processor times of each side's steps, their ratio, and how many floors (see `floor.py`) ours takes; other
programs change them little. `clock` is the time of ours by the clock. The textbook side is what one writes first: fp32,
Adam as it comes, InstanceNorm2d, and gradients computed wherever autograd finds a weight. Ours is the package's own
step, with its precision, optimiser, memory format, frozen discriminators and kept memory.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import cyclopts
import torch
from floor import machine, peaks
from torch import Tensor, nn
from torch.nn import functional as F

from facesketch.config import configure
from facesketch.data.datasets import Batch
from facesketch.devices import computes_in_bf16, keep_freed_memory, processors
from facesketch.files import append_text
from facesketch.methods.base import Method
from facesketch.methods.cyclegan import CycleGAN
from facesketch.methods.pix2pix import Pix2Pix
from facesketch.methods.registry import build, family, resolve
from facesketch.training.cost import estimate

Step = Callable[[], None]


class Taken(NamedTuple):
    """What one step takes."""

    processor: float
    """Seconds of processor time, all threads together."""
    clock: float
    """Seconds by the clock."""


def adam(*modules: nn.Module, betas: tuple[float, float] = (0.5, 0.999), rate: float = 2e-4) -> torch.optim.Adam:
    """Return Adam as it comes, neither fused nor batched."""
    return torch.optim.Adam([p for module in modules for p in module.parameters()], lr=rate, betas=betas)


def plain_norms(module: nn.Module) -> None:
    """Put nn.InstanceNorm2d, with the same scale and shift, where the networks have their own instance norm."""
    for name, child in module.named_children():
        if isinstance(child, nn.GroupNorm):
            norm = nn.InstanceNorm2d(child.num_channels, affine=True)
            norm.load_state_dict(child.state_dict())
            setattr(module, name, norm)
        else:
            plain_norms(child)


def plain_autoencoder(method: Method, batch: Batch) -> Step:
    """Return the step of an autoencoder: loss, gradients, update."""
    optimiser = adam(method, betas=(0.9, 0.999), rate=1e-3)

    def step() -> None:
        optimiser.zero_grad()
        loss = next(iter(method.training_step(batch))).loss
        loss.backward()
        optimiser.step()

    return step


def plain_pix2pix(method: Method, batch: Batch) -> Step:
    """Return the step of a conditional GAN with the paper's losses."""
    assert isinstance(method, Pix2Pix)
    generator, discriminator = method.generator, method.discriminator
    adam_g, adam_d = adam(generator), adam(discriminator)
    source, target = batch.source, batch.target

    def against(logits: Tensor, real: bool) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))

    def step() -> None:
        fake = generator(source)
        adam_d.zero_grad()
        real_loss = against(discriminator(torch.cat([source, target], 1)), True)
        fake_loss = against(discriminator(torch.cat([source, fake.detach()], 1)), False)
        ((real_loss + fake_loss) / 2).backward()
        adam_d.step()
        adam_g.zero_grad()
        adversarial = against(discriminator(torch.cat([source, fake], 1)), True)
        (adversarial + 100 * F.l1_loss(fake, target)).backward()
        adam_g.step()

    return step


def plain_cyclegan(method: Method, batch: Batch) -> Step:
    """Return the step of a CycleGAN, without a pool."""
    assert isinstance(method, CycleGAN)
    to_sketch, to_photo = method.to_sketch, method.to_photo
    of_sketch, of_photo = method.sketch_discriminator, method.photo_discriminator
    adam_g, adam_d = adam(to_sketch, to_photo), adam(of_sketch, of_photo)
    photo, sketch = batch.photo, batch.sketch

    def against(logits: Tensor, real: bool) -> Tensor:
        return F.mse_loss(logits, torch.full_like(logits, float(real)))

    def step() -> None:
        adam_g.zero_grad()
        fake_sketch, fake_photo = to_sketch(photo), to_photo(sketch)
        adversarial = against(of_sketch(fake_sketch), True) + against(of_photo(fake_photo), True)
        cycle = F.l1_loss(to_photo(fake_sketch), photo) + F.l1_loss(to_sketch(fake_photo), sketch)
        identity = method._identity(photo, sketch)
        (adversarial + 10 * cycle + 5 * identity).backward()
        adam_g.step()
        adam_d.zero_grad()
        for network, real, fake in ((of_sketch, sketch, fake_sketch), (of_photo, photo, fake_photo)):
            ((against(network(real), True) + against(network(fake.detach()), False)) / 2).backward()
        adam_d.step()

    return step


PLAIN: dict[str, Callable[[Method, Batch], Step]] = {
    "dense-ae": plain_autoencoder,
    "conv-ae": plain_autoencoder,
    "conv-vae": plain_autoencoder,
    "pix2pix": plain_pix2pix,
    "cyclegan": plain_cyclegan,
}


def ours(method: Method, batch: Batch, half: bool) -> Step:
    """Return the package's own step, as its trainer takes it."""
    if method.Options.defaults.channels_last:
        method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        batch = batch.channels_last()
    optimisers = method.optimisers(method.Options.defaults.learning_rate)

    def step() -> None:
        phases = method.training_step(batch)
        while True:
            with torch.autocast(batch.photo.device.type, torch.bfloat16, enabled=half):
                phase = next(phases, None)
            if phase is None:
                return
            phase.loss.backward()
            optimisers[phase.name].step()
            optimisers[phase.name].zero_grad(set_to_none=True)

    return step


def side(turns: Connection, name: str, size: int, batch_size: int, own: bool) -> None:
    """Run one side's steps in a process of its own, one for each message, and answer with `Taken`."""
    half = computes_in_bf16("auto", "cpu")
    torch.manual_seed(0)
    method = build(resolve(configure(name, {"size": size, "batch_size": batch_size}))).train()
    frame = method.frame
    photo, sketch = torch.rand(batch_size, 3, frame, frame) * 2 - 1, torch.rand(batch_size, 1, frame, frame) * 2 - 1
    batch = Batch(photo, sketch, (), (), (), "photo2sketch")
    if own:
        keep_freed_memory()
        step = ours(method, batch, half)
    else:
        plain_norms(method)
        step = PLAIN[name](method, batch)
    while turns.recv():
        start, begun = time.perf_counter(), time.process_time()
        step()
        turns.send(Taken(time.process_time() - begun, time.perf_counter() - start))


def in_turn(work: Callable[..., None], sides: list[tuple[Any, ...]], rounds: int) -> list[list[Any]]:
    """Return what each side answered for each of its steps, which they take in turn.

    Args:
        work: what a process of its own does for a side: it gets a connection and the side's arguments.
        sides: the arguments of each.
        rounds: steps of each; one more, before them, warms up.

    Raises:
        SystemExit: a process died.
    """
    context = multiprocessing.get_context("spawn")  # forked processes would hold each other's connections open
    ours, processes = [], []
    for arguments in sides:
        here, there = context.Pipe()
        process = context.Process(target=work, args=(there, *arguments))
        process.start()
        there.close()  # as long as it is open here, nothing tells that the process has died
        ours.append(here)
        processes.append(process)
    try:
        times: list[list[Any]] = [[] for _ in sides]
        for _ in range(rounds + 1):
            for turns, process, taken in zip(ours, processes, times, strict=True):
                try:
                    turns.send(True)
                    taken.append(turns.recv())
                except (EOFError, OSError):
                    process.join()
                    raise SystemExit(f"{process.name} died with exit code {process.exitcode}") from None
        for turns in ours:
            turns.send(False)
        return [taken[1:] for taken in times]
    finally:
        for turns, process in zip(ours, processes, strict=True):
            turns.close()
            process.terminate()
            process.join()


def compare(name: str, size: int, batch_size: int, rounds: int) -> tuple[Taken, Taken, int, int]:
    """Return medians of a textbook step and of ours, and the operations and parameters of one."""
    sides = [(name, size, batch_size, own) for own in (False, True)]
    plain, own = (Taken(*map(statistics.median, zip(*steps, strict=True))) for steps in in_turn(side, sides, rounds))
    cost = estimate(resolve(configure(name, {"size": size, "batch_size": batch_size})), half=False)
    return plain, own, cost.flops, cost.parameters


def main(
    *,
    size: int = 256,
    rounds: int = 5,
    batch_size: int | None = None,
    only: str = ",".join(PLAIN),
    history: Path | None = None,
) -> None:
    """Print a table of medians, ratios and floors.

    Args:
        batch_size: For every method; by default each one's own, at most 8.
        history: A file to append machine, versions, ratios and floors to, as JSON.
    """
    half, most = computes_in_bf16("auto", "cpu"), peaks()
    print(f"{size} pixels, {torch.get_num_threads()} threads, ours in {'bf16' if half else 'fp32'}")
    print(f"{machine()}: {most}")
    print(f"{'method':10} {'batch':>5} {'textbook':>10} {'ours':>10} {'clock':>10} {'ratio':>6} {'floors':>6}")
    ratios, floors = {}, {}
    for name in only.split(","):
        batch = batch_size or min(8, family(name).defaults.batch_size)
        plain, own, flops, parameters = compare(name, size, batch, rounds)
        key = f"{name} {batch}"
        ratios[key] = round(plain.processor / own.processor, 2)
        floors[key] = round(own.processor / most.step(flops, parameters, half=half), 2)
        times = " ".join(f"{each * 1000:7.0f} ms" for each in (plain.processor, own.processor, own.clock))
        print(f"{name:10} {batch:>5} {times} {ratios[key]:6.2f} {floors[key]:6.2f}", flush=True)
    if history is not None:
        line: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "commit": commit(), "machine": machine()}
        line |= {"processors": processors(), "load": round(os.getloadavg()[0], 1), "torch": torch.__version__}
        line |= {"size": size, "half": half, "ratios": ratios, "floors": floors}
        append_text(history, json.dumps(line) + "\n")


def commit() -> str:
    """Return the short hash of the commit that is checked out, with a `+` if files differ from it."""
    asked = ["git", "describe", "--always", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no checkout"


if __name__ == "__main__":
    cyclopts.run(main)
