"""The study's claims: each verdict comes out where the numbers say so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from facesketch.evaluation.results import Results
from facesketch.study.aggregate import VariantResult, average, variant_results
from facesketch.study.claims import CHEAP, Claim, ledger
from facesketch.study.grid import Cell, plan, seedless
from facesketch.study.study import Study

_PEOPLE = 24
_PERSON = np.linspace(-0.05, 0.05, _PEOPLE)
_STEMS = tuple(f"face-{number:02d}" for number in range(_PEOPLE))
_PLAIN = {
    "dense-ae": 0.50,
    "conv-ae-mse": 0.60,
    "conv-ae-mae": 0.58,
    "conv-ae-bce": 0.56,
    "conv-vae-2": 0.52,
    "conv-vae-4": 0.53,
    "conv-vae-12": 0.54,
    "pix2pix-4": 0.66,
    "pix2pix-8": 0.68,
    "pix2pix-20": 0.70,
    "cyclegan": 0.75,
}
"""What the study claims, in numbers; claim 2 wants another order from sketch to photo."""
_AS_CLAIMED = _PLAIN | {"conv-ae-bce.sketch2photo": 0.59}

_NOT_BUILT = 0.99
"""Better than all that the study built; its claims say nothing of it."""


def _values(name: str, mean: float) -> list[float]:
    """Return values of that mean: people differ alike for all, and each result has some noise that sums to zero."""
    noise = np.resize([0.004, -0.004], _PEOPLE)
    return list(mean + _PERSON + np.random.default_rng(sum(map(ord, name))).permutation(noise))


def _measure(title: str, values: list[float]) -> dict[str, object]:
    mean = float(np.mean(values))
    return {"title": title, "better": "higher", "mean": mean, "low": mean, "high": mean, "values": values}


def _results(
    cell: Cell, name: str, direction: str, mean: float, *, colour: float | None = None, baseline: float = 0.4
) -> Results:
    values = _values(name, mean)
    metrics = {"fsim": _measure("FSIM", values)}
    if colour is not None:
        lost = colour + 0.001 * np.resize([1.0, -1.0], _PEOPLE)
        metrics["fsimc"] = _measure("FSIMc", list(np.asarray(values) - lost))
    estimate = {
        key: item for key, item in _measure("", _values("baseline", baseline)).items() if key not in {"title", "better"}
    }
    return Results.model_validate(
        {
            "name": name,
            "direction": direction,
            "protocol": "own",
            "split": "test",
            "stems": _STEMS,
            "subjects": _STEMS,
            "stems_hash": "0",
            "model": {"method": cell.method, "path": name},
            "metrics": metrics,
            "baselines": {"mean": {"title": "mean of training", "metrics": {"fsim": estimate}, "sets": {}}},
        }
    )


def _claims(
    scores: Mapping[str, float] = _AS_CLAIMED,
    *,
    without: tuple[str, ...] = (),
    colours: Mapping[str, float] | None = None,
    baseline: float = 0.4,
    seconds: Mapping[str, float] | None = None,
) -> list[Claim]:
    """Judge a study in which each cell scores as said, by its name or by the name without the direction."""
    study = Study(Path("data"), Path("nowhere"), tuple(plan("quick")), "quick")
    found = {}
    for cell in study.cells:
        for direction, name in cell.results.items():
            if not cell.learned or name in without:
                continue
            variant = name.removesuffix(f".{direction}")
            colour = (colours or {}).get(variant) if direction == "sketch2photo" else None
            mean = scores.get(name, scores[variant]) if cell.built else _NOT_BUILT
            results = _results(cell, name, direction, mean, colour=colour, baseline=baseline)
            spent = (seconds or {}).get(variant, 100.0 if variant.startswith("conv-vae") else 1000.0)
            found[name] = VariantResult(name, (cell,), direction, results, spent)
    return ledger(study, found)


def _verdicts(claims: list[Claim]) -> list[str]:
    return [claim.verdict for claim in claims]


def test_all_hold_where_the_numbers_are_as_claimed() -> None:
    claims = _claims(colours={"cyclegan": 0.02, "pix2pix-20": 0.01})
    assert [claim.number for claim in claims] == [1, 2, 3, 4, 5, 6, 7]
    assert _verdicts(claims) == ["holds"] * 7
    assert "The smallest difference: photo to sketch, CAE (" in claims[0].why
    assert [part.first for part in claims[1].parts] == ["CAE (MSE)", "CAE (MSE)", "CAE (BCE)"]
    assert {part.direction for part in claims[1].parts} == {"sketch2photo"}


@pytest.mark.parametrize(
    ("number", "scores"),
    [
        (1, {"conv-ae-mae.photo2sketch": 0.62}),
        (2, {"conv-ae-mae.sketch2photo": 0.595}),
        (3, {"conv-vae-4.sketch2photo": 0.51}),
        (4, {"pix2pix-8.photo2sketch": 0.72}),
        (4, {"dense-ae.sketch2photo": 0.71}),
        (5, {"pix2pix-4.sketch2photo": 0.80}),
    ],
)
def test_one_comparison_the_other_way_round_refutes_a_claim(number: int, scores: dict[str, float]) -> None:
    claim = _claims(_AS_CLAIMED | scores)[number - 1]
    assert claim.verdict == "does not hold"
    assert [part.verdict for part in claim.parts].count("does not hold") == 1
    assert claim.why.startswith(f"1 of {len(claim.parts)} comparisons shows the opposite")
    assert "−" in claim.why


@pytest.mark.parametrize(
    ("number", "scores"),
    [
        (1, {"conv-ae-mae.photo2sketch": 0.60}),
        (2, {"conv-ae-bce.sketch2photo": 0.58}),
        (3, {"conv-vae-4.photo2sketch": 0.52}),
        (4, {"pix2pix-8.sketch2photo": 0.70}),
        (5, {"cyclegan.photo2sketch": 0.70}),
    ],
)
def test_a_difference_that_could_be_chance_shows_nothing(number: int, scores: dict[str, float]) -> None:
    claim = _claims(_AS_CLAIMED | scores)[number - 1]
    assert claim.verdict == "not shown"
    assert f"1 of {len(claim.parts)} comparisons shows no difference" in claim.why


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "conv-ae-bce.photo2sketch"),
        (2, "conv-ae-mse.sketch2photo"),
        (3, "conv-vae-12.photo2sketch"),
        (4, "pix2pix-20.sketch2photo"),
        (5, "cyclegan.photo2sketch"),
        (7, "conv-vae-12.sketch2photo"),
    ],
)
def test_a_missing_cell_is_named(number: int, name: str) -> None:
    claim = _claims(without=(name,))[number - 1]
    assert claim.verdict == "not shown"
    assert claim.why.endswith(f"no result of {name}.")


def test_what_was_shown_to_be_wrong_stays_wrong_when_something_else_is_missing() -> None:
    scores = _AS_CLAIMED | {"conv-ae-mae.photo2sketch": 0.62}
    assert _claims(scores, without=("conv-ae-bce.photo2sketch",))[0].verdict == "does not hold"


@pytest.mark.parametrize(
    ("colours", "verdict"),
    [
        ({"cyclegan": 0.02, "pix2pix-20": 0.01}, "holds"),
        ({"cyclegan": 0.01, "pix2pix-20": 0.02}, "does not hold"),
        ({"cyclegan": 0.01, "pix2pix-20": 0.01}, "not shown"),
        ({"cyclegan": 0.0, "pix2pix-20": 0.0}, "not shown"),
    ],
)
def test_colours_are_judged_by_what_they_cost(colours: dict[str, float], verdict: str) -> None:
    claim = _claims(colours=colours)[5]
    assert claim.verdict == verdict
    assert {part.metric for part in claim.parts} == {"colour loss"}


def test_colours_of_grey_photos_cannot_be_judged() -> None:
    claim = _claims()[5]
    assert claim.verdict == "not shown"
    assert "the true photos are grey" in claim.why


def test_little_compute_counts_only_what_can_be_had_for_it() -> None:
    dear, cheap = 100.0 * CHEAP + 1, 100.0 * CHEAP
    assert _claims(seconds={"pix2pix-4": dear})[6].verdict == "holds"
    claim = _claims(seconds={"pix2pix-4": cheap})[6]
    assert claim.verdict == "does not hold"
    assert "Pix2Pix (4 epochs)" in claim.why
    assert any(part.note == "beyond little compute: 10.0 times the training time" for part in claim.parts)


def test_a_baseline_takes_no_compute_at_all() -> None:
    claim = _claims(baseline=0.6)[6]
    assert claim.verdict == "does not hold"
    assert "mean of training" in claim.why


def test_without_a_training_time_cost_cannot_be_judged() -> None:
    claim = _claims(seconds={"dense-ae": 0.0})[6]
    assert claim.verdict == "not shown"
    assert "no training time in the log of dense-ae.photo2sketch" in claim.why


def test_claims_are_about_what_the_study_built() -> None:
    for claim in _claims():
        sides = {side for part in claim.parts for side in (part.first, part.second)}
        assert not sides & {cell.label for cell in plan("quick") if not cell.built}


def test_a_study_of_one_family_leaves_the_others_open() -> None:
    cells = tuple(cell for cell in plan("quick") if cell.method == "conv-ae")
    verdicts = _verdicts(ledger(Study(Path("data"), Path("nowhere"), cells, "quick"), {}))
    assert verdicts == ["not shown"] * 7


def test_seeds_are_averaged_picture_by_picture(tmp_path: Path) -> None:
    cells = tuple(plan("quick", only=["conv-ae-mse"], seeds=2))
    study = Study(tmp_path, tmp_path, cells, "quick", 2)
    for cell, mean in zip(cells, (0.5, 0.9, 0.7, 0.9), strict=True):
        assert cell.direction is not None
        _results(cell, cell.name, cell.direction, mean).save(study.result_file(cell.name))
    found = variant_results(study)
    assert list(found) == ["conv-ae-mse.photo2sketch", "conv-ae-mse.sketch2photo"]
    first = found["conv-ae-mse.photo2sketch"]
    assert len(first.cells) == 2
    both = [Results.load(study.result_file(cell.name)) for cell in first.cells]
    expected = np.mean([each.metrics["fsim"].values for each in both], axis=0)
    np.testing.assert_allclose(first.results.metrics["fsim"].values, expected)
    assert first.results.metrics["fsim"].value == pytest.approx(0.6)
    assert first.results.metrics["fsim"].low < 0.6 < first.results.metrics["fsim"].high
    assert average(both, "x").name == "x"


def test_cells_are_called_as_people_call_them() -> None:
    names = {cell.name: cell.label for cell in plan("quick", seeds=2)}
    assert names["conv-ae-bce.sketch2photo"] == "CAE (BCE)"
    assert names["conv-vae-12.photo2sketch.seed1"] == "CVAE (latent 12)"
    assert names["pix2pix-20.photo2sketch"] == "Pix2Pix (20 epochs)"
    assert names["conv-ae-ssim.photo2sketch"] == "CAE (SSIM)"
    assert names["conv-ae-noise.photo2sketch"] == "CAE (MSE, noise 0.1)"
    assert names["cyclegan"] == "CycleGAN"
    assert names["dense-ae.photo2sketch"] == "Dense autoencoder"
    old = Cell("conv-vae-4.photo2sketch", "conv-vae", "photo2sketch", {"latent": 4, "epochs": 4})
    assert old.label == "CVAE (latent 4)"
    assert seedless("cyclegan.seed1.photo2sketch") == "cyclegan.photo2sketch"
