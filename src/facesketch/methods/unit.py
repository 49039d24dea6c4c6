"""UNIT: photo and sketch of a face have one code, which either encoder finds and either generator draws.

Liu, Breuel and Kautz, "Unsupervised image-to-image translation networks", NIPS 2017, which the study names and does not
build.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from facesketch.config import DataConfig, Direction, Domain
from facesketch.data.datasets import Batch
from facesketch.methods.base import ENDS, Method, Phase, check_patches
from facesketch.methods.families import UNITFamily, UNITOptions
from facesketch.methods.losses import adversarial_bce, kl_of_means, l1
from facesketch.methods.networks.blocks import frozen
from facesketch.methods.networks.patchgan import PatchGAN
from facesketch.methods.networks.shared_latent import SharedLatent


class UNIT(UNITFamily, Method):
    """The networks and losses of `unit`.

    The paper's: networks, noise of spread 1 on the code, losses and their weights, Adam 1e-4 with beta1 0.5, batch 1,
    no pairs; photos and sketches are translated by the other domain's generator. Ours: discriminators are the package's
    70x70 PatchGANs, one scale and not several. The study's faces fill the frame and have one size, so that coarser
    scales would judge the whole face, which 88 faces teach a discriminator by heart; and CycleGAN, beside which UNIT
    stands, has the same.
    """

    phases: ClassVar = {"discriminators": ("photo_discriminator", "sketch_discriminator"), "generators": ("generator",)}

    def __init__(self, options: UNITOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.settings = options
        channels: dict[Domain, int] = {"photo": data.photo_channels, "sketch": data.sketch_channels}
        self.generator = SharedLatent(channels, options.width, options.blocks)
        self.photo_discriminator = PatchGAN(data.photo_channels, width=options.width)
        self.sketch_discriminator = PatchGAN(data.sketch_channels, width=options.width)
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
        yield Phase("discriminators", d_photo + d_sketch, {"d_photo": d_photo.detach(), "d_sketch": d_sketch.detach()})

        with frozen(self.photo_discriminator, self.sketch_discriminator):
            adversarial = adversarial_bce(self.photo_discriminator(made_photo), True)
            adversarial = adversarial + adversarial_bce(self.sketch_discriminator(made_sketch), True)
        reconstruction = l1(network.decode(photo_code, "photo"), photo)
        reconstruction = reconstruction + l1(network.decode(sketch_code, "sketch"), sketch)
        back, forth = network.encode(made_sketch, "sketch"), network.encode(made_photo, "photo")
        cycle = l1(network.decode(self._drawn(back), "photo"), photo)
        cycle = cycle + l1(network.decode(self._drawn(forth), "sketch"), sketch)
        divergence = torch.stack([kl_of_means(mean) for mean in (of_photo, of_sketch, back, forth)]).sum()
        parts = {
            "adversarial": (self.settings.adversarial_weight, adversarial),
            "divergence": (self.settings.kl_weight, divergence),
            "reconstruction": (self.settings.reconstruction_weight, reconstruction),
            "cycle": (self.settings.cycle_weight, cycle),
        }
        total = torch.stack([weight * value for weight, value in parts.values()]).sum()
        yield Phase("generators", total, {name: value.detach() for name, (_, value) in parts.items()})

    def _drawn(self, mean: Tensor) -> Tensor:
        """Return a draw from N(mean, 1) in training, and the mean itself in validation."""
        return mean + torch.randn_like(mean) if self.training else mean

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, H, W) pictures in [-1, 1], sides multiples of 8, through the mean of their code."""
        source, target = ENDS[direction]
        return self.generator.decode(self.generator.encode(images, source), target).float()


def _discriminator_loss(network: PatchGAN, real: Tensor, fake: Tensor) -> Tensor:
    return adversarial_bce(network(real), True) + adversarial_bce(network(fake), False)
