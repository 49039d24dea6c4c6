"""`facesketch study`: what cannot be measured is refused before anything is trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesketch.cli.study import study
from facesketch.config import DIRECTIONS
from facesketch.errors import DataError, ResourceError
from facesketch.evaluation.results import Results
from facesketch.study.grid import PRESETS
from facesketch.study.study import Study, _variants, carry_out, samples, study_costs
from facesketch.training import trainer


@pytest.fixture(autouse=True)
def untrained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: object, **__: object) -> None:
        raise AssertionError("something was trained")

    monkeypatch.setattr("facesketch.study.study.carry_out", train)
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path / "no-weights"))


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("foo", "unknown metric 'foo'"),
        ("ssim,simm", "unknown metric 'simm'; did you mean 'ssim'?"),
        (",", "--metrics is empty"),
        ("ms-ssim", "nothing to measure, as every metric asked for is left out; ms-ssim: 64x64 pictures"),
        ("lpips-alex", "nothing to measure, as every metric asked for is left out; lpips-alex: no alexnet weights"),
        ("nlda", "nothing to measure, as every metric asked for is left out; nlda: "),
    ],
)
def test_metrics_are_looked_at_before_training(
    metrics: str, said: str, refused: Callable[..., str], faces: Path, tmp_path: Path
) -> None:
    out = tmp_path / "study"
    assert refused("study", faces, "--out", out, "--only", "dense-ae", "--metrics", metrics).startswith(said)
    assert not out.exists()


def test_an_old_study_keeps_its_plan(refused: Callable[..., str], faces: Path, tmp_path: Path) -> None:
    Study.begin(faces, tmp_path, "quick", only=["pencil"], metrics=["ssim"])
    before = (tmp_path / "plan.json").read_bytes()
    assert "unknown metric" in refused("study", faces, "--out", tmp_path, "--metrics", "foo")
    assert (tmp_path / "plan.json").read_bytes() == before


def test_names_may_have_spaces_between(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="something was trained"):
        study(faces, out=tmp_path / "study", only=["pencil"], metrics="ssim, psnr", quiet=True)
    assert Study.read(tmp_path / "study").metrics == ("ssim", "psnr")


def test_nobody_to_train_on_is_reported_before_training(
    refused: Callable[..., str], arrange: Callable[..., Path], tmp_path: Path
) -> None:
    data = arrange(tmp_path / "pairs", train=0, validation=0)
    assert "no training pairs" in refused("study", data, "--out", tmp_path / "study", "--only", "dense-ae")
    assert not (tmp_path / "study").exists()


def test_unlike_sizes_are_reported_before_training(
    refused: Callable[..., str], arrange: Callable[..., Path], tmp_path: Path
) -> None:
    data = arrange(tmp_path / "pairs")
    sketch = next((data / "sketches").glob("test-*"))
    Image.new("L", (48, 64)).save(sketch)
    said = refused("study", data, "--out", tmp_path / "study", "--only", "dense-ae")
    assert "photo 64x64, sketch 48x64; expected one size" in said
    assert not (tmp_path / "study").exists()


def test_what_is_done_is_not_opened_again(arrange: Callable[..., Path], tmp_path: Path) -> None:
    data, out = arrange(tmp_path / "pairs"), tmp_path / "study"
    grid = Study.begin(data, out, "quick", only=["pencil"])
    for cell in grid.cells:
        for name in cell.results.values():
            grid.result_file(name).parent.mkdir(parents=True, exist_ok=True)
            grid.result_file(name).write_text("{}")
    next((data / "sketches").glob("test-*")).write_bytes(b"damaged")
    Study.begin(data, out, "quick", only=["pencil"])


def test_an_interrupted_study_goes_on_as_a_whole(
    command: Callable[..., Any], faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt("stopped after step 3 of 9; go on with `resume` one/cell")

    monkeypatch.setattr("facesketch.study.study.carry_out", interrupted)
    answer = command("study", faces, "--out", tmp_path / "study", "--only", "pencil", "--quiet")
    assert (answer.code, answer.err) == (130, "facesketch: stopped; to go on, type the same command again\n")


@pytest.mark.parametrize("only", [",", " , "])
def test_a_comma_alone_is_not_everything(only: str, refused: Callable[..., str], faces: Path, tmp_path: Path) -> None:
    said = refused("study", faces, "--out", tmp_path / "study", "--only", only)
    assert said.startswith("--only is empty")


def test_an_extra_comma_adds_nothing(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="something was trained"):
        study(faces, out=tmp_path / "study", only=["pencil,", " "], quiet=True)
    assert [cell.method for cell in Study.read(tmp_path / "study").cells] == ["pencil"]


def test_a_study_made_larger_with_fewer_seeds_keeps_its_seeds(faces: Path, tmp_path: Path) -> None:
    Study.begin(faces, tmp_path / "study", "quick", only=["dense-ae"], seeds=3)
    Study.begin(faces, tmp_path / "study", "quick", only=["pencil"])
    grid = Study.read(tmp_path / "study")
    assert grid.seeds == 3
    assert len([cell for cell in grid.cells if cell.method == "dense-ae"]) == 6


def test_what_the_study_only_names_is_marked_in_the_plan(faces: Path, tmp_path: Path) -> None:
    Study.begin(faces, tmp_path, "quick", only=["conv-ae"])
    cells = Study.read(tmp_path).cells
    named = {cell.name for cell in cells if not cell.built}
    assert named == {f"conv-ae-{what}.{way}" for what in ("ssim", "noise") for way in DIRECTIONS}
    assert [cell.built for cell in cells] == [True] * 6 + [False] * 4


def test_a_plan_that_knows_no_difference_is_all_of_what_the_study_built(faces: Path, tmp_path: Path) -> None:
    Study.begin(faces, tmp_path, "quick", only=["dense-ae"])
    plan = json.loads((tmp_path / "plan.json").read_text())
    for cell in plan["cells"]:
        del cell["built"]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert all(cell.built for cell in Study.read(tmp_path).cells)


def _finished(grid: Study) -> Study:
    """Write what a study keeps of each cell: results, and pictures of those whom the sheets show."""
    for cell in grid.cells:
        for name in cell.results.values():
            grid.result_file(name).parent.mkdir(parents=True, exist_ok=True)
            grid.result_file(name).write_text("{}")
            for folder in (name, "photo", "sketch"):
                (grid.out / "pictures" / folder).mkdir(parents=True, exist_ok=True)
                Image.new("L", (8, 10), 90).save(grid.out / "pictures" / folder / "face.png")
    return grid


def test_a_measured_study_keeps_its_metrics(refused: Callable[..., str], faces: Path, tmp_path: Path) -> None:
    _finished(Study.begin(faces, tmp_path, "quick", only=["pencil"], metrics=["ssim", "psnr"]))
    before = (tmp_path / "plan.json").read_bytes()
    said = refused("study", faces, "--out", tmp_path, "--metrics", "ssim")
    assert said == f"{tmp_path}: is measured by ssim, psnr; leave out --metrics, or give another --out"
    assert (tmp_path / "plan.json").read_bytes() == before
    assert Study.begin(faces, tmp_path, "quick", only=["pencil"], metrics=["psnr", "ssim"]).metrics == ("psnr", "ssim")


@pytest.mark.parametrize(
    ("only", "shown"),
    [
        (["conv-ae-mae"], ["conv-ae-mae"]),
        (["conv-ae"], ["conv-ae-mse"]),
        (["dense-ae", "pencil"], ["dense-ae", "pencil"]),
    ],
)
def test_every_family_that_was_trained_is_shown(only: list[str], shown: list[str], faces: Path, tmp_path: Path) -> None:
    grid = _finished(Study.begin(faces, tmp_path, "quick", only=only))
    assert [cell.name.split(".")[0] for cell in _variants(grid, "photo2sketch")] == shown
    assert samples(grid).width > 3 * 8


def test_a_study_in_which_everything_fails_says_why(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ResourceError("not enough memory", "train with `batch_size` 1")

    monkeypatch.setattr("facesketch.study.study.train", fail)
    grid = Study.begin(faces, tmp_path, "quick", only=["pix2pix"])
    with pytest.raises(DataError, match=r"no cell has finished.*not enough memory; train with"):
        list(carry_out(grid, quiet=True))
    assert {grid.failure(cell) for cell in grid.cells} == {"not enough memory; train with `batch_size` 1"}


def test_the_sheet_is_of_all_that_the_folder_holds(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _finished(Study.begin(faces, tmp_path, "quick", only=["dense-ae"]))
    grid = _finished(Study.begin(faces, tmp_path, "quick", only=["pencil"]))
    seen: list[Study] = []
    monkeypatch.setattr("facesketch.study.study.samples", lambda study: (seen.append(study), Image.new("L", (8, 8)))[1])
    list(carry_out(grid, quiet=True))
    assert [cell.method for cell in seen[0].cells] == ["dense-ae", "dense-ae", "pencil"]


def test_a_study_by_everything_that_applies_says_so(refused: Callable[..., str], faces: Path, tmp_path: Path) -> None:
    _finished(Study.begin(faces, tmp_path, "study", only=["pencil"]))
    said = refused("study", faces, "--out", tmp_path, "--preset", "study", "--metrics", "ssim")
    assert said.startswith(f"{tmp_path}: is measured by every metric that applies; leave out --metrics")


def test_a_study_trains_what_is_missing_and_makes_shorter_runs_longer(
    arrange: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"pix2pix": {"epochs": (1, 2), "width": 4, "batch_size": 4}}
    monkeypatch.setitem(PRESETS, "quick", replace(PRESETS["quick"], size=32, settings=small, metrics=("psnr",)))
    begun: list[str] = []

    def train(config: Any, out: Path, **more: Any) -> Path:
        begun.append(out.name)
        return trainer.train(config, out, **more)

    monkeypatch.setattr("facesketch.study.study.train", train)
    data = arrange(tmp_path / "pairs")  # 8 to train on, in batches of 4
    grid = Study.begin(data, tmp_path / "study", "quick", only=["pix2pix-2.photo2sketch"])
    steps = {name: cost.steps for name, cost in study_costs(grid).items()}
    assert steps == {"pix2pix-1.photo2sketch": 2, "pix2pix-2.photo2sketch": 2}
    assert [why for _, why in carry_out(grid, quiet=True)] == [None, None]
    assert begun == ["pix2pix-1.photo2sketch"], "the longer run goes on from a copy of the shorter one"
    assert [len(grid.course(cell).epochs) for cell in grid.cells] == [1, 2]
    shutil.rmtree(grid.run_folder(grid.cells[1]))  # as if it had been killed between two cells
    grid.result_file("pix2pix-2.photo2sketch").unlink()
    assert list(study_costs(grid)) == ["pix2pix-2.photo2sketch"]
    assert [why for _, why in carry_out(grid, quiet=True)] == [None, None]
    assert begun == ["pix2pix-1.photo2sketch"]
    assert {Results.load(grid.result_file(cell.name)).model.method for cell in grid.cells} == {"pix2pix"}
