"""CoGAN: two GANs that share the layers of meaning, so that one code is a face as a photo and as a sketch.

Liu and Tuzel, "Coupled generative adversarial networks", NIPS 2016, which the study names and does not build.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from facesketch.config import DataConfig, Direction, Domain
from facesketch.data.datasets import Batch
from facesketch.methods.base import ENDS, Method, Phase, power_of_two
from facesketch.methods.families import CoGANFamily, CoGANOptions
from facesketch.methods.losses import adversarial_bce, l1, mse
from facesketch.methods.networks.blocks import frozen
from facesketch.methods.networks.coupled import CoupledEncoder, CoupledGenerator

_DROPOUTS = (0.1, 0.3, 0.3, 0.5)
"""What the authors' discriminators drop after their last convolutions."""


class CoGAN(CoGANFamily, Method):
    """The networks and losses of `cogan`.

    The paper's: a code drawn evenly from [-1, 1] becomes a photo and a sketch; the generators share their first
    layers and the discriminators their last; cross-entropy, Adam 2e-4 with beta1 0.5; no pairs. The paper searches
    the code of each given picture by descent.

    Ours: an encoder per domain, sharing its last layers as the discriminators do, finds the code at once. It learns
    from what needs no pairs either: its code has to give the picture back (absolute difference, which the generators
    learn from too), and the code of what was generated, photo and sketch alike, has to be the one it was generated
    from. It has no norms, for it sees real and generated pictures by turns; generators and discriminators have the
    paper's batch norm, over one batch of all that they see in a step. The batch is smaller than the paper's 128,
    which is more than all pairs of the study.
    """

    fixed = True
    phases: ClassVar = {"discriminators": ("discriminator",), "generators": ("generator", "encoder")}

    def __init__(self, options: CoGANOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.settings = options
        channels: dict[Domain, int] = {"photo": data.photo_channels, "sketch": data.sketch_channels}
        size, width, own = self.frame, options.width, options.own
        self.generator = CoupledGenerator(channels, size, options.latent, width, own)
        self.encoder = CoupledEncoder(channels, size, options.latent, width, own, "none")
        self.discriminator = CoupledEncoder(channels, size, 1, width, own, "batch", _DROPOUTS)

    @property
    def frame(self) -> int:
        """The next power of two: each layer halves or doubles the side."""
        return power_of_two(self.data.size)

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """Both discriminators first, then generators and encoders together."""
        real: dict[Domain, Tensor] = {"photo": batch.photo, "sketch": batch.sketch}
        count = len(batch.photo)
        code = self._draw(count).to(batch.photo.device)
        codes = [code, *(self._encode(picture, domain) for domain, picture in real.items())]
        deep = self.generator.shared(torch.cat(codes)).split(count)  # one batch for one norm
        drawn = {
            domain: self.generator.own[domain](torch.cat([deep[0], own])).split(count)
            for domain, own in zip(real, deep[1:], strict=True)
        }  # of each domain: what the drawn code looks like, and the real picture given back
        fake = {domain: pictures[0] for domain, pictures in drawn.items()}

        judged = {domain: self._judge(real[domain], fake[domain].detach(), domain) for domain in real}
        d_photo, d_sketch = (
            adversarial_bce(judged[domain][0], True) + adversarial_bce(judged[domain][1], False) for domain in real
        )
        yield Phase("discriminators", d_photo + d_sketch, {"d_photo": d_photo.detach(), "d_sketch": d_sketch.detach()})

        with frozen(self.discriminator):
            fooled = [adversarial_bce(self._judge(real[domain], fake[domain], domain)[1], True) for domain in real]
        adversarial = fooled[0] + fooled[1]
        reconstruction = l1(drawn["photo"][1], real["photo"]) + l1(drawn["sketch"][1], real["sketch"])
        found = [mse(self._encode(fake[domain], domain), code) for domain in real]
        again = found[0] + found[1]
        weights = self.settings
        yield Phase(
            "generators",
            adversarial + weights.reconstruction_weight * reconstruction + weights.code_weight * again,
            {
                "adversarial": adversarial.detach(),
                "reconstruction": reconstruction.detach(),
                "code": again.detach(),
            },
        )

    def _draw(self, count: int) -> Tensor:
        """Draw codes; in validation always the same ones, and without touching the random state of the training."""
        own = None if self.training else torch.Generator().manual_seed(0)
        return torch.rand(count, self.settings.latent, generator=own) * 2 - 1

    def _encode(self, pictures: Tensor, domain: Domain) -> Tensor:
        """Return codes in [-1, 1], as they are drawn."""
        return self.encoder(pictures, domain).tanh()  # type: ignore[no-any-return]

    def _judge(self, real: Tensor, fake: Tensor, domain: Domain) -> tuple[Tensor, Tensor]:
        """Return the logits of real and of generated pictures, normed as one batch as the authors do."""
        logits = self.discriminator(torch.cat([real, fake]), domain)
        return logits[: len(real)], logits[len(real) :]

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, S, S) pictures in [-1, 1] by way of their code, either way."""
        source, target = ENDS[direction]
        return self.generator(self._encode(images, source), target).float()  # type: ignore[no-any-return]
