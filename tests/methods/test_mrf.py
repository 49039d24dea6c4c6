"""The Markov network: its choice is the cheapest of all, and options that cannot be joined are refused."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from facesketch.config import configure
from facesketch.errors import ConfigError
from facesketch.methods.mrf import cheapest
from facesketch.methods.registry import resolve


def _cost(choice: Tensor, data: Tensor, across: Tensor, down: Tensor) -> float:
    """Add up what a choice costs, in the plainest way."""
    height, width, _ = data.shape
    total = sum(float(data[y, x, choice[y, x]]) for y in range(height) for x in range(width))
    total += sum(float(across[y, x, choice[y, x], choice[y, x + 1]]) for y in range(height) for x in range(width - 1))
    return total + sum(
        float(down[y, x, choice[y, x], choice[y + 1, x]]) for y in range(height - 1) for x in range(width)
    )


def _grid(height: int, width: int, choices: int, seed: int, bonds: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    data = torch.rand(height, width, choices, generator=drawn)
    across = bonds * torch.rand(height, width - 1, choices, choices, generator=drawn)
    return data, across, bonds * torch.rand(height - 1, width, choices, choices, generator=drawn)


def _least(data: Tensor, across: Tensor, down: Tensor) -> float:
    height, width, choices = data.shape
    every = itertools.product(range(choices), repeat=height * width)
    return min(_cost(torch.tensor(each).view(height, width), data, across, down) for each in every)


@pytest.mark.parametrize("shape", [(1, 7), (7, 1)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_chain_gets_the_cheapest_choice_of_all(shape: tuple[int, int], seed: int) -> None:
    grid = _grid(*shape, choices=3, seed=seed, bonds=3.0)
    assert _cost(cheapest(*grid, rounds=60), *grid) == pytest.approx(_least(*grid), abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_a_grid_gets_the_cheapest_choice_of_all(seed: int) -> None:
    grid = _grid(3, 3, choices=2, seed=seed)
    assert _cost(cheapest(*grid, rounds=30), *grid) == pytest.approx(_least(*grid), abs=1e-5)


def test_neighbours_are_heard() -> None:
    data, across, down = _grid(4, 5, choices=3, seed=0, bonds=3.0)
    alone = cheapest(data, across, down, rounds=0)
    assert torch.equal(alone, data.argmin(dim=-1))
    together = cheapest(data, across, down, rounds=30)
    assert _cost(together, data, across, down) < _cost(alone, data, across, down) - 1.0


def test_patches_that_overlap_by_more_than_half_cannot_be_joined() -> None:
    with pytest.raises(ConfigError, match="mrf: overlap = 8: at most half of patch = 14"):
        resolve(configure("mrf", {"overlap": 8}))
