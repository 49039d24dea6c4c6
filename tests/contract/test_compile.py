"""`compile`: for every method, compiled networks learn what they learn as they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from facesketch import train
from facesketch.errors import ResourceError
from facesketch.training.log import read_log


@pytest.fixture
def captured() -> Iterator[list[torch.fx.GraphModule]]:
    """Return what is captured of the networks; the graphs run as they are, which takes no compiler and no time."""
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _: list[Any]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    torch.compiler.set_default_backend(backend)
    yield graphs
    torch.compiler.set_default_backend(None)
    torch.compiler.reset()


@pytest.mark.usefixtures("no_estimate")
def test_compiled_networks_learn_the_same(
    stepwise: str,
    captured: list[torch.fx.GraphModule],
    tmp_path: Path,
    trained: Callable[..., Path],
    settings: Callable[..., dict[str, Any]],
) -> None:
    whole = trained(stepwise, direction="photo2sketch")
    run = train(stepwise, tmp_path / "run", quiet=True, compile=True, **settings(stepwise, steps=2))
    assert captured, "nothing was compiled"
    layers = {node.target for graph in captured for node in graph.graph.nodes if node.op == "call_function"}
    drawing = {"unit", "cogan"}  # whose generators are called in parts
    assert stepwise not in drawing or torch.conv_transpose2d in layers
    weights, expected = (load_file(each / "weights.safetensors") for each in (run, whole))
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")  # the compiler still calls it
@pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler for C++")
def test_the_compiler_itself_learns_nearly_the_same(
    tmp_path: Path,
    trained: Callable[..., Path],
    settings: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    run = train("dense-ae", tmp_path / "run", quiet=True, compile=True, **settings("dense-ae", steps=2))
    losses, expected = (
        [line["losses"]["autoencoder"] for line in read_log(each / "log.jsonl") if line["event"] == "step"]
        for each in (run, trained("dense-ae", direction="photo2sketch"))
    )
    assert losses == pytest.approx(expected, rel=1e-4)


@pytest.mark.usefixtures("no_estimate")
def test_a_compiler_that_fails_is_one_line(
    tmp_path: Path, settings: Callable[..., dict[str, Any]], captured: list[torch.fx.GraphModule]
) -> None:
    def broken(graph: torch.fx.GraphModule, _: list[Any]) -> Callable[..., Any]:
        raise RuntimeError("no compiler here")

    torch.compiler.set_default_backend(broken)
    with pytest.raises(ResourceError, match=r"do not compile.*no compiler here") as caught:
        train("dense-ae", tmp_path / "run", quiet=True, compile=True, **settings("dense-ae", steps=2))
    assert len(str(caught.value).splitlines()) == 1
