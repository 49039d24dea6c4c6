"""The parts of the report: rankings, sentences, costs, numbers and curves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facesketch.config import DIRECTIONS
from facesketch.evaluation.evaluator import NAMES
from facesketch.evaluation.results import Baseline
from facesketch.study.aggregate import VariantResult, variant_results
from facesketch.study.report import charts as figures
from facesketch.study.report import curves, numbers, tables
from facesketch.study.report.numbers import MEANINGS, family_of
from facesketch.study.report.summary import missing, verdict
from facesketch.study.study import Study
from facesketch.training.cost import estimate

Fabricate = Callable[..., Path]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, fabricate: Fabricate) -> Study:
    """Return a complete study in which CycleGAN leads to sketches and draws with Pix2Pix for photos."""
    means = {"cyclegan.sketch2photo": 0.67, "conv-ae-mse.photo2sketch": 0.57}
    return Study.read(fabricate(tmp_path_factory.mktemp("parts") / "run", means=means))


@pytest.fixture(scope="module")
def found(study: Study) -> dict[str, VariantResult]:
    """Return what it found."""
    return variant_results(study)


def test_models_are_ranked_with_the_baselines_between_them(found: dict[str, VariantResult]) -> None:
    table = tables.ranked_table(found, "photo2sketch", main=True)
    better = {name: better for name, (_, better) in table.columns.items()}
    assert better == {"fsim": "higher", "ssim": "higher", "lpips-alex": "lower"}
    values = [row.measured["fsim"].value for row in table.rows]
    assert values == sorted(values, reverse=True)
    models = [row.rank for row in table.rows if row.rank is not None]
    assert models == list(range(1, 12))
    assert [row.label for row in table.rows if row.rank is None] == ["mean of training", "pencil filter"]
    assert table.rows[0].label == "CycleGAN"
    first = table.rows[0].measured
    assert numbers.number(first["lpips-alex"].value) == "0.300"
    assert numbers.interval(first["fsim"]) == "0.680 to 0.720"


@pytest.mark.parametrize("seconds", [0.3, 3.0, 90.0, 25 * 3600.0])
def test_the_time_axis_of_one_training_has_a_number(seconds: float) -> None:
    dot = figures.Dot("CAE", seconds, 0.5, 0.4, 0.6, "one")
    chart = figures.scatter("cost", [dot], {}, y="FSIM", alt="one training")
    assert re.search(r">[\d.]+ (s|min|h)<", chart)


def without(finding: VariantResult, metric: str) -> VariantResult:
    metrics = {name: measure for name, measure in finding.results.metrics.items() if name != metric}
    return replace(finding, results=finding.results.model_copy(update={"metrics": metrics}))


def test_nothing_has_a_rank_by_what_was_not_measured(found: dict[str, VariantResult]) -> None:
    bare = {name: without(finding, "fsim") for name, finding in found.items()}
    table = tables.ranked_table(bare, "photo2sketch", main=True)
    assert {row.rank for row in table.rows} == {tables.UNRANKED, None}
    trained = [each for each in bare.values() if each.direction == "photo2sketch" and each.cell.learned]
    assert [row.label for row in table.rows if row.rank is not None] == [each.cell.label for each in trained]
    assert {row.bar for row in table.rows} == {None}
    assert tables.how_ranked(found) == "Models are ranked by FSIM."
    assert tables.how_ranked(bare).startswith("FSIM was not measured")


def test_a_model_without_what_ranks_stands_last_and_has_no_rank(found: dict[str, VariantResult]) -> None:
    some = found | {"cyclegan.photo2sketch": without(found["cyclegan.photo2sketch"], "fsim")}
    models = [row for row in tables.ranked_table(some, "photo2sketch", main=True).rows if row.rank is not None]
    assert [row.rank for row in models] == [*range(1, 11), tables.UNRANKED]
    assert models[-1].label == "CycleGAN"
    assert tables.how_ranked(some) == "Models are ranked by FSIM; those without it have no rank."


def test_bold_is_only_what_is_shown_to_be_better_than_the_next(found: dict[str, VariantResult]) -> None:
    bold = [row.best for row in tables.ranked_table(found, "photo2sketch", main=True).rows]
    assert bold[0] == ["fsim", "ssim", "lpips-alex"]
    assert not any(bold[1:])
    drawn = tables.ranked_table(found, "sketch2photo", main=True)
    assert {drawn.rows[0].label, drawn.rows[1].label} == {"CycleGAN", "Pix2Pix (20 epochs)"}
    assert not any(row.best for row in drawn.rows)


def test_other_measures_stand_in_the_second_table(found: dict[str, VariantResult]) -> None:
    table = tables.ranked_table(found, "photo2sketch", main=False)
    assert table.columns == {"rank-1": ("rank-1, raw pixels", "higher")}
    assert numbers.interval(table.rows[0].measured["rank-1"], "rank-1") == "30.0 to 70.0 %"


def test_bars_share_the_range_of_the_table(found: dict[str, VariantResult]) -> None:
    table = tables.ranked_table(found, "photo2sketch", main=True)
    bars = [row.bar for row in table.rows if row.bar]
    assert len(bars) == len(table.rows)
    assert (min(left for left, _, _ in bars), max(left + width for left, width, _ in bars)) == (0, 100)
    assert all(left < place < left + width for left, width, place in bars)


def test_the_best_family_is_one_that_is_shown_to_be(found: dict[str, VariantResult]) -> None:
    said = verdict(found, "photo2sketch")
    assert said.heading == "Photo to sketch: CycleGAN is the best family"
    assert re.match(
        r"CycleGAN reaches FSIM 0\.700 \(.*ahead of the next family, Pix2Pix \(20 epochs\), by \+0", said.lines[0]
    )
    assert "SSIM and LPIPS (alex) put the same family first." in said.lines[1]
    assert "9 of 11 models are shown to beat every baseline." in said.lines[1]
    level = verdict(found, "sketch2photo")
    assert level.heading == "Sketch to photo: no clear winner"
    assert "No difference from the next family" in level.lines[0]


def test_a_baseline_that_is_ahead_in_another_measure_is_named(found: dict[str, VariantResult]) -> None:
    closest = {}
    for name, each in found.items():
        metrics = each.results.metrics
        values = {"values": (0.01,) * 12, "value": 0.01}
        copy = {
            metric: measure.model_copy(update={"value": 0.1, "values": (0.1,) * 12})
            for metric, measure in metrics.items()
        }
        copy["lpips-alex"] = metrics["lpips-alex"].model_copy(update=values)
        baseline = Baseline(title="copy the input", metrics=copy, sets={})
        closest[name] = replace(each, results=each.results.model_copy(update={"baselines": {"copy": baseline}}))
    for direction in DIRECTIONS:
        assert "In LPIPS (alex), copying the input is ahead of every model." in verdict(closest, direction).lines[1]
    assert not any(" ahead of every model" in line for line in verdict(found, "photo2sketch").lines)


def test_trainings_that_keep_the_same_weights_share_a_place(found: dict[str, VariantResult]) -> None:
    short, long = (found[f"pix2pix-{epochs}.photo2sketch"] for epochs in (4, 20))
    metrics = {name: short.results.metrics[name] for name in long.results.metrics}
    same = found | {long.name: replace(long, results=long.results.model_copy(update={"metrics": metrics}))}
    line = "Pix2Pix (4 epochs) and Pix2Pix (20 epochs) keep the same weights, as no later epoch validated better."
    assert verdict(same, "photo2sketch").lines[-1] == line
    assert line not in verdict(found, "photo2sketch").lines
    ranks = {row.label: row.rank for row in tables.ranked_table(same, "photo2sketch", main=True).rows}
    assert ranks["Pix2Pix (4 epochs)"] == ranks["Pix2Pix (20 epochs)"]
    assert sorted(rank for rank in ranks.values() if rank is not None)[-1] == 11


@pytest.mark.parametrize(
    ("mean", "heading"), [(0.9, "nothing beats copying the input"), (0.7, "nothing is shown to beat copying the input")]
)
def test_no_family_is_best_that_a_baseline_equals(mean: float, heading: str, found: dict[str, VariantResult]) -> None:
    beaten = {}
    for name, each in found.items():
        fsim = each.results.metrics["fsim"]
        copied = {"values": tuple(mean + (0.01 if place % 2 else -0.01) for place in range(12)), "value": mean}
        baseline = Baseline(title="copy the input", metrics={"fsim": fsim.model_copy(update=copied)}, sets={})
        beaten[name] = replace(each, results=each.results.model_copy(update={"baselines": {"copy": baseline}}))
    said = verdict(beaten, "photo2sketch")
    assert said.heading == f"Photo to sketch: {heading}"
    assert f"copying the input reaches {mean:.3f}" in said.lines[0]
    table = tables.ranked_table(beaten, "photo2sketch", main=True)
    assert not any("fsim" in row.best for row in table.rows)


def test_quality_is_drawn_against_cost(study: Study, found: dict[str, VariantResult]) -> None:
    sketch, photo = curves.cost_charts(found)
    assert "1 CycleGAN; 2 Pix2Pix (20 epochs)" in sketch.svg
    assert all(f">{text}</text>" in sketch.svg for text in ("11", "mean of training", "pencil filter"))
    assert {line.label for line in photo.key} == {"CycleGAN", "Pix2Pix", "CAE", "CVAE", "Dense autoencoder"}
    untimed = {name: replace(each, seconds=None) for name, each in found.items()}
    assert curves.cost_charts(untimed) == []


def test_what_is_missing_is_counted(tmp_path: Path, fabricate: Fabricate) -> None:
    names = {"failed": ["conv-ae-mse.photo2sketch"], "missing": ["conv-ae-bce.photo2sketch"]}
    study = Study.read(fabricate(tmp_path / "study", only=["conv-ae"], **names))
    assert missing(study) == "4 of 6 planned cells are done, 1 failed"


def test_costs_come_from_logs_results_and_environment(study: Study) -> None:
    found = {name: finding.results for name, finding in variant_results(study).items()}
    rows = {row["Folder"]: [*row.values()] for row in tables.costs(study, found)}
    assert rows["pix2pix-20.photo2sketch"][:-1] == [
        *("Pix2Pix (20 epochs)", "pix2pix-20.photo2sketch", "0", "2 of 20", "1,234,567", "8 min", "3.0 GiB"),
        *("100 ms", "cpu 32-true"),
    ]
    assert len(rows["pix2pix-20.photo2sketch"][-1]) == 12
    assert rows["conv-ae-mse.photo2sketch"][5] == "90 s"
    assert rows["pencil"][4:7] == ["none", "none", "–"]


@pytest.mark.usefixtures("real_estimate")
def test_memory_is_what_the_trainer_would_expect(tmp_path: Path, fabricate: Fabricate) -> None:
    study = Study.read(fabricate(tmp_path / "study", only=["conv-ae-mse.photo2sketch"]))
    found = {name: finding.results for name, finding in variant_results(study).items()}
    (cost,) = tables.costs(study, found)
    needed = estimate(study.cells[0].config(study.data), half=False).memory
    assert cost["Memory"] == f"{needed / 2**30:.1f} GiB" != "3.0 GiB"


def test_different_machines_are_told_apart(tmp_path: Path, fabricate: Fabricate) -> None:
    study = Study.read(fabricate(tmp_path / "study", only=["conv-ae-mse"]))
    path = study.run_folder(study.cells[1]) / "environment.json"
    path.write_text(path.read_text().replace('"cpu"', '"H100"'))
    both = tables.environments(study)
    assert [(environment["device"], cells) for environment, cells in both] == [
        ("cpu", ["conv-ae-mse.photo2sketch"]),
        ("H100", ["conv-ae-mse.sketch2photo"]),
    ]


def test_charts_tell_the_kept_and_the_lowest_epoch(study: Study) -> None:
    charts = curves.charts_by_family(study, adversarial=False)
    assert list(charts) == ["Dense autoencoder", "CAE", "CVAE"]
    assert (
        "Validation loss is lowest at epoch 2 (1.250) and ends at 1.500. Kept: epoch 2 of 3" in charts["CAE"][0].caption
    )
    assert [line.label for line in charts["CAE"][0].key] == ["training", "validation"]
    assert charts["CAE"][0].key[1].mark == 2


def test_a_run_that_was_made_longer_is_drawn_once(study: Study) -> None:
    titles = [chart.title for chart in curves.charts_by_family(study, adversarial=True)["Pix2Pix"]]
    assert [title.partition(":")[2].strip() for title in titles] == ["discriminator", "generator"] * 2
    assert all(title.startswith("Pix2Pix (20 epochs)") for title in titles)


def test_smoothing_is_a_running_mean() -> None:
    values = list(np.random.default_rng(0).normal(size=100))
    smooth = figures.smoothed(values, share=0.1)
    assert len(smooth) == 100
    assert smooth[50] == pytest.approx(np.mean(values[45:56]))
    assert smooth[0] == pytest.approx(np.mean(values[:6]))
    assert figures.smoothed([3.0] * 7) == pytest.approx([3.0] * 7)


def test_long_lines_are_thinned_with_both_ends_kept() -> None:
    x, y = figures.thinned(range(10_000), range(10_000))
    assert len(x) == len(y) == 300
    assert (x[0], x[-1]) == (0, 9_999)
    assert len(figures.thinned([1, 2], [3, 4])[0]) == 2


def test_a_chart_keeps_its_words_from_the_markup() -> None:
    line = figures.Line("a", [1, 2], [3, 4], "one")
    svg = figures.line_chart("name", "<b>", '& "quoted"', [line], x="epoch", y="loss").svg
    assert 'aria-label="&lt;b&gt;: &amp; &quot;quoted&quot;"' in svg
    assert set(re.findall(r'id="(\w+)-', svg)) == {"name"}


def test_a_chart_takes_any_words() -> None:
    line = figures.Line("a", [1, 2], [3, 4], "one")
    svg = figures.line_chart("name", r"old\dir", r"\1 \g<0>", [line], x="x", y="y").svg
    assert svg.startswith('<svg class="chart" ')
    assert r'aria-label="old\dir: \1 \g&lt;0&gt;">' in svg


def test_numbers_have_the_digits_of_their_metric() -> None:
    assert numbers.number(-0.1234) == "−0.123"
    assert numbers.number(15.678, "psnr") == "15.68"
    assert numbers.number(0.745, "rank-1-hog") == "74.5 %"
    assert numbers.number(31794.2) == "31,794"
    assert numbers.listed(["a", "b", "c"]) == "a, b and c"


def test_every_measure_is_explained() -> None:
    assert set(NAMES) <= MEANINGS.keys()
    sets = {
        "rank-1": "rank",
        "rank-10-hog": "rank-hog",
        "rank-5-sface": "rank-sface",
        "nlda-full": "nlda",
        "ssim": "ssim",
    }
    assert {name: family_of(name) for name in sets} == sets
