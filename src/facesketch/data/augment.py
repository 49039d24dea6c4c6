"""One random draw, applied to photo and sketch alike, so that a pair stays a pair."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from facesketch.config import AugmentConfig

_PLACES = (6, 5)
"""Rows and columns of the points that a bend moves, about an eye's width apart in an aligned face."""


@dataclass(frozen=True)
class Draw:
    """What happens to one pair."""

    mirrored: bool = False
    degrees: float = 0.0
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    """(right, down) as shares of the side."""
    bend: NDArray[np.float32] | None = field(default=None, compare=False)
    """(2, rows, columns) shifts of a few points, right and down, as shares of the side; interpolated between them."""
    brightness: float = 0.0
    """Added to a photo in [-1, 1]."""
    contrast: float = 1.0
    """Factor about a photo's middle grey."""

    @property
    def moves(self) -> bool:
        """Tell whether the picture has to be resampled."""
        return (self.degrees, self.zoom, self.shift) != (0.0, 1.0, (0.0, 0.0)) or self.bend is not None


def draw(config: AugmentConfig, rng: np.random.Generator) -> Draw:
    """Draw once within the limits of `config`."""
    if not config.augment:
        return Draw()
    mirrored = bool(rng.random() < 0.5) and config.flip
    degrees, zoom, right, down, brightness, contrast = rng.uniform(-1.0, 1.0, size=6).tolist()
    most = config.elastic
    bend = rng.uniform(-most, most, size=(2, *_PLACES)).astype(np.float32) if most else None
    return Draw(
        mirrored=mirrored,
        degrees=degrees * config.rotate,
        zoom=1.0 + zoom * config.zoom,
        shift=(right * config.shift, down * config.shift),
        bend=bend,
        brightness=brightness * config.light,
        contrast=1.0 + contrast * config.light,
    )


def move(image: Tensor, drawn: Draw) -> Tensor:
    """Mirror, turn, scale, shift and bend a (C, H, W) picture in [-1, 1]; beyond its edges the picture is mirrored."""
    if drawn.mirrored:
        image = image.flip(-1)
    if not drawn.moves:
        return image
    height, width = image.shape[-2:]
    angle, aspect = math.radians(drawn.degrees), height / width
    cosine, sine = math.cos(angle) / drawn.zoom, math.sin(angle) / drawn.zoom
    # affine_grid works in units of half a side, so a turn of a picture that is not square needs the aspect
    inverse = [[cosine, sine * aspect, -2 * drawn.shift[0]], [-sine / aspect, cosine, -2 * drawn.shift[1]]]
    theta = torch.tensor([inverse], dtype=image.dtype)
    grid = F.affine_grid(theta, [1, *image.shape], align_corners=False)
    if drawn.bend is not None:
        off = F.interpolate(torch.from_numpy(drawn.bend)[None], (height, width), mode="bicubic", align_corners=True)
        grid = grid + 2 * off.movedim(1, -1).to(grid)  # (1, H, W, 2)
    moved = F.grid_sample(image[None], grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    return moved[0].clamp_(-1.0, 1.0)


def relight(photo: Tensor, drawn: Draw) -> Tensor:
    """Change brightness and contrast of a photo in [-1, 1]."""
    if (drawn.brightness, drawn.contrast) == (0.0, 1.0):
        return photo
    return photo.mul(drawn.contrast).add_(drawn.brightness).clamp_(-1.0, 1.0)
