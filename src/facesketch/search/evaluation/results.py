"""The results of an evaluation of search, and their file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field

from facesketch.config import Frozen
from facesketch.errors import count
from facesketch.evaluation.results import read_results
from facesketch.files import write_json
from facesketch.metrics.bootstrap import Interval
from facesketch.metrics.calibration import Bin

FILE = "search.json"
ALONE, AMONG = "alone", "distractors"
RANKS = (1, 5, 10)
ALARMS = (0.01, 0.1)


class OpenSet(Interval):
    """The detection and identification rate at a share of false alarms.

    Attributes:
        alarms: the share of searches for people outside of the gallery that may alarm.
        threshold: the lead that has to be exceeded, a score less the mean of those that come next; None where every
            search may alarm. Version 0.1 called it `bar`.
    """

    alarms: float
    threshold: float | None = Field(validation_alias=AliasChoices("threshold", "bar"))


class Chances(Frozen):
    """How well chances are calibrated: the expected calibration error, and the reliability table."""

    error: Interval
    steps: tuple[Bin, ...]


class GroupScore(Frozen):
    """What a route found for the people of one group, in the gallery of all.

    Attributes:
        sketches: how many sketches show them.
        first: how often their own person comes first.
        alarms: how often a search for one of them who is not in the gallery alarms, where 10 % of all such searches do.
    """

    sketches: int
    first: Interval
    alarms: Interval


class RouteScore(Frozen):
    """What one route, or one baseline, found.

    Attributes:
        title: its name in print.
        ranks: the place of each probe's own person, in the order of the stems.
        rank: rank-k by k.
        curve: the cumulative match curve up to place 100.
        open_set: the detection and identification rate by the share of false alarms, such as `0.01`.
        alarms: (share of false alarms, detection and identification rate) along the whole curve.
        first: the chance of the first hit to be the right person.
        absent: the chance that the person is not in the gallery.
        groups: by column of the data and by its value, what was found for these people.
    """

    title: str
    ranks: tuple[int, ...]
    rank: dict[str, Interval]
    curve: tuple[float, ...]
    open_set: dict[str, OpenSet] = Field(default_factory=dict)
    alarms: tuple[tuple[float, float], ...] = ()
    first: Chances | None = None
    absent: Chances | None = None
    groups: dict[str, dict[str, GroupScore]] = Field(default_factory=dict)

    def drawn(self, people: int) -> list[tuple[float, float]]:
        """Return the part of `alarms` that so many people can tell: from one false alarm among them on."""
        return [point for point in self.alarms if point[0] >= 0.999 / people]


class GalleryScore(Frozen):
    """What was found in one gallery.

    Attributes:
        title: who is in it.
        people: how many people the probes show.
        distractors: how many others there are.
        chance: rank-k of guessing, by k.
        routes: what each route found.
        baselines: what the baselines found.
    """

    title: str
    people: int
    distractors: int = 0
    chance: dict[str, float]
    routes: dict[str, RouteScore]
    baselines: dict[str, RouteScore] = Field(default_factory=dict, validation_alias=AliasChoices("baselines", "floors"))


class SearchResults(Frozen):
    """The results of one evaluation of search.

    `galleries` holds `alone`, the people of the data, and, with distractors, `distractors`, the same people among them.
    """

    format: Literal["facesketch search results 1"] = "facesketch search results 1"
    embedder: str
    fingerprint: str
    notice: str = ""
    data: str
    protocol: str
    split: Literal["train", "test", "all"]
    stems: tuple[str, ...]
    subjects: tuple[str, ...]
    stems_hash: str
    seed: int
    halves: int
    """How many galleries without half of the people the open-set rates come from."""
    prior: float
    """The chance, before the search, that the person is in the gallery; it holds in these galleries."""
    warnings: tuple[str, ...] = ()
    galleries: dict[str, GalleryScore]
    left_out: dict[str, str] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)

    @property
    def counted(self) -> str:
        """How many sketches were searched with, and how many people they show."""
        return f"{count(len(self.stems), 'sketch', 'sketches')} of {count(len(set(self.subjects)), 'person', 'people')}"

    def save(self, place: Path) -> Path:
        """Write the file `place` if it ends in `.json`, otherwise `search.json` in that folder, and return its path.

        Raises:
            OutputError: the place cannot be written.
        """
        path = file_of(Path(place))
        write_json(path, self.model_dump(mode="json"))
        return path

    @classmethod
    def load(cls, path: Path) -> SearchResults:
        """Read a file that `save` wrote.

        Raises:
            DataError: missing, not JSON, not results of a search, or damaged.
        """
        return read_results(path, cls, "give a file that `facesketch search evaluate` wrote")


def file_of(place: Path) -> Path:
    """Return `place` if it ends in `.json`, otherwise `search.json` in that folder."""
    return place if place.suffix.lower() == ".json" and not place.is_dir() else place / FILE
