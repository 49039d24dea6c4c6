from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from facesketch.errors import ConfigError
from facesketch.methods.conv_ae import ConvAutoencoder
from facesketch.methods.conv_vae import VariationalAutoencoder as ConvVAE
from facesketch.methods.conv_vae import reparameterise
from facesketch.methods.dense_ae import DenseAutoencoder
from facesketch.methods.networks.blocks import count_parameters

STATISTICS = 1856  # running means and variances, which the study counts too


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_the_cae_is_the_study_s_to_the_last_parameter() -> None:
    net = ConvAutoencoder(3, 3)
    assert count_parameters(net) == 9_788_363 - STATISTICS


@pytest.mark.parametrize(("latent", "count"), [(2, 5_524_775), (4, 5_537_067), (12, 5_586_235)])
def test_the_cvae_is_the_study_s_to_the_last_parameter(latent: int, count: int) -> None:
    net = ConvVAE(3, 3, latent=latent)
    assert count_parameters(net) == count - STATISTICS


@pytest.mark.parametrize(
    ("size", "sides"), [(256, [127, 62, 30, 14, 6, 2]), (128, [63, 30, 14, 6, 2]), (32, [15, 6, 2])]
)
def test_the_cae_s_encoder_shrinks_as_the_study_says(size: int, sides: list[int]) -> None:
    found = []
    x = torch.zeros(1, 3, size, size)
    with torch.no_grad():
        for layer in ConvAutoencoder(3, 3, size).eval().encoder.children():
            x = layer(x)
            found += [x.shape[2]] if isinstance(layer, nn.Conv2d) else []
    assert found == sides


@pytest.mark.parametrize(
    ("net", "normalised"),
    [
        (lambda: ConvAutoencoder(3, 3), [32, 128, 256, 512]),
        (lambda: ConvAutoencoder(3, 3, 128), [32, 128, 256]),
        (lambda: ConvAutoencoder(3, 3, 32), [32]),
        (lambda: ConvVAE(3, 3), [32, 128, 256, 512]),
        (lambda: ConvVAE(3, 3, 64), [32, 128]),
    ],
)
def test_batch_norm_stands_only_on_the_study_s_layers(net: Callable[[], nn.Module], normalised: list[int]) -> None:
    assert [layer.num_features for layer in net().modules() if isinstance(layer, nn.BatchNorm2d)] == normalised


@pytest.mark.parametrize("size", [32, 64, 128, 256, 512])
@pytest.mark.parametrize(("source", "target"), [(1, 3), (3, 1)])
def test_the_output_has_the_target_s_shape(size: int, source: int, target: int) -> None:
    x = torch.randn(1, source, size, size)
    with torch.no_grad():
        assert ConvAutoencoder(source, target, size)(x).shape == (1, target, size, size)
        logits, mean, log_variance = ConvVAE(source, target, size, latent=5)(x)
    assert logits.shape == (1, target, size, size)
    assert mean.shape == log_variance.shape == (1, 5)


@pytest.mark.parametrize("size", [16, 31, 48, 100, 250])
@pytest.mark.parametrize("network", [ConvAutoencoder, ConvVAE])
def test_a_size_that_is_no_power_of_two_is_refused_in_one_line(size: int, network: type[nn.Module]) -> None:
    with pytest.raises(ConfigError, match=rf"^size = {size}: .*power of two.*set size to \d+$") as caught:
        network(3, 3, size)
    near = int(str(caught.value).rsplit(" ", 1)[1])
    network(3, 3, near)


@pytest.mark.parametrize("net", [DenseAutoencoder(3, 1, 32), ConvAutoencoder(3, 1, 32), ConvVAE(3, 1, 32)])
def test_the_last_layer_has_no_activation(net: nn.Module) -> None:
    last = [layer for layer in net.decoder.modules() if not list(layer.children())][-1]
    assert isinstance(last, (nn.Linear, nn.ConvTranspose2d))
    nn.init.constant_(last.bias, -7.0)  # a ReLU would stop at 0, a tanh at -1
    with torch.no_grad():
        out = net.eval()(torch.zeros(1, 3, 32, 32))
    logits = out[0] if isinstance(out, tuple) else out
    assert logits.mean().item() == pytest.approx(-7.0, abs=1.0)


@pytest.mark.parametrize(
    ("net", "count"),
    [
        (ConvAutoencoder(1, 1, 256), 2),
        (ConvVAE(1, 1, 256), 2),
        (ConvAutoencoder(1, 1, 32, dropout=0.3), 2),
    ],
)
def test_dropout_follows_the_decoder_s_first_and_third_layers(net: nn.Module, count: int) -> None:
    kinds = [type(layer) for layer in net.decoder if isinstance(layer, (nn.ConvTranspose2d, nn.Dropout))]
    deconv, drop = nn.ConvTranspose2d, nn.Dropout
    assert kinds[:6] == [deconv, drop, deconv, deconv, drop, deconv]
    assert kinds.count(drop) == count


def test_the_vae_translates_by_the_mean_and_trains_on_draws() -> None:
    torch.manual_seed(0)
    net = ConvVAE(1, 1, 32)
    x = torch.randn(4, 1, 32, 32)
    with torch.no_grad():
        assert not torch.equal(net(x)[0], net(x)[0])
        net.eval()
        logits, mean, _ = net(x)
        assert torch.equal(logits, net.decode(net.encode(x)[0]))
        assert torch.equal(logits, net.decode(mean))


def test_reparameterised_draws_have_the_asked_mean_and_spread() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.full((200_000,), 3.0), torch.full((200_000,), math.log(4.0))
    z = reparameterise(mean, log_variance)
    assert z.mean().item() == pytest.approx(3.0, abs=0.02)
    assert z.std().item() == pytest.approx(2.0, abs=0.02)


def test_reparameterise_passes_gradients_to_mean_and_variance() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.zeros(5, requires_grad=True), torch.zeros(5, requires_grad=True)
    z = reparameterise(mean, log_variance)
    z.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(5))
    torch.testing.assert_close(log_variance.grad, 0.5 * z.detach())


def test_the_dense_autoencoder_mirrors_its_hidden_layers_around_the_latent() -> None:
    net = DenseAutoencoder(3, 1, 16, hidden=40, latent=7)
    shapes = [(layer.in_features, layer.out_features) for layer in net.modules() if isinstance(layer, nn.Linear)]
    assert shapes == [(768, 40), (40, 7), (7, 40), (40, 256)]
    assert net(torch.randn(2, 3, 16, 16)).shape == (2, 1, 16, 16)


def test_the_dense_latent_has_no_activation() -> None:
    net = DenseAutoencoder(1, 1, 8)
    assert isinstance(net.encoder[-1], nn.Linear)


def test_an_unknown_encoder_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'vgg16'"):
        ConvAutoencoder(3, 3, 32, encoder="vgg19")
