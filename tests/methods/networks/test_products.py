"""Which products the networks compute in bf16 on a CPU: none that oneDNN gets wrong, or crashes on, with AMX."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from facesketch.config import configure
from facesketch.data.datasets import Batch
from facesketch.images.fit import Placement
from facesketch.methods.base import Phase
from facesketch.methods.networks.blocks import Linear
from facesketch.methods.registry import METHODS, build, family, resolve

Shape = tuple[int, ...]
_PRODUCTS = {"mm": (0, 1), "addmm": (1, 2), "bmm": (0, 1), "baddbmm": (1, 2), "mv": (0, 1), "linear": (0, 1)}


class Products(TorchDispatchMode):
    """Notes the shapes of every matrix product in bf16."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[Shape, Shape]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name == "_local_scalar_dense":  # an assertion about numbers, of which there are none
            return True
        places = _PRODUCTS.get(name)
        if places is not None and args[places[0]].dtype is torch.bfloat16:
            self.shapes.append((tuple(args[places[0]].shape), tuple(args[places[1]].shape)))
        return func(*args, **(kwargs or {}))


def _next(phases: Iterator[Phase], half: Callable[[], torch.autocast]) -> Phase | None:
    with half():
        return next(phases, None)


def _step(name: str, **settings: Any) -> list[tuple[Shape, Shape]]:
    """Return the bf16 products of one training step and one translation; tensors have shapes and no numbers."""
    config = resolve(configure(name, settings))
    batch_size = config.train.batch_size or 1
    with torch.device("meta"):
        method = build(config, fresh=False)
    side = method.frame
    place = Placement((side, side), (side, side), (0, 0))
    half = partial(torch.autocast, "cpu", torch.bfloat16)
    with FakeTensorMode(allow_non_fake_inputs=True), Products() as seen:
        method.to_empty(device="cpu")
        photo, sketch = (
            torch.empty(batch_size, method.data.channels(kind), side, side) for kind in ("photo", "sketch")
        )
        batch = Batch(photo, sketch, (), (), (place,) * batch_size, "photo2sketch")
        phases = method.train().training_step(batch)
        while (phase := _next(phases, half)) is not None:
            phase.loss.backward()  # outside autocast, as in the trainer
        with torch.no_grad(), half():
            method.eval().reproduce(batch)
    return seen.shapes


@pytest.mark.parametrize("name", [name for name in METHODS if family(name).learned])
def test_no_bf16_product_has_an_inner_size_that_leaks_between_rows(name: str) -> None:
    weights = {"perceptual": "none"} if name == "portrait" else {}  # would have to be fetched; convolutions alone
    shapes = _step(name, **weights)
    assert not [(left, right) for left, right in shapes if left[-1] > 32 and left[-1] % 32]


def test_such_a_product_would_be_seen() -> None:
    with FakeTensorMode(), torch.autocast("cpu", torch.bfloat16), Products() as seen:
        torch.nn.Linear(33, 64)(torch.empty(16, 33)).sum().backward()
    assert ((16, 33), (33, 64)) in seen.shapes


@pytest.mark.parametrize("batch_size", [7, 8, 9])
def test_the_dense_network_keeps_out_of_bf16_products(batch_size: int) -> None:
    assert _step("dense-ae", size=256, batch_size=batch_size) == []


def test_a_linear_layer_computes_as_in_fp32_under_autocast() -> None:
    torch.manual_seed(0)
    layer, x = Linear(300, 70), torch.randn(8, 300, requires_grad=True)
    plain = layer(x)
    (expected,) = torch.autograd.grad(plain.square().sum(), x)
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x.bfloat16().float())
    assert half.dtype is torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        same = layer(x)
    (gradient,) = torch.autograd.grad(same.square().sum(), x)
    assert torch.equal(same, plain)
    assert torch.equal(gradient, expected)


def test_a_linear_layer_takes_what_a_bf16_layer_gave() -> None:
    layer, x = Linear(4, 2), torch.ones(3, 4, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        layer(x).sum().backward()
    assert isinstance(x.grad, Tensor)
    assert x.grad.dtype is torch.bfloat16
