"""Pix2Pix: a U-Net and a discriminator that sees source and result together (Isola et al., CVPR 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.methods.base import Method, Phase, check_patches
from facesketch.methods.families import Pix2PixFamily, Pix2PixOptions
from facesketch.methods.losses import adversarial_bce, l1
from facesketch.methods.networks.blocks import frozen, initialise
from facesketch.methods.networks.patchgan import PatchGAN
from facesketch.methods.networks.unet import UNetGenerator


class Pix2Pix(Pix2PixFamily, Method):
    """The networks and losses of `pix2pix`."""

    phases: ClassVar = {"discriminator": ("discriminator",), "generator": ("generator",)}

    def __init__(self, options: Pix2PixOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        source, target = self.source_channels, self.target_channels
        self.l1_weight = options.l1_weight
        self.generator = UNetGenerator(
            source, target, data.size, width=options.width, dropout=options.dropout, norm=options.norm
        )
        self.discriminator = PatchGAN(source + target, width=options.width, norm=options.norm)
        self.multiple = self.generator.stride
        check_patches(self.frame, data.size)
        initialise(self)

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """Discriminator first, then the generator against the discriminator just improved."""
        fake = self.generator(batch.source)  # (N, C, S, S)

        real_logits = self.discriminator(torch.cat([batch.source, batch.target], dim=1))
        fake_logits = self.discriminator(torch.cat([batch.source, fake.detach()], dim=1))
        real_loss, fake_loss = adversarial_bce(real_logits, True), adversarial_bce(fake_logits, False)
        yield Phase(
            "discriminator",
            (real_loss + fake_loss) / 2,  # the paper halves it, so that it learns more slowly than the generator
            {"d_real": real_loss.detach(), "d_fake": fake_loss.detach()},
        )

        with frozen(self.discriminator):
            adversarial = adversarial_bce(self.discriminator(torch.cat([batch.source, fake], dim=1)), True)
        distance = l1(fake, batch.target)
        yield Phase(
            "generator",
            adversarial + self.l1_weight * distance,
            {"adversarial": adversarial.detach(), "l1": distance.detach()},
        )

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, H, W) pictures in [-1, 1], sides multiples of the U-Net's stride."""
        return self.generator(images).float()  # type: ignore[no-any-return]
