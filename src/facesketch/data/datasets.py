"""Pairs become batches: every picture is decoded once, kept as uint8, and drawn from by step number.

What a step sees depends on (seed, epoch, place) alone, never on how many steps ran before in this process. A training
that was cut off therefore goes on with the very batches it would have had.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from facesketch.config import AugmentConfig, DataConfig, Direction, Kind
from facesketch.data.augment import draw, move, relight
from facesketch.data.index import Pair, Source
from facesketch.faces import fill_corners
from facesketch.images.fit import Placement, fit
from facesketch.images.tensors import to_tensor

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
        styles: whose hand drew each sketch, where `pairs.csv` has a column `style`; otherwise empty words.
    """

    photo: Tensor
    sketch: Tensor
    photo_stems: tuple[str, ...]
    sketch_stems: tuple[str, ...]
    placements: tuple[Placement, ...]
    direction: Direction
    styles: tuple[str, ...] = ()

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
            styles=self.styles[:count],
        )

    def columns(self, multiple: int) -> tuple[int, int]:
        """Return the first and the last but one of the columns that hold pictures and not only padding.

        Their number is a multiple of `multiple`: a tall picture in a square frame need not be learned with its margins.
        """
        side = self.photo.shape[-1]
        widest = max((place.content[0] for place in self.placements), default=side)
        width = min(side, -(-widest // multiple) * multiple)
        return (side - width) // 2, (side - width) // 2 + width

    def facing(self, direction: Direction) -> Batch:
        """Return the same pictures with the given direction."""
        return replace(self, direction=direction)


class Pictures:
    """Every photo, or every sketch, of a list of pairs: decoded once, fitted into the frame, kept as uint8.

    Args:
        sources: where the pictures are.
        kind: photo or sketch, which decides the channels.
        config: size, channels, and whether they show faces of the aligned frame: of those black corners are filled.
        frame: side of the square that the pictures are padded to.
    """

    def __init__(self, sources: Sequence[Source], kind: Kind, config: DataConfig, frame: int) -> None:
        self._channels, self._longest, self._frame = config.channels(kind), config.size, frame
        self._faces = config.faces
        self.array = _allocate((len(sources), frame, frame, self._channels))
        with ThreadPoolExecutor() as pool:  # Pillow decodes without holding the interpreter
            self.placements = list(pool.map(self._decode, range(len(sources)), sources))

    def _decode(self, place: int, source: Source) -> Placement:
        frame = (self._frame, self._frame)
        image = fill_corners(source.open()) if self._faces else source.open()
        self.array[place], placement = fit(image, self._channels, longest=self._longest, frame=frame)
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


def _grouped(names: Sequence[str]) -> list[NDArray[np.int64]]:
    """Return the places of each name."""
    return [np.flatnonzero(np.array(names) == name) for name in sorted(set(names))]


def _evenly(groups: Sequence[NDArray[np.int64]], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` places, as many of each group, in random order; a small group's come several times over."""
    share = -(-count // len(groups))
    drawn = [
        np.concatenate([rng.permutation(group) for _ in range(-(-share // len(group)))])[:share] for group in groups
    ]
    return rng.permutation(np.concatenate(drawn))[:count]


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
    style: str


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
        self._styles = [pair.attributes.get("style", "") for pair in pairs]
        self._sets = _grouped(
            [pair.attributes.get("set", "") for pair in pairs] if config.balance else [""] * len(pairs)
        )
        self.photos = Pictures([pair.photo for pair in pairs], "photo", config, frame)
        self.sketches = Pictures([pair.sketch for pair in pairs], "sketch", config, frame)
        self._augment, self._seed, self._paired = augment, seed, paired

    def __len__(self) -> int:
        return len(self.stems)

    def _order(self, epoch: int, stream: int) -> NDArray[np.int64]:
        if self._augment is None:
            return np.arange(len(self))
        rng = np.random.Generator(np.random.PCG64([self._seed, epoch, stream]))
        return rng.permutation(len(self)) if len(self._sets) == 1 else _evenly(self._sets, len(self), rng)

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
            self._styles[sketch],
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
    # a generator of its own: the loader would otherwise draw from the random state that the noise of a model comes from
    own = torch.Generator()
    stack = partial(_stack, direction=direction)  # a function made here reaches forked processes only
    loader = DataLoader(dataset, batch_sampler=keys, collate_fn=stack, num_workers=workers, generator=own)
    yield from loader


def _stack(items: list[Item], direction: Direction) -> Batch:
    return Batch(
        photo=torch.stack([item.photo for item in items]),
        sketch=torch.stack([item.sketch for item in items]),
        photo_stems=tuple(item.photo_stem for item in items),
        sketch_stems=tuple(item.sketch_stem for item in items),
        placements=tuple(item.placement for item in items),
        direction=direction,
        styles=tuple(item.style for item in items),
    )
