"""Numbers as the report prints them: a real minus sign, significant digits and readable units."""

from __future__ import annotations

from typing import Protocol

MINUS = "\N{MINUS SIGN}"
_PERCENT = ("rank-", "nlda")


class Ends(Protocol):
    """Anything with the ends of an interval."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


def number(value: float, metric: str = "") -> str:
    """Return a value of a metric: rates as per cent, decibels with two digits, others with three."""
    if metric.startswith(_PERCENT):
        text = f"{100 * value:.1f} %"
    elif metric == "psnr":
        text = f"{value:.2f}"
    else:
        text = f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return text.replace("-", MINUS)


def interval(ends: Ends, metric: str = "") -> str:
    """Return `low to high` in the digits of the metric."""
    return f"{number(ends.low, metric).removesuffix(' %')} to {number(ends.high, metric)}"


def duration(seconds: float | None) -> str:
    """Return a length of time in two units at most."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def amount(memory: int | None) -> str:
    """Return bytes as gibibytes."""
    return "–" if memory is None else f"{memory / 2**30:.1f} GiB"


def listed(names: list[str]) -> str:
    """Return names joined as in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
