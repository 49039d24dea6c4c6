from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

from facesketch import train
from facesketch.checkpoints.checkpoint import save_weights
from facesketch.checkpoints.header import BEST, WEIGHTS
from facesketch.config import DataConfig, Direction, MethodConfig, RunConfig
from facesketch.data.index import index
from facesketch.data.split import split
from facesketch.data.synthetic.draw import write_sample
from facesketch.errors import ConfigError, DataError, ImageError
from facesketch.evaluation import evaluator as measures
from facesketch.evaluation.evaluate import Evaluation, evaluate
from facesketch.evaluation.evaluator import Evaluator, Measurement
from facesketch.evaluation.features import FeatureExtractors
from facesketch.evaluation.protocols import recognise
from facesketch.evaluation.results import ModelInfo, Results
from facesketch.inference.translator import Translator, load
from facesketch.methods.registry import build, resolve

METRICS = ("psnr", "ssim", "fsim", "rank")


@pytest.fixture(autouse=True)
def no_weights(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path_factory.mktemp("no-weights")))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate") / "sample"
    write_sample(folder, pairs=20, size=32, seed=1)
    return folder


@pytest.fixture(scope="module")
def drawn(sample: Path) -> Evaluation:
    return Evaluation(sample, direction="photo2sketch", metrics=METRICS)


@pytest.fixture(scope="module")
def pencil(drawn: Evaluation) -> Results:
    return drawn.of(load("pencil", device="cpu"))


def copy_truth(task: Evaluation, folder: Path, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, picture in zip(task.stems, task.truth, strict=True):
        picture.save(folder / f"{stem}{suffix}")
    return folder


def test_perfect_pictures_are_perfect(sample: Path, drawn: Evaluation, tmp_path: Path) -> None:
    folder = copy_truth(drawn, tmp_path / "deep" / "down", ".bmp")
    found = drawn.of_images(folder.parent)
    assert found.metrics["ssim"].values == (1.0,) * 6
    assert (found.metrics["ssim"].value, found.metrics["ssim"].low, found.metrics["ssim"].high) == (1.0, 1.0, 1.0)
    assert found.metrics["psnr"].value == measures.PSNR_CEILING
    assert found.sets["rank-1"].value == 1.0
    assert found.model == ModelInfo(method="images", path=str(folder.parent))


def test_values_are_those_of_an_independent_measure(sample: Path, pencil: Results) -> None:
    filtered = load("pencil", device="cpu")
    for stem, value in zip(pencil.stems, pencil.metrics["ssim"].values, strict=True):
        truth = np.asarray(Image.open(sample / "sketches" / f"{stem}.png").convert("L"), dtype=np.float64)
        result = np.asarray(filtered(sample / "photos" / f"{stem}.png"), dtype=np.float64)
        expected = structural_similarity(
            result, truth, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
        assert value == pytest.approx(expected, abs=1e-5)
    assert pencil.metrics["ssim"].value == pytest.approx(np.mean(pencil.metrics["ssim"].values), abs=1e-6)
    assert pencil.metrics["ssim"].low < pencil.metrics["ssim"].value < pencil.metrics["ssim"].high


def test_kept_pictures_measure_the_same(sample: Path, drawn: Evaluation, pencil: Results, tmp_path: Path) -> None:
    drawn.of(load("pencil", device="cpu"), pictures=tmp_path / "kept")
    again = drawn.of_images(tmp_path / "kept")
    assert sorted(path.stem for path in (tmp_path / "kept").iterdir()) == list(pencil.stems)
    assert again.metrics == pencil.metrics
    assert again.name == "kept"
    assert pencil.baselines["pencil"].metrics["ssim"].values == pencil.metrics["ssim"].values


def test_the_file_has_the_agreed_keys(pencil: Results, tmp_path: Path) -> None:
    pencil.save(tmp_path / "results.json")
    value: dict[str, Any] = json.loads((tmp_path / "results.json").read_text())
    assert set(value) == {
        *("format", "name", "direction", "protocol", "split", "stems", "subjects", "stems_hash", "warnings"),
        *("model", "metrics", "sets", "curves", "baselines", "left_out", "seconds"),
    }
    assert value["format"] == "facesketch results 1"
    assert set(value["metrics"]["ssim"]) == {"title", "better", "value", "low", "high", "values"}
    assert set(value["sets"]["rank-1"]) == {"title", "better", "value", "low", "high", "values"}
    assert set(value["baselines"]) == {"copy", "mean", "nearest", "pencil"}
    assert set(value["baselines"]["copy"]) == {"title", "metrics", "sets"}
    assert set(value["baselines"]["copy"]["metrics"]["ssim"]) == {"value", "low", "high", "values"}
    assert set(value["curves"]) == {"cmc-translated", "cmc-direct"}
    assert set(value["seconds"]) == {"translate", "measure"}
    assert set(value["model"]) == {
        *("method", "options", "seed", "epochs", "best_epoch", "size", "parameters", "weights_sha256", "path"),
    }


def test_the_hash_is_of_the_sorted_stems(sample: Path, pencil: Results) -> None:
    assert pencil.stems_hash == hashlib.sha256("\n".join(sorted(pencil.stems)).encode()).hexdigest()
    other = evaluate("pencil", sample, metrics=["psnr"], seed=7)
    assert other.stems_hash == pencil.stems_hash
    assert list(other.metrics) == ["psnr"]
    assert (other.metrics["psnr"].low, other.metrics["psnr"].high) != (
        pencil.metrics["psnr"].low,
        pencil.metrics["psnr"].high,
    )


def test_baselines_are_measured_once(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = Evaluation(sample, direction="photo2sketch", metrics=["psnr"])
    measured: list[str] = []
    real = Evaluator.measure

    def noting(self: Evaluator, results: Sequence[Image.Image], tell: Callable[[str], None]) -> Measurement:
        measured.append("set")
        return real(self, results, tell)

    monkeypatch.setattr(Evaluator, "measure", noting)
    first, second = (evaluation.of(load("pencil", device="cpu")) for _ in range(2))
    assert len(measured) == 4 + 2
    assert first.baselines == second.baselines


def test_missing_pictures_are_named(sample: Path, drawn: Evaluation, tmp_path: Path) -> None:
    folder = copy_truth(drawn, tmp_path / "some")
    first, second, third, fourth, *_ = drawn.stems
    for stem in (first, second, third, fourth):
        (folder / f"{stem}.png").unlink()
    with pytest.raises(DataError, match=rf"4 of 6 test pictures are missing \({first}, {second}, {third}, …\)"):
        drawn.of_images(folder)
    with pytest.raises(ImageError, match="no such folder"):
        drawn.of_images(tmp_path / "none")


def test_pictures_of_another_size_and_doubles_are_refused(sample: Path, drawn: Evaluation, tmp_path: Path) -> None:
    folder, stem = copy_truth(drawn, tmp_path / "odd"), drawn.stems[2]
    path = folder / f"{stem}.png"
    Image.open(path).resize((40, 36)).save(path)
    with pytest.raises(DataError, match=rf"{stem}.png: 40x36, the true picture 32x32"):
        drawn.of_images(folder)
    Image.new("L", (32, 32)).save(folder / f"{stem}.bmp")
    with pytest.raises(DataError, match=f"both match '{stem}'"):
        drawn.of_images(folder)


def test_what_cannot_be_measured_is_said(sample: Path) -> None:
    found = evaluate("pencil", sample, metrics=["ms-ssim", "lpips-alex", "fsimc", "ssim", "nlda"])
    assert list(found.metrics) == ["ssim"]
    assert "at least 161x161" in found.left_out["ms-ssim"]
    assert "facesketch models fetch alexnet" in found.left_out["lpips-alex"]
    assert "grey" in found.left_out["fsimc"]
    assert "6 subjects" in found.left_out["nlda"]
    every = evaluate("pencil", sample)
    assert set(measures.NAMES) - {"fsimc"} <= {*every.metrics, *every.left_out, "rank", "rank-hog"}
    assert "fsimc" not in every.left_out
    assert {"rank-1", "rank-1-hog", "rank-5-hog"} <= set(every.sets)


def test_what_was_asked_for_and_cannot_be_measured_is_refused(sample: Path, tmp_path: Path) -> None:
    picky = ["ms-ssim", "fsimc"]
    with pytest.raises(ConfigError, match=r"left out; ms-ssim: 32x32 .*; fsimc: .*grey"):
        evaluate("pencil", sample, metrics=picky, pictures=tmp_path / "pictures")
    assert not (tmp_path / "pictures").exists()


def test_pictures_of_the_data_are_not_replaced(sample: Path, drawn: Evaluation) -> None:
    with pytest.raises(ConfigError, match="holds pictures of `data`"):
        drawn.of(load("pencil", device="cpu"), pictures=sample / "photos")


def test_an_unknown_split_is_refused(sample: Path) -> None:
    with pytest.raises(ConfigError, match="'tst'"):
        evaluate("pencil", sample, split="tst")  # type: ignore[arg-type]


def test_an_unknown_metric_is_refused(sample: Path) -> None:
    with pytest.raises(ConfigError, match="unknown metric 'sim'; did you mean 'ssim'"):
        evaluate("pencil", sample, metrics=["sim"])


def test_photos_are_compared_in_colour(sample: Path, tmp_path: Path) -> None:
    measured = Evaluation(sample, direction="sketch2photo", metrics=["fsimc", "fsim"])
    grey = tmp_path / "grey"
    grey.mkdir()
    for stem, picture in zip(measured.stems, measured.truth, strict=True):
        picture.convert("L").save(grey / f"{stem}.png")
    found = measured.of_images(grey)
    assert found.metrics["fsim"].value == pytest.approx(1.0, abs=1e-5)
    assert found.metrics["fsimc"].value < 0.999


@pytest.mark.parametrize("direction", ["photo2sketch", "sketch2photo"])
def test_the_sketch_is_the_probe(sample: Path, tmp_path: Path, direction: Direction) -> None:
    measured = Evaluation(sample, direction=direction, metrics=["rank"])
    task = measured
    greys = [np.asarray(picture.convert("L"), dtype=float) for picture in task.truth]
    for number, (stem, picture) in enumerate(zip(task.stems, greys, strict=True)):
        own = 0.25 + 0.1 * number  # the fewer of their own features, the more they look like the first person
        Image.fromarray((own * picture + (1 - own) * greys[0]).astype(np.uint8)).save(tmp_path / f"{stem}.png")
    found = measured.of_images(tmp_path)
    truth = [np.asarray(picture.convert("L"), dtype=float).ravel() for picture in task.truth]
    results = [np.asarray(Image.open(tmp_path / f"{stem}.png"), dtype=float).ravel() for stem in task.stems]
    alike = np.corrcoef(truth, results)[:6, 6:]  # rows: true, columns: translated
    probes = alike if direction == "photo2sketch" else alike.T
    places = (probes >= probes.diagonal()[:, None]).sum(axis=1)
    expected = [np.mean(places <= k) for k in range(1, 7)]
    turned = (probes.diagonal()[:, None] <= probes.T).sum(axis=1)
    assert sorted(turned) != sorted(places)  # the other way round the rates would be others
    assert found.curves["cmc-translated"] == pytest.approx(expected)
    assert found.curves["cmc-direct"] == measured.baselines["copy"].curves["cmc"]
    assert found.sets["rank-1"].value == pytest.approx(expected[0])


def test_a_named_protocol_of_other_counts_is_warned_of(sample: Path, drawn: Evaluation, pencil: Results) -> None:
    assert pencil.protocol == "own"
    assert pencil.warnings == ("only 6 subjects: the intervals are too narrow to rely on",)
    named = evaluate("pencil", sample, metrics=["psnr"], protocol="cufs")
    assert named.protocol == "cufs"
    assert named.warnings[0] == "cufs expects 268/338, found 14/6"
    learned = evaluate("pencil", sample, split="train", metrics=["psnr"])
    assert learned.warnings == ("the training split: a model may have learned these very pictures",)
    with pytest.raises(ConfigError, match="unknown protocol 'cuffs'; did you mean 'cufs'"):
        evaluate("pencil", sample, protocol="cuffs")


@pytest.mark.parametrize(
    ("name", "counts", "expected"),
    [("f1-005-01", (88, 100), "cuhk"), ("f1-005-01", (88, 99), "own"), ("face-0001", (88, 100), "own")],
)
def test_cuhk_is_recognised_by_counts_and_names(name: str, counts: tuple[int, int], expected: str) -> None:
    assert recognise([name], counts) == expected


def test_pairs_may_differ_in_size_from_each_other(tmp_path: Path) -> None:
    write_sample(tmp_path, pairs=20, size=32, seed=1)
    stem = Evaluation(tmp_path, direction="photo2sketch").stems[1]
    for kind in ("photos", "sketches"):
        path = tmp_path / kind / f"{stem}.png"
        Image.open(path).resize((40, 48)).save(path)
    measured = Evaluation(tmp_path, direction="photo2sketch", metrics=["ssim", "rank"])
    mixed = measured.of(load("pencil", device="cpu"))
    expected = {}
    for one, picture, truth in zip(measured.stems, measured.inputs, measured.truth, strict=True):
        alone = Evaluator([truth], ["x"], "photo2sketch", metrics=["ssim"])
        result = load("pencil", device="cpu").translate([picture])
        expected[one] = alone.measure(result).metrics["ssim"].value
    assert dict(zip(mixed.stems, mixed.metrics["ssim"].values, strict=True)) == pytest.approx(expected, abs=1e-6)
    assert "32x32, 40x48" in mixed.left_out["rank"]
    assert "baseline mean" in mixed.left_out


def small_model(folder: Path) -> Translator:
    config = resolve(RunConfig(method=MethodConfig(name="dense-ae"), data=DataConfig(size=32)))
    torch.manual_seed(0)
    method = build(config)
    save_weights(folder / WEIGHTS, method, config, {"epoch": 5})
    save_weights(folder / BEST, method, config, {"epoch": 3})
    return load(folder, device="cpu")


def test_a_run_is_measured_on_the_split_of_its_own_layout(arrange: Callable[..., Path], tmp_path: Path) -> None:
    folder = arrange(tmp_path / "pairs")
    data = DataConfig(size=32, folder=folder.resolve(), layout="photos-sketches", validation=0.3)
    config = resolve(RunConfig(method=MethodConfig(name="dense-ae"), data=data))
    save_weights(tmp_path / "run" / WEIGHTS, build(config), config, {})
    found = evaluate(tmp_path / "run", folder, metrics=["ssim"], weights="last")
    tested = split(index(folder, "photos-sketches").pairs, validation=0.3).test
    assert found.stems == tuple(pair.stem for pair in tested)
    assert found.stems != tuple(pair.stem for pair in split(index(folder).pairs).test)


def test_a_model_is_described_by_its_file(sample: Path, drawn: Evaluation, tmp_path: Path) -> None:
    translator = small_model(tmp_path / "run-7")
    found = drawn.of(translator)
    last = drawn.of(load(tmp_path / "run-7", weights="last", device="cpu"), name="mine")
    assert (found.name, last.name) == ("run-7", "mine")
    assert (found.model.best_epoch, last.model.best_epoch) == (3, 5)
    assert found.model.method == "dense-ae"
    assert found.model.weights_sha256 == hashlib.sha256((tmp_path / "run-7" / BEST).read_bytes()).hexdigest()
    parameters = sum(parameter.numel() for parameter in build(translator.config).parameters())
    assert found.model.parameters == parameters
    assert (found.model.size, found.model.seed, found.model.path) == (32, 0, str(tmp_path / "run-7"))
    assert drawn.of(load(tmp_path / "run-7" / BEST)).name == "run-7"


class Faces:
    """Sees a face in bright pictures and takes their first 128 pixels for its description."""

    def describe(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        rows = np.stack([picture[..., 0].ravel()[:128] for picture in pictures]).astype(np.float32)
        if rows.mean() < 50:
            raise ImageError("picture 1: no face found")
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_a_picture_without_a_face_is_like_nobody(sample: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(FeatureExtractors, "embedding", Faces())
    measured = Evaluation(sample, direction="photo2sketch", metrics=["identity", "rank-sface"])
    folder = copy_truth(measured, tmp_path / "faces")
    stem = measured.stems[1]
    Image.new("L", (32, 32), 20).save(folder / f"{stem}.png")
    found = measured.of_images(folder)
    assert found.metrics["identity"].values == pytest.approx((1, 0, 1, 1, 1, 1))
    assert f"no face found in 1 translated picture, such as {stem}: similarity 0 to everyone" in found.warnings
    assert found.sets["rank-1-sface"].value == pytest.approx(5 / 6)
    for path in folder.iterdir():
        Image.new("L", (32, 32), 20).save(path)
    with pytest.raises(ConfigError, match="left out; identity, rank-sface: no face was found in any picture"):
        measured.of_images(folder)


def test_results_are_written_beside_data_that_only_the_models_layout_reads(
    arrange: Callable[..., Path], tmp_path: Path
) -> None:
    data = arrange(tmp_path / "data", train=4, validation=1, test=2)
    (data / "pairs.csv").unlink()
    run = train("dense-ae", tmp_path / "run", data=data, layout="photos-sketches", steps=1, size=32, quiet=True)
    (data / "pairs.csv").write_text("stem,photo,sketch\nx,photos/gone.png,sketches/gone.png\n")
    results = evaluate(run, data, metrics=["ssim"], out=tmp_path / "results.json", pictures=tmp_path / "made")
    assert (tmp_path / "results.json").exists()
    assert results.metrics["ssim"].value > 0
