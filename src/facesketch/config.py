"""The tree of settings behind the TOML file, the flags and the header of a model file.

Every section is frozen and refuses unknown keys. The options of one method alone (its loss, its widths) are
`MethodConfig.options` here, and are checked by the method's own `Options` when it is looked up.
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
DIRECTIONS: tuple[Direction, ...] = ("photo2sketch", "sketch2photo")


class Frozen(BaseModel):
    """A section of settings that cannot change, with no unknown keys and only finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class DataConfig(Frozen):
    """Which pictures, at what size, and how many are kept for validation."""

    folder: Path | None = None
    """The folder of pairs; `data check` shows how it is read."""
    layout: str = "auto"
    """How the folder is laid out; `auto` tries the known ones."""
    size: Annotated[int, Field(ge=16, le=2048)] = 256
    """Pixels of the square frame that pictures are fitted into, never stretched."""
    photo_channels: Literal[1, 3] = 3
    """3 for colour photos, 1 for grey."""
    sketch_channels: Literal[1, 3] = 1
    """1 for grey sketches, 3 for the study's counts."""
    validation: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.12
    """Share of the training subjects kept for validation, when the data names none itself."""
    limit: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """Most training pairs, spread evenly over their names; 0 for all. Validation and test stay whole."""
    balance: bool = False
    """Draw from each set equally often, by the column `set` of pairs.csv, however many pairs it has."""
    faces: bool = False
    """The pictures are faces of the frame: black corners are filled, and translation aligns what it is given."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Processes that prepare batches; 0 prepares them in the training process."""

    def channels(self, domain: Domain) -> int:
        """Return the channel count of photos or of sketches."""
        return self.photo_channels if domain == "photo" else self.sketch_channels


class AugmentConfig(Frozen):
    """One random draw per pair, the same for photo and sketch; light touches the photo alone."""

    augment: bool = True
    """Draw at all."""
    flip: bool = True
    """Mirror every second picture left to right."""
    rotate: Annotated[float, Field(ge=0, le=180)] = 4.0
    """Largest turn, in degrees."""
    zoom: Annotated[float, Field(ge=0, lt=0.9)] = 0.05
    """Largest change of scale, as a share."""
    shift: Annotated[float, Field(ge=0, lt=0.9)] = 0.04
    """Largest shift, as a share of the side."""
    elastic: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Largest elastic shift of single places, as a share of the side; it changes the shape of faces."""
    light: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Largest change of a photo's brightness and contrast, as a share."""


class TrainConfig(Frozen):
    """How long, how fast and where. `None` takes the method's own value."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Passes over the training pairs."""
    steps: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """Optimiser steps, instead of epochs."""
    start_from: Path | None = None
    """A run folder or model file of the same method to start from; for portrait also photo2sketch or sketch2photo."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """Pairs per step and process."""
    accumulate: Annotated[int, Field(ge=1, le=65_536)] = 1
    """Batches whose gradients are added up before a step."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Step size of Adam."""
    clip: Annotated[float, Field(gt=0)] | None = None
    """Largest norm of the gradients of a phase; larger ones are scaled down."""
    average: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Share of a running average of the weights that a step keeps, less of it at first; the average is the model."""
    schedule: Literal["constant", "linear"] = "constant"
    """`linear` falls to zero over the second half."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of the weights, the data order, the augmentation and the noise."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` takes bf16 where the processor or GPU computes in it."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train."""
    devices: Annotated[int, Field(ge=1, le=1024)] = 1
    """Processes that share the work on this machine, each with a GPU of its own where there are GPUs."""
    strategy: Literal["auto", "ddp"] = "auto"
    """`ddp` averages gradients over the processes; `auto` does so if there are several."""
    compile: bool = False
    """Compile the networks with `torch.compile`: the first steps take minutes, and the others less time."""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Threads that compute on a CPU; by default one for each processor that no other program uses at the start."""
    best_by: Literal["ssim", "mae", "loss"] = "ssim"
    """The validation figure that decides which weights are the best."""
    samples: Annotated[int, Field(ge=0, le=64)] = 4
    """Validation pictures on each sample sheet."""
    sample_every: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    """Epochs between two sample sheets."""
    log: tuple[Literal["tensorboard", "wandb", "csv"], ...] = ()
    """Where to log beside the run's own log.jsonl; may be given several times."""
    checkpoint_seconds: Annotated[float, Field(ge=0, le=1e9)] = 60.0
    """Most seconds of work that a cut-off training loses, if a state is written in a twentieth of it; 0 keeps all."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("epochs and steps both set the length; give one of them")
        return self


class MethodConfig(BaseModel):
    """The name of a method, and beside it that method's own options."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str

    @property
    def options(self) -> dict[str, Any]:
        """Return the method's own options, unchecked."""
        return dict(self.model_extra or {})


_RENAMED = {"augment": {"bend": "elastic"}, "train": {"select": "best_by"}, "method": {"disguise": "corrupt"}}
"""What version 0.1 called some keys, by section."""


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
        origin: what errors name, such as the file's path.

    Raises:
        ConfigError: an unknown key (the nearest known one is named) or a value out of range.
    """
    try:
        return RunConfig.model_validate(value)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {explain(error, RunConfig)}") from error


SECTIONS: dict[str, type[Frozen]] = {"data": DataConfig, "augment": AugmentConfig, "train": TrainConfig}


def configure(method: str | None, settings: dict[str, Any], file: Path | None = None) -> RunConfig:
    """Sort flat settings into their sections, over those of a TOML file, and check them.

    Args:
        method: the method's name, or None to take the file's.
        settings: `direction`, keys of any section, and otherwise options of the method.
        file: a TOML file of values that `settings` override.

    Raises:
        ConfigError: no method named, an unknown key or a value out of range.
    """
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
        raise ConfigError("no method named", "type one of those that 'facesketch methods' lists")
    return parse(value | sections, str(file or "settings"))


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Turn pydantic's first complaint into one line."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _keys(model, [str(part) for part in first["loc"][:-1]])
        others = [] if model is RunConfig else [key for section in SECTIONS.values() for key in section.model_fields]
        near = nearest(str(first["loc"][-1]), [*known, *others])  # in Python, `train` takes the keys of all sections
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
        return tomllib.loads(read_file(path).decode())
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "error").lower() if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"{path}: cannot be read ({reason})", "give a TOML file with `config`") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply", "give a TOML file with sections of keys") from error


def to_toml(config: RunConfig) -> str:
    """Return the settings as TOML that `parse(tomllib.loads(...))` reads back to the same settings."""
    import tomli_w

    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
