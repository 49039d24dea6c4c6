"""Measure search on pairs: each sketch is a probe, the photos are the gallery, alone and among distractors.

The open-set rates come from galleries without half of the people, so that half of the searches are for a person who is
not there. One threshold holds for all those galleries, as in use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from facesketch.data.index import index
from facesketch.data.pairs import Pair, Source
from facesketch.data.split import split as divide
from facesketch.data.split import stems_hash
from facesketch.errors import ConfigError, DataError, FaceError, FacesketchError, count, nearest, require_known
from facesketch.evaluation.protocols import count_warnings, recognise, require_protocol
from facesketch.images.io import to_array
from facesketch.metrics.descriptors import hog, raw_pixels
from facesketch.search.embedding.describer import ROUTES, PhotoVector, Route
from facesketch.search.evaluation.distractors import Distractors
from facesketch.search.evaluation.measure import DIVISIONS, Chance, Meter
from facesketch.search.evaluation.results import ALARMS, ALONE, AMONG, RANKS, GalleryScore, RouteScore, SearchResults
from facesketch.search.evaluation.scores import Scores, alike, best_of_people
from facesketch.search.probability import FEWEST, calibration, chances

if TYPE_CHECKING:
    from facesketch.search.embedding.describer import Describer

Split = Literal["test", "train", "all"]
Progress = Callable[[int, int, str], None]
"""Called with the steps done, the steps in all, and the name of the stage."""
TITLES: dict[Route, str] = {
    "direct": "direct",
    "to-photo": "sketch to photo",
    "to-sketch": "photos to sketches",
    "fused": "fused",
}
BASELINES = {"pixels": ("raw pixels", raw_pixels), "hog": ("oriented gradients", hog)}
PRIOR = 0.5
_BATCH = 16
_LARGEST = 512  # pixels of a side up to which baselines are cheap
_FEW_PEOPLE = 10


@dataclass(frozen=True)
class Task:
    """The pairs to search with.

    Attributes:
        folder: where they are.
        split: which side; `train` counts validation pairs too, as protocols do.
        pairs: sorted by stem.
        protocol: the name of the split in print, such as `cuhk`.
        stems_hash: sha256 of the sorted stems, one a line.
        warnings: one sentence each.
    """

    folder: Path
    split: Split
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
        """Return the values of some columns of the pairs, one for each pair; empty where a pair has none."""
        there = sorted({name for pair in self.pairs for name in pair.attributes})
        for name in columns:
            if name not in there:
                known = f"known: {', '.join(there)}" if there else "this data has none; add columns to its pairs.csv"
                raise ConfigError(f"`group_by` {name}: no column of that name", nearest(name, there, known))
        return {name: tuple(pair.attributes.get(name, "") for pair in self.pairs) for name in columns}


def read_task(folder: Path, split: Split = "test", protocol: str | None = None) -> Task:
    """Find the pairs of one side of a split, or all of them.

    Args:
        folder: the folder of pairs.
        split: which of them.
        protocol: the split's name in print; None recognises `cuhk`.

    Raises:
        ConfigError: a protocol that does not exist.
        DataError: fewer than two people.
    """
    require_known(split, get_args(Split), "split")
    require_protocol(protocol)
    parts = divide(index(Path(folder)).pairs)
    learned = (*parts.train, *parts.validation)
    chosen = {"test": parts.test, "train": learned, "all": (*learned, *parts.test)}[split]
    pairs = tuple(sorted(chosen, key=lambda pair: pair.stem))
    people = len({pair.subject for pair in pairs})
    if people < 2:
        seen = f"{count(people, 'person', 'people')} on the {split} side"
        raise DataError(f"{folder}: {seen}", "expected two or more; give `split` all")
    counts = (len(learned), len(parts.test))
    protocol = protocol or recognise([pair.stem for pair in (*learned, *parts.test)], counts)
    warnings = tuple(_warnings(protocol, counts, split, people))
    return Task(Path(folder), split, pairs, protocol, stems_hash(pairs), warnings)


def _warnings(protocol: str, counts: tuple[int, int], split: Split, people: int) -> Iterator[str]:
    yield from count_warnings(protocol, counts)
    if split != "test":
        yield "training people among the probes: translators and embedders may have learned these very pictures"
    if people < _FEW_PEOPLE:
        yield f"only {people} people: the intervals are too narrow to rely on"
    if people * min(ALARMS) < 1:
        least = f"{100 * min(ALARMS):.0f} % of {people} people is less than one"
        yield f"{least}: the threshold for this few false alarms depends on one person"


def evaluate_search(
    describer: Describer,
    task: Task,
    *,
    routes: Sequence[Route] = ROUTES,
    distractors: Distractors | None = None,
    group_by: Sequence[str] = (),
    divisions: int = DIVISIONS,
    seed: int = 0,
    progress: Progress | None = None,
) -> SearchResults:
    """Search for the photo of every sketch by every route, alone and among distractors.

    Every picture is described once for all routes. A person counts as not found if a picture shows no face. In a sketch
    with several faces, the largest counts.

    Args:
        describer: turns pictures into vectors.
        task: the pairs, from `read_task`.
        routes: what to compare with what.
        distractors: photos of others to add to the gallery.
        group_by: columns of `pairs.csv`, such as `gender`, to group the people by.
        divisions: how often the people are divided into halves for the open-set rates; each division serves twice.
        seed: of the divisions and the bootstrap.
        progress: called at each step.

    Raises:
        ConfigError: the data has no column of that name.
        ImageError: a picture of a pair cannot be read.
    """
    groups = task.groups(group_by)
    run = _Run(describer, task, tuple(routes), progress or (lambda done, total, what: None))
    scores = run.compare(distractors)
    meter = Meter(task.subjects, divisions=divisions, seed=seed, groups=groups)
    with run.timed("measuring"):
        galleries = run.measure(scores, meter, distractors)
    return SearchResults(
        embedder=describer.embedder,
        fingerprint=describer.query_fingerprint,
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
        warnings=(*task.warnings, *run.warnings),
        galleries=galleries,
        left_out=run.left_out,
        seconds=run.seconds,
    )


class _Run:
    """One evaluation in progress, with its warnings, what it left out and why, and the seconds of each stage."""

    def __init__(self, describer: Describer, task: Task, routes: tuple[Route, ...], progress: Progress) -> None:
        self.describer, self.task, self.routes, self.progress = describer, task, routes, progress
        self.warnings: list[str] = []
        self.left_out: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.kept = 0  # distractors that show a face

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note the seconds of a stage."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - started, 3)

    def compare(self, distractors: Distractors | None) -> dict[Route, Scores]:
        """Describe all pictures and return the scores by route."""
        with self.timed("sketches"):
            queries = self._queries()  # (P, routes, 2D)
        with self.timed("photos"):
            photos = self._photos()
        person, probes = self.task.person, len(self.task.pairs)
        flat = queries.reshape(probes * len(self.routes), -1)
        people = best_of_people(alike(flat, photos), person).reshape(probes, len(self.routes), -1)
        others = [np.zeros((len(flat), 0))]
        if distractors is not None:
            with self.timed("distractors"):
                others += list(self._strangers(distractors, flat))
        strangers = np.concatenate(others, axis=1).reshape(probes, len(self.routes), -1)
        return {route: Scores(people[:, place], person, strangers[:, place]) for place, route in enumerate(self.routes)}

    def _queries(self) -> NDArray[np.float32]:
        """Return (P, routes, 2D) queries; NaN where the sketch shows no face."""
        pairs = self.task.pairs
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
        return found

    def _photos(self) -> NDArray[np.float32]:
        """Return (P, 2D) vectors of the gallery; NaN where the photo shows no face."""
        pairs = self.task.pairs
        rows: list[PhotoVector | FaceError] = []
        for start in range(0, len(pairs), _BATCH):
            self.progress(start, len(pairs), "photos")
            rows += self.describer.gallery([pair.photo.open() for pair in pairs[start : start + _BATCH]])
        faceless = [pair.stem for pair, row in zip(pairs, rows, strict=True) if isinstance(row, FaceError)]
        self._faceless(faceless, "photo", "photos")
        nothing = np.full(self.describer.dimension, np.nan, dtype=np.float32)
        return np.stack([nothing if isinstance(row, FaceError) else row.vector for row in rows])

    def _faceless(self, stems: Sequence[str], one: str, several: str) -> None:
        if stems:
            such = f"{count(len(stems), one, several)}, such as {stems[0]}"
            self.warnings.append(f"no face found in {such}: counted as not found")

    def _strangers(self, distractors: Distractors, queries: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
        """Yield the scores of the distractors chunk by chunk, so that their vectors need not be kept."""
        done, unusable = 0, 0
        for chunk in distractors.chunks():
            self.progress(done, distractors.count, "distractors")
            described = self.describer.gallery([each for each in chunk if isinstance(each, Image.Image)])
            vectors = [each.vector for each in described if not isinstance(each, FaceError)]
            done, unusable = done + len(chunk), unusable + len(chunk) - len(vectors)
            if vectors:
                yield alike(queries, np.stack(vectors))
        self.kept = done - unusable
        if unusable:
            self.warnings.append(f"{unusable:,} of {done:,} distractors show no face or cannot be read: left out")

    def measure(
        self, scores: dict[Route, Scores], meter: Meter, distractors: Distractors | None
    ) -> dict[str, GalleryScore]:
        """Return the numbers of every gallery."""
        people = len(set(self.task.subjects))
        galleries = {}
        sizes = {ALONE: 0} if distractors is None or not self.kept else {ALONE: 0, AMONG: self.kept}
        for number, (name, others) in enumerate(sizes.items()):
            routes: dict[str, RouteScore] = {}
            for place, route in enumerate(self.routes, start=number * len(self.routes)):
                self.progress(place, len(sizes) * len(self.routes), "measuring")
                chosen = scores[route] if others else scores[route].alone()
                routes[route] = meter.measure(TITLES[route], chosen, self._chance(route, people // 2 + others))
            title = f"{people:,} people"
            if others and distractors is not None:
                title += f" among {f'{others:,} of ' if others < distractors.count else ''}{distractors.title}"
            galleries[name] = GalleryScore(
                title=title,
                people=people,
                distractors=others,
                chance={str(k): min(1.0, k / (people + others)) for k in RANKS},
                routes=routes,
                baselines={} if others else self._baselines(meter),
            )
        return galleries

    def _chance(self, route: Route, smallest: int) -> Chance | None:
        """Return the chances of a route, unless the smallest gallery has too few people or nothing was measured."""
        if smallest < FEWEST:
            self.left_out[f"chances of {smallest} people"] = f"there must be {FEWEST} or more"
            return None
        try:
            known = calibration(self.describer.embedder, route)
        except FacesketchError as error:
            self.left_out[f"chances of {route}"] = str(error)
            return None
        return lambda top, rest: chances(top, rest, known, PRIOR)

    def _baselines(self, meter: Meter) -> dict[str, RouteScore]:
        """Return what the baselines find: the cosine of the sketch and the photos, both as they are."""
        try:
            photos = _baseline_rows([pair.photo for pair in self.task.pairs])
            sketches = _baseline_rows([pair.sketch for pair in self.task.pairs])
        except DataError as error:
            self.left_out["baselines"] = str(error)
            return {}
        person, nobody = self.task.person, np.zeros((len(self.task.pairs), 0))
        return {
            name: meter.measure(
                title, Scores(best_of_people(alike(sketches[name], photos[name]), person), person, nobody)
            )
            for name, (title, _) in BASELINES.items()
        }


def _baseline_rows(sources: Sequence[Source]) -> dict[str, NDArray[np.float32]]:
    """Return (N, F) unit rows of some pictures by baseline, if the pictures have one small size."""
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in BASELINES}
    size: tuple[int, int] | None = None
    for start in range(0, len(sources), _BATCH):
        pictures = [source.open() for source in sources[start : start + _BATCH]]
        size = size or pictures[0].size
        for odd in (picture.size for picture in pictures if picture.size != size):
            seen = f"pictures of {size[0]}x{size[1]} and {odd[0]}x{odd[1]}"
            raise DataError(seen, "these need one size, so align them with `facesketch faces align`")
        if max(size) > _LARGEST:
            raise DataError(f"pictures of {size[0]}x{size[1]}", f"these take {_LARGEST} pixels a side at most")
        grey = torch.from_numpy(np.stack([to_array(picture, 1) for picture in pictures])).permute(0, 3, 1, 2)
        for name, (_, describe) in BASELINES.items():
            found = describe(grey)
            length = np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
            rows[name].append((found / length).astype(np.float32))
    return {name: np.concatenate(parts) for name, parts in rows.items()}
