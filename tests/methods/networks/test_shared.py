"""Networks that share weights: kept once, saved once, moved together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facesketch.config import Domain
from facesketch.methods.cogan import CoupledEncoder, CoupledGenerator
from facesketch.methods.networks.blocks import count_parameters
from facesketch.methods.sparse_ae import SparseAutoencoder
from facesketch.methods.unit import SharedLatent

CHANNELS: dict[Domain, int] = {"photo": 3, "sketch": 1}
DOMAINS: tuple[Domain, ...] = ("photo", "sketch")

SMALL: dict[str, Callable[[], nn.Module]] = {
    "sparse": lambda: SparseAutoencoder(3, 1, 32, units=4),
    "coupled-generator": lambda: CoupledGenerator(CHANNELS, 32, latent=4, width=16, own=1),
    "coupled-encoder": lambda: CoupledEncoder(CHANNELS, 32, 4, 16, 1, "none"),
    "shared-latent": lambda: SharedLatent(CHANNELS, 4, 1),
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", SMALL)
def test_shared_weights_are_saved_once_and_load_back(name: str, tmp_path: Path) -> None:
    net = SMALL[name]()
    places = [tensor.untyped_storage().data_ptr() for tensor in net.state_dict().values() if tensor.numel() > 1]
    assert len(places) == len(set(places))
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    saved = load_file(tmp_path / "net.safetensors")
    learned = dict(net.named_parameters())
    assert sum(saved[key].numel() for key in learned) == count_parameters(net)
    torch.manual_seed(1)
    other = SMALL[name]()
    other.load_state_dict(saved)
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in net.state_dict().items())


def _drawings(net: nn.Module) -> dict[Domain, Callable[[], Tensor]]:
    """Return what each domain makes of the same input."""
    code, pictures = torch.rand(2, 4), {domain: torch.rand(2, count, 32, 32) for domain, count in CHANNELS.items()}
    if isinstance(net, CoupledGenerator):
        return {domain: lambda domain=domain: net(code, domain) for domain in DOMAINS}
    if isinstance(net, CoupledEncoder):
        return {domain: lambda domain=domain: net(pictures[domain], domain) for domain in DOMAINS}
    assert isinstance(net, SharedLatent)
    return {
        domain: lambda domain=domain: net.decode(net.encode(pictures[domain], domain), domain) for domain in DOMAINS
    }


@pytest.mark.parametrize("name", [name for name in SMALL if name != "sparse"])
def test_photos_and_sketches_reach_the_same_deep_weights_and_none_of_each_other_s_own(name: str) -> None:
    net = SMALL[name]()
    reached: dict[Domain, set[str]] = {}
    for domain, draw in _drawings(net).items():
        net.zero_grad(set_to_none=True)
        draw().square().mean().backward()  # type: ignore[no-untyped-call]
        reached[domain] = {name for name, parameter in net.named_parameters() if parameter.grad is not None}
    shared = reached["photo"] & reached["sketch"]
    everything = {name for name, _ in net.named_parameters()}
    assert reached["photo"] | reached["sketch"] == everything
    assert shared == {name for name in everything if ".photo." not in name and ".sketch." not in name}
    assert shared, "nothing is shared"
    assert reached["photo"] - shared, "nothing is its own"


def test_a_step_on_photos_moves_what_sketches_are_drawn_with() -> None:
    net = CoupledGenerator(CHANNELS, 32, latent=4, width=16, own=1).eval()
    draw = _drawings(net)
    before = draw["sketch"]().detach()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    draw["photo"]().mean().backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    assert not torch.allclose(draw["sketch"]().detach(), before)


def test_the_sparse_autoencoder_is_equation_1_with_one_w() -> None:
    net = SparseAutoencoder(3, 3, 32, units=5)
    assert count_parameters(net) == 5 * 3072 + 5 + 3072
    with torch.no_grad():
        net.units.bias.normal_()
        net.bias.normal_()
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    w, b, c = net.units.weight, net.units.bias, net.bias
    expected = ((x.flatten(1) @ w.T + b).sigmoid() @ w + c).view(2, 3, 32, 32)
    logits, units = net(x)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(units, x.flatten(1) @ w.T + b, rtol=1e-4, atol=1e-4)


def test_w_learns_from_both_of_its_uses() -> None:
    net = SparseAutoencoder(1, 1, 32, units=2)
    logits, units = net(torch.rand(2, 1, 32, 32))
    (back,) = torch.autograd.grad(logits.sum(), net.units.weight, retain_graph=True)
    (forth,) = torch.autograd.grad(units.sum(), net.units.weight)
    assert back.abs().min() > 0
    assert forth.abs().max() > 0
    assert not torch.allclose(back, forth)


@pytest.mark.parametrize(("size", "widths"), [(32, [1024, 512, 256, 128]), (128, [1024, 512, 256, 128, 64, 32])])
def test_cogan_s_widths_are_the_authors(size: int, widths: list[int]) -> None:
    with torch.device("meta"):
        generator = CoupledGenerator(CHANNELS, size, latent=100, width=1024, own=2)
        judge = CoupledEncoder(CHANNELS, size, 1, 1024, 2, "batch", (0.1, 0.3, 0.3, 0.5))
    for domain in DOMAINS:
        chain = [*generator.shared, *generator.own[domain]]
        ups = [layer.out_channels for layer in chain if isinstance(layer, nn.ConvTranspose2d)]
        assert [chain[0].out_features // 16, *ups] == widths
        convs = [layer for layer in [*judge.own[domain], *judge.shared] if isinstance(layer, nn.Conv2d)]
        assert [conv.out_channels for conv in convs] == widths[::-1]
        kernels = [conv.kernel_size[0] for conv in convs]
        assert kernels == [5] * 3 + [3] * (len(widths) - 3)
        drops = [layer.p for layer in [*judge.own[domain], *judge.shared] if isinstance(layer, nn.Dropout)]
        assert drops == [0.1, 0.3, 0.3, 0.5]


def test_unit_s_layers_are_the_paper_s() -> None:
    with torch.device("meta"):
        net = SharedLatent({"photo": 3, "sketch": 3}, width=64, blocks=3)
    code = net.encode(torch.empty(1, 3, 64, 48, device="meta"), "photo")
    assert code.shape == (1, 256, 16, 12)
    assert net.decode(code, "sketch").shape == (1, 3, 64, 48)
    block = 2 * (256 * 256 * 9 + 512)  # two convolutions without bias, and the scale and shift of their norms
    front = 3 * 64 * 49 + 64 + 64 * 128 * 9 + 128 + 128 * 256 * 9 + 256
    back = 256 * 128 * 9 + 128 + 128 * 64 * 9 + 64 + 64 * 3 + 3
    assert count_parameters(net) == 2 * (front + back + 2 * 3 * block) + 2 * block
