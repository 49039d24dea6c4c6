"""What an evaluation found: a file that others can read, and the difference between two of them.

Imports no torch, so two results are compared at once.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AliasChoices, Field, ValidationError, model_validator

from facesketch.config import Direction, Frozen, explain
from facesketch.errors import DataError, OutputError, nearest
from facesketch.files import parse_json, read_file, write_json, write_text
from facesketch.metrics.bootstrap import Bootstrap, Interval

FORMAT = "facesketch results 1"
_SAME = 0.01  # more than the rounding of any device moves a measure, less than another picture does
Better = Literal["higher", "lower"]
Verdict = Literal["no difference shown", "first is better", "second is better"]


class Estimate(Interval):
    """A mean with its interval over subjects, and the values it is of."""

    values: tuple[float, ...] = ()
    """One per stem, in their order; none for a number that only all the pictures together have."""


class Measure(Estimate):
    """An estimate that says what it is."""

    title: str
    better: Better


class Baseline(Frozen):
    """What a trivial answer measures on the same pictures."""

    title: str
    metrics: dict[str, Estimate]
    sets: dict[str, Measure]


class ModelInfo(Frozen):
    """Which model made the pictures; for pictures made elsewhere all but `method` and `path` is empty."""

    method: str
    options: dict[str, Any] = Field(default_factory=dict)
    seed: int | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    """The epoch whose weights were measured."""
    size: int | None = None
    parameters: int | None = None
    weights_sha256: str | None = None
    path: str


class Results(Frozen):
    """All that one evaluation found, as it lies on the disk.

    `metrics` hold one value per picture; `sets` hold numbers of all pictures together: distances of distributions and
    recognition rates. The unmarked `rank-k` compare raw pixels. The baseline `copy` compares the input itself with the
    truth, so its `rank-k` are the route that needs no model; its curve stands beside the model's as `cmc-direct`.
    """

    format: Literal["facesketch results 1"] = "facesketch results 1"
    name: str
    direction: Direction
    protocol: str
    split: Literal["train", "validation", "test"]
    stems: tuple[str, ...]
    subjects: tuple[str, ...]
    """Who each picture shows, one per stem."""
    stems_hash: str
    warnings: tuple[str, ...] = ()
    model: ModelInfo
    metrics: dict[str, Measure]
    sets: dict[str, Measure] = Field(default_factory=dict)
    curves: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    baselines: dict[str, Baseline] = Field(default_factory=dict, validation_alias=AliasChoices("baselines", "floors"))
    left_out: dict[str, str] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_value_per_stem(self) -> Self:
        count = len(self.stems)
        lengths = {"subjects": len(self.subjects)} | {name: len(item.values) for name, item in self.metrics.items()}
        for baseline, item in self.baselines.items():
            lengths |= {f"{name} of the baseline {baseline}": len(each.values) for name, each in item.metrics.items()}
        for name, length in lengths.items():
            if length != count:
                raise ValueError(f"{name}: {length} values for {count} stems")
        return self

    def save(self, path: Path) -> None:
        """Write the JSON file and, beside it, a CSV of the same name with one row per picture.

        Raises:
            OutputError: the place cannot be written, or the name is that of the CSV.
        """
        path = Path(path)
        if path.suffix.lower() == ".csv":
            raise OutputError(f"{path}: is the name of the table beside the results", "give `out` a name in .json")
        write_json(path, self.model_dump(mode="json"))
        write_text(path.with_suffix(".csv"), self.to_csv())

    def to_csv(self) -> str:
        """Return a table with the columns stem, subject and one per metric."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["stem", "subject", *self.metrics])
        columns = [measure.values for measure in self.metrics.values()]
        writer.writerows(zip(self.stems, self.subjects, *columns, strict=True))
        return text.getvalue()

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read results that `save` wrote.

        Raises:
            DataError: missing, not JSON, not results of ours, or damaged.
        """
        value = _read(Path(path))
        seen = value.get("format") if isinstance(value, Mapping) else None
        if seen != FORMAT:
            raise DataError(
                f"{path}: format is {seen!r}, expected {FORMAT!r}", "give a file that `facesketch evaluate --out` wrote"
            )
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise DataError(f"{path}: damaged results ({explain(error, cls)})", "evaluate once more") from error


def _read(path: Path) -> Any:
    try:
        return parse_json(read_file(path))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file", "give one that `facesketch evaluate --out` wrote") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a results file", "give one that `facesketch evaluate --out` wrote") from error


class Difference(Interval):
    """The mean of first minus second, picture by picture, with its interval over subjects.

    Attributes:
        verdict: `no difference shown` where the interval holds zero; else which one is better.
    """

    verdict: Verdict


def paired_difference(first: Results, second: Results, metric: str, *, seed: int = 0) -> Difference:
    """Return the difference of two results in one metric, picture by picture.

    Args:
        first: results with the metric.
        second: results on the same pictures.
        metric: a key of `Results.metrics`.
        seed: of the bootstrap.

    Raises:
        DataError: the results are of other pictures, or one of them lacks the metric.
    """
    require_same_pictures(first, second)
    one, other = _measure(first, metric), _measure(second, metric)
    gaps = [mine - theirs for mine, theirs in zip(one.values, other.values, strict=True)]
    found = Bootstrap(first.subjects, seed=seed).mean(gaps)
    return Difference(**found.model_dump(), verdict=_verdict(found.low, found.high, one.better))


def _verdict(low: float, high: float, better: Better) -> Verdict:
    if low <= 0 <= high:
        return "no difference shown"
    return "first is better" if (low > 0) == (better == "higher") else "second is better"


def _measure(results: Results, metric: str) -> Measure:
    if metric not in results.metrics:
        why = results.left_out.get(metric)
        seen = f"{results.name}: no '{metric}' in these results"
        if why:
            raise DataError(f"{seen}: {why}")
        raise DataError(seen, nearest(metric, results.metrics) or f"it has {', '.join(results.metrics)}")
    return results.metrics[metric]


def require_same_pictures(first: Results, second: Results) -> None:
    """Check that two results are of the same pictures in the same direction.

    Raises:
        DataError: they are not.
    """
    if first.direction != second.direction:
        seen = f"{first.name} is {first.direction}, {second.name} {second.direction}"
        raise DataError(seen, "expected one direction, because other pictures are measured")
    if first.stems != second.stems or first.subjects != second.subjects:
        only = sorted(set(first.stems) ^ set(second.stems))
        such = f", such as {only[0]} in only one of them" if only else ""
        seen = f"{first.name} has {len(first.stems)} pictures, {second.name} {len(second.stems)}{such}"
        raise DataError(seen, "expected the same pictures, so evaluate both on one split of one folder")
    if not _copies_agree(first, second):
        seen = f"{first.name} and {second.name} name the same stems, but copying the input measures differently"
        raise DataError(seen, "expected the same pictures behind them, so evaluate both on one folder")


def _copies_agree(first: Results, second: Results) -> bool:
    """Tell whether the baseline that depends on the pictures alone is the same, as far as both have it."""
    if "copy" not in first.baselines or "copy" not in second.baselines:
        return True
    one, other = first.baselines["copy"].metrics, second.baselines["copy"].metrics
    return all(
        abs(mine - theirs) <= _SAME
        for name in one.keys() & other.keys()
        for mine, theirs in zip(one[name].values, other[name].values, strict=True)
    )
