"""What search by sketch found, from the results that lie below a study's `search/`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facesketch.metrics.bootstrap import Interval
from facesketch.search.evaluation.results import ALARMS, FILE, RANKS, GalleryScore, RouteScore, SearchResults
from facesketch.study.report.charts import Line, Role, line_chart
from facesketch.study.report.numbers import number
from facesketch.study.report.tables import Row, Table
from facesketch.study.study import Study

_NEAR = 20
_FEW_ALARMS = 0.3  # share of false alarms up to which open-set curves are drawn
_EMBEDDERS = {"hog": "oriented gradients (HOG)", "sface": "SFace", "learned": "the learned map", "lite": "the lite map"}
_EMBEDDERS |= {"map": "a map of your own"}
_ROLES: dict[str, Role] = {"fused": "ink", "to-photo": "one", "to-sketch": "two", "direct": "three"}


def searches(study: Study, stems_hash: str) -> list[dict[str, Any]]:
    """Return every evaluation of search that lies below the study's `search/`, by the names of their folders.

    `stems_hash` is that of the pictures that the study itself is measured on.

    Raises:
        DataError: one of them is damaged.
    """
    found = []
    for place, path in enumerate(sorted((study.out / "search").rglob(FILE)), 1):
        results = SearchResults.load(path)
        other = "" if results.stems_hash == stems_hash else "these are not the study’s own test pictures"
        facts = f"{results.data}, protocol {results.protocol}, {results.split} split: {results.counted}, "
        found.append(
            {
                "title": f"Search with {_EMBEDDERS.get(results.embedder, results.embedder)}",
                "facts": facts + f"stems sha256 {results.stems_hash}; described by {results.fingerprint}",
                "warnings": [line for line in (other, results.notice, *results.warnings) if line],
                "halves": results.halves,
                "galleries": [_gallery(f"search-{place}-{key}", each) for key, each in results.galleries.items()],
            }
        )
    return found


def _gallery(name: str, gallery: GalleryScore) -> dict[str, Any]:
    caption = (
        "By share of people found first, with 95 % intervals over people below. "
        f"Guessing finds {number(gallery.chance['1'], 'rank-1')}."
    )
    if gallery.baselines:
        caption += " The shaded rows compare the pictures as they are, without finding faces and without a model."
    matches, alarms = [], []
    for key, each in (gallery.routes | gallery.baselines).items():
        role, dashed = _ROLES.get(key, "six"), key == "pixels"
        rates = each.curve[:_NEAR]
        matches.append(Line(each.title, range(1, len(rates) + 1), rates, role, dashed=dashed))
        points = [point for point in each.drawn(gallery.people) if point[0] <= _FEW_ALARMS]
        x, y = [alarm for alarm, _ in points], [rate for _, rate in points]
        alarms.append(Line(each.title, x, y, role, dashed=dashed))

    def listed(rate: Callable[[RouteScore], Interval]) -> str:
        return "; ".join(f"{each.title} {number(rate(each).value, 'rank-1')}" for each in gallery.routes.values())

    at_once = f"Found at rank 1: {listed(lambda each: each.rank['1'])}."
    above = f"Found first and above the threshold, at {100 * ALARMS[0]:.0f} % false alarms: "
    above += f"{listed(lambda each: each.open_set[str(ALARMS[0])])}."
    title = gallery.title
    up: dict[str, Any] = {"y": "share found", "bottom": 0, "top": 1.02}
    charts = [
        line_chart(f"{name}-matches", f"{title}, matches", at_once, matches, x="rank", **up),
        line_chart(f"{name}-alarms", f"{title}, half of them left out", above, alarms, x="share of false alarms", **up),
    ]
    return {"title": title, "caption": caption, "table": _table(gallery), "charts": charts}


def _table(gallery: GalleryScore) -> Table:
    """Return the routes, the best at rank 1 first and level ones on one place, with the baselines between them."""
    columns = {f"rank-{k}": (f"rank-{k}", "higher") for k in RANKS}
    columns |= {f"rank-dir-{a}": (f"DIR, at {100 * a:.0f} % false alarms", "higher") for a in ALARMS}
    columns["rank-error"] = ("chance error, of first hits", "lower")

    def first(found: RouteScore) -> float:
        return found.rank[str(RANKS[0])].value

    rows = []
    for name, each in sorted((gallery.routes | gallery.baselines).items(), key=lambda pair: -first(pair[1])):
        place = 1 + sum(first(other) > first(each) for other in gallery.routes.values())
        rates = [*each.rank.values(), *each.open_set.values(), *([each.first.error] if each.first else [])]
        measured = dict(zip(columns, rates, strict=False))
        rows.append(Row(None if name in gallery.baselines else place, each.title, measured))
    return Table(columns, rows)
