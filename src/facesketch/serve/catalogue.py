"""The models of a server: the package's own and those it was started with, each loaded once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facesketch.config import DIRECTIONS, Direction
from facesketch.errors import ResourceError, nearest
from facesketch.inference.translator import Translator, load
from facesketch.serve.problems import ProblemError
from facesketch.serve.schemas import Model
from facesketch.serve.settings import Settings
from facesketch.weights import shipped


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model that requests can name.

    Attributes:
        about: its name, and what it does.
        translators: by the direction they serve.
    """

    about: Model
    translators: Mapping[Direction, Translator]

    def translator(self, direction: Direction) -> Translator:
        """Return the translator of a direction.

        Raises:
            ProblemError: 400, the model does not serve it.
        """
        if direction not in self.translators:
            served = " and ".join(self.translators)
            raise ProblemError(
                400, f"The model {self.about.id} translates {served}, not {direction}.", "Ask for another model."
            )
        return self.translators[direction]


class Catalogue:
    """The models of a server.

    Args:
        offered: the first one is the default.
    """

    def __init__(self, offered: Sequence[ServedModel]) -> None:
        self._offered = {each.about.id: each for each in offered}

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._offered.values())

    def __getitem__(self, name: str | None) -> ServedModel:
        """Return the model with this id; for None, the default.

        Raises:
            ProblemError: 400, no model has this id.
        """
        if name is None:
            return next(iter(self))
        if name not in self._offered:
            hint = f"See /v1/models. {nearest(name, self._offered).capitalize()}".rstrip()
            raise ProblemError(400, "There is no model with this id.", hint)
        return self._offered[name]


def load_catalogue(settings: Settings) -> Catalogue:
    """Load the package's own models and those of the settings.

    Raises:
        CheckpointError: a model file is missing, damaged or not a facesketch model.
        ConfigError: the engine cannot run a model.
        ResourceError: the device is not there.
    """
    device = "cpu" if settings.device == "mps" else settings.device  # ONNX Runtime has no MPS
    try:
        own = {direction: load(shipped.path(direction), device=device) for direction in DIRECTIONS}
    except ResourceError:  # PyTorch may have a device that ONNX Runtime lacks
        if not settings.models:
            raise
        own = {direction: load(shipped.path(direction), device="cpu") for direction in DIRECTIONS}
    offered = [offer("portrait", "Portrait (comes with facesketch)", own, default=True)]
    for name in settings.models:
        translator = load(name, device=settings.device, engine=settings.engine)
        title = f"{translator.config.method.name} · {_stem(name)}" if Path(name).exists() else name
        name = _free(_slug(_stem(name)), offered)
        offered.append(offer(name, title, dict.fromkeys(translator.directions, translator)))
    return Catalogue(offered)


def offer(name: str, title: str, translators: Mapping[Direction, Translator], *, default: bool = False) -> ServedModel:
    """Return a model to serve; requests name it by `name`, and people see `title`."""
    for translator in translators.values():
        translator.name = name  # messages name a model as requests do, never by its path
        _ = translator.finer  # loaded now, and not by the first request
    needs = {direction: each.preprocessing for direction, each in translators.items()}
    first = next(iter(needs.values()))
    about = Model(
        id=name,
        title=title,
        directions=list(needs),
        styles={direction: list(each.styles) for direction, each in needs.items()},
        sizes={direction: list(each.sizes) for direction, each in translators.items()},
        colours=list(dict.fromkeys(part for each in needs.values() for part in each.colours)),
        faces=any(each.faces is not None for each in needs.values()),
        native=all(each.frame is None for each in needs.values()),
        size=first.frame or first.longest_side,
        default=default,
    )
    return ServedModel(about, translators)


def _stem(name: str) -> str:
    path = Path(name).resolve() if Path(name).exists() else Path(name)
    return path.stem if path.is_file() else path.name


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"


def _free(name: str, offered: Sequence[ServedModel]) -> str:
    taken = {each.about.id for each in offered}
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)
