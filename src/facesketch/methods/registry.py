"""The families of models, one file each, and the dictionary that names them."""

from __future__ import annotations

from pathlib import Path

from facesketch.config import RunConfig
from facesketch.data.datasets import Batch
from facesketch.errors import ConfigError
from facesketch.methods.base import Method, Phase
from facesketch.methods.cogan import CoGAN
from facesketch.methods.conv_ae import ConvAE
from facesketch.methods.conv_vae import ConvVAE
from facesketch.methods.cyclegan import CycleGAN
from facesketch.methods.dense_ae import DenseAE
from facesketch.methods.families import family, resolve
from facesketch.methods.lle import LLE
from facesketch.methods.mrf import MRF
from facesketch.methods.pix2pix import Pix2Pix
from facesketch.methods.portrait import Portrait
from facesketch.methods.sparse_ae import SparseAE
from facesketch.methods.unit import UNIT

METHODS: dict[str, type[Method]] = {
    "dense-ae": DenseAE,
    "conv-ae": ConvAE,
    "conv-vae": ConvVAE,
    "pix2pix": Pix2Pix,
    "cyclegan": CycleGAN,
    "sparse-ae": SparseAE,
    "cogan": CoGAN,
    "unit": UNIT,
    "portrait": Portrait,
    "lle": LLE,
    "mrf": MRF,
}

__all__ = ["METHODS", "Batch", "Method", "Phase", "build", "method_class", "needs", "resolve"]


def method_class(name: str) -> type[Method]:
    """Return the class of a method that learns.

    Raises:
        ConfigError: there is none of that name, the nearest being suggested, or it needs no training.
    """
    if not family(name).learned:
        raise ConfigError(f"{name} needs no training", f"type: facesketch translate PHOTO --model {name} `out` SKETCH")
    return METHODS[name]


def build(config: RunConfig, *, fresh: bool = True) -> Method:
    """Return a method for checked settings, its weights drawn from torch's global random state.

    Args:
        config: the resolved settings.
        fresh: False when weights will be loaded anyway: files that the options name, such as those of a pretrained
            encoder, are then not read and need not exist any more.
    """
    kind = method_class(config.method.name)
    options = kind.Options.model_validate(config.method.options)
    if not fresh:
        options = options.model_copy(update={name: None for name, value in options if isinstance(value, Path)})
    return kind(options, config.data, config.direction)


def needs(config: RunConfig) -> tuple[str, ...]:
    """Name the third-party weights that training with these settings reads."""
    kind = method_class(config.method.name)
    return kind.needs(kind.Options.model_validate(config.method.options))
