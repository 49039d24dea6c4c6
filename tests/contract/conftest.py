"""Every method passes the same tests; these fixtures make each one small enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facesketch import train
from facesketch.config import DIRECTIONS, Direction, RunConfig, configure
from facesketch.methods.registry import METHODS, family, resolve
from facesketch.training import trainer
from facesketch.training.cost import Estimate

NARROW: dict[str, dict[str, Any]] = {
    "dense-ae": {"hidden": 8, "latent": 4},
    "conv-ae": {"noise": 0.1},
    "conv-vae": {"latent": 2},
    "pix2pix": {"width": 4},
    "cyclegan": {"width": 4, "blocks": 1, "pool": 3},
    "sparse-ae": {"units": 8},
    "cogan": {"width": 16, "latent": 4},
    "unit": {"width": 4, "blocks": 1},
    "portrait": {"width": 4, "blocks": 1, "discriminator_width": 4, "perceptual": "none"},
    "lle": {"overlap": 10, "neighbours": 3},
    "mrf": {"neighbours": 3, "rounds": 2},
}
"""Options that make a method small. A method that is missing here is trained at its own size."""

SMALL: dict[str, Any] = {"size": 32, "batch_size": 2, "device": "cpu", "precision": "fp32", "samples": 2}
LEARNED = [name for name in METHODS if family(name).learned]
STEPWISE = [name for name in LEARNED if not family(name).exemplars]
EXEMPLARS = [name for name in LEARNED if family(name).exemplars]
TASKS = [
    (name, direction)
    for name in LEARNED
    for direction in (family(name).directions[:1] if family(name).both_ways else DIRECTIONS)
]

Trained = Callable[..., Path]


@pytest.fixture(params=LEARNED)
def learned(request: pytest.FixtureRequest) -> str:
    """Return each method that learns."""
    return str(request.param)


@pytest.fixture(params=STEPWISE)
def stepwise(request: pytest.FixtureRequest) -> str:
    """Return each method that learns by gradients, with losses and a network."""
    return str(request.param)


@pytest.fixture(params=EXEMPLARS)
def exemplar(request: pytest.FixtureRequest) -> str:
    """Return each method that keeps its training pairs and has no network."""
    return str(request.param)


@pytest.fixture(params=TASKS, ids=lambda task: "-".join(task))
def task(request: pytest.FixtureRequest) -> tuple[str, Direction]:
    """Return each method with each direction; a method that learns both at once comes once."""
    name, direction = request.param
    return name, direction


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, arrange: Callable[..., Path]) -> Path:
    """Return a folder with 8 training, 2 validation and 2 test pairs."""
    return arrange(tmp_path_factory.mktemp("contract") / "data")


@pytest.fixture(scope="session")
def settings(data: Path) -> Callable[..., dict[str, Any]]:
    """Return the small settings of a method, with changes."""

    def small(name: str, **changes: Any) -> dict[str, Any]:
        return {"folder": data, **SMALL, **NARROW.get(name, {}), **changes}

    return small


@pytest.fixture(scope="session")
def config(settings: Callable[..., dict[str, Any]]) -> Callable[..., RunConfig]:
    """Return the resolved small settings of a method, with changes."""
    return lambda name, **changes: resolve(configure(name, settings(name, **changes)))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, settings: Callable[..., dict[str, Any]]) -> Trained:
    """Return a function that trains a method and returns its run folder; equal requests share a run."""
    runs: dict[str, Path] = {}

    def run(name: str, **changes: Any) -> Path:
        key = repr((name, sorted(changes.items())))
        if key not in runs:
            out = tmp_path_factory.mktemp(name) / "run"
            runs[key] = train(name, out, quiet=True, **settings(name, **({"steps": 2} | changes)))
        return runs[key]

    return run


@pytest.fixture
def no_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start runs at once, without estimating the cost of a step."""
    monkeypatch.setattr(trainer, "estimate", lambda config, half, pairs: Estimate(1, 1, 1, 1))
