"""Portrait: the small network behind the models that come with the package, and how to train your own.

A U-Net of 3.8 million parameters that draws in several styles, an absolute, a perceptual and an edge loss, a
least-squares patch discriminator, sources corrupted as other cameras and lights would, and an average of its weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from facesketch.config import DataConfig, Direction, RunConfig
from facesketch.data.corrupt import corrupt
from facesketch.data.datasets import Batch
from facesketch.data.pairs import Pair
from facesketch.errors import ConfigError, nearest
from facesketch.images.tensors import with_channels
from facesketch.methods.base import Method, Phase, check_patches
from facesketch.methods.families import PortraitFamily, PortraitOptions
from facesketch.methods.losses import adversarial_least_squares, edges, l1
from facesketch.methods.networks.blocks import as_buffers, frozen, initialise
from facesketch.methods.networks.lpips import PerceptualDistance
from facesketch.methods.networks.patchgan import PatchGAN
from facesketch.methods.networks.portrait_unet import PortraitUNet
from facesketch.weights.catalogue import locate

_TRUNKS = {"alex": "alexnet", "vgg": "vgg16"}


class Portrait(PortraitFamily, Method):
    """The networks and losses of `portrait`."""

    phases: ClassVar = {"discriminator": ("discriminator",), "generator": ("generator",)}

    def __init__(self, options: PortraitOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.settings, self.styles = options, options.styles
        source, target, styles = self.source_channels, self.target_channels, max(len(options.styles), 1)
        self.generator = PortraitUNet(source, target, options.width, options.blocks, styles)
        self.discriminator = PatchGAN(source + target, width=options.discriminator_width)
        self.multiple = self.generator.stride
        check_patches(self.frame, data.size)
        initialise(self)
        self.averaged = as_buffers(deepcopy(self.generator))
        self._followed = 0
        self._distances: list[PerceptualDistance] = []  # not a module of ours: it has no place in a model file

    @staticmethod
    def needs(options: PortraitOptions) -> tuple[str, ...]:
        """Name the weights that the perceptual loss reads."""
        name = options.perceptual
        return () if name == "none" else (_TRUNKS[name], f"lpips-{name}")

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """Discriminator first, then the generator, then the average of its weights follows."""
        settings, style = self.settings, self._style_weights(batch)
        left, right = batch.columns(self.multiple)
        source, target = batch.source[..., left:right], batch.target[..., left:right]
        source = corrupt(source, settings.corrupt if self.training else 0.0)
        fake = self.generator(source, style)  # (N, C, H, W)

        real_logits = self.discriminator(torch.cat([source, target], dim=1))
        fake_logits = self.discriminator(torch.cat([source, fake.detach()], dim=1))
        real_loss, fake_loss = (
            adversarial_least_squares(real_logits, True),
            adversarial_least_squares(fake_logits, False),
        )
        logged = {"d_real": real_loss.detach(), "d_fake": fake_loss.detach()}
        yield Phase("discriminator", (real_loss + fake_loss) / 2, logged)

        with frozen(self.discriminator):
            adversarial = adversarial_least_squares(self.discriminator(torch.cat([source, fake], dim=1)), True)
        parts = {
            "l1": (settings.l1_weight, l1(fake, target)),
            # in grey: in each colour for itself this loss draws fringes
            "edges": (settings.edge_weight, edges(with_channels(fake, 1), with_channels(target, 1))),
            "perceptual": (settings.perceptual_weight, self._perceptual(fake, target)),
            "adversarial": (settings.adversarial_weight, adversarial),
        }
        total = torch.stack([weight * value for weight, value in parts.values()]).sum()
        yield Phase("generator", total, {name: value.detach() for name, (_, value) in parts.items()})
        if self.training:
            self._follow()

    @classmethod
    def check_pairs(cls, config: RunConfig, pairs: Sequence[Pair]) -> None:
        """Raise a ConfigError where a pair's style is not among those that are to be learned."""
        styles = PortraitOptions.model_validate(config.method.options).styles
        drawn = sorted({pair.attributes.get("style", "") for pair in pairs})
        if styles and not set(drawn) <= set(styles):
            named = [name for name in drawn if name]
            advice = f"type `styles` {','.join(named)}" if len(named) == len(drawn) else "leave out `styles`"
            seen = ", ".join(name or "none" for name in drawn)
            raise ConfigError(
                f"styles of the pairs: {seen}", f"not all are among `styles` {','.join(styles)}; {advice}"
            )

    def _style_weights(self, batch: Batch) -> Tensor:
        """Return (N, S), one-hot.

        Raises:
            ConfigError: a pair's style is not among those that the model learns.
        """
        weights = batch.source.new_zeros(len(batch.source), max(len(self.styles), 1))
        if not self.styles or batch.source.is_meta:
            weights[:, 0] = 1
            return weights
        for row, name in enumerate(batch.styles):
            weights[row, self._place(name)] = 1
        return weights

    def _place(self, name: str) -> int:
        if name not in self.styles:
            known = f"known: {', '.join(self.styles)}" if self.styles else "this model knows one style only"
            raise ConfigError(f"style '{name}': not one that this model draws in", nearest(name, self.styles, known))
        return self.styles.index(name)

    def _perceptual(self, fake: Tensor, target: Tensor) -> Tensor:
        name = self.settings.perceptual
        if name == "none":
            return fake.new_zeros(())
        if fake.is_meta:
            with torch.device("meta"):
                return cast(Tensor, PerceptualDistance(name)(fake, target)).mean()
        if not self._distances:
            with torch.random.fork_rng(devices=[]):  # its first values, which the file's replace, are drawn
                network = PerceptualDistance(name).load(locate(_TRUNKS[name]), locate(f"lpips-{name}"))
            self._distances.append(network.to(fake.device))
        return cast(Tensor, self._distances[0](fake, target)).mean()

    @torch.no_grad()
    def _follow(self) -> None:
        if self.generator.out.weight.is_meta:
            return
        kept = min(self.settings.average, self._followed / (self._followed + 10))  # a short training is averaged too
        for mean, new in zip(self.averaged.buffers(), self.generator.parameters(), strict=True):
            mean.lerp_(new, 1 - kept)
        self._followed += 1

    def extra_state(self) -> dict[str, Any]:
        """Return how often the average has followed."""
        return {"followed": self._followed}

    def load_extra_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `extra_state` returned."""
        self._followed = int(state.get("followed", 0))

    def load_exported(self, weights: Mapping[str, Tensor], config: RunConfig) -> None:
        """Take an exported generator; a style that the file does not have starts as the file's first."""
        known = PortraitOptions.model_validate(config.method.options).styles
        rows = [known.index(name) if name in known else 0 for name in self.styles or ("",)]
        state = {
            name.removeprefix("averaged."): values[rows] if name.endswith(("norm.scale", "norm.shift")) else values
            for name, values in weights.items()
        }
        self.generator.load_state_dict(state)
        self.averaged.load_state_dict(state)

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, H, W) pictures in [-1, 1], sides multiples of 32, in the first style."""
        style = images.new_zeros(max(len(self.styles), 1))
        style[0] = 1
        return self.draw(images, style.expand(images.shape[0], -1))  # `len` would fix the batch of an exported graph

    def draw(self, images: Tensor, style: Tensor) -> Tensor:
        """Translate each picture in its own style, or mixture of styles: (N, S) weights over `styles`.

        Sketches come out `contrast` times as dark as the network draws them, which learns without it.
        """
        drawn: Tensor = self.averaged(images, style).float()
        contrast = self.settings.contrast
        if contrast == 1 or self.direction != "photo2sketch":
            return drawn
        return (1 - contrast * (1 - drawn)).clamp(min=-1.0)  # 1 is the paper

    def reproduce(self, batch: Batch) -> Tensor:
        """Translate the sources of pairs, each in the style of its own target."""
        return self.draw(batch.source, self._style_weights(batch))
