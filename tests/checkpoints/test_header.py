"""Headers of ONNX files are read without ONNX, and whatever is wrong with a file is one line."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facesketch.checkpoints.header import FORMAT, Header, read_header, write_header
from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import configure
from facesketch.errors import CheckpointError
from facesketch.inference.export.trace import with_header

CONFIG = configure("pix2pix", {"width": 8, "size": 64})
NEEDS = Preprocessing(
    photo_channels=3, sketch_channels=1, longest_side=64, frame=None, multiple=8, directions=("photo2sketch",)
)
NOTES = {"epoch": 3, "artist": "Zoë"}


def _model(numbers: int = 5000) -> onnx.ModelProto:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    weights = numpy_helper.from_array(np.random.default_rng(0).random(numbers, dtype=np.float32), "w")
    node = helper.make_node("Identity", ["x"], ["y"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])
    return helper.make_model(helper.make_graph([node], "g", [value], [out], [weights]))


def _write(path: Path, **entries: str) -> Path:
    path.write_bytes(with_header(_model(), {**write_header(CONFIG, NEEDS, NOTES), **entries}))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "model.onnx")
    assert read_header(path) == Header(CONFIG, NOTES, NEEDS)
    onnx.checker.check_model(onnx.load(path))


def test_equal_models_are_equal_bytes(tmp_path: Path) -> None:
    assert len({_write(tmp_path / f"{number}.onnx").read_bytes() for number in range(4)}) == 1


def test_the_suffix_may_be_large(tmp_path: Path) -> None:
    assert read_header(_write(tmp_path / "MODEL.ONNX")).notes == NOTES


def test_a_missing_header_belongs_to_another_program(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_model().SerializeToString())
    with pytest.raises(CheckpointError, match=r"format is None, expected 'facesketch 1'; it was not written by"):
        read_header(path)


@pytest.mark.parametrize("key", ["config", "preprocessing", "notes"])
def test_an_entry_that_is_no_json_is_one_line(key: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="its header is damaged"):
        read_header(_write(tmp_path / "model.onnx", **{key: "{"}))


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "cut in the graph": lambda content: content[:900],
    "cut in the header": lambda content: content[:-9],
    "empty": lambda content: b"",
    "text": lambda content: b"this is no model at all, but a line of text",
    "zeros": lambda content: bytes(400),
    "endless number": lambda content: b"\x08" + b"\xff" * 40,
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_spoiled_file_is_one_line(kind: str, tmp_path: Path) -> None:
    path = _write(tmp_path / "model.onnx")
    path.write_bytes(SPOILED[kind](path.read_bytes()))
    with pytest.raises(CheckpointError) as caught:
        read_header(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_any_changed_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path, chance = _write(tmp_path / "model.onnx"), random.Random(0)
    whole = path.read_bytes()
    header = whole.index(b"config")
    for _ in range(400):
        content = bytearray(whole)
        place = chance.choice([chance.randrange(60), chance.randrange(header - 20, len(whole))])
        content[place] = chance.randrange(256)
        path.write_bytes(content)
        try:
            read_header(path)
        except CheckpointError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017 - either outcome is right


def test_a_missing_file_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no such model file; give a run folder, a \.safetensors or \.onnx file"):
        read_header(tmp_path / "none.onnx")
    assert FORMAT == "facesketch 1", "older files must stay readable"
