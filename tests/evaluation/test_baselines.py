from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from facesketch.config import DIRECTIONS, Direction
from facesketch.data import pairs as pairs_module
from facesketch.data.synthetic.draw import write_sample
from facesketch.errors import DataError
from facesketch.evaluation.baselines import baselines
from facesketch.evaluation.evaluate import Evaluation
from facesketch.images.io import open_image
from facesketch.inference.translator import load

METRICS = ("psnr", "ssim")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("baselines") / "sample"
    write_sample(folder, pairs=14, size=32, seed=3)
    return folder


@pytest.fixture(scope="module")
def both(sample: Path) -> dict[Direction, Evaluation]:
    return {
        "photo2sketch": Evaluation(sample, direction="photo2sketch", metrics=METRICS),
        "sketch2photo": Evaluation(sample, direction="sketch2photo", metrics=METRICS),
    }


def grey(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"), dtype=np.float64)


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    value = structural_similarity(
        one, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    return float(value)


def kinds(direction: Direction) -> tuple[str, str]:
    return ("photos", "sketches") if direction == "photo2sketch" else ("sketches", "photos")


def stems(sample: Path) -> tuple[list[str], list[str]]:
    lines = [line.split(",") for line in (sample / "pairs.csv").read_text().splitlines()]
    stem, split = lines[0].index("stem"), lines[0].index("split")
    learned = [line[stem] for line in lines[1:] if line[split] != "test"]
    return learned, sorted(line[stem] for line in lines[1:] if line[split] == "test")


directions = pytest.mark.parametrize("direction", ["photo2sketch", "sketch2photo"])


@directions
def test_copy_is_the_input(sample: Path, both: dict[Direction, Evaluation], direction: Direction) -> None:
    source, target = kinds(direction)
    expected = [ssim(grey(sample / source / f"{s}.png"), grey(sample / target / f"{s}.png")) for s in stems(sample)[1]]
    assert both[direction].baselines["copy"].metrics["ssim"].values == pytest.approx(expected, abs=1e-5)


@directions
def test_mean_is_of_all_training_targets(sample: Path, both: dict[Direction, Evaluation], direction: Direction) -> None:
    target = kinds(direction)[1]
    train, test = stems(sample)
    # the mean is taken per channel and rounded before anything turns it to grey
    colour = [np.asarray(Image.open(sample / target / f"{s}.png"), dtype=np.float64) for s in train]
    mean = Image.fromarray(np.floor(np.mean(colour, axis=0) + 0.5).astype(np.uint8)).convert("L")
    expected = [ssim(np.asarray(mean, dtype=np.float64), grey(sample / target / f"{s}.png")) for s in test]
    assert both[direction].baselines["mean"].metrics["ssim"].values == pytest.approx(expected, abs=1e-5)


@directions
def test_nearest_is_the_partner_of_the_nearest_training_input(
    sample: Path, both: dict[Direction, Evaluation], direction: Direction
) -> None:
    source, target = kinds(direction)
    train, test = stems(sample)
    expected = []
    for stem in test:
        picture = grey(sample / source / f"{stem}.png")
        gaps = [np.square(picture - grey(sample / source / f"{other}.png")).sum() for other in train]
        best = grey(sample / target / f"{train[int(np.argmin(gaps))]}.png")
        expected.append(ssim(best, grey(sample / target / f"{stem}.png")))
    assert len(set(np.round(expected, 4))) > 1
    assert both[direction].baselines["nearest"].metrics["ssim"].values == pytest.approx(expected, abs=1e-5)


def test_pencil_is_the_method_and_only_draws(sample: Path, both: dict[Direction, Evaluation]) -> None:
    pencil, test = load("pencil", device="cpu"), stems(sample)[1]
    expected = [
        ssim(
            np.asarray(pencil(sample / "photos" / f"{stem}.png"), dtype=np.float64),
            grey(sample / "sketches" / f"{stem}.png"),
        )
        for stem in test
    ]
    assert both["photo2sketch"].baselines["pencil"].metrics["ssim"].values == pytest.approx(expected, abs=1e-5)
    assert list(both["sketch2photo"].baselines) == ["copy", "mean", "nearest"]


def test_no_baseline_of_the_training_side_gives_a_person_their_own_picture(sample: Path) -> None:
    task = Evaluation(sample, direction="photo2sketch", split="train")
    answers, _ = baselines(task.inputs, task.subjects, task.direction, task.references)
    for given, truth in zip(answers["nearest"], task.truth, strict=True):
        assert given.tobytes() != truth.tobytes()


def test_validation_learns_from_training_alone_and_never_opens_a_test_picture(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: set[str] = set()

    def spy(source: Path, **options: int) -> Image.Image:
        opened.add(source.stem)
        return open_image(source, **options)

    monkeypatch.setattr(pairs_module, "open_image", spy)
    found = Evaluation(sample, direction="photo2sketch", split="validation", metrics=("psnr",))
    assert found.baselines
    _, test = stems(sample)
    assert not opened & set(test)
    references = {pair.stem for pair in found.references}
    assert references.isdisjoint(found.stems)
    assert opened == references | set(found.stems)
    monkeypatch.undo()
    assert {pair.stem for pair in Evaluation(sample, direction="photo2sketch").references} == opened


def test_without_training_pairs_two_baselines_are_left_out(tmp_path: Path) -> None:
    write_sample(tmp_path, pairs=4, size=32)
    table = (tmp_path / "pairs.csv").read_text().replace("train", "test").replace("validation", "test")
    (tmp_path / "pairs.csv").write_text(table)
    found = Evaluation(tmp_path, direction="sketch2photo", metrics=("psnr",))
    assert list(found.baselines) == ["copy"]
    assert set(found.without_baselines) == {"mean", "nearest"}
    assert "no training pairs" in found.without_baselines["mean"]


def test_pairs_of_several_sizes_have_no_mean(tmp_path: Path) -> None:
    write_sample(tmp_path, pairs=8, size=32)
    for kind in ("photos", "sketches"):
        path = tmp_path / kind / "face-0001.png"
        Image.open(path).resize((40, 48)).save(path)
    found = Evaluation(tmp_path, direction="photo2sketch", metrics=("psnr",))
    assert list(found.baselines) == ["copy", "pencil"]
    assert "32x32, 40x48" in found.without_baselines["nearest"]
    assert "facesketch faces align" in found.without_baselines["nearest"]


def test_one_training_person_still_has_a_mean(tmp_path: Path) -> None:
    write_sample(tmp_path, pairs=4, size=32)
    names = sorted(path.name for path in (tmp_path / "photos").iterdir())
    rows = [f"photos/{name},sketches/{name},one,train" for name in names]
    (tmp_path / "pairs.csv").write_text("\n".join(["photo,sketch,subject,split", *rows]))
    found = Evaluation(tmp_path, direction="sketch2photo", split="train", metrics=("psnr",))
    assert list(found.baselines) == ["copy", "mean"]
    assert list(found.without_baselines) == ["nearest"]


def test_a_folder_called_pencil_does_not_hide_the_baseline(
    sample: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pencil").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "pencil" in Evaluation(sample, direction="photo2sketch", metrics=("psnr",)).baselines


def test_a_pair_of_two_sizes_is_refused(tmp_path: Path) -> None:
    write_sample(tmp_path, pairs=8, size=32)
    stem = Evaluation(tmp_path, direction="photo2sketch").stems[0]
    path = tmp_path / "photos" / f"{stem}.png"
    Image.open(path).resize((40, 48)).save(path)
    for direction in DIRECTIONS:
        with pytest.raises(DataError, match=rf"{stem}: photo 40x48, sketch 32x32; .*facesketch faces align"):
            Evaluation(tmp_path, direction=direction)


def test_a_side_without_pairs_is_refused(tmp_path: Path) -> None:
    write_sample(tmp_path, pairs=1, size=32)
    (tmp_path / "pairs.csv").write_text((tmp_path / "pairs.csv").read_text().replace("test", "train"))
    with pytest.raises(DataError, match="no validation pairs; type: facesketch data check"):
        Evaluation(tmp_path, direction="photo2sketch", split="validation")


@pytest.mark.shared
@pytest.mark.slow
def test_cuhk_baselines_are_the_measured_ones(shared: Path) -> None:
    """Against numbers that another implementation measured."""
    directions: dict[str, Direction] = {"sketches": "photo2sketch", "photos": "sketch2photo"}
    names = ("psnr", "ssim", "fsim", "scoot", "rank")
    found = {side: Evaluation(shared / "data/cuhk", direction=each, metrics=names) for side, each in directions.items()}
    for side, baseline, metric, expected, tolerance in (
        ("sketches", "copy", "ssim", 0.534, 0.002),
        ("sketches", "copy", "psnr", 11.0, 0.05),
        ("sketches", "copy", "fsim", 0.697, 0.01),
        ("sketches", "copy", "scoot", 0.501, 0.02),
        ("sketches", "mean", "ssim", 0.514, 0.002),
        ("sketches", "nearest", "ssim", 0.491, 0.002),
        ("photos", "mean", "ssim", 0.619, 0.002),
        ("photos", "mean", "psnr", 14.7, 0.06),
        ("photos", "mean", "fsim", 0.730, 0.01),
        ("photos", "mean", "scoot", 0.514, 0.02),
        ("photos", "nearest", "ssim", 0.577, 0.004),
        ("photos", "nearest", "psnr", 14.2, 0.1),
        ("photos", "nearest", "fsim", 0.736, 0.01),
        ("photos", "nearest", "scoot", 0.568, 0.02),
    ):
        value = found[side].baselines[baseline].metrics[metric].value
        assert value == pytest.approx(expected, abs=tolerance), (side, baseline, metric)
    assert found["sketches"].baselines["copy"].sets["rank-1"].value == pytest.approx(0.67, abs=0.015)
