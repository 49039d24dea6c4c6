"""A linear map of descriptions into a space where a person's sketch and photo are close, fitted to pairs.

The mean of the photos is subtracted from photos, that of the sketches from sketches. Linear discriminant analysis, with
a person's photo and sketch as one class, then finds the directions in which the two differ little and people differ
much. Its within-class scatter is shrunk towards the identity, as a description has more numbers than there are people;
without shrinking it is null-space analysis (Chen et al., Pattern Recognition 2000). Photos of other people may add to
how much people differ. Gradients and SFace have separate maps and count the same: in one map of both, one of them
hardly corrects the mistakes of the other. docs/search-results.md compares these with small networks.
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

FORMAT, JOINT = "facesketch search 2", "facesketch search 1"  # the older has one map of all parts together
SHIPPED = Path(__file__).with_name("learned.safetensors")
"""The map that comes with the package, of oriented gradients and SFace."""
SHIPPED_LITE = Path(__file__).with_name("lite.safetensors")
"""The map that comes with the package, of oriented gradients alone."""
WEIGHTS = {"hog": 1.0, "sface": 0.5}
"""The weight of each part in a joint map."""
_SHRINKAGE = 1.0  # of the mean variance within people
_KEPT = 900  # principal axes; the rest is mostly noise
_LEAST = 10  # pairs


@dataclass(frozen=True, eq=False)
class Block:
    """A linear map of some parts to (N, D_i) unit rows.

    Attributes:
        parts: the embedders whose descriptions it takes, in order.
        photo: (F,) mean of photos.
        sketch: (F,) mean of sketches.
        projection: (F, D_i).
    """

    parts: tuple[str, ...]
    photo: Vector
    sketch: Vector
    projection: Vector

    def __call__(self, rows: Vector, domain: Domain) -> Vector:
        """Map (N, F)."""
        centred = rows - (self.photo if domain == "photo" else self.sketch)
        return _unit(np.asarray(centred @ self.projection, dtype=np.float32))


@dataclass(frozen=True, eq=False)
class Map:
    """Maps of descriptions, side by side, to (N, D) unit rows; every map counts the same.

    Attributes:
        blocks: the maps.
        digest: sha256 of its file; empty before it has one.
    """

    blocks: tuple[Block, ...]
    digest: str = field(default="", compare=False)

    @property
    def parts(self) -> tuple[str, ...]:
        """The embedders whose descriptions it takes, in order."""
        return tuple(part for block in self.blocks for part in block.parts)

    @property
    def dimension(self) -> int:
        """D."""
        return sum(block.projection.shape[1] for block in self.blocks)

    def __call__(self, parts: Sequence[Vector], domain: Domain) -> Vector:
        """Map what each part says of the same N pictures, (N, F_i), to (N, D) unit rows."""
        given = dict(zip(self.parts, parts, strict=True))
        rows = [block(join_parts(block.parts, [given[name] for name in block.parts]), domain) for block in self.blocks]
        return _unit(np.concatenate(rows, axis=1))

    @classmethod
    def fit(
        cls,
        names: Sequence[str],
        photos: Sequence[Vector],
        sketches: Sequence[Vector],
        dimension: int = 256,
        others: Sequence[Vector] | None = None,
    ) -> Map:
        """Fit a map to pairs.

        Args:
            names: the embedders.
            photos: their descriptions of P photos, (P, F_i) each.
            sketches: the same of the P sketches, in the same order.
            dimension: D_i of each embedder; at most P - 1 and F_i.
            others: the same of photos of other people, of whom there is no sketch.

        Raises:
            DataError: fewer than ten pairs, or sketches that are the photos.
        """
        if len(photos[0]) < _LEAST:
            raise DataError(f"{len(photos[0])} pairs to fit to", f"expected at least {_LEAST}")
        more: Sequence[Vector | None] = [None] * len(names) if others is None else others
        given = zip(names, photos, sketches, more, strict=True)
        return cls(tuple(_fit(name, x, y, rest, dimension) for name, x, y, rest in given))

    def write(self, path: Path) -> None:
        """Write the map as safetensors, in half precision."""
        tensors: dict[str, NDArray[Any]] = {}
        for block in self.blocks:
            (name,) = block.parts
            tensors[f"{name}.photo"] = block.photo.astype(np.float32)
            tensors[f"{name}.sketch"] = block.sketch.astype(np.float32)
            tensors[f"{name}.projection"] = np.ascontiguousarray(block.projection.astype(np.float16))
        # one entry: the order of several may vary
        about = {"about": json.dumps({"format": FORMAT, "parts": self.parts})}
        with atomic(path) as file:
            file.write(safetensors.numpy.save(tensors, metadata=about))

    @classmethod
    def read(cls, path: Path) -> Map:
        """Read what `write` wrote, or a joint map of version 0.1.

        Raises:
            CheckpointError: missing, damaged or not such a file.
        """
        try:
            content = path.read_bytes()
            tensors = safetensors.numpy.load(content)
            with safetensors.safe_open(path, framework="np") as file:
                about = parse_json((file.metadata() or {})["about"])
            parts = tuple(about["parts"])
            if about["format"] not in {FORMAT, JOINT} or not set(parts) <= WEIGHTS.keys():
                raise ValueError(about["format"])
            groups = {"": parts} if about["format"] == JOINT else {f"{name}.": (name,) for name in parts}
            blocks = []
            for prefix, names in groups.items():
                photo, sketch, projection = (
                    tensors[prefix + each].astype(np.float32) for each in ("photo", "sketch", "projection")
                )
                if photo.ndim != 1 or sketch.shape != photo.shape or projection.shape[:1] != photo.shape:
                    raise ValueError("vectors of other lengths")
                blocks.append(Block(names, photo, sketch, projection))
        except (OSError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
            raise CheckpointError(
                f"{path}: missing, damaged or not a map for search", "give a file that `facesketch search fit` wrote"
            ) from error
        return cls(tuple(blocks), digest=hashlib.sha256(content).hexdigest())


def _fit(name: str, photos: Vector, sketches: Vector, others: Vector | None, dimension: int) -> Block:
    photo, sketch = photos.mean(axis=0), sketches.mean(axis=0)
    x, y = (rows.astype(np.float64) for rows in (photos - photo, sketches - sketch))
    axes = np.linalg.svd(np.concatenate([x, y]), full_matrices=False)[2][:_KEPT].T  # (F, K)
    x, y = x @ axes, y @ axes
    within = (x - y).T @ (x - y) / (2 * len(x))  # (K, K)
    if not np.trace(within) > 0:
        raise DataError("photos and sketches are the same pictures", "expected drawings of the people in the photos")
    within += _SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    people = (x + y) / 2
    between = people.T @ people / len(people)
    if others is not None:
        more = (others - others.mean(axis=0)).astype(np.float64) @ axes
        between = (between + more.T @ more / len(more)) / 2
    whiten = np.linalg.inv(np.linalg.cholesky(within))  # lower triangular
    spread, directions = np.linalg.eigh(whiten @ between @ whiten.T)
    widest = directions[:, np.argsort(-spread)[: min(dimension, len(x) - 1, axes.shape[1])]]
    projection = axes @ whiten.T @ widest
    projection /= np.abs(projection).max()  # half precision has little room, and only directions matter
    return Block((name,), photo, sketch, projection.astype(np.float32))


def join_parts(names: Sequence[str], parts: Sequence[Vector]) -> Vector:
    """Return (N, F) unit rows: the parts side by side, each with its weight."""
    return _unit(np.concatenate([WEIGHTS[name] * part for name, part in zip(names, parts, strict=True)], axis=1))


def _unit(rows: Vector) -> Vector:
    unit: Vector = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
