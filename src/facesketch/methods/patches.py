"""What the patch methods share: the training pairs that they draw with, and the search among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from facesketch.config import DataConfig, Direction
from facesketch.data.datasets import Batch, PairDataset
from facesketch.images.tensors import with_channels
from facesketch.methods.base import Method, Phase
from facesketch.methods.families import PatchOptions

_BLOCK = 1 << 23
"""Numbers that the table of candidates holds at a time."""


@dataclass(frozen=True)
class Grid:
    """Overlapping patches that cover a square, in pixels."""

    patch: int
    step: int
    """From one patch to the next."""
    radius: int
    """How far a patch may be moved."""
    side: int
    count: int
    """Patches in a row, and rows."""

    @classmethod
    def of(cls, options: PatchOptions, size: int) -> Grid:
        """Return the grid for a picture of `size` pixels; it may be a few pixels larger."""
        patch = max(4, round(options.patch * size / 256))
        step = max(1, patch - round(options.overlap / options.patch * patch))
        radius = min(round(options.radius * size / 256), size - 1)
        count = 1 + max(0, -(-(size - patch) // step))
        return cls(patch, step, radius, patch + (count - 1) * step, count)


@dataclass(frozen=True)
class Matches:
    """The training patches most like those of a row of the grid, the nearest first, in (N, columns, K) tensors."""

    distance: Tensor
    """Sums of squared differences."""
    picture: Tensor
    top: Tensor
    """Where the patch lies in that picture, with `left`; outside of it the picture goes on mirrored."""
    left: Tensor


class PatchMethod(Method):
    """Keeps the training pairs as they are, and composes pictures of their patches."""

    fixed = True
    photos: Tensor
    sketches: Tensor

    def __init__(self, options: PatchOptions, data: DataConfig, direction: Direction) -> None:
        super().__init__(options, data, direction)
        self.grid = Grid.of(options, data.size)
        for name, channels in (("photos", data.photo_channels), ("sketches", data.sketch_channels)):
            self.register_buffer(name, torch.empty(0, channels, self.frame, self.frame, dtype=torch.uint8))

    @property
    def frame(self) -> int:
        """The next size that whole patches cover."""
        return self.grid.side

    def memorise(self, pairs: PairDataset) -> None:
        """Keep the pairs beside those that are kept already."""
        for name, coming in (("photos", pairs.photos), ("sketches", pairs.sketches)):
            held = getattr(self, name)
            added = torch.from_numpy(coming.array).permute(0, 3, 1, 2).to(held.device)  # (T, C, S, S) uint8
            setattr(self, name, torch.cat([held, added]))

    def training_step(self, batch: Batch) -> Iterator[Phase]:
        """Yield nothing: all there is to learn is kept before the first step."""
        yield from ()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Make room for as many pairs as come."""
        for name in ("photos", "sketches"):
            held, coming = getattr(self, name), state_dict.get(prefix + name)
            if coming is not None and coming.ndim == held.ndim:
                setattr(self, name, held.new_empty(len(coming), *held.shape[1:]))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @torch.no_grad()
    def translate(self, images: Tensor, direction: Direction) -> Tensor:
        """Translate (N, C, S, S) pictures in [-1, 1]; before there are pairs, into mid-grey."""
        if not len(self.photos):
            return images.new_zeros(len(images), self.target_channels, *images.shape[2:], dtype=torch.float32)
        photos = self.direction == "photo2sketch"
        sources, targets = (self.photos, self.sketches) if photos else (self.sketches, self.photos)
        with torch.autocast(images.device.type, enabled=False):
            known = with_channels(sources.float() / 127.5 - 1.0, 1)
            drawn = self.compose(with_channels(images.float(), 1), known, targets)
        return drawn.clamp(-1.0, 1.0)

    def compose(self, images: Tensor, sources: Tensor, targets: Tensor) -> Tensor:
        """Return pictures made of target patches, (N, C, S, S) in [-1, 1] or a little beyond.

        `images` (N, 1, S, S) and the training `sources` (T, 1, S, S) are grey in [-1, 1], `targets` (T, C, S, S) uint8.
        """
        raise NotImplementedError


def nearest(images: Tensor, sources: Tensor, grid: Grid, count: int) -> Iterator[Matches]:
    """Yield, row by row of the grid, the training patches most like each patch of some pictures.

    Of each training picture the patch of the nearest place is taken, and of those the nearest `count`: otherwise most
    would be the same patch moved by a pixel. Squared differences are sums of squares minus products. The products of
    all moves across come from one matrix product: training strips as wide as the window, with queries moved inside
    zeros.
    """
    wide = F.pad(sources, (grid.radius,) * 4, mode="reflect")[:, 0]  # (T, S + 2R, S + 2R)
    squares = wide.square().unfold(1, grid.patch, 1).sum(-1).unfold(2, grid.patch, 1).sum(-1)
    for row in range(grid.count):
        yield _nearest_in_row(images[:, 0], wide, squares, grid, row, min(count, len(sources)))


def _nearest_in_row(images: Tensor, wide: Tensor, squares: Tensor, grid: Grid, row: int, count: int) -> Matches:
    top, moves, reach = row * grid.step, 2 * grid.radius + 1, grid.patch + 2 * grid.radius
    queries = images[:, top : top + grid.patch].unfold(2, grid.patch, grid.step)  # (N, p, J, p)
    queries = queries.permute(2, 1, 3, 0)  # (J, p, p, N)
    moved = queries.new_zeros(grid.count, grid.patch, reach, moves, len(images))
    for move in range(moves):
        moved[:, :, move : move + grid.patch, move] = queries
    moved = moved.flatten(1, 2).flatten(2)  # (J, p * reach, moves * N)
    strips = wide[:, top : top + reach].unfold(2, reach, grid.step).unfold(1, grid.patch, 1)
    strips = strips.permute(2, 0, 1, 4, 3)  # (J, T, moves, p, reach)
    sums = squares[:, top : top + moves].unfold(2, moves, grid.step).permute(2, 0, 1, 3)  # (J, T, moves, moves)
    block = max(1, _BLOCK // strips[0].numel())
    found = [
        _best_of_each(moved[start : start + block], strips[start : start + block], sums[start : start + block])
        for start in range(0, grid.count, block)
    ]
    best, place = (torch.cat(parts) for parts in zip(*found, strict=True))  # (J, T, N)
    distance, picture = best.topk(count, dim=1, largest=False)  # (J, K, N)
    place = place.gather(1, picture)
    distance = distance + queries.square().sum(dim=(1, 2))[:, None]
    column = torch.arange(grid.count, device=images.device)[:, None, None] * grid.step
    tops = top + place // moves - grid.radius
    lefts = column + place % moves - grid.radius
    return Matches(*(each.permute(2, 0, 1) for each in (distance.clamp_min(0), picture, tops, lefts)))


def _best_of_each(moved: Tensor, strips: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
    """Return of each training picture the least distance less the query's own squares, and at which place it is."""
    columns, pictures, moves = strips.shape[:3]
    products = torch.bmm(strips.reshape(columns, pictures * moves, -1), moved)  # (J, T * moves, moves * N)
    products = products.view(columns, pictures, moves * moves, -1)
    best, place = (sums.reshape(columns, pictures, -1, 1) - 2 * products).min(dim=2)
    return best, place


def cut(pictures: Tensor, matches: Matches, patch: int) -> Tensor:
    """Return the patches of (T, C, S, S) pictures that matches name, (N, columns, K, p, p, C), in their type."""
    along = torch.arange(patch, device=pictures.device)
    last = pictures.shape[-1] - 1
    rows, columns = (
        last - (last - (start[..., None] + along).abs()).abs()  # mirrored at both ends
        for start in (matches.top, matches.left)
    )
    picture = matches.picture[..., None, None]
    return pictures.permute(0, 2, 3, 1)[picture, rows[..., :, None], columns[..., None, :]]


def lay(patches: Tensor, grid: Grid) -> Tensor:
    """Return the sum (N, C, S, S) of (N, rows, columns, p, p, C) patches, laid side by side and over each other."""
    stacked = patches.permute(0, 5, 3, 4, 1, 2).flatten(4).flatten(1, 3)  # (N, C * p * p, rows * columns)
    return F.fold(stacked, (grid.side, grid.side), grid.patch, stride=grid.step)
