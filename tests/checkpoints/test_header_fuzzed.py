"""Whatever a hand-made model file says of itself, reading it gives a header or one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facesketch.checkpoints.header import Header, read_header, write_header
from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import DataConfig, MethodConfig, RunConfig
from facesketch.errors import CheckpointError

CONFIG = RunConfig(method=MethodConfig.model_validate({"name": "pix2pix", "width": 8}), data=DataConfig(size=64))
NEEDS = Preprocessing(
    photo_channels=3, sketch_channels=1, longest_side=64, frame=None, multiple=8, directions=("photo2sketch",)
)
ENTRIES = write_header(CONFIG, NEEDS, {"epoch": 3})
DEEP = "[" * 100_000 + "]" * 100_000

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _read(path: Path) -> Header | None:
    try:
        return read_header(path)
    except CheckpointError as error:
        said = str(error)
    assert len(said.splitlines()) == 1
    assert len(said) < 1000 + len(str(path))
    return None


def _write(path: Path, entries: dict[str, str]) -> Path:
    path.write_bytes(safetensors.numpy.save({"w": np.zeros(2, np.float32)}, metadata=entries))
    return path


def _raw(path: Path, text: str) -> Path:
    encoded = text.encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + bytes(8))
    return path


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(key=st.sampled_from(["config", "preprocessing", "notes"]), value=VALUES)
def test_any_json_in_an_entry(tmp_path: Path, key: str, value: Any) -> None:
    header = _read(_write(tmp_path / "model.safetensors", {**ENTRIES, key: json.dumps(value)}))
    assert header is None or isinstance(header.notes, dict)


@FUZZ
@given(field=st.sampled_from(sorted(json.loads(ENTRIES["preprocessing"]))), value=VALUES)
def test_any_value_of_what_translation_needs(tmp_path: Path, field: str, value: Any) -> None:
    needs = json.loads(ENTRIES["preprocessing"]) | {field: value}
    header = _read(_write(tmp_path / "model.safetensors", {**ENTRIES, "preprocessing": json.dumps(needs)}))
    if header is not None:
        assert header.preprocessing.multiple >= 1
        assert header.preprocessing.directions
        assert min(header.preprocessing.frame or 1, header.preprocessing.longest_side or 1) >= 1


@FUZZ
@given(key=st.sampled_from(["config", "preprocessing", "notes", "format"]), text=st.text())
def test_any_text_in_an_entry(tmp_path: Path, key: str, text: str) -> None:
    _read(_write(tmp_path / "model.safetensors", {**ENTRIES, key: text}))


@FUZZ
@given(value=VALUES)
def test_any_json_for_a_file_s_own_header(tmp_path: Path, value: Any) -> None:
    _read(_raw(tmp_path / "model.safetensors", json.dumps(value)))
    _read(_raw(tmp_path / "model.safetensors", json.dumps({"__metadata__": value})))
    _read(_raw(tmp_path / "model.safetensors", json.dumps({"__metadata__": {"format": value}})))


@FUZZ
@given(content=st.binary(max_size=200), suffix=st.sampled_from(["onnx", "safetensors"]))
def test_any_bytes(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(content)
    assert _read(path) is None


@pytest.mark.parametrize("key", ["config", "preprocessing", "notes"])
def test_json_deeper_than_any_reader_goes(key: str, tmp_path: Path) -> None:
    assert _read(_write(tmp_path / "model.safetensors", {**ENTRIES, key: DEEP})) is None
    assert _read(_raw(tmp_path / "model.safetensors", DEEP)) is None


def test_a_long_format_is_cut_short(tmp_path: Path) -> None:
    assert _read(_write(tmp_path / "model.safetensors", {**ENTRIES, "format": "x" * 100_000})) is None
