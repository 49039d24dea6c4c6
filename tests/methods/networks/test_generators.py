from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import nn

from facesketch.methods.networks.blocks import Norm, count_parameters
from facesketch.methods.networks.resnet import ResidualBlock, ResNetGenerator
from facesketch.methods.networks.unet import UNetGenerator

SMALL: dict[str, Callable[[], nn.Module]] = {
    "unet": lambda: UNetGenerator(3, 1, 32, width=4),
    "unet-batch": lambda: UNetGenerator(3, 1, 32, width=4, norm="batch"),
    "resnet": lambda: ResNetGenerator(3, 1, width=4, blocks=2),
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=SMALL)
def net(request: pytest.FixtureRequest, _seed: None) -> nn.Module:
    """Return each kind of generator, small and freshly made."""
    return SMALL[request.param]()


def test_the_paper_s_unet_has_its_count() -> None:
    with torch.device("meta"):
        net = UNetGenerator(3, 3, norm="batch")
    biases = 64 + 512  # the authors' code has none on the first and the innermost convolution, which have no norm here
    assert count_parameters(net) == 54_413_955 + biases


def test_the_paper_s_resnet_has_its_count() -> None:
    with torch.device("meta"):
        net = ResNetGenerator(3, 3)
    norms = 64 + 128 + 19 * 256 + 128 + 64  # a scale and a shift each, in the place of the convolution's bias
    assert count_parameters(net) == 11_378_179 + norms


@pytest.mark.parametrize(("size", "depth"), [(16, 4), (32, 5), (64, 6), (100, 6), (128, 7), (256, 8), (512, 8)])
def test_unet_depth_follows_the_size(size: int, depth: int) -> None:
    with torch.device("meta"):
        net = UNetGenerator(1, 1, size)
    assert net.stride == 2**depth
    assert len(net.down) == depth == len(net.up) + 1


def test_unet_widths_are_the_paper_s() -> None:
    with torch.device("meta"):
        net = UNetGenerator(3, 1)
    assert [block[0].out_channels for block in net.down] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert [block[0].out_channels for block in net.up] == [512, 512, 512, 512, 256, 128, 64]


def test_unet_has_no_norm_on_the_first_and_the_innermost_level() -> None:
    net = UNetGenerator(3, 1, 256, width=2)
    normed = [any(isinstance(layer, nn.GroupNorm) for layer in block.children()) for block in net.down]
    assert normed == [False, *[True] * 6, False]
    assert all(any(isinstance(layer, nn.GroupNorm) for layer in block.children()) for block in net.up)


@pytest.mark.parametrize(("size", "drops"), [(256, 3), (128, 3), (64, 2), (32, 1), (16, 0)])
def test_unet_drops_out_in_at_most_three_innermost_levels_of_full_width(size: int, drops: int) -> None:
    net = UNetGenerator(1, 1, size, width=2, dropout=0.4)
    found = [[layer.p for layer in block.children() if isinstance(layer, nn.Dropout)] for block in net.up]
    assert found == [[0.4]] * drops + [[]] * (len(net.up) - drops)


def test_unet_without_dropout_repeats_itself_in_training() -> None:
    net = UNetGenerator(1, 1, 64, width=4, dropout=0.0).train()
    x = torch.randn(1, 1, 64, 64)
    assert torch.equal(net(x), net(x))


def test_dropout_is_the_noise_of_a_training_unet() -> None:
    net = UNetGenerator(1, 1, 64, width=4)
    nn.init.normal_(net.up[0][0].weight, std=0.5)
    x = torch.randn(1, 1, 64, 64)
    assert not torch.equal(net.train()(x), net(x))
    assert torch.equal(net.eval()(x), net(x))


@pytest.mark.parametrize("multiple", [(1, 1), (1, 2), (3, 1)])
def test_generators_keep_any_size_that_is_a_multiple_of_their_stride(net: nn.Module, multiple: tuple[int, int]) -> None:
    height, width = (32 * m if isinstance(net, UNetGenerator) else 8 + net.stride * m for m in multiple)
    y = net.train()(torch.randn(2, 3, height, width))
    assert y.shape == (2, 1, height, width)


def test_the_full_depth_unet_takes_256_by_512() -> None:
    net = UNetGenerator(1, 3, 256, width=2).eval()
    with torch.no_grad():
        assert net(torch.randn(1, 1, 256, 512)).shape == (1, 3, 256, 512)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_the_unet_trains_at_batch_1_down_to_one_pixel(norm: Norm) -> None:
    net = UNetGenerator(1, 1, 32, width=4, norm=norm)
    net(torch.randn(1, 1, 32, 32)).square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_outputs_reach_minus_one_and_one_and_never_leave_that_range(net: nn.Module) -> None:
    last = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))][-1]
    nn.init.normal_(last.weight, std=1e12)
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        y = net.eval()(x)
        last.weight.neg_()
        mirrored = net(x)
    assert y.abs().max().item() == pytest.approx(1.0, abs=1e-6)
    assert torch.equal(mirrored, -y)  # a tanh is odd; a sigmoid or a ReLU is not


def test_no_bias_stands_before_a_norm(net: nn.Module) -> None:
    blocks = [m for m in net.modules() if isinstance(m, nn.Sequential)]
    pairs = [pair for block in blocks for pair in pairwise(block)]
    convolutions = [a for a, b in pairs if isinstance(b, (nn.GroupNorm, nn.BatchNorm2d))]
    assert all(conv.bias is None for conv in convolutions)


def test_skips_carry_what_the_bottleneck_cannot() -> None:
    net = UNetGenerator(1, 1, 32, width=8).eval()
    for block in net.up[:-1]:
        nn.init.zeros_(block[0].weight)
    x = torch.randn(1, 1, 32, 32, requires_grad=True)
    net(x).abs().sum().backward()
    assert x.grad.abs().sum() > 0


def test_the_resnet_has_its_blocks_at_a_quarter_of_the_size() -> None:
    net = ResNetGenerator(1, 1, width=4)
    shapes: list[tuple[int, ...]] = []
    blocks = [m for m in net.net if isinstance(m, ResidualBlock)]
    for block in blocks:
        block.register_forward_hook(lambda _m, _x, y: shapes.append(tuple(y.shape)))
    net(torch.randn(1, 1, 32, 48))
    assert shapes == [(1, 16, 8, 12)] * 9


def test_a_residual_block_without_weights_passes_its_input_on() -> None:
    block = ResidualBlock(16)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(1, 16, 5, 5)
    assert torch.equal(block(x), x)
