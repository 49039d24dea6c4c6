"""The settings come back from TOML as they went in, and every mistake in them is answered in one line."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from facesketch.config import (
    AugmentConfig,
    DataConfig,
    MethodConfig,
    RunConfig,
    TrainConfig,
    configure,
    parse,
    read_toml,
    to_toml,
)
from facesketch.errors import ConfigError

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_SHARE = st.floats(0.0, 0.899)
_OPTION = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT
_OPTION_NAME = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).filter(
    lambda name: not hasattr(MethodConfig, name)
)

_DATA = st.builds(
    DataConfig,
    folder=st.none() | _TEXT.map(Path),
    layout=_TEXT,
    size=st.integers(16, 2048),
    photo_channels=st.sampled_from([1, 3]),
    sketch_channels=st.sampled_from([1, 3]),
    validation=_SHARE,
    limit=st.integers(0, 5000),
    workers=st.integers(0, 64),
)
_AUGMENT = st.builds(
    AugmentConfig, augment=st.booleans(), flip=st.booleans(), rotate=st.floats(0, 180), zoom=_SHARE, shift=_SHARE
)
_TRAIN = st.builds(
    TrainConfig,
    epochs=st.none() | st.integers(1, 10**6),
    batch_size=st.none() | st.integers(1, 2**16),
    learning_rate=st.none() | st.floats(5e-324, 1e300),
    schedule=st.sampled_from(["constant", "linear"]),
    seed=st.integers(0, 2**62),
    precision=st.sampled_from(["auto", "fp32", "bf16"]),
    checkpoint_seconds=st.floats(0, 1e9),
) | st.builds(TrainConfig, steps=st.integers(1, 10**9))
_METHOD = st.builds(
    lambda name, options: MethodConfig(**{**options, "name": name}),
    _TEXT,
    st.dictionaries(_OPTION_NAME, _OPTION | st.lists(_OPTION, max_size=3), max_size=4),
)
_RUN = st.builds(
    RunConfig,
    method=_METHOD,
    direction=st.sampled_from(["photo2sketch", "sketch2photo"]),
    data=_DATA,
    augment=_AUGMENT,
    train=_TRAIN,
)


def _run(**sections: Any) -> dict[str, Any]:
    return {"method": {"name": "pix2pix"}, **sections}


@given(config=_RUN)
@settings(deadline=None)
def test_toml_gives_back_the_same_settings(config: RunConfig) -> None:
    assert parse(tomllib.loads(to_toml(config)), "again") == config


@pytest.mark.parametrize(
    "text",
    ['"', "'", "\\", "\n", "\r\n", "\t", '"""', "\x7f", "\x85", "\u2028", "é", "素描", "🖍", '\\"\n', "# no", "]"],
)
def test_awkward_text_survives_toml(text: str) -> None:
    config = parse(_run(data={"folder": f"a{text}b", "layout": text}), "here")
    toml = to_toml(config)
    again = parse(tomllib.loads(toml), "again")
    assert again.data.folder == Path(f"a{text}b")
    assert again.data.layout == text


def test_a_file_of_windows_begins_with_a_mark(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("[train]\nepochs = 3\n", encoding="utf-8-sig")
    assert configure("pix2pix", {}, tmp_path / "run.toml").train.epochs == 3


def test_the_method_is_named_by_its_argument_alone() -> None:
    with pytest.raises(ConfigError, match="unknown key 'name'"):
        configure("pix2pix", {"name": "my run"})


def test_the_toml_is_what_a_person_would_write() -> None:
    lines = to_toml(parse(_run(data={"size": 64}, train={"steps": 2}), "here")).splitlines()
    assert lines[:4] == ['direction = "photo2sketch"', "", "[method]", 'name = "pix2pix"']
    assert "size = 64" in lines[lines.index("[data]") : lines.index("[augment]")]
    assert "steps = 2" in lines[lines.index("[train]") :]
    assert not any(line.startswith(("epochs", "folder")) for line in lines), "what is not set is not written"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (_run(trian={}), "run.toml: unknown key 'trian'; did you mean 'train'?"),
        (_run(train={"lerning_rate": 1}), "run.toml: unknown key 'train.lerning_rate'; did you mean 'learning_rate'?"),
        (_run(data={"siez": 1}), "run.toml: unknown key 'data.siez'; did you mean 'size'?"),
        (
            _run(data={"zzz": 1}),
            "run.toml: unknown key 'data.zzz'; known: balance, faces, folder, layout, limit, photo_channels, size, "
            "sketch_channels, validation, workers",
        ),
        ({}, "run.toml: method: field required"),
        ({"method": {}}, "run.toml: method.name: field required"),
        (_run(direction="both"), "run.toml: direction = 'both': input should be 'photo2sketch' or 'sketch2photo'"),
        (_run(data={"photo_channels": 2}), "run.toml: data.photo_channels = 2: input should be 1 or 3"),
        (_run(train={"epochs": 0}), "run.toml: train.epochs = 0: input should be greater than or equal to 1"),
    ],
)
def test_a_mistake_is_one_exact_line(value: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(value, "run.toml")
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("data", "size", 15),
        ("data", "size", 2049),
        ("data", "size", 64.5),
        ("data", "validation", -0.01),
        ("data", "validation", 1.0),
        ("data", "workers", -1),
        ("data", "workers", 65),
        ("data", "limit", 10**23),
        ("train", "epochs", 10**23),
        ("train", "steps", 10**23),
        ("train", "batch_size", 10**23),
        ("train", "accumulate", 10**23),
        ("train", "sample_every", 10**23),
        ("augment", "rotate", 180.5),
        ("augment", "zoom", 0.9),
        ("augment", "light", 1.0),
        ("augment", "flip", "perhaps"),
        ("train", "steps", 0),
        ("train", "steps", "many\nlines"),
        ("train", "batch_size", 0),
        ("train", "accumulate", 0),
        ("train", "learning_rate", 0.0),
        ("train", "learning_rate", float("inf")),
        ("train", "learning_rate", float("nan")),
        ("train", "checkpoint_seconds", float("inf")),
        ("train", "seed", -1),
        ("train", "schedule", "cosine"),
        ("train", "device", "tpu"),
        ("train", "samples", 65),
    ],
)
def test_out_of_range_names_the_key_and_the_value(section: str, key: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(_run(**{section: {key: value}}), "run.toml")
    assert str(caught.value).startswith(f"run.toml: {section}.{key} = {value!r}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("edge", [{"size": 16}, {"size": 2048}, {"validation": 0.0}, {"workers": 0}, {"workers": 64}])
def test_the_edges_are_in_range(edge: dict[str, Any]) -> None:
    key, value = next(iter(edge.items()))
    assert getattr(parse(_run(data=edge), "here").data, key) == value


def test_epochs_and_steps_are_one_choice() -> None:
    with pytest.raises(
        ConfigError, match=r"run\.toml: train = \{[^}]*\}: epochs and steps both set the length; give only one"
    ):
        parse(_run(train={"epochs": 3, "steps": 2}), "run.toml")
    assert parse(_run(train={"epochs": 3}), "run.toml").train.steps is None
    assert parse(_run(train={"steps": 2}), "run.toml").train.epochs is None


def test_settings_cannot_change() -> None:
    config = parse(_run(), "here")
    for model, key in ((config, "direction"), (config.data, "size"), (config.train, "steps"), (config.method, "name")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(model, key, getattr(model, key))


def test_options_of_a_method_travel_beside_its_name() -> None:
    config = parse({"method": {"name": "conv-vae", "latent": 4, "loss": "bce"}}, "here")
    assert config.method.options == {"latent": 4, "loss": "bce"}
    config.method.options["latent"] = 12
    assert config.method.options["latent"] == 4, "the options are a copy"


def test_channels_follow_the_kind() -> None:
    data = DataConfig(photo_channels=3, sketch_channels=1)
    assert (data.channels("photo"), data.channels("sketch")) == (3, 1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.toml")
    with pytest.raises(ConfigError, match="a pipe"):
        read_toml(tmp_path / "run.toml")


def test_read_toml(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[method]\nname = "pix2pix"\n', encoding="utf-8")
    assert read_toml(path) == {"method": {"name": "pix2pix"}}


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"\xff\xfe[method]", "cannot be read"), (b"[method\nname", "not TOML")],
)
def test_a_file_that_is_not_toml_is_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "run.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_toml(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)
