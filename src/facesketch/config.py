"""The tree of settings behind the TOML file, the flags and the header of a model file.

Every section is frozen and refuses unknown keys. Options that only one method has, such as its loss and widths, are
`MethodConfig.options` here. The method's own `Options` checks them when the method is looked up.
"""

from __future__ import annotations

import re
import reprlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from facesketch.errors import ConfigError, nearest
from facesketch.files import read_file

Direction = Literal["photo2sketch", "sketch2photo"]
Domain = Literal["photo", "sketch"]
_SHORT = reprlib.Repr()  # for values from a file, which may be long or deep
_SHORT.maxstring = _SHORT.maxother = 200
ENDS: dict[Direction, tuple[Domain, Domain]] = {
    "photo2sketch": ("photo", "sketch"),
    "sketch2photo": ("sketch", "photo"),
}
"""For each direction, what goes in and what comes out."""
DIRECTIONS: tuple[Direction, ...] = tuple(ENDS)


class Frozen(BaseModel):
    """A section of settings that cannot change; it refuses unknown keys and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class DataConfig(Frozen):
    """Which pictures to use, at what size, and how many to keep for validation."""

    folder: Path | None = None
    """The folder of pairs; `data check` shows how it is read."""
    layout: str = "auto"
    """How the folder is laid out; `auto` tries all known layouts."""
    size: Annotated[int, Field(ge=16, le=2048)] = 256
    """Side in pixels of the square that pictures are fitted into; they are never stretched."""
    photo_channels: Literal[1, 3] = 3
    """3 for colour photos, 1 for grey."""
    sketch_channels: Literal[1, 3] = 1
    """1 for grey sketches; 3 gives the parameter counts of the study."""
    validation: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.12
    """Share of the training subjects to keep for validation, if the data names none."""
    limit: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """Use at most this many training pairs, spread evenly over their names; 0 uses all. Other splits stay whole."""
    balance: bool = False
    """Draw equally often from each set, named in the column `set` of pairs.csv, no matter how many pairs it has."""
    faces: bool = False
    """The pictures are aligned faces: training fills black corners, and translation aligns each picture first."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Processes that prepare batches; 0 prepares them in the training process."""

    def channels(self, domain: Domain) -> int:
        """Return the channel count of photos or of sketches."""
        return self.photo_channels if domain == "photo" else self.sketch_channels


class AugmentConfig(Frozen):
    """Random changes, the same for both pictures of a pair; only the photo's light changes."""

    augment: bool = True
    """Change pairs at random."""
    flip: bool = True
    """Mirror half of the pairs left to right."""
    rotate: Annotated[float, Field(ge=0, le=180)] = 4.0
    """Largest turn, in degrees."""
    zoom: Annotated[float, Field(ge=0, lt=0.9)] = 0.05
    """Largest change of scale, as a share."""
    shift: Annotated[float, Field(ge=0, lt=0.9)] = 0.04
    """Largest shift, as a share of the side."""
    elastic: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Largest elastic shift of individual points, as a share of the side; it changes the shape of faces."""
    light: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Largest change of a photo's brightness and contrast, as a share."""


class TrainConfig(Frozen):
    """How long to train, how fast and where. `None` takes the method's own value."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Passes over the training pairs."""
    steps: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """Optimiser steps, instead of epochs."""
    start_from: Path | None = None
    """Run folder or model file of the same method to start from; `portrait` also takes photo2sketch or sketch2photo."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """Pairs per step and process."""
    accumulate: Annotated[int, Field(ge=1, le=65_536)] = 1
    """Number of batches whose gradients are added up before a step."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Step size of Adam."""
    clip: Annotated[float, Field(gt=0)] | None = None
    """Largest norm of a phase's gradients; larger gradients are scaled down."""
    average: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Decay of the running average of the weights, which becomes the model; it starts lower. 0 keeps no average."""
    schedule: Literal["constant", "linear"] = "constant"
    """How the learning rate changes; `linear` lets it fall to zero over the second half."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of the weights, the data order, the augmentation and the noise."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format to compute in; `auto` takes bf16 if the processor or GPU computes in it."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train."""
    devices: Annotated[int, Field(ge=1, le=1024)] = 1
    """Processes that share the work on this machine, each with its own GPU if there are GPUs."""
    strategy: Literal["auto", "ddp"] = "auto"
    """`ddp` averages gradients over the processes; `auto` uses it if there are several."""
    compile: bool = False
    """Compile the networks with `torch.compile`: the first steps take minutes, later ones are faster."""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Number of CPU threads; by default one for each processor that no other program uses at the start."""
    best_by: Literal["ssim", "mae", "loss"] = "ssim"
    """The validation metric that decides which weights are best."""
    samples: Annotated[int, Field(ge=0, le=64)] = 4
    """Validation pictures on each sample sheet."""
    sample_every: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    """Epochs between two sample sheets."""
    log: tuple[Literal["tensorboard", "wandb", "csv"], ...] = ()
    """Where to log besides the run's own log.jsonl; may be repeated."""
    checkpoint_seconds: Annotated[float, Field(ge=0, le=1e9)] = 60.0
    """Save a state this often, in seconds, or less often if saving takes long; 0 saves after every step."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("epochs and steps both set the length; give only one")
        return self


class MethodConfig(BaseModel):
    """The name of a method, followed by the method's own options."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str

    @property
    def options(self) -> dict[str, Any]:
        """Return the method's own options, unchecked."""
        return dict(self.model_extra or {})


_RENAMED = {"augment": {"bend": "elastic"}, "train": {"select": "best_by"}, "method": {"disguise": "corrupt"}}
"""Names that some keys had in version 0.1, by section."""


class RunConfig(Frozen):
    """Everything that decides what a run learns."""

    method: MethodConfig
    direction: Direction = "photo2sketch"
    data: DataConfig = DataConfig()
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, value: Any) -> Any:
        """Read the settings in files that version 0.1 wrote."""
        if not isinstance(value, dict):
            return value
        sections = {name: value[name] for name in _RENAMED if isinstance(value.get(name), dict)}
        value = value | {
            name: {_RENAMED[name].get(key, key): item for key, item in section.items()}
            for name, section in sections.items()
        }
        method, train = value.get("method"), value.get("train", {})
        if isinstance(method, dict) and method.get("name") == "portrait" and isinstance(train, dict):
            moved = {key: item for key, item in method.items() if key == "average"}  # once an option of this method
            value |= {"method": {k: v for k, v in method.items() if k not in moved}, "train": moved | train}
        return value


def parse(value: dict[str, Any], origin: str) -> RunConfig:
    """Check a nested dictionary and return the settings.

    Args:
        value: sections as in the TOML file.
        origin: what to name in errors, such as the file's path.

    Raises:
        ConfigError: an unknown key (the nearest known one is named) or a value out of range.
    """
    try:
        return RunConfig.model_validate(value)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {explain(error, RunConfig, settings=True)}") from error


SECTIONS: dict[str, type[Frozen]] = {"data": DataConfig, "augment": AugmentConfig, "train": TrainConfig}


def configure(method: str | None, settings: dict[str, Any], file: Path | None = None) -> RunConfig:
    """Sort flat settings into their sections, over those of a TOML file, and check them.

    Args:
        method: the method's name, or None to take the file's.
        settings: `direction`, keys of any section, and options of the method.
        file: a TOML file of values that `settings` override.

    Raises:
        ConfigError: no method is named, a key is unknown, or a value is out of range.
    """
    if method is not None and "name" in settings:
        raise ConfigError("unknown key 'name'", "the method is named by the first argument")
    value = read_toml(file) if file else {}
    for name in (*SECTIONS, "method"):
        if not isinstance(value.get(name, {}), dict):
            raise ConfigError(f"{file}: {name} = {value[name]!r}", f"expected a section of keys, [{name}]")
    sections = {name: dict(value.get(name, {})) for name in (*SECTIONS, "method")}
    if {"epochs", "steps"} & settings.keys():  # a length given now replaces the file's, whichever it was
        sections["train"] = {key: item for key, item in sections["train"].items() if key not in {"epochs", "steps"}}
    for key, item in settings.items():
        if key == "direction":
            value[key] = item
        else:
            section = next((name for name, model in SECTIONS.items() if key in model.model_fields), "method")
            sections[section][key] = item
    if method is not None:
        sections["method"]["name"] = method
    if "name" not in sections["method"]:
        raise ConfigError("no method named", "type one of the names that 'facesketch methods' lists")
    return parse(value | sections, str(file or "settings"))


def explain(error: ValidationError, model: type[BaseModel], *, settings: bool = False) -> str:
    """Turn pydantic's first complaint into one line.

    Args:
        error: what pydantic raised.
        model: what it checked.
        settings: whether that is a part of the settings, whose other keys it may be mistaken for.
    """
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        *path, key = map(str, first["loc"])
        known, others = _keys(model, path), list[str]()
        if settings:
            home = next((name for name, section in SECTIONS.items() if key in section.model_fields), None)
            if home is not None:
                return f"unknown key '{where}'; it belongs in the section [{home}]"
            others = [] if model is RunConfig else [each for kind in SECTIONS.values() for each in kind.model_fields]
        near = nearest(key, [*known, *others])  # in Python, `train` takes the keys of all sections
        return f"unknown key '{where}'; {near or 'known: ' + ', '.join(sorted(known))}"
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        near = nearest(first["input"][:100], re.findall(r"'([^']+)'", message))
        message += f"; {near}" if near else ""
    if where and first["type"] != "missing":
        return f"{where} = {_SHORT.repr(first['input'])}: {message}"
    return f"{where}: {message}".lstrip(": ")


def _keys(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        field = model.model_fields.get(part)
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return []
        model = field.annotation
    return list(model.model_fields)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file into a nested dictionary.

    Raises:
        ConfigError: the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(read_file(path).decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "error").lower() if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"{path}: cannot be read ({reason})", "give a TOML file with `config`") from error
    except ValueError as error:  # also a number of thousands of digits
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply", "give a TOML file with sections of keys") from error


def to_toml(config: RunConfig) -> str:
    """Return the settings as TOML; `parse(tomllib.loads(...))` reads the same settings back."""
    import tomli_w

    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
