"""Embedders: each describes a framed face by one unit vector, so that pictures of one person are alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.config import Domain
from facesketch.errors import ConfigError, MissingExtraError, nearest
from facesketch.faces.sface import DIMENSION as SFACE_DIMENSION
from facesketch.faces.sface import SFace
from facesketch.plugins import added, load
from facesketch.search.embedding import soft_hog
from facesketch.search.embedding.lda import SHIPPED, SHIPPED_LITE, Map
from facesketch.weights.catalogue import locate

Vector = NDArray[np.float32]


class Embedder(Protocol):
    """Describes framed faces, from any thread.

    Attributes:
        name: a key of `EMBEDDERS`, or the name of its entry point; without hyphens.
        id: the name, a hyphen and a digest of its weights; only vectors of one id can be compared.
        dimension: D, the numbers in a description.
        notice: one line for the user if there is a better embedder to install, otherwise empty.
    """

    name: str
    id: str
    dimension: int
    notice: str

    def describe(self, faces: Sequence[Image.Image], domain: Domain) -> Vector:
        """Return (N, D) unit rows for N pictures in the frame, all photos or all sketches, translated ones included."""


class Gradients:
    """Oriented gradients, without weights; the same for photos and sketches."""

    name, id, dimension, notice = "hog", "hog-1", soft_hog.DIMENSION, ""

    def describe(self, faces: Sequence[Image.Image], domain: Domain) -> Vector:
        """Return (N, D) unit rows."""
        return soft_hog.describe(faces)


class Recognition:
    """SFace, a network trained on photos; the same for photos and sketches."""

    name, dimension, notice = "sface", SFACE_DIMENSION, ""

    def __init__(self) -> None:
        path = locate("sface")
        self._network = SFace(path)
        self.id = f"sface-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"

    def describe(self, faces: Sequence[Image.Image], domain: Domain) -> Vector:
        """Return (N, 128) unit rows."""
        return self._network.describe([np.asarray(face.convert("RGB")) for face in faces]).astype(np.float32)


class Learned:
    """A map of other embedders' descriptions into a space where a person's sketch and photo are close.

    Args:
        path: a file that `search fit` wrote.
        name: of the embedder.

    Attributes:
        parts: the embedders whose descriptions it maps, in order.
        of: the map itself.
    """

    notice = ""

    def __init__(self, path: Path, name: str = "learned") -> None:
        self.name, self.of = name, Map.read(path)
        self.parts = self.of.parts
        self._embedders = [EMBEDDERS[part]() for part in self.parts]
        self.id, self.dimension = f"{name}-{self.of.digest[:12]}", self.of.dimension

    def describe(self, faces: Sequence[Image.Image], domain: Domain) -> Vector:
        """Return (N, D) unit rows."""
        return self.of([embedder.describe(faces, domain) for embedder in self._embedders], domain)


EMBEDDERS: dict[str, Callable[[], Embedder]] = {
    "learned": partial(Learned, SHIPPED),
    "lite": partial(Learned, SHIPPED_LITE, "lite"),
    "sface": Recognition,
    "hog": Gradients,
}
"""The best first; `learned` uses gradients and SFace, `lite` gradients alone, so it needs no weights."""


def embedder_named(name: str | None = None) -> Embedder:
    """Load an embedder.

    Args:
        name: one of `EMBEDDERS`, an entry point of `facesketch.embedders`, or a file that `search fit` wrote; None for
            the best that is installed.

    Raises:
        ConfigError: there is none of that name.
        CheckpointError: a file is damaged or not a facesketch model.
        MissingExtraError: it needs weights that are not there.
    """
    if name is None:
        try:
            return EMBEDDERS["learned"]()
        except MissingExtraError as error:
            best = EMBEDDERS["lite"]()
            best.notice = f"faces are compared by their gradients alone: {error}"
            return best
    if name in EMBEDDERS:
        return EMBEDDERS[name]()
    more = added("embedders", EMBEDDERS)
    if name in more:
        made: Embedder = load("embedder", name, more[name])()
        return made
    if Path(name).is_file():
        return Learned(Path(name), "map")  # nobody measured its scores, so it has no chances
    names = [*EMBEDDERS, *more]
    known = f"expected {', '.join(names)}, or a file that `facesketch search fit` wrote"
    raise ConfigError(f"`embedder` {name!r}", nearest(name, names, known))
