"""What search by sketch found, from the results that lie below a study's `search/`."""

from __future__ import annotations

from dataclasses import dataclass

from facesketch.metrics.bootstrap import Interval
from facesketch.search.evaluation.results import ALARMS, FILE, RANKS, GalleryScore, RouteScore, SearchResults
from facesketch.study.report.charts import Line, Role, chart
from facesketch.study.report.curves import Chart
from facesketch.study.report.numbers import interval, number
from facesketch.study.report.tables import ARROWS, Column, Entry, Row, Table
from facesketch.study.study import Study

FOLDER = "search"
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
        name: unique on the page.
        title: what was searched with.
        facts: on which pictures, described by what.
        warnings: what to mind, a sentence each.
        halves: how many galleries the open-set rates rest on.
        galleries: what was found in each.
    """

    name: str
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
    files = sorted((study.out / FOLDER).rglob(FILE))
    return [_search(f"search-{place}", SearchResults.load(path), stems_hash) for place, path in enumerate(files, 1)]


def _search(name: str, results: SearchResults, stems_hash: str) -> Search:
    people = f"{len(results.stems):,} sketches of {len(set(results.subjects)):,} people"
    other = () if results.stems_hash == stems_hash else ("these are not the study’s own test pictures",)
    notice = (results.notice,) if results.notice else ()
    return Search(
        name=name,
        title=f"Search with {_EMBEDDERS.get(results.embedder, results.embedder)}",
        facts=(
            f"{results.data}, protocol {results.protocol}, {results.split} split: {people}, "
            f"stems sha256 {results.stems_hash}; described by {results.fingerprint}"
        ),
        warnings=(*other, *notice, *results.warnings),
        halves=results.halves,
        galleries=tuple(_gallery(f"{name}-{key}", each) for key, each in results.galleries.items()),
    )


def _gallery(name: str, gallery: GalleryScore) -> SearchedGallery:
    charts = (_matches(name, gallery), _alarms(name, gallery))
    caption = (
        "By share of people found first, with 95 % intervals over people below. "
        f"Guessing finds {number(gallery.chance['1'], 'rank-1')}."
    )
    if gallery.baselines:
        caption += " The shaded rows compare the pictures as they are, without a face looked for or a model."
    return SearchedGallery(gallery.title, caption, _table(gallery), charts)


def _table(gallery: GalleryScore) -> Table:
    """Return the routes, the best at rank 1 first and level ones on one place, with the baselines between them."""
    columns = [Column(f"rank-{k}", f"rank-{k}", ARROWS["higher"]) for k in RANKS]
    columns += [Column(f"rank-dir-{a}", f"DIR, at {100 * a:.0f} % false alarms", ARROWS["higher"]) for a in ALARMS]
    columns.append(Column("rank-error", "chance error, of first hits", ARROWS["lower"]))
    found = sorted((gallery.routes | gallery.baselines).items(), key=lambda pair: -_first(pair[1]))
    rows = [Row(_place(name, gallery), each.title, _entries(each)) for name, each in found]
    return Table(tuple(columns), tuple(rows))


def _place(name: str, gallery: GalleryScore) -> int | None:
    """Return the place of a route among the routes, or None for a baseline."""
    if name in gallery.baselines:
        return None
    return 1 + sum(_first(other) > _first(gallery.routes[name]) for other in gallery.routes.values())


def _first(found: RouteScore) -> float:
    return found.rank[str(RANKS[0])].value


def _entries(found: RouteScore) -> tuple[Entry, ...]:
    rates: list[Interval | None] = [*found.rank.values(), *found.open_set.values()]
    rates.append(found.first.error if found.first is not None else None)
    return tuple(Entry() if each is None else _entry(each) for each in rates)


def _entry(rate: Interval) -> Entry:
    return Entry(number(rate.value, "rank-"), interval(rate, "rank-"))


def _matches(name: str, gallery: GalleryScore) -> Chart:
    lines = [_line(key, found, found.curve[:_NEAR]) for key, found in (gallery.routes | gallery.baselines).items()]
    said = "; ".join(f"{found.title} {number(found.rank['1'].value, 'rank-1')}" for found in gallery.routes.values())
    caption = f"Found at rank 1: {said}."
    title = f"{gallery.title}, matches"
    svg = chart(f"{name}-matches", lines, x="rank", y="share found", alt=f"{title}: {caption}", bottom=0, top=1.02)
    return Chart(svg, title, caption, tuple(lines))


def _line(key: str, found: RouteScore, rates: tuple[float, ...]) -> Line:
    role = _ROLES.get(key, "six")
    return Line(found.title, range(1, len(rates) + 1), rates, role, dashed=key == "pixels")


def _alarms(name: str, gallery: GalleryScore) -> Chart:
    lines = []
    for key, found in (gallery.routes | gallery.baselines).items():
        points = [point for point in found.alarms if 0.999 / gallery.people <= point[0] <= _FEW_ALARMS]
        x, y = [alarms for alarms, _ in points], [rate for _, rate in points]
        lines.append(Line(found.title, x, y, _ROLES.get(key, "six"), dashed=key == "pixels"))
    least = str(ALARMS[0])
    said = "; ".join(
        f"{found.title} {number(found.open_set[least].value, 'rank-1')}" for found in gallery.routes.values()
    )
    caption = f"Found first and above the bar, at {100 * ALARMS[0]:.0f} % false alarms: {said}."
    title = f"{gallery.title}, half of them left out"
    alt = f"{title}: {caption}"
    svg = chart(f"{name}-alarms", lines, x="share of false alarms", y="share found", alt=alt, bottom=0, top=1.02)
    return Chart(svg, title, caption, tuple(lines))
