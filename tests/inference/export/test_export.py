"""Exported files: small ones, refused ones, and nothing of this machine in them; the contract tests each method's."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import nn

from facesketch import train
from facesketch.checkpoints.checkpoint import load_method
from facesketch.checkpoints.header import read_header
from facesketch.config import DIRECTIONS, Direction, configure
from facesketch.data.index import index
from facesketch.data.pairs import Source
from facesketch.data.split import split
from facesketch.errors import ConfigError, MissingExtraError
from facesketch.inference.engines.base import STYLE
from facesketch.inference.export import export as exporting
from facesketch.inference.export import trace as graph
from facesketch.inference.export.export import LIMITS, export
from facesketch.inference.export.quantise import halve
from facesketch.inference.export.trace import trace
from facesketch.inference.translator import load
from facesketch.methods.networks.blocks import normalisation
from facesketch.methods.registry import build, resolve, without_paths

SMALL: dict[str, Any] = {"size": 32, "batch_size": 4, "hidden": 16, "latent": 8, "device": "cpu", "quiet": True}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, arrange: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("export")
    return train("dense-ae", folder / "run", data=arrange(folder / "pairs"), steps=3, learning_rate=0.01, **SMALL)


@pytest.fixture(scope="module")
def traced(run: Path) -> onnx.ModelProto:
    method, _ = load_method(run)
    return graph.trace(method, "photo2sketch")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, traced: onnx.ModelProto) -> None:
    """Trace the run but once."""

    def again(method: object, direction: object) -> onnx.ModelProto:
        copy = onnx.ModelProto()
        copy.CopyFrom(traced)
        return copy

    monkeypatch.setattr(exporting, "trace", again)


def _face(run: Path) -> Image.Image:
    return Image.open(next((run.parent / "pairs").rglob("photos/*.png")))


@pytest.mark.usefixtures("quick")
def test_half_is_half_the_size_and_the_same_picture(run: Path, tmp_path: Path) -> None:
    (whole,) = export(run, tmp_path / "whole.onnx")
    (half,) = export(run, tmp_path / "half.onnx", precision="fp16")
    header = len(read_header(whole.path).config.model_dump_json()) + 1500
    assert half.size - header < 0.51 * (whole.size - header)
    assert whole.largest < 0.01
    assert 0.0 < half.mean < half.largest < 1.0
    results = [np.asarray(load(made.path)(_face(run))).astype(int) for made in (whole, half)]
    assert np.abs(results[0] - results[1]).max() <= 1
    session = onnx.load(half.path).graph
    assert {value.type.tensor_type.elem_type for value in (*session.input, *session.output)} == {onnx.TensorProto.FLOAT}


@pytest.mark.usefixtures("quick")
def test_int8_is_smaller_still_and_says_how_far_off_it_is(run: Path, tmp_path: Path) -> None:
    (whole,) = export(run, tmp_path / "whole.onnx")
    (small,) = export(run, tmp_path / "small.onnx", precision="int8")
    assert small.size < 0.4 * whole.size
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in onnx.load(small.path).graph.node}
    assert whole.mean < small.mean <= LIMITS["int8"][1]
    noted = read_header(small.path).notes["export"]
    assert noted == {
        "precision": "int8",
        "largest_difference": round(small.largest, 4),
        "mean_difference": round(small.mean, 4),
    }
    expected, result = (np.asarray(load(path)(_face(run))).astype(float) for path in (run, small.path))
    assert np.abs(result - expected).mean() < 2 * LIMITS["int8"][1]


def test_int8_is_calibrated_in_every_style_and_in_light_and_dark_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"styles": "pen,chalk", "colours": "skin", "width": 4, "size": 64, "perceptual": "none", "faces": True}
    config = resolve(configure("portrait", {"direction": "sketch2photo"} | options))
    shown: list[Any] = []

    def quantise(model: object, inputs: Iterable[Any]) -> None:
        shown.extend(inputs)
        raise InterruptedError

    monkeypatch.setattr(exporting, "trace", lambda *_: None)
    monkeypatch.setattr(exporting, "quantise", quantise)
    with pytest.raises(InterruptedError):
        exporting._export(build(config), config, "sketch2photo", "int8", tmp_path / "small.onnx", {})
    told = np.concatenate([each[STYLE] for each in shown])
    assert told[:, :2].sum(axis=0).min() > 10, "each of two styles in half of 32 pictures"
    assert told[:, 2:].max() > 1.5
    assert told[:, 2:].min() < -1.5


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("spoil", ["shifted", "not a number", "another shape"])
def test_a_graph_that_draws_something_else_is_not_written(
    spoil: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def other(method: Any, direction: Any) -> onnx.ModelProto:
        model = trace(method, direction)
        name = model.graph.output[0].name
        for node in model.graph.node:
            node.output[:] = ["inner" if output == name else output for output in node.output]
        if spoil == "another shape":
            model.graph.node.append(onnx.helper.make_node("Concat", ["inner", "inner"], [name], axis=0))
            return model
        value = np.float32(0.1 if spoil == "shifted" else np.nan)
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, "off"))
        model.graph.node.append(onnx.helper.make_node("Add", ["inner", "off"], [name]))
        return model

    monkeypatch.setattr(exporting, "trace", other)
    out = tmp_path / "model.onnx"
    out.write_text("older")
    with pytest.raises(ConfigError, match=r"differs from PyTorch by up to|gives") as caught:
        export(run, out)
    assert len(str(caught.value).splitlines()) == 1
    assert out.read_text() == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.usefixtures("quick")
def test_without_the_pictures_faces_are_drawn(run: Path, tmp_path: Path) -> None:
    method, config = load_method(run)
    gone = config.model_copy(update={"data": config.data.model_copy(update={"folder": tmp_path / "gone"})})
    made = exporting._export(method, gone, "photo2sketch", "fp32", tmp_path / "model.onnx", {})
    assert made.drawn
    assert not export(run, tmp_path / "again.onnx")[0].drawn
    assert str(tmp_path).encode() not in made.path.read_bytes()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_calibration_never_opens_a_test_picture(
    run: Path, direction: Direction, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_method(run)[1]
    assert config.data.folder is not None
    train, opened = split(index(config.data.folder).pairs).train, list[Source]()

    def open_one(source: Source) -> Image.Image:
        opened.append(source)
        return Image.new("RGB", (32, 32))

    monkeypatch.setattr(Source, "open", open_one)
    exporting._pictures(config, direction, 32)
    assert opened == [pair.photo if direction == "photo2sketch" else pair.sketch for pair in train]
    gone = config.model_copy(update={"data": config.data.model_copy(update={"folder": None})})
    assert len(exporting._pictures(gone, direction, 12)[0]) == 12


@pytest.mark.usefixtures("quick")
def test_equal_runs_are_equal_bytes(run: Path, tmp_path: Path) -> None:
    files = [export(run, tmp_path / f"{number}.onnx", precision="fp16")[0].path for number in range(2)]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.usefixtures("quick")
def test_paths_among_the_options_stay_here(run: Path, tmp_path: Path) -> None:
    _, config = load_method(run)
    options = {"encoder": "vgg16", "encoder_weights": str(tmp_path / "vgg16.safetensors"), "loss": "mae"}
    method = type(config.method)(name="conv-ae", **options)
    begun = config.train.model_copy(update={"start_from": tmp_path / "first"})
    kept = without_paths(config.model_copy(update={"method": method, "train": begun}))
    assert kept.method.options == {"encoder": "vgg16", "loss": "mae"}
    assert kept.data == config.data.model_copy(update={"folder": None})
    assert kept.train == config.train


def test_mistakes_are_one_line(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    with pytest.raises(ConfigError, match=r"model\.pt: expected a name that ends in \.onnx; type: `out` .*model\.onnx"):
        export(run, tmp_path / "model.pt")
    with pytest.raises(ConfigError, match="translates photo2sketch, not sketch2photo; leave it out"):
        export(run, out, direction="sketch2photo")
    with pytest.raises(ConfigError, match="is exported already; give the run folder"):
        export(tmp_path / "done.onnx", out)
    assert list(tmp_path.iterdir()) == []


def test_without_the_exporter_one_line_says_what_to_type(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"export needs onnxscript, .*pip install 'facesketch\[export\]'"):
        export(run, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_model_file_away_from_its_run_will_do(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    shutil.copyfile(run / "weights.safetensors", copy)
    (made,) = export(copy, tmp_path / "model.onnx")
    assert (made.direction, made.precision) == ("photo2sketch", "fp32")


def test_instance_norms_are_the_runtime_s_own() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), normalisation("instance", 4), nn.GroupNorm(2, 4))
    with torch.no_grad():
        network[1].weight.uniform_(0.5, 2.0)
        network[1].bias.uniform_(-1.0, 1.0)
    images = torch.randn(3, 1, 9, 7)
    expected = network(images)
    swapped = graph._with_instance_norms(network)
    assert [type(layer) for layer in swapped] == [nn.Conv2d, nn.InstanceNorm2d, nn.GroupNorm]
    torch.testing.assert_close(swapped(images), expected, rtol=1e-5, atol=1e-5)


def test_weights_too_large_for_16_bits_are_left_as_they_are() -> None:
    values = np.full(1000, 1e6, dtype=np.float32)
    model = onnx.ModelProto()
    for name, array in (("large", values), ("small", values / 1e5), ("few", values[:9] / 1e5)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    halved = halve(model)
    kinds = {tensor.name: tensor.data_type for tensor in halved.graph.initializer}
    float32, float16 = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
    assert kinds == {"large": float32, "small.half": float16, "few": float32}
    assert [(node.op_type, list(node.output)) for node in halved.graph.node] == [("Cast", ["small"])]
    assert not model.graph.node, "the graph given stays as it is"


def test_every_batch_and_side_is_one_the_network_takes() -> None:
    for frame, step in ((256, 256), (256, 32), (32, 32), (40, 8)):
        method: Any = SimpleNamespace(frame=frame, multiple=step, fixed=False)
        batches = exporting._batches(method)
        assert [count for count, *_ in batches] == [1, 2, 3, 4]
        assert len({tuple(sides) for _, *sides in batches}) >= 3
        assert all(side % step == 0 and side > 0 for _, *sides in batches for side in sides)
    fixed: Any = SimpleNamespace(frame=64, multiple=1, fixed=True)
    assert {tuple(sides) for _, *sides in exporting._batches(fixed)} == {(64, 64)}
