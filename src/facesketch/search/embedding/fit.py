"""Fit a map from the pairs of a folder: `facesketch search fit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesketch.data.index import index
from facesketch.data.split import split
from facesketch.errors import FaceError, require_known
from facesketch.faces import FaceFinder
from facesketch.search.embedding.describer import choose_face, frame_face
from facesketch.search.embedding.embedders import EMBEDDERS
from facesketch.search.embedding.lda import WEIGHTS, Map


def fit(
    data: Path,
    parts: Sequence[str] = ("hog", "sface"),
    *,
    finder: FaceFinder | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Map, list[str]]:
    """Fit a map to the training and validation pairs of a folder.

    Args:
        data: the folder of pairs.
        parts: the embedders to fit it on, of `hog` and `sface`.
        finder: finds the faces; None for a `FaceFinder`.
        progress: called with the pairs done and the pairs in all.

    Returns:
        The map, and the stems of the pairs that were left out because a picture shows no face.

    Raises:
        ConfigError: a part that no map can be fitted on.
        DataError: too few pairs.
        ImageError: a picture cannot be read.
        MissingExtraError: a part needs weights that are not there.
    """
    for name in parts:
        require_known(name, WEIGHTS, "`parts`")
    embedders, finder = [EMBEDDERS[name]() for name in parts], finder or FaceFinder()
    sides = split(index(data).pairs)
    pairs = (*sides.train, *sides.validation)
    photos: list[list[NDArray[np.float32]]] = [[] for _ in parts]  # by part, one row a pair
    sketches: list[list[NDArray[np.float32]]] = [[] for _ in parts]
    left_out = []
    for number, pair in enumerate(pairs, start=1):
        try:
            photo, sketch = (
                frame_face(picture, choose_face(finder, picture)) for picture in (pair.photo.open(), pair.sketch.open())
            )
        except FaceError:
            left_out.append(pair.stem)
        else:
            for place, embedder in enumerate(embedders):
                photos[place].append(embedder.describe([photo], "photo")[0])
                sketches[place].append(embedder.describe([sketch], "sketch")[0])
        if progress is not None:
            progress(number, len(pairs))
    by_part = [
        [np.array(rows, np.float32).reshape(-1, each.dimension) for rows, each in zip(side, embedders, strict=True)]
        for side in (photos, sketches)
    ]
    return Map.fit(parts, by_part[0], by_part[1]), left_out
