"""Known image networks as plain modules: VGG16, AlexNet, ResNet-18 and LeNet, with torchvision's key names.

The trunks give feature maps to perceptual metrics; `encoder` makes any of VGG16, ResNet and LeNet end where the
convolutional autoencoder's decoder starts. Nothing is fetched: pretrained weights come from a file that the caller
names.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from facesketch.errors import CheckpointError, ConfigError, require_known
from facesketch.methods.networks.blocks import initialise_glorot

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
ENCODERS = ("vgg16", "resnet", "lenet")
_LATENT = 512

M = TypeVar("M", bound=nn.Module)


def imagenet_normalise(x: Tensor) -> Tensor:
    """(N, 1 or 3, H, W) in [-1, 1] -> (N, 3, H, W) with ImageNet's mean and spread, as pretrained trunks expect it."""
    mean, std = (
        torch.tensor(v, dtype=x.dtype, device=x.device).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return ((x + 1) / 2 - mean) / std


def load_trunk(module: M, path: Path) -> M:
    """Load a safetensors file into `module`, key for key, and return `module`.

    Raises:
        CheckpointError: the file is missing or damaged, or does not hold exactly this network's weights.
    """
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path}: cannot be read as safetensors ({why})", "give a whole weights file") from error
    expected = {key: value.shape for key, value in module.state_dict().items()}
    wrong = [key for key in expected if key not in weights or weights[key].shape != expected[key]]
    wrong += [key for key in weights if key not in expected]
    if wrong:
        name, rest = type(module).__name__, f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise CheckpointError(
            f"{path}: not the weights of {name}: '{wrong[0]}'{rest} missing, unknown or of another shape"
        )
    module.load_state_dict(weights)
    return module


class _Trunk(nn.Module):
    """A chain of layers that keeps the maps after some of its ReLUs."""

    taps: ClassVar[tuple[int, ...]]
    features: nn.Sequential

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the feature maps after the ReLUs that the class names, first to last."""
        maps: list[Tensor] = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                maps.append(x)
        return maps


class VGG16Features(_Trunk):
    """VGG16 (Simonyan & Zisserman 2015) up to its last convolution; keys as in torchvision's `features.*`.

    (N, 3, H, W), already through `imagenet_normalise` -> five maps, after relu1_2, relu2_2, relu3_3, relu4_3 and
    relu5_3: 64, 128, 256, 512, 512 channels at 1, 1/2, 1/4, 1/8, 1/16 of the sides, which must be at least 16.
    """

    taps = (3, 8, 15, 22, 29)

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for stage, (after, repeats) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]):
            layers += [nn.MaxPool2d(2)] if stage else []
            for _ in range(repeats):
                layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
                before = after
        self.features = nn.Sequential(*layers)


class AlexNetFeatures(_Trunk):
    """AlexNet (Krizhevsky 2014) up to its last convolution; keys as in torchvision's `features.*`.

    (N, 3, H, W), already through `imagenet_normalise` -> five maps, after relu1 to relu5: 64, 192, 384, 256, 256
    channels. The sides must be at least 31.
    """

    taps = (1, 4, 7, 9, 11)

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2)),
            *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2)),
            *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True)),
        )


class _BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016, figure 5 left)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y))
        return (y + self.downsample(x)).relu()


class ResNet18Trunk(nn.Module):
    """ResNet-18 (He et al. 2016) without its classifier; keys as in torchvision, less `fc.*`.

    (N, 3, H, W) -> (N, 512, H / 32, W / 32), or H / 16 without the stem's max-pool (`pool=False`, for small pictures).
    """

    def __init__(self, pool: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool: nn.Module = nn.MaxPool2d(3, stride=2, padding=1) if pool else nn.Identity()
        self.layer1 = nn.Sequential(_BasicBlock(64, 64, 1), _BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(_BasicBlock(64, 128, 2), _BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(_BasicBlock(128, 256, 2), _BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(_BasicBlock(256, 512, 2), _BasicBlock(512, 512, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the last feature maps."""
        x = self.maxpool(self.bn1(self.conv1(x)).relu())  # (N, 64, H / 4, W / 4)
        x = self.layer2(self.layer1(x))  # (N, 128, H / 8, W / 8)
        return self.layer4(self.layer3(x))  # (N, 512, H / 32, W / 32)


class _Pretrainable(nn.Module):
    """An ImageNet trunk behind its own normalisation, and strided convolutions after it down to 2x2 maps.

    The normalisation travels in the state: a model that was built around pretrained weights is restored without their
    file.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, trunk: nn.Module, side: int, weights: Path | None) -> None:
        super().__init__()
        pretrained = weights is not None
        # y = (x - mean) / std on pictures in [-1, 1]; the identity when the trunk starts untrained
        self.register_buffer(
            "mean", torch.tensor([2 * m - 1 if pretrained else 0.0 for m in IMAGENET_MEAN]).view(1, 3, 1, 1)
        )
        self.register_buffer("std", torch.tensor([2 * s if pretrained else 1.0 for s in IMAGENET_STD]).view(1, 3, 1, 1))
        self.trunk = trunk
        self.neck = _neck(_LATENT, side)
        initialise_glorot(self)
        if weights is not None:
            load_trunk(trunk, weights)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.trunk((x - self.mean) / self.std)  # one channel broadcasts to three
        return self.neck(maps[-1] if isinstance(maps, list) else maps)  # (N, 512, 2, 2)


def encoder(name: str, in_channels: int, size: int, weights: Path | None = None) -> nn.Module:
    """Return a known network as the encoder of the convolutional autoencoder.

    (N, 1 or 3, size, size) in [-1, 1] -> (N, 512, 2, 2), size a power of two of at least 32. VGG16 and ResNet-18 see
    three channels: a single one is repeated, and with `weights`, a safetensors file with torchvision's key names,
    pictures are renormalised to ImageNet's mean and spread. VGG16's last pooling and all classifiers give way to
    learned convolutions of stride 2 that lead down to 2x2.

    Raises:
        ConfigError: an unknown name, or weights for LeNet.
        CheckpointError: the file does not hold that network's weights.
    """
    require_known(name, ENCODERS, "encoder =")
    if name == "lenet":  # C1, S2, C3, S4 and C5 (LeCun et al. 1998), padded so that sides only halve where it pools
        if weights is not None:
            seen = f"encoder_weights = {weights}: no pretrained LeNet is known"
            raise ConfigError(seen, "leave it out or set encoder to vgg16")
        net = nn.Sequential(
            *(nn.Conv2d(in_channels, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2)),  # (N, 6, size / 2, size / 2)
            *(nn.Conv2d(6, 16, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2)),  # (N, 16, size / 4, size / 4)
            *(nn.Conv2d(16, 120, 5, padding=2), nn.Tanh()),
            *_neck(120, size // 4),  # (N, 512, 2, 2)
        )
        initialise_glorot(net)
        return net
    assert in_channels in {1, 3}, "the network sees three channels, or one repeated"
    if name == "vgg16":
        return _Pretrainable(VGG16Features(), size // 16, weights)
    pool = size >= 64  # at 32 the pooled trunk would end in one pixel
    return _Pretrainable(ResNet18Trunk(pool), size // (32 if pool else 16), weights)


def _neck(channels: int, side: int) -> nn.Sequential:
    """(N, channels, side, side) -> (N, 512, 2, 2) by 3x3 convolutions of stride 2."""
    assert side >= 2, "the trunk must leave at least 2x2 maps"
    layers: list[nn.Module] = []
    while side > 2:
        side //= 2
        after = _LATENT if side == 2 else min(_LATENT, channels * 2)
        layers += [
            nn.Conv2d(channels, after, 3, stride=2, padding=1),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        channels = after
    return nn.Sequential(*layers)
