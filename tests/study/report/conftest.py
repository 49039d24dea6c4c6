"""A small study on disk, made up, from which reports are built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from facesketch.evaluation.results import Results
from facesketch.methods.registry import build
from facesketch.study.grid import Cell, plan
from facesketch.study.report import tables
from facesketch.study.study import Study
from facesketch.training.cost import Estimate

_PEOPLE = 12
_STEMS = tuple(f"face-{number:02d}" for number in range(_PEOPLE))
_PERSON = np.linspace(-0.05, 0.05, _PEOPLE)
MEANS = {"dense-ae": 0.55, "conv-ae": 0.6, "conv-vae": 0.58, "pix2pix": 0.65, "cyclegan": 0.7, "pencil": 0.5}
_OTHERS = 0.53
_METRICS = {"fsim": ("FSIM", "higher"), "ssim": ("SSIM", "higher"), "lpips-alex": ("LPIPS (alex)", "lower")}

Fabricate = Callable[..., Path]


def _estimate(mean: float, name: str) -> dict[str, Any]:
    noise = np.random.default_rng(sum(map(ord, name))).permutation(np.resize([0.004, -0.004], _PEOPLE))
    values = mean + _PERSON + noise
    return {"mean": mean, "low": mean - 0.02, "high": mean + 0.02, "values": values.tolist()}


def _metrics(mean: float, name: str) -> dict[str, dict[str, Any]]:
    means = {"fsim": mean, "ssim": mean - 0.1, "lpips-alex": 1 - mean}
    return {
        metric: _estimate(means[metric], name) | {"title": title, "better": better}
        for metric, (title, better) in _METRICS.items()
    }


def _results(cell: Cell, name: str, direction: str, mean: float) -> Results:
    rank = {"title": "rank-1, raw pixels", "better": "higher", "value": 0.5, "low": 0.3, "high": 0.7}
    baseline = {
        metric: {key: item for key, item in each.items() if key not in {"title", "better"}}
        for metric, each in _metrics(0.57, "baseline").items()
    }
    curve = [min(1.0, 0.5 + 0.05 * place) for place in range(_PEOPLE)]
    value = {
        "name": name,
        "direction": direction,
        "protocol": "own",
        "split": "test",
        "stems": _STEMS,
        "subjects": _STEMS,
        "stems_hash": hashlib.sha256(b"stems").hexdigest(),
        "warnings": ["only 12 <people>"],
        "model": {
            "method": cell.method,
            "seed": cell.settings.get("seed"),
            "epochs": cell.settings.get("epochs"),
            "best_epoch": 2,
            "size": 64,
            "parameters": 1234567,
            "weights_sha256": hashlib.sha256(name.encode()).hexdigest(),
            "path": name,
        },
        "metrics": _metrics(mean, name),
        "sets": {"rank-1": rank},
        "curves": {"cmc-translated": curve, "cmc-direct": curve},
        "baselines": {"mean": {"title": "mean of training", "metrics": baseline, "sets": {"rank-1": rank}}},
        "left_out": {"lpips-vgg": "no weights; type: facesketch models fetch vgg16"},
        "seconds": {"translate": 1.2, "measure": 3.4},
    }
    return Results.model_validate(value)


def _log(cell: Cell) -> str:
    with torch.device("meta"):
        phases = tuple(build(cell.config(Path("none"))).optimisers(1e-3))
    adversarial = len(phases) > 1
    lines: list[dict[str, Any]] = []
    for epoch in (1, 2, 3):
        losses = {phase: 1.0 / epoch + place for place, phase in enumerate(phases)}
        lines += [
            {"event": "step", "step": 4 * epoch - 3 + turn, "epoch": epoch - 1, "losses": losses} for turn in range(4)
        ]
        figures = {"ssim": 0.5, "mae": 0.1, "loss": 1.0} | dict.fromkeys(losses, (2.0, 1.25, 1.5)[epoch - 1])
        lines.append({"event": "epoch", "step": 4 * epoch, "epoch": epoch, "train": losses, "validation": figures})
        lines[-1] |= {"best": epoch < 3, "why": "", "seconds": 30.0 * epoch * (5 if adversarial else 1)}
    lines.append({"event": "end", "step": 12, "epoch": 3, "seconds": 90.0 * (5 if adversarial else 1)})
    return "".join(json.dumps(line) + "\n" for line in lines)


def _write_run(study: Study, cell: Cell) -> None:
    folder = study.run_folder(cell)
    folder.mkdir(parents=True)
    (folder / "log.jsonl").write_text(_log(cell))
    environment = {"packages": {"torch": "2.13.0", "torchmetrics": None}, "device": "cpu", "precision": "32-true"}
    environment |= {"pairs": {"train": 7, "validation": 2, "test": _PEOPLE}, "data": "d" * 64}
    (folder / "environment.json").write_text(json.dumps(environment))


def _paint(study: Study, name: str) -> None:
    shade = sum(map(ord, name)) % 200
    for stem in _STEMS[:2]:
        path = study.out / "pictures" / name / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 50), shade).save(path)


@pytest.fixture(scope="session")
def fabricate() -> Fabricate:
    """Return what writes a made-up quick study: `fabricate(folder, failed=…, missing=…, only=…, seeds=…, named=…)`.

    With `named` it has cells of what the study's text only names, too.
    """

    def write(
        folder: Path,
        *,
        failed: Iterable[str] = (),
        missing: Iterable[str] = (),
        only: Iterable[str] = (),
        seeds: int = 1,
        means: dict[str, float] | None = None,
        named: bool = False,
    ) -> Path:
        cells = tuple(cell for cell in plan("quick", only=list(only), seeds=seeds) if named or cell.built)
        study = Study(Path("/data/faces"), folder, cells, "quick", seeds)
        folder.mkdir(parents=True)
        value = {"data": "/data/faces", "preset": "quick", "seeds": seeds, "cells": [asdict(cell) for cell in cells]}
        (folder / "plan.json").write_text(json.dumps(value))
        _paint(study, "photo")
        _paint(study, "sketch")
        for cell in cells:
            if cell.name in failed:
                (folder / "failed").mkdir(exist_ok=True)
                why = {"cell": cell.name, "why": "out of memory; type --batch-size 4"}
                (folder / "failed" / f"{cell.name}.json").write_text(json.dumps(why))
            elif cell.name not in missing:
                _finish(study, cell, MEANS | (means or {}))
        Image.new("RGB", (2000, 500), (200, 180, 160)).save(folder / "samples.png")
        return folder

    return write


def _finish(study: Study, cell: Cell, means: dict[str, float]) -> None:
    if cell.learned:
        _write_run(study, cell)
    longer = 0.001 * int(cell.settings.get("epochs", 0)) if cell.method == "pix2pix" else 0.0
    for direction, name in cell.results.items():
        mean = means.get(name, means.get(cell.method, _OTHERS) + longer)
        _results(cell, name, direction, mean).save(study.result_file(name))
        _paint(study, name)


@pytest.fixture
def real_estimate() -> None:
    """Count what trainings need after all."""


@pytest.fixture(autouse=True)
def no_estimate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the counting of what trainings need, which takes a second for each, unless a test asks for it."""
    if "real_estimate" not in request.fixturenames:
        monkeypatch.setattr(tables, "estimate", lambda config, half: Estimate(1, 3 << 30, 1, 1))
