"""The figure of an evaluation: cumulative match curves, and the detection rate by the share of false alarms."""

from __future__ import annotations

from collections.abc import Sequence
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
            _draw_matches(figure.add_subplot(rows, 2, 2 * row + 1), gallery)
            _draw_alarms(figure.add_subplot(rows, 2, 2 * row + 2), gallery, results.halves)
        data = f"{results.data}, {results.split} split: {results.counted}"
        title = f"Search by sketch on {data}; embedder {results.embedder}"
        figure.suptitle(title, fontsize=11, ha="left", x=0.012)
        figure.savefig(file, format="png", dpi=_DOTS, metadata={"Software": None})


def _draw_matches(axes: Axes, gallery: GalleryScore) -> None:
    """Draw the share of people among the first hits."""
    for name, found in _sorted(gallery):
        rates = found.curve[:_PLACES]
        _draw_line(axes, name, f"{found.title}, {_percent(found.rank['1'].value, 1)} first", rates)
    axes.set_title(gallery.title, loc="left", fontsize=10, fontweight="bold")
    _finish(axes, "place", "found at or before this place")
    axes.set_xticks([1, 5, 10, 15, 20])


def _draw_alarms(axes: Axes, gallery: GalleryScore, halves: int) -> None:
    """Draw the detection and identification rate by the share of false alarms."""
    for name, found in _sorted(gallery):
        points = found.drawn(gallery.people)
        label = f"{found.title}, {_percent(found.open_set[str(ALARMS[0])].value, 1)} at {_percent(ALARMS[0])}"
        _draw_line(axes, name, label, [rate for _, rate in points], [alarms for alarms, _ in points])
    for alarms in ALARMS:
        axes.axvline(alarms, color=_RULE, linewidth=1, zorder=0)
    axes.set_xscale("log")
    axes.set_title(f"half of the people left out, {halves} times", loc="left", fontsize=10)
    _finish(axes, "share of searches for absent people that raise a false alarm", "found first and above the threshold")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: _percent(share, 0 if share >= 0.01 else 1)))
    axes.xaxis.set_minor_locator(NullLocator())


def _sorted(gallery: GalleryScore) -> list[tuple[str, RouteScore]]:
    found = gallery.routes | gallery.baselines
    return sorted(found.items(), key=lambda each: [*_LOOKS].index(each[0]))


def _percent(rate: float, digits: int = 0) -> str:
    return f"{100 * rate:.{digits}f} %"


def _draw_line(axes: Axes, name: str, label: str, y: Sequence[float], x: Sequence[float] = ()) -> None:
    look, fused = _LOOKS[name], name == "fused"
    width, order = (2.2, 2) if fused else (1.5, 3)  # the others stay visible where they coincide
    axes.plot(
        x or range(1, len(y) + 1),
        y,
        color=look.colour,
        linestyle=look.dashes,
        marker=look.marker,
        markersize=4,
        markevery=(0, max(1, len(y) // 5)),
        linewidth=width,
        zorder=order,
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
