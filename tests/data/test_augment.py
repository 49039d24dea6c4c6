"""One draw moves photo and sketch alike, and depends on nothing but its seed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from torch import Tensor

from facesketch.config import AugmentConfig
from facesketch.data.augment import Draw, draw, move, relight


def _bend(limit: float, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-limit, limit, (2, 6, 5)).astype(np.float32)


DRAWS = st.builds(
    Draw,
    mirrored=st.booleans(),
    degrees=st.floats(-180, 180),
    zoom=st.floats(0.5, 1.9),
    shift=st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4)),
    bend=st.one_of(st.none(), st.integers(0, 99).map(lambda seed: _bend(0.2, seed))),
    brightness=st.floats(-0.9, 0.9),
    contrast=st.floats(0.1, 1.9),
)


def _ramp(height: int = 40, width: int = 40) -> Tensor:
    """Return a picture whose two channels say where a pixel was: its x and its y in [-0.5, 0.5]."""
    y, x = torch.meshgrid(torch.linspace(-0.5, 0.5, height), torch.linspace(-0.5, 0.5, width), indexing="ij")
    return torch.stack([x, y])


def _noise(channels: int = 3, height: int = 24, width: int = 24) -> Tensor:
    return torch.rand(channels, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


def _inside(picture: Tensor, margin: int = 12) -> Tensor:
    return picture[:, margin:-margin, margin:-margin]


@settings(max_examples=40, deadline=None)
@given(DRAWS)
def test_photo_and_sketch_move_alike(drawn: Draw) -> None:
    photo, sketch = _ramp(), _ramp() * 0.5
    torch.testing.assert_close(move(photo, drawn) * 0.5, move(sketch, drawn), atol=1e-5, rtol=0)


def test_no_draw_changes_nothing() -> None:
    picture = _noise()
    assert move(picture, Draw()) is picture
    assert relight(picture, Draw()) is picture
    assert not Draw(mirrored=True, brightness=0.5).moves


def test_resampling_by_nothing_gives_the_picture_back() -> None:
    picture = _noise()
    still = Draw(degrees=1e-12)
    assert still.moves
    torch.testing.assert_close(move(picture, still), picture, atol=1e-5, rtol=0)


def test_a_mirror_swaps_left_and_right_and_is_its_own_way_back() -> None:
    picture = _noise()
    mirrored = move(picture, Draw(mirrored=True))
    assert torch.equal(mirrored[..., 0], picture[..., -1])
    assert torch.equal(move(mirrored, Draw(mirrored=True)), picture)


def test_a_shift_to_the_right_and_down_moves_the_picture_there() -> None:
    picture = _noise(1, 20, 40)
    moved = move(picture, Draw(shift=(0.25, 0.1)))
    torch.testing.assert_close(moved[:, 2:, 10:], picture[:, :-2, :-10], atol=1e-4, rtol=0)


def test_a_quarter_turn_turns_a_quarter() -> None:
    picture = _noise()
    turned = move(picture, Draw(degrees=90.0))
    ways = [torch.rot90(picture, times, dims=(1, 2)) for times in (1, -1)]
    assert min(float((turned - way).abs().max()) for way in ways) < 1e-4
    back = move(turned, Draw(degrees=-90.0))
    torch.testing.assert_close(back, picture, atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", [(60, 60), (50, 70)])
@pytest.mark.parametrize(
    "drawn", [Draw(degrees=20.0), Draw(zoom=1.3), Draw(zoom=0.8), Draw(degrees=-8.0, zoom=1.2, shift=(0.1, -0.05))]
)
def test_turning_and_scaling_are_the_textbook_s(shape: tuple[int, int], drawn: Draw) -> None:
    """A ramp moved by scipy: turned about the centre in pixels, never stretched."""
    picture = _ramp(*shape)
    angle = np.deg2rad(drawn.degrees)
    # scipy asks where an output pixel comes from, in (row, column); y points down, so this turns anticlockwise
    back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / drawn.zoom
    centre = (np.array(shape) - 1) / 2
    shift = np.array([drawn.shift[1] * shape[0], drawn.shift[0] * shape[1]])
    offset = centre - shift - back @ centre  # shifted first, then turned and scaled about the middle
    expected = [affine_transform(plane.numpy(), back, offset, order=1, mode="nearest") for plane in picture]
    moved = _inside(move(picture, drawn), 18).numpy()
    np.testing.assert_allclose(moved, _inside(torch.tensor(np.array(expected)), 18).numpy(), atol=0.01)


@settings(max_examples=60, deadline=None)
@given(DRAWS)
def test_everything_stays_a_picture(drawn: Draw) -> None:
    photo = relight(move(_noise(), drawn), drawn)
    assert photo.shape == (3, 24, 24)
    assert photo.dtype == torch.float32
    assert torch.isfinite(photo).all()
    assert -1.0 <= float(photo.min()) <= float(photo.max()) <= 1.0


def test_what_comes_in_at_the_edges_is_picture() -> None:
    white = torch.ones(1, 24, 24)
    for drawn in (Draw(shift=(0.4, 0.0)), Draw(degrees=45.0), Draw(zoom=0.5)):
        torch.testing.assert_close(move(white, drawn), white, atol=1e-4, rtol=0)


def test_a_bend_of_all_places_alike_is_a_shift() -> None:
    bend = np.broadcast_to(np.float32([[[-0.1]], [[0.05]]]), (2, 6, 5)).copy()
    expected = move(_ramp(), Draw(shift=(0.1, -0.05)))
    torch.testing.assert_close(move(_ramp(), Draw(bend=bend)), expected, atol=1e-5, rtol=0)


def test_a_bend_moves_each_place_by_its_own() -> None:
    bend = _bend(0.1)
    bend[:, 0, 0], bend[:, -1, -1] = (0.1, 0.05), (-0.05, -0.1)
    moved = move(_ramp(41, 41), Draw(bend=bend)) - _ramp(41, 41)
    assert moved[:, 0, 0].tolist() == pytest.approx([0.1, 0.05], abs=0.01)
    assert moved[:, -1, -1].tolist() == pytest.approx([-0.05, -0.1], abs=0.01)
    assert max(moved.diff(dim=-1).abs().max(), moved.diff(dim=-2).abs().max()) < 0.1, "there is no tear"


def test_light_changes_brightness_and_contrast() -> None:
    picture = torch.tensor([-0.5, 0.0, 0.5]).view(1, 1, 3)
    kept = picture.clone()
    assert relight(picture, Draw(brightness=0.2)).flatten().tolist() == pytest.approx([-0.3, 0.2, 0.7])
    assert relight(picture, Draw(contrast=1.5)).flatten().tolist() == pytest.approx([-0.75, 0.0, 0.75])
    assert relight(picture, Draw(brightness=0.9)).flatten().tolist() == pytest.approx([0.4, 0.9, 1.0])
    assert torch.equal(picture, kept), "the picture that is kept must not change"


def _draws(config: AugmentConfig, count: int = 400) -> list[Draw]:
    return [draw(config, np.random.Generator(np.random.PCG64([7, number]))) for number in range(count)]


def test_draws_fill_their_limits_and_keep_them() -> None:
    config = AugmentConfig(rotate=10.0, zoom=0.2, shift=0.1, light=0.3)
    drawn = _draws(config)
    values = {
        10.0: [each.degrees for each in drawn],
        0.2: [each.zoom - 1 for each in drawn],
        0.1: [part for each in drawn for part in each.shift],
        0.3: [part for each in drawn for part in (each.brightness, each.contrast - 1)],
    }
    for limit, numbers in values.items():
        assert -limit <= min(numbers) < -0.95 * limit
        assert 0.95 * limit < max(numbers) <= limit
        assert abs(float(np.mean(numbers))) < 0.1 * limit
    assert 0.4 < np.mean([each.mirrored for each in drawn]) < 0.6


def test_the_parts_of_a_draw_are_independent() -> None:
    drawn = _draws(AugmentConfig())
    parts = np.array([[d.mirrored, d.degrees, d.zoom, *d.shift, d.brightness, d.contrast] for d in drawn], dtype=float)
    correlations = np.corrcoef(parts.T) - np.eye(7)
    assert np.abs(correlations).max() < 0.2


def test_what_is_switched_off_is_off() -> None:
    assert set(_draws(AugmentConfig(augment=False))) == {Draw()}
    assert set(_draws(AugmentConfig(flip=False, rotate=0, zoom=0, shift=0, light=0))) == {Draw()}
    assert not any(each.mirrored for each in _draws(AugmentConfig(flip=False)))
    assert not any(each.moves for each in _draws(AugmentConfig(rotate=0, zoom=0, shift=0)))
    assert {(each.brightness, each.contrast) for each in _draws(AugmentConfig(light=0))} == {(0.0, 1.0)}


def test_bends_fill_their_limit_and_are_off_by_default() -> None:
    bends = np.stack([each.bend for each in _draws(AugmentConfig(elastic=0.05), 40)])
    assert bends.shape == (40, 2, 6, 5)
    assert -0.05 <= bends.min() < -0.049 < 0.049 < bends.max() <= 0.05
    assert len(np.unique(bends)) > 2000, "each place of each picture is moved by its own"
    assert all(each.bend is None for each in _draws(AugmentConfig()))


def test_switching_one_thing_off_leaves_the_others_as_they_were() -> None:
    for one, other in zip(_draws(AugmentConfig(elastic=0.1)), _draws(AugmentConfig()), strict=True):
        assert one == other, "what a seed drew before there were bends, it draws now"
    for one, other in zip(_draws(AugmentConfig()), _draws(AugmentConfig(flip=False, light=0)), strict=True):
        assert (one.degrees, one.zoom, one.shift) == (other.degrees, other.zoom, other.shift)


def test_equal_generators_draw_equally_and_others_do_not() -> None:
    assert _draws(AugmentConfig(), 20) == _draws(AugmentConfig(), 20)
    assert all(one != other for one, other in pairwise(_draws(AugmentConfig(), 20)))
