"""Portrait: styles by name, weights that only training needs, and files of version 0.1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from facesketch import train
from facesketch.checkpoints.checkpoint import load_method, preprocessing
from facesketch.checkpoints.header import write_header
from facesketch.config import DataConfig, RunConfig, configure
from facesketch.data.datasets import Batch
from facesketch.errors import ConfigError, FacesketchError
from facesketch.images.fit import Placement
from facesketch.methods.families import PortraitOptions
from facesketch.methods.networks.backbones import AlexNetFeatures
from facesketch.methods.networks.lpips import CHANNELS
from facesketch.methods.portrait import Portrait
from facesketch.methods.registry import build, resolve
from facesketch.training.validation import validate

SMALL: dict[str, Any] = {"width": 4, "blocks": 1, "discriminator_width": 4, "perceptual": "none", "size": 32}


def _config(**settings: Any) -> RunConfig:
    return resolve(configure("portrait", SMALL | settings))


def _method(**settings: Any) -> Portrait:
    method = build(_config(**settings))
    assert isinstance(method, Portrait)
    return method


def _batch(styles: tuple[str, ...] = (), *, side: int = 64, content: int = 64, count: int = 2) -> Batch:
    torch.manual_seed(0)
    photo, sketch = torch.rand(count, 3, side, side) * 2 - 1, torch.rand(count, 1, side, side) * 2 - 1
    place = Placement((content, side), (content, side), ((side - content) // 2, 0))
    stems = tuple(f"face-{n}" for n in range(count))
    return Batch(photo, sketch, stems, stems, (place,) * count, "photo2sketch", styles)


def _step(method: Portrait, batch: Batch) -> dict[str, float]:
    optimisers = method.optimisers(2e-3)
    logged: dict[str, float] = {}
    for phase in method.training_step(batch):
        phase.loss.backward()  # type: ignore[no-untyped-call]
        optimisers[phase.name].step()
        optimisers[phase.name].zero_grad()
        logged |= {name: float(value) for name, value in phase.logged.items()}
    return logged


def test_files_of_version_0_1_translate_with_the_average_that_they_hold(tmp_path: Path) -> None:
    method, mean = _method(), _method()
    weights, averaged = method.state_dict(), mean.generator.state_dict()
    save_file(
        weights | {f"averaged.{name}": tensor for name, tensor in averaged.items()},
        tmp_path / "old.safetensors",
        write_header(_config(), preprocessing(method), {}),
    )
    read, _ = load_method(tmp_path / "old.safetensors")
    for name, tensor in read.state_dict().items():
        expected = mean.state_dict()[name] if name.startswith("generator.") else weights[name]
        assert torch.equal(tensor, expected)


def test_validation_neither_learns_nor_corrupts_nor_draws() -> None:
    method = _method().eval()
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    state = torch.get_rng_state()
    batch = _batch()
    state = torch.get_rng_state()
    figures = validate(method, [batch])
    assert figures == validate(method, [batch])
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in method.state_dict().items())


def test_each_picture_is_drawn_in_its_own_style_and_without_a_word_in_the_first() -> None:
    method = _method(styles="pencil,ink").eval()
    assert method.styles == ("pencil", "ink")
    with torch.no_grad():
        method.generator.fine.norm.shift[1] += 3.0
    images = _batch().photo
    default = method.translate(images, "photo2sketch")
    mixed = method.draw(images, torch.eye(2))
    torch.testing.assert_close(mixed[0], default[0])
    assert not torch.allclose(mixed[1], default[1])


def test_pairs_are_reproduced_in_the_style_that_drew_them() -> None:
    method = _method(styles="pencil,ink").eval()
    with torch.no_grad():
        method.generator.fine.norm.shift[1] += 3.0
    batch = _batch(("ink", "pencil"))
    found = method.reproduce(batch)
    torch.testing.assert_close(found, method.draw(batch.photo, torch.tensor([[0.0, 1.0], [1.0, 0.0]])))
    with pytest.raises(ConfigError, match="style 'inks': this model does not draw in it; did you mean 'ink'"):
        method.reproduce(_batch(("inks", "ink")))


def test_the_margins_of_a_tall_picture_are_not_learned_from() -> None:
    batch = _batch(side=128, content=60)
    assert batch.columns(32) == (32, 96)
    method = _method(size=128, corrupt=0).train()
    torch.manual_seed(1)
    first = _step(method, batch)
    batch.photo[..., :32] = 1.0
    batch.sketch[..., 96:] = -1.0
    method = _method(size=128, corrupt=0).train()
    other = _method(size=128, corrupt=0).train()
    other.load_state_dict(method.state_dict())
    torch.manual_seed(1)
    found = _step(method, batch)
    batch = _batch(side=128, content=60)
    torch.manual_seed(1)  # of the window that the judges see
    assert found == _step(other, batch)
    assert first.keys() == {"d_real", "d_fake", "l1", "edges", "perceptual", "adversarial"}


def test_it_learns_its_pair_by_heart() -> None:
    torch.manual_seed(0)
    method = _method(corrupt=0, width=8).train()
    batch = _batch(count=1)
    batch = replace(batch, sketch=batch.photo.mean(dim=1, keepdim=True))
    first = _step(method, batch)["l1"]
    optimisers = method.optimisers(2e-3)
    for _ in range(40):
        for phase in method.training_step(batch):
            phase.loss.backward()  # type: ignore[no-untyped-call]
            optimisers[phase.name].step()
            optimisers[phase.name].zero_grad()
            last = phase.logged
    assert float(last["l1"]) < first / 2


def _needs(**options: Any) -> tuple[str, ...]:
    return Portrait.needs(PortraitOptions(**options))


def test_only_the_perceptual_loss_needs_weights_and_only_to_train(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arrange: Callable[..., Path]
) -> None:
    assert _needs(perceptual="none") == ()
    assert _needs(perceptual="alex") == ("alexnet", "lpips-alex")
    assert _needs(perceptual="vgg") == ("vgg16", "lpips-vgg")
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path / "none"))
    with pytest.raises(FacesketchError, match="models fetch alexnet"):
        train("portrait", tmp_path / "run", data=arrange(tmp_path / "data"), **SMALL | {"perceptual": "alex"})
    assert not (tmp_path / "run").exists()
    build(_config(perceptual="alex"))


def test_it_knows_its_options_by_the_names_of_the_command_line() -> None:
    assert PortraitOptions(styles="a, b,c").styles == ("a", "b", "c")  # type: ignore[arg-type]
    assert PortraitOptions().styles == ()
    assert DataConfig().faces is False


def test_sketches_are_as_dark_as_the_contrast_says() -> None:
    plain, dark = (_method(contrast=contrast).eval() for contrast in (1.0, 1.5))
    dark.load_state_dict(plain.state_dict())
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before, after = plain.translate(images, "photo2sketch"), dark.translate(images, "photo2sketch")
    torch.testing.assert_close(1 - after, ((1 - before) * 1.5).clamp(max=2.0))
    assert after.mean() < before.mean()


def test_the_contrast_is_for_sketches_and_not_for_learning() -> None:
    photos = [_method(contrast=contrast, direction="sketch2photo").eval() for contrast in (1.0, 1.5)]
    photos[1].load_state_dict(photos[0].state_dict())
    images = torch.rand(1, 1, 64, 64) * 2 - 1
    with torch.no_grad():
        first, second = (method.translate(images, "sketch2photo") for method in photos)
    torch.testing.assert_close(first, second)
    losses = []
    for contrast in (1.0, 1.5):
        torch.manual_seed(3)
        losses.append(_step(_method(contrast=contrast, corrupt=0).train(), _batch()))
    assert losses[0] == losses[1]


def test_reading_the_perceptual_network_leaves_the_noise_as_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A resumed training reads it after its random state has come back, one that was never cut off before."""
    heads = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(CHANNELS["alex"])}
    save_file(AlexNetFeatures().state_dict(), tmp_path / "alexnet.safetensors")
    save_file(heads, tmp_path / "lpips-alex.safetensors")
    monkeypatch.setattr("facesketch.methods.portrait.locate", lambda name: tmp_path / f"{name}.safetensors")
    states = []
    for method in (_method(perceptual="alex"), _method()):
        torch.manual_seed(5)
        method._maps(torch.zeros(1, 1, 64, 64))
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


COLOURED: dict[str, Any] = {"direction": "sketch2photo", "faces": True, "colours": "background,skin"}


def test_colours_change_what_is_drawn_and_nothing_before_they_are_learned() -> None:
    method = _method(styles="pencil,ink", **COLOURED).eval()
    assert method.colours == ("skin", "background"), "in one order, however they are typed"
    sketch = _batch().sketch
    told = torch.zeros(2, method.conditions)
    told[:, 0] = 1
    told[1, 2:6] = torch.tensor([1.0, -1.0, 0.5, 0.5])
    plain = method.translate(sketch, "sketch2photo")
    torch.testing.assert_close(method.draw(sketch, told), plain)
    with torch.no_grad():
        method.generator.fine.norm.shift[2:] += 1.0
    changed = method.draw(sketch, told)
    torch.testing.assert_close(changed[0], plain[0])
    assert not torch.allclose(changed[1], plain[1])


def test_the_colours_of_each_photo_are_given_in_some_steps_only() -> None:
    method = _method(**COLOURED).train()
    batch = replace(_batch(), direction="sketch2photo")
    batch.photo[0], batch.photo[1] = 1.0, -1.0
    torch.manual_seed(0)
    told = torch.stack([method._style_weights(batch) for _ in range(60)])
    skin = told[:, :, 1:5]
    known = skin[..., 0] == 1
    assert 0.3 < known.float().mean() < 0.8
    assert set(skin[~known].flatten().tolist()) == {0.0}
    assert {round(lightness) for lightness in skin[:, 0, 1][known[:, 0]].tolist()} == {2}
    assert {round(lightness) for lightness in skin[:, 1, 1][known[:, 1]].tolist()} == {-2}
    assert not method.eval()._style_weights(batch)[:, 1:].any(), "what validates is told none"


@pytest.mark.parametrize("changed", [{"direction": "photo2sketch"}, {"faces": False}, {"photo_channels": 1}])
def test_colours_need_aligned_faces_and_colour_photos(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="`colours`"):
        _method(**COLOURED | changed)


def test_a_model_starts_from_one_with_other_styles_and_colours() -> None:
    old = _method(styles="pencil,ink", direction="sketch2photo", faces=True, colours="background")
    with torch.no_grad():
        for tensor in old.generator.parameters():
            tensor.normal_()
    new = _method(styles="ink,chalk", direction="sketch2photo", faces=True, colours="skin,background")
    config = resolve(configure("portrait", SMALL | {"styles": "pencil,ink", "colours": "background"}))
    new.load_exported({f"averaged.{name}": tensor for name, tensor in old.generator.named_parameters()}, config)
    before, after = old.generator.fine.norm.scale, new.generator.fine.norm.scale
    torch.testing.assert_close(after[:2], before[[1, 0]])
    assert not after[2:6].any()
    torch.testing.assert_close(after[6:], before[2:])


def test_the_features_judge_too_and_every_judge_learns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch.manual_seed(3)
    trunk, heads = (
        AlexNetFeatures(),
        {f"lin{n}.model.1.weight": torch.rand(1, c, 1, 1) for n, c in enumerate(CHANNELS["alex"])},
    )
    save_file(trunk.state_dict(), tmp_path / "alexnet_features.safetensors")
    save_file(heads, tmp_path / "lpips_alex_heads.safetensors")
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path))
    method = _method(critic="features", perceptual="alex").train()
    before = {name: tensor.clone() for name, tensor in method.discriminator.state_dict().items()}
    logged = _step(method, _batch())
    assert logged["d_real"] == pytest.approx(1, abs=0.3)
    moved = [name for name, tensor in method.discriminator.named_parameters() if not torch.equal(before[name], tensor)]
    assert {name.split(".")[1] for name in moved if name.startswith("heads")} == {"0", "1", "2", "3", "4"}
    assert any(name.startswith("patches") for name in moved)


def test_judges_need_a_perceptual_network() -> None:
    with pytest.raises(ConfigError, match="perceptual"):
        _method(critic="features")
