"""What has to be done to a picture before a network sees it: the part of a model's header that is for use."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from facesketch.config import Direction, Domain, Frozen
from facesketch.errors import ConfigError, nearest

_LARGEST = 1 << 16  # no header makes a picture of more pixels a side than memory holds


class Preprocessing(Frozen):
    """All that a program in any language has to know to use a model's weights; it stands in the model's header."""

    range: tuple[float, float] = (-1.0, 1.0)
    """What black and white are to the network."""
    colour: Literal["rgb"] = "rgb"
    """Order of the channels."""
    photo_channels: Literal[1, 3]
    """3 for colour photos, 1 for grey."""
    sketch_channels: Literal[1, 3]
    """1 for grey sketches."""
    longest_side: Annotated[int, Field(ge=1, le=_LARGEST)] | None
    """Pixels that a picture's longer side is shrunk to, as in training; None keeps its size."""
    frame: Annotated[int, Field(ge=1, le=_LARGEST)] | None
    """Side of the square that a network of fixed size takes; None where any size will do."""
    multiple: Annotated[int, Field(ge=1, le=_LARGEST)]
    """Both sides of a picture must be multiples of this."""
    padding: Literal["mirrored, centred"] = "mirrored, centred"
    """How a picture is brought to the frame or to the next multiple."""
    directions: Annotated[tuple[Direction, ...], Field(min_length=1)]
    """What the model translates."""
    styles: tuple[str, ...] = ()
    """Hands that it draws in, first the one it draws in when none is named."""
    faces: dict[str, Any] | None = None
    """Where the eyes lay in what it learned from, as a `FaceFrame` writes it; None for pictures of any framing.

    Pictures for a model of faces have the black filled that levelling left in their corners, as those had from which
    it learned.
    """

    def source_channels(self, direction: Direction) -> int:
        """Return the channels of what goes in."""
        return self._channels("photo" if direction == "photo2sketch" else "sketch")

    def target_channels(self, direction: Direction) -> int:
        """Return the channels of what comes out."""
        return self._channels("sketch" if direction == "photo2sketch" else "photo")

    def _channels(self, domain: Domain) -> int:
        return self.photo_channels if domain == "photo" else self.sketch_channels

    def style_weights(self, style: str | None, count: int) -> NDArray[np.float32]:
        """Return (count, S) weights that are one at a style, the first when none is named, and zero elsewhere.

        Raises:
            ConfigError: the model has no such style.
        """
        name = self.styles[0] if style is None and self.styles else style
        if name not in self.styles:
            known = "known: " + ", ".join(self.styles) if self.styles else "this model has one style, leave it out"
            raise ConfigError(f"style '{name}'", nearest(str(name), self.styles) or known)
        weights = np.zeros((count, len(self.styles)), dtype=np.float32)
        weights[:, self.styles.index(name)] = 1.0
        return weights
