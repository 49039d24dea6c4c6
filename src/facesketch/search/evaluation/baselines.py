"""What search must beat: the sketch compared with the photos as both are, in grey pixels and in oriented gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from facesketch.data.pairs import Pair, Source
from facesketch.errors import DataError
from facesketch.images.io import to_array
from facesketch.metrics.descriptors import hog, raw_pixels
from facesketch.search.evaluation.scores import Scores, alike, best_of_people

BASELINES = {"pixels": "raw pixels", "hog": "oriented gradients"}
_DESCRIBE: dict[str, Callable[[torch.Tensor], NDArray[np.float64]]] = {"pixels": raw_pixels, "hog": hog}
_LARGEST = 512
_BATCH = 32


def baselines(pairs: Sequence[Pair], person: NDArray[np.intp]) -> dict[str, Scores]:
    """Return the scores of each baseline, a key of `BASELINES`, the cosine of what it makes of sketch and photo.

    Args:
        pairs: the probes and their photos.
        person: (P,) who each pair shows, 0 to S - 1.

    Raises:
        DataError: the pictures are of several sizes, or too large for this to be cheap.
    """
    photos, sketches = _described([pair.photo for pair in pairs]), _described([pair.sketch for pair in pairs])
    nobody = np.zeros((len(pairs), 0))
    return {
        name: Scores(best_of_people(alike(sketches[name], photos[name]), person), person, nobody) for name in BASELINES
    }


def _described(sources: Sequence[Source]) -> dict[str, NDArray[np.float32]]:
    """Return the rows of every baseline for some pictures."""
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in BASELINES}
    size: tuple[int, int] | None = None
    for start in range(0, len(sources), _BATCH):
        pictures = [source.open() for source in sources[start : start + _BATCH]]
        size = size or pictures[0].size
        _require_one_size([picture.size for picture in pictures], size)
        grey = torch.from_numpy(np.stack([to_array(picture, 1) for picture in pictures])).permute(0, 3, 1, 2)
        for name, describe in _DESCRIBE.items():
            found = describe(grey)
            length = np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
            rows[name].append((found / length).astype(np.float32))
    return {name: np.concatenate(parts) for name, parts in rows.items()}


def _require_one_size(sizes: Sequence[tuple[int, int]], size: tuple[int, int]) -> None:
    odd = next((each for each in sizes if each != size), None)
    if odd is not None:
        seen = f"pictures of {size[0]}x{size[1]} and {odd[0]}x{odd[1]}"
        raise DataError(seen, "these need one size, so type: facesketch faces align --help")
    if max(size) > _LARGEST:
        raise DataError(f"pictures of {size[0]}x{size[1]}", f"these take {_LARGEST} pixels a side at most")
