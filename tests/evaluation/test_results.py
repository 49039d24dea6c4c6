from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesketch.errors import DataError, OutputError
from facesketch.evaluation.results import Baseline, Estimate, Measure, ModelInfo, Results, paired_difference


def results(values: list[float], better: str = "higher", **changes: Any) -> Results:
    subjects = tuple(f"s{number // 2}" for number in range(len(values)))
    measure = Measure.model_validate(
        {"title": "M", "better": better, "mean": 0.0, "low": 0.0, "high": 0.0, "values": values}
    )
    fields: dict[str, Any] = {
        "name": "one",
        "direction": "photo2sketch",
        "protocol": "own",
        "split": "test",
        "stems": tuple(str(number) for number in range(len(values))),
        "subjects": subjects,
        "stems_hash": "0",
        "model": ModelInfo(method="pencil", path="pencil"),
        "metrics": {"m": measure},
    }
    return Results.model_validate(fields | changes)


@pytest.fixture
def six() -> Results:
    """Return results of six pictures with a baseline, a set and a curve."""
    ssim = Estimate(value=0.3, low=0.2, high=0.4, values=(0.1, 0.2, 0.3, 0.3, 0.4, 0.5))
    rank = Measure(title="rank-1, raw pixels", better="higher", value=0.5, low=0.1, high=0.9)
    measure = Measure(title="SSIM", better="higher", **ssim.model_dump())
    return results(
        [0.0] * 6,
        metrics={"ssim": measure},
        sets={"rank-1": rank},
        curves={"cmc-translated": (0.5, 1.0)},
        baselines={"copy": Baseline(title="copy the input", metrics={"ssim": ssim}, sets={"rank-1": rank})},
        left_out={"lpips-alex": "no weights"},
        seconds={"translate": 1.5, "measure": 2.5},
    )


def test_results_come_back_as_they_were(six: Results, tmp_path: Path) -> None:
    six.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == six


def test_the_table_has_one_row_per_picture(six: Results, tmp_path: Path) -> None:
    six.save(tmp_path / "results.json")
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["stem"] for row in rows] == list(six.stems)
    assert [row["subject"] for row in rows] == list(six.subjects)
    for name, measure in six.metrics.items():
        assert [float(row[name]) for row in rows] == list(measure.values)
    with pytest.raises(OutputError, match=r"name in \.json"):
        six.save(tmp_path / "results.csv")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda value: value | {"format": "another 1"}, r"format is 'another 1', expected 'facesketch results 1'"),
        (lambda value: [value], "format is None"),
        (lambda value: value | {"subjects": ["one"]}, r"subjects: 1 values for 6 stems"),
        (lambda value: value | {"direction": "sideways"}, r"direction = 'sideways'"),
        (lambda value: value | {"surplus": 1}, r"unknown key 'surplus'"),
    ],
)
def test_foreign_and_damaged_files_are_refused(six: Results, tmp_path: Path, change: Any, line: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(change(six.model_dump(mode="json"))))
    with pytest.raises(DataError, match=line):
        Results.load(path)


def test_no_file_and_no_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        Results.load(tmp_path / "none.json")
    (tmp_path / "damaged.json").write_bytes(b'{"format": \xff')
    with pytest.raises(DataError, match="not a results file"):
        Results.load(tmp_path / "damaged.json")


def test_no_difference_between_the_same() -> None:
    one = results([0.1, 0.4, 0.3, 0.9])
    found = paired_difference(one, one, "m")
    assert (found.value, found.low, found.high, found.verdict) == (0, 0, 0, "no difference shown")


def test_which_is_better_depends_on_the_metric() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 40)
    low, high = np.linspace(0, 1, 40), np.linspace(0, 1, 40) + 0.1 + noise
    for better, verdict in (("higher", "second is better"), ("lower", "first is better")):
        found = paired_difference(results(low.tolist(), better), results(high.tolist(), better), "m")
        assert found.verdict == verdict
        assert found.low < found.value < found.high < 0
        assert found.value == pytest.approx((low - high).mean())
    # far smaller than the spread of either, so only the pairing shows it
    assert np.std(low) > 2.5 * abs(found.value)


def test_noise_shows_no_difference_and_people_are_drawn_whole() -> None:
    noise = np.repeat(np.random.default_rng(1).normal(0, 1, 20), 2)
    found = paired_difference(results(noise.tolist()), results([0.0] * 40), "m")
    assert found.verdict == "no difference shown"
    assert found.high - found.low == pytest.approx(2 * 1.96 * noise.std() / np.sqrt(20), rel=0.15)


def test_other_pictures_are_not_compared(six: Results) -> None:
    one = results([0.1, 0.2])
    with pytest.raises(DataError, match="one has 2 pictures, one 3, such as 2 in only one of them"):
        paired_difference(one, results([0.1, 0.2, 0.3]), "m")
    with pytest.raises(DataError, match="one is photo2sketch, one sketch2photo"):
        paired_difference(one, results([0.1, 0.2], direction="sketch2photo"), "m")
    with pytest.raises(DataError, match="no 'n' in these results; it has m"):
        paired_difference(one, one, "n")
    copied = six.baselines["copy"]
    ssim = copied.metrics["ssim"].model_copy(update={"values": (0.1,) * 6})
    elsewhere = copied.model_copy(update={"metrics": copied.metrics | {"ssim": ssim}})
    strange = six.model_copy(update={"baselines": six.baselines | {"copy": elsewhere}})
    with pytest.raises(DataError, match="copying the input measures differently"):
        paired_difference(six, strange, "ssim")
