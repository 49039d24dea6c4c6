"""`scripts/portrait_details.py`: pairs cut again from their originals, and the network that draws details."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from tests.scripts.conftest import Run

from facesketch.checkpoints.header import read_header
from facesketch.data.synthetic.draw import draw_pair
from facesketch.faces import FaceFinder
from facesketch.faces.warp import scaled, similarity, warp
from facesketch.inference.engines.onnx_engine import OnnxEngine
from facesketch.weights import shipped


@pytest.fixture
def details(script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script, which imports another one that lies beside it."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "scripts")
    return script("portrait_details")


def _off(first: Image.Image, second: Image.Image) -> float:
    return float(np.abs(np.asarray(first, float) - np.asarray(second, float)).mean())


def test_a_crop_is_found_in_its_original(details: ModuleType) -> None:
    original = Image.new("RGB", (700, 640), (120, 135, 150))
    original.paste(draw_pair(np.random.default_rng(5), 512)[0], (90, 60))
    (face,) = FaceFinder().find(original, most=1)
    # as people marked the eyes: some pixels from where they are found, and a little turned
    marked = (face.eyes[0][0] - 4, face.eyes[0][1] + 3), (face.eyes[1][0] + 2, face.eyes[1][1] - 3)
    matrix = similarity(marked, details.FRAME.eyes)
    crop, large = warp(original, matrix, (200, 250))[0], warp(original, scaled(matrix, 2), (400, 500))[0]
    again = details.cut_again(crop, original, FaceFinder())
    assert again.size == (400, 500)
    assert _off(again.crop((40, 40, 360, 460)), large.crop((40, 40, 360, 460))) < 1
    assert _off(again.crop((40, 40, 360, 460)), large.crop((44, 40, 364, 460))) > 2


def test_published_crops_are_cut_again_larger(tmp_path: Path, run_script: Run, shared: Path) -> None:
    folders = {name: shared / "data" / name for name in ("cuhk", "cuhk_original", "fs2k_train")}
    for name in ("cuhk", "fs2k_train"):  # of so few in FS2K's each is held out
        with (folders[name] / "pairs.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        (tmp_path / name).mkdir()
        with (tmp_path / name / "pairs.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows([rows[0], rows[-1]])
        for kind in ("photos", "sketches"):
            (tmp_path / name / kind).symlink_to(folders[name] / kind)
    given = ("--cuhk", tmp_path / "cuhk", "--originals", folders["cuhk_original"], "--fs2k", tmp_path / "fs2k_train")
    assert run_script("portrait_details", "pairs", *given, "--out", tmp_path / "out").startswith("2 pairs")
    with (tmp_path / "out" / "pairs.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert {row["split"] for row in written} == {"train", "test"}
    for row in written:
        for kind in ("photo", "sketch"):
            large = Image.open(tmp_path / "out" / row[kind]).convert("L")
            (crop,) = (folders["cuhk"] / Path(row[kind]).parent).glob(f"{row['stem']}.*")
            inside = (20, 20, 180, 230)
            assert large.size == (400, 500)
            assert _off(large.reduce(2).crop(inside), Image.open(crop).convert("L").crop(inside)) < 6


def test_a_sketch_is_moved_to_the_drawing(details: ModuleType) -> None:
    drawn = np.full((500, 400), 255, np.uint8)
    drawn[100:400, 150:158] = drawn[200:208, 60:340] = 0
    shifted = np.roll(drawn, (5, 5), (0, 1))
    moved = details.to_drawing(shifted, drawn)
    assert np.abs(moved.astype(float) - drawn).mean() < 0.4 * np.abs(shifted.astype(float) - drawn).mean()


def test_details_begin_with_the_enlarged_drawing(details: ModuleType) -> None:
    torch.manual_seed(0)
    network = details.Details(3, 1, 4)
    pictures = torch.rand(2, 4, 48, 36) * 2 - 1
    drawn = network(pictures, torch.eye(4)[:2])
    assert drawn.shape == (2, 1, 48, 36)
    assert (drawn - pictures[:, 3:]).abs().mean() < 0.15


def test_an_exported_network_is_one_that_the_package_runs(details: ModuleType, tmp_path: Path, run_script: Run) -> None:
    torch.manual_seed(0)
    network = details.Details(3, 1, 4).eval()
    torch.save({"average": network.state_dict()}, tmp_path / "state.pt")
    run_script("portrait_details", "export", tmp_path, "--out", tmp_path / "photo2sketch-400x500.onnx")
    header = read_header(tmp_path / "photo2sketch-400x500.onnx")
    assert (header.preprocessing.longest_side, header.preprocessing.multiple) == (500, 4)
    assert header.preprocessing.styles == read_header(shipped.path("photo2sketch")).preprocessing.styles
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, 4, 500, 400)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pictures), torch.eye(4)[[1, 1]]).numpy()
    engine = OnnxEngine(tmp_path / "photo2sketch-400x500.onnx")
    made = engine.run(pictures, "photo2sketch", header.preprocessing.styles[1])
    assert np.abs(made - expected).max() < 0.02


@pytest.mark.shared
def test_training_goes_on_from_where_it_stopped(
    details: ModuleType, tmp_path: Path, run_script: Run, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(shared / "models"))
    for kind in ("photos", "sketches"):
        (tmp_path / "large" / kind).mkdir(parents=True)
    with (tmp_path / "large" / "pairs.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["stem", "split", "style", "photo", "sketch"])
        for number, style in enumerate(("cuhk", "fs2k-1")):
            photo, sketch = (each.resize((240, 300)) for each in draw_pair(np.random.default_rng(number), 256))
            photo.save(tmp_path / "large" / "photos" / f"{number}.png")
            sketch.save(tmp_path / "large" / "sketches" / f"{number}.png")
            table.writerow([number, "train", style, f"photos/{number}.png", f"sketches/{number}.png"])
    weights = []
    for run, lengths in (("whole", (2,)), ("halves", (1, 2))):
        for steps in lengths:
            run_script("portrait_details", "train", tmp_path / "large", "--out", tmp_path / run, "--steps", steps)
        weights.append(torch.load(tmp_path / run / "state.pt", weights_only=True))
    assert weights[0]["step"] == weights[1]["step"] == 2
    assert not torch.equal(weights[0]["network"]["out.weight"], weights[0]["average"]["out.weight"])
