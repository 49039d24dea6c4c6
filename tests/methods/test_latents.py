"""Methods that squeeze a face into a code: what each one's losses are made of."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from facesketch.config import RunConfig, configure
from facesketch.data.datasets import Batch
from facesketch.images.fit import Placement
from facesketch.images.tensors import with_channels
from facesketch.methods.base import Method
from facesketch.methods.cogan import CoGAN
from facesketch.methods.registry import build, resolve
from facesketch.methods.sparse_ae import SparseAE
from facesketch.methods.unit import UNIT
from facesketch.training.validation import validate


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def _config(name: str, **settings: Any) -> RunConfig:
    return resolve(configure(name, {"size": 32} | settings))


def _batch(config: RunConfig, count: int = 2, side: int = 32) -> Batch:
    photo = torch.rand(count, config.data.photo_channels, side, side) * 2 - 1
    sketch = torch.rand(count, config.data.sketch_channels, side, side) * 2 - 1
    stems = tuple(str(number) for number in range(count))
    return Batch(photo, sketch, stems, stems, (Placement((side, side), (side, side), (0, 0)),) * count, "photo2sketch")


def _logged(method: Method, batch: Batch) -> dict[str, float]:
    found: dict[str, float] = {}
    for phase in method.training_step(batch):
        found |= {phase.name: float(phase.loss.detach())}
        found |= {name: float(value) for name, value in phase.logged.items()}
    return found


@pytest.mark.parametrize("direction", ["photo2sketch", "sketch2photo"])
def test_the_sparse_autoencoder_sums_squares_over_the_picture_and_weighs_the_divergence(direction: str) -> None:
    config = _config("sparse-ae", units=6, activation=0.2, sparsity_weight=7.0, direction=direction)
    method, batch = build(config), replace(_batch(config), direction=direction)
    assert isinstance(method, SparseAE)
    found = _logged(method, batch)
    logits, units = method.generator(batch.source)
    target = with_channels((batch.target + 1) / 2, 3)
    squares = (logits.sigmoid() - target).square().flatten(1).sum(dim=1).mean()
    mean = units.sigmoid().mean(dim=0)
    divergence = (0.2 * (0.2 / mean).log() + 0.8 * (0.8 / (1 - mean)).log()).sum()
    assert found["reconstruction"] == pytest.approx(squares.item(), rel=1e-4)
    assert found["divergence"] == pytest.approx(divergence.item(), rel=1e-4)
    assert found["autoencoder"] == pytest.approx(found["reconstruction"] + 7.0 * found["divergence"], rel=1e-5)


def test_the_penalty_makes_units_rare() -> None:
    shares = []
    for weight in (0.0, 30.0):
        torch.manual_seed(0)
        config = _config("sparse-ae", units=16, sparsity_weight=weight)
        method, batch = build(config), _batch(config, count=8)
        assert isinstance(method, SparseAE)
        optimiser = method.optimisers(3e-3)["autoencoder"]
        for _ in range(40):
            (phase,) = method.training_step(batch)
            phase.loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            optimiser.zero_grad()
        shares.append(method.generator(batch.source)[1].sigmoid().mean().item())
    assert abs(shares[1] - 0.05) < 0.05 < shares[0] - 0.1


def test_cogan_weighs_what_its_generators_learn() -> None:
    config = _config("cogan", width=16, latent=4, reconstruction_weight=3.0, code_weight=0.5)
    found = _logged(build(config).train(), _batch(config, count=3))
    expected = found["adversarial"] + 3.0 * found["reconstruction"] + 0.5 * found["code"]
    assert found["generators"] == pytest.approx(expected, rel=1e-5)
    assert found["discriminators"] == pytest.approx(found["d_photo"] + found["d_sketch"], rel=1e-5)
    assert found["d_photo"] == pytest.approx(2 * math.log(2), rel=0.7)  # untrained, it hardly tells


class _Pictures(nn.Module):
    """A network that gives what it is told to, whatever it sees."""

    def __init__(self, value: float, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.full((1, *shape), value))

    def forward(self, x: Tensor) -> Tensor:
        return self.value.expand(len(x), *self.value.shape[1:])


def test_cogan_s_losses_by_hand() -> None:
    """Generators that draw a photo of 0.5 and a sketch of -0.5, encoders that find 0, judges that say 0 or log 3."""
    config = _config("cogan", width=16, latent=4)
    method = build(config).eval()
    assert isinstance(method, CoGAN)
    method.generator.own = nn.ModuleDict({"photo": _Pictures(0.5, (3, 32, 32)), "sketch": _Pictures(-0.5, (1, 32, 32))})
    method.encoder.shared = nn.Sequential(_Pictures(0.0, (4,)))
    method.discriminator.shared = nn.Sequential(_Pictures(math.log(3.0), (1,)))
    batch = _batch(config)
    batch = replace(batch, photo=torch.zeros_like(batch.photo), sketch=torch.ones_like(batch.sketch))
    found = _logged(method, batch)
    code = torch.rand(2, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert found["reconstruction"] == pytest.approx(0.5 + 1.5)
    assert found["code"] == pytest.approx(2 * float(code.square().mean()), rel=1e-5)
    assert found["adversarial"] == pytest.approx(-2 * math.log(0.75), rel=1e-5)
    assert found["d_photo"] == pytest.approx(-math.log(0.75) - math.log(0.25), rel=1e-5)


def test_cogan_validates_by_the_same_codes_and_draws_none_from_the_training_s() -> None:
    config = _config("cogan", width=16, latent=4)
    method, batch = build(config).eval(), _batch(config)
    state = torch.get_rng_state()
    assert validate(method, [batch]) == validate(method, [batch])
    assert torch.equal(torch.get_rng_state(), state)
    list(method.train().training_step(batch))
    assert not torch.equal(torch.get_rng_state(), state)


def test_cogan_translates_by_way_of_the_code() -> None:
    config = _config("cogan", width=16, latent=4)
    method, batch = build(config).eval(), _batch(config)
    assert isinstance(method, CoGAN)
    code = method.encoder(batch.photo, "photo").tanh()
    torch.testing.assert_close(method.translate(batch.photo, "photo2sketch"), method.generator(code, "sketch"))
    code = method.encoder(batch.sketch, "sketch").tanh()
    torch.testing.assert_close(method.translate(batch.sketch, "sketch2photo"), method.generator(code, "photo"))


class _Shift(nn.Module):
    """Stand for an encoder or a generator: adds a number, and takes the mean of the channels to another count."""

    def __init__(self, by: float, channels: int) -> None:
        super().__init__()
        self.by, self.channels = nn.Parameter(torch.tensor(by)), channels

    def forward(self, x: Tensor) -> Tensor:
        return (x.mean(dim=1, keepdim=True) + self.by).expand(-1, self.channels, -1, -1)


def test_unit_s_losses_by_hand() -> None:
    """Encoders that add 1 and 2, generators that add 10 and 20, judges that say log 3, on flat pictures."""
    config = _config("unit", width=4, blocks=0)
    method = build(config).eval()
    assert isinstance(method, UNIT)
    network = method.generator
    network.encoders = nn.ModuleDict({"photo": _Shift(1.0, 16), "sketch": _Shift(2.0, 16)})
    network.generators = nn.ModuleDict({"photo": _Shift(10.0, 3), "sketch": _Shift(20.0, 1)})
    network.into_code, network.from_code = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    method.photo_discriminator.net = nn.Sequential(_Pictures(math.log(3.0), (1, 2, 2)))
    method.sketch_discriminator.net = nn.Sequential(_Pictures(math.log(3.0), (1, 2, 2)))
    batch = _batch(config)
    batch = replace(batch, photo=torch.full_like(batch.photo, 0.5), sketch=torch.full_like(batch.sketch, -0.5))
    found = _logged(method, batch)
    # codes: photo 0.5 + 1, sketch -0.5 + 2; drawn as the other kind 21.5 and 11.5; encoded again 23.5 and 12.5
    assert found["divergence"] == pytest.approx(1.5**2 + 1.5**2 + 23.5**2 + 12.5**2, rel=1e-5)
    assert found["reconstruction"] == pytest.approx((11.5 - 0.5) + (21.5 + 0.5), rel=1e-5)
    assert found["cycle"] == pytest.approx((33.5 - 0.5) + (32.5 + 0.5), rel=1e-5)
    assert found["adversarial"] == pytest.approx(-2 * math.log(0.75), rel=1e-5)
    assert found["discriminators"] == pytest.approx(2 * (-math.log(0.75) - math.log(0.25)), rel=1e-5)
    weighed = 10 * found["adversarial"] + 0.1 * found["divergence"]
    weighed += 100 * found["reconstruction"] + 100 * found["cycle"]
    assert found["generators"] == pytest.approx(weighed, rel=1e-5)


def test_unit_draws_its_code_while_it_learns_and_takes_the_mean_otherwise() -> None:
    config = _config("unit", width=4, blocks=1)
    method, mean = build(config).train(), torch.zeros(4, 16, 32, 32)
    assert isinstance(method, UNIT)
    drawn = method._drawn(mean)
    assert float(drawn.std()) == pytest.approx(1.0, rel=0.02)
    assert method.eval()._drawn(mean) is mean


@pytest.mark.parametrize("name", ["cogan", "unit"])
def test_translating_a_photo_does_not_touch_what_is_a_sketch_s_own_encoder(name: str) -> None:
    config = _config(name, **({"width": 16, "latent": 4} if name == "cogan" else {"width": 4, "blocks": 1}))
    method, batch = build(config).eval(), _batch(config)
    method.translate(batch.photo, "photo2sketch").mean().backward()  # type: ignore[no-untyped-call]
    reached = {name for name, parameter in method.named_parameters() if parameter.grad is not None}
    own = {name for name in reached if ".photo." in name or ".sketch." in name}
    into = "encoder.own" if name == "cogan" else "generator.encoders"
    out = "generator.own" if name == "cogan" else "generator.generators"
    assert own
    assert all(name.startswith((f"{into}.photo.", f"{out}.sketch.")) for name in own)
