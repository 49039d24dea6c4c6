"""`facesketch doctor`: what works here, and what to type for the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facesketch.errors import EXTRAS
from facesketch.weights.catalogue import WEIGHTS


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder."""
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def _found(command: Callable[..., Any], code: int = 0) -> dict[tuple[str, str], dict[str, str]]:
    answer = command("doctor", "--json")
    assert answer.code == code, answer
    return {(each["part"], each["name"]): each for each in json.loads(answer.out)}


def test_all_that_is_here_works_and_the_rest_has_a_command(command: Callable[..., Any], models: Path) -> None:
    found = _found(command)
    assert {each["state"] for each in found.values()} == {"ok", "missing"}
    assert "fp32" in found["devices", "cpu"]["said"]
    assert [name for part, name in found if part == "extras"] == list(EXTRAS)
    assert found["weights", "photo2sketch"]["state"] == found["weights", "sketch2photo"]["state"] == "ok"
    for each in found.values():
        assert bool(each["fix"]) == (each["state"] == "missing"), each
    assert found["weights", "sface"]["fix"] == "facesketch models fetch sface"
    assert not models.exists(), "looking writes nothing"


def test_the_table_names_the_same_things(command: Callable[..., Any]) -> None:
    answer = command("doctor")
    assert answer.code == 0
    for name in (*EXTRAS, *WEIGHTS, "processors", "PyTorch", "facesketch models fetch sface"):
        assert name in answer.out


def test_damaged_weights_are_broken(command: Callable[..., Any], models: Path) -> None:
    models.mkdir()
    (models / WEIGHTS["sface"].file).write_bytes(b"damaged")
    found = _found(command, code=1)
    assert found["weights", "sface"]["state"] == "broken"
    assert "7 bytes" in found["weights", "sface"]["said"]
    assert "1 problem found" in command("doctor").err


def test_models_of_the_package_that_are_gone_are_broken(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facesketch.weights.shipped.MODELS", {"photo2sketch": "none.onnx", "sketch2photo": "none.onnx"})
    found = _found(command, code=1)
    assert found["weights", "photo2sketch"]["state"] == found["weights", "sketch2photo"]["state"] == "broken"


def test_a_device_that_learns_nothing_is_broken(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.nn.functional.conv2d", lambda image, weight: weight * 0)
    assert _found(command, code=1)["devices", "cpu"]["said"].endswith("wrong gradients")
