"""What search by sketch found, from the results that lie below a study's `search/`."""

from __future__ import annotations

from dataclasses import dataclass

from facesketch.search.evaluation.results import ALARMS, FILE, RANKS, GalleryScore, RouteScore, SearchResults
from facesketch.study.report.charts import Chart, Line, Role, line_chart
from facesketch.study.report.numbers import number
from facesketch.study.report.tables import ARROWS, Column, Entry, Row, Table
from facesketch.study.study import Study

_NEAR = 20
_FEW_ALARMS = 0.3  # share of false alarms up to which open-set curves are drawn
_EMBEDDERS = {"hog": "oriented gradients (HOG)", "sface": "SFace", "learned": "the learned map", "lite": "the lite map"}
_ROLES: dict[str, Role] = {"fused": "ink", "to-photo": "one", "to-sketch": "two", "direct": "three"}


@dataclass(frozen=True)
class SearchedGallery:
    """One gallery: its table and its curves."""

    title: str
    caption: str
    table: Table
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Search:
    """One evaluation of search.

    Attributes:
        title: what was searched with.
        facts: on which pictures, described by what.
        warnings: what to mind, a sentence each.
        halves: how many galleries the open-set rates rest on.
        galleries: what was found in each.
    """

    title: str
    facts: str
    warnings: tuple[str, ...]
    halves: int
    galleries: tuple[SearchedGallery, ...]


def searches(study: Study, stems_hash: str) -> list[Search]:
    """Return every evaluation of search that lies below the study's `search/`, by the names of their folders.

    Args:
        study: the folder.
        stems_hash: sha256 of the stems that the study itself is measured on.

    Raises:
        DataError: one of them is damaged.
    """
    files = sorted((study.out / "search").rglob(FILE))
    return [_search(f"search-{place}", SearchResults.load(path), stems_hash) for place, path in enumerate(files, 1)]


def _search(name: str, results: SearchResults, stems_hash: str) -> Search:
    people = f"{len(results.stems):,} sketches of {len(set(results.subjects)):,} people"
    other = "" if results.stems_hash == stems_hash else "these are not the study’s own test pictures"
    return Search(
        title=f"Search with {_EMBEDDERS.get(results.embedder, results.embedder)}",
        facts=(
            f"{results.data}, protocol {results.protocol}, {results.split} split: {people}, "
            f"stems sha256 {results.stems_hash}; described by {results.fingerprint}"
        ),
        warnings=tuple(filter(None, (other, results.notice, *results.warnings))),
        halves=results.halves,
        galleries=tuple(_gallery(f"{name}-{key}", each) for key, each in results.galleries.items()),
    )


def _gallery(name: str, gallery: GalleryScore) -> SearchedGallery:
    caption = (
        "By share of people found first, with 95 % intervals over people below. "
        f"Guessing finds {number(gallery.chance['1'], 'rank-1')}."
    )
    if gallery.baselines:
        caption += " The shaded rows compare the pictures as they are, without a face looked for or a model."
    every = gallery.routes | gallery.baselines
    matches, alarms = [], []
    for key, each in every.items():
        role, dashed = _ROLES.get(key, "six"), key == "pixels"
        rates = each.curve[:_NEAR]
        matches.append(Line(each.title, range(1, len(rates) + 1), rates, role, dashed=dashed))
        points = [point for point in each.alarms if 0.999 / gallery.people <= point[0] <= _FEW_ALARMS]
        x, y = [alarm for alarm, _ in points], [rate for _, rate in points]
        alarms.append(Line(each.title, x, y, role, dashed=dashed))
    at_once = "; ".join(f"{each.title} {number(each.rank['1'].value, 'rank-1')}" for each in gallery.routes.values())
    least = [
        f"{each.title} {number(each.open_set[str(ALARMS[0])].value, 'rank-1')}" for each in gallery.routes.values()
    ]
    above = f"Found first and above the bar, at {100 * ALARMS[0]:.0f} % false alarms: {'; '.join(least)}."
    title, y_axis = gallery.title, "share found"
    charts = (
        line_chart(
            f"{name}-matches", f"{title}, matches", f"Found at rank 1: {at_once}.", matches,
            x="rank", y=y_axis, bottom=0, top=1.02,
        ),
        line_chart(
            f"{name}-alarms", f"{title}, half of them left out", above, alarms,
            x="share of false alarms", y=y_axis, bottom=0, top=1.02,
        ),
    )  # fmt: skip
    return SearchedGallery(title, caption, _table(gallery), charts)


def _table(gallery: GalleryScore) -> Table:
    """Return the routes, the best at rank 1 first and level ones on one place, with the baselines between them."""
    columns = [Column(f"rank-{k}", f"rank-{k}", ARROWS["higher"]) for k in RANKS]
    columns += [Column(f"rank-dir-{a}", f"DIR, at {100 * a:.0f} % false alarms", ARROWS["higher"]) for a in ALARMS]
    columns.append(Column("rank-error", "chance error, of first hits", ARROWS["lower"]))

    def first(found: RouteScore) -> float:
        return found.rank[str(RANKS[0])].value

    rows = []
    for name, each in sorted((gallery.routes | gallery.baselines).items(), key=lambda pair: -first(pair[1])):
        place = 1 + sum(first(other) > first(each) for other in gallery.routes.values())
        rates = [*each.rank.values(), *each.open_set.values(), each.first.error if each.first else None]
        entries = tuple(Entry.of(rate, "rank-") for rate in rates)
        rows.append(Row(None if name in gallery.baselines else place, each.title, entries))
    return Table(tuple(columns), tuple(rows))
