"""The report's section on search: from what lies in a study's `search/`, and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from facesketch.errors import DataError
from facesketch.metrics.bootstrap import Interval
from facesketch.metrics.calibration import Bin
from facesketch.search.evaluation.results import Chances, GalleryScore, OpenSet, RouteScore, SearchResults
from facesketch.study.report.build import build_report
from facesketch.study.report.search_section import searches
from facesketch.study.study import Study

Fabricate = Callable[..., Path]
PEOPLE = 12
ROUTES = {"direct": 0.5, "to-photo": 0.25, "to-sketch": 0.75, "fused": 1.0}
TITLES = {"direct": "direct", "to-photo": "sketch to photo", "to-sketch": "photos to sketches", "fused": "fused"}


def _rate(value: float) -> Interval:
    return Interval(value=value, low=max(0.0, value - 0.125), high=min(1.0, value + 0.125))


def _route(title: str, first: float, *, chances: bool = True) -> RouteScore:
    rates = {str(alarms): first * share for alarms, share in ((0.01, 0.5), (0.1, 0.75))}
    step = Bin(low=0.7, high=0.8, count=9, chance=0.75, share=0.5)
    return RouteScore(
        title=title,
        ranks=(1,) * PEOPLE,
        rank={"1": _rate(first), "5": _rate(min(1.0, first + 0.1)), "10": _rate(1.0)},
        curve=tuple(min(1.0, first + 0.1 * place) for place in range(PEOPLE)),
        open_set={
            key: OpenSet(**_rate(rate).model_dump(), alarms=float(key), threshold=0.5) for key, rate in rates.items()
        },
        alarms=((0.001, 0.0), (0.1, 0.75 * first), (0.2, 0.8 * first), (1.0, first)),
        first=Chances(error=_rate(0.04), steps=(step,)) if chances else None,
        absent=Chances(error=_rate(0.06), steps=(step,)) if chances else None,
    )


def _results(stems_hash: str = "0" * 64) -> SearchResults:
    routes = {name: _route(TITLES[name], first) for name, first in ROUTES.items()}
    baseline = _route("raw pixels", 0.6, chances=False)
    alone = GalleryScore(
        title="12 people", people=PEOPLE, chance={"1": 1 / 12}, routes=routes, baselines={"pixels": baseline}
    )
    among = GalleryScore(
        title="12 people among <9> others", people=PEOPLE, distractors=9, chance={"1": 1 / 21}, routes=routes
    )
    return SearchResults(
        embedder="hog",
        fingerprint="hog-1+photo2sketch-2",
        notice="something less than the best",
        data="faces",
        protocol="own",
        split="test",
        stems=tuple(f"face-{number:02d}" for number in range(PEOPLE)),
        subjects=tuple(f"face-{number:02d}" for number in range(PEOPLE)),
        stems_hash=stems_hash,
        seed=0,
        halves=100,
        prior=0.5,
        warnings=("only 12 people",),
        galleries={"alone": alone, "distractors": among},
    )


@pytest.fixture
def study(tmp_path: Path, fabricate: Fabricate) -> Path:
    return fabricate(tmp_path / "study", only=["pencil"])


def test_a_study_without_a_search_has_no_section_on_it(study: Path) -> None:
    text = build_report(study).read_text(encoding="utf-8")
    assert "Search with" not in text
    assert searches(Study.read(study), "") == []


def test_what_was_searched_is_told_with_its_numbers(study: Path) -> None:
    before = build_report(study).read_text(encoding="utf-8")
    _results().save(study / "search" / "hog")
    text = build_report(study).read_text(encoding="utf-8")
    assert text.count("<svg") - before.count("<svg") == 4
    assert "<h3>Search with oriented gradients (HOG)</h3>" in text
    assert "measured 100 times with half of the people left out" in " ".join(text.split())
    assert "faces, protocol own, test split: 12 sketches of 12 people, stems sha256 " + "0" * 64 in text
    assert "12 people among &lt;9&gt; others" in text
    assert "<9>" not in text
    assert "Guessing finds 8.3 %" in text
    assert "Guessing finds 4.8 %" in text
    assert text.count("The shaded rows compare") == 1
    for mind in ("these are not the study’s own test pictures", "something less than the best", "only 12 people"):
        assert f"<strong>Note:</strong> {mind}." in text
    assert "A hit is a lead, not an identification" in text
    identities = re.findall(r' id="([^"]+)"', text)
    assert len(identities) == len(set(identities))


def test_routes_are_ranked_and_baselines_stand_between(study: Path) -> None:
    (study / "search").mkdir()
    _results().save(study / "search")
    (found,) = searches(Study.read(study), "0" * 64)
    alone, among = found["galleries"]
    table = alone["table"]
    assert "these are not the study’s own test pictures" not in found["warnings"]
    assert [(row.rank, row.label) for row in table.rows] == [
        (1, "fused"),
        (2, "photos to sketches"),
        (None, "raw pixels"),
        (3, "direct"),
        (4, "sketch to photo"),
    ]
    assert [better for _, better in table.columns.values()] == ["higher"] * 5 + ["lower"]
    assert list(table.rows[1].measured) == list(table.columns)
    assert [round(each.value, 4) for each in table.rows[1].measured.values()] == [0.75, 0.85, 1.0, 0.375, 0.5625, 0.04]
    assert "rank-error" not in table.rows[2].measured
    assert "photos to sketches 75.0 %" in alone["charts"][0].caption
    assert "photos to sketches 37.5 %" in alone["charts"][1].caption
    assert len(among["table"].rows) == 4


def test_level_routes_share_a_place(study: Path) -> None:
    results = _results()
    gallery = results.galleries["alone"]
    level = gallery.model_copy(update={"routes": gallery.routes | {"direct": _route("direct", 1.0)}})
    results.model_copy(update={"galleries": {"alone": level}}).save(study / "search")
    (found,) = searches(Study.read(study), "")
    assert [row.rank for row in found["galleries"][0]["table"].rows] == [1, 1, 3, None, 4]


def test_several_searches_stand_in_the_order_of_their_folders(study: Path) -> None:
    for name in ("sface", "hog"):
        _results().model_copy(update={"embedder": name}).save(study / "search" / name)
    found = searches(Study.read(study), "")
    assert [search["title"] for search in found] == ["Search with oriented gradients (HOG)", "Search with SFace"]
    text = build_report(study).read_text(encoding="utf-8")
    identities = re.findall(r' id="([^"]+)"', text)
    assert len(identities) == len(set(identities))


def test_a_damaged_search_is_named(study: Path) -> None:
    (study / "search").mkdir()
    (study / "search" / "search.json").write_text("{}")
    with pytest.raises(DataError, match=r"search\.json: format is None"):
        build_report(study)
