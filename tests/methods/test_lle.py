"""Locally linear weights: one in sum, of the least error, and safe where neighbours are alike."""

from __future__ import annotations

import itertools

import pytest
import torch

from facesketch.methods.lle import linear_weights


def test_weights_add_up_to_one() -> None:
    torch.manual_seed(0)
    weights = linear_weights(torch.randn(3, 7, 5, 40), torch.randn(3, 7, 40), 1e-3)
    assert weights.shape == (3, 7, 5)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 7))


def test_no_weights_that_add_up_to_one_come_nearer() -> None:
    torch.manual_seed(1)
    neighbours, wanted = torch.randn(3, 12, dtype=torch.float64), torch.randn(12, dtype=torch.float64)
    weights = linear_weights(neighbours, wanted, 1e-9)
    least = (weights @ neighbours - wanted).square().sum()
    steps = torch.linspace(-2, 2, 81, dtype=torch.float64)
    for one, other in itertools.product(steps, steps):
        tried = torch.stack([one, other, 1 - one - other])
        assert (tried @ neighbours - wanted).square().sum() >= least - 1e-6


def test_what_is_among_the_neighbours_is_taken_as_it_is() -> None:
    torch.manual_seed(2)
    neighbours = torch.rand(5, 100)
    weights = linear_weights(neighbours, neighbours[3], 1e-3)
    assert float(weights[3]) == pytest.approx(1.0, abs=0.01)
    assert float(weights.abs().sum() - weights[3].abs()) < 0.01


def test_neighbours_that_are_all_the_same_share_evenly() -> None:
    same = torch.full((4, 9), 0.5)
    for wanted in (same[0], torch.zeros(9)):
        torch.testing.assert_close(linear_weights(same, wanted, 1e-3), torch.full((4,), 0.25))


def test_a_stronger_regulariser_makes_weights_more_even() -> None:
    torch.manual_seed(3)
    neighbours, wanted = torch.randn(5, 30), torch.randn(30)
    spread = [float(linear_weights(neighbours, wanted, share).std()) for share in (1e-4, 1e-1, 1e2)]
    assert spread[0] > spread[1] > spread[2]
