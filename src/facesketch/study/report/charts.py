"""Line charts as SVG that stands inside the page: its text is text, and its colours are the page's own.

Matplotlib draws with stand-in colours, one for each role; afterwards each is replaced by a CSS variable, so that the
same figure reads in light, in dark and on paper.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

Role = Literal["ink", "rule", "one", "two", "three", "four", "five", "six"]
_ROLES: tuple[Role, ...] = ("ink", "rule", "one", "two", "three", "four", "five", "six")
_STAND_INS: dict[Role, str] = {role: f"#0a0b{place:02}" for place, role in enumerate(_ROLES, 1)}
_MOST_POINTS = 300
_TIMES = (
    {each: f"{each:g} s" for each in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30)}
    | {60 * each: f"{each} min" for each in (1, 2, 5, 10, 20, 30)}
    | {3600 * each: f"{each} h" for each in (1, 2, 5, 10, 20, 50, 100)}
)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9.0,
    "axes.labelsize": 9.0,
    "axes.edgecolor": _STAND_INS["rule"],
    "axes.labelcolor": _STAND_INS["ink"],
    "text.color": _STAND_INS["ink"],
    "xtick.color": _STAND_INS["rule"],
    "ytick.color": _STAND_INS["rule"],
    "xtick.labelcolor": _STAND_INS["ink"],
    "ytick.labelcolor": _STAND_INS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "path.simplify": True,
    "path.simplify_threshold": 0.5,
}


@dataclass(frozen=True)
class Line:
    """One line of a chart, in one of the page's colours; the key names it, unless its label is empty."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    role: Role
    dashed: bool = False
    faint: bool = False
    """Drawn thin and pale, as the raw values behind a smoothed line are."""
    mark: float | None = None
    """The place along x to mark with a dot, such as the best epoch."""


@dataclass(frozen=True)
class Chart:
    """A chart, and what stands below it: what it is of, what there is to see, and its named lines."""

    svg: str
    title: str
    caption: str
    key: tuple[Line, ...] = ()


def line_chart(
    name: str,
    title: str,
    caption: str,
    lines: Sequence[Line],
    *,
    x: str,
    y: str,
    bottom: float | None = None,
    top: float | None = None,
) -> Chart:
    """Return a line chart; title and caption also describe it to those who do not see it.

    `name` is unique on the page, and the element's inner names begin with it. `x` and `y` say what runs along and up.
    """
    name = "".join(char if char.isalnum() else "-" for char in name)
    with rc_context(_STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(3.6, 2.3), layout="constrained")
        axes = figure.add_subplot()
        for line in lines:
            across, up = thinned(line.x, line.y)
            width, alpha = (0.6, 0.35) if line.faint else (1.5, 1.0)
            colour, style = _STAND_INS[line.role], "--" if line.dashed else "-"
            axes.plot(across, up, color=colour, linewidth=width, alpha=alpha, linestyle=style)
            if line.mark is not None and line.mark in line.x:
                height = line.y[list(line.x).index(line.mark)]
                axes.plot([line.mark], [height], "o", color=colour, markersize=5)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.set_ylim(bottom=bottom, top=top)
        axes.grid(axis="y", color=_STAND_INS["rule"], linewidth=0.5, alpha=0.45)
        axes.set_axisbelow(True)
        svg = _into_page(figure, name, f"{title}: {caption}")
    return Chart(svg, title, caption, tuple(line for line in lines if line.label))


@dataclass(frozen=True)
class Dot:
    """One model: its cost in seconds, its quality with an interval, and the text beside it."""

    text: str
    seconds: float
    value: float
    low: float
    high: float
    role: Role
    hollow: bool = False


def scatter(name: str, dots: Sequence[Dot], rules: Mapping[str, float], *, y: str, alt: str) -> str:
    """Return quality against training time on a logarithmic axis, as an `<svg>`.

    `rules` has the heights of the baselines by what to call them, for dashed lines. `alt` says what there is to see.
    """
    with rc_context(_STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(4.6, 3.3), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xscale("log")
        for dot in dots:
            colour = _STAND_INS[dot.role]
            axes.plot([dot.seconds] * 2, [dot.low, dot.high], color=colour, linewidth=1.0, alpha=0.5)
            face = "none" if dot.hollow else colour
            axes.plot([dot.seconds], [dot.value], "o", color=colour, markerfacecolor=face, markersize=5)
            at = (dot.seconds, dot.value)
            axes.annotate(dot.text, at, xytext=(5, 3), textcoords="offset points", fontsize=8)
        times = [dot.seconds for dot in dots]
        across = max(max(times) / min(times), 7.0)  # so that at least one of _TIMES lies between
        left, right = min(times) / across**0.4, max(times) * across**0.1  # the names of the baselines stand at the left
        axes.set_xlim(left, right)
        bottom, top = axes.get_ylim()
        bottom, top = min([bottom, *rules.values()]), max([top, *rules.values()])
        space = 0.06 * (top - bottom)
        below = bottom - space
        for text, height in sorted(rules.items(), key=lambda rule: rule[1]):
            axes.axhline(height, color=_STAND_INS["rule"], linestyle="--", linewidth=1.0, zorder=0)
            below = max(height + 0.25 * space, below + space)
            axes.annotate(text, (0.01, below), xycoords=("axes fraction", "data"), fontsize=7.5)
        axes.set_ylim(bottom - space / 2, top + space)
        ticks: list[float] = []
        for each in _TIMES:
            if left <= each <= right and (not ticks or each / ticks[-1] > (right / left) ** 0.13):  # room for its text
                ticks.append(each)
        axes.set_xticks(ticks, [_TIMES[each] for each in ticks])
        axes.minorticks_off()
        axes.set_xlabel("training time")
        axes.set_ylabel(y)
        return _into_page(figure, name, alt)


def thinned(x: Sequence[float], y: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return at most about 300 of the points, the first and the last among them."""
    across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(across) <= _MOST_POINTS:
        return across, up
    kept = np.unique(np.linspace(0, len(across) - 1, _MOST_POINTS).round().astype(int))
    return across[kept], up[kept]


def smoothed(values: Sequence[float], share: float = 0.05) -> list[float]:
    """Return running means over a share of the length; at the ends over as much of it as there is."""
    array = np.asarray(values, dtype=np.float64)
    half = max(1, round(len(array) * share / 2))
    sums = np.concatenate([[0.0], np.cumsum(array)])
    places = np.arange(len(array))
    low, high = np.maximum(places - half, 0), np.minimum(places + half + 1, len(array))
    return list(((sums[high] - sums[low]) / (high - low)).tolist())


def _into_page(figure: Figure, name: str, alt: str) -> str:
    """Draw a figure, strip what only a file of its own needs, and leave colours, fonts and names to the page."""
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    view = re.search(r'viewBox="([^"]+)"', svg)
    assert view is not None, "matplotlib writes a viewBox"
    opening = f'<svg class="chart" viewBox="{view[1]}" role="img" aria-label="{html.escape(alt)}">'
    svg = opening + svg[svg.index(">") + 1 :]
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"(font-size: [\d.]+px); font-family: [^;\"]*", r"\1", svg)
    for role, colour in _STAND_INS.items():
        svg = svg.replace(colour, f"var(--{role})")
    return re.sub(r">\s+<", "><", re.sub(r" *\n *", " ", svg)).strip()
