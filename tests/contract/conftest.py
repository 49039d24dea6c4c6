"""Every method goes through the same checks; here stands what makes each of them small enough for a test."""

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
"""Options that make a method small. Those of a new method may be missing here: it is then trained as it is."""

SMALL: dict[str, Any] = {"size": 32, "batch_size": 2, "device": "cpu", "precision": "fp32", "samples": 2}
LEARNED = [name for name in METHODS if family(name).learned]
STEPWISE = [name for name in LEARNED if not family(name).exemplars]
EXEMPLARS = [name for name in LEARNED if family(name).exemplars]
WAYS = [
    (name, way) for name in LEARNED for way in (family(name).directions[:1] if family(name).both_ways else DIRECTIONS)
]

Trained = Callable[..., Path]


@pytest.fixture(params=LEARNED)
def learned(request: pytest.FixtureRequest) -> str:
    """Name each method that learns."""
    return str(request.param)


@pytest.fixture(params=STEPWISE)
def stepwise(request: pytest.FixtureRequest) -> str:
    """Name each method that learns by gradients, and so has losses and a network."""
    return str(request.param)


@pytest.fixture(params=EXEMPLARS)
def exemplar(request: pytest.FixtureRequest) -> str:
    """Name each method that keeps its training pairs, and so has neither."""
    return str(request.param)


@pytest.fixture(params=WAYS, ids=lambda way: "-".join(way))
def way(request: pytest.FixtureRequest) -> tuple[str, Direction]:
    """Name each method that learns with each direction; one that learns both at once comes once."""
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
    """Return what trains a method and gives its run folder; the same request is trained once."""
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
    """Start trainings at once, without counting what a step costs."""
    monkeypatch.setattr(trainer, "estimate", lambda config, half: Estimate(1, 1, 1))
