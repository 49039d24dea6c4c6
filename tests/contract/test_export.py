"""For every method: its ONNX file draws the same pictures as PyTorch, at any size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from torch import nn

from facesketch.checkpoints.checkpoint import preprocessing
from facesketch.checkpoints.header import read_header
from facesketch.config import Direction
from facesketch.errors import ConfigError
from facesketch.inference.engines.torch_engine import TorchEngine
from facesketch.inference.export.export import LIMITS, Exported, export
from facesketch.inference.translator import Translator, load
from facesketch.methods.families import FAMILIES
from facesketch.methods.registry import build

SIZES = [(37, 53), (64, 41), (40, 40), (130, 9)]

# The parts that translate, for methods that have other parts
DRAWN = {
    "cyclegan": ("to_{target}",),
    "portrait": ("generator",),
    "cogan": ("encoder.own.{source}", "encoder.shared", "generator.shared", "generator.own.{target}"),
    "unit": (
        "generator.encoders.{source}",
        "generator.into_code",
        "generator.from_code",
        "generator.generators.{target}",
    ),
}


def _picture(size: tuple[int, int], seed: int = 1) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def _numbers(part: nn.Module) -> int:
    return sum(tensor.numel() for tensor in part.state_dict().values())


@pytest.fixture(scope="session")
def exported(trained: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Exported]]:
    """Return a function that exports a trained method, once."""
    made: dict[str, list[Exported]] = {}

    def files(name: str) -> list[Exported]:
        if name not in made:
            run = trained(name, direction="photo2sketch")
            made[name] = export(run, tmp_path_factory.mktemp(name) / "model.onnx")
        return made[name]

    return files


def test_exported_model_draws_the_same_pictures(
    stepwise: str, trained: Callable[..., Path], exported: Callable[[str], list[Exported]]
) -> None:
    expected = load(trained(stepwise, direction="photo2sketch"), device="cpu")
    assert tuple(made.direction for made in exported(stepwise)) == expected.directions
    for made in exported(stepwise):
        translator = load(made.path)
        assert translator.directions == (made.direction,)
        for size in SIZES:
            pictures = [_picture(size, seed) for seed in (1, 2, 3)]
            results = translator.translate(pictures)
            for result, target in zip(results, expected.translate(pictures, made.direction), strict=True):
                assert (result.size, result.mode) == (target.size, target.mode)
                assert np.abs(np.asarray(result).astype(int) - np.asarray(target)).max() <= 2


def test_exported_model_takes_the_sizes_of_the_network(
    stepwise: str, trained: Callable[..., Path], exported: Callable[[str], list[Exported]]
) -> None:
    made = exported(stepwise)[0]
    translator, expected = load(made.path), load(trained(stepwise, direction="photo2sketch"), device="cpu")
    if translator.preprocessing.frame is not None:
        with pytest.raises(ConfigError, match=r"fixed size of 32; leave out `resolution` native"):
            translator(_picture((75, 90)), resolution="native")
        return
    result = translator(_picture((75, 90)), resolution="native")
    target = expected(_picture((75, 90)), "photo2sketch", resolution="native")
    assert np.abs(np.asarray(result).astype(int) - np.asarray(target)).max() <= 2


def test_header_equals_that_of_the_run_without_paths(
    stepwise: str, trained: Callable[..., Path], exported: Callable[[str], list[Exported]]
) -> None:
    run = read_header(trained(stepwise, direction="photo2sketch") / "best.safetensors")
    for made in exported(stepwise):
        header = read_header(made.path)
        assert header.preprocessing == run.preprocessing.model_copy(update={"directions": (made.direction,)})
        assert header.config.data.folder is None
        assert header.config.method.name == stepwise
        assert header.config.train == run.config.train
        compared = header.notes.pop("export")
        assert header.notes == json.loads(json.dumps(run.notes))
        assert compared["precision"] == "fp32"
        assert (compared["largest_difference"], compared["mean_difference"]) <= LIMITS["fp32"]
        content = made.path.read_bytes()
        assert made.size == len(content)
        for path in (str(Path(__file__).parents[2]).encode(), str(run.config.data.folder).encode(), b"site-packages"):
            assert path not in content


def test_file_holds_only_the_parts_that_translate(stepwise: str, exported: Callable[[str], list[Exported]]) -> None:
    for made in exported(stepwise):
        graph = onnx.load(made.path).graph
        numbers = sum(int(np.prod(tensor.dims)) for tensor in graph.initializer)
        method = build(read_header(made.path).config)
        source, target = made.direction.split("2")
        parts = [part.format(source=source, target=target) for part in DRAWN.get(stepwise, ("generator",))]
        expected = sum(_numbers(method.get_submodule(part)) for part in parts)
        assert numbers <= expected + 1500, "another network, or duplicate weights"
        assert not any(node.domain for node in graph.node), "every operator is ONNX's own"


def test_method_without_network_is_refused_in_one_line(
    exemplar: str, trained: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=f"{exemplar} draws with its training pairs and has no network to export"):
        export(trained(exemplar, direction="photo2sketch"), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [name for name, kind in FAMILIES.items() if not kind.learned])
def test_method_without_training_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{name}: is not trained, so there is nothing to export"):
        export(Path(name), tmp_path / "model.onnx")


def test_staged_translation_equals_one_call(task: tuple[str, Direction], config: Callable[..., object]) -> None:
    name, direction = task
    settings = config(name, direction=direction)
    method = build(settings)
    engine = TorchEngine(method, settings)
    translator = Translator(engine)
    assert translator.preprocessing == preprocessing(method)
    picture, served = _picture((37, 53)), translator.directions[0]
    prepared = translator.prepare(picture, served)
    (array,) = translator.run([prepared], served)
    staged = translator.restore(array, prepared)
    assert np.array_equal(np.asarray(staged), np.asarray(translator(picture, served)))
