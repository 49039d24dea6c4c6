"""Pairs become batches: every picture is decoded once, kept as uint8, and drawn from by step number.

What a step sees depends on (seed, epoch, place) alone, never on how many steps ran before in this process. A training
that was cut off therefore goes on with the very batches it would have had.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from facesketch.augment import draw, move, relight
from facesketch.config import AugmentConfig, DataConfig, Direction, Kind
from facesketch.data.index import Pair, Source
from facesketch.images import Placement, fit, to_tensor

IN_MEMORY_BYTES = 2 << 30
"""Above this the decoded pictures lie in a file that the system pages in and out."""


@dataclass(frozen=True)
class Batch:
    """Photos and sketches of one step.

    Attributes:
        photo: (N, C, S, S) in [-1, 1].
        sketch: (N, C, S, S) in [-1, 1].
        photo_stems: which pairs the photos come from.
        sketch_stems: which pairs the sketches come from; the same for paired methods, others for unpaired ones.
        placements: where each photo lies in its frame.
        direction: which of the two is the source.
    """

    photo: Tensor
    sketch: Tensor
    photo_stems: tuple[str, ...]
    sketch_stems: tuple[str, ...]
    placements: tuple[Placement, ...]
    direction: Direction

    @property
    def source(self) -> Tensor:
        """What goes in: (N, C, S, S) in [-1, 1]."""
        return self.photo if self.direction == "photo2sketch" else self.sketch

    @property
    def target(self) -> Tensor:
        """What should come out: (N, C, S, S) in [-1, 1]."""
        return self.sketch if self.direction == "photo2sketch" else self.photo

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        return replace(self, photo=self.photo.to(device), sketch=self.sketch.to(device))

    def channels_last(self) -> Batch:
        """Return the same batch with the channels of a pixel side by side in memory."""
        layout = torch.channels_last
        return replace(
            self, photo=self.photo.contiguous(memory_format=layout), sketch=self.sketch.contiguous(memory_format=layout)
        )

    def first(self, count: int) -> Batch:
        """Return the first few pictures."""
        return replace(
            self,
            photo=self.photo[:count],
            sketch=self.sketch[:count],
            photo_stems=self.photo_stems[:count],
            sketch_stems=self.sketch_stems[:count],
            placements=self.placements[:count],
        )

    def facing(self, direction: Direction) -> Batch:
        """Return the same pictures with the given direction."""
        return replace(self, direction=direction)


class Pictures:
    """Every photo, or every sketch, of a list of pairs: decoded once, fitted into the frame, kept as uint8.

    Args:
        sources: where the pictures are.
        kind: photo or sketch, which decides the channels.
        config: size and channels.
        frame: side of the square that the pictures are padded to.
    """

    def __init__(self, sources: Sequence[Source], kind: Kind, config: DataConfig, frame: int) -> None:
        self._channels, self._longest, self._frame = config.channels(kind), config.size, frame
        self.array = _allocate((len(sources), frame, frame, self._channels))
        with ThreadPoolExecutor() as pool:  # Pillow decodes without holding the interpreter
            self.placements = list(pool.map(self._decode, range(len(sources)), sources))

    def _decode(self, place: int, source: Source) -> Placement:
        frame = (self._frame, self._frame)
        self.array[place], placement = fit(source.open(), self._channels, longest=self._longest, frame=frame)
        return placement

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, place: int) -> Tensor:
        """Return one picture, (C, S, S) in [-1, 1]."""
        return to_tensor(self.array[place])


def _allocate(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if int(np.prod(shape)) <= IN_MEMORY_BYTES:
        return np.empty(shape, dtype=np.uint8)
    with tempfile.NamedTemporaryFile(prefix="facesketch-") as file:  # unlinked at once; the mapping keeps it alive
        return np.memmap(file.name, dtype=np.uint8, mode="w+", shape=shape)


Key = tuple[int, int]
"""(epoch, place in that epoch's order)."""


@dataclass(frozen=True)
class Item:
    """One photo and one sketch, before they are stacked."""

    photo: Tensor
    sketch: Tensor
    photo_stem: str
    sketch_stem: str
    placement: Placement


class PairDataset(Dataset[Item]):
    """Photos and sketches by (epoch, place).

    Args:
        pairs: what to draw from.
        config: sizes and channels.
        augment: limits of the random draw; None leaves the pictures as they are and in their own order.
        frame: side of the square frame.
        seed: of order and augmentation.
        paired: True pairs each photo with its own sketch; False draws photos and sketches independently.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        config: DataConfig,
        augment: AugmentConfig | None,
        *,
        frame: int,
        seed: int = 0,
        paired: bool = True,
    ) -> None:
        self.stems = [pair.stem for pair in pairs]
        self.photos = Pictures([pair.photo for pair in pairs], "photo", config, frame)
        self.sketches = Pictures([pair.sketch for pair in pairs], "sketch", config, frame)
        self._augment, self._seed, self._paired = augment, seed, paired

    def __len__(self) -> int:
        return len(self.stems)

    def _order(self, epoch: int, stream: int) -> NDArray[np.int64]:
        if self._augment is None:
            return np.arange(len(self))
        return np.random.Generator(np.random.PCG64([self._seed, epoch, stream])).permutation(len(self))

    def __getitem__(self, key: Key) -> Item:
        epoch, place = key
        photo = int(self._order(epoch, 0)[place])
        sketch = photo if self._paired else int(self._order(epoch, 1)[place])
        item = Item(
            self.photos[photo],
            self.sketches[sketch],
            self.stems[photo],
            self.stems[sketch],
            self.photos.placements[photo],
        )
        return item if self._augment is None else self._drawn(item, self._augment, epoch, place)

    def _drawn(self, item: Item, augment: AugmentConfig, epoch: int, place: int) -> Item:
        rng = np.random.Generator(np.random.PCG64([self._seed, epoch, 2, place]))
        for_photo = draw(augment, rng)
        for_sketch = for_photo if self._paired else draw(augment, rng)
        photo = relight(move(item.photo, for_photo), for_photo)
        return replace(item, photo=photo, sketch=move(item.sketch, for_sketch))


def epoch_keys(count: int, batch_size: int, epoch: int, *, rank: int = 0, world: int = 1) -> list[list[Key]]:
    """Return one process's batches of an epoch as keys.

    Several processes take neighbouring parts of one larger batch, so that together they see what a single process with
    `world` times the batch size sees. A last, smaller batch is kept, cut to a multiple of `world`.
    """
    batches = []
    for start in range(0, count, batch_size * world):
        places = list(range(start, min(start + batch_size * world, count)))
        share = len(places) // world
        if share:
            batches.append([(epoch, place) for place in places[rank * share : (rank + 1) * share]])
    return batches


def batches(dataset: PairDataset, keys: list[list[Key]], direction: Direction, workers: int = 0) -> Iterator[Batch]:
    """Yield the batches that `keys` name, prepared by `workers` processes (0: in this one)."""

    def stack(items: list[Item]) -> Batch:
        return Batch(
            photo=torch.stack([item.photo for item in items]),
            sketch=torch.stack([item.sketch for item in items]),
            photo_stems=tuple(item.photo_stem for item in items),
            sketch_stems=tuple(item.sketch_stem for item in items),
            placements=tuple(item.placement for item in items),
            direction=direction,
        )

    # a generator of its own: the loader would otherwise draw from the random state that the noise of a model comes from
    own = torch.Generator()
    loader = DataLoader(dataset, batch_sampler=keys, collate_fn=stack, num_workers=workers, generator=own)
    yield from loader
