from __future__ import annotations

import pytest
import torch
from torch import nn

from facesketch.methods.networks.blocks import Norm, count_parameters
from facesketch.methods.networks.patchgan import PatchGAN


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def receptive_field(module: nn.Module) -> int:
    """Return the side, in input pixels, of the square that one output of a chain of convolutions sees."""
    field, step = 1, 1
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            field += (layer.kernel_size[0] - 1) * layer.dilation[0] * step
            step *= layer.stride[0]
    return field


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_the_receptive_field_is_what_the_paper_says(layers: int, field: int) -> None:
    assert receptive_field(PatchGAN(6, width=2, layers=layers)) == field


def test_one_logit_sees_a_square_of_the_receptive_field_s_side() -> None:
    torch.manual_seed(0)
    net = PatchGAN(1, width=2, norm="none").double()  # a norm would let every pixel reach every logit
    x = torch.randn(1, 1, 256, 256, dtype=torch.double, requires_grad=True)
    net(x)[0, 0, 15, 15].backward()
    rows, columns = x.grad[0, 0].nonzero(as_tuple=True)
    assert int(rows.max() - rows.min()) + 1 == receptive_field(net) == 70
    assert int(columns.max() - columns.min()) + 1 == 70
    assert len(rows) == 70 * 70


def test_the_receptive_field_of_a_chain_made_by_hand() -> None:
    chain = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3, stride=2), nn.ReLU(), nn.Conv2d(1, 1, 3, dilation=2))
    assert receptive_field(chain) == 3 + 2 + 4 * 2


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_the_paper_s_discriminator_has_its_count(norm: Norm) -> None:
    assert count_parameters(PatchGAN(6, norm=norm)) == 2_768_705


def test_the_first_layer_has_no_norm_and_the_middle_ones_do() -> None:
    kinds = [type(layer).__name__ for layer in PatchGAN(4, width=2).net]
    middle = ["Conv2d", "GroupNorm", "LeakyReLU"]
    assert kinds == ["Conv2d", "LeakyReLU", *middle * 3, "Conv2d"]


@pytest.mark.parametrize(("size", "side"), [(32, 2), (64, 6), (256, 30)])
@pytest.mark.parametrize("channels", [1, 4])
def test_the_output_is_a_map_of_logits(size: int, side: int, channels: int) -> None:
    with torch.no_grad():
        assert PatchGAN(channels, width=4)(torch.randn(2, channels, size, size)).shape == (2, 1, side, side)


def test_logits_are_not_squashed() -> None:
    net = PatchGAN(1, width=4)
    nn.init.constant_(net.net[-1].bias, 50.0)
    with torch.no_grad():
        assert net(torch.zeros(1, 1, 32, 32)).min() > 40


def test_every_parameter_learns_at_batch_1() -> None:
    net = PatchGAN(1, width=4)
    net(torch.randn(1, 1, 64, 64)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())
