"""What a step sees depends on (seed, epoch, place) alone, and every picture is decoded once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from facesketch.config import AugmentConfig, DataConfig
from facesketch.data import datasets
from facesketch.data.datasets import Batch, PairDataset, Pictures, batches, epoch_keys
from facesketch.data.pairs import Pair, Source
from facesketch.images.io import open_image, to_array
from facesketch.images.tensors import to_image

COUNT = 10


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Return pairs of 32x40 pictures: photo n is noise, and its sketch is the photo's red channel."""
    folder = tmp_path_factory.mktemp("pairs")
    made = []
    for number in range(COUNT):
        photo = np.random.default_rng(number).integers(0, 256, (40, 32, 3), dtype=np.uint8)
        Image.fromarray(photo).save(folder / f"photo-{number}.png")
        Image.fromarray(photo[:, :, 0]).save(folder / f"sketch-{number}.png")
        stem = f"face-{number}"
        made.append(Pair(stem, stem, *(Source(folder / f"{kind}-{number}.png") for kind in ("photo", "sketch"))))
    return made


def _data(pairs: list[Pair], augment: AugmentConfig | None = None, **options: Any) -> PairDataset:
    return PairDataset(pairs, DataConfig(size=40), augment, frame=40, **options)


def _still(**changes: Any) -> AugmentConfig:
    return AugmentConfig(**{"flip": False, "rotate": 0, "zoom": 0, "shift": 0, "light": 0} | changes)


def _epoch(data: PairDataset, epoch: int, size: int = 3, **options: Any) -> list[Batch]:
    return list(batches(data, epoch_keys(len(data), size, epoch), "photo2sketch", **options))


def _same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a.photo, b.photo) and torch.equal(a.sketch, b.sketch) and a.photo_stems == b.photo_stems
        for a, b in zip(one, other, strict=True)
    )


# Pictures


def test_every_picture_is_decoded_once(pairs: list[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    real: Callable[..., Image.Image] = Source.open
    monkeypatch.setattr(Source, "open", lambda source: (opened.append(source.path), real(source))[1])
    data = _data(pairs, AugmentConfig())
    for epoch in range(3):
        _epoch(data, epoch)
    assert sorted(opened) == sorted(source.path for pair in pairs for source in (pair.photo, pair.sketch))


def test_pictures_are_kept_as_bytes_in_their_frame(pairs: list[Pair]) -> None:
    pictures = Pictures([pair.photo for pair in pairs], "photo", DataConfig(size=40), 48)
    assert pictures.array.dtype == np.uint8
    assert pictures.array.shape == (COUNT, 48, 48, 3)
    assert len(pictures) == COUNT
    for number, pair in enumerate(pairs):
        cut = pictures.placements[number].cut(pictures[number])
        assert np.array_equal(np.asarray(to_image(cut)), np.asarray(open_image(pair.photo.path)))
    sketches = Pictures([pair.sketch for pair in pairs], "sketch", DataConfig(size=40, sketch_channels=3), 48)
    assert sketches.array.shape[-1] == 3


@pytest.mark.parametrize("faces", [False, True])
def test_what_translation_fills_is_filled_for_learning(tmp_path: Path, faces: bool) -> None:
    """A model must see in use what it saw while it learned."""
    turned = Image.new("L", (200, 250), 230).rotate(4)
    turned.save(tmp_path / "sketch.png")
    pictures = Pictures([Source(tmp_path / "sketch.png")], "sketch", DataConfig(size=250, faces=faces), 256)
    assert (pictures.array.min() > 220) == faces


def test_larger_pictures_are_shrunk_not_stretched(pairs: list[Pair]) -> None:
    pictures = Pictures([pairs[0].photo], "photo", DataConfig(size=20), 20)
    assert pictures.placements[0].content == (16, 20)
    assert pictures.placements[0].original == (32, 40)


def test_large_sets_lie_in_a_file(pairs: list[Pair], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = _data(pairs)
    assert not isinstance(whole.photos.array, np.memmap)
    monkeypatch.setattr(datasets, "IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    paged = _data(pairs)
    assert isinstance(paged.photos.array, np.memmap)
    assert np.array_equal(paged.photos.array, whole.photos.array)
    assert _same(_epoch(paged, 0), _epoch(whole, 0))
    assert list(tmp_path.iterdir()) == [], "the file goes with the process, however it ends"


# Order and draws


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 4), st.integers(0, 5))
def test_ranks_tile_the_epoch(count: int, size: int, world: int, epoch: int) -> None:
    shares = [epoch_keys(count, size, epoch, rank=rank, world=world) for rank in range(world)]
    alone = epoch_keys(count, size * world, epoch)
    assert len({len(share) for share in shares}) == 1, "all take as many steps"
    for step in range(len(shares[0])):
        parts = [share[step] for share in shares]
        assert len({len(part) for part in parts}) == 1, "all take equal parts, so means of means are means"
        together = [key for part in parts for key in part]
        assert together == alone[step][: len(together)]
        assert len(alone[step]) - len(together) < world
    seen = [key for share in shares for part in share for key in part]
    assert len(seen) == len(set(seen)) > count - world
    assert all(key[0] == epoch and 0 <= key[1] < count for key in seen)


def test_an_epoch_holds_every_pair_once_in_a_new_order(pairs: list[Pair]) -> None:
    data = _data(pairs, _still())
    orders = [[stem for batch in _epoch(data, epoch) for stem in batch.photo_stems] for epoch in range(4)]
    assert all(sorted(order) == data.stems for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert [len(batch.photo) for batch in _epoch(data, 0)] == [3, 3, 3, 1]


def test_a_batch_depends_on_seed_epoch_and_place_alone(pairs: list[Pair]) -> None:
    first = _epoch(_data(pairs, AugmentConfig(), seed=3), 5)
    other = _data(pairs, AugmentConfig(), seed=3)
    _epoch(other, 0)
    torch.manual_seed(99)
    np.random.default_rng(99)
    assert _same(first, _epoch(other, 5))
    keys = epoch_keys(COUNT, 3, 5)
    assert _same(first[2:], list(batches(other, keys[2:], "photo2sketch")))
    assert not _same(first, _epoch(_data(pairs, AugmentConfig(), seed=4), 5))
    assert not _same(first, _epoch(other, 6))


def test_a_picture_is_moved_differently_in_every_epoch_and_place(pairs: list[Pair]) -> None:
    data = _data([pairs[0]] * 4, AugmentConfig())
    photos = [photo for epoch in range(4) for batch in _epoch(data, epoch) for photo in batch.photo]
    assert not any(torch.equal(one, other) for one, other in combinations(photos, 2))


def test_batches_consume_no_random_state(pairs: list[Pair]) -> None:
    torch.manual_seed(0)
    before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()
    _epoch(_data(pairs, AugmentConfig()), 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpys)


def test_workers_give_the_same_batches(pairs: list[Pair]) -> None:
    data = _data(pairs, AugmentConfig())
    assert _same(_epoch(data, 1), _epoch(data, 1, workers=2))


def test_workers_need_not_be_forked(pairs: list[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS and Windows start them from scratch, and send them everything."""
    monkeypatch.setattr(datasets, "DataLoader", partial(DataLoader, multiprocessing_context="spawn"))
    data = _data(pairs[:3])
    spawned = _epoch(data, 1, workers=1)
    monkeypatch.undo()
    assert _same(_epoch(data, 1), spawned)


def test_without_augmentation_pairs_come_as_they_are_in_their_own_order(pairs: list[Pair]) -> None:
    data = _data(pairs)
    stems = [stem for batch in _epoch(data, 7) for stem in batch.photo_stems]
    assert stems == [pair.stem for pair in pairs]
    batch = _epoch(data, 0)[0]
    for pair, photo, sketch, place in zip(pairs, batch.photo, batch.sketch, batch.placements, strict=False):
        assert np.array_equal(np.asarray(to_image(place.cut(photo))), to_array(open_image(pair.photo.path), 3))
        assert np.array_equal(np.asarray(to_image(place.cut(sketch))), np.asarray(open_image(pair.sketch.path)))


def _red(photo: Tensor) -> Tensor:
    return photo[:, :1]


def test_pairs_stay_pairs_however_they_move(pairs: list[Pair]) -> None:
    data = _data(pairs, AugmentConfig(rotate=30, zoom=0.3, shift=0.2, light=0))
    still = _data(pairs, _still())
    for epoch in range(3):
        for batch, unmoved in zip(_epoch(data, epoch), _epoch(still, epoch), strict=True):
            assert batch.photo_stems == batch.sketch_stems == unmoved.photo_stems
            torch.testing.assert_close(_red(batch.photo), batch.sketch, atol=1e-5, rtol=0)
            assert not torch.equal(batch.photo, unmoved.photo)


def test_light_touches_the_photo_alone(pairs: list[Pair]) -> None:
    lit, still = _data(pairs, _still(light=0.5)), _data(pairs, _still())
    for batch, dark in zip(_epoch(lit, 0), _epoch(still, 0), strict=True):
        assert torch.equal(batch.sketch, dark.sketch)
        assert not torch.equal(batch.photo, dark.photo)
        assert -1.0 <= float(batch.photo.min()) <= float(batch.photo.max()) <= 1.0
    assert _same(_epoch(lit, 0), _epoch(lit, 0)), "what is kept never changes"


def test_unpaired_draws_are_independent(pairs: list[Pair]) -> None:
    data = _data(pairs, AugmentConfig(light=0), paired=False)
    together, photos_first = 0, []
    for epoch in range(40):
        drawn = _epoch(data, epoch)
        photos = [stem for batch in drawn for stem in batch.photo_stems]
        sketches = [stem for batch in drawn for stem in batch.sketch_stems]
        assert sorted(photos) == sorted(sketches) == data.stems
        together += sum(one == other for one, other in zip(photos, sketches, strict=True))
        photos_first.append(photos[0])
    assert 15 < together < 70, "of 400 draws about one in ten is a pair, by chance"
    moved = [
        (photo[:1], sketch)
        for epoch in range(40)
        for batch in _epoch(data, epoch)
        for photo, sketch, *stems in zip(batch.photo, batch.sketch, batch.photo_stems, batch.sketch_stems, strict=True)
        if stems[0] == stems[1]
    ]
    assert all(not torch.allclose(photo, sketch, atol=0.05) for photo, sketch in moved), "each is moved differently"
    assert len(set(photos_first)) > 5


# Batches


def test_a_batch_faces_its_direction(pairs: list[Pair]) -> None:
    batch = _epoch(_data(pairs), 0)[0]
    assert batch.source is batch.photo
    assert batch.target is batch.sketch
    back = batch.facing("sketch2photo")
    assert back.source is batch.sketch
    assert back.target is batch.photo


def test_the_first_of_a_batch_are_a_batch(pairs: list[Pair]) -> None:
    first = _epoch(_data(pairs), 0)[0].first(2)
    assert len(first.photo) == len(first.sketch) == 2
    assert first.photo_stems == first.sketch_stems == ("face-0", "face-1")
    assert len(first.placements) == 2


def test_layout_in_memory_changes_no_value(pairs: list[Pair]) -> None:
    batch = _epoch(_data(pairs), 0)[0]
    last = batch.channels_last()
    assert last.photo.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last.photo, batch.photo)
    assert batch.to(torch.device("meta")).photo.is_meta


def _named(pairs: list[Pair], sets: list[str]) -> list[Pair]:
    return [
        replace(pair, attributes={"set": name, "style": f"hand-{name}"}) for pair, name in zip(pairs, sets, strict=True)
    ]


def test_sets_are_drawn_from_equally_often_if_asked(pairs: list[Pair]) -> None:
    named = _named(pairs, ["small", "small", *["large"] * (COUNT - 2)])
    for balance, small in ((True, COUNT // 2), (False, 2)):
        data = PairDataset(named, DataConfig(size=40, balance=balance), _still(), frame=40)
        stems = [stem for batch in _epoch(data, 3) for stem in batch.photo_stems]
        assert len(stems) == COUNT
        assert sum(stem in {"face-0", "face-1"} for stem in stems) == small
        assert stems == [stem for batch in _epoch(data, 3) for stem in batch.photo_stems]
        assert stems != [stem for batch in _epoch(data, 4) for stem in batch.photo_stems]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(0, 99))
def test_even_draws_are_even_and_reach_everyone(names: list[str], seed: int) -> None:
    groups = [np.flatnonzero(np.array(names) == name) for name in sorted(set(names))]
    places = datasets._evenly(groups, len(names), np.random.default_rng(seed))
    counts = [int(np.isin(places, group).sum()) for group in groups]
    assert len(places) == len(names)
    assert max(counts) - min(counts) <= len(groups)
    for group, count in zip(groups, counts, strict=True):
        times = np.bincount(places[np.isin(places, group)], minlength=len(names))[group]
        assert times.max() - times.min() <= 1 + (len(groups) > 1), count


def test_a_batch_says_the_style_of_each_sketch(pairs: list[Pair]) -> None:
    batch = _epoch(PairDataset(_named(pairs, ["x"] * COUNT), DataConfig(size=40), None, frame=40), 0)[0]
    assert batch.styles == ("hand-x",) * 3
    assert batch.first(2).styles == ("hand-x",) * 2
    assert _epoch(_data(pairs), 0)[0].styles == ("",) * 3
