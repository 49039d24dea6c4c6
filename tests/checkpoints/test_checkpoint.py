"""Model files explain themselves, states survive anything, and neither trusts what it reads."""

from __future__ import annotations

import json
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch

from facesketch.checkpoints.checkpoint import load_method, preprocessing, save_weights, start
from facesketch.checkpoints.header import FORMAT, Header, model_file, read_header
from facesketch.config import DataConfig, MethodConfig, RunConfig
from facesketch.errors import CheckpointError, ConfigError, OutputError
from facesketch.methods.base import Method
from facesketch.methods.registry import build, resolve, untrained
from facesketch.training.state import STATE, load_state, save_state
from facesketch.training.trainer import train


def _config(name: str = "dense-ae", **options: Any) -> RunConfig:
    small = {"hidden": 4, "latent": 2} if name == "dense-ae" else {}
    method = MethodConfig(name=name, **(small | options))
    return resolve(RunConfig(method=method, data=DataConfig(size=32, folder=Path("/somewhere/else"))))


@pytest.fixture
def model(tmp_path: Path) -> tuple[Path, Method, RunConfig]:
    config = _config("conv-ae")
    method, path = build(config), tmp_path / "model.safetensors"
    save_weights(path, method, config, {"epoch": 3, "validation": {"ssim": 0.5}})
    return path, method, config


# Model files


def test_a_model_file_brings_its_weights_and_settings(model: tuple[Path, Method, RunConfig]) -> None:
    path, method, config = model
    loaded, settings = load_method(path)
    assert settings == config
    assert not loaded.training
    before, after = method.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert read_header(path) == Header(config, {"epoch": 3, "validation": {"ssim": 0.5}}, preprocessing(method))


def test_equal_models_are_equal_bytes(model: tuple[Path, Method, RunConfig], tmp_path: Path) -> None:
    path, method, config = model
    for number in range(8):  # the library puts the metadata in a random order
        again = tmp_path / f"{number}.safetensors"
        save_weights(again, method, config, {"epoch": 3, "validation": {"ssim": 0.5}})
        assert again.read_bytes() == path.read_bytes()


def test_tensors_stay_aligned_whatever_the_notes(tmp_path: Path) -> None:
    config = _config()
    for length in range(9):
        path = tmp_path / "model.safetensors"
        save_weights(path, build(config), config, {"note": "ü" * length})
        assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0
        assert read_header(path).notes == {"note": "ü" * length}


def test_the_header_tells_any_program_what_to_do(model: tuple[Path, Method, RunConfig]) -> None:
    path, *_ = model
    with safetensors.safe_open(path, framework="np") as file:
        header = file.metadata()
    assert header["format"] == FORMAT
    assert json.loads(header["preprocessing"]) == {
        "range": [-1.0, 1.0],
        "colour": "rgb",
        "photo_channels": 3,
        "sketch_channels": 1,
        "longest_side": 32,
        "frame": 32,
        "multiple": 1,
        "padding": "mirrored, centred",
        "directions": ["photo2sketch"],
        "styles": [],
        "colours": [],
        "faces": None,
    }
    with torch.device("meta"):
        assert preprocessing(build(_config("cyclegan"))).frame is None
        assert preprocessing(build(_config("cyclegan"))).directions == ("photo2sketch", "sketch2photo")


def _truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _without_header(content: bytes) -> bytes:
    return safetensors.torch.save({"weight": torch.zeros(3)})


def _other_version(content: bytes) -> bytes:
    return safetensors.torch.save({"weight": torch.zeros(3)}, {"format": "facesketch 99"})


def _no_config(content: bytes) -> bytes:
    return safetensors.torch.save({"weight": torch.zeros(3)}, {"format": FORMAT, "notes": "{}"})


def _strange_config(content: bytes) -> bytes:
    return safetensors.torch.save(
        {}, {"format": FORMAT, "config": '{"method": {"name": "dense-ae"}, "x": 1}', "notes": "{}"}
    )


def _strange_notes(content: bytes) -> bytes:
    config = _config().model_dump_json(exclude_none=True)
    return safetensors.torch.save({}, {"format": FORMAT, "config": config, "notes": "{"})


SPOILED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut short": (_truncated, "damaged, incomplete or not a model file"),
    "empty": (lambda content: b"", "damaged, incomplete or not a model file"),
    "text": (lambda content: b"this is not a model file at all", "damaged, incomplete or not a model file"),
    "a pickle": (lambda content: pickle.dumps({"weight": [1.0]}), "damaged, incomplete or not a model file"),
    "a header too long": (lambda content: b"\xff" * 8 + content[8:], "damaged, incomplete or not a model file"),
    "somebody else's": (_without_header, "format is None, expected 'facesketch 1'; it was not written by facesketch"),
    "of another version": (_other_version, "format is 'facesketch 99', expected 'facesketch 1'"),
    "without settings": (_no_config, "its header is damaged or from another version"),
    "with strange settings": (_strange_config, "its header is damaged or from another version"),
    "with strange notes": (_strange_notes, "its header is damaged or from another version"),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_spoiled_model_file_is_refused_in_one_line(kind: str, model: tuple[Path, Method, RunConfig]) -> None:
    path = model[0]
    spoil, said = SPOILED[kind]
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(CheckpointError) as caught:
        load_method(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert said in line
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize("changed", ["missing", "reshaped", "additional"])
def test_weights_that_do_not_fit_are_refused_in_one_line(changed: str, tmp_path: Path) -> None:
    config, path = _config(), tmp_path / "model.safetensors"
    method = build(config)
    save_weights(path, method, config)
    with safetensors.safe_open(path, framework="pt") as file:
        header = file.metadata()
    tensors = dict(method.state_dict())
    name = next(iter(tensors))
    if changed == "missing":
        del tensors[name]
    else:
        tensors[name if changed == "reshaped" else "another"] = torch.zeros(2, 2)
    path.write_bytes(safetensors.torch.save(tensors, header))
    with pytest.raises(CheckpointError, match="the weights do not fit their header") as caught:
        load_method(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("other", [_config("conv-ae", encoder="lenet"), _config("conv-ae", encoder="vgg16")])
def test_weights_of_another_model_are_refused_with_few_names(other: RunConfig, tmp_path: Path) -> None:
    path, method, theirs = tmp_path / "model.safetensors", build(_config("conv-ae")), build(other)
    save_weights(path, theirs, other)
    with pytest.raises(ConfigError) as caught:
        start(method, path)
    seen, _, rest = caught.value.seen.partition(" (differing: ")
    assert seen.startswith(f"{path}: weights of {other.method.name} of 32 pixels")
    names = rest.removesuffix(")").split(", ")
    shapes = [{name: tensor.shape for name, tensor in each.state_dict().items()} for each in (method, theirs)]
    assert names[3:] in ([], ["…"])
    assert all(shapes[0].get(name) != shapes[1].get(name) for name in names[:3])


def test_a_method_that_is_not_known_here_is_a_checkpoint_error(tmp_path: Path) -> None:
    config, path = _config(), tmp_path / "model.safetensors"
    strange = config.model_copy(update={"method": MethodConfig(name="pix2pix-turbo")})
    save_weights(path, build(config), strange)
    with pytest.raises(CheckpointError, match="unknown method 'pix2pix-turbo'; did you mean 'pix2pix'"):
        load_method(path)


def test_a_path_stands_for_a_file_or_a_run(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"no such model file; give a run folder, a \.safetensors or \.onnx file, or pencil"
    ):
        load_method(tmp_path / "missing.safetensors")
    with pytest.raises(CheckpointError, match=r"no weights\.safetensors in this folder"):
        model_file(tmp_path)
    (tmp_path / "weights.safetensors").touch()
    assert model_file(tmp_path) == model_file(tmp_path, "last") == tmp_path / "weights.safetensors"
    (tmp_path / "best.safetensors").touch()
    assert model_file(tmp_path) == tmp_path / "best.safetensors"
    assert model_file(tmp_path, "last") == tmp_path / "weights.safetensors"
    assert model_file(tmp_path / "other.safetensors") == tmp_path / "other.safetensors"


def test_untrained_methods_are_known_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert untrained("pencil")
    assert not untrained("pix2pix")
    assert not untrained("model.safetensors")
    assert not untrained("runs/one"), "a path that is not there is a model that is not there"
    monkeypatch.chdir(tmp_path)
    Path("pencil").mkdir()
    assert not untrained("pencil")


# States


def _state(step: int) -> dict[str, Any]:
    weights = torch.arange(1000, dtype=torch.float32) + step
    return {
        "method": {"weight": weights},
        "memory": {"pool": [torch.ones(3)]},
        "position": {"step": step, "best": None},
    }


def _step(folder: Path) -> int | None:
    state = load_state(folder)
    if state is None:
        return None
    step = int(state["position"]["step"])
    assert torch.equal(state["method"]["weight"], _state(step)["method"]["weight"])
    return step


def test_the_last_state_comes_back_and_the_one_before_is_kept(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None
    for step in (1, 2, 3):
        save_state(tmp_path, _state(step))
        assert _step(tmp_path) == step
    assert {path.name for path in tmp_path.iterdir()} == {"state.ckpt", "state.previous.ckpt"}
    (tmp_path / "state.previous.ckpt").replace(tmp_path / "state.ckpt")
    assert _step(tmp_path) == 2


class PowerCut(BaseException):
    """No `except Exception` stops it."""


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("at", range(3))
def test_a_cut_between_two_renames_loses_nothing(
    before: int, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(1, before + 1):
        save_state(tmp_path, _state(step))
    real, renames = Path.replace, iter(range(10))

    def replace(path: Path, target: Path) -> Path:
        if next(renames) == at:
            raise PowerCut
        return real(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        if at == 2 and before == 0:  # the first state takes two renames, any other three
            save_state(tmp_path, _state(before + 1))
        else:
            with pytest.raises(PowerCut):
                save_state(tmp_path, _state(before + 1))
    there = _step(tmp_path)
    assert there in {before or None, before + 1}
    assert at == 0 or there is not None, "once the new state is on the disk, a state is found"
    save_state(tmp_path, _state(9))
    assert _step(tmp_path) == 9
    assert not (tmp_path / "state.next.ckpt").exists()


def test_a_state_that_cannot_be_written_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path, _state(1))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        save_state(tmp_path, _state(2))
    assert _step(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["state.ckpt"]


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10  # among the weights
    path.write_bytes(content)


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")


SPOILED_STATES: dict[str, Callable[[Path], object]] = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:2000]),
    "cut by one byte": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "flipped": _flipped,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("state"),
    "another zip": _zip,
    "a bare pickle": lambda path: path.write_bytes(pickle.dumps(_state(1))),
    "somebody else's": lambda path: torch.save({"epoch": 3}, path),
    "a tensor": lambda path: torch.save(torch.ones(3), path),
    "of another version": lambda path: torch.save({**_state(1), "format": "facesketch 99"}, path),
    "with code in it": lambda path: torch.save(
        {**_state(1), "format": FORMAT, "trap": Trap(path.parent / "sprung")}, path
    ),
    "a pickle with code in it": lambda path: path.write_bytes(pickle.dumps(Trap(path.parent / "sprung"))),
}


@pytest.mark.parametrize("kind", SPOILED_STATES)
def test_a_spoiled_state_is_refused_and_the_one_before_named(kind: str, tmp_path: Path) -> None:
    save_state(tmp_path, _state(1))
    save_state(tmp_path, _state(2))
    current, previous = tmp_path / "state.ckpt", tmp_path / "state.previous.ckpt"
    SPOILED_STATES[kind](current)
    with pytest.raises(CheckpointError) as caught:
        load_state(tmp_path)
    line = str(caught.value)
    assert line.startswith(f"{current}: damaged or not a training state of facesketch; the previous one is whole")
    assert len(line.splitlines()) == 1
    assert not (tmp_path / "sprung").exists(), "what a file holds is never executed"
    *_, source, target = line.rsplit(" ", 2)
    Path(source).replace(target)  # as the message says
    assert (source, target) == (str(previous), str(current))
    assert _step(tmp_path) == 1


def test_the_trap_would_have_sprung(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


def test_without_one_before_it_one_starts_again(tmp_path: Path) -> None:
    (tmp_path / "state.ckpt").write_text("damaged")
    with pytest.raises(CheckpointError, match=r"damaged or not a training state .*; start again with another `out`"):
        load_state(tmp_path)


def test_any_flipped_bit_is_noticed_or_harmless(tmp_path: Path) -> None:
    save_state(tmp_path, _state(5))
    path, chance = tmp_path / "state.ckpt", random.Random(0)
    whole, noticed = path.read_bytes(), 0
    for _ in range(60):
        content = bytearray(whole)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        try:
            assert _step(tmp_path) == 5
        except CheckpointError:
            noticed += 1
    assert noticed > 30


def test_states_hold_nothing_but_what_is_safe_to_read(tmp_path: Path) -> None:
    save_state(tmp_path, _state(1))
    state = torch.load(tmp_path / STATE, weights_only=True)
    assert state["format"] == FORMAT


def test_loading_leaves_the_random_state_alone(faces: Path, tmp_path: Path) -> None:
    run = train("dense-ae", tmp_path / "run", data=faces, steps=1, size=32, quiet=True)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    load_method(run)
    assert torch.equal(torch.get_rng_state(), before)
