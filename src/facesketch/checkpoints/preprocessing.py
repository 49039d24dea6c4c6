"""How pictures are prepared for a model, as its header says."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from facesketch.config import Direction, Frozen
from facesketch.errors import ConfigError, nearest
from facesketch.faces.colours import Colours, Part, numbers
from facesketch.faces.frame import FaceFrame

_LARGEST = 1 << 16  # pixels a side, so that no header makes a picture larger than memory


class Preprocessing(Frozen):
    """All that a program in any language must know to use a model's weights; the model's header holds it."""

    range: tuple[float, float] = (-1.0, 1.0)
    """The values of black and white."""
    colour: Literal["rgb"] = "rgb"
    """Order of the channels."""
    photo_channels: Literal[1, 3]
    """3 for colour photos, 1 for grey."""
    sketch_channels: Literal[1, 3]
    """1 for grey sketches."""
    longest_side: Annotated[int, Field(ge=1, le=_LARGEST)] | None
    """Pixels that a picture's longer side is shrunk to, as in training; None keeps its size."""
    frame: Annotated[int, Field(ge=1, le=_LARGEST)] | None
    """Side of the square that a network of fixed size takes; None where any size fits."""
    multiple: Annotated[int, Field(ge=1, le=_LARGEST)]
    """Both sides of a picture must be multiples of this."""
    padding: Literal["mirrored, centred"] = "mirrored, centred"
    """How a picture is brought to the frame or to the next multiple."""
    directions: Annotated[tuple[Direction, ...], Field(min_length=1)]
    """What the model translates."""
    styles: tuple[str, ...] = ()
    """The styles that it has learned; the first is the default."""
    colours: tuple[Part, ...] = ()
    """The parts whose colour it takes as a hint."""
    faces: FaceFrame | None = None
    """The frame of the faces that it learned from, and so takes; None for pictures of any framing.

    A model of faces learned from pictures whose black corners were filled, so yours must be filled too.
    """

    @field_validator("faces", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        """Refuse an incomplete frame: defaults would stand in for the rest."""
        names = {field.name for field in fields(FaceFrame)}
        if isinstance(value, dict) and value.keys() != names:
            raise ValueError(f"expected {', '.join(sorted(names))}")
        return value

    def source_channels(self, direction: Direction) -> int:
        """Return the channels of what goes in."""
        return self.photo_channels if direction == "photo2sketch" else self.sketch_channels

    def conditions(self, style: str | None, colours: Colours, count: int) -> NDArray[np.float32]:
        """Return what `count` pictures are drawn with: (count, S + T).

        The first S are one at a style, the first when none is named, and zero elsewhere. The others are the numbers of
        the colours, as `faces.colours.numbers` writes them.

        Raises:
            ConfigError: the model has no such style, or takes no such colour.
        """
        name = self.styles[0] if style is None and self.styles else style
        if name is not None and name not in self.styles:
            known = "known: " + ", ".join(self.styles) if self.styles else "this model has one style, leave it out"
            raise ConfigError(f"style '{name}'", nearest(str(name), self.styles) or known)
        for part in colours.given:
            if part not in self.colours:
                hint = f"it takes {', '.join(self.colours)}" if self.colours else "it takes no colours; leave it out"
                raise ConfigError(f"`{part}`: this model does not take the colour of {part}", hint)
        row = np.zeros(max(len(self.styles), 1), np.float32)
        row[0 if name is None else self.styles.index(name)] = 1
        return np.tile(np.concatenate([row, numbers(colours, self.colours)]), (count, 1))
