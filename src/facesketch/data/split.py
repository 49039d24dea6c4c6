"""Divide pairs into training, validation and test by subject, in the same way on every machine.

The data's own division comes first. A hash of its name places every other subject, so adding subjects never moves the
others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from facesketch.data.pairs import SIDES, Pair, Side
from facesketch.errors import ConfigError

Origin = Literal["data", "hash", "both", "nobody"]
_STRICTEST: tuple[Side, ...] = ("test", "validation", "train")
_ENOUGH = 3  # subjects, so that each side gets one


@dataclass(frozen=True)
class Split:
    """The pairs of each side, sorted by stem. No subject is on two sides.

    Attributes:
        left_out: pairs of subjects whom the data also puts on a stricter side.
        origin: what decided each side: the `data`, the `hash`, `both`, or `nobody` if it is empty.
    """

    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    test: tuple[Pair, ...]
    left_out: tuple[Pair, ...]
    origin: Mapping[Side, Origin]

    def side(self, name: Side) -> tuple[Pair, ...]:
        """Return the pairs of a side by its name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    def hash(self, name: Side) -> str:
        """Return the sha256, in hex, of the side's sorted stems, one on each line: the fingerprint of a protocol."""
        return stems_hash(self.side(name))


def stems_hash(pairs: Sequence[Pair]) -> str:
    """Return the sha256, in hex, of the sorted stems of pairs, one on each line."""
    return hashlib.sha256("\n".join(sorted(pair.stem for pair in pairs)).encode()).hexdigest()


def split(pairs: Sequence[Pair], *, validation: float = 0.12, test: float = 0.2) -> Split:
    """Divide pairs into train, validation and test by subject.

    A subject stays where the data puts it. If that is on several sides, the strictest counts (test, then validation),
    and its pairs on the others are left out. A subject that the data does not assign goes to test if `draw("test",
    subject) < test`, and otherwise to validation if `draw("validation", subject) < validation`. A side that the data
    leaves empty is drawn in the same way from the subjects that the data trains on, too. If a wanted side is still
    empty among three subjects or more, it gets the subject with the smallest draw for it. Training comes first, so a
    single subject is trained on.

    Examples:
        >>> from facesketch.data.index import index
        >>> from facesketch.data.split import split
        >>> from pathlib import Path
        >>> sides = split(index(Path("pairs")).pairs)
        >>> len(sides.train) + len(sides.validation) + len(sides.test)
        9

    Args:
        pairs: in any order.
        validation: share of the training subjects to keep for validation, in [0, 1); 0 keeps none.
        test: share of the subjects to keep for testing, in [0, 1); 0 keeps none.

    Raises:
        ConfigError: a share is out of range.
    """
    shares: dict[Side, float] = {"test": test, "validation": validation}
    for name, share in shares.items():
        if not 0.0 <= share < 1.0:
            raise ConfigError(f"{name} = {share}: expected a share from 0 up to, but not including, 1")
    own: dict[str, Side] = {}
    for pair in pairs:
        if pair.split is not None:
            own[pair.subject] = min(own.get(pair.subject, pair.split), pair.split, key=_STRICTEST.index)
    named = set(own.values())
    places = {subject: _place(subject, own.get(subject), named, shares) for subject in {pair.subject for pair in pairs}}
    _fill(places, {subject for subject in places if own.get(subject, "train") == "train"}, shares)
    sides: dict[Side, list[Pair]] = {side: [] for side in SIDES}
    left_out: list[Pair] = []
    for pair in sorted(pairs, key=lambda pair: pair.stem):
        elsewhere = pair.split is not None and pair.split != own[pair.subject]
        (left_out if elsewhere else sides[places[pair.subject]]).append(pair)
    return Split(
        train=tuple(sides["train"]),
        validation=tuple(sides["validation"]),
        test=tuple(sides["test"]),
        left_out=tuple(left_out),
        origin={side: _origin(side, sides[side]) for side in SIDES},
    )


def draw(side: Side, subject: str) -> float:
    """Return a number in [0, 1) that depends on the names of a side and a subject alone."""
    digest = hashlib.sha256(f"{side}\n{subject}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _place(subject: str, own: Side | None, named: set[Side], shares: Mapping[Side, float]) -> Side:
    if own in ("test", "validation"):
        return own
    for side, share in shares.items():
        if (own is None or side not in named) and draw(side, subject) < share:
            return side
    return "train"


def _fill(places: dict[str, Side], free: set[str], shares: Mapping[Side, float]) -> None:
    """Give each wanted side that came out empty the free subject with the smallest draw for it."""
    wanted: list[Side] = ["train"]
    if len(places) >= _ENOUGH:
        wanted += [side for side, share in shares.items() if share > 0]
    for side in wanted:
        if side in places.values():
            continue
        held = {other: sum(places[subject] == other for subject in free) for other in SIDES}
        spare = [subject for subject in free if side == "train" or held[places[subject]] > 1]
        if spare:
            places[min(spare, key=lambda subject: (draw(side, subject), subject))] = side


def _origin(side: Side, pairs: Sequence[Pair]) -> Origin:
    said = {pair.split == side for pair in pairs}
    if len(said) == 2:
        return "both"
    return "nobody" if not said else "data" if said == {True} else "hash"
