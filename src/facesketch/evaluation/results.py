"""The results of an evaluation as a file, and how two of them compare, without torch."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import AliasChoices, Field, ValidationError, model_validator

from facesketch.config import Direction, Frozen, explain
from facesketch.errors import ConfigError, DataError, OutputError, nearest, require_seed
from facesketch.files import parse_json, read_file, write_json, write_text
from facesketch.metrics.bootstrap import Bootstrap, Interval

_SAME = 0.01  # rounding moves a metric by less than this, another picture by more
Kept = TypeVar("Kept", bound=Frozen)
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
    """What a baseline measures on the same pictures."""

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
    """The results of one evaluation, as its file stores them.

    `metrics` hold one value per picture; `sets` hold numbers of all pictures together: distances of distributions and
    recognition rates. The unmarked `rank-k` compare raw pixels. The baseline `copy` compares the input itself with the
    truth, so its `rank-k` are those of search without a model; its curve stands beside the model's as `cmc-direct`.

    Examples:
        >>> import facesketch
        >>> from facesketch.evaluation.results import Results
        >>> results = facesketch.evaluate("pencil", "pairs", metrics=["ssim"], out="pencil.json")
        >>> Results.load("pencil.json") == results
        True
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
            OutputError: the file cannot be written, or its name is that of the CSV file.
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
        return read_results(path, cls, "give a file that an evaluation wrote as its `out`")


def read_results(path: Path, model: type[Kept], hint: str) -> Kept:
    """Read a JSON file of results whose `format` is the model's own.

    Raises:
        DataError: missing, not JSON, not such results, or damaged.
    """
    try:
        value = parse_json(read_file(Path(path)))
    except (OSError, ValueError) as error:
        seen = "no such file" if isinstance(error, FileNotFoundError) else "not a results file"
        raise DataError(f"{path}: {seen}", hint) from error
    form, expected = value.get("format") if isinstance(value, Mapping) else None, model.model_fields["format"].default
    if form != expected:
        raise DataError(f"{path}: format is {form!r}, expected {expected!r}", hint)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise DataError(f"{path}: damaged results ({explain(error, model)})", "evaluate again") from error


class Difference(Interval):
    """The mean of first minus second, picture by picture, with its interval over subjects."""

    verdict: Verdict
    """`no difference shown` where the interval holds zero; else which one is better."""


@dataclass(frozen=True)
class Comparison:
    """Two results on the same pictures, each with the name it goes by here, and the first less the second by metric."""

    first: Results
    second: Results
    metrics: dict[str, Difference]


_ALL_PAIRS = 4


def compare(
    first: str | Path | Results, second: str | Path | Results, *others: str | Path | Results, seed: int = 0
) -> list[Comparison]:
    """Compare results on the same pictures, metric by metric and person by person.

    With up to four results, every two are compared. With more, the first is compared with each of the others.

    Examples:
        >>> import facesketch
        >>> for name in ("first", "second"):
        ...     results = facesketch.evaluate("pencil", "pairs", metrics=["ssim"], name=name, out=f"{name}.json")
        >>> [comparison] = facesketch.compare("first.json", "second.json")
        >>> ssim = comparison.metrics["ssim"]
        >>> print(f"{ssim.value:+.3f} [{ssim.low:+.3f}, {ssim.high:+.3f}]: {ssim.verdict}")
        +0.000 [+0.000, +0.000]: no difference shown

    Args:
        first: results, or the file that `Results.save` wrote; files of equal names go by their paths.
        second: results of the same pictures.
        *others: more results of the same pictures.
        seed: the seed of the bootstrap, at least 0.

    Raises:
        ConfigError: two results have no metric in common, or a seed below 0.
        DataError: a file is missing, damaged or not a results file, or the results are of different pictures.
    """
    require_seed(seed)
    given = (first, second, *others)
    found = [each if isinstance(each, Results) else Results.load(Path(each)) for each in given]
    often = Counter(each.name for each in found)
    for place, (each, path) in enumerate(zip(found, given, strict=True)):
        require_same_pictures(found[0], each)
        if often[each.name] > 1 and not isinstance(path, Results):
            found[place] = each.model_copy(update={"name": str(path)})
    comparisons = []
    for one, other in combinations(found, 2) if len(found) <= _ALL_PAIRS else [(found[0], each) for each in found[1:]]:
        shared = [name for name in one.metrics if name in other.metrics]
        if not shared:
            seen = f"{one.name} and {other.name} have no metric in common"
            raise ConfigError(seen, "evaluate both with the same ones")
        differences = {name: paired_difference(one, other, name, seed=seed) for name in shared}
        comparisons.append(Comparison(one, other, differences))
    return comparisons


def paired_difference(first: Results, second: Results, metric: str, *, seed: int = 0) -> Difference:
    """Return the difference of two results in one metric, a key of `Results.metrics`, picture by picture.

    Raises:
        DataError: the results are of other pictures, or one of them lacks the metric.
    """
    require_same_pictures(first, second)
    for results in (first, second):
        if metric not in results.metrics:
            seen = f"{results.name}: no '{metric}' in these results"
            if metric in results.left_out:
                raise DataError(f"{seen}: {results.left_out[metric]}")
            raise DataError(seen, nearest(metric, results.metrics) or f"it has {', '.join(results.metrics)}")
    one, other = first.metrics[metric], second.metrics[metric]
    gaps = [mine - theirs for mine, theirs in zip(one.values, other.values, strict=True)]
    found = Bootstrap(first.subjects, seed=seed).mean(gaps)
    verdict: Verdict = "no difference shown"
    if not found.low <= 0 <= found.high:
        verdict = "first is better" if (found.low > 0) == (one.better == "higher") else "second is better"
    return Difference(**found.model_dump(), verdict=verdict)


def require_same_pictures(first: Results, second: Results) -> None:
    """Raise a DataError if two results are not of the same pictures in the same direction."""
    if first.direction != second.direction:
        seen = f"{first.name} is {first.direction}, {second.name} {second.direction}"
        raise DataError(seen, "expected one direction, because other pictures are measured")
    if first.stems != second.stems or first.subjects != second.subjects:
        only = sorted(set(first.stems) ^ set(second.stems))
        such = f", such as {only[0]} in only one of them" if only else ""
        seen = f"{first.name} has {len(first.stems)} pictures, {second.name} {len(second.stems)}{such}"
        raise DataError(seen, "expected the same pictures, so evaluate both on one split of one folder")
    one, other = (each.baselines["copy"].metrics if "copy" in each.baselines else {} for each in (first, second))
    if not all(
        abs(mine - theirs) <= _SAME
        for name in one.keys() & other.keys()
        for mine, theirs in zip(one[name].values, other[name].values, strict=True)
    ):  # this baseline depends on the pictures alone
        seen = f"{first.name} and {second.name} name the same stems, but copying the input measures differently"
        raise DataError(seen, "expected the same pictures behind them, so evaluate both on one folder")
