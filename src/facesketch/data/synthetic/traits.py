"""Who a drawn face is: skin, hair, features, clothes and light, drawn by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]
"""sRGB from 0 to 255."""

SKINS = ("pale", "fair", "medium", "olive", "brown", "dark")
HAIR_COLOURS: dict[str, Colour] = {
    "black": (34, 30, 31),
    "brown": (84, 55, 38),
    "blond": (204, 164, 104),
    "red": (150, 70, 34),
    "grey": (168, 168, 170),
}
IRIS_COLOURS: dict[str, Colour] = {
    "brown": (84, 52, 30),
    "hazel": (122, 92, 48),
    "green": (92, 116, 80),
    "blue": (88, 126, 160),
    "grey": (116, 128, 136),
}
STYLES = ("short", "parted", "buzz", "fringe", "bob", "long", "wavy", "bun", "curly", "bald")
GLASSES = ("none", "round", "square")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
COLLARS = ("crew", "shirt", "vee", "turtle")
_BACKDROPS = ("96b2ce", "b0bac2", "c4b8a8", "9eb6aa", "b8acbe", "8096b0", "cec4b0")
_CLOTHES = ("2c3a58", "702c34", "e2e0da", "3e584c", "3c3c42", "ba9454", "7a94b2", "966c80")


@dataclass(frozen=True)
class Traits:
    """Everything about a person that the pictures show; most numbers are amounts in [0, 1]."""

    tone: float
    undertone: float
    ruddy: float
    age: float
    hair: str
    style: str
    hair_shade: float
    volume: float
    parting: float
    hairline: float
    iris: str
    glasses: str
    beard: str
    collar: str
    cloth: Colour
    backdrop: Colour
    light: float
    light_height: float
    smile: float
    turn: float
    head_width: float
    jaw: float
    chin: float
    length: float
    eye_open: float
    eye_width: float
    eye_tilt: float
    crease: float
    brow_weight: float
    brow_arch: float
    brow_height: float
    nose_width: float
    nose_length: float
    lip_full: float
    mouth_width: float
    ear: float

    @property
    def skin(self) -> str:
        """Return the name of the skin tone, one of `SKINS`."""
        return SKINS[min(int(self.tone * len(SKINS)), len(SKINS) - 1)]


def draw_traits(rng: np.random.Generator) -> Traits:
    """Draw a person, always with the same number of draws from `rng`."""
    chance = rng.random(64)
    amount = iter(chance[16:]).__next__

    def amounts(names: str) -> dict[str, float]:
        return {name: amount() for name in names.split()}

    tone = float(chance[10])
    hair = _pick(
        chance[0], tuple(HAIR_COLOURS), (0.25, 0.27, 0.18, 0.15, 0.15) if tone < 0.55 else (0.66, 0.22, 0.0, 0.0, 0.12)
    )
    style = _pick(chance[15], STYLES, (0.15, 0.13, 0.07, 0.09, 0.10, 0.13, 0.10, 0.09, 0.09, 0.05))
    bearded = style in {"short", "parted", "buzz", "curly", "bald"}
    return Traits(
        tone=tone,
        undertone=2 * amount() - 1,
        ruddy=amount(),
        age=0.55 + 0.45 * amount() if hair == "grey" else 0.6 * amount() ** 1.5,
        hair=hair,
        style=style,
        hair_shade=2 * amount() - 1,
        volume=amount(),
        parting=0.27 + 0.46 * amount(),
        hairline=amount(),
        iris=_pick(
            chance[3], tuple(IRIS_COLOURS), (0.34, 0.18, 0.16, 0.2, 0.12) if tone < 0.5 else (0.9, 0.1, 0, 0, 0)
        ),
        glasses=_pick(chance[4], GLASSES, (0.75, 0.13, 0.12)),
        beard=_pick(chance[5], BEARDS, (0.42, 0.15, 0.10, 0.11, 0.22)) if bearded else "none",
        collar=_pick(chance[6], COLLARS, (0.32, 0.32, 0.2, 0.16)),
        cloth=_colour(_CLOTHES[int(chance[7] * len(_CLOTHES))]),
        backdrop=_colour(_BACKDROPS[int(chance[8] * len(_BACKDROPS))]),
        light=(-1.0 if chance[9] < 0.5 else 1.0) * (0.6 + 0.4 * amount()),
        light_height=amount(),
        smile=amount(),
        turn=2 * amount() - 1,
        **amounts("head_width jaw chin length eye_open eye_width"),
        eye_tilt=2 * amount() - 1,
        **amounts("crease brow_weight brow_arch brow_height nose_width nose_length lip_full mouth_width ear"),
    )


def _colour(digits: str) -> Colour:
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def _pick(chance: float, names: Sequence[str], weights: Sequence[float]) -> str:
    total = 0.0
    for name, weight in zip(names, weights, strict=True):
        total += weight
        if chance < total:
            return name
    return names[0]
