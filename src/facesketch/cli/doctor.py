"""`facesketch doctor`: what works on this machine, and how to install what is missing."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from cyclopts import Parameter

from facesketch import __version__
from facesketch.cli.console import console, escape, note, print_json, table
from facesketch.errors import EXTRAS, CheckpointError, FacesketchError, MissingExtraError, count, missing

_LEAST_ROOM = 1 << 30
_TORCH = "pip install torch (without a GPU add --index-url https://download.pytorch.org/whl/cpu)"


class Finding(NamedTuple):
    """One thing that was checked."""

    part: str
    name: str
    state: Literal["ok", "missing", "broken"]
    """`missing` can be added; `broken` is installed but does not work."""
    said: str
    fix: str = ""
    """What to type or do; empty if there is nothing to do."""


def doctor(*, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Check what works on this machine, and say how to install what is missing.

    The exit code is 1 if something is installed but does not work. Nothing is downloaded or written.

    Args:
        json: Print a JSON list instead of a table.
    """
    findings = [*_system(), *_devices(), *_extras(), *_weights(), *_disk()]
    broken = [each for each in findings if each.state == "broken"]
    if json:
        print_json([each._asdict() for each in findings])
    else:
        listed = table("part", "name", "state", "found", "what to type")
        for before, each in zip(["", *(one.part for one in findings)], findings, strict=False):
            part = "" if each.part == before else each.part
            listed.add_row(part, *map(escape, (each.name, each.state, each.said, each.fix)))
        out = console()
        if not out.is_terminal:
            out.width = 200  # one line each
        out.print(listed)
        note(f"{count(len(broken), 'problem')} found" if broken else "everything that is installed works")
    if broken:
        raise SystemExit(1)


def _system() -> Iterator[Finding]:
    from facesketch.devices import processors

    threads = os.environ.get("OMP_NUM_THREADS", "")
    limit = f"OMP_NUM_THREADS is {threads}" if threads else "OMP_NUM_THREADS is not set"
    yield Finding("system", "facesketch", "ok", f"{__version__} in {Path(__file__).parents[1]}")
    yield Finding("system", "Python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield Finding("system", "processors", "ok", f"{processors()} of {os.cpu_count()}; {limit}")


def _devices() -> Iterator[Finding]:
    """Compute on each device, in each precision."""
    import onnxruntime

    providers = ", ".join(each.removesuffix("ExecutionProvider") for each in onnxruntime.get_available_providers())
    yield Finding("devices", "ONNX Runtime", "ok", f"{onnxruntime.__version__}: {providers}")
    if find_spec("torch") is None:
        yield Finding("devices", "PyTorch", "missing", "needed to train and to measure", _TORCH)
        return
    import torch

    from facesketch.devices import computes_in_bf16

    yield Finding("devices", "PyTorch", "ok", f"{torch.__version__}, {count(torch.get_num_threads(), 'thread')}")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    for device in (name for name, found in there.items() if found):
        results = {precision: _fails(device, precision) for precision in ("fp32", "bf16")}
        taken = "bf16" if computes_in_bf16("auto", device) else "fp32"
        named = f"{torch.cuda.get_device_name()}, " if device == "cuda" else ""
        if results[taken]:
            yield Finding("devices", device, "broken", f"{named}{taken}: {results[taken]}", "use --device cpu")
        else:
            works = " and ".join(name for name, failure in results.items() if not failure)
            yield Finding("devices", device, "ok", f"{named}{works}; --precision auto takes {taken}")
    if not there["cuda"] and Path("/proc/driver/nvidia/version").exists():
        seen = f"there is an NVIDIA driver, but this build of PyTorch ({torch.__version__}) does not use it"
        yield Finding("devices", "cuda", "missing", seen, "pip install --force-reinstall torch")


def _fails(device: str, precision: str) -> str:
    """Learn a step on a device; return why that fails, or an empty word."""
    import torch
    from torch.nn import functional

    try:
        weight = torch.ones(4, 3, 3, 3, device=device, requires_grad=True)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            loss = functional.conv2d(torch.ones(1, 3, 16, 16, device=device), weight).float().mean()
        loss.backward()
        if weight.grad is None or not torch.allclose(weight.grad, torch.full_like(weight, 0.25), rtol=0.02):
            return "wrong gradients"
    except (RuntimeError, TypeError) as error:
        return str(error).splitlines()[0]
    return ""


def _extras() -> Iterator[Finding]:
    for extra in EXTRAS:
        lacking = missing(extra)
        if lacking:
            fix = f"pip install 'facesketch[{extra}]'"
            yield Finding("extras", extra, "missing", f"without {', '.join(lacking)}", fix)
        else:
            yield Finding("extras", extra, "ok", "installed")


def _weights() -> Iterator[Finding]:
    """Draw with the package's own models, and check the sums of what was fetched."""
    from PIL import Image

    from facesketch.config import DIRECTIONS
    from facesketch.inference.model import load
    from facesketch.weights.catalogue import WEIGHTS, cache_folder, locate, verify

    for direction in DIRECTIONS:
        try:
            load(direction)(Image.new("RGB", (64, 64), "gray"), align=False)
        except (FacesketchError, RuntimeError) as error:
            yield Finding("weights", direction, "broken", str(error), "install facesketch again")
        else:
            yield Finding("weights", direction, "ok", "comes with the package, and works")
    for entry in WEIGHTS.values():
        try:
            path = locate(entry.name)
            verify(path, entry)
        except (CheckpointError, MissingExtraError) as error:
            there = (cache_folder() / entry.file).is_file()
            said = error.seen if there else f"for {entry.purpose}"
            yield Finding("weights", entry.name, "broken" if there else "missing", said, entry.command)
        else:
            yield Finding("weights", entry.name, "ok", str(path))


def _disk() -> Iterator[Finding]:
    from facesketch.weights.catalogue import cache_folder

    for name, folder, fix in (
        ("fetched weights", cache_folder(), "set FACESKETCH_MODELS to another folder"),
        ("this folder", Path.cwd(), "work in another folder"),
    ):
        there = next(each for each in (folder, *folder.parents) if each.exists())
        free = shutil.disk_usage(there).free
        said = f"{free / 1e9:,.1f} GB free in {folder}"
        if not os.access(there, os.W_OK):
            yield Finding("disk", name, "broken", f"{folder} cannot be written", fix)
        elif free < _LEAST_ROOM:
            yield Finding("disk", name, "broken", said, f"free some space, or {fix}")
        else:
            yield Finding("disk", name, "ok", said)
