"""Learn from pairs how a person's sketch and photo meet: `facesketch search learn`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesketch.data.index import index
from facesketch.data.split import split
from facesketch.errors import ConfigError, FaceError, nearest
from facesketch.faces import FaceFinder
from facesketch.search.embedding.crop import framed, meant
from facesketch.search.embedding.embedders import EMBEDDERS, Embedder
from facesketch.search.embedding.lda import SHARES, Map, fit

Progress = Callable[[int, int], None]
"""Told (pairs done, pairs in all)."""


def learn(
    data: Path,
    parts: Sequence[str] = ("hog", "sface"),
    *,
    finder: FaceFinder | None = None,
    progress: Progress | None = None,
) -> tuple[Map, list[str]]:
    """Learn a map from the pairs of a folder that are not for testing.

    Args:
        data: the folder of pairs.
        parts: what to learn on, of `hog` and `sface`.
        finder: what finds faces; None for the best that is at hand.
        progress: told how far it has come.

    Returns:
        The map, and the stems of pairs that were left out because a picture shows no face.

    Raises:
        ConfigError: a part that nothing can be learned on.
        DataError: too few pairs.
        ImageError: a picture cannot be read.
        MissingExtraError: a part needs weights that are not there.
    """
    for name in parts:
        if name not in SHARES:
            known = f"known: {', '.join(SHARES)}"
            raise ConfigError(f"`parts` {name}: nothing is learned on that", nearest(name, SHARES, known))
    embedders, finder = [EMBEDDERS[name]() for name in parts], finder or FaceFinder()
    sides = split(index(data).pairs)
    pairs = (*sides.train, *sides.validation)
    photos, sketches, left_out = [], [], []
    for number, pair in enumerate(pairs, start=1):
        try:
            pictures = [source.open() for source in (pair.photo, pair.sketch)]
            faces = [framed(picture, meant(finder, picture)) for picture in pictures]
        except FaceError:
            left_out.append(pair.stem)
        else:
            photos.append([embedder.describe(faces[:1], "photo")[0] for embedder in embedders])
            sketches.append([embedder.describe(faces[1:], "sketch")[0] for embedder in embedders])
        if progress is not None:
            progress(number, len(pairs))
    return fit(tuple(parts), _columns(photos, embedders), _columns(sketches, embedders)), left_out


def _columns(rows: list[list[NDArray[np.float32]]], embedders: Sequence[Embedder]) -> list[NDArray[np.float32]]:
    """Return what each embedder gives of all pictures, (P, F_i)."""
    return [
        np.stack([row[place] for row in rows]) if rows else np.zeros((0, embedder.dimension), np.float32)
        for place, embedder in enumerate(embedders)
    ]
