"""Python and the command line are one: these verbs have the defaults and the results of their functions."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import facesketch
from facesketch.cli.compare import compare
from facesketch.cli.data import sample
from facesketch.cli.evaluate import evaluate
from facesketch.cli.export import export
from facesketch.cli.main import main
from facesketch.cli.push import push
from facesketch.cli.study import study
from facesketch.data.synthetic.draw import write_sample
from facesketch.evaluation.publish import push as upload
from facesketch.evaluation.results import Results
from facesketch.files import read_json
from facesketch.inference.export.export import export as write_onnx
from facesketch.study.study import Study


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path / "no-weights"))


@pytest.mark.parametrize(
    ("verb", "function", "own"),
    [
        (evaluate, facesketch.evaluate, {"quiet"}),
        (compare, facesketch.compare, {"results", "json"}),
        (study, facesketch.study.run, set()),
        (sample, write_sample, set()),
        (export, write_onnx, {"run"}),
        (push, upload, set()),
    ],
)
def test_a_verb_has_the_defaults_of_its_function(
    verb: Callable[..., Any], function: Callable[..., Any], own: set[str]
) -> None:
    theirs = inspect.signature(function).parameters
    ours = {name: each for name, each in inspect.signature(verb).parameters.items() if name not in own}
    assert ours.keys() <= theirs.keys()
    for name in ours.keys() - {"model"}:  # `model` may be left out with --images alone
        assert (ours[name].default or None) == (theirs[name].default or None), name


def _timeless(results: Results) -> Results:
    return results.model_copy(update={"seconds": {}})


def test_evaluate_measures_the_same_by_both(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    main(["evaluate", "pencil", "--data", str(faces), "--metrics", "ssim,psnr,rank", "--out", str(out), "--quiet"])
    found = facesketch.evaluate("pencil", faces, metrics=["ssim", "psnr", "rank"], out=tmp_path / "again.json")
    assert _timeless(found) == _timeless(Results.load(out))
    assert Results.load(tmp_path / "again.json") == found


def test_images_are_measured_the_same_by_both(faces: Path, tmp_path: Path) -> None:
    out, given = tmp_path / "results.json", faces / "sketches"
    words = ["--images", str(given), "--data", str(faces), "--direction", "photo2sketch", "--metrics", "ssim"]
    main(["evaluate", *words, "--out", str(out), "--quiet"])
    found = facesketch.evaluate(None, faces, images=given, direction="photo2sketch", metrics=["ssim"])
    assert _timeless(found) == _timeless(Results.load(out))


def test_compare_says_the_same_by_both(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / "one.json", tmp_path / "other.json"]
    for path, images in zip(paths, ("sketches", "photos"), strict=True):
        facesketch.evaluate(
            None, faces, images=faces / images, direction="photo2sketch", metrics=["ssim"], name="same", out=path
        )
    main(["compare", *map(str, paths), "--json"])
    [shown] = json.loads(capsys.readouterr().out)["comparisons"]
    [found] = facesketch.compare(*paths)
    assert (shown["first"], shown["second"]) == (found.first.name, found.second.name) == tuple(map(str, paths))
    assert shown["metrics"] == {name: each.model_dump() for name, each in found.metrics.items()}
    assert found.metrics["ssim"].verdict == "first is better"


def test_study_does_the_same_by_both(faces: Path, tmp_path: Path) -> None:
    main(["study", str(faces), "--out", str(tmp_path / "verb"), "--only", "pencil", "--metrics", "ssim", "--quiet"])
    told: list[str | None] = []
    made = facesketch.study.run(
        faces,
        tmp_path / "function",
        only=["pencil"],
        metrics=["ssim"],
        progress=lambda grid, cell, why: told.append(cell and cell.name),
    )
    assert told == [None, "pencil"]
    assert read_json(tmp_path / "verb" / "plan.json") == read_json(made.out / "plan.json")
    both = [Results.load(each.result_file("pencil")) for each in (Study.read(tmp_path / "verb"), made)]
    assert _timeless(both[0]) == _timeless(both[1])
    pages = [(tmp_path / name / "report.html").stat().st_size for name in ("verb", "function")]
    assert min(pages) > 1000
