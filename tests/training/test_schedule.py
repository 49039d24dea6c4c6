from __future__ import annotations

import pytest
import torch

from facesketch.training.schedule import factor, set_learning_rate


def test_constant_never_falls() -> None:
    assert [factor("constant", step, 10) for step in range(10)] == [1.0] * 10


def test_linear_is_flat_for_half_and_then_falls_to_zero() -> None:
    falls = [factor("linear", step, 10) for step in range(11)]
    assert falls == pytest.approx([1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.0])
    assert [factor("linear", step, 1) for step in range(2)] == [1.0, 0.0]


@pytest.mark.parametrize("total", [2, 7, 1000])
def test_no_step_of_a_linear_run_is_wasted(total: int) -> None:
    falls = [factor("linear", step, total) for step in range(total)]
    assert falls == sorted(falls, reverse=True)
    assert falls[0] == 1.0
    assert falls[-1] > 0.0


def test_every_group_of_every_optimiser_gets_the_step_size() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(2)) for _ in range(3)]
    first = torch.optim.Adam([{"params": parameters[:1]}, {"params": parameters[1:2], "lr": 5.0}], lr=1.0)
    second = torch.optim.SGD(parameters[2:], lr=1.0)
    set_learning_rate({"first": first, "second": second}, 0.25)
    assert [group["lr"] for each in (first, second) for group in each.param_groups] == [0.25] * 3
