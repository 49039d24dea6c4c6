"""`scripts/gpu-check` takes its steps on a CPU, and says what is missing where there is no GPU."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "scripts" / "gpu-check"


@pytest.fixture
def gpu_check(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Return the script as a module; what it compiles runs as it is, which takes no time."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    loader = SourceFileLoader("gpu_check", str(SCRIPT))
    spec = spec_from_loader("gpu_check", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    torch.compiler.set_default_backend("eager")
    yield module
    torch.compiler.set_default_backend(None)
    torch.compiler.reset()


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")  # the compiler still calls it
def test_every_step_is_taken_on_a_cpu_too(
    gpu_check: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--device", "cpu", "--only", "pencil,dense-ae,lle", "--size", "32", "--batches", "1"]
    monkeypatch.setattr(sys, "argv", ["gpu-check", *words])
    assert gpu_check.main() == 0
    said = capsys.readouterr().out
    for pattern in (
        r"pencil +translates",
        r"dense-ae +first losses in bf16 differ by \d.*resumed weights by 0\.0% .*ONNX file's picture by 0\.",
        r"lle +resumed weights by 0\.0%",
        r"dense-ae +batch 8: [\d.]+, textbook [\d.]+, [\d.]+ times",
        r"dense-ae +batch  1, channels first, as it is: [\d.]+\n",
        r"dense-ae +batch  1, channels last, compiled: [\d.]+\n",
    ):
        assert re.search(pattern, said), said


def test_a_check_that_fails_is_named_and_the_exit_code_tells(
    gpu_check: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu_check, "MOST_BF16", -1.0)
    words = ["--device", "cpu", "--only", "dense-ae", "--size", "32", "--minutes", "0"]
    monkeypatch.setattr(sys, "argv", ["gpu-check", *words])
    assert gpu_check.main() == 1
    said = capsys.readouterr()
    assert "dense-ae   FAILED: first losses in bf16 differ" in said.out
    assert "left out for want of time" in said.out
    assert said.err.strip() == "failed: dense-ae"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_one_line(
    gpu_check: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu-check"])
    assert gpu_check.main() == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)
