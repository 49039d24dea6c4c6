"""The answer of a gallery to a sketch: hits, chances, a verdict and a warning."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from facesketch.search.probability import FEWEST

if TYPE_CHECKING:
    from facesketch.search.embedding.describer import Probe, Route

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control characters, lone surrogates and line ends
_JOINERS = "\u200c\u200d"  # invisible too, but some scripts need them to spell words

_SURE = 0.9  # below this, absence is not the headline: where few people are alike, the first hit is mostly right

LEAD = "A hit is a lead, not an identification. It says who looks alike, and must be confirmed by other evidence."


@dataclass(frozen=True, slots=True)
class Hit:
    """A photo that resembles the probe.

    Attributes:
        place: of the person among the people found, from 1; photos of one person share it.
        key: the photo's.
        person: who it shows.
        label: the person's name in print.
        score: likeness, -1 to 1.
        chance: that this person is the right one, 0 to 1, by the person's best photo; None if there are too few people.
    """

    place: int
    key: str
    person: str
    label: str
    score: float
    chance: float | None


@dataclass(frozen=True)
class Answer:
    """The answer of a gallery. The chances of the people among the hits, `absent` and `elsewhere` add up to 1.

    In a gallery of fewer than `FEWEST` people, and with an embedder that is not calibrated, all chances are None.

    Attributes:
        hits: photos, the most alike first.
        absent: the chance that the person is not in this gallery, or not among the photos that fit `where`.
        elsewhere: the chance that the person is there, but not among the hits.
        route: what was compared with what.
        size: photos that were compared: all of the gallery's, or those that fit `where`.
        version: of the gallery; it grows with every change.
        probes: the pictures as they were compared.
        notice: one line for the user if the search could be better, otherwise empty.
        calibrated: whether anyone measured how often scores of this embedder are right.
        notes: what was done to the pictures and the gallery, one line each; they are part of the notice.
        where: the facts that narrowed the search, such as `gender=female`.
    """

    hits: list[Hit]
    absent: float | None
    elsewhere: float | None
    route: Route
    size: int
    version: int
    probes: tuple[Probe, ...]
    notice: str = ""
    calibrated: bool = True
    notes: tuple[str, ...] = ()
    where: tuple[str, ...] = ()

    @property
    def among(self) -> str:
        """Where the search looked, in words."""
        return "among the photos searched" if self.where else "in this gallery"

    @property
    def verdict(self) -> str:
        """The answer in one plain sentence."""
        if not self.hits:
            return "No photo fits." if self.where else "There is nobody in this gallery."
        best, there = self.hits[0], self.among
        if not self.calibrated:
            return f"There are no chances: they were not measured for this embedder. {best.label} is nearest."
        if self.absent is None or best.chance is None:
            few = f"Too few people {'searched' if self.where else 'in the gallery'} for chances"
            return f"{few}: at least {FEWEST} are needed. {best.label} is nearest."
        if self.absent >= _SURE:
            return f"Probably not {there} (chance {percent(self.absent)})."
        if best.chance >= 0.5:
            return f"Perhaps {best.label} (chance {percent(best.chance)})."
        return (
            f"No clear lead: {best.label} is nearest (chance {percent(best.chance)}); "
            f"not {there}: chance {percent(self.absent)}."
        )

    def to_json(self, *, pictures: Sequence[str], gallery: str, prior: float) -> dict[str, Any]:
        """Return the answer and the question as JSON values, the warning first; `pictures` are names."""
        asked = [
            {"name": _text(name), "taken_for": "photo" if probe.sketch is None else "sketch", "turned": probe.turn}
            for name, probe in zip(pictures, self.probes, strict=True)
        ]
        return {
            "lead": LEAD,
            "verdict": self.verdict,
            "pictures": asked,
            "gallery": _text(gallery),
            "version": self.version,
            "size": self.size,
            "route": self.route,
            "prior": prior,
            "where": list(self.where),
            "hits": [asdict(hit) for hit in self.hits],
            "elsewhere": self.elsewhere,
            "absent": self.absent,
            "notice": self.notice,
        }


def percent(chance: float) -> str:
    """Return a chance in whole percents, and never as a certainty."""
    return "< 1 %" if chance < 0.01 else "> 99 %" if chance > 0.99 else f"{100 * chance:.0f} %"


def plain(text: str) -> str:
    """Return a text as one line that a terminal can show: control characters and line ends become spaces."""
    return "".join(" " if unicodedata.category(each) in _UNSEEN and each not in _JOINERS else each for each in text)


def _text(name: str) -> str:
    """Return a file's name as text that JSON can hold, even if its bytes are not UTF-8."""
    return os.fsencode(name).decode(errors="backslashreplace")
