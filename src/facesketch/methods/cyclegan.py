"""CycleGAN: two generators that must undo each other, learned from photos and sketches that need not be pairs.

Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial networks", ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch
from facesketch.images.tensors import with_channels
from facesketch.methods.base import Method, Phase, check_patches
from facesketch.methods.families import CycleGANOptions
from facesketch.methods.losses import adversarial_least_squares, l1
from facesketch.methods.networks.blocks import frozen, initialise
from facesketch.methods.networks.patchgan import PatchGAN
from facesketch.methods.networks.resnet import ResNetGenerator


class ImagePool:
    """Keeps up to `capacity` generated pictures and gives old ones half of the time (Shrivastava et al., CVPR 2017).

    The coin comes from torch's global random state, which a resumed training restores.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.images: list[Tensor] = []

    def exchange(self, fresh: Tensor) -> Tensor:
        """Return a batch like (N, C, H, W): each picture is fresh or, once the pool is full, by a coin, an old one."""
        shown = list(fresh)
        for place, image in enumerate(fresh if self.capacity else ()):
            if len(self.images) < self.capacity:
                self.images.append(image.clone())
            elif torch.rand(()).item() >= 0.5:
                old = int(torch.randint(self.capacity, ()).item())
                shown[place], self.images[old] = self.images[old], image.clone()
        return torch.stack([image.to(fresh.dtype) for image in shown])  # kept ones are bf16 if the run began in it


class CycleGAN(Method):
    """The networks and losses of `cyclegan`."""

    Options = CycleGANOptions
    phases: ClassVar = {
        "generators": ("to_sketch", "to_photo"),
        "discriminators": ("sketch_discriminator", "photo_discriminator"),
    }

    def __init__(self, options: CycleGANOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        photo, sketch, width = data.photo_channels, data.sketch_channels, options.width
        self.to_sketch = ResNetGenerator(photo, sketch, width, options.blocks)
        self.to_photo = ResNetGenerator(sketch, photo, width, options.blocks)
        self.sketch_discriminator, self.photo_discriminator = PatchGAN(sketch, width), PatchGAN(photo, width)
        self.sketch_pool, self.photo_pool = ImagePool(options.pool), ImagePool(options.pool)
        self.multiple = 2 * self.to_sketch.stride  # at its narrowest a picture needs two pixels to be reflected
        check_patches(self.frame, data.size)
        initialise(self)

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """Both generators first, then both discriminators on pictures from their pools."""
        photo, sketch = batch.photo, batch.sketch
        with frozen(self.sketch_discriminator, self.photo_discriminator):
            fake_sketch, fake_photo = self.to_sketch(photo), self.to_photo(sketch)  # (N, C, S, S)
            adversarial = adversarial_least_squares(self.sketch_discriminator(fake_sketch), True)
            adversarial = adversarial + adversarial_least_squares(self.photo_discriminator(fake_photo), True)
            cycle = l1(self.to_photo(fake_sketch), photo) + l1(self.to_sketch(fake_photo), sketch)
            identity = self._identity(photo, sketch) if self.options.identity_weight else photo.new_zeros(())
        yield Phase.weighted(
            "generators",
            adversarial=(1, adversarial),
            cycle=(self.options.cycle_weight, cycle),
            identity=(self.options.identity_weight, identity),
        )

        d_sketch = self._discriminator_loss(self.sketch_discriminator, sketch, fake_sketch.detach(), self.sketch_pool)
        d_photo = self._discriminator_loss(self.photo_discriminator, photo, fake_photo.detach(), self.photo_pool)
        yield Phase.weighted("discriminators", d_sketch=(1, d_sketch), d_photo=(1, d_photo))

    def _identity(self, photo: Tensor, sketch: Tensor) -> Tensor:
        """Return the identity loss; where the channels differ it is taken on the narrower picture's luma."""
        channels = self.data.photo_channels, self.data.sketch_channels
        kept_sketch = self.to_sketch(with_channels(sketch, channels[0]))
        kept_photo = self.to_photo(with_channels(photo, channels[1]))
        narrow = min(channels)
        return l1(with_channels(kept_sketch, narrow), with_channels(sketch, narrow)) + l1(
            with_channels(kept_photo, narrow), with_channels(photo, narrow)
        )

    def _discriminator_loss(self, network: PatchGAN, real: Tensor, fake: Tensor, pool: ImagePool) -> Tensor:
        shown = pool.exchange(fake) if self.training else fake  # a validation must leave the pool as it was
        real_loss = adversarial_least_squares(network(real), True)
        return (real_loss + adversarial_least_squares(network(shown), False)) / 2

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        generator = self.to_sketch if direction == "photo2sketch" else self.to_photo
        return generator(images).float()

    def extra_state(self) -> dict[str, Any]:
        return {"sketch_pool": list(self.sketch_pool.images), "photo_pool": list(self.photo_pool.images)}

    def load_extra_state(self, state: Mapping[str, Any]) -> None:
        device = next(self.parameters()).device
        for pool, kept in ((self.sketch_pool, state["sketch_pool"]), (self.photo_pool, state["photo_pool"])):
            pool.images = [image.to(device) for image in kept]
