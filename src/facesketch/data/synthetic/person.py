"""Who a drawn face is: words for its looks, and the measures that its parts share, drawn at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facesketch.data.synthetic.canvas import Points

SKIN_COLOURS = {
    **{"pale": "f8dac7", "fair": "efc8ad", "medium": "e2b18f"},
    **{"olive": "cc976f", "brown": "a36f50", "dark": "714a36"},
}
HAIR_COLOURS = {"black": "221e1f", "brown": "543726", "blond": "cca468", "red": "964622", "grey": "a8a8aa"}
IRIS_COLOURS = {"brown": "54341e", "hazel": "7a5c30", "green": "5c7450", "blue": "587ea0", "grey": "748088"}
WORDS: dict[str, dict[str, int]] = {
    "light": {"left": 1, "right": 1},
    "skin": dict.fromkeys(SKIN_COLOURS, 1),
    "hair": {"black": 25, "brown": 27, "blond": 18, "red": 15, "grey": 15},
    "haircut": {
        **{"short": 15, "parted": 13, "buzz": 7, "curly": 9, "bald": 5},
        **{"fringe": 9, "bob": 10, "long": 13, "wavy": 10, "bun": 9},
    },
    "iris": {"brown": 34, "hazel": 18, "green": 16, "blue": 20, "grey": 12},
    "glasses": {"none": 75, "round": 13, "square": 12},
    "beard": {"none": 42, "stubble": 15, "moustache": 10, "goatee": 11, "full": 22},
    "collar": {"crew": 32, "shirt": 32, "vee": 20, "turtle": 16},
}
"""What a face can be, by column of `pairs.csv`, and how often."""
_DARK = {"hair": {"black": 66, "brown": 22, "grey": 12}, "iris": {"brown": 9, "hazel": 1}}
_BEARDED = ("short", "parted", "buzz", "curly", "bald")


def planes(colour: str | Sequence[float]) -> Points:
    """Return a colour, six hex digits or numbers in [0, 1], as (3, 1, 1), to paint fields with."""
    numbers = [byte / 255 for byte in bytes.fromhex(colour)] if isinstance(colour, str) else colour
    return np.array(numbers, dtype=np.float64)[:, None, None]


def describe(rng: np.random.Generator) -> dict[str, str]:
    """Draw what a person looks like: a word for each column of `WORDS`."""
    words: dict[str, str] = {}
    for column, usual in WORDS.items():
        weights = _DARK.get(column, usual) if words.get("skin") in ("olive", "brown", "dark") else usual
        steps = np.cumsum(list(weights.values()))
        words[column] = list(weights)[int(np.searchsorted(steps, rng.random() * steps[-1], side="right"))]
    return words if words["haircut"] in _BEARDED else {**words, "beard": "none"}


class Person:
    """A person's measures, in widths of the square, heights from the line of the eyes.

    Attributes:
        words: what `describe` drew.
        chance: where every other number about this person comes from.
        skin, hair: colours, (3, 1, 1).
        lamp: the unit vector to the light: x right, y down, z towards the viewer.
        half, crown, chin: half the head's width, and the heights of its ends.
        wing, base: half the nose's width, and the height of its lower end.
        corner, lips: half the mouth's width, and its height.
        edge: knots of the head's right side, from the chin to the crown.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.words, self.chance, between = describe(rng), rng, rng.uniform
        self.age = between(0.55, 1.0) if self.words["hair"] == "grey" else 0.6 * between() ** 1.5
        self.smile = between()
        self.skin = planes(SKIN_COLOURS[self.words["skin"]]) * between(0.9, 1.02)
        self.hair = np.minimum(planes(HAIR_COLOURS[self.words["hair"]]) * between(0.78, 1.22), 0.9)
        self.side = 1.0 if self.words["light"] == "right" else -1.0
        lamp = np.array([self.side * between(0.45, 0.74), between(-0.68, -0.40), 0.72])
        self.lamp = lamp / np.sqrt((lamp**2).sum())
        self.half, self.crown, self.chin = between(0.200, 0.235), -0.305, between(0.275, 0.318)
        self.wing, self.base = between(0.033, 0.051), between(0.112, 0.131) * self.chin / 0.295
        self.corner, self.lips = between(0.064, 0.082) + 0.006 * self.smile, self.base + 0.24 * self.chin
        h, jaw, tip = self.half, self.half * between(0.70, 0.88), self.half * between(0.25, 0.45)
        self.edge = [
            *((0.0, self.chin), (tip, 0.965 * self.chin), (0.49 * (jaw + tip), 0.855 * self.chin)),
            *((jaw + 0.02 * h, 0.62 * self.chin), (0.965 * h, 0.085), (h, 0.0), (h, -0.10)),
            *((0.86 * h, self.crown + 0.10), (0.50 * h, self.crown + 0.022), (0.0, self.crown)),
        ]
