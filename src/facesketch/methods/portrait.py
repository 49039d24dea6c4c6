"""Portrait: the small network behind the models that come with the package, and the losses that train it.

A U-Net of 3.8 million parameters that draws in several styles, an absolute, a perceptual and an edge loss, a
least-squares patch discriminator, and sources corrupted as other cameras and lights would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facesketch.config import DataConfig, Direction, RunConfig
from facesketch.data.corrupt import corrupt
from facesketch.data.datasets import Batch
from facesketch.data.pairs import Pair
from facesketch.errors import ConfigError, nearest
from facesketch.faces.colours import NUMBERS, PARTS, Colours, measure, numbers
from facesketch.images.fit import Placement
from facesketch.images.tensors import with_channels
from facesketch.methods.base import Method, Phase, check_patches
from facesketch.methods.families import PortraitOptions
from facesketch.methods.losses import adversarial_least_squares, edges, l1
from facesketch.methods.networks.blocks import frozen, initialise
from facesketch.methods.networks.feature_critic import FeatureCritic, fooling, hinge
from facesketch.methods.networks.lpips import CHANNELS, PerceptualDistance
from facesketch.methods.networks.patchgan import PatchGAN
from facesketch.methods.networks.portrait_unet import PortraitUNet
from facesketch.weights.catalogue import locate

_TRUNKS = {"alex": "alexnet", "vgg": "vgg16"}
_SHIFTED, _JUDGED = 0.96, 0.6  # shares of a picture's sides: all but some 8 pixels, and what suffices for patches
_SMALLEST = 48  # pixels: of smaller pictures the judges see all
_DROPPED, _ALL_DROPPED = 0.35, 0.15  # shares of the steps in which a model is not told a colour, or none


class Portrait(Method):
    """The networks and losses of `portrait`."""

    Options = PortraitOptions
    phases: ClassVar = {"discriminator": ("discriminator",), "generator": ("generator",)}
    options: PortraitOptions

    def __init__(self, options: PortraitOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.styles = options.styles
        source, target, styles = self.source_channels, self.target_channels, max(len(options.styles), 1)
        if options.colours and not (direction == "sketch2photo" and data.faces and data.photo_channels == 3):
            raise ConfigError(
                "`colours` needs aligned faces in colour photos",
                "set `direction` sketch2photo, `faces` and `photo_channels` 3, or leave out `colours`",
            )
        self.colours = tuple(part for part in PARTS if part in options.colours)
        told = NUMBERS * len(self.colours)
        self._conditions = styles + told
        self.generator = PortraitUNet(
            source, target, options.width, options.blocks, styles, told, enlarge=options.enlarge
        )
        self.discriminator: PatchGAN | FeatureCritic
        if options.critic == "features":
            assert options.perceptual != "none", "the options refuse it"
            maps = CHANNELS[options.perceptual]
            self.discriminator = FeatureCritic(source + target, maps, options.discriminator_width)
        else:
            self.discriminator = PatchGAN(source + target, width=options.discriminator_width)
        self.multiple = self.generator.stride
        check_patches(self.frame, data.size)
        initialise(self)
        self.register_load_state_dict_pre_hook(_take_average)  # type: ignore[no-untyped-call]
        self._distances: list[PerceptualDistance] = []  # not a module of ours: it has no place in a model file

    @staticmethod
    def needs(options: PortraitOptions) -> tuple[str, ...]:
        """Name the weights that the perceptual loss reads."""
        name = options.perceptual
        return () if name == "none" else (_TRUNKS[name], f"lpips-{name}")

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """Discriminator first, then the generator."""
        settings, style = self.options, self._style_weights(batch)
        left, right = batch.columns(self.multiple)
        source, target = batch.source[..., left:right], batch.target[..., left:right]
        seen = source
        if self.training:
            seen = corrupt(source, settings.corrupt, settings.rough, sketches=self.direction == "sketch2photo")
        fake = self.generator(seen, style)  # (N, C, H, W)
        fake_maps, maps = map(self._maps, self._window(_SHIFTED, fake, target))
        judged = self._window(_JUDGED if settings.critic == "features" else _SHIFTED, seen, fake, target)

        real_loss = self._verdict(judged[0], judged[2], maps, real=True)
        fake_loss = self._verdict(judged[0], judged[1].detach(), [each.detach() for each in fake_maps], real=False)
        logged = {"d_real": real_loss.detach(), "d_fake": fake_loss.detach()}
        yield Phase("discriminator", (real_loss + fake_loss) / 2, logged)

        with frozen(self.discriminator):
            adversarial = self._verdict(judged[0], judged[1], fake_maps, real=None)
        unlike = self._distance(fake).between(fake_maps, maps).mean() if maps else fake.new_zeros(())
        parts = {
            "l1": (settings.l1_weight, l1(fake, target)),
            # in grey: in each colour for itself this loss draws fringes
            "edges": (settings.edge_weight, edges(with_channels(fake, 1), with_channels(target, 1))),
            "perceptual": (settings.perceptual_weight, unlike),
            "adversarial": (settings.adversarial_weight, adversarial),
        }
        yield Phase.weighted("generator", **parts)

    def _window(self, share: float, *pictures: Tensor) -> list[Tensor]:
        """Return a part of the pictures, this share of each side, at a place that changes from step to step.

        A judge whose strides always meet those of the generator at the same pixels may teach it a grid. The period of
        4 pixels that the first models show is that of AlexNet's first convolution.
        """
        height, width = pictures[0].shape[-2:]
        rows, columns = int(share * height), int(share * width)
        if not self.training or pictures[0].is_meta or min(rows, columns) < _SMALLEST:
            return list(pictures)
        top, left = (int(torch.randint(side + 1, ())) for side in (height - rows, width - columns))
        return [each[..., top : top + rows, left : left + columns] for each in pictures]

    def _verdict(self, source: Tensor, picture: Tensor, maps: Sequence[Tensor], *, real: bool | None) -> Tensor:
        """Return the discriminator's loss for real and for fake pictures, and for None the generator's."""
        pictures = torch.cat([source, picture], dim=1)
        if isinstance(self.discriminator, FeatureCritic):
            logits = self.discriminator(pictures, maps)
            return fooling(logits) if real is None else hinge(logits, real)
        return adversarial_least_squares(self.discriminator(pictures), real is not False)

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
        """Return (N, S), one-hot, and in training some of the colours of each photo: (N, S + T).

        Raises:
            ConfigError: a pair's style is not among those that the model learns.
        """
        weights = batch.source.new_zeros(len(batch.source), self._conditions)
        if not self.styles or batch.source.is_meta:
            weights[:, 0] = 1
        else:
            for row, name in enumerate(batch.styles):
                weights[row, self._place(name)] = 1
        if self.colours and self.training and not batch.source.is_meta:
            told = torch.from_numpy(
                np.stack([self._told(photo, at) for photo, at in zip(batch.photo, batch.placements, strict=True)])
            )
            weights[:, -told.shape[1] :] = told.to(weights)
        return weights

    def _told(self, photo: Tensor, placement: Placement) -> NDArray[np.float32]:
        """Return a photo's colours as numbers, each left out in some steps and all of them in others."""
        pixels = ((photo.float() + 1) * 127.5).round().clamp(0, 255).to("cpu", torch.uint8).numpy()
        measured = measure(np.ascontiguousarray(placement.cut(pixels).transpose(1, 2, 0)))
        *chances, whole = torch.rand(len(PARTS) + 1).tolist()
        kept = [
            each if chance > _DROPPED and whole > _ALL_DROPPED else None
            for each, chance in zip(measured, chances, strict=True)
        ]
        return numbers(Colours(*kept), self.colours)

    def _place(self, name: str) -> int:
        if name not in self.styles:
            known = f"known: {', '.join(self.styles)}" if self.styles else "this model knows only one style"
            raise ConfigError(f"style '{name}': this model does not draw in it", nearest(name, self.styles, known))
        return self.styles.index(name)

    def _maps(self, pictures: Tensor) -> list[Tensor]:
        """Return the perceptual network's feature maps; none without one."""
        return [] if self.options.perceptual == "none" else self._distance(pictures).maps(pictures)

    def _distance(self, like: Tensor) -> PerceptualDistance:
        name = self.options.perceptual
        assert name != "none"
        if like.is_meta:
            with torch.device("meta"):
                return PerceptualDistance(name)
        if not self._distances:
            with torch.random.fork_rng(devices=[]):  # its first values, which the file's replace, are drawn
                network = PerceptualDistance(name).load(locate(_TRUNKS[name]), locate(f"lpips-{name}"))
            self._distances.append(network.to(like.device))
        return self._distances[0]

    def load_exported(self, weights: Mapping[str, Tensor], config: RunConfig) -> None:
        """Take an exported generator; a style that the file does not have starts as the file's first."""
        options = PortraitOptions.model_validate(config.method.options)
        if options.enlarge != self.options.enlarge:  # its weights fit, but would draw a grid
            raise ConfigError(
                f"the model to start from has `enlarge` {options.enlarge}", f"give `enlarge` {options.enlarge}"
            )
        known, theirs = options.styles, options.colours
        rows = [known.index(name) if name in known else 0 for name in self.styles or ("",)]

        def conditioned(values: Tensor) -> Tensor:
            """Take the rows of each of our styles and colours; a colour that the file does not have changes nothing."""
            first = max(len(known), 1)
            told = [
                values[(start := first + NUMBERS * theirs.index(part)) : start + NUMBERS]
                if part in theirs
                else values.new_zeros(NUMBERS, values.shape[1])
                for part in self.colours
            ]
            return torch.cat([values[rows], *told])

        state = {
            name.removeprefix("averaged.").removeprefix("generator."): conditioned(values)
            if name.endswith(("norm.scale", "norm.shift"))
            else values
            for name, values in weights.items()
        }
        self.generator.load_state_dict(state)

    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, H, W) pictures in [-1, 1], sides multiples of 32, in the first style."""
        style = images.new_zeros(self._conditions)
        style[0] = 1
        return self.draw(images, style.expand(images.shape[0], -1))  # `len` would fix the batch of an exported graph

    def draw(self, images: Tensor, style: Tensor) -> Tensor:
        """Translate each picture in its own style, or mixture of styles: (N, S) weights over `styles`.

        With `colours` these are followed by their numbers, as `faces.colours.numbers` writes them: (N, S + T).

        Sketches come out `contrast` times as dark as the network draws them, which learns without it.
        """
        drawn: Tensor = self.generator(images, style).float()
        contrast = self.options.contrast
        if contrast == 1 or self.direction != "photo2sketch":
            return drawn
        return (1 - contrast * (1 - drawn)).clamp(min=-1.0)  # 1 is the paper

    def reproduce(self, batch: Batch) -> Tensor:
        """Translate the sources of pairs, each in the style of its own target."""
        return self.draw(batch.source, self._style_weights(batch))


def _take_average(_: Portrait, weights: dict[str, Tensor], prefix: str, *__: Any) -> None:
    """Let the average that version 0.1 kept beside the generator be the generator."""
    for name in [name for name in weights if name.startswith(f"{prefix}averaged.")]:
        weights[name.replace("averaged.", "generator.", 1)] = weights.pop(name)
