"""UNIT: photo and sketch of a face have one code, which either encoder finds and either generator draws.

Liu, Breuel and Kautz, "Unsupervised image-to-image translation networks", NIPS 2017, which the study
mentions but does not use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from facesketch.config import ENDS, DataConfig, Direction, Domain
from facesketch.data.datasets import Batch
from facesketch.methods.base import Method, Phase, check_patches
from facesketch.methods.families import UNITOptions
from facesketch.methods.losses import adversarial_bce, kl_of_means, l1
from facesketch.methods.networks.blocks import frozen, initialise
from facesketch.methods.networks.patchgan import PatchGAN
from facesketch.methods.networks.resnet import ResidualBlock


class SharedLatent(nn.Module):
    """An encoder and a generator each for photos and for sketches, with one residual block of either shared (appendix).

    Encoder: 7x7 convolution of `width` channels, two 3x3 ones of stride 2 that double them, residual blocks, and the
    shared block, whose result is the mean of the code. Generator: the shared block, residual blocks, two 3x3 transposed
    convolutions of stride 2, and a 1x1 convolution with tanh. The blocks have instance norm and ReLU; all else has
    leaky ReLU and no norm.

    Attributes:
        stride: what both sides of a picture must be a multiple of.
    """

    stride = 4

    def __init__(self, channels: Mapping[Domain, int], width: int, blocks: int) -> None:
        super().__init__()
        deep = width * 4

        def chain() -> list[nn.Module]:
            return [ResidualBlock(deep) for _ in range(blocks)]

        def encoder(count: int) -> nn.Sequential:
            return nn.Sequential(
                *(nn.Conv2d(count, width, 7, padding=3), nn.LeakyReLU(inplace=True)),  # (N, 64, H, W)
                *(nn.Conv2d(width, width * 2, 3, 2, 1), nn.LeakyReLU(inplace=True)),  # (N, 128, H / 2, W / 2)
                *(nn.Conv2d(width * 2, deep, 3, 2, 1), nn.LeakyReLU(inplace=True)),  # (N, 256, H / 4, W / 4)
                *chain(),
            )

        def generator(count: int) -> nn.Sequential:
            return nn.Sequential(
                *chain(),
                *_up(deep, width * 2),  # (N, 128, H / 2, W / 2)
                *_up(width * 2, width),  # (N, 64, H, W)
                nn.Conv2d(width, count, 1),  # (N, C, H, W)
                nn.Tanh(),
            )

        self.encoders = nn.ModuleDict({domain: encoder(count) for domain, count in channels.items()})
        self.into_code = ResidualBlock(deep)
        self.from_code = ResidualBlock(deep)
        self.generators = nn.ModuleDict({domain: generator(count) for domain, count in channels.items()})
        initialise(self)

    def compile(self, *args: Any, **options: Any) -> None:
        """Compile the parts, which `encode` and `decode` call."""
        for part in (*self.encoders.values(), self.into_code, self.from_code, *self.generators.values()):
            part.forward = torch.compile(part.forward, *args, **options)

    def encode(self, x: Tensor, domain: Domain) -> Tensor:
        """(N, C, H, W) in [-1, 1] -> the mean of the code, (N, 4 width, H / 4, W / 4)."""
        return self.into_code(self.encoders[domain](x))

    def decode(self, code: Tensor, domain: Domain) -> Tensor:
        """(N, 4 width, H / 4, W / 4) -> (N, C, H, W) in [-1, 1]."""
        return self.generators[domain](self.from_code(code))


def _up(before: int, after: int) -> list[nn.Module]:
    conv = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)
    return [conv, nn.LeakyReLU(inplace=True)]


class UNIT(Method):
    """The networks and losses of `unit`.

    The paper's: networks, noise of spread 1 on the code, losses and their weights, Adam 1e-4 with beta1 0.5, batch 1,
    no pairs; photos and sketches are translated by the other domain's generator. Ours: discriminators are the package's
    70x70 PatchGANs, one scale and not several. The study's faces fill the frame and have one size, so coarser
    scales would judge the whole face, and a discriminator would learn 88 of them by heart. CycleGAN, with which UNIT is
    compared, has the same.
    """

    Options = UNITOptions
    phases: ClassVar = {"discriminators": ("photo_discriminator", "sketch_discriminator"), "generators": ("generator",)}

    def __init__(self, options: UNITOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        channels: dict[Domain, int] = {"photo": data.photo_channels, "sketch": data.sketch_channels}
        self.generator = SharedLatent(channels, options.width, options.blocks)
        self.photo_discriminator = PatchGAN(data.photo_channels, options.width)
        self.sketch_discriminator = PatchGAN(data.sketch_channels, options.width)
        self.multiple = 2 * self.generator.stride  # at its narrowest a picture needs two pixels to be reflected
        check_patches(self.frame, data.size)

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """Both discriminators first, then encoders and generators against them."""
        photo, sketch, network = batch.photo, batch.sketch, self.generator
        of_photo, of_sketch = network.encode(photo, "photo"), network.encode(sketch, "sketch")
        photo_code, sketch_code = self._drawn(of_photo), self._drawn(of_sketch)
        made_sketch, made_photo = network.decode(photo_code, "sketch"), network.decode(sketch_code, "photo")

        d_photo = _discriminator_loss(self.photo_discriminator, photo, made_photo.detach())
        d_sketch = _discriminator_loss(self.sketch_discriminator, sketch, made_sketch.detach())
        yield Phase.weighted("discriminators", d_photo=(1, d_photo), d_sketch=(1, d_sketch))

        with frozen(self.photo_discriminator, self.sketch_discriminator):
            adversarial = adversarial_bce(self.photo_discriminator(made_photo), True)
            adversarial = adversarial + adversarial_bce(self.sketch_discriminator(made_sketch), True)
        reconstruction = l1(network.decode(photo_code, "photo"), photo)
        reconstruction = reconstruction + l1(network.decode(sketch_code, "sketch"), sketch)
        back, forth = network.encode(made_sketch, "sketch"), network.encode(made_photo, "photo")
        cycle = l1(network.decode(self._drawn(back), "photo"), photo)
        cycle = cycle + l1(network.decode(self._drawn(forth), "sketch"), sketch)
        divergence = torch.stack([kl_of_means(mean) for mean in (of_photo, of_sketch, back, forth)]).sum()
        yield Phase.weighted(
            "generators",
            adversarial=(self.options.adversarial_weight, adversarial),
            divergence=(self.options.kl_weight, divergence),
            reconstruction=(self.options.reconstruction_weight, reconstruction),
            cycle=(self.options.cycle_weight, cycle),
        )

    def _drawn(self, mean: Tensor) -> Tensor:
        """Return a draw from N(mean, 1) in training, and the mean itself in validation."""
        return mean + torch.randn_like(mean) if self.training else mean

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        source, target = ENDS[direction]
        return self.generator.decode(self.generator.encode(images, source), target).float()


def _discriminator_loss(network: PatchGAN, real: Tensor, fake: Tensor) -> Tensor:
    return adversarial_bce(network(real), True) + adversarial_bce(network(fake), False)
