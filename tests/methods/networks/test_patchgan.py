from __future__ import annotations

import pytest
import torch
from torch import nn

from facesketch.methods.networks.blocks import Norm, count_parameters
from facesketch.methods.networks.patchgan import PatchGAN


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_one_logit_sees_the_paper_s_70_by_70_pixels() -> None:
    net = PatchGAN(1, width=2, norm="none").double()  # a norm would let every pixel reach every logit
    x = torch.randn(1, 1, 256, 256, dtype=torch.double, requires_grad=True)
    net(x)[0, 0, 15, 15].backward()
    rows, columns = x.grad[0, 0].nonzero(as_tuple=True)
    assert int(rows.max() - rows.min()) + 1 == 70
    assert int(columns.max() - columns.min()) + 1 == 70
    assert len(rows) == 70 * 70


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
