"""The portrait U-Net: shapes, styles that are told apart, and norms that are instance norms."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from facesketch.methods.networks.blocks import count_parameters
from facesketch.methods.networks.portrait_unet import PortraitUNet, StyleNorm


def _one_hot(count: int, styles: int, chosen: int = 0) -> torch.Tensor:
    return F.one_hot(torch.full((count,), chosen), styles).float()


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 3]), st.sampled_from([1, 3]), st.integers(1, 4))
def test_any_sides_that_are_multiples_of_32(rows: int, columns: int, before: int, after: int, styles: int) -> None:
    network = PortraitUNet(before, after, width=2, blocks=1, styles=styles)
    out = network(torch.zeros(2, before, 64 * rows, 32 + 32 * columns), _one_hot(2, styles))
    assert out.shape == (2, after, 64 * rows, 32 + 32 * columns)
    assert out.abs().max() <= 1


def test_as_it_ships_it_stays_below_eight_megabytes_at_half_precision() -> None:
    network = PortraitUNet(3, 1, styles=4)
    assert count_parameters(network) == 3_759_301
    assert count_parameters(network) * 2 < 8e6


def test_a_style_norm_is_torch_s_instance_norm_scaled_and_shifted_by_the_style_s_own_numbers() -> None:
    torch.manual_seed(0)
    norm = StyleNorm(5, 3)
    torch.nn.init.normal_(norm.scale)
    torch.nn.init.normal_(norm.shift)
    x = torch.randn(4, 5, 6, 7)
    for style in range(3):
        right = F.instance_norm(x, weight=norm.scale[style], bias=norm.shift[style])
        torch.testing.assert_close(norm(x, _one_hot(4, 3, style)), right)


def test_each_picture_of_a_batch_has_its_own_style() -> None:
    torch.manual_seed(0)
    norm = StyleNorm(2, 2)
    with torch.no_grad():
        norm.shift[1] = 7.0
    out = norm(torch.randn(2, 2, 4, 4), torch.eye(2))
    assert out[0].mean().item() == pytest.approx(0.0, abs=1e-5)
    assert out[1].mean().item() == pytest.approx(7.0, abs=1e-5)


def test_what_one_style_learns_leaves_the_other_s_scale_and_shift_alone() -> None:
    torch.manual_seed(0)
    network = PortraitUNet(1, 1, width=2, blocks=1, styles=2)
    network(torch.randn(1, 1, 64, 64), _one_hot(1, 2, 1)).sum().backward()
    norms = [module for module in network.modules() if isinstance(module, StyleNorm)]
    assert len(norms) == 4 + 2 + 4 + 1
    for norm in norms:
        assert norm.shift.grad[0].abs().sum() == 0
    assert any(norm.shift.grad[1].abs().sum() > 0 for norm in norms)


def test_fine_detail_of_the_source_reaches_the_output() -> None:
    torch.manual_seed(0)
    network = PortraitUNet(1, 1, width=2, blocks=0)
    x = torch.zeros(1, 1, 64, 64, requires_grad=True)
    network(x, torch.ones(1, 1))[0, 0, 31, 31].backward()
    near = x.grad[0, 0, 29:34, 29:34].abs()
    assert near.min() > 0
    assert near.sum() > x.grad.abs().sum() * 0.01


def test_bilinear_enlargement_leaves_no_grid_of_two_pixels() -> None:
    torch.manual_seed(0)
    smooth = F.interpolate(torch.randn(8, 1, 8, 8), size=64, mode="bicubic")

    @torch.no_grad()
    def grid(enlarge: str) -> float:
        torch.manual_seed(0)
        steps = PortraitUNet(1, 1, width=4, blocks=1, enlarge=enlarge)(smooth, torch.ones(8, 1)).diff(dim=-1).abs()
        within, between = steps[..., 8:-8:2].mean(), steps[..., 9:-8:2].mean()
        return float((within - between).abs() / (within + between))

    assert grid("bilinear") < 0.2 * grid("nearest")
