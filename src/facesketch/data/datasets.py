"""Pairs become batches: every picture is decoded once, kept as uint8, and drawn by step number.

What a step sees depends on (seed, epoch, place) alone, not on how many steps ran before in this process, so a resumed
training sees the same batches.
"""

from __future__ import annotations

import math
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from facesketch.config import AugmentConfig, DataConfig, Direction, Domain
from facesketch.data.augment import draw, move, relight
from facesketch.data.pairs import Pair, Source
from facesketch.errors import ResourceError
from facesketch.faces import fill_corners
from facesketch.images.fit import Placement, fit
from facesketch.images.tensors import to_tensor

IN_MEMORY_BYTES = 2 << 30
"""Above this the decoded pictures go into a memory-mapped file."""


@dataclass(frozen=True)
class Batch:
    """Photos and sketches of one step.

    Attributes:
        photo, sketch: (N, C, S, S) in [-1, 1].
        photo_stems, sketch_stems: the pairs they come from, the same for paired methods.
        placements: where each photo lies in its frame.
        styles: of the sketches, from the column `style` of `pairs.csv`, or empty.
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
        """Return the batch with the channels of a pixel side by side in memory."""
        photo, sketch = (each.contiguous(memory_format=torch.channels_last) for each in (self.photo, self.sketch))
        return replace(self, photo=photo, sketch=sketch)

    def first(self, count: int) -> Batch:
        """Return the first few pictures."""
        names = (field.name for field in fields(self) if field.name != "direction")
        return replace(self, **{name: getattr(self, name)[:count] for name in names})

    def columns(self, multiple: int) -> tuple[int, int]:
        """Return the range of columns, a multiple of `multiple` wide, outside of which every picture is padding."""
        side = self.photo.shape[-1]
        widest = max((place.content[0] for place in self.placements), default=side)
        width = min(side, -(-widest // multiple) * multiple)
        return (side - width) // 2, (side - width) // 2 + width

    def facing(self, direction: Direction) -> Batch:
        """Return the same pictures with the given direction."""
        return replace(self, direction=direction)


class Pictures:
    """Every photo, or every sketch, of a list of pairs: decoded once, fitted into a square frame, kept as uint8.

    With `config.faces`, black corners are filled.
    """

    def __init__(self, sources: Sequence[Source], domain: Domain, config: DataConfig, frame: int) -> None:
        self._channels, self._longest, self._frame = config.channels(domain), config.size, frame
        self._faces = config.faces
        shape = len(sources), frame, frame, self._channels
        self.array: NDArray[np.uint8]
        if math.prod(shape) <= IN_MEMORY_BYTES:
            self.array = np.empty(shape, dtype=np.uint8)
        else:
            place = tempfile.gettempdir()
            free = shutil.disk_usage(place).free
            if math.prod(shape) > free:  # writing to the mapping of a full disk kills the process
                seen = f"{place}: the decoded pictures take {math.prod(shape) >> 20:,} MiB, and {free >> 20:,} are free"
                raise ResourceError(seen, "free some space, or name another folder in TMPDIR")
            with tempfile.TemporaryFile(prefix="facesketch-") as file:  # the mapping keeps it alive
                self.array = np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)
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


def _evenly(groups: Sequence[NDArray[np.int64]], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` places in random order, equally many from each group; those of a small group repeat."""
    share = -(-count // len(groups))
    drawn = [np.concatenate([rng.permutation(one) for _ in range(-(-share // len(one)))])[:share] for one in groups]
    return rng.permutation(np.concatenate(drawn))[:count]


Key = tuple[int, int]
"""(epoch, place in that epoch's order)."""


Item = tuple[Tensor, Tensor, str, str, Placement, str]
"""A photo, a sketch, the stem of each, the photo's placement and the sketch's style, before they are stacked."""


class PairDataset(Dataset[Item]):
    """Photos and sketches by (epoch, place).

    Args:
        pairs: what to draw from.
        config: sizes, channels, and whether to draw from each set equally often.
        augment: limits of the random draw; None keeps the pictures as they are and in their order.
        frame: side of the square frame.
        seed: decides order and augmentation.
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
        sets = np.array([pair.attributes.get("set", "") if config.balance else "" for pair in pairs])
        self._sets = [np.flatnonzero(sets == name) for name in sorted(set(sets.tolist()))]
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
        left, right = self.photos[photo], self.sketches[sketch]
        if self._augment is not None:
            rng = np.random.Generator(np.random.PCG64([self._seed, epoch, 2, place]))
            for_photo = draw(self._augment, rng)
            for_sketch = for_photo if self._paired else draw(self._augment, rng)
            left, right = relight(move(left, for_photo), for_photo), move(right, for_sketch)
        placement = self.photos.placements[photo]
        return left, right, self.stems[photo], self.stems[sketch], placement, self._styles[sketch]


def epoch_keys(count: int, batch_size: int, epoch: int, *, rank: int = 0, world: int = 1) -> list[list[Key]]:
    """Return one process's batches of an epoch as keys.

    Several processes take neighbouring parts of one larger batch: together they see what one process with `world` times
    the batch size sees. A smaller last batch is kept, cut to a multiple of `world`.
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
    own = torch.Generator()  # without it the loader draws from the random state that a model's noise comes from
    stack = partial(_stack, direction=direction)  # a local function would reach forked processes only
    yield from DataLoader(
        dataset,
        batch_sampler=keys,
        collate_fn=stack,
        num_workers=workers,
        worker_init_fn=_leave_interrupts,
        generator=own,
    )


def _leave_interrupts(worker: int) -> None:
    """Leave Ctrl+C, which reaches every process of a terminal, to the one that trains: it ends after its step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _stack(items: list[Item], direction: Direction) -> Batch:
    photos, sketches, photo_stems, sketch_stems, placements, styles = zip(*items, strict=True)
    pictures = torch.stack(photos), torch.stack(sketches)
    return Batch(*pictures, photo_stems, sketch_stems, placements, direction, styles)
