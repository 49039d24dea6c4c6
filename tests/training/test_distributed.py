from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from facesketch.config import TrainConfig
from facesketch.devices import computes_in_bf16
from facesketch.errors import ResourceError
from facesketch.training.distributed import device_name, gather, is_half, launch, precision_name
from facesketch.training.progress import duration


def test_a_device_that_is_not_there_is_refused() -> None:
    absent = next(
        name
        for name, found in (("mps", torch.backends.mps.is_available()), ("cuda", torch.cuda.is_available()))
        if not found
    )
    with pytest.raises(ResourceError, match=f"`device` {absent}: not on this machine; expected auto or .*cpu"):
        launch(TrainConfig(device=absent))  # type: ignore[arg-type]


@pytest.mark.parametrize(("precision", "name"), [("fp32", "32-true"), ("bf16", "bf16-mixed")])
def test_the_precision_asked_for_is_the_one_computed_in(precision: str, name: str) -> None:
    fabric = launch(TrainConfig(device="cpu", precision=precision))  # type: ignore[arg-type]
    assert precision_name(fabric) == name
    assert is_half(fabric) == (precision == "bf16")
    with fabric.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)
    assert (fabric.world_size, fabric.is_global_zero) == (1, True)


@pytest.mark.parametrize(
    ("abilities", "half"),
    [({}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_bf16": False}, False)],
)
def test_auto_takes_bf16_where_the_processor_has_it(
    abilities: dict[str, bool], half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities)
    assert computes_in_bf16("auto", "cpu") is half
    assert computes_in_bf16("bf16", "cpu")
    assert not computes_in_bf16("fp32", "cpu")
    assert not computes_in_bf16("auto", "mps")


def test_one_process_gathers_itself() -> None:
    fabric = launch(TrainConfig(device="cpu"))
    assert torch.equal(gather(fabric, torch.arange(3)), torch.arange(3)[None])
    assert device_name(fabric.device) == "cpu"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0123, "12 ms"), (3.21, "3.2 s"), (95, "95 s"), (600, "10 min"), (9000, "2 h 30 min"), (90000, "25 h 00 min")],
)
def test_durations_have_at_most_two_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said


FAULTS = """
import resource, torch
from facesketch.devices import keep_freed_memory

kept = {call}
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
before = faults()
for numbers in (1 << 18, 1 << 20, 1 << 22, 1 << 23, 1 << 24):
    for _ in range(5):
        torch.ones(numbers)
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_large_blocks_are_kept_between_steps() -> None:
    # a block given back to the system and asked for again costs a page fault every 4 KiB
    usual, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS.format(call=call)], capture_output=True, check=True).stdout)
        for call in ("None", "keep_freed_memory()")
    )
    assert kept < 0.75 * usual
