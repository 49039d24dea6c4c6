"""Files of version 0.1 stay readable: a run folder, a model file, a gallery, results and a study."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesketch.cli.main import main

FROZEN = Path(__file__).with_name("version_0_1")
PHOTO, SKETCH = FROZEN / "pairs/photos/face-0001.png", FROZEN / "pairs/sketches/face-0001.png"
TOLERANCE = 3
"""Grey levels by which processors may differ."""


def copied(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(FROZEN / name, folder / name))


@pytest.mark.parametrize(("model", "drawn"), [("run", "run.png"), ("model.onnx", "onnx.png")])
def test_model_draws_the_same_picture(model: str, drawn: str, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    main(["translate", str(PHOTO), "--model", str(FROZEN / model), "--no-align", "--out", str(out)])
    now, then = (np.asarray(Image.open(path), dtype=float) for path in (out, FROZEN / drawn))
    assert now.shape == then.shape
    assert np.abs(now - then).max() <= TOLERANCE


def test_run_resumes(tmp_path: Path) -> None:
    run = copied("run", tmp_path)
    main(["train", "--resume", str(run), "--data", str(FROZEN / "pairs"), "--epochs", "2", "--quiet"])
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert max(line["epoch"] for line in lines if "epoch" in line) == 2


def test_gallery_is_read(tmp_path: Path) -> None:
    """The order of its hits may change: these drawn faces look alike, and the package's models keep changing."""
    gallery, out = copied("gallery", tmp_path), tmp_path / "query.json"
    main(["search", "query", str(SKETCH), "--gallery", str(gallery), "--json", str(out)])
    now, then = (json.loads(path.read_text(encoding="utf-8"))["hits"] for path in (out, FROZEN / "query.json"))
    assert {(hit["key"], hit["label"]) for hit in now} == {(hit["key"], hit["label"]) for hit in then}


def test_results_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.json"
    other.write_bytes((FROZEN / "results.json").read_bytes())
    main(["compare", str(FROZEN / "results.json"), str(other)])
    assert "SSIM" in capsys.readouterr().out


def test_study_gets_a_report(tmp_path: Path) -> None:
    study = copied("study", tmp_path)
    main(["report", str(study)])
    assert "pencil" in (study / "report.html").read_text(encoding="utf-8")
