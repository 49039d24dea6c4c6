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
from facesketch.config import DIRECTIONS, Direction
from facesketch.data.synthetic.draw import draw_pair
from facesketch.faces import FaceFinder
from facesketch.faces.warp import scaled, similarity, warp
from facesketch.images.io import open_image
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
    network = details.Details(3, 1, 4, keeps=True)
    pictures = torch.rand(2, 4, 48, 36) * 2 - 1
    drawn = network(pictures, torch.eye(4)[:2])
    assert drawn.shape == (2, 1, 48, 36)
    assert (drawn - pictures[:, 3:]).abs().mean() < 0.15


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_exported_network_is_one_that_the_package_runs(
    details: ModuleType, tmp_path: Path, run_script: Run, direction: Direction
) -> None:
    torch.manual_seed(0)
    network, styles = details.build(direction)
    torch.save({"average": network.eval().state_dict()}, tmp_path / "state.pt")
    file = tmp_path / f"{direction}-400x500.onnx"
    run_script("portrait_details", "export", tmp_path, "--direction", direction, "--out", file)
    needs, own = read_header(file).preprocessing, read_header(shipped.path(direction)).preprocessing
    assert (needs.longest_side, needs.multiple) == (500, network.stride)
    assert needs.styles == (own.styles if direction == "photo2sketch" else ())
    pictures = np.random.default_rng(0).uniform(-1, 1, (3, 4, 504, 400)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(pictures), torch.eye(styles)[[int(styles > 1)] * 3]).numpy()
    made = OnnxEngine(file).run(pictures, direction, needs.styles[1] if needs.styles else None)
    assert np.abs(made - expected).max() < 0.02


def test_a_deep_network_sees_a_whole_face(details: ModuleType) -> None:
    network, _ = details.build("sketch2photo")
    pictures = torch.zeros(1, 4, *details.WHOLE).requires_grad_()
    network(pictures)[0, 0, details.WHOLE[0] // 2, details.WHOLE[1] // 2].backward()
    assert pictures.grad is not None
    rows, columns = (pictures.grad.abs().sum((0, 1, 2 + axis)).nonzero() for axis in (1, 0))
    assert min(int(each.max() - each.min()) for each in (rows, columns)) > 390


def test_a_true_photo_takes_the_light_of_the_drawn_one(details: ModuleType) -> None:
    truth, drawn = np.full((250, 200, 3), 180, np.uint8), np.full((250, 200, 3), (90, 120, 60), np.uint8)
    truth[100:102, 60:140] = 20
    made = details.tinted(truth, drawn)
    assert np.abs(made[:20].astype(int) - drawn[:20]).max() <= 1
    assert made[100:102, 60:140].mean() < drawn[100:102, 60:140].mean() - 40, "a line stays"


def test_faults_stay_where_they_are_put(details: ModuleType) -> None:
    rng = np.random.default_rng(0)
    drawn, sketch = rng.uniform(0, 255, (160, 160, 3)), np.full((160, 160, 1), 255.0)
    changed = [np.abs(details.faulty(drawn, sketch, rng) - drawn).max(axis=2) > 1 for _ in range(40)]
    shares = [each.mean() for each in changed]
    assert 0 in shares, "some stay as they are"
    assert 0.05 < np.mean(shares) < 0.5


def test_photos_of_people_are_drawn_where_they_are_large(tmp_path: Path, run_script: Run) -> None:
    for folder in ("faces", "people"):
        (tmp_path / folder).mkdir()
    rows = [
        ("a", "train", "drawn-0", "natural"),
        ("b", "train", "fs2k", "fs2k-1"),
        ("c", "test", "fs2k", "fs2k-1"),
        ("d", "train", "drawn-1", "natural"),
        ("e", "train", "cuhk", "cuhk"),
    ]
    for number, (name, *_) in enumerate(rows):
        photo, sketch = draw_pair(np.random.default_rng(number), 256)
        photo.crop((28, 0, 228, 250)).save(tmp_path / "people" / f"{name}.png")
        sketch.crop((28, 0, 228, 250)).save(tmp_path / "people" / f"{name}-sketch.png")
    draw_pair(np.random.default_rng(0), 512)[0].crop((56, 0, 456, 500)).save(tmp_path / "faces" / "a.png")
    with (tmp_path / "people" / "pairs.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["stem", "split", "set", "style", "photo", "sketch"])
        table.writerows([name, *rest, f"{name}.png", f"{name}-sketch.png"] for name, *rest in rows)
    given = ("--faces", tmp_path / "faces", "--out", tmp_path / "out")
    assert run_script("portrait_details", "people", tmp_path / "people", *given).startswith("3 pairs")
    with (tmp_path / "out" / "pairs.csv").open(newline="") as file:
        written = {row["stem"]: row for row in csv.DictReader(file)}
    assert {stem: row["style"] for stem, row in written.items()} == {"a": "faces", "b": "fs2k", "d": "people"}
    sizes = [open_image(tmp_path / "out" / written[stem]["sketch"]).size for stem in ("a", "b", "d")]
    assert sizes == [(400, 500), (200, 250), (200, 250)]


@pytest.mark.shared
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_training_goes_on_from_where_it_stopped(
    details: ModuleType, tmp_path: Path, run_script: Run, shared: Path, monkeypatch: pytest.MonkeyPatch, direction: str
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
            words = ("--out", tmp_path / run, "--steps", steps, "--direction", direction)
            run_script("portrait_details", "train", tmp_path / "large", *words)
        weights.append(torch.load(tmp_path / run / "state.pt", weights_only=True))
    assert weights[0]["step"] == weights[1]["step"] == 2
    assert [float(each["first"]["state"][0]["step"]) for each in weights] == [2, 2], "Adam goes on too"
    assert not torch.equal(weights[0]["network"]["out.weight"], weights[0]["average"]["out.weight"])
