"""What a gallery says to a sketch, and how far that is to be trusted."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from facesketch.search.probability import FEWEST
from facesketch.search.storage.rows import Found

if TYPE_CHECKING:
    from facesketch.search.embedding.describer import Probe, Route

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # characters that steer, or are no text, and line ends
_JOINERS = "\u200c\u200d"  # unseen too, but words of some scripts are misspelt without them

LEAD = "A hit is a lead, not an identification. It says who looks alike, and must be confirmed by other evidence."


@dataclass(frozen=True, slots=True)
class Hit:
    """A photo that resembles the probe.

    Attributes:
        place: of its person among the persons found, from 1; photos of one person share it.
        key: the photo's.
        person: who it shows.
        label: what to call the person.
        score: likeness, -1 to 1.
        chance: that this person is the right one, 0 to 1, by the person's best photo; None in a gallery of too few.
    """

    place: int
    key: str
    person: str
    label: str
    score: float
    chance: float | None


@dataclass(frozen=True)
class Answer:
    """What a gallery says to a probe. The chances of the persons among the hits, `absent` and `elsewhere` add up to 1.

    In a gallery of fewer than `FEWEST` people no chance is told, and all of them are None.

    Attributes:
        hits: photos, the most alike first.
        absent: the chance that the person is not in this gallery.
        elsewhere: the chance that the person is in it, and none of the hits.
        route: what was compared with what.
        size: photos in the gallery.
        version: of the gallery; it grows with every change.
        probe: what the sketch was taken for.
        notice: one line for the user when something less than the best was in use, else empty.
    """

    hits: list[Hit]
    absent: float | None
    elsewhere: float | None
    route: Route
    size: int
    version: int
    probe: Probe
    notice: str = ""

    @property
    def verdict(self) -> str:
        """Say the answer in one plain sentence."""
        if not self.size:
            return "There is nobody in this gallery."
        best = self.hits[0]
        if self.absent is None or best.chance is None:
            return (
                f"Too few people in the gallery to tell a chance: there must be {FEWEST} or more. "
                f"{best.label} comes nearest."
            )
        if self.absent >= 0.5:
            return f"Probably not in this gallery (chance {_percent(self.absent)})."
        if best.chance >= 0.5:
            return f"Perhaps {best.label} (chance {_percent(best.chance)})."
        return (
            f"No clear lead: {best.label} comes nearest (chance {_percent(best.chance)}); "
            f"that it is nobody here has a chance of {_percent(self.absent)}."
        )


def plain(text: str) -> str:
    """Return a name as one line that can be shown: what would steer a terminal or end the line becomes a space."""
    return "".join(" " if unicodedata.category(each) in _UNSEEN and each not in _JOINERS else each for each in text)


def best_scores(found: Sequence[Found]) -> dict[str, float]:
    """Return the score of each person's best photo, the best first."""
    best: dict[str, float] = {}
    for each in found:
        best.setdefault(each.person, each.score)
    return best


def hits_of(found: Sequence[Found], chance: Mapping[str, float | None]) -> list[Hit]:
    """Give each photo the place and the chance of its person; `chance` has the persons in their order."""
    place = {person: number for number, person in enumerate(chance, start=1)}
    return [
        Hit(place[each.person], each.key, each.person, each.label, each.score, chance[each.person]) for each in found
    ]


def told(answer: Answer, *, sketch: str, gallery: str, prior: float) -> dict[str, Any]:
    """Return the whole answer as JSON knows it, the warning first, with what was asked of what."""
    return {
        "lead": LEAD,
        "verdict": answer.verdict,
        "sketch": _text(sketch),
        "gallery": _text(gallery),
        "version": answer.version,
        "size": answer.size,
        "route": answer.route,
        "prior": prior,
        "turned": answer.probe.turn,
        "hits": [asdict(hit) for hit in answer.hits],
        "elsewhere": answer.elsewhere,
        "absent": answer.absent,
        "notice": answer.notice,
    }


def _text(name: str) -> str:
    """Return the name of a file as text that can be written, also where the disk knows it by other bytes."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _percent(chance: float) -> str:
    """Return a chance in words, never as a certainty."""
    return "below 1 %" if chance < 0.01 else "above 99 %" if chance > 0.99 else f"{chance:.0%}".replace("%", " %")
