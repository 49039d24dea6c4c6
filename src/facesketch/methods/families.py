"""What can be known of each built-in method without PyTorch: title, defaults and options.

The networks and losses of a method are in a file of their own. Your own method may keep everything in one file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from facesketch.config import DIRECTIONS, Direction, Frozen


@dataclass(frozen=True)
class Defaults:
    """How a method is trained by default."""

    epochs: int
    batch_size: int
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    channels_last: bool = False
    """Only where no instance norm trains at batch 1: its CPU gradients are wrong in that memory format."""
    average: float = 0.0
    """Share of a running average of the weights that a step keeps; 0 for none."""


class Family(Frozen):
    """A family of models: its fields are its options, and its class variables what else is known without PyTorch.

    `facesketch methods` prints the docstring's first line, and those of the options.
    """

    title: ClassVar[str]
    paired: ClassVar[bool] = True
    study: ClassVar[bool] = True
    learned: ClassVar[bool] = True
    both_ways: ClassVar[bool] = False
    exemplars: ClassVar[bool] = False
    """Translates with the training pairs, so there is no loss, no optimiser and no network to export."""
    directions: ClassVar[tuple[Direction, ...]] = DIRECTIONS
    defaults: ClassVar[Defaults]


class DenseAEOptions(Family):
    """Fully connected encoder and decoder with a pixel loss.

    The study gives no sizes; these keep it under 35 million parameters at 256.
    """

    title = "Dense autoencoder"
    defaults = Defaults(epochs=500, batch_size=32, learning_rate=1e-3)

    loss: Literal["mse", "mae", "bce"] = "mse"
    """Pixel loss, on [0, 1]."""
    hidden: Annotated[int, Field(ge=1)] = 128
    """Units of the layers before and after the code."""
    latent: Annotated[int, Field(ge=1)] = 64
    """Units of the code."""


class ConvAEOptions(Family):
    """The study's CAE with a mean squared, mean absolute, cross-entropy or structural loss; it can also denoise."""

    title = "Convolutional autoencoder"
    defaults = Defaults(epochs=500, batch_size=32, learning_rate=1e-3, channels_last=True)

    loss: Literal["mse", "mae", "bce", "ssim"] = "mse"
    """Loss on [0, 1]; `ssim` is 1 - SSIM, the structural loss that the study's text names."""
    noise: Annotated[float, Field(ge=0)] = 0.0
    """Spread of the Gaussian noise added to sources in [0, 1] while training; above 0 makes a denoising autoencoder."""
    encoder: Literal["study", "vgg16", "resnet", "lenet"] = "study"
    """Which encoder to put before the study's decoder."""
    encoder_weights: Path | None = None
    """A safetensors file of trained encoder weights, such as `vgg16_features.safetensors`; read as training starts."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of values to drop after the decoder's first and third layers."""


class ConvVAEOptions(Family):
    """The study's CVAE: reconstruction summed over the frame's pixels, plus the divergence from a standard normal."""

    title = "Convolutional VAE"
    defaults = Defaults(epochs=500, batch_size=16, learning_rate=1e-3, channels_last=True)

    latent: Annotated[int, Field(ge=1)] = 12
    """Size of the latent code; the study tried 2, 4 and 12."""
    reconstruction: Literal["bce", "mse"] = "bce"
    """Reconstruction loss; the study's notebooks use BCE, its text says MSE."""
    beta: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the divergence from the prior."""


class Pix2PixOptions(Family):
    """Conditional GAN with the paper's losses: cross-entropy, 100 x L1, discriminator loss halved."""

    title = "Pix2Pix"
    defaults = Defaults(epochs=100, batch_size=1, learning_rate=2e-4, betas=(0.5, 0.999))

    l1_weight: Annotated[float, Field(ge=0)] = 100.0
    """Weight of the absolute difference beside the adversarial loss."""
    width: Annotated[int, Field(ge=1)] = 64
    """Channels of the first layer of both networks."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Dropout in the generator's first decoder layers, which is its only noise."""
    norm: Literal["instance", "batch"] = "instance"
    """`instance` equals the paper's batch norm, which uses batches of one picture in training and test alike."""


class CycleGANOptions(Family):
    """Least-squares GANs for both directions, tied by cycle consistency; one model serves both."""

    title = "CycleGAN"
    paired = False
    both_ways = True
    defaults = Defaults(epochs=100, batch_size=1, learning_rate=2e-4, betas=(0.5, 0.999))

    cycle_weight: Annotated[float, Field(ge=0)] = 10.0
    """Weight of the cycle-consistency loss."""
    identity_weight: Annotated[float, Field(ge=0)] = 5.0
    """Weight of the identity loss, which keeps a picture of the target domain unchanged."""
    width: Annotated[int, Field(ge=1)] = 64
    """Channels of the first layer of all four networks."""
    blocks: Annotated[int, Field(ge=1)] = 9
    """Residual blocks of each generator."""
    pool: Annotated[int, Field(ge=0)] = 50
    """How many generated pictures each discriminator's buffer holds."""


class SparseAEOptions(Family):
    """One layer of sigmoid units with tied weights and a penalty on units that are often on.

    The study gives no sizes; these keep it at 25 million parameters at 256.
    """

    title = "Sparse autoencoder"
    study = False
    defaults = Defaults(epochs=500, batch_size=32, learning_rate=3e-3)

    units: Annotated[int, Field(ge=1)] = 128
    """Units of the code, the rows of W."""
    activation: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Mean activation that each unit should have, as a share of its full strength."""
    sparsity_weight: Annotated[float, Field(ge=0)] = 30.0
    """Weight of the penalty on units whose mean activation differs."""


class CoGANOptions(Family):
    """Two generators and two discriminators with shared deep layers, and encoders into their common code."""

    title = "CoGAN"
    study = False
    paired = False
    both_ways = True
    defaults = Defaults(epochs=500, batch_size=16, learning_rate=2e-4, betas=(0.5, 0.999))

    latent: Annotated[int, Field(ge=1)] = 100
    """How many numbers the code of a face has."""
    width: Annotated[int, Field(ge=1)] = 1024
    """Channels of the layer next to the code, in all networks; each layer towards the picture has half as many."""
    own: Annotated[int, Field(ge=1)] = 2
    """How many layers next to the picture photos and sketches do not share."""
    reconstruction_weight: Annotated[float, Field(ge=0)] = 100.0
    """Weight of reconstructing an encoded picture."""
    code_weight: Annotated[float, Field(ge=0)] = 10.0
    """Weight of recovering the code of a generated photo or sketch."""


class UNITOptions(Family):
    """VAEs and GANs of photos and sketches with one latent space, tied by cycle consistency.

    The weights are the paper's lambdas.
    """

    title = "UNIT"
    study = False
    paired = False
    both_ways = True
    defaults = Defaults(epochs=100, batch_size=1, learning_rate=1e-4, betas=(0.5, 0.999))

    adversarial_weight: Annotated[float, Field(ge=0)] = 10.0
    """Weight of fooling the discriminators, the paper's lambda 0."""
    kl_weight: Annotated[float, Field(ge=0)] = 0.1
    """Weight of the codes' divergence from the prior, lambda 1, and lambda 3 for those of translated pictures."""
    reconstruction_weight: Annotated[float, Field(ge=0)] = 100.0
    """Weight of reconstructing an encoded picture, lambda 2."""
    cycle_weight: Annotated[float, Field(ge=0)] = 100.0
    """Weight of the cycle-consistency loss, lambda 4."""
    width: Annotated[int, Field(ge=1)] = 64
    """Channels of the first layer of all networks."""
    blocks: Annotated[int, Field(ge=0)] = 3
    """Residual blocks of each encoder and each generator, without the shared one."""


def _listed(value: object) -> object:
    """Take `cuhk,fs2k-0`, as it is typed, for a list of names."""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


class PortraitOptions(Family):
    """Translates aligned faces in one of several styles, in any light and before any background."""

    title = "Portrait"
    study = False
    defaults = Defaults(epochs=100, batch_size=4, learning_rate=2e-4, betas=(0.5, 0.99), average=0.998)

    styles: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Styles to learn, such as `cuhk,fs2k-0`, from the column `style` of pairs.csv; the first is the default."""
    width: Annotated[int, Field(ge=2)] = 24
    """Channels of the generator's first level."""
    blocks: Annotated[int, Field(ge=0)] = 3
    """Residual blocks at the generator's smallest maps."""
    enlarge: Literal["nearest", "bilinear"] = "nearest"
    """How the generator doubles its maps: `bilinear` avoids a visible grid; version 0.1 used `nearest`."""
    discriminator_width: Annotated[int, Field(ge=1)] = 32
    """Channels of the discriminator's first layer."""
    l1_weight: Annotated[float, Field(ge=0)] = 10.0
    """Weight of the absolute difference."""
    edge_weight: Annotated[float, Field(ge=0)] = 5.0
    """Weight of the absolute difference of the gradients."""
    perceptual: Literal["alex", "vgg", "none"] = "alex"
    """Network for the perceptual loss; `none` needs no weights."""
    perceptual_weight: Annotated[float, Field(ge=0)] = 3.0
    """Weight of the perceptual loss."""
    adversarial_weight: Annotated[float, Field(ge=0)] = 0.5
    """Weight of the adversarial loss."""
    contrast: Annotated[float, Field(ge=1, le=2)] = 1.0
    """Factor that darkens finished sketches, since losses that average draw unknown faces too pale."""
    corrupt: Annotated[float, Field(ge=0, le=1)] = 1.0
    """How much training changes the light, colour, sharpness and background of sources; 0 leaves them alone."""
    rough: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the source sketches that training roughens: wobbly or broken lines, no shading."""
    colours: Annotated[tuple[Literal["skin", "hair", "background"], ...], BeforeValidator(_listed)] = ()
    """Colours to take as hints, such as `skin,hair,background`; only for sketch2photo of aligned faces."""
    critic: Literal["patch", "features"] = "patch"
    """What the discriminator sees: patches, or also the feature maps of the perceptual network."""

    @model_validator(mode="after")
    def _with_features(self) -> Self:
        if self.critic == "features" and self.perceptual == "none":
            raise ValueError("critic = features: needs a perceptual network; set perceptual to alex or vgg")
        return self


class PatchOptions(Family):
    """Options of every patch method; lengths are in pixels of a picture 256 pixels high."""

    study = False
    exemplars = True
    defaults = Defaults(epochs=1, batch_size=32, learning_rate=1e-3)

    patch: Annotated[int, Field(ge=2, le=128)] = 20
    """Side of a patch."""
    overlap: Annotated[int, Field(ge=0, le=127)] = 10
    """Pixels that neighbouring patches share."""
    radius: Annotated[int, Field(ge=0, le=64)] = 5
    """How far around a patch's own place to look for similar patches."""
    neighbours: Annotated[int, Field(ge=1, le=64)] = 5
    """How many training patches to take for each patch."""

    @model_validator(mode="after")
    def _below_a_patch(self) -> Self:
        if self.overlap >= self.patch:
            raise ValueError(f"overlap = {self.overlap}: must be less than patch = {self.patch}")
        return self


class LLEOptions(PatchOptions):
    """Weighted sums of the training patches most like each patch; nothing is learned by gradients."""

    title = "Locally linear patches"

    overlap: Annotated[int, Field(ge=0, le=127)] = 14
    """Pixels that neighbouring patches share."""
    regulariser: Annotated[float, Field(gt=0)] = 1e-3
    """Keeps weights small where patches are alike; a share of their squared distances."""


class MRFOptions(PatchOptions):
    """Training patches chosen by a Markov network and joined where the seam shows least."""

    title = "Markov network of patches"

    patch: Annotated[int, Field(ge=2, le=128)] = 14
    """Side of a patch."""
    overlap: Annotated[int, Field(ge=1, le=64)] = 7
    """Pixels that neighbouring patches share, at most half of a patch."""
    neighbours: Annotated[int, Field(ge=1, le=64)] = 10
    """Candidates for each patch."""
    smoothness: Annotated[float, Field(ge=0)] = 0.3
    """Weight of differences between neighbouring target patches; differences from the source weigh 1."""
    rounds: Annotated[int, Field(ge=0, le=1000)] = 30
    """Rounds of belief propagation."""

    @model_validator(mode="after")
    def _at_most_half(self) -> Self:
        if 2 * self.overlap > self.patch:
            raise ValueError(f"overlap = {self.overlap}: at most half of patch = {self.patch}")
        return self


class PencilOptions(Family):
    """The grey picture divided by its blur, as a colour dodge: result = grey / (1 - blur(1 - grey))."""

    title = "Pencil filter"
    learned = False
    directions = ("photo2sketch",)
    defaults = Defaults(epochs=1, batch_size=1, learning_rate=1e-3)

    sigma: Annotated[float, Field(gt=0)] = 5.0
    """Width of the blur, in pixels of a picture 256 high."""


FAMILIES: dict[str, type[Family]] = {
    "dense-ae": DenseAEOptions,
    "conv-ae": ConvAEOptions,
    "conv-vae": ConvVAEOptions,
    "pix2pix": Pix2PixOptions,
    "cyclegan": CycleGANOptions,
    "sparse-ae": SparseAEOptions,
    "cogan": CoGANOptions,
    "unit": UNITOptions,
    "portrait": PortraitOptions,
    "lle": LLEOptions,
    "mrf": MRFOptions,
    "pencil": PencilOptions,
}
