"""Pictures that hold a photo and its sketch side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from facesketch.config import Domain
from facesketch.data.layouts.matching import match
from facesketch.data.layouts.tree import Item, Tree, read
from facesketch.data.pairs import Found, Half, Source, cut_half
from facesketch.errors import ImageError
from facesketch.images.io import open_image, opened

WIDE = 1.5
"""A picture that is at least so many times wider than high holds two."""
_LOOKED_AT = 9
_COLOURFUL = 0.02
_TURNED = frozenset({5, 6, 7, 8})
_ORIENTATION = 0x0112


def side_by_side(tree: Tree) -> Found | None:
    """Split pictures that are at least 1.5 times wider than high, with or without `train/`, `val/` and `test/`.

    A few pictures vote on which half is the photo in all of them: the more colourful half, or the one with more
    mid-tones if both are grey.
    """
    sample = _spread(tree.pictures)
    ratios = [_ratio(tree, path) for path in sample]
    if not sample or sum(ratio is not None and ratio >= WIDE for ratio in ratios) * 2 <= len(sample):
        return None
    unreadable, narrow, wide = list[str](), list[str](), list[Item]()
    for path in tree.pictures:
        ratio = _ratio(tree, path)
        if ratio is None:
            unreadable.append(f"{path}: not a picture that can be read")
        elif ratio < WIDE:
            narrow.append(str(path))
        else:
            wide.append(read(path, exact=True))
    photo = photo_half(tree, [item.path for item in wide])
    halves: dict[Domain, Half] = {"photo": photo, "sketch": "right" if photo == "left" else "left"}
    found = match([replace(item, domain=domain) for item in wide for domain in halves])
    assert found is not None, "the sample holds wide pictures"
    for place, pair in enumerate(found.pairs):
        photo_there, sketch_there = (Source(pair.photo.path, half) for half in halves.values())
        found.pairs[place] = replace(pair, photo=photo_there, sketch=sketch_there)
    found.duplicates = [*dict.fromkeys(found.duplicates)]
    found.unreadable, found.orphan_photos = unreadable, narrow
    if narrow:
        found.notes.append(f"a picture less than {WIDE} times wider than high holds no pair and counts as an orphan")
    found.notes.append(f"the photo is the {photo} half")
    return found


def photo_half(tree: Tree, paths: Sequence[PurePosixPath]) -> Half:
    """Return the half that is the photo in most of a few pictures; the left one if they are undecided."""
    return "right" if sum(_vote(tree.folder / path) for path in _spread(paths)) < 0 else "left"


def _spread(paths: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Return a few paths, evenly spread."""
    count = min(len(paths), _LOOKED_AT)
    return [paths[place * len(paths) // count] for place in range(count)]


def _ratio(tree: Tree, path: PurePosixPath) -> float | None:
    """Return width over height, as the header says, or None if it cannot be read."""
    try:
        with opened(tree.folder / path) as image:
            width, height = image.size
            # Pillow decodes a PNG to look for EXIF that is not there, and gives a TIFF's size upright
            told = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
            turned = told and image.getexif().get(_ORIENTATION) in _TURNED
    except ImageError:
        return None
    return height / width if turned else width / height


def _vote(path: Path) -> int:
    """Return 1 if the left half looks like the photo, -1 if the right one does, 0 if neither, or if it is damaged."""
    try:
        image = open_image(path)
    except ImageError:
        return 0
    colours, mid_tones = [], []
    for half in ("left", "right"):
        small = cut_half(image, half).convert("RGB").resize((64, 64), Image.Resampling.BOX)
        pixels = np.asarray(small, dtype=np.float32) / np.float32(255)
        grey = pixels.mean(axis=2)
        colours.append(float((pixels.max(axis=2) - pixels.min(axis=2)).mean()))
        mid_tones.append(float(((grey > 0.2) & (grey < 0.8)).mean()))  # neither near white nor near black
    difference = colours[0] - colours[1]
    return int(np.sign(difference if abs(difference) > _COLOURFUL else mid_tones[0] - mid_tones[1]))
