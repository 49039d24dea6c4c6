"""The models of a server: the package's own and those it was started with, each loaded once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facesketch.config import DIRECTIONS, Direction
from facesketch.errors import nearest
from facesketch.faces.colours import Part
from facesketch.inference.translator import Translator, load
from facesketch.serve.problems import ProblemError
from facesketch.serve.settings import Settings
from facesketch.weights import shipped


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model that requests can name.

    Attributes:
        id: its name in requests.
        title: its name for people.
        translators: by the direction they serve.
    """

    id: str
    title: str
    translators: Mapping[Direction, Translator]

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions it serves."""
        return tuple(self.translators)

    @property
    def styles(self) -> tuple[str, ...]:
        """Its styles, of all directions."""
        return tuple(dict.fromkeys(style for each in self.translators.values() for style in each.preprocessing.styles))

    @property
    def colours(self) -> tuple[Part, ...]:
        """The colours that it takes, of all directions."""
        return tuple(dict.fromkeys(part for each in self.translators.values() for part in each.preprocessing.colours))

    @property
    def aligns(self) -> bool:
        """Whether it was trained on framed faces."""
        return any(each.preprocessing.faces is not None for each in self.translators.values())

    @property
    def size(self) -> int | None:
        """Pixels of the longer side that it works at; None for the picture's own."""
        first = next(iter(self.translators.values())).preprocessing
        return first.frame or first.longest_side

    def translator(self, direction: Direction) -> Translator:
        """Return the translator of a direction.

        Raises:
            ProblemError: 400, the model does not serve it.
        """
        if direction not in self.translators:
            served = " and ".join(self.directions)
            raise ProblemError(400, f"The model {self.id} does {served}, not {direction}.", "Ask for another model.")
        return self.translators[direction]


class Catalogue:
    """The models of a server.

    Args:
        offered: the first one is the default.
    """

    def __init__(self, offered: Sequence[ServedModel]) -> None:
        self._offered = {each.id: each for each in offered}
        self.default = offered[0]

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._offered.values())

    def __getitem__(self, name: str | None) -> ServedModel:
        """Return a model by its id; the default without one.

        Raises:
            ProblemError: 400, there is none of this id.
        """
        if name is None:
            return self.default
        if name not in self._offered:
            hint = f"See /v1/models. {nearest(name, self._offered).capitalize()}".rstrip()
            raise ProblemError(400, "There is no model with this id.", hint)
        return self._offered[name]


def load_catalogue(settings: Settings) -> Catalogue:
    """Load the package's own models and those that were named.

    Raises:
        CheckpointError: a model is missing, torn or foreign.
        ConfigError: an engine that cannot run one.
        ResourceError: the device is not there.
    """
    device = "cpu" if settings.device == "mps" else settings.device  # ONNX Runtime has no MPS
    own = {direction: load(shipped.path(direction), device=device) for direction in DIRECTIONS}
    offered = [_offered("portrait", "Portrait, comes with facesketch", own)]
    for name in settings.models:
        translator = load(name, device=settings.device, engine=settings.engine)
        title = f"{translator.config.method.name} · {_stem(name)}" if Path(name).exists() else name
        name = _free(_slug(_stem(name)), offered)
        offered.append(_offered(name, title, dict.fromkeys(translator.directions, translator)))
    return Catalogue(offered)


def _offered(name: str, title: str, translators: Mapping[Direction, Translator]) -> ServedModel:
    for translator in translators.values():
        translator.name = name  # messages name a model as requests do, never by its place on the disk
    return ServedModel(name, title, translators)


def _stem(name: str) -> str:
    path = Path(name).resolve() if Path(name).exists() else Path(name)
    return path.stem if path.is_file() else path.name


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"


def _free(name: str, offered: Sequence[ServedModel]) -> str:
    taken = {each.id for each in offered}
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)
