"""Sources change as strangers' pictures would, each in its own way, and stay pictures."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facesketch.data import corrupt as module
from facesketch.data.corrupt import corrupt


def _portrait(count: int = 1) -> torch.Tensor:
    """Return photos with a face-like disc before a plain blue wall, in [-1, 1]."""
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 48), indexing="ij")
    inside = ((rows**2 + columns**2) < 0.4).float()
    wall, skin = torch.tensor([-0.4, 0.2, 0.8]).view(3, 1, 1), torch.tensor([0.6, 0.2, -0.1]).view(3, 1, 1)
    picture = skin * inside + wall * (1 - inside)
    return picture.expand(count, 3, 64, 48).clone()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3]), st.booleans(), st.floats(0.05, 1.0))
def test_the_shape_stays_and_so_does_the_range(seed: int, channels: int, sketches: bool, strength: float) -> None:
    torch.manual_seed(seed)
    images = torch.rand(3, channels, 33, 40) * 2 - 1
    before = images.clone()
    changed = corrupt(images, strength, sketches=sketches)
    assert changed.shape == images.shape
    assert bool(torch.isfinite(changed).all())
    assert changed.abs().max() <= 1
    assert torch.equal(images, before)


def test_at_strength_nought_nothing_is_changed_and_nothing_drawn() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    images = _portrait()
    assert corrupt(images, 0.0, sketches=False) is images
    assert torch.equal(torch.get_rng_state(), state)


def test_the_same_random_state_gives_the_same_disguise() -> None:
    images = _portrait(4)
    torch.manual_seed(5)
    first = corrupt(images, sketches=False)
    torch.manual_seed(5)
    assert torch.equal(corrupt(images, sketches=False), first)
    assert not torch.equal(corrupt(images, sketches=False), first)


def test_each_picture_is_changed_in_its_own_way_and_some_not_at_all() -> None:
    torch.manual_seed(0)
    images = _portrait(200)
    changed = corrupt(images, sketches=False)
    means = changed.mean(dim=(2, 3))
    as_they_were = (changed - images).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert 0.2 < as_they_were.float().mean() < 0.4
    assert len(torch.unique(means[~as_they_were], dim=0)) == int((~as_they_were).sum())


def test_a_plain_wall_is_found_behind_a_face_and_not_in_it() -> None:
    mask = module._plain_background((_portrait() + 1) / 2)[0, 0]
    assert mask[:8].min() > 0.9
    assert mask[28:36, 20:28].max() == 0


def test_a_busy_background_is_left_alone() -> None:
    torch.manual_seed(0)
    assert module._plain_background(torch.rand(2, 3, 64, 48)).max() == 0


def test_a_new_background_leaves_the_face_as_it_is() -> None:
    torch.manual_seed(1)
    unit = (_portrait(50) + 1) / 2
    wall = (unit == unit[:, :, :1, :1]).all(dim=1, keepdim=True)
    unit = torch.where(wall, torch.rand(50, 3, 1, 1) * torch.tensor([0.3, 1.0, 1.0]).view(3, 1, 1), unit)
    changed = module._new_background(unit, 1.0)
    assert torch.equal(changed[:, :, 28:36, 20:28], unit[:, :, 28:36, 20:28])
    replaced = (changed[:, :, :6] - unit[:, :, :6]).abs().mean(dim=(1, 2, 3)) > 0.02
    assert 0.5 < replaced.float().mean() < 0.95


@pytest.mark.parametrize("name", ["_exposed", "_cast", "_lit_from_a_side", "_blurred"])
def test_every_part_changes_something(name: str) -> None:
    torch.manual_seed(2)
    unit = (_portrait(20) + 1) / 2
    assert (getattr(module, name)(unit, 1.0) - unit).abs().max() > 0.02


def test_strips_along_a_side_are_blackened_and_the_face_is_not() -> None:
    torch.manual_seed(4)
    changed = module._cornered(torch.ones(400, 1, 60, 48), 1.0)
    black = changed[:, 0] == 0
    assert torch.equal(changed[:, 0], 1.0 - black.float())
    share = black.float().mean(dim=(1, 2))
    assert 0.3 < (share > 0).float().mean() < 0.6
    assert share.max() < 0.12
    assert not black[:, 10:50, 8:40].any()
    for side in (black[:, 0], black[:, -1], black[:, :, 0], black[:, :, -1]):
        assert side.any(dim=1).float().mean() > 0.04, "every side has its turn"


def test_lines_of_sketches_grow_thicker_or_thinner() -> None:
    torch.manual_seed(3)
    paper = torch.ones(60, 1, 32, 32)
    paper[..., 16] = 0.0
    ink = (1 - module._retraced(paper, 1.0)).sum(dim=(1, 2, 3)) / 32
    assert ink.max() > 1.1
    assert ink.min() < 0.9


def test_rough_sketches_lose_shading_wobble_and_break() -> None:
    torch.manual_seed(4)
    plain = torch.ones(80, 1, 96, 80)
    plain[..., 38:42] = 0.0
    shaded = plain.clone()
    shaded[..., 45:, :] -= 0.3
    assert torch.equal(corrupt(shaded.clamp(0, 1), strength=0.0, rough=0.0, sketches=True), shaded.clamp(0, 1))

    shade = module._rough(shaded.clamp(0, 1), 1.0)[..., 70:90, 60:75].mean(dim=(1, 2, 3))
    assert 0.3 < (shade > 0.95).float().mean() < 0.95, "some have no shading"
    assert (shade < 0.8).float().mean() > 0.05, "others keep it"

    ink = 1 - module._rough(plain, 1.0)[:, 0]
    at = (ink * torch.arange(80)).sum(dim=2) / ink.sum(dim=2).clamp(min=1e-3)
    wobbly = at.std(dim=1) > 0.4
    assert 0.3 < wobbly.float().mean() < 0.95
    assert at.sub(39.5).abs().median() < 3, "lines stay about where they were"
    gaps = (ink.amax(dim=2) < 0.3).float().mean(dim=1)
    assert 0.1 < (gaps > 0.02).float().mean() < 0.7, "some lines have gaps"
    assert gaps.max() < 0.9


@pytest.mark.parametrize("channels", [1, 3])
def test_photos_are_never_rough(channels: int) -> None:
    photos = torch.rand(8, channels, 32, 32) * 2 - 1
    changed = corrupt(photos, strength=0.0, rough=1.0, sketches=False)
    torch.testing.assert_close(changed, photos, atol=2e-4, rtol=0)


def test_sketches_in_colour_keep_their_paper() -> None:
    torch.manual_seed(6)
    sketch = torch.ones(40, 3, 64, 48)
    sketch[:, :, 20:44, 22:26] = -1.0
    changed = corrupt(sketch, sketches=True)
    assert (changed.amax(dim=1) - changed.amin(dim=1)).max() < 0.4, "no wall in another colour"
