"""The perceptual distance as a loss: gradients that are right, and finite where features vanish."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from facesketch.errors import CheckpointError
from facesketch.methods.networks.backbones import AlexNetFeatures
from facesketch.methods.networks.lpips import CHANNELS, PerceptualDistance


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a random trunk and random non-negative heads."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    save_file(AlexNetFeatures().state_dict(), folder / "trunk.safetensors")
    heads = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(CHANNELS["alex"])}
    save_file(heads, folder / "heads.safetensors")
    return folder / "trunk.safetensors", folder / "heads.safetensors"


def test_a_picture_is_at_no_distance_from_itself_and_every_gradient_is_finite(files: tuple[Path, Path]) -> None:
    distance = PerceptualDistance("alex").load(*files)
    x = torch.full((2, 1, 48, 48), 0.25, requires_grad=True)
    found = distance(x, x.detach())
    assert found.tolist() == [0.0, 0.0]
    found.sum().backward()
    assert bool(torch.isfinite(x.grad).all())


def test_a_step_against_the_gradient_brings_the_pictures_closer(files: tuple[Path, Path]) -> None:
    torch.manual_seed(0)
    distance = PerceptualDistance("alex").load(*files)
    x, y = (torch.rand(1, 3, 48, 48) * 2 - 1).requires_grad_(), torch.rand(1, 3, 48, 48) * 2 - 1
    before = distance(x, y)
    before.sum().backward()
    after = distance((x - 1e-2 * x.grad / x.grad.abs().max()).detach(), y)
    assert after.item() < before.item()


def test_no_weight_of_it_learns(files: tuple[Path, Path]) -> None:
    assert not any(parameter.requires_grad for parameter in PerceptualDistance("alex").load(*files).parameters())
    assert not any(parameter.requires_grad for parameter in PerceptualDistance("vgg").parameters())


def test_heads_of_another_network_are_refused_in_one_line(files: tuple[Path, Path], tmp_path: Path) -> None:
    save_file({"lin0.model.1.weight": torch.rand(1, 3, 1, 1)}, tmp_path / "heads.safetensors")
    with pytest.raises(CheckpointError, match="not the LPIPS heads for alex"):
        PerceptualDistance("alex").load(files[0], tmp_path / "heads.safetensors")
