"""A linear map of descriptions into a space where a person's sketch and photo are close, fitted to pairs.

The mean of the photos is subtracted from photos, that of the sketches from sketches. Linear discriminant analysis, with
a person's photo and sketch as one class, then finds the directions in which the two differ little and people differ
much. Its within-class scatter is shrunk towards the identity, as a description has more numbers than there are people;
without shrinking it is null-space analysis (Chen et al., Pattern Recognition 2000). docs/search.md compares these with
small networks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from facesketch.config import Domain
from facesketch.errors import CheckpointError, DataError
from facesketch.files import atomic, parse_json

Vector = NDArray[np.float32]

FORMAT = "facesketch search 1"
SHIPPED = Path(__file__).with_name("learned.safetensors")
"""The map that comes with the package, of oriented gradients and SFace."""
SHIPPED_LITE = Path(__file__).with_name("lite.safetensors")
"""The map that comes with the package, of oriented gradients alone."""
WEIGHTS = {"hog": 1.0, "sface": 0.5}
"""The weight of each part; with SFace at full weight the gradients hardly count, and fewer people are found."""
_SHRINKAGE = 1.0  # of the mean variance within people
_KEPT = 600  # principal axes; the rest is mostly noise
_LEAST = 10  # pairs


@dataclass(frozen=True, eq=False)
class Map:
    """A map of descriptions to (N, D) unit rows.

    Attributes:
        parts: the embedders whose descriptions it takes, in order.
        photo: (F,) mean of photos.
        sketch: (F,) mean of sketches.
        projection: (F, D).
        digest: sha256 of its file; empty before it has one.
    """

    parts: tuple[str, ...]
    photo: Vector
    sketch: Vector
    projection: Vector
    digest: str = field(default="", compare=False)

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.projection.shape[1])

    def __call__(self, parts: Sequence[Vector], domain: Domain) -> Vector:
        """Map what each part says of the same N pictures, (N, F_i), to (N, D) unit rows."""
        rows = (join_parts(self.parts, parts) - (self.photo if domain == "photo" else self.sketch)) @ self.projection
        return _unit(np.asarray(rows, dtype=np.float32))

    @classmethod
    def fit(
        cls, names: Sequence[str], photos: Sequence[Vector], sketches: Sequence[Vector], dimension: int = 256
    ) -> Map:
        """Fit a map to pairs.

        Args:
            names: the embedders.
            photos: their descriptions of P photos, (P, F_i) each.
            sketches: the same of the P sketches, in the same order.
            dimension: D; at most P - 1.

        Raises:
            DataError: fewer than ten pairs, or sketches that are the photos.
        """
        x, y = join_parts(names, photos), join_parts(names, sketches)
        if len(x) < _LEAST:
            raise DataError(f"{len(x)} pairs to fit to", f"expected at least {_LEAST}")
        photo, sketch = x.mean(axis=0), y.mean(axis=0)
        x, y = (rows.astype(np.float64) for rows in (x - photo, y - sketch))
        axes = np.linalg.svd(np.concatenate([x, y]), full_matrices=False)[2][:_KEPT].T  # (F, K)
        x, y = x @ axes, y @ axes
        within = (x - y).T @ (x - y) / (2 * len(x))  # (K, K)
        if not np.trace(within) > 0:
            raise DataError(
                "photos and sketches are the same pictures", "expected drawings of the people in the photos"
            )
        within += _SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
        people = (x + y) / 2
        whiten = np.linalg.inv(np.linalg.cholesky(within))  # lower triangular
        spread, directions = np.linalg.eigh(whiten @ (people.T @ people / len(people)) @ whiten.T)
        widest = directions[:, np.argsort(-spread)[: min(dimension, len(x) - 1, axes.shape[1])]]
        projection = axes @ whiten.T @ widest
        projection /= np.abs(projection).max()  # half precision has little room, and only directions matter
        return cls(tuple(names), photo, sketch, projection.astype(np.float32))

    def write(self, path: Path) -> None:
        """Write the map as safetensors, in half precision."""
        tensors: dict[str, NDArray[Any]] = {
            "photo": self.photo.astype(np.float32),
            "sketch": self.sketch.astype(np.float32),
            "projection": np.ascontiguousarray(self.projection.astype(np.float16)),
        }
        # one entry: the order of several may vary
        about = {"about": json.dumps({"format": FORMAT, "parts": self.parts})}
        with atomic(path) as file:
            file.write(safetensors.numpy.save(tensors, metadata=about))

    @classmethod
    def read(cls, path: Path) -> Map:
        """Read what `write` wrote.

        Raises:
            CheckpointError: missing, torn or not such a file.
        """
        try:
            content = path.read_bytes()
            tensors = safetensors.numpy.load(content)
            with safetensors.safe_open(path, framework="np") as file:
                about = parse_json((file.metadata() or {})["about"])
            if about["format"] != FORMAT or not set(about["parts"]) <= WEIGHTS.keys():
                raise ValueError(about["format"])
            if tensors["photo"].ndim != 1 or tensors["projection"].shape[:1] != tensors["photo"].shape:
                raise ValueError("vectors of other lengths")
            shape = {name: tensors[name].astype(np.float32) for name in ("photo", "sketch", "projection")}
        except (OSError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
            raise CheckpointError(
                f"{path}: missing, torn or not a map for search", "give a file that `facesketch search fit` wrote"
            ) from error
        return cls(tuple(about["parts"]), **shape, digest=hashlib.sha256(content).hexdigest())


def join_parts(names: Sequence[str], parts: Sequence[Vector]) -> Vector:
    """Return (N, F) unit rows: the parts side by side, each with its weight."""
    return _unit(np.concatenate([WEIGHTS[name] * part for name, part in zip(names, parts, strict=True)], axis=1))


def _unit(rows: Vector) -> Vector:
    unit: Vector = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
