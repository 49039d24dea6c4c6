"""Pix2Pix: a U-Net and a discriminator that sees source and result together (Isola et al., CVPR 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.methods.base import Method, Phase, check_patches
from facesketch.methods.families import Pix2PixOptions
from facesketch.methods.losses import adversarial_bce, l1
from facesketch.methods.networks.blocks import frozen, initialise
from facesketch.methods.networks.patchgan import PatchGAN
from facesketch.methods.networks.unet import UNetGenerator


class Pix2Pix(Method):
    """The networks and losses of `pix2pix`."""

    Options = Pix2PixOptions
    phases: ClassVar = {"discriminator": ("discriminator",), "generator": ("generator",)}

    def __init__(self, options: Pix2PixOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        source, target, width, norm = self.source_channels, self.target_channels, options.width, options.norm
        self.generator = UNetGenerator(source, target, data.size, width, options.dropout, norm)
        self.discriminator = PatchGAN(source + target, width, norm)
        self.multiple = self.generator.stride
        check_patches(self.frame, data.size)
        initialise(self)

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """Discriminator first, then the generator against the discriminator just improved."""
        fake = self.generator(batch.source)  # (N, C, S, S)

        real_loss = adversarial_bce(self.discriminator(torch.cat([batch.source, batch.target], dim=1)), True)
        fake_loss = adversarial_bce(self.discriminator(torch.cat([batch.source, fake.detach()], dim=1)), False)
        # the paper halves it, so that it learns more slowly than the generator
        yield Phase.weighted("discriminator", d_real=(0.5, real_loss), d_fake=(0.5, fake_loss))

        with frozen(self.discriminator):
            adversarial = adversarial_bce(self.discriminator(torch.cat([batch.source, fake], dim=1)), True)
        distance = l1(fake, batch.target)
        yield Phase.weighted("generator", adversarial=(1, adversarial), l1=(self.options.l1_weight, distance))

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, H, W) pictures in [-1, 1], sides multiples of the U-Net's stride."""
        return self.generator(images).float()
