"""The dictionary of methods: what it fills in, what it refuses, what each one's losses see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from facesketch.config import DataConfig, Direction, MethodConfig, RunConfig, TrainConfig, configure
from facesketch.data.datasets import Batch
from facesketch.errors import ConfigError
from facesketch.images.fit import Placement
from facesketch.methods import losses
from facesketch.methods.families import FAMILIES
from facesketch.methods.registry import METHODS, build, method_class, resolve


def _config(name: str, options: dict[str, Any] | None = None, **data: Any) -> RunConfig:
    return RunConfig(method=MethodConfig(name=name, **(options or {})), data=DataConfig(**{"size": 32} | data))


def _batch(config: RunConfig, side: int, fill: float | None = None) -> Batch:
    def picture(channels: int) -> Tensor:
        shape = (2, channels, side, side)
        return torch.rand(shape) * 2 - 1 if fill is None else torch.full(shape, fill)

    places = (Placement((side, side), (side, side), (0, 0)),) * 2
    return Batch(
        picture(config.data.photo_channels),
        picture(config.data.sketch_channels),
        ("a", "b"),
        ("a", "b"),
        places,
        config.direction,
    )


def test_the_names_are_those_of_the_study_and_of_the_command_line() -> None:
    assert set(FAMILIES) >= {"dense-ae", "conv-ae", "conv-vae", "pix2pix", "cyclegan", "pencil"}
    assert all(name == name.lower() and " " not in name and "_" not in name for name in FAMILIES)


def test_every_family_that_learns_has_its_networks() -> None:
    assert list(METHODS) == list(FAMILIES)
    assert all(method_class(name).Options is FAMILIES[name] for name in METHODS if FAMILIES[name].learned)
    with pytest.raises(ConfigError, match="pencil needs no training"):
        build(_config("pencil"))


def test_what_is_left_open_takes_the_method_s_own_values() -> None:
    config = resolve(configure("pix2pix", {"l1_weight": "50"}))
    assert config.method.options == {"l1_weight": 50.0, "width": 64, "dropout": 0.5, "norm": "instance"}
    assert (config.train.epochs, config.train.batch_size, config.train.learning_rate) == (100, 1, 2e-4)
    assert resolve(config) == config


def test_what_is_given_stays() -> None:
    train = TrainConfig(steps=7, batch_size=3, learning_rate=0.5)
    config = resolve(_config("conv-vae").model_copy(update={"train": train}))
    assert (config.train.epochs, config.train.steps) == (None, 7)
    assert (config.train.batch_size, config.train.learning_rate) == (3, 0.5)


@pytest.mark.parametrize(
    ("name", "size", "frame", "multiple"),
    [
        ("dense-ae", 50, 50, 1),
        ("conv-ae", 50, 64, 1),
        ("conv-vae", 33, 64, 1),
        ("conv-vae", 20, 32, 1),
        ("cogan", 257, 512, 1),
        ("pix2pix", 50, 64, 32),
        ("pix2pix", 256, 256, 256),
        ("cyclegan", 50, 56, 8),
        ("cyclegan", 256, 256, 8),
    ],
)
def test_frames_hold_the_picture_and_suit_the_network(name: str, size: int, frame: int, multiple: int) -> None:
    with torch.device("meta"):
        method = build(resolve(_config(name, size=size)))
    assert (method.frame, method.multiple) == (frame, multiple)


@pytest.mark.parametrize(
    ("name", "loss"),
    [*((name, loss) for name in ("dense-ae", "conv-ae") for loss in ("mse", "mae", "bce")), ("conv-ae", "ssim")],
)
def test_pixel_losses_see_targets_in_0_to_1(name: str, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def spy(kind: losses.PixelLoss, logits: Tensor, target01: Tensor) -> Tensor:
        seen.append(target01)
        return real(kind, logits, target01)

    real = losses.pixel_loss
    monkeypatch.setattr(losses, "pixel_loss", spy)
    config = resolve(_config(name, {"loss": loss}))
    method = build(config)
    for fill, expected in ((-1.0, 0.0), (0.0, 0.5), (1.0, 1.0)):
        (phase,) = method.training_step(_batch(config, method.frame, fill))
        assert float(phase.loss.detach()) >= 0.0
        assert torch.all(seen[-1] == expected)


@pytest.mark.parametrize("direction", ["photo2sketch", "sketch2photo"])
def test_a_denoising_autoencoder_sees_noise_while_it_learns_and_the_clean_target(direction: Direction) -> None:
    config = resolve(_config("conv-ae", {"noise": 0.1}, size=64)).model_copy(update={"direction": direction})
    method, batch = build(config).train(), _batch(config, 64)
    seen: list[Tensor] = []
    generator = method.get_submodule("generator")
    generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    losses_ = [next(iter(method.training_step(batch))).loss for _ in range(2)]
    noise = seen[0] - batch.source
    assert float(noise.std()) == pytest.approx(0.2, rel=0.05), "0.1 of [0, 1] is 0.2 of [-1, 1]"
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.01)
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(*losses_)
    method.eval()
    list(method.training_step(batch))
    method.translate(batch.source, direction)
    assert torch.equal(seen[2], batch.source)
    assert torch.equal(seen[3], batch.source)


def test_without_noise_nothing_is_drawn() -> None:
    config = resolve(_config("conv-ae", {"dropout": 0.0}))
    method, batch = build(config).train(), _batch(config, 32)
    state = torch.get_rng_state()
    list(method.training_step(batch))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("reconstruction", ["bce", "mse"])
def test_the_vae_s_loss_is_its_bound(reconstruction: str) -> None:
    config = resolve(_config("conv-vae", {"latent": 3, "reconstruction": reconstruction, "beta": 2.0}))
    (phase,) = build(config).training_step(_batch(config, 32))
    logged = {name: float(value) for name, value in phase.logged.items()}
    assert float(phase.loss.detach()) == pytest.approx(logged["reconstruction"] + 2.0 * logged["divergence"], rel=1e-5)
    if reconstruction == "bce":  # an untrained network says about one half everywhere
        assert logged["reconstruction"] == pytest.approx(0.69 * 32 * 32, rel=0.1)


def test_pix2pix_weighs_its_l1() -> None:
    config = resolve(_config("pix2pix", {"width": 2, "l1_weight": 7.0}))
    method = build(config)
    discriminator, generator = method.training_step(_batch(config, 32))
    logged = {name: float(value) for name, value in {**generator.logged, **discriminator.logged}.items()}
    assert float(generator.loss.detach()) == pytest.approx(logged["adversarial"] + 7.0 * logged["l1"], rel=1e-5)
    assert float(discriminator.loss.detach()) == pytest.approx((logged["d_real"] + logged["d_fake"]) / 2, rel=1e-5)


@pytest.mark.parametrize("channels", [(3, 1), (3, 3), (1, 3)])
def test_cyclegan_weighs_cycle_and_identity(channels: tuple[int, int]) -> None:
    options = {"width": 2, "blocks": 1, "cycle_weight": 3.0, "identity_weight": 0.5}
    config = resolve(_config("cyclegan", options, photo_channels=channels[0], sketch_channels=channels[1]))
    generators, discriminators = build(config).training_step(_batch(config, 32))
    logged = {name: float(value) for name, value in {**generators.logged, **discriminators.logged}.items()}
    expected = logged["adversarial"] + 3.0 * logged["cycle"] + 0.5 * logged["identity"]
    assert float(generators.loss.detach()) == pytest.approx(expected, rel=1e-5)
    assert logged["identity"] > 0.0
    assert float(discriminators.loss.detach()) == pytest.approx(logged["d_sketch"] + logged["d_photo"], rel=1e-5)


def test_cyclegan_validates_without_touching_its_pools() -> None:
    config = resolve(_config("cyclegan", {"width": 2, "blocks": 1, "pool": 2}))
    method = build(config).eval()
    with torch.no_grad():
        list(method.training_step(_batch(config, 32)))
    assert method.extra_state() == {"sketch_pool": [], "photo_pool": []}
    list(method.train().training_step(_batch(config, 32)))
    assert [len(pool) for pool in method.extra_state().values()] == [2, 2]


def test_cyclegan_s_discriminators_never_see_the_generators_graph() -> None:
    config = resolve(_config("cyclegan", {"width": 2, "blocks": 1}))
    method = build(config)
    *_, discriminators = method.training_step(_batch(config, 32))
    discriminators.loss.backward()
    assert all(image.grad_fn is None for pool in method.extra_state().values() for image in pool)
    reached = {name.split(".")[0] for name, parameter in method.named_parameters() if parameter.grad is not None}
    assert reached == {"sketch_discriminator", "photo_discriminator"}


def test_weights_that_were_loaded_once_need_not_exist_any_more(tmp_path: Path) -> None:
    gone = tmp_path / "gone.safetensors"
    config = resolve(_config("conv-ae", {"encoder": "vgg16", "encoder_weights": gone}))
    assert config.method.options["encoder_weights"] == str(gone)
    with torch.device("meta"):
        build(config, fresh=False)
