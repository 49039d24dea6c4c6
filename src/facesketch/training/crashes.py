"""Crashes in compiled code, which end a process at once: another process finds them early, or reports them."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from rich.console import Console

from facesketch.config import RunConfig, TrainConfig
from facesketch.data.datasets import Batch, epoch_keys
from facesketch.data.split import Split
from facesketch.devices import computes_in_bf16, pick_device
from facesketch.errors import ResourceError
from facesketch.files import parse_json
from facesketch.images.fit import Placement
from facesketch.methods.registry import build
from facesketch.training.validation import validation_size

_FAULTS = {getattr(signal, name, None) for name in ("SIGFPE", "SIGILL", "SIGSEGV", "SIGBUS", "SIGABRT")}
_WATCHER = """
import sys
for line in sys.stdin:
    what = line.partition("Fatal Python error: ")[2].strip()
    if what:
        print(f"facesketch: the training crashed in compiled code ({what}); {sys.argv[1]}", file=sys.stderr)
"""


@contextmanager
def crash_told(advice: str) -> Iterator[None]:
    """Have another process report in one line, with advice, if this one crashes inside the block.

    If Python's `faulthandler` is already enabled, only its own report appears.
    """
    if faulthandler.is_enabled():
        yield
        return
    command = [sys.executable, "-I", "-S", "-c", _WATCHER, advice]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, start_new_session=True
    ) as watcher:  # so that Ctrl+C does not reach it
        assert watcher.stdin is not None
        faulthandler.enable(watcher.stdin, all_threads=False)
        try:
            yield
        finally:
            faulthandler.disable()
            watcher.kill()  # forked workers may hold its input open, so it would wait for them, and they for us


def steady(config: RunConfig, parts: Split, advice: str, *, quiet: bool = False) -> TrainConfig:
    """Return the settings of a training, with fp32 in place of `auto` if its steps in bf16 crash on this processor.

    Steps are tried on processors with AMX only, as no others are known to crash.

    Raises:
        ResourceError: they crash, and you asked for bf16; `advice` is the hint.
    """
    settings, device = config.train, pick_device(config.train.device)
    if device != "cpu" or not computes_in_bf16(settings.precision, device):
        return settings
    if not torch.cpu.get_capabilities().get("amx_bf16"):
        return settings
    world = int(os.environ.get("WORLD_SIZE", settings.devices))
    learning = {len(keys) for keys in epoch_keys(len(parts.train), settings.batch_size or 1, 0, world=world)}
    validating = {len(keys) for keys in epoch_keys(len(parts.validation), validation_size(settings), 0)}
    what = crash_of_a_step(config, sorted(learning), sorted(validating))
    if what is None:
        return settings
    seen = f"a training step in bf16 crashes on this processor ({what})"
    if settings.precision == "bf16":
        raise ResourceError(seen, advice)
    if not quiet:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"{seen}, so this run computes in fp32")
    return settings.model_copy(update={"precision": "fp32"})


def crash_of_a_step(config: RunConfig, learning: Sequence[int], validating: Sequence[int]) -> str | None:
    """Take steps in bf16 in another process; return the name of the signal if they crash.

    oneDNN chooses its kernels by shapes alone, so the pictures are black.

    Args:
        config: the resolved settings.
        learning: sizes of the training batches.
        validating: sizes of the validation batches.
    """
    task = {"config": config.model_dump_json(), "learning": [*learning], "validating": [*validating]}
    done = subprocess.run([sys.executable, "-m", __name__], input=json.dumps(task), text=True, capture_output=True)
    return signal.strsignal(-done.returncode) if -done.returncode in _FAULTS else None


def _rehearse(config: RunConfig, learning: Sequence[int], validating: Sequence[int]) -> None:
    method = build(config, fresh=False)
    channels_last, side = method.Options.defaults.channels_last, method.frame
    if channels_last:
        method.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def black(count: int) -> Batch:
        channels = config.data.photo_channels, config.data.sketch_channels
        photo, sketch = (torch.full((count, each, side, side), -1.0) for each in channels)
        places = (Placement((side, side), (side, side), (0, 0)),) * count
        style = next(iter(method.styles), "")
        batch = Batch(photo, sketch, (), (), places, config.direction, (style,) * count)
        return batch.channels_last() if channels_last else batch

    for size in learning:
        phases = method.train().training_step(black(size))
        while True:
            with torch.autocast("cpu", torch.bfloat16):
                phase = next(phases, None)
            if phase is None:
                break
            phase.loss.backward()
    method.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for size in validating:
            for direction in method.translates:
                method.reproduce(black(size).facing(direction))


if __name__ == "__main__":
    task = parse_json(sys.stdin.read())
    _rehearse(RunConfig.model_validate_json(task["config"]), task["learning"], task["validating"])
