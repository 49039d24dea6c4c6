"""A pair: one photo, one sketch of it, the person they show, and where both are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from facesketch.errors import DataError
from facesketch.images.io import open_image

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")
Half = Literal["left", "right"]


class NoPairsError(DataError):
    """A folder exists, but no photo in it has a sketch."""


@dataclass(frozen=True)
class Source:
    """Where one picture of a pair is: a file, or one half of a side-by-side picture."""

    path: Path
    half: Half | None = None

    def open(self) -> Image.Image:
        """Open the picture as upright `L` or `RGB`, cut to its half.

        Raises:
            ImageError: the file is missing, damaged or not a picture.
        """
        image = open_image(self.path)
        return image if self.half is None else cut_half(image, self.half)


def cut_half(image: Image.Image, half: Half) -> Image.Image:
    """Return the left or right half of a picture, without the middle column if the width is odd."""
    width, height = image.size
    left = 0 if half == "left" else width - width // 2
    return image.crop((left, 0, left + width // 2, height))


@dataclass(frozen=True)
class Pair:
    """A photo and the sketch that was drawn of it.

    Attributes:
        stem: the pair's name, unique in its folder, such as `f-005-01`.
        subject: the person it shows.
        split: the side that the data puts the pair on, or None.
        attributes: further columns of `pairs.csv` or of the annotations, as text.
    """

    stem: str
    subject: str
    photo: Source
    sketch: Source
    split: Side | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass
class Found:
    """What one layout finds in a folder: the fields of `Index`, unsorted, with paths relative to the folder."""

    pairs: list[Pair] = field(default_factory=list)
    orphan_photos: list[str] = field(default_factory=list)
    orphan_sketches: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, ...]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
