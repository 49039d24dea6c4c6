"""Measure search on pairs: each sketch is a probe, the photos are the gallery, alone and hidden among others.

The open-set rates come from galleries from which a half of the people is left out, so that half of the searches are for
somebody who is not there. The bar of an alarm is set over all those galleries at once, as one bar is in use.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.data.index import index
from facesketch.data.pairs import Pair
from facesketch.data.split import split as divide
from facesketch.errors import ConfigError, DataError, FaceError, FacesketchError, nearest
from facesketch.evaluation.protocols import count_warnings, recognise, require_protocol
from facesketch.search.embedding.describer import ROUTES, Route
from facesketch.search.evaluation.baselines import BASELINES, baselines
from facesketch.search.evaluation.distractors import Distractors
from facesketch.search.evaluation.measure import DIVISIONS, Chance, Meter
from facesketch.search.evaluation.results import ALARMS, ALONE, AMONG, RANKS, GalleryScore, RouteScore, SearchResults
from facesketch.search.evaluation.scores import Scores, alike, best_of_people
from facesketch.search.probability import FEWEST, calibration, chances

if TYPE_CHECKING:
    from facesketch.search.embedding.describer import Describer

TrialSplit = Literal["test", "train", "all"]
Progress = Callable[[int, int, str], None]
"""Told (steps done, steps in all, what is done now)."""
TITLES: dict[Route, str] = {
    "direct": "direct",
    "to-photo": "sketch to photo",
    "to-sketch": "photos to sketches",
    "fused": "fused",
}
PRIOR = 0.5
_BATCH = 16
_FEW_PEOPLE = 10


@dataclass(frozen=True)
class Task:
    """The pairs to search with, and what to call them.

    Attributes:
        folder: where they are.
        split: which side; `train` counts validation pairs too, as protocols do.
        pairs: sorted by stem.
        protocol: the name of the split in print.
        stems_hash: sha256 of the sorted stems, one a line.
        warnings: one sentence each.
    """

    folder: Path
    split: TrialSplit
    pairs: tuple[Pair, ...]
    protocol: str
    stems_hash: str
    warnings: tuple[str, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who each pair shows."""
        return tuple(pair.subject for pair in self.pairs)

    @property
    def person(self) -> NDArray[np.intp]:
        """The number of each pair's person among the sorted subjects."""
        return np.asarray(np.unique(self.subjects, return_inverse=True)[1], dtype=np.intp)

    def groups(self, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return, by column, what it says of each pair.

        Raises:
            ConfigError: no pair has such a column.
        """
        there = sorted({name for pair in self.pairs for name in pair.attributes})
        for name in columns:
            if name not in there:
                known = f"known: {', '.join(there)}" if there else "this data has none; add columns to its pairs.csv"
                raise ConfigError(f"`by` {name}: no column of that name", nearest(name, there, known))
        return {name: tuple(pair.attributes.get(name, "") for pair in self.pairs) for name in columns}


def read_task(folder: Path, split: TrialSplit = "test", protocol: str | None = None) -> Task:
    """Find the pairs of one side of a split, or all of them.

    Args:
        folder: the folder of pairs.
        split: which of them.
        protocol: the split's name in print; None recognises `cuhk`.

    Raises:
        ConfigError: a protocol that does not exist.
        DataError: fewer than two people.
    """
    require_protocol(protocol)
    parts = divide(index(Path(folder)).pairs)
    learned = (*parts.train, *parts.validation)
    chosen = {"test": parts.test, "train": learned, "all": (*learned, *parts.test)}[split]
    pairs = tuple(sorted(chosen, key=lambda pair: pair.stem))
    people = len({pair.subject for pair in pairs})
    if people < 2:
        seen = f"{people or 'no'} {'person' if people == 1 else 'people'} on the {split} side"
        raise DataError(f"{folder}: {seen}", "expected two or more; type `split` all")
    counts = (len(learned), len(parts.test))
    protocol = protocol or recognise([pair.stem for pair in (*learned, *parts.test)], counts)
    digest = hashlib.sha256("\n".join(pair.stem for pair in pairs).encode()).hexdigest()
    return Task(Path(folder), split, pairs, protocol, digest, tuple(_warnings(protocol, counts, split, people)))


def _warnings(protocol: str, counts: tuple[int, int], split: TrialSplit, people: int) -> Iterator[str]:
    yield from count_warnings(protocol, counts)
    if split != "test":
        yield "training people among the probes: translators and embedders may have learned these very pictures"
    if people < _FEW_PEOPLE:
        yield f"only {people} people: the intervals are too narrow to rely on"
    if people * min(ALARMS) < 1:
        least = f"{100 * min(ALARMS):.0f} % of {people} people is less than one"
        yield f"{least}: the bar for so few false alarms rests on a single person"


def evaluate_search(
    describer: Describer,
    task: Task,
    *,
    routes: Sequence[Route] = ROUTES,
    distractors: Distractors | None = None,
    by: Sequence[str] = (),
    divisions: int = DIVISIONS,
    seed: int = 0,
    progress: Progress | None = None,
) -> SearchResults:
    """Search for the photo of every sketch by every route, alone and among distractors.

    Every picture is described once, and the routes share it. A picture without a face counts against us: its person is
    not found. Of a sketch with several faces the largest is meant.

    Args:
        describer: what makes vectors of pictures.
        task: the pairs, as `read_task` finds them.
        routes: which ways to compare.
        distractors: others to hide the right photos among.
        by: columns of `pairs.csv`, such as `gender`, to part the people by.
        divisions: how often people are divided into halves for the open-set rates; each serves twice.
        seed: of the divisions and the bootstrap.
        progress: told of each step.

    Raises:
        ConfigError: the data has no column of that name.
        ImageError: a picture of a pair cannot be read.
    """
    groups = task.groups(by)
    trial = _Trial(describer, task, tuple(routes), progress or (lambda done, total, what: None))
    scores = trial.compare(distractors)
    meter = Meter(task.subjects, len(set(task.subjects)), divisions=divisions, seed=seed, groups=groups)
    galleries = trial.measure(scores, meter, distractors)
    return SearchResults(
        embedder=describer.embedder,
        fingerprint=describer.fingerprint,
        notice=describer.notice,
        data=task.folder.resolve().name,
        protocol=task.protocol,
        split=task.split,
        stems=tuple(pair.stem for pair in task.pairs),
        subjects=task.subjects,
        stems_hash=task.stems_hash,
        seed=seed,
        halves=len(meter.masks),
        prior=PRIOR,
        warnings=(*task.warnings, *trial.warnings),
        galleries=galleries,
        left_out=trial.left_out,
        seconds={name: round(value, 3) for name, value in trial.seconds.items()},
    )


@dataclass
class _Trial:
    """One evaluation under way."""

    describer: Describer
    task: Task
    routes: tuple[Route, ...]
    progress: Progress
    warnings: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    kept: int = 0
    """Distractors that show a face."""

    def compare(self, distractors: Distractors | None) -> dict[Route, Scores]:
        """Describe all pictures and return the scores by route."""
        queries = self._queries()  # (P, routes, 2D)
        photos = self._photos()
        person, count = self.task.person, len(self.task.pairs)
        flat = queries.reshape(count * len(self.routes), -1)
        people = best_of_people(alike(flat, photos), person).reshape(count, len(self.routes), -1)
        others = [np.zeros((len(flat), 0))]
        if distractors is not None:
            others += list(self._strangers(distractors, flat))
        strangers = np.concatenate(others, axis=1).reshape(count, len(self.routes), -1)
        return {route: Scores(people[:, place], person, strangers[:, place]) for place, route in enumerate(self.routes)}

    def _queries(self) -> NDArray[np.float32]:
        """Return (P, routes, 2D) queries; not a number where the sketch shows no face."""
        started, pairs = time.perf_counter(), self.task.pairs
        found = np.full((len(pairs), len(self.routes), self.describer.dimension), np.nan, dtype=np.float32)
        faceless = []
        for row, pair in enumerate(pairs):
            self.progress(row, len(pairs), "sketches")
            try:
                probe = self.describer.probe(pair.sketch.open(), pair.stem, face=1)
            except FaceError:
                faceless.append(pair.stem)
                continue
            found[row] = [self.describer.query(probe, route) for route in self.routes]
        self._faceless(faceless, "sketch", "sketches")
        self.seconds["sketches"] = time.perf_counter() - started
        return found

    def _photos(self) -> NDArray[np.float32]:
        """Return (P, 2D) vectors of the gallery; not a number where the photo shows no face."""
        started, pairs, rows = time.perf_counter(), self.task.pairs, []
        for start in range(0, len(pairs), _BATCH):
            self.progress(start, len(pairs), "photos")
            rows += self.describer.gallery([pair.photo.open() for pair in pairs[start : start + _BATCH]])
        nothing = np.full(self.describer.dimension, np.nan, dtype=np.float32)
        faceless = [pair.stem for pair, row in zip(pairs, rows, strict=True) if isinstance(row, FaceError)]
        self._faceless(faceless, "photo", "photos")
        self.seconds["photos"] = time.perf_counter() - started
        return np.stack([nothing if isinstance(row, FaceError) else row for row in rows])

    def _faceless(self, stems: Sequence[str], one: str, several: str) -> None:
        if stems:
            such = f"{len(stems)} {one if len(stems) == 1 else several}, such as {stems[0]}"
            self.warnings.append(f"no face found in {such}: counted as not found")

    def _strangers(self, distractors: Distractors, queries: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
        """Yield the scores of the distractors, a few at a time, so that their vectors need not be kept."""
        started, done, unusable = time.perf_counter(), 0, 0
        for chunk in distractors.chunks():
            self.progress(done, distractors.count, "distractors")
            pictures = [each for each in chunk if isinstance(each, Image.Image)]
            vectors = [each for each in self.describer.gallery(pictures) if not isinstance(each, FaceError)]
            done, unusable = done + len(chunk), unusable + len(chunk) - len(vectors)
            if vectors:
                yield alike(queries, np.stack(vectors))
        self.kept = done - unusable
        if unusable:
            self.warnings.append(f"{unusable:,} of {done:,} distractors show no face or cannot be read: left out")
        self.seconds["distractors"] = time.perf_counter() - started

    def measure(
        self, scores: dict[Route, Scores], meter: Meter, distractors: Distractors | None
    ) -> dict[str, GalleryScore]:
        """Return the numbers of every gallery."""
        started = time.perf_counter()
        people = len(set(self.task.subjects))
        names = [ALONE, AMONG] if distractors is not None and self.kept else [ALONE]
        galleries = {}
        for name in names:
            found: dict[str, RouteScore] = {}
            others = self.kept if name == AMONG else 0
            for place, route in enumerate(self.routes):
                self.progress(names.index(name) * len(self.routes) + place, len(names) * len(self.routes), "measuring")
                chosen = scores[route].alone() if name == ALONE else scores[route]
                found[route] = meter.measure(TITLES[route], chosen, self._chance(route, people // 2 + others))
            title = f"{people:,} people" + (f" among {self._among(distractors)}" if others else "")
            galleries[name] = GalleryScore(
                title=title,
                people=people,
                distractors=others,
                chance={str(k): min(1.0, k / (people + others)) for k in RANKS},
                routes=found,
                baselines=self._baselines(meter) if name == ALONE else {},
            )
        self.seconds["measuring"] = time.perf_counter() - started
        return galleries

    def _among(self, distractors: Distractors | None) -> str:
        """Return what the distractors are, and how many of them are used where that is not all."""
        assert distractors is not None, "there are some"
        part = f"{self.kept:,} of " if self.kept < distractors.count else ""
        return f"{part}{distractors.title}"

    def _chance(self, route: Route, smallest: int) -> Chance | None:
        """Return what tells the chances of a route, if the smallest gallery has enough people and it was measured."""
        if smallest < FEWEST:
            self.left_out[f"chances of {smallest} people"] = f"too few to tell any: there must be {FEWEST} or more"
            return None
        try:
            known = calibration(self.describer.embedder, route)
        except FacesketchError as error:
            self.left_out[f"chances of {route}"] = str(error)
            return None
        return lambda top, rest, whole: chances(top, rest, known, PRIOR, whole)

    def _baselines(self, meter: Meter) -> dict[str, RouteScore]:
        """Return what raw pixels and oriented gradients find in the pictures as they are, where these have one size."""
        try:
            found = baselines(self.task.pairs, self.task.person)
        except DataError as error:
            self.left_out["baselines"] = str(error)
            return {}
        return {name: meter.measure(BASELINES[name], scores) for name, scores in found.items()}
