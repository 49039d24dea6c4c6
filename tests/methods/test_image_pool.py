"""CycleGAN's buffer of generated pictures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from facesketch.methods.cyclegan import ImagePool


def _picture(number: int) -> Tensor:
    return torch.full((1, 3, 2, 2), float(number))


def _numbers(pool: ImagePool) -> list[int]:
    return [int(image.mean()) for image in pool.images]


def test_until_it_is_full_the_pool_hands_back_what_it_keeps() -> None:
    pool = ImagePool(5)
    for number in range(5):
        assert torch.equal(pool.exchange(_picture(number)), _picture(number))
    assert _numbers(pool) == [0, 1, 2, 3, 4]


def test_once_full_half_of_the_pictures_are_old_ones() -> None:
    torch.manual_seed(0)
    pool, old, ages = ImagePool(50), 0, []
    for number in range(4050):
        shown = int(pool.exchange(_picture(number)).mean())
        if number >= 50:
            old += shown != number
            ages.append(number - shown)
        assert len(pool.images) <= 50
    assert old / 4000 == pytest.approx(0.5, abs=0.03)  # four standard errors
    shown_old = [age for age in ages if age]
    assert sum(shown_old) / len(shown_old) == pytest.approx(100, rel=0.1), "a picture waits 2 x 50 turns on average"


def test_pictures_kept_in_bf16_are_handed_back_in_fp32() -> None:
    torch.manual_seed(0)
    pool = ImagePool(2)
    pool.images = [_picture(number)[0].bfloat16() for number in range(2)]
    assert {pool.exchange(_picture(number)).dtype for number in range(10)} == {torch.float32}


def test_an_old_picture_makes_room_for_the_fresh_one() -> None:
    torch.manual_seed(1)
    pool = ImagePool(3)
    for number in range(3):
        pool.exchange(_picture(number))
    for number in range(3, 40):
        before = set(_numbers(pool))
        shown = int(pool.exchange(_picture(number)).mean())
        expected = before if shown == number else (before - {shown}) | {number}
        assert set(_numbers(pool)) == expected


def test_every_picture_of_a_batch_has_its_own_coin() -> None:
    torch.manual_seed(2)
    pool = ImagePool(4)
    pool.exchange(torch.cat([_picture(number) for number in range(4)]))
    batch = torch.cat([_picture(number) for number in range(4, 20)])
    shown = pool.exchange(batch)
    assert shown.shape == batch.shape
    fresh = (shown == batch).flatten(1).all(dim=1)
    assert 0 < int(fresh.sum()) < 16


def test_without_room_the_pool_does_nothing() -> None:
    pool, state = ImagePool(0), torch.get_rng_state()
    assert torch.equal(pool.exchange(_picture(7)), _picture(7))
    assert pool.images == []
    assert torch.equal(torch.get_rng_state(), state)


def test_the_pool_keeps_copies() -> None:
    pool, picture = ImagePool(2), _picture(1)
    pool.exchange(picture)
    picture.fill_(9.0)
    assert _numbers(pool) == [1]
