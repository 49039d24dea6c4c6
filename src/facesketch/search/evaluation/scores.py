"""The scores of every probe with every person: places, and searches in galleries with people left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facesketch.metrics.open_set import Searches
from facesketch.search.probability import NEXT, leads

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
_DIGITS = 6  # of a score; float32 adds up to no more


@dataclass(frozen=True, eq=False)
class Scores:
    """The likeness of each probe to each person; of a person's photos the best counts.

    Attributes:
        people: (P, S), larger for more alike, -inf where a picture shows no face.
        person: (P,) which of the S people each probe shows.
        distractors: (P, N), the same for people whom no probe shows.
    """

    people: Array
    person: NDArray[np.intp]
    distractors: Array

    @property
    def mates(self) -> Array:
        """(P,) the score of each probe with its own person."""
        return self.people[np.arange(len(self.person)), self.person]

    @property
    def size(self) -> int:
        """How many people the gallery has, distractors included."""
        return int(self.people.shape[1] + self.distractors.shape[1])

    def alone(self) -> Scores:
        """Return the same without the distractors."""
        return replace(self, distractors=self.distractors[:, :0])

    def places(self) -> NDArray[np.int64]:
        """Return the place of each probe's person, 1 to `size`; people with the same score come before it."""
        mates = self.mates[:, None]
        before = (self.people >= mates).sum(axis=1) - 1 + (self.distractors >= mates).sum(axis=1)
        return np.asarray(1 + before, dtype=np.int64)


def alike(probes: NDArray[np.float32], gallery: NDArray[np.float32]) -> Array:
    """Return the (P, G) inner products of (P, D) and (G, D), rounded so that equal pictures tie.

    A row with NaN stands for a picture without a face and scores -inf with all.
    """
    products = (probes @ gallery.T).astype(np.float64).round(_DIGITS)
    return np.where(np.isnan(products), -np.inf, products)


def best_of_people(scores: Array, subjects: NDArray[np.intp]) -> Array:
    """Return (P, S) the best score of each person's photos.

    Args:
        scores: (P, G) by photo.
        subjects: (G,) who each shows, 0 to S - 1, every number present.
    """
    order = np.argsort(subjects, kind="stable")
    starts = np.flatnonzero(np.diff(subjects[order], prepend=-1))
    return np.asarray(np.maximum.reduceat(scores[:, order], starts, axis=1))


def halves(people: int, divisions: int, seed: int) -> Iterator[Mask]:
    """Yield (S,) masks of the people who are left out of the gallery.

    Each division into halves serves twice, with either half left out, so that everybody is left out equally often. Of
    an odd number of people the first mask leaves out the smaller half.
    """
    draw = np.random.default_rng(seed)
    for _ in range(divisions):
        out = np.zeros(people, dtype=bool)
        out[draw.permutation(people)[: people // 2]] = True
        yield out
        yield ~out


@dataclass(frozen=True, eq=False)
class HalfGalleries:
    """Every probe in R galleries without half of the people; all distractors are in each.

    Attributes:
        leads: (R, P) by how much the best score lies above those that come next, as chances count it; -inf where the
            best is a picture without a face.
        known: (R, P) whether the probe's person is in the gallery.
        right: (R, P) whether the best of the gallery is the right person.
    """

    leads: Array
    known: Mask
    right: Mask

    def searches(self) -> Searches:
        """Return all searches in all galleries together; a person who does not come first has no lead."""
        mates = np.where(self.right, self.leads, -np.inf)[self.known]
        return Searches(mates, np.full(len(mates), -np.inf), self.leads[~self.known])


def leave_out(scores: Scores, masks: Sequence[Mask]) -> HalfGalleries:
    """Search galleries from which people are left out.

    Args:
        scores: of all.
        masks: R of (S,), who is left out.
    """
    few = replace(scores, distractors=_best(scores.distractors, NEXT + 1))
    found = [best_scores(few, out, NEXT + 1) for out in masks]
    ahead = [leads(best, scores.size - int(out.sum()))[:, 0] for best, out in zip(found, masks, strict=True)]
    known = np.array([~out[scores.person] for out in masks])
    seconds = [best[:, 1:2].max(axis=1, initial=-np.inf) for best in found]
    pairs = zip(found, seconds, strict=True)
    first = [(scores.mates >= best[:, 0]) & (scores.mates > second) for best, second in pairs]
    return HalfGalleries(np.array(ahead), known, known & np.array(first))


def best_scores(scores: Scores, out: Mask, most: int) -> Array:
    """Return (P, K) the best scores in a gallery with people left out, highest first; K is at most `most`."""
    found = [_best(scores.people[:, ~out], most), _best(scores.distractors, most)]
    return _best(np.concatenate(found, axis=1), most)


def _best(scores: Array, most: int) -> Array:
    """Return the best scores of each row, highest first."""
    if scores.shape[1] > most:
        scores = np.partition(scores, scores.shape[1] - most, axis=1)[:, -most:]
    return np.asarray(np.sort(scores, axis=1)[:, ::-1])
