"""The figure of an evaluation: cumulative match curves, and the detection rate by the share of false alarms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from facesketch.files import atomic
from facesketch.search.evaluation.results import ALARMS, GalleryScore, RouteScore, SearchResults

_PLACES = 20  # that are drawn
_PANEL = (5.4, 4.1)
_DOTS = 160
_INK, _RULE = "#222222", "#d5d5d5"


class _Look(NamedTuple):
    colour: str
    dashes: str
    marker: str


_LOOKS = {
    "fused": _Look("#000000", "-", "o"),
    "to-photo": _Look("#0072b2", "-", "s"),
    "to-sketch": _Look("#d55e00", "-", "^"),
    "direct": _Look("#009e73", "-", "D"),
    "hog": _Look("#777777", "--", ""),
    "pixels": _Look("#777777", ":", ""),
}
"""Okabe and Ito's colours, which colour-blind people can tell apart; markers and dashes differ too."""
_STYLE: dict[Any, Any] = {
    "font.size": 10.0,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def save_figure(results: SearchResults, path: Path) -> None:
    """Draw the curves of all routes as a PNG: one row per gallery, matching on the left, open set on the right.

    Raises:
        OutputError: the place cannot be written.
    """
    rows = len(results.galleries)
    with rc_context(_STYLE), atomic(path) as file:
        figure = Figure(figsize=(2 * _PANEL[0], rows * _PANEL[1] + 0.7), layout="constrained")
        for row, gallery in enumerate(results.galleries.values()):
            _matches(figure.add_subplot(rows, 2, 2 * row + 1), gallery)
            _alarms(figure.add_subplot(rows, 2, 2 * row + 2), gallery, results)
        people = f"{len(results.stems):,} sketches of {len(set(results.subjects)):,} people"
        title = f"Search by sketch on {results.data}, {results.split} split: {people}; embedder {results.embedder}"
        figure.suptitle(title, fontsize=11, ha="left", x=0.012)
        figure.savefig(file, format="png", dpi=_DOTS, metadata={"Software": None})


def _lines(gallery: GalleryScore) -> Mapping[str, RouteScore]:
    """Return what to draw in the order of the key."""
    found = gallery.routes | gallery.baselines
    return {name: found[name] for name in sorted(found, key=[*_LOOKS].index)}


def _percent(rate: float, digits: int = 0) -> str:
    return f"{100 * rate:.{digits}f} %"


def _matches(axes: Axes, gallery: GalleryScore) -> None:
    """Draw the share of people among the first so many."""
    for name, found in _lines(gallery).items():
        rates = found.curve[:_PLACES]
        _line(axes, name, f"{found.title}, {_percent(found.rank['1'].value, 1)} first", range(1, len(rates) + 1), rates)
    axes.set_title(gallery.title, loc="left", fontsize=10, fontweight="bold")
    _finish(axes, "place", "found among the first so many")
    axes.set_xticks([1, 5, 10, 15, 20])


def _alarms(axes: Axes, gallery: GalleryScore, results: SearchResults) -> None:
    """Draw the share that is detected and identified, against false alarms."""
    least = 1 / gallery.people
    for name, found in _lines(gallery).items():
        points = [(alarms, rate) for alarms, rate in found.alarms if alarms >= 0.999 * least]
        at = found.open_set[str(ALARMS[0])].value
        _line(axes, name, f"{found.title}, {_percent(at, 1)} at {_percent(ALARMS[0])}", *zip(*points, strict=True))
    for alarms in ALARMS:
        axes.axvline(alarms, color=_RULE, linewidth=1, zorder=0)
    axes.set_xscale("log")
    axes.set_title(f"half of the people left out, {results.halves} times", loc="left", fontsize=10)
    _finish(axes, "share of searches for absent people that alarm", "found, first and above the bar")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: _percent(share, 0 if share >= 0.01 else 1)))
    axes.xaxis.set_minor_locator(NullLocator())


def _line(axes: Axes, name: str, label: str, x: Any, y: Any) -> None:
    look = _LOOKS[name]
    axes.plot(
        list(x),
        list(y),
        color=look.colour,
        linestyle=look.dashes,
        marker=look.marker,
        markersize=4,
        markevery=(0, max(1, len(list(x)) // 5)),
        linewidth=2.2 if name == "fused" else 1.5,
        zorder=2 if name == "fused" else 3,  # the others stay visible where they coincide
        label=label,
    )


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: _percent(share)))
    axes.grid(axis="y", color=_RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    key: dict[str, Any] = {"ncols": 2, "fontsize": 8, "frameon": False, "handlelength": 2.4, "columnspacing": 1.2}
    axes.legend(loc="upper left", bbox_to_anchor=(-0.12, -0.15), **key)
