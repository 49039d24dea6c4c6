"""For every method: its model file alone translates any picture into one of the same size."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesketch import train
from facesketch.cli.main import main
from facesketch.config import DIRECTIONS, Direction
from facesketch.errors import ConfigError
from facesketch.inference.translator import load
from facesketch.methods.families import FAMILIES
from facesketch.methods.registry import family, resolve

SIZES = [(37, 53), (64, 41), (32, 32), (9, 130)]


def _picture(size: tuple[int, int], mode: str) -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise).convert(mode)


def _other(direction: Direction) -> Direction:
    return next(each for each in DIRECTIONS if each != direction)


def test_native_resolution_without_a_fixed_size(task: tuple[str, Direction], trained: Callable[..., Path]) -> None:
    name, direction = task
    translator = load(trained(name, direction=direction))
    picture = _picture((75, 90), "RGB")
    if translator.preprocessing.frame is not None:
        with pytest.raises(ConfigError, match=r"fixed size of 32; leave out `resolution` native"):
            translator(picture, direction, resolution="native")
        return
    native = translator(picture, direction, resolution="native")
    assert native.size == (75, 90)
    assert np.asarray(native).tolist() != np.asarray(translator(picture, direction)).tolist()


def test_model_file_alone_translates(task: tuple[str, Direction], trained: Callable[..., Path], tmp_path: Path) -> None:
    name, direction = task
    run = trained(name, direction=direction)
    copy, picture, out = tmp_path / "model.safetensors", tmp_path / "in.png", tmp_path / "out.png"
    shutil.copyfile(run / "weights.safetensors", copy)
    _picture((37, 53), "RGB").save(picture)
    needed = ["--direction", direction] if family(name).both_ways else []
    main(["translate", str(picture), "--model", str(copy), "--out", str(out), *needed])
    with Image.open(out) as result:
        assert result.size == (37, 53)
        expected = load(run, weights="last")(picture, direction)
        assert np.array_equal(np.asarray(result), np.asarray(expected))


def test_other_direction_is_refused_in_one_line(task: tuple[str, Direction], trained: Callable[..., Path]) -> None:
    name, direction = task
    translator = load(trained(name, direction=direction))
    if family(name).both_ways:
        with pytest.raises(ConfigError, match=r"serves both directions; say which with `direction`") as caught:
            translator.choose(None)
    else:
        assert translator.choose(None) == direction
        with pytest.raises(ConfigError, match=f"translates {direction}, not {_other(direction)}") as caught:
            translator(_picture((40, 40), "RGB"), _other(direction))
    assert len(str(caught.value).splitlines()) == 1


def test_batch_equals_single_pictures(task: tuple[str, Direction], trained: Callable[..., Path]) -> None:
    name, direction = task
    translator = load(trained(name, direction=direction))
    pictures = [_picture((40, 50), "RGB"), _picture((40, 50), "RGB").rotate(180), _picture((33, 20), "L")]
    together = translator.translate(pictures, direction)
    same = translator.translate(pictures[:2], direction)
    for picture, *results in zip(pictures, together, [*same, together[2]], strict=True):
        alone = np.asarray(translator(picture, direction)).astype(int)
        for result in results:
            assert np.abs(np.asarray(result) - alone).max() <= 1  # a batch may round differently
    assert translator.translate([], direction) == []


@pytest.mark.parametrize("name", [name for name, kind in FAMILIES.items() if not kind.learned])
def test_method_without_training_translates_without_a_model(name: str, tmp_path: Path, data: Path) -> None:
    translator = load(name)
    assert translator.directions == FAMILIES[name].directions
    for size in [*SIZES, (300, 200)]:
        picture = _picture(size, "RGB")
        result = translator(picture)
        assert (result.size, result.mode) == (size, "L")
        assert np.array_equal(np.asarray(result), np.asarray(translator(picture)))
    with pytest.raises(ConfigError, match="needs no training"):
        train(name, tmp_path / "run", data=data)
    with pytest.raises(ConfigError, match="not sketch2photo"):
        translator(_picture((40, 40), "RGB"), "sketch2photo")
    with pytest.raises(ConfigError, match=f"{name} does not support sketch2photo; it supports photo2sketch"):
        resolve(translator.config.model_copy(update={"direction": "sketch2photo"}))
    assert not list(tmp_path.iterdir())
