from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from facesketch.methods import losses
from facesketch.methods.losses import ssim_maps
from facesketch.metrics.fidelity import ssim

LOGITS = torch.tensor([[0.0, math.log(3.0)]])  # sigmoid: 1/2 and 3/4
TARGET = torch.tensor([[1.0, 0.25]])


def test_unit_range_and_back() -> None:
    x = torch.tensor([-1.0, -0.5, 0.0, 1.0])
    assert losses.to_unit(x).tolist() == [0.0, 0.25, 0.5, 1.0]
    assert torch.equal(losses.from_unit(losses.to_unit(x)), x)


def test_l1_and_mse_by_hand() -> None:
    x, target = torch.tensor([1.0, -2.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    assert losses.l1(x, target).item() == pytest.approx((1 + 3 + 0) / 3)
    assert losses.mse(x, target).item() == pytest.approx((1 + 9 + 0) / 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mse", (0.5**2 + 0.5**2) / 2),
        ("mae", (0.5 + 0.5) / 2),
        ("bce", (-math.log(0.5) - 0.25 * math.log(0.75) - 0.75 * math.log(0.25)) / 2),
    ],
)
def test_pixel_losses_by_hand(name: losses.PixelLoss, value: float) -> None:
    assert losses.pixel_loss(name, LOGITS, TARGET).item() == pytest.approx(value)


@pytest.mark.parametrize("target", [-0.01, 1.01, math.nan, -1.0])
def test_bce_refuses_a_target_outside_the_unit_range(target: float) -> None:
    with pytest.raises(AssertionError, match="must lie in"):
        losses.bce(torch.zeros(2), torch.tensor([0.5, target]))


@given(st.floats(0, 1), st.floats(-50, 50))
def test_bce_is_never_negative_and_least_at_the_target(target: float, logit: float) -> None:
    goal = torch.tensor([target])
    entropy = -sum(p * math.log(p) for p in (target, 1 - target) if p > 0)
    assert losses.bce(torch.tensor([logit]), goal).item() >= entropy - 1e-5


def _pictures(channels: int = 1, side: int = 24) -> tuple[Tensor, Tensor]:
    """Return two smooth batches in [0, 1] that are somewhat alike."""
    torch.manual_seed(3)
    truth = F.interpolate(torch.rand(2, channels, 4, 4), size=(side, side), mode="bicubic").clamp(0, 1)
    return (truth + 0.1 * torch.randn_like(truth)).clamp(0, 1), truth


def test_dissimilarity_is_one_less_the_package_s_metric() -> None:
    result, truth = _pictures()
    metric = float(ssim(result * 255, truth * 255).mean())
    assert 0.3 < metric < 0.95
    assert losses.dissimilarity(result, truth).item() == pytest.approx(1 - metric, abs=1e-5)
    assert losses.dissimilarity(truth, truth).item() == pytest.approx(0.0, abs=1e-6)


def test_dissimilarity_of_colours_is_the_mean_over_channels() -> None:
    result, truth = _pictures(channels=3)
    each = [1 - ssim(result[:, c : c + 1] * 255, truth[:, c : c + 1] * 255).mean() for c in range(3)]
    assert losses.dissimilarity(result, truth).item() == pytest.approx(sum(map(float, each)) / 3, abs=1e-5)


def test_the_gradient_of_the_dissimilarity_is_that_of_its_differences() -> None:
    result, truth = (picture[:1, :, :13, :13].double() for picture in _pictures())

    def unlike(x: Tensor) -> Tensor:
        luminance, contrast = ssim_maps(x, truth, 1.0)
        return 1 - (luminance * contrast).mean()

    assert torch.autograd.gradcheck(unlike, (result.clone().requires_grad_(),))


def test_descending_the_dissimilarity_leads_to_the_target() -> None:
    _, truth = _pictures()
    logits = torch.zeros_like(truth, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    first = losses.pixel_loss("ssim", logits, truth).item()
    for _ in range(60):
        optimiser.zero_grad()
        losses.pixel_loss("ssim", logits, truth).backward()
        optimiser.step()
    assert losses.pixel_loss("ssim", logits, truth).item() < 0.1 * first


def test_kl_is_zero_at_the_standard_normal_only() -> None:
    zero = torch.zeros(3, 4)
    assert losses.kl_divergence(zero, zero).item() == 0.0
    assert losses.kl_divergence(zero + 0.1, zero).item() > 0
    assert losses.kl_divergence(zero, zero + 0.1).item() > 0
    assert losses.kl_divergence(zero, zero - 0.1).item() > 0


def test_kl_is_that_of_torch_s_distributions_summed_over_the_latent() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(5, 7), torch.randn(5, 7)
    each = torch_kl(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(losses.kl_divergence(mean, log_variance), each.sum(dim=1).mean())


def test_the_divergence_of_a_unit_variance_code_is_its_mean_square() -> None:
    mean = torch.tensor([[[1.0, -2.0]], [[0.0, 3.0]]])
    assert losses.kl_of_means(mean).item() == pytest.approx((1 + 4 + 0 + 9) / 4)
    each = torch_kl(Normal(mean, 1.0), Normal(0.0, 1.0))
    assert losses.kl_of_means(mean).item() == pytest.approx(2 * each.mean().item())


def test_the_sparsity_penalty_is_the_plain_formula_summed_over_units() -> None:
    torch.manual_seed(0)
    logits, wanted = torch.randn(7, 5), 0.05
    mean = logits.double().sigmoid().mean(dim=0)
    plain = wanted * (wanted / mean).log() + (1 - wanted) * ((1 - wanted) / (1 - mean)).log()
    assert losses.sparsity(logits, wanted).item() == pytest.approx(plain.sum().item(), rel=1e-5)


@given(st.floats(0.01, 0.99))
def test_the_sparsity_penalty_is_zero_at_the_target_and_nowhere_else(wanted: float) -> None:
    at = torch.full((4, 3), math.log(wanted / (1 - wanted)))
    assert losses.sparsity(at, wanted).item() == pytest.approx(0.0, abs=1e-5)
    assert losses.sparsity(at + 0.5, wanted).item() > 1e-4
    assert losses.sparsity(at - 0.5, wanted).item() > 1e-4


def test_the_sparsity_penalty_looks_at_the_mean_over_the_batch() -> None:
    one_in_four = torch.tensor([[50.0], [-50.0], [-50.0], [-50.0]])
    assert losses.sparsity(one_in_four, 0.25).item() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("stuck", [-200.0, 200.0])
def test_a_unit_that_never_changes_is_still_pulled_to_its_target(stuck: float) -> None:
    logits = torch.full((3, 2), stuck, requires_grad=True)
    loss = losses.sparsity(logits, 0.05)
    loss.backward()
    assert math.isfinite(loss.item())
    assert (logits.grad.sign() == math.copysign(1, stuck)).all()
    assert logits.grad.abs().min() > 1e-3


@pytest.mark.parametrize(
    ("real", "value"), [(True, (-math.log(0.5) - math.log(0.75)) / 2), (False, (-math.log(0.5) - math.log(0.25)) / 2)]
)
def test_adversarial_cross_entropy_by_hand(real: bool, value: float) -> None:
    assert losses.adversarial_bce(LOGITS, real).item() == pytest.approx(value)


@pytest.mark.parametrize(("real", "value"), [(True, (1 + 4) / 2), (False, (0 + 9) / 2)])
def test_adversarial_least_squares_by_hand(real: bool, value: float) -> None:
    assert losses.adversarial_least_squares(torch.tensor([0.0, 3.0]), real).item() == pytest.approx(value)


def test_edges_by_hand_and_blind_to_the_level() -> None:
    x, y = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    x[..., 2:] = 1.0  # one step of 1 in three columns of differences; at half size one in one
    assert losses.edges(x, y).item() == pytest.approx((1 / 3 + 0 + 1 + 0) / 4)
    assert losses.edges(x, x + 0.3).item() == pytest.approx(0.0, abs=1e-6)


def test_adversarial_cross_entropy_stays_finite_and_teaches_at_extreme_logits() -> None:
    logits = torch.tensor([-1e4], requires_grad=True)
    loss = losses.adversarial_bce(logits, True)
    loss.backward()
    assert loss.item() == pytest.approx(1e4)
    assert logits.grad.item() == pytest.approx(-1.0)


def _all(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    return {
        "to_unit": losses.to_unit(x),
        "from_unit": losses.from_unit(x),
        "l1": losses.l1(x, y),
        "mse": losses.mse(x, y),
        "bce": losses.bce(x, y),
        "mse of logits": losses.pixel_loss("mse", x, y),
        "mae of logits": losses.pixel_loss("mae", x, y),
        "kl": losses.kl_divergence(x, y),
        "kl of means": losses.kl_of_means(x),
        "sparsity": losses.sparsity(x, 0.05),
        "adversarial bce": losses.adversarial_bce(x, True),
        "adversarial bce fake": losses.adversarial_bce(x, False),
        "least squares": losses.adversarial_least_squares(x, False),
        "edges": losses.edges(x[None], y[None]),
        "dissimilarity": losses.dissimilarity(y.flip(0)[None, None], y[None, None]),
    }


@pytest.mark.parametrize("autocast", [False, True])
def test_everything_is_computed_in_float32(autocast: bool) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(64, 64).bfloat16(), torch.rand(64, 64).bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = _all(x, y)
    for name, right in _all(x.float(), y.float()).items():
        assert found[name].dtype == torch.float32, name
        torch.testing.assert_close(found[name], right, rtol=1e-6, atol=1e-6, msg=name)


def test_bce_takes_a_target_that_has_a_shape_but_no_numbers() -> None:
    shape = torch.empty(2, 1, 4, 4, device="meta")
    assert losses.bce(shape, shape).shape == ()
