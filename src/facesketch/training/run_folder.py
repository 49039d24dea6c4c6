"""The run folder: what it holds, and how it is made and reopened."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from facesketch.checkpoints.checkpoint import start
from facesketch.checkpoints.header import BEST, WEIGHTS
from facesketch.config import RunConfig, parse, read_toml, to_toml
from facesketch.data.index import index
from facesketch.data.pairs import SIDES, Pair
from facesketch.data.split import Split, split
from facesketch.errors import CheckpointError, ConfigError, DataError
from facesketch.files import read_json, write_json, write_text
from facesketch.methods.registry import build, method_class, resolve
from facesketch.training.log import LOG, Course
from facesketch.training.state import COMING, PREVIOUS, STATE
from facesketch.weights import shipped

CONFIG, ENVIRONMENT, SAMPLES = "config.toml", "environment.json", "samples"
_PACKAGES = ("facesketch", "torch", "lightning-fabric", "numpy", "pillow", "safetensors", "torchmetrics")


def begin(config: RunConfig, out: Path) -> RunConfig:
    """Return the complete settings of a new run, after checking that it can begin in `out`; nothing is written yet.

    Raises:
        CheckpointError: the weights to start from are missing or damaged.
        ConfigError: an unknown option, a method that needs no training, weights of another model to start from, or a
            folder that holds a run.
    """
    config = resolve(config)
    method_class(config.method.name)  # refuses one that needs no training
    data, settings, source = config.data, config.train, config.train.start_from
    if data.folder is None:
        raise ConfigError("no pictures to learn from", "give their folder with `data`")
    if any((out / name).exists() for name in (STATE, COMING, PREVIOUS, WEIGHTS, BEST)):
        raise ConfigError(f"{out}: already holds a run", f"go on with `resume` {out}, or give another `out`")
    if source is not None:
        start(build(config, fresh=False), source)
        source = source if shipped.own(source) else source.resolve()
    data = data.model_copy(update={"folder": data.folder.resolve()})  # a run is resumed from anywhere
    settings = settings.model_copy(update={"start_from": source})
    return config.model_copy(update={"data": data, "train": settings})


def write_config(config: RunConfig, out: Path) -> None:
    """Write the settings of a run as `config.toml`."""
    write_text(out / CONFIG, to_toml(config))


def reopen(out: Path) -> RunConfig:
    """Return the settings of a run that exists.

    Raises:
        CheckpointError: the folder holds no run.
    """
    if not (out / CONFIG).exists():
        raise CheckpointError(f"{out}: no {CONFIG} in it, so not a run", "give the `out` folder of a training")
    return parse(read_toml(out / CONFIG), str(out / CONFIG))


def read_split(config: RunConfig) -> Split:
    """Return the pairs that a run may see, split by subject.

    Raises:
        DataError: no photo has a sketch, or nothing is left to train on.
        ConfigError: `balance` without sets.
    """
    assert config.data.folder is not None, "a run has a folder"
    parts = split(index(config.data.folder, config.data.layout).pairs, validation=config.data.validation)
    if 0 < config.data.limit < len(parts.train):
        step = len(parts.train) / config.data.limit
        parts = replace(parts, train=tuple(parts.train[int(place * step)] for place in range(config.data.limit)))
    if config.data.balance and not any(pair.attributes.get("set") for pair in parts.train):
        raise ConfigError("`balance` draws evenly from sets, but no pair names one", "add a column set to pairs.csv")
    if not parts.train:
        raise DataError(f"{config.data.folder}: no training pairs", f"type: facesketch data check {config.data.folder}")
    return parts


def describe(parts: Split, device: str, precision: str) -> dict[str, Any]:
    """Return the content of `environment.json`: versions, machine, fingerprint of the data and hashes of the split."""
    versions: dict[str, str | None] = dict.fromkeys(_PACKAGES)
    for name in versions:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "packages": versions,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "device": device,
        "precision": precision,
        "data": fingerprint([*parts.train, *parts.validation]),
        "pairs": {side: len(parts.side(side)) for side in SIDES},
        "split": {side: parts.hash(side) for side in SIDES},
    }


def fingerprint(pairs: Sequence[Pair]) -> str:
    """Return a sha256 over the stems and the bytes of every picture that training or validation reads."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(pair.stem.encode() + b"\0")
        for source in (pair.photo, pair.sketch):
            digest.update(hashlib.sha256(source.path.read_bytes()).digest())
    return digest.hexdigest()


def record(out: Path, config: RunConfig, environment: dict[str, Any]) -> None:
    """Write `environment.json`, or if it exists, check that the data are still the same.

    Raises:
        CheckpointError: it is damaged.
        DataError: pictures or split have changed since the run began.
    """
    path = out / ENVIRONMENT
    if not path.exists():
        write_json(path, environment)
        return
    try:
        before = read_json(path)
    except (OSError, ValueError) as error:
        hint = "remove it, or train again with another `out`"
        raise CheckpointError(f"{path}: damaged ({error})", hint) from error
    if (before.get("data"), before.get("split")) != (environment["data"], environment["split"]):
        raise DataError(
            f"{config.data.folder}: the pictures or their split have changed since {out} began",
            "give the original folder with `data`, or train again with another `out`",
        )


def finished(out: Path) -> bool:
    """Tell whether a run has ended, and is as long as its settings say: they may have been made longer since."""
    last = Course.read(out / LOG).last
    if last.get("event") != "end" or not (out / WEIGHTS).exists():
        return False
    asked = reopen(out).train
    return bool(last["epoch"] >= (asked.epochs or 0) and last["step"] >= (asked.steps or 0))


def summary(out: Path) -> str:
    """Return one line about a run: which epoch is best, and by what."""
    epochs = Course.read(out / LOG).epochs
    best = next((line for line in reversed(epochs) if line["best"]), None)
    if best is None:
        return f"{out}: no validation"
    return f"{out}: best at epoch {best['epoch']} of {epochs[-1]['epoch']} ({best['why']})"
