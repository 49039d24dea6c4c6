"""CoGAN: two GANs that share their deep layers, so that one code gives the same face as a photo and a sketch.

Liu and Tuzel, "Coupled generative adversarial networks", NIPS 2016, which the study mentions but does not use.
Layer counts, kernels and widths are those of the authors' networks for faces of 128 pixels; other sizes have one layer
more or less per doubling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from facesketch.config import ENDS, DataConfig, Direction, Domain
from facesketch.data.datasets import Batch
from facesketch.methods.base import Method, Phase
from facesketch.methods.families import CoGANOptions
from facesketch.methods.losses import adversarial_bce, l1, mse
from facesketch.methods.networks.blocks import Linear, Norm, frozen, initialise, initialise_glorot, normalisation

_DROPOUTS = (0.1, 0.3, 0.3, 0.5)
"""What the authors' discriminators drop after their last convolutions."""


class CoupledGenerator(nn.Module):
    """A code becomes a photo and a sketch: a linear layer and 4x4 transposed convolutions of stride 2, from 4x4 up.

    (N, latent) -> (N, C, size, size) in [-1, 1] of either domain. At 128: 1024-512-256-128-64-32, each with batch norm
    and PReLU, and a 3x3 convolution with tanh. The `own` layers nearest to the picture are each domain's.
    """

    def __init__(self, channels: Mapping[Domain, int], size: int, latent: int, width: int, own: int) -> None:
        super().__init__()
        widths = [max(1, width >> level) for level in range(size.bit_length() - 2)]
        ups = list(pairwise(widths))
        own = min(own, len(ups))
        self.shared = nn.Sequential(
            Linear(latent, widths[0] * 16, bias=False),
            nn.Unflatten(1, (widths[0], 4, 4)),
            *_finish(widths[0], "batch"),
            *(layer for before, after in ups[: len(ups) - own] for layer in _up(before, after)),
        )
        self.own = nn.ModuleDict(
            {
                domain: nn.Sequential(
                    *(layer for before, after in ups[len(ups) - own :] for layer in _up(before, after)),
                    nn.Conv2d(widths[-1], count, 3, padding=1),
                    nn.Tanh(),
                )
                for domain, count in channels.items()
            }
        )
        initialise(self)

    def compile(self, *args: Any, **options: Any) -> None:
        """Compile the parts, which training calls one by one."""
        for part in (self.shared, *self.own.values()):
            part.forward = torch.compile(part.forward, *args, **options)

    def forward(self, code: Tensor, domain: Domain) -> Tensor:
        return self.own[domain](self.shared(code))


class CoupledEncoder(nn.Module):
    """A photo or a sketch becomes a few numbers: convolutions of stride 2 down to 2x2, and a linear layer.

    (N, C, size, size) in [-1, 1] of either domain -> (N, out). At 128: 32-64-128 of 5x5 and 256-512-1024 of 3x3, with
    PReLU. The `own` layers nearest to the picture are each domain's; `dropouts` stand after the last layers. With one
    number it is CoGAN's discriminator, but for a layer of 2,048 units before the last, whose batch norm
    cannot learn from a batch of one picture.
    """

    def __init__(
        self,
        channels: Mapping[Domain, int],
        size: int,
        out: int,
        width: int,
        own: int,
        norm: Norm,
        dropouts: Sequence[float] = (),
    ) -> None:
        super().__init__()
        levels = size.bit_length() - 2
        widths = [max(1, width >> level) for level in reversed(range(levels))]
        shares = [0.0] * (levels - len(dropouts)) + list(dropouts)
        kernels = [5 if level < 3 else 3 for level in range(levels)]  # from the picture on
        own = min(own, levels)

        def layers(first: int, last: int, before: int) -> list[nn.Module]:
            inward = [before, *widths[first:last]]
            return [
                layer
                for level, (before, after) in enumerate(pairwise(inward), first)
                for layer in _down(before, after, kernels[level], norm, shares[level])
            ]

        self.own = nn.ModuleDict({domain: nn.Sequential(*layers(0, own, count)) for domain, count in channels.items()})
        self.shared = nn.Sequential(
            *layers(own, levels, widths[own - 1]),
            nn.Flatten(),
            Linear(widths[-1] * 4, out),
        )
        (initialise if norm == "batch" else initialise_glorot)(self)

    def forward(self, x: Tensor, domain: Domain) -> Tensor:
        return self.shared(self.own[domain](x))


def _finish(channels: int, norm: Norm) -> list[nn.Module]:
    return [normalisation(norm, channels), nn.PReLU(channels)]


def _up(before: int, after: int) -> list[nn.Module]:
    conv = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)  # its norm's shift makes a bias void
    return [conv, *_finish(after, "batch")]


def _down(before: int, after: int, kernel: int, norm: Norm, dropout: float) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, kernel, stride=2, padding=kernel // 2, bias=norm == "none")
    return [conv, *_finish(after, norm), *([nn.Dropout(dropout)] if dropout else [])]


class CoGAN(Method):
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

    Options = CoGANOptions
    fixed = halves = True
    phases: ClassVar = {"discriminators": ("discriminator",), "generators": ("generator", "encoder")}

    def __init__(self, options: CoGANOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        channels: dict[Domain, int] = {"photo": data.photo_channels, "sketch": data.sketch_channels}
        size, width, own = self.frame, options.width, options.own
        self.generator = CoupledGenerator(channels, size, options.latent, width, own)
        self.encoder = CoupledEncoder(channels, size, options.latent, width, own, "none")
        self.discriminator = CoupledEncoder(channels, size, 1, width, own, "batch", _DROPOUTS)

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
        yield Phase.weighted("discriminators", d_photo=(1, d_photo), d_sketch=(1, d_sketch))

        with frozen(self.discriminator):
            fooled = [adversarial_bce(self._judge(real[domain], fake[domain], domain)[1], True) for domain in real]
        reconstruction = l1(drawn["photo"][1], real["photo"]) + l1(drawn["sketch"][1], real["sketch"])
        found = [mse(self._encode(fake[domain], domain), code) for domain in real]
        yield Phase.weighted(
            "generators",
            adversarial=(1, fooled[0] + fooled[1]),
            reconstruction=(self.options.reconstruction_weight, reconstruction),
            code=(self.options.code_weight, found[0] + found[1]),
        )

    def _draw(self, count: int) -> Tensor:
        """Draw codes; in validation always the same ones, and without touching the random state of the training."""
        own = None if self.training else torch.Generator().manual_seed(0)
        return torch.rand(count, self.options.latent, generator=own) * 2 - 1

    def _encode(self, pictures: Tensor, domain: Domain) -> Tensor:
        """Return codes in [-1, 1], as they are drawn."""
        return self.encoder(pictures, domain).tanh()

    def _judge(self, real: Tensor, fake: Tensor, domain: Domain) -> tuple[Tensor, Tensor]:
        """Return the logits of real and of generated pictures, normed as one batch as the authors do."""
        logits = self.discriminator(torch.cat([real, fake]), domain)
        return logits[: len(real)], logits[len(real) :]

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        source, target = ENDS[direction]
        return self.generator(self._encode(images, source), target).float()
