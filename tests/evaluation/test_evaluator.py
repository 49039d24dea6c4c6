from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facesketch.evaluation import evaluator as measures
from facesketch.evaluation.evaluate import Evaluation
from facesketch.evaluation.evaluator import Evaluator
from facesketch.evaluation.features import FeatureExtractors
from facesketch.methods.networks.backbones import VGG16Features


def test_one_picture_for_everybody_finds_nobody() -> None:
    rng = np.random.default_rng(0)
    truth = [Image.fromarray(rng.integers(0, 256, (64, 64), dtype=np.uint8)) for _ in range(11)]
    people = [str(number) for number in range(11)]
    evaluator = Evaluator(truth, people, "photo2sketch", metrics=["rank", "rank-hog"])
    found = evaluator.measure([truth[0]] * 11).sets  # equal but for rounding, which must not choose a winner
    assert {name: each.value for name, each in found.items()} == {
        f"rank-{k}{mark}": 0.0 for mark in ("", "-hog") for k in measures.RANKS
    }


@pytest.fixture
def random_vgg(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    vgg = VGG16Features()
    for layer in vgg.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # keeps the features' size
    monkeypatch.setattr(FeatureExtractors, "vgg", vgg)


@pytest.mark.usefixtures("random_vgg")
def test_distances_of_sets_are_zero_for_the_truth_and_lie_in_their_interval() -> None:
    rng = np.random.default_rng(0)
    truth = [Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)) for _ in range(8)]
    dark = [picture.point(lambda value: value // 3) for picture in truth]
    evaluator = Evaluator(truth, list("abcdefgh"), "photo2sketch", metrics=["frechet-vgg16", "kernel-vgg16"])
    same, other = evaluator.measure(truth).sets, evaluator.measure(dark).sets
    assert same["frechet-vgg16"].value == pytest.approx(0, abs=1e-6)
    for name in ("frechet-vgg16", "kernel-vgg16"):
        assert other[name].value > same[name].value
        assert other[name].low <= other[name].value <= other[name].high
        assert other[name].low < other[name].high


def test_nlda_says_whom_it_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    truth = [Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)) for _ in range(24)]
    people = [str(number) for number in range(24)]
    perfect = Evaluator(truth, people, "photo2sketch", metrics=["nlda"]).measure(truth).sets
    assert perfect["nlda-full"].title == "NLDA full, half (12) train"
    assert (perfect["nlda"].value, perfect["nlda-full"].value) == (1.0, 1.0)
    shuffled = Evaluator(truth, people, "photo2sketch", metrics=["nlda"]).measure(truth[1:] + truth[:1]).sets
    assert shuffled["nlda"].value < 0.5
    monkeypatch.setitem(measures._NLDA_TRAIN, 24, 9)
    published = Evaluator(truth, people, "photo2sketch", metrics=["nlda"]).measure(truth).sets
    assert published["nlda"].title == "NLDA best, 9 of 24 train"


@pytest.mark.shared
@pytest.mark.slow
def test_perceptual_measures_of_cuhk(shared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(shared / "models"))
    task = Evaluation(shared / "data/cuhk", direction="photo2sketch")
    truth, inputs, people = task.truth[:12], task.inputs[:12], task.subjects[:12]
    names = ["lpips-alex", "identity", "rank-sface", "frechet-vgg16"]
    evaluator = Evaluator(truth, people, "photo2sketch", metrics=names)
    assert evaluator.names == ("lpips-alex", "identity", "frechet-vgg16", "rank-sface")
    same, copied = evaluator.measure(truth), evaluator.measure(inputs)
    assert same.metrics["lpips-alex"].value == pytest.approx(0, abs=1e-6)
    assert same.metrics["identity"].value == pytest.approx(1, abs=1e-5)
    assert same.sets["rank-1-sface"].value == 1
    assert same.sets["frechet-vgg16"].value < 1e-3 < copied.sets["frechet-vgg16"].value
    assert 0.2 < copied.metrics["lpips-alex"].value < 0.6
    assert 0.1 < copied.metrics["identity"].value < 0.9
    assert copied.sets["rank-1-sface"].value > 0.5
    assert not evaluator.faceless
