"""LPIPS against a loop over places, the set distances against scipy and double loops, and known answers."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from facesketch.errors import CheckpointError, DataError
from facesketch.methods.networks.backbones import AlexNetFeatures, VGG16Features, load_trunk
from facesketch.methods.networks.lpips import Net, PerceptualDistance
from facesketch.metrics.distribution import frechet, kernel_distance
from facesketch.metrics.perceptual import features, lpips
from facesketch.weights.catalogue import locate
from facesketch.weights.download import read

Distance = Callable[[Tensor, Tensor], Tensor]
CHANNELS: dict[Net, tuple[int, ...]] = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}


@pytest.fixture(scope="module", params=["alex", "vgg"])
def net(request: pytest.FixtureRequest) -> Net:
    chosen: Net = request.param
    return chosen


@pytest.fixture(scope="module")
def files(net: Net, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a random trunk and random non-negative heads."""
    folder = tmp_path_factory.mktemp("random weights")
    torch.manual_seed(3)
    save_file((AlexNetFeatures() if net == "alex" else VGG16Features()).state_dict(), folder / "trunk.safetensors")
    heads = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(CHANNELS[net])}
    save_file(heads, folder / "heads.safetensors")
    return folder / "trunk.safetensors", folder / "heads.safetensors"


@pytest.fixture(scope="module")
def distance(net: Net, files: tuple[Path, Path]) -> Distance:
    return partial(lpips, PerceptualDistance(net).load(*files))


def _pictures(count: int, channels: int = 3, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, channels, 40, 33), dtype=np.uint8))


def _maps(net: Net, state: dict[str, Tensor], x: Tensor) -> list[np.ndarray]:
    """Run a trunk straight from its tensors: a list of (h, w, C) arrays of one (3, H, W) picture in 0 to 255."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    y = ((x.float() / 255 * 2 - 1) - shift[:, None, None]) / scale[:, None, None]
    y, maps = y[None], []
    plans = {"alex": "0s4p2 P 3p2 P 6p1 8p1 10p1", "vgg": "0 2* P 5 7* P 10 12 14* P 17 19 21* P 24 26 28*"}
    for step in plans[net].split():
        if step == "P":
            y = F.max_pool2d(y, 3, 2) if net == "alex" else F.max_pool2d(y, 2)
            continue
        key = step.split("s")[0].split("p")[0].rstrip("*")
        stride, padding = (4 if "s4" in step else 1), (int(step[-1]) if "p" in step else 1)
        y = F.conv2d(y, state[f"features.{key}.weight"], state[f"features.{key}.bias"], stride, padding).relu()
        if net == "alex" or step.endswith("*"):
            maps.append(y[0].permute(1, 2, 0).double().numpy())
    return maps


def _reference(net: Net, trunk: Path, heads: Path, x: Tensor, y: Tensor) -> float:
    """LPIPS of one pair, place by place."""
    state, weights = read(trunk), read(heads)
    total = 0.0
    for depth, (f, g) in enumerate(zip(_maps(net, state, x), _maps(net, state, y), strict=True)):
        head = weights[f"lin{depth}.model.1.weight"].flatten().double().numpy()
        places = [
            float(head @ (a / (np.linalg.norm(a) + 1e-10) - b / (np.linalg.norm(b) + 1e-10)) ** 2)
            for a, b in zip(f.reshape(-1, f.shape[2]), g.reshape(-1, g.shape[2]), strict=True)
        ]
        total += sum(places) / len(places)
    return total


def test_lpips_is_the_loop_over_places(net: Net, distance: Distance, files: tuple[Path, Path]) -> None:
    x, y = _pictures(3), _pictures(3, seed=1)
    expected = [_reference(net, *files, a, b) for a, b in zip(x, y, strict=True)]
    assert distance(x, y).numpy() == pytest.approx(expected, rel=1e-4)


def test_lpips_of_equal_pictures_is_0_and_the_order_does_not_matter(distance: Distance) -> None:
    x, y = _pictures(2), _pictures(2, seed=1)
    assert distance(x, x).tolist() == [0, 0]
    assert torch.equal(distance(x, y), distance(y, x))
    assert (distance(x, y) > 0).all()


def test_lpips_grows_with_noise(distance: Distance) -> None:
    x = torch.full((1, 3, 40, 33), 128.0)
    x[:, :, 10:30, 8:20] = 40
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    distances = [float(distance(x, (x + sigma * noise).clamp(0, 255))) for sigma in (1, 4, 16, 64)]
    assert distances == sorted(distances)
    assert distances[0] < distances[-1] / 4


def test_lpips_repeats_grey_and_takes_any_number_of_pictures(distance: Distance) -> None:
    x, y = _pictures(11, channels=1), _pictures(11, channels=1, seed=1)
    together = distance(x, y)
    assert together.shape == (11,)
    assert torch.allclose(together, distance(x.expand(-1, 3, -1, -1), y.expand(-1, 3, -1, -1)), rtol=1e-5)
    assert torch.allclose(together[9:10], distance(x[9:10], y[9:10]), rtol=1e-4)


def test_lpips_refuses_pictures_that_do_not_fit(distance: Distance, net: Net) -> None:
    smallest = {"alex": 31, "vgg": 16}[net]
    x = torch.zeros(1, 3, smallest, smallest)
    assert distance(x, x).tolist() == [0]
    with pytest.raises(DataError, match=f"at least {smallest}x{smallest}"):
        distance(x[..., 1:], x[..., 1:])
    with pytest.raises(DataError, match="one truth per result"):
        distance(x, x.expand(2, -1, -1, -1))
    with pytest.raises(DataError, match="1 or 3"):
        distance(x[:, :2], x[:, :2])


def test_lpips_refuses_other_heads(net: Net, files: tuple[Path, Path], tmp_path: Path) -> None:
    heads = read(files[1])
    negative = {**heads, "lin2.model.1.weight": heads["lin2.model.1.weight"] - 0.5}
    partly = {key: value for key, value in heads.items() if "lin4" not in key}
    for wrong in (negative, partly):
        save_file(wrong, tmp_path / "heads.safetensors")
        with pytest.raises(CheckpointError, match=f"fetch lpips-{net}"):
            PerceptualDistance(net).load(files[0], tmp_path / "heads.safetensors")
    with pytest.raises(CheckpointError):
        PerceptualDistance("vgg" if net == "alex" else "alex").load(*files)


def test_the_installed_heads_fit(
    net: Net, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path))
    x, y = _pictures(1), _pictures(1, seed=1)
    assert float(lpips(PerceptualDistance(net).load(files[0], locate(f"lpips-{net}")), x, y)) > 0


def test_features_are_pooled_relu5_3() -> None:
    torch.manual_seed(0)
    trunk, x = VGG16Features(), _pictures(9)
    found = features(x, trunk)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    shifted = (x[8].permute(1, 2, 0).numpy() / 255 - mean) / std
    with torch.no_grad():
        last = trunk.features(torch.from_numpy(shifted).float().permute(2, 0, 1)[None])
    assert found.shape == (9, 512)
    assert found.dtype == np.float64
    assert found[8] == pytest.approx(last.mean(dim=(0, 2, 3)).numpy(), rel=1e-3, abs=1e-7)
    assert np.array_equal(features(x[:2], trunk), found[:2])
    with pytest.raises(DataError, match="at least 16x16"):
        features(x[..., :15], trunk)


def _rows(count: int, width: int, seed: int, scale: float = 1.0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return scale * draw.normal(size=(count, width)) @ draw.normal(size=(width, width)) + draw.normal(size=width)


@pytest.mark.parametrize(("n", "m", "width"), [(50, 80, 6), (30, 30, 29), (12, 9, 8), (4, 200, 3)])
def test_frechet_is_the_formula_with_a_matrix_root(n: int, m: int, width: int) -> None:
    x, y = _rows(n, width, 0), _rows(m, width, 1, scale=2)
    root = scipy.linalg.sqrtm(np.cov(x.T) @ np.cov(y.T)).real
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(np.cov(x.T) + np.cov(y.T) - 2 * root)
    assert frechet(x, y) == pytest.approx(expected, rel=1e-6)


def test_frechet_of_diagonal_gaussians_has_a_closed_form() -> None:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(40, 5))
    axes = np.linalg.qr(rows - rows.mean(0))[0] * np.sqrt(39)  # covariance 1, mean 0, exactly
    s, t, shift = np.array([1, 2, 3, 4, 5.0]), np.array([5, 1, 0.5, 4, 0.0]), np.array([1, 0, -2, 0, 3.0])
    expected = np.sum(shift**2) + np.sum((s - t) ** 2)
    assert frechet(axes * s, axes * t + shift) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 30), m=st.integers(2, 30), width=st.integers(1, 20), seed=st.integers(0, 999))
def test_frechet_properties(n: int, m: int, width: int, seed: int) -> None:
    x, y = _rows(n, width, seed), _rows(m, width, seed + 1000)
    distance = frechet(x, y)
    assert distance >= 0
    assert frechet(y, x) == pytest.approx(distance, rel=1e-7)
    assert frechet(x, x) == pytest.approx(0, abs=1e-9 * (1 + np.square(x).sum()))
    assert frechet(x, x + 2) == pytest.approx(4 * width, rel=1e-6)


def _slow_mmd(x: np.ndarray, y: np.ndarray) -> float:
    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3)

    n, m = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


def test_kernel_distance_is_the_double_loop() -> None:
    x, y = _rows(9, 4, 0), _rows(7, 4, 1)
    assert kernel_distance(x, y) == pytest.approx(_slow_mmd(x, y), rel=1e-9)


def test_kernel_distance_is_unbiased() -> None:
    draw = np.random.default_rng(0)
    values = [kernel_distance(draw.normal(size=(10, 4)), draw.normal(size=(10, 4))) for _ in range(600)]
    assert min(values) < 0
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    apart = [kernel_distance(draw.normal(size=(10, 4)), draw.normal(size=(10, 4)) + 1) for _ in range(50)]
    assert np.mean(apart) > 10 * np.std(values) / np.sqrt(50)


@pytest.mark.parametrize("distance", [frechet, kernel_distance])
def test_sets_that_cannot_be_compared_are_refused(distance: Any) -> None:
    x = _rows(5, 3, 0)
    with pytest.raises(DataError, match="at least 2"):
        distance(x, x[:1])
    with pytest.raises(DataError, match=r"\(N, D\)"):
        distance(x, x[:, :2])
    with pytest.raises(DataError, match="not numbers"):
        distance(x, np.where(x == x.max(), np.nan, x))


def _cuhk(shared: Path, kind: str, count: int | None = None) -> Tensor:
    folder = shared / "data" / "cuhk"
    with (folder / "pairs.csv").open(encoding="utf-8") as file:
        names = [row[kind] for row in csv.DictReader(file)][:count]
    arrays = [np.asarray(Image.open(folder / name).convert("RGB")) for name in names]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)


@pytest.mark.shared
def test_lpips_of_the_cuhk_pairs(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean over all 188 colour pairs at 200x250, as two implementations agree on it."""
    monkeypatch.setenv("FACESKETCH_MODELS", str(shared / "models"))
    network = PerceptualDistance("alex").load(locate("alexnet"), locate("lpips-alex"))
    distances = lpips(network, _cuhk(shared, "sketch"), _cuhk(shared, "photo"))
    assert distances.shape == (188,)
    assert float(distances.mean()) == pytest.approx(0.4214, abs=0.002)


@pytest.mark.shared
def test_lpips_vgg_and_features_of_real_pictures(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(shared / "models"))
    sketches, photos = _cuhk(shared, "sketch", 6), _cuhk(shared, "photo", 6)
    network = PerceptualDistance("vgg").load(locate("vgg16"), locate("lpips-vgg"))
    assert lpips(network, sketches[:2], photos[:2]).tolist() == pytest.approx([0.4943, 0.4951], abs=1e-3)
    trunk = load_trunk(VGG16Features(), locate("vgg16"))
    s, p = features(sketches, trunk), features(photos, trunk)
    assert frechet(s, p) > 2 * frechet(s[:3], s[3:])
    assert kernel_distance(s, p) > kernel_distance(s[:3], s[3:])
