from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from facesketch.methods.networks.blocks import (
    Norm,
    count_parameters,
    frozen,
    initialise,
    initialise_glorot,
    normalisation,
)

LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def _reference(x: Tensor, gradient: Tensor, scale: Tensor, shift: Tensor) -> list[Tensor]:
    """Return the output and the gradients of x, scale and shift, by the definition and in float64."""
    x, scale, shift = (t.detach().double().contiguous().requires_grad_() for t in (x, scale, shift))
    centred = x - x.mean(dim=(2, 3), keepdim=True)
    variance = centred.square().mean(dim=(2, 3), keepdim=True)
    y = centred / (variance + 1e-5).sqrt() * scale[:, None, None] + shift[:, None, None]
    return [y.detach(), *torch.autograd.grad(y, (x, scale, shift), gradient.double().contiguous())]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("input_layout", LAYOUTS)
@pytest.mark.parametrize("gradient_layout", LAYOUTS)
def test_instance_norm_and_its_gradients_follow_the_definition_in_every_memory_layout(
    batch: int, input_layout: torch.memory_format, gradient_layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    norm = normalisation("instance", 8)
    initialise(norm, std=0.5)
    x = (torch.randn(batch, 8, 12, 10) * 3 + 1).contiguous(memory_format=input_layout).requires_grad_()
    gradient = torch.randn(batch, 8, 12, 10).contiguous(memory_format=gradient_layout)
    y = norm(x)
    found = [y, *torch.autograd.grad(y, (x, norm.weight, norm.bias), gradient)]
    for ours, right in zip(found, _reference(x, gradient, norm.weight, norm.bias), strict=True):
        torch.testing.assert_close(ours.double(), right, rtol=1e-4, atol=1e-4)


def test_a_channels_last_chain_of_convolutions_has_the_gradients_of_a_contiguous_one() -> None:
    torch.manual_seed(0)
    chain = nn.Sequential(nn.Conv2d(3, 8, 3), normalisation("instance", 8), nn.ReLU(), nn.Conv2d(8, 4, 3))
    x = torch.randn(1, 3, 16, 16)
    plain = torch.autograd.grad(chain(x).square().sum(), list(chain.parameters()))
    chain = chain.to(memory_format=torch.channels_last)
    last = torch.autograd.grad(
        chain(x.contiguous(memory_format=torch.channels_last)).square().sum(), list(chain.parameters())
    )
    for a, b in zip(plain, last, strict=True):
        torch.testing.assert_close(a, b.contiguous(), rtol=1e-3, atol=1e-3)


def test_instance_norm_computes_the_same_in_training_and_evaluation() -> None:
    norm = normalisation("instance", 4)
    x = torch.randn(2, 4, 6, 6) * 5 + 3
    trained = norm.train()(x)
    assert torch.equal(trained, norm.eval()(x))
    assert not list(norm.buffers())


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("instance", {"weight", "bias"}),
        ("batch", {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}),
        ("none", set()),
    ],
)
def test_normalisation_has_the_state_of_its_kind(name: Norm, keys: set[str]) -> None:
    assert set(normalisation(name, 4).state_dict()) == keys


def test_initialise_draws_small_weights_scales_near_one_and_no_biases() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(64, 64, 4), nn.ConvTranspose2d(64, 64, 4), nn.Linear(256, 256))
    net.extend([nn.BatchNorm2d(4096), normalisation("instance", 4096)])
    initialise(net)
    for layer in net:
        centre = 1.0 if isinstance(layer, (nn.BatchNorm2d, nn.GroupNorm)) else 0.0
        assert layer.weight.mean().item() == pytest.approx(centre, abs=2e-3)
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert not layer.bias.any()


def test_initialise_takes_another_spread_and_layers_without_bias() -> None:
    net = nn.Conv2d(64, 64, 4, bias=False)
    initialise(net, std=0.5)
    assert net.weight.std().item() == pytest.approx(0.5, rel=0.05)


def test_glorot_bounds_follow_both_fans() -> None:
    net = nn.Sequential(nn.Linear(300, 500), nn.Conv2d(16, 32, 4, bias=False))
    initialise_glorot(net)
    for layer, fans in zip(net, (300 + 500, (16 + 32) * 16), strict=True):
        assert layer.weight.abs().max().item() == pytest.approx((6 / fans) ** 0.5, rel=0.02)
    assert not net[0].bias.any()


def test_frozen_parameters_get_no_gradient_yet_pass_one_on() -> None:
    inner, outer = nn.Linear(3, 3), nn.Linear(3, 3)
    with frozen(outer):
        assert not any(p.requires_grad for p in outer.parameters())
        outer(inner(torch.randn(2, 3))).sum().backward()
    assert all(p.grad is None for p in outer.parameters())
    assert all(p.grad is not None for p in inner.parameters())


def test_frozen_restores_every_parameter_as_it_was() -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.bias.requires_grad_(False)
    with frozen(first, second):
        assert not any(p.requires_grad for m in (first, second) for p in m.parameters())
    assert [p.requires_grad for m in (first, second) for p in m.parameters()] == [True, True, True, False]


def test_frozen_restores_after_an_error() -> None:
    net = nn.Linear(2, 2)
    with pytest.raises(ZeroDivisionError), frozen(net):
        _ = 1 / 0
    assert all(p.requires_grad for p in net.parameters())


def test_count_parameters_leaves_out_running_statistics() -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 2), nn.BatchNorm2d(5), nn.BatchNorm2d(7, track_running_stats=False))
    assert count_parameters(net) == 3 * 5 * 4 + 5 + 10 + 14
