"""Every method by name. Nothing here imports PyTorch until a class is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from facesketch.config import Direction, MethodConfig, RunConfig, configure, explain
from facesketch.errors import ConfigError, nearest, require
from facesketch.methods.families import FAMILIES, Family
from facesketch.plugins import added, load

if TYPE_CHECKING:
    from facesketch.methods.base import Method

METHODS: dict[str, str] = {
    "dense-ae": "facesketch.methods.dense_ae:DenseAE",
    "conv-ae": "facesketch.methods.conv_ae:ConvAE",
    "conv-vae": "facesketch.methods.conv_vae:ConvVAE",
    "pix2pix": "facesketch.methods.pix2pix:Pix2Pix",
    "cyclegan": "facesketch.methods.cyclegan:CycleGAN",
    "sparse-ae": "facesketch.methods.sparse_ae:SparseAE",
    "cogan": "facesketch.methods.cogan:CoGAN",
    "unit": "facesketch.methods.unit:UNIT",
    "portrait": "facesketch.methods.portrait:Portrait",
    "lle": "facesketch.methods.lle:LLE",
    "mrf": "facesketch.methods.mrf:MRF",
    "pencil": "facesketch.methods.families:PencilOptions",
}
"""The class of each method that comes with the package, as `module:Class`, so that naming methods imports none.

Other distributions add theirs as entry points of the group `facesketch.methods`, written the same way.
"""


def list_methods() -> list[str]:
    """Return the names of all methods. This works without PyTorch.

    Examples:
        >>> import facesketch
        >>> "pix2pix" in facesketch.list_methods()
        True
    """
    return [*METHODS, *added("methods", METHODS)]


def family(name: str) -> type[Family]:
    """Return a method's title, defaults and options; built-in methods need no PyTorch for this.

    Raises:
        ConfigError: there is no such method, or its module cannot be imported.
    """
    return FAMILIES[name] if name in FAMILIES else method_class(name).Options


def method_class(name: str) -> type[Method]:
    """Return the class of a method that learns.

    Raises:
        ConfigError: there is no such method, its module cannot be imported, or it needs no training.
    """
    path = (added("methods") | METHODS).get(name)
    if path is None:
        raise ConfigError(f"unknown method '{name}'", nearest(name, list_methods(), "type: facesketch methods"))
    if name in FAMILIES and not FAMILIES[name].learned:
        raise ConfigError(f"{name} needs no training", "translate with it directly, by its name")
    require("train", f"method '{name}'")
    return load("method", name, path)


def untrained(name: str) -> bool:
    """Tell whether a name stands for a method that needs no training, rather than for a file."""
    return name in FAMILIES and not FAMILIES[name].learned and not Path(name).exists()


def resolve(config: RunConfig) -> RunConfig:
    """Return the settings with everything that the method decides filled in.

    Raises:
        ConfigError: an option that the method does not have, a value out of range, a direction that it does not learn,
            or `best_by="loss"` for a method without a loss.
    """
    name, train = config.method.name, config.train
    kind = family(name)
    try:
        options = kind.model_validate(config.method.options)
    except ValidationError as error:
        raise ConfigError(f"{name}: {explain(error, kind, settings=True)}") from error
    if config.direction not in kind.directions:
        raise ConfigError(f"{name} does not support {config.direction}", f"it supports {', '.join(kind.directions)}")
    if kind.exemplars and train.best_by == "loss":
        raise ConfigError(f"best_by = 'loss': {name} has no loss", "give ssim or mae")
    filled = {
        "epochs": train.epochs or (None if train.steps else kind.defaults.epochs),
        "batch_size": train.batch_size or kind.defaults.batch_size,
        "learning_rate": train.learning_rate or kind.defaults.learning_rate,
        "average": kind.defaults.average if train.average is None or kind.exemplars else train.average,
    }
    method = MethodConfig(name=name, **options.model_dump(mode="json", exclude_none=True))
    return config.model_copy(update={"method": method, "train": train.model_copy(update=filled)})


def without_paths(config: RunConfig) -> RunConfig:
    """Return settings that name no path of this machine, for files that are given away."""
    options = family(config.method.name).model_validate(config.method.options)
    paths = {name for name, value in options if isinstance(value, Path)}
    kept = {name: value for name, value in config.method.options.items() if name not in paths}
    method = MethodConfig(name=config.method.name, **kept)
    data = config.data.model_copy(update={"folder": None})
    train = config.train.model_copy(update={"start_from": None, "log": ()})
    return config.model_copy(update={"method": method, "data": data, "train": train})


def build(config: RunConfig, *, fresh: bool = True) -> Method:
    """Return a method for checked settings, its weights drawn from torch's global random state.

    Args:
        config: the resolved settings.
        fresh: False where weights will be loaded anyway: the files that the options name, such as a pretrained
            encoder's weights, are then not read and need not exist.
    """
    kind = method_class(config.method.name)
    options = kind.Options.model_validate(config.method.options)
    if not fresh:
        options = options.model_copy(update={name: None for name, value in options if isinstance(value, Path)})
    return kind(options, config.data, config.direction)


def create_model(name: str, *, direction: Direction = "photo2sketch", **settings: Any) -> Method:
    """Return a method with random weights, a `torch.nn.Module`.

    Examples:
        >>> import facesketch
        >>> import torch
        >>> model = facesketch.create_model("pix2pix", width=32, size=128)
        >>> model.translate(torch.zeros(1, 3, 128, 128), "photo2sketch").shape
        torch.Size([1, 1, 128, 128])

    Args:
        name: one of `list_methods()`.
        direction: what the model translates.
        **settings: options of the method; also `size`, `photo_channels` and `sketch_channels`.

    Raises:
        ConfigError: an unknown method or setting, or a value out of range.
        MissingExtraError: PyTorch is not installed.
    """
    require("train", "a model")
    return build(resolve(configure(name, {**settings, "direction": direction})))
