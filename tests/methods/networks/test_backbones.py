from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from facesketch.errors import CheckpointError, ConfigError
from facesketch.methods.conv_ae import ConvAutoencoder
from facesketch.methods.networks.backbones import (
    AlexNetFeatures,
    ResNet18Trunk,
    VGG16Features,
    encoder,
    imagenet_normalise,
    load_trunk,
)
from facesketch.methods.networks.blocks import count_parameters

VGG_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "vgg16.safetensors"
    save_file(VGG16Features().state_dict(), path)
    return path


@pytest.mark.parametrize(
    ("kind", "convolutions", "count"),
    [(VGG16Features, VGG_CONVOLUTIONS, 14_714_688), (AlexNetFeatures, (0, 3, 6, 8, 10), 2_469_696)],
)
def test_trunks_have_torchvision_s_keys_and_counts(
    kind: type[nn.Module], convolutions: tuple[int, ...], count: int
) -> None:
    trunk = kind()
    assert set(trunk.state_dict()) == {f"features.{i}.{part}" for i in convolutions for part in ("weight", "bias")}
    assert count_parameters(trunk) == count


def test_the_resnet_trunk_has_the_published_count() -> None:
    trunk = ResNet18Trunk()
    assert count_parameters(trunk) == 11_689_512 - (512 * 1000 + 1000)  # torchvision's, less its classifier
    assert {"conv1.weight", "bn1.running_var", "layer2.0.downsample.0.weight", "layer4.1.bn2.bias"} <= set(
        trunk.state_dict()
    )


@pytest.mark.parametrize(
    ("trunk", "shapes"),
    [
        (VGG16Features(), [(64, 64), (128, 32), (256, 16), (512, 8), (512, 4)]),
        (AlexNetFeatures(), [(64, 15), (192, 7), (384, 3), (256, 3), (256, 3)]),
    ],
)
def test_trunks_return_five_rectified_maps(trunk: nn.Module, shapes: list[tuple[int, int]]) -> None:
    with torch.no_grad():
        maps = trunk(torch.randn(1, 3, 64, 64))
    assert [(m.shape[1], m.shape[2]) for m in maps] == shapes
    assert all(m.min() == 0 and m.max() > 0 for m in maps)


@pytest.mark.parametrize(
    ("trunk", "rectified"),
    [(VGG16Features(), (3, 8, 15, 22, 29)), (AlexNetFeatures(), (1, 4, 7, 9, 11))],  # torchvision's places of the ReLUs
)
def test_maps_are_those_after_the_named_layers(trunk: nn.Module, rectified: tuple[int, ...]) -> None:
    x = torch.randn(1, 3, 40, 40)
    with torch.no_grad():
        for found, index in zip(trunk(x), rectified, strict=True):
            assert torch.equal(found, trunk.features[: index + 1](x))


def test_imagenet_normalisation_of_black_white_and_grey() -> None:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    for value in (-1.0, 0.0, 1.0):
        expected = ((value + 1) / 2 - mean) / std
        for channels in (1, 3):
            found = imagenet_normalise(torch.full((1, channels, 1, 1), value))
            torch.testing.assert_close(found.flatten(), expected)


def test_a_trunk_loads_what_was_saved(vgg_file: Path) -> None:
    torch.manual_seed(2)
    trunk = VGG16Features()
    before = trunk.features[0].weight.clone()
    assert load_trunk(trunk, vgg_file) is trunk
    assert not torch.equal(trunk.features[0].weight, before)
    torch.manual_seed(1)
    assert torch.equal(trunk.features[28].weight, VGG16Features().features[28].weight)


def _one_line(error: pytest.ExceptionInfo[CheckpointError], path: Path) -> None:
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("damage", ["missing", "empty", "damaged", "foreign", "folder"])
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path, vgg_file: Path, damage: str) -> None:
    path = tmp_path / "weights.safetensors"
    contents = {"empty": b"", "damaged": vgg_file.read_bytes()[:-1000], "foreign": b"\x89PNG\r\n\x1a\n" * 100}
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(contents[damage])
    with pytest.raises(CheckpointError, match="cannot be read as safetensors") as caught:
        load_trunk(VGG16Features(), path)
    _one_line(caught, path)


def _spoil(weights: dict[str, Tensor], how: str) -> str:
    """Spoil one entry and return its key."""
    if how == "unknown":
        weights["classifier.0.weight"] = torch.zeros(2)
        return "classifier.0.weight"
    if how == "missing":
        del weights["features.3.bias"]
        return "features.3.bias"
    weights["features.6.bias"] = torch.zeros(3)
    return "features.6.bias"


@pytest.mark.parametrize("how", ["unknown", "missing", "shape"])
def test_another_network_s_weights_are_refused_and_change_nothing(tmp_path: Path, how: str) -> None:
    trunk, path = AlexNetFeatures(), tmp_path / "weights.safetensors"
    weights = {key: torch.zeros_like(value) for key, value in trunk.state_dict().items()}
    key = _spoil(weights, how)
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=f"not the weights of AlexNetFeatures: '{key}'") as caught:
        load_trunk(trunk, path)
    _one_line(caught, path)
    assert trunk.features[0].weight.any()


@pytest.mark.parametrize(
    ("name", "size"), [("vgg16", 32), ("vgg16", 128), ("resnet", 32), ("resnet", 64), ("lenet", 256)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_encoder_ends_where_the_decoder_starts(name: str, size: int, channels: int) -> None:
    with torch.no_grad():
        assert encoder(name, channels, size)(torch.randn(2, channels, size, size)).shape == (2, 512, 2, 2)


@pytest.mark.parametrize("name", ["vgg16", "resnet", "lenet"])
def test_the_autoencoder_takes_every_known_encoder(name: str) -> None:
    net = ConvAutoencoder(1, 3, 32, encoder=name)
    with torch.no_grad():
        assert net(torch.randn(2, 1, 32, 32)).shape == (2, 3, 32, 32)


def test_one_channel_is_repeated_to_three() -> None:
    net = encoder("vgg16", 1, 32).eval()
    grey = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(net(grey), net(grey.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("pretrained", [True, False])
def test_only_a_pretrained_trunk_sees_imagenet_s_normalisation(vgg_file: Path, pretrained: bool) -> None:
    seen: list[Tensor] = []
    net = encoder("vgg16", 3, 32, vgg_file if pretrained else None)
    net.trunk.register_forward_pre_hook(lambda _trunk, inputs: seen.append(inputs[0]))
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        net(x)
    torch.testing.assert_close(seen[0], imagenet_normalise(x) if pretrained else x)


def test_a_pretrained_encoder_holds_the_file_s_weights(vgg_file: Path) -> None:
    right = load_trunk(VGG16Features(), vgg_file).state_dict()
    found = encoder("vgg16", 3, 32, vgg_file).trunk.state_dict()
    assert all(torch.equal(found[key], right[key]) for key in right)


def test_a_restored_pretrained_autoencoder_needs_no_weights_file(vgg_file: Path) -> None:
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    trained = ConvAutoencoder(3, 3, 32, encoder="vgg16", encoder_weights=vgg_file).eval()
    restored = ConvAutoencoder(3, 3, 32, encoder="vgg16").eval()
    restored.load_state_dict(trained.state_dict())
    with torch.no_grad():
        assert torch.equal(trained(x), restored(x))


@pytest.mark.parametrize("name", ["lenet", "study"])
def test_weights_for_an_encoder_without_any_are_refused(name: str, vgg_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"^encoder_weights = .*set encoder to vgg16$"):
        ConvAutoencoder(3, 3, 32, encoder=name, encoder_weights=vgg_file)


@pytest.mark.shared
@pytest.mark.parametrize(("trunk", "file"), [(VGG16Features, "vgg16"), (AlexNetFeatures, "alexnet")])
def test_the_published_weights_fit(trunk: type[nn.Module], file: str, shared: Path) -> None:
    net = load_trunk(trunk(), shared / "models" / f"{file}_features.safetensors")
    with torch.no_grad():
        maps = net(imagenet_normalise(torch.rand(1, 3, 64, 64) * 2 - 1))
    assert all(torch.isfinite(m).all() and m.max() > 0.1 for m in maps)
