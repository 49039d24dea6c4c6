"""`facesketch train`: from a folder of pairs to a model."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from facesketch.cli.console import Quiet, note
from facesketch.config import AugmentConfig, DataConfig, Direction, TrainConfig, configure, read_toml
from facesketch.devices import is_first_process
from facesketch.errors import ConfigError, nearest, require


def train(
    method: str | None = None,
    /,
    *,
    data: Path | None = None,
    out: Path | None = None,
    direction: Direction | None = None,
    config: Path | None = None,
    resume: Path | None = None,
    quiet: Quiet = False,
    pictures: Annotated[DataConfig | None, Parameter(name="*", group="Pictures")] = None,
    augmentation: Annotated[AugmentConfig | None, Parameter(name="*", group="Augmentation")] = None,
    training: Annotated[TrainConfig | None, Parameter(name="*", group="Training", negative_iterable=())] = None,
    **options: Annotated[str, Parameter(group="The method's own options (see: facesketch methods NAME)")],
) -> None:
    """Train a method on a folder of pairs, or resume a training that was cut off.

    Args:
        method: A method's name, from `facesketch methods`.
        data: The folder of pairs. With --resume you need it only if the folder has moved.
        out: The run folder to make.
        direction: Direction to train: photo2sketch (default) or sketch2photo.
        config: A TOML file of settings; options on the command line override it.
        resume: A run folder to resume; no other option is needed. --epochs or --steps make a finished run longer;
            --precision, --workers, --threads, --devices and --compile change how the rest is computed.
    """
    sections = [part for part in (pictures, augmentation, training) if part is not None]
    given: dict[str, Any] = {name: getattr(part, name) for part in sections for name in part.model_fields_set}
    require("train", "training")
    from facesketch.training import trainer
    from facesketch.training.run_folder import summary

    if resume is not None:
        others = {"out": out, "direction": direction, "config": config}
        extra = [name for name in (*given, *options) if name not in trainer.CHANGEABLE]
        extra += [name for name, value in others.items() if value is not None]
        if extra or method is not None:
            flags = ", ".join([*(f"`{name}`" for name in extra), *filter(None, [method])])
            raise ConfigError("--resume uses the run's own settings", f"leave out {flags}")
        run = trainer.resume(resume, data=data, quiet=quiet, **given)
    elif out is None:
        raise ConfigError("no folder for the run", "give one with --out")
    else:
        settings = {**_known(method, config, options), **given}
        settings |= {} if data is None else {"folder": data}
        settings |= {} if direction is None else {"direction": direction}
        run = trainer.train(configure(method, settings, config), out, quiet=quiet)
    if not quiet and is_first_process():
        note(f"{summary(run)}; type: facesketch translate PICTURE --model {shlex.quote(str(run))} --out RESULT.png")


def _known(method: str | None, config: Path | None, options: dict[str, str]) -> dict[str, str]:
    """Return the method's own options under their names.

    Raises:
        ConfigError: an option that neither the verb nor the method has; the nearest one is suggested.
    """
    from facesketch.methods.families import FAMILIES
    from facesketch.methods.registry import family

    named = {key.replace("-", "_"): value for key, value in options.items()}
    if not named:
        return {}
    if method is None and config is not None:
        section = read_toml(config).get("method")
        method = section.get("name") if isinstance(section, dict) else None
    if not isinstance(method, str):
        return named  # that no method is named is said where the settings are put together
    own = list(family(method).model_fields)
    fixed = ["data", "out", "direction", "config", "resume", "quiet"]
    general = [
        name for part in (DataConfig, AugmentConfig, TrainConfig) for name in part.model_fields if name != "folder"
    ]
    for name in named:
        if name not in own:
            theirs = [other for other, kind in FAMILIES.items() if name in kind.model_fields]
            if theirs:
                flag = f"--{name.replace('_', '-')}"
                raise ConfigError(f"{flag} is an option of {', '.join(theirs)}, not of {method}", "leave it out")
            hint = nearest(name, [*own, *fixed, *general]).replace("_", "-").replace("'", "'--", 1)
            raise ConfigError(f"unknown option --{name.replace('_', '-')}", hint or "type: facesketch train --help")
    return named
