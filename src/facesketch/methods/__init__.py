"""The families of models, one file each, and the dictionary that names them."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from facesketch.config import MethodConfig, RunConfig, explain
from facesketch.data.datasets import Batch
from facesketch.errors import ConfigError, nearest
from facesketch.methods.base import Defaults, Method, Phase
from facesketch.methods.conv_ae import ConvAE
from facesketch.methods.conv_vae import ConvVAE
from facesketch.methods.cyclegan import CycleGAN
from facesketch.methods.dense_ae import DenseAE
from facesketch.methods.pencil import Pencil
from facesketch.methods.pix2pix import Pix2Pix
from facesketch.methods.portrait import Portrait

METHODS: dict[str, type[Method]] = {
    "dense-ae": DenseAE,
    "conv-ae": ConvAE,
    "conv-vae": ConvVAE,
    "pix2pix": Pix2Pix,
    "cyclegan": CycleGAN,
    "portrait": Portrait,
    "pencil": Pencil,
}

__all__ = ["METHODS", "Batch", "Defaults", "Method", "Phase", "build", "method_class", "needs", "resolve"]


def method_class(name: str) -> type[Method]:
    """Return the class of a method.

    Raises:
        ConfigError: there is none of that name; the nearest is suggested.
    """
    if name not in METHODS:
        raise ConfigError(f"unknown method '{name}'{nearest(name, METHODS, 'type: facesketch methods')}")
    return METHODS[name]


def resolve(config: RunConfig) -> RunConfig:
    """Return the settings with everything the method decides filled in, so that a run's file leaves nothing open.

    Raises:
        ConfigError: an option that the method does not have, a value out of range, or a direction it cannot learn.
    """
    kind = method_class(config.method.name)
    try:
        options = kind.Options.model_validate(config.method.options)
    except ValidationError as error:
        raise ConfigError(f"{config.method.name}: {explain(error, kind.Options)}") from error
    if config.direction not in kind.directions:
        raise ConfigError(f"{config.method.name} cannot do {config.direction}; it does {', '.join(kind.directions)}")
    train, defaults = config.train, kind.defaults
    filled = {
        "epochs": train.epochs or (None if train.steps else defaults.epochs),
        "batch_size": train.batch_size or defaults.batch_size,
        "learning_rate": train.learning_rate or defaults.learning_rate,
    }
    method = MethodConfig(name=config.method.name, **options.model_dump(mode="json", exclude_none=True))
    return config.model_copy(update={"method": method, "train": train.model_copy(update=filled)})


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
