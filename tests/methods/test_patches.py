"""What methods of patches share: the search, the pairs they keep, and what becomes of a picture among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from facesketch import load, train
from facesketch.checkpoints.checkpoint import load_method
from facesketch.config import DIRECTIONS, Direction, configure
from facesketch.data.datasets import PairDataset
from facesketch.errors import ConfigError
from facesketch.methods.families import PatchOptions
from facesketch.methods.patches import Grid, Matches, PatchMethod, cut, lay, nearest
from facesketch.methods.registry import METHODS, build, family, resolve
from facesketch.training.run_folder import read_split

NAMES = [name for name in METHODS if family(name).exemplars]
SMALL: dict[str, Any] = {"size": 40, "device": "cpu", "precision": "fp32", "patch": 48, "overlap": 24, "radius": 12}

EXACT: dict[str, dict[str, Any]] = {"lle": {"regulariser": 1e-7}}
"""Options by which a method favours nothing over agreement with the source."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, arrange: Callable[..., Path]) -> Path:
    """Return a folder with 8 training, 2 validation and 2 test pairs."""
    return arrange(tmp_path_factory.mktemp("patches") / "data")


def _kept(data: Path, name: str, direction: Direction = "photo2sketch", **changes: Any) -> tuple[PatchMethod, Any]:
    config = resolve(configure(name, {"folder": data, "direction": direction, **SMALL, **changes}))
    method = build(config)
    assert isinstance(method, PatchMethod)
    pairs = PairDataset(read_split(config).train, config.data, None, frame=method.frame)
    method.memorise(pairs)
    return method.eval(), pairs


def _places(grid: Grid, picture: Tensor, row: int, column: int) -> list[tuple[float, int, int]]:
    """Return every place of the window round one place of the grid, as (0, top, left)."""
    around = range(-grid.radius, grid.radius + 1)
    return [(0.0, row * grid.step + down, column * grid.step + right) for down in around for right in around]


def _patch(picture: Tensor, top: int, left: int, patch: int) -> Tensor:
    """Cut a patch out of a mirrored (C, S, S) picture, in the plainest way."""
    mirrored = np.pad(picture.numpy(), ((0, 0), (20, 20), (20, 20)), mode="reflect")
    return torch.from_numpy(mirrored[:, top + 20 : top + 20 + patch, left + 20 : left + 20 + patch].copy())


def test_the_nearest_place_of_each_training_picture_is_found() -> None:
    torch.manual_seed(0)
    grid = Grid.of(PatchOptions(patch=64, overlap=24, radius=20), 24)
    assert (grid.patch, grid.step, grid.radius, grid.side, grid.count) == (6, 4, 2, 26, 6)
    images, sources = torch.rand(2, 1, grid.side, grid.side), torch.rand(4, 1, grid.side, grid.side)
    for row, matches in enumerate(nearest(images, sources, grid, 3)):
        found = cut(sources, matches, grid.patch)
        for number in range(len(images)):
            for column in range(grid.count):
                wanted = images[number, :, row * 4 : row * 4 + 6, column * 4 : column * 4 + 6]
                best = []
                for picture, source in enumerate(sources):
                    places = [(top, left) for _, top, left in _places(grid, source, row, column)]
                    errors = [(_patch(source, *place, 6) - wanted).square().sum().item() for place in places]
                    least = int(np.argmin(errors))
                    best.append((errors[least], picture, *places[least]))
                for place, (error, *where) in enumerate(sorted(best)[:3]):
                    at = (number, column, place)
                    assert [int(part[at]) for part in (matches.picture, matches.top, matches.left)] == where
                    assert float(matches.distance[at]) == pytest.approx(error, abs=1e-4)
                    truth = _patch(sources[where[0]], where[1], where[2], 6)
                    assert torch.equal(found[at].permute(2, 0, 1), truth)


@pytest.mark.parametrize("block", [1, 1 << 30])
def test_the_search_is_the_same_in_blocks_of_any_size(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid.of(PatchOptions(patch=64, overlap=24, radius=20), 24)
    images, sources = torch.rand(2, 1, grid.side, grid.side), torch.rand(4, 1, grid.side, grid.side)
    expected = list(nearest(images, sources, grid, 9))
    monkeypatch.setattr("facesketch.methods.patches._BLOCK", block)
    for one, other in zip(expected, nearest(images, sources, grid, 9), strict=True):
        assert one.picture.shape == (2, grid.count, 4), "no more than there are training pictures"
        assert torch.equal(one.picture, other.picture)
        assert torch.equal(one.top, other.top)
        assert torch.equal(one.left, other.left)


def test_patches_laid_where_they_were_cut_are_the_picture_again() -> None:
    grid = Grid.of(PatchOptions(patch=20, overlap=14), 64)
    assert grid.side >= 64
    picture = torch.rand(1, 3, grid.side, grid.side)
    row = torch.zeros(1, grid.count, 1, dtype=torch.long)
    left = torch.arange(grid.count)[None, :, None] * grid.step
    rows = [cut(picture, Matches(row, row, row + top * grid.step, left), grid.patch) for top in range(grid.count)]
    patches = torch.stack([each[:, :, 0] for each in rows], dim=1)
    mean = lay(patches, grid) / lay(torch.ones_like(patches), grid)
    torch.testing.assert_close(mean, picture)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [16, 33, 64, 200, 256])
def test_patches_cover_the_frame_at_any_size(name: str, size: int) -> None:
    grid = Grid.of(family(name)(), size)  # type: ignore[arg-type]
    assert size <= grid.side < size + grid.step
    assert (grid.count - 1) * grid.step + grid.patch == grid.side


def test_options_are_pixels_of_a_picture_256_high() -> None:
    options = PatchOptions(patch=20, overlap=14, radius=6)
    assert Grid.of(options, 256) == Grid(20, 6, 6, 260, 41)
    assert Grid.of(options, 128) == Grid(10, 3, 3, 130, 41)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("channels", [(3, 1), (1, 3)])
def test_a_picture_that_was_kept_comes_back_as_its_own_pair(
    name: str, direction: Direction, channels: tuple[int, int], data: Path
) -> None:
    options = {"photo_channels": channels[0], "sketch_channels": channels[1]} | EXACT.get(name, {})
    method, pairs = _kept(data, name, direction, **options)
    photos, sketches = (torch.stack([side[place] for place in range(3)]) for side in (pairs.photos, pairs.sketches))
    source, target = (photos, sketches) if direction == "photo2sketch" else (sketches, photos)
    drawn = method.translate(source, direction)
    assert drawn.shape == target.shape
    assert float((drawn - target).abs().max()) < 1.5 / 127.5


@pytest.mark.parametrize("name", NAMES)
def test_it_draws_no_paler_in_half_precision(name: str, data: Path) -> None:
    method, pairs = _kept(data, name)
    source = pairs.photos[0][None].roll(3, dims=-1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = method.translate(source, "photo2sketch")
    assert torch.equal(half, method.translate(source, "photo2sketch"))


@pytest.mark.parametrize("name", NAMES)
def test_before_there_are_pairs_it_draws_grey(name: str) -> None:
    method = build(resolve(configure(name, SMALL)))
    drawn = method.translate(torch.rand(2, 3, method.frame, method.frame), "photo2sketch")
    assert torch.equal(drawn, torch.zeros(2, 1, method.frame, method.frame))


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_starts_from_another_has_the_pairs_of_both(name: str, data: Path, tmp_path: Path) -> None:
    settings = {"data": data, "quiet": True, "samples": 0, **SMALL}
    first = train(name, tmp_path / "first", limit=3, **settings)
    both = train(name, tmp_path / "both", limit=2, start_from=first, **settings)
    before, after = (safetensors.torch.load_file(run / "weights.safetensors") for run in (first, both))
    assert (len(before["photos"]), len(after["photos"])) == (3, 5)
    assert torch.equal(after["sketches"][:3], before["sketches"])
    with pytest.raises(ConfigError, match=f"{name} of 40 pixels, which differ .*differing: photos, sketches"):
        train(name, tmp_path / "other", start_from=first, **settings | {"size": 48})


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_bears_what_the_file_keeps(name: str, data: Path, tmp_path: Path) -> None:
    run = train(name, tmp_path / "run", data=data, quiet=True, **SMALL | EXACT.get(name, {}))
    method, _ = load_method(run, "last")
    assert method.state_dict()["photos"].dtype == torch.uint8
    assert len(method.state_dict()["photos"]) == len(method.state_dict()["sketches"]) == 8
    drawn = load(run, weights="last")(np.asarray(method.state_dict()["photos"][1].permute(1, 2, 0)))
    truth = method.state_dict()["sketches"][1, 0].numpy()
    assert np.abs(drawn.astype(int) - truth).max() <= 2
