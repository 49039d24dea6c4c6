"""OpenVINO behind the engine's call, where it is installed; and one line where it is not."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facesketch.errors import CheckpointError, MissingExtraError, ResourceError
from facesketch.inference.engines.openvino_engine import OpenVinoEngine
from facesketch.inference.translator import load

Write = Callable[..., Path]
installed = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")


def test_where_it_is_not_installed_one_line_says_what_to_type(exported: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"needs openvino, .*type: pip install 'facesketch\[openvino\]'"):
        load(exported(), engine="openvino")


def test_it_computes_on_the_processor_only(exported: Write) -> None:
    with pytest.raises(ResourceError, match="`device` cuda: OpenVINO runs only on the processor here"):
        load(exported(), engine="openvino", device="cuda")


@installed
@pytest.mark.parametrize(("precision", "error"), [("f32", 1e-6), ("bf16", 1e-2)])
def test_any_batch_size_and_style(precision: str, error: float, exported: Write) -> None:
    engine = OpenVinoEngine(exported(styles=("pen", "chalk")), precision)  # type: ignore[arg-type]
    for count, height, width in ((1, 8, 12), (3, 32, 20)):
        images = np.random.default_rng(0).uniform(-1, 1, (count, 1, height, width)).astype(np.float32)
        for style, added in ((None, 0.25), ("chalk", -0.5)):
            result = engine.run(images, "photo2sketch", style)
            assert result.dtype == np.float32
            np.testing.assert_allclose(result, images * 0.5 + added, atol=error)


@installed
def test_a_graph_that_cannot_be_read_is_one_line(exported: Write) -> None:
    path = exported()
    path.write_bytes(path.read_bytes().replace(b"Mul", b"Muu"))
    with pytest.raises(CheckpointError, match="OpenVINO cannot read the graph") as caught:
        OpenVinoEngine(path)
    assert len(str(caught.value).splitlines()) == 1
