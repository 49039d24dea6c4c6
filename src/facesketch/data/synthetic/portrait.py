"""The photo and the sketch of a drawn face, painted part by part, so that both show the same thing at every pixel.

The photo is lit from one side. The sketch is graphite on paper, laid down where the photo is dark, so that a model can
learn either from the other; chance adds only what a hand adds: tremor, pressure, and the tooth of the paper.
"""

from __future__ import annotations

from types import EllipsisType

import numpy as np

from facesketch.data.synthetic.canvas import Canvas, Field, Points, both, curve, flipped
from facesketch.data.synthetic.hair import Patch, grow_beard, grow_brows, grow_hair
from facesketch.data.synthetic.person import IRIS_COLOURS, Person, planes

_EYE = 0.107  # how far each eye is from the middle
_BACKDROPS = ("96b2ce", "b0bac2", "c4b8a8", "9eb6aa", "b8acbe", "8096b0", "cec4b0")
_CLOTHES = ("2c3a58", "702c34", "e2e0da", "3e584c", "3c3c42", "ba9454", "7a94b2", "966c80")
_NECKLINES = {
    "crew": ((0.0, 0.463), (0.4, 0.455), (0.86, 0.425), (1.12, 0.375)),
    "vee": ((0.0, 0.530), (0.3, 0.495), (0.74, 0.435), (1.12, 0.375)),
    "shirt": ((0.0, 0.485), (0.2, 0.470), (0.66, 0.425), (1.12, 0.375)),
    "turtle": ((0.0, 0.382), (0.4, 0.378), (0.80, 0.366), (1.12, 0.345)),
}
"""The right half of each collar's upper edge: x in half widths of the neck, and the height."""


def _luma(colour: Field) -> Field:
    return np.asarray(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2])


def _box(mask: Field) -> tuple[EllipsisType, slice, slice]:
    """Return the part of a field outside which the mask is 0."""
    down, across = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return ..., slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1)


class Portrait:
    """One person's two pictures, while they are painted.

    Attributes:
        rgb: (3, side, side), the photo before the camera's noise, in [0, 1].
        ink: (side, side), the graphite of the sketch, from 0 (paper) to 1.
    """

    def __init__(self, person: Person, canvas: Canvas) -> None:
        self.person, self.canvas, self.rng = person, canvas, person.chance
        self.hatches = [self._hatching(0.75, 0.0095), self._hatching(0.34, 0.0115)]
        glow = 1.0 - 0.10 * person.side * canvas.x - 0.16 * canvas.y - 0.28 * (canvas.x**2 + canvas.y**2)
        self.rgb: Field = glow * self._colour(_BACKDROPS)
        self.ink: Field = np.zeros((canvas.side, canvas.side))
        behind, front = grow_hair(person)
        self._hair(behind)
        head = canvas.mask(curve(*person.edge, *(flipped(np.array(person.edge[-2:0:-1]))), closed=True))
        self._ears()
        self._body(head)
        self._skin(head, front)
        self._eyes()
        self._nose_and_mouth()
        self._hair(grow_beard(person), soft=0.005)
        self._hair(grow_brows(person), shade=0.6)
        self._hair(front)
        self._glasses()

    def on_paper(self) -> Field:
        """Return the sketch, (side, side) in [0, 1]: grain shows most in middle tones."""
        grain = self.rng.standard_normal(self.ink.shape)
        rough = self.canvas.blur(0.5 + 0.16 * grain, 0.0030) - 0.5
        speck = grain * min(1.0, self.canvas.side / 256)
        tooth = 1.0 + (0.17 * speck + 1.2 * rough) * (1.0 - self.ink)
        level = 0.958 + 0.006 * speck + 0.05 * rough
        return np.asarray(np.clip(level * (1.0 - 0.93 * np.clip(self.ink * tooth, 0.0, 1.0)), 0.0, 1.0))

    def _paint(self, mask: Field, colour: Field, ink: Field | float | None = None) -> None:
        """Cover what the mask shows with a colour, and with graphite as dark as it is."""
        if ink is None:
            ink = np.clip((0.84 - _luma(colour)) * 1.6, 0.0, 0.97)
        at, rgb = _box(mask), np.broadcast_to(colour, self.rgb.shape)
        self.rgb[at] += mask[at] * (rgb[at] - self.rgb[at])
        self.ink[at] += mask[at] * (np.broadcast_to(ink, mask.shape)[at] - self.ink[at])

    def _darken(self, where: Field, photo: float, sketch: float = 0.0) -> None:
        """Deepen a shadow; skin's shadows turn red, not grey."""
        at = _box(where)
        self.rgb[at] *= 1.0 - photo * where[at] * planes((0.62, 0.76, 0.80))
        self.ink[at] += sketch * where[at] * (1.0 - self.ink[at])

    def _lines(self, curves: list[Points], width: float, photo: float, sketch: float) -> None:
        """Draw lines as a hand does: trembling, swelling in the middle, lifted at the ends."""
        ribbons = []
        for line, (one, two, three) in zip(curves, self.rng.random((len(curves), 3)), strict=True):
            step = np.gradient(line, axis=0)
            length = np.sqrt((step**2).sum(axis=1)) + 1e-9
            across = np.stack([-step[:, 1], step[:, 0]], axis=1) / length[:, None]
            run = np.cumsum(length)
            tremor = 0.0013 * np.sin(run * 46 + 6.28 * one) * min(1.0, float(run[-1]) / 0.1)
            press = 0.90 + 0.20 * np.sin(run * 31 + 6.28 * two) + 0.12 * np.sin(run * 77 + 6.28 * three)
            taper = np.minimum(1.0, 0.30 + 5.0 * np.minimum(run, run[-1] - run) / run[-1])
            middle, half = line + across * tremor[:, None], across * (0.5 * width * press * taper)[:, None]
            ribbons.append(np.concatenate([middle + half, (middle - half)[::-1]]))
        stroke = self.canvas.mask(*ribbons)
        self._darken(stroke, 0.0, sketch)
        if photo:
            self._darken(self.canvas.blur(stroke, 0.4 * width), photo)

    def _hatching(self, slant: float, gap: float) -> Field:
        """Return a page of parallel pencil strokes, as ink in [0, 1]."""
        count = round(1.9 / gap)
        shift, bend, dark, thick, start, end = self.rng.random((6, count, 1))
        down = np.linspace(0.0, 1.0, 5)
        x = -0.95 + (np.arange(count)[:, None] + 0.55 * shift) * gap + slant * (0.5 - down)
        x = x + 0.012 * (bend - 0.5) * np.sin(5 * down + 6 * shift)
        strokes = np.stack([x, down - 0.5 + 0.04 * (start - end)], axis=-1)
        return self.canvas.lines(strokes, 0.0018 + 0.0020 * thick[:, 0], 0.6 + 0.4 * dark[:, 0])

    def _colour(self, digits: tuple[str, ...]) -> Field:
        """Return one of these colours."""
        return planes(digits[int(self.rng.random() * len(digits))])

    def _paint_skin(self, mask: Field, light: Field, colour: Field) -> None:
        """Paint skin, its own tone smudged in the sketch, with hatches on the side away from the light."""
        dark, depth = np.clip(0.86 - _luma(colour), 0.0, 1.0), np.clip(1.15 - 1.47 * light, 0.0, 1.0)
        smudge = 0.35 * dark + 0.19 * dark**2 + 0.16 * depth
        hatch = self.hatches[0] * np.clip(0.36 * depth + 0.16 * dark, 0.0, 0.42)
        hatch = hatch + self.hatches[1] * np.clip(depth - 0.45, 0.0, 0.5) * 0.55
        self._paint(mask, colour, 1.0 - (1.0 - smudge) * (1.0 - hatch))

    def _ears(self) -> None:
        person, reach = self.person, self.rng.uniform(0.026, 0.040)
        x, light = 0.985 * person.half, 0.58 + 0.24 * np.sign(self.canvas.x) * person.side
        shape = [(-0.012, -0.028), (0.35 * reach, -0.043), (reach, -0.028), (reach, 0.012), (0.62 * reach, 0.057)]
        ears = both(curve(*((x + at, y) for at, y in [*shape, (0.2 * reach, 0.086), (-0.012, 0.074)]), closed=True))
        folds = [(0.1, -0.018), (0.55, -0.024), (0.68, 0.0), (0.35, 0.030), (0.25, 0.054)]
        self._paint_skin(self.canvas.mask(*ears), light, person.skin * np.sqrt(light * planes((1.1, 0.94, 0.9))))
        self._lines([np.concatenate([ear, ear[:1]]) for ear in ears], 0.0034, 0.1, 0.60)
        self._lines(both(curve(*((x + at * reach, y) for at, y in folds))), 0.0040, 0.5, 0.45)

    def _body(self, head: Field) -> None:
        """Paint neck, clothes and collar."""
        person, canvas, (lx, _, lz) = self.person, self.canvas, self.person.lamp
        wide = self.rng.uniform(0.118, 0.138)
        nx = np.clip(canvas.x / 0.17, -0.97, 0.97)
        shadow = canvas.blur(canvas.shift(head, -0.022 * person.side, 0.050), 0.016)
        light = (0.22 + 0.5 * np.maximum(nx * lx + np.sqrt(1 - nx**2) * lz + 0.4, 0.0)) * (1.0 - 0.62 * shadow)
        sides = curve((1.02 * wide, 0.13), (wide, 0.25), (1.03 * wide, 0.33), (1.22 * wide, 0.40), (1.9 * wide, 0.47))
        neck = canvas.mask(np.concatenate([sides, flipped(sides[::-1])]))
        self._paint_skin(neck, light, person.skin * np.sqrt(light * planes((1.0, 0.95, 0.92))))
        self._lines(both(sides[6:25]), 0.0034, 0.0, 0.55)
        edge = curve(*((x * wide, y) for x, y in _NECKLINES[person.words["collar"]]))
        shoulder = curve((edge[-1][0], edge[-1][1]), (0.22, 0.418), (0.34, 0.452), (0.44, 0.50), (0.56, 0.60))
        right = np.concatenate([edge, shoulder, [(0.56, 0.7)]])
        cloth = canvas.mask(np.concatenate([right, flipped(right[::-1])]))
        colour = self._colour(_CLOTHES)
        lit = np.sqrt(0.68 + 0.6 * canvas.x * lx + 0.2 * canvas.blur(cloth, 0.03)) * colour
        self._paint(cloth, lit, np.clip(1.0 - _luma(lit), 0.0, 0.8) * (0.16 + 0.42 * self.hatches[0]))
        if person.words["collar"] == "shirt":
            flap = [(0.10, 0.472), (0.60, 0.424), (0.99, 0.340), (1.13, 0.346), (1.30, 0.41), (1.04, 0.505)]
            bands = both(np.array([(x * wide, y) for x, y in flap]))
        else:
            low = edge + np.array([0.0, 0.055 if person.words["collar"] == "turtle" else 0.020])
            bands = [np.concatenate([flipped(edge[::-1]), edge, low[::-1], flipped(low)])]
        self._paint(canvas.mask(*bands), np.minimum(lit * 1.07 + 0.03, 1.0), 0.0)
        self._lines([np.concatenate([band, band[:1]]) for band in bands], 0.0030, 0.3, 0.46)
        self._lines(both(shoulder, curve((0.30, 0.53), (0.335, 0.49), (0.345, 0.455))), 0.0034, 0.15, 0.40)

    def _skin(self, head: Field, hair: list[Patch]) -> None:
        """Light the head's height field: an ellipsoid with Gaussian bumps."""
        person, canvas, age = self.person, self.canvas, self.person.age
        wing, base, corner, lips, chin = person.wing, person.base, person.corner, person.lips, person.chin
        height = canvas.spots(
            *((0.0, 0.012, 0.0145, 0.045, 0.0085), (0.0, base - 0.048, 0.017, 0.034, 0.012)),
            *((0.0, base - 0.016, 0.55 * wing, 0.0165, 0.0155), (0.0, lips - 0.015, 0.07, 0.045, 0.010)),
            *((0.0, lips + 0.012, 0.45 * corner, 0.010, 0.0050), (0.0, lips + 0.038, 0.040, 0.011, -0.0055)),
            *((0.0, chin - 0.042, 0.038, 0.027, 0.0105), (0.0, -0.150, 0.115, 0.055, 0.0085)),
            *((0.80 * wing, base - 0.012, 0.0105, 0.011, 0.0060), (0.088, -0.052, 0.050, 0.016, 0.0055)),
            *((_EYE, -0.022, 0.042, 0.016, -0.0070), (0.052, -0.002, 0.016, 0.020, -0.0070)),
            *((_EYE, 0.0, 0.032, 0.018, 0.0070), (_EYE, 0.031, 0.036, 0.010, -0.0030 - 0.0025 * age)),
            *((0.132, 0.088, 0.048, 0.042, 0.0100 + 0.004 * person.smile), (0.150, 0.190, 0.036, 0.050, -0.004)),
            (corner + 0.012, lips, 0.012, 0.020, -0.0035 * (0.4 + person.smile)),
        )
        facing, gloss = self._facing(1.13 * person.half, 0.36, height)
        hollow = canvas.spots(
            *((0.0, base + 0.012, 0.030, 0.010, 0.30), (0.0, lips + 0.036, 0.034, 0.009, 0.14)),
            *((0.058, -0.012, 0.018, 0.022, 0.24), (_EYE, -0.022, 0.042, 0.013, 0.13)),
        )
        flush = canvas.spots((0.0, base - 0.02, 0.036, 0.026, 0.6), (0.135, 0.098, 0.050, 0.036, 1.0))
        cast = self.canvas.mask(*(np.concatenate([each.inner, each.outer[::-1]]) for each in hair))
        cast = canvas.blur(canvas.shift(cast, -0.010 * person.side, 0.014), 0.010)
        wrap = planes((0.42, 0.30, 0.25))  # red reaches further into the shadow
        light = 0.16 + 0.90 * np.maximum((facing + wrap) / (1.0 + wrap), 0.0)
        light = light * (1.0 - hollow) * (1.0 - 0.34 * cast)
        blush = np.clip(flush, 0.0, 1.0) * self.rng.uniform(0.45, 1.0) * planes((0.015, 0.18, 0.15))
        colour = np.sqrt(light * person.skin**2 * (1.0 - blush) + 0.08 * gloss)
        self._paint_skin(head, light[1], colour)
        right = curve(*person.edge)
        self._lines([np.concatenate([flipped(right[:0:-1]), right])], 0.0038, 0.0, 0.75)

    def _facing(self, across: float, down: float, height: Field) -> tuple[Field, Field]:
        """Return how far an ellipsoid, with a height field on it, faces the lamp, from -1 to 1, and its gloss."""
        canvas, lamp = self.canvas, self.person.lamp
        nx, ny = canvas.x / across + 0 * canvas.y, canvas.y / down + 0 * canvas.x
        far = np.minimum(1.0, 0.97 / np.sqrt(nx**2 + ny**2 + 1e-9))
        nx, ny = nx * far, 0.9 * ny * far
        nz = np.sqrt(np.maximum(1.0 - nx**2 - ny**2, 0.03))
        rise, slope = np.gradient(height, float(canvas.x[0, 1] - canvas.x[0, 0]))
        nx, ny = nx / nz - slope, ny / nz - rise
        nz = 1.0 / np.sqrt(nx**2 + ny**2 + 1.0)
        nx, ny = nx * nz, ny * nz
        half = lamp + np.array([0.0, 0.0, 1.0])
        half = half / np.sqrt((half**2).sum())
        facing, mirror = (nx * to[0] + ny * to[1] + nz * to[2] for to in (lamp, half))
        return facing, np.maximum(mirror, 0.0) ** 26

    def _eyes(self) -> None:
        person, canvas, between = self.person, self.canvas, self.rng.uniform
        wide, high, low = between(0.043, 0.051), between(0.0175, 0.0235), 0.0115 - 0.002 * person.smile
        tilt, crease = between(-0.0025, 0.0055), between()
        upper = curve(
            *((-wide, 0.0045), (-0.62 * wide, -0.68 * high), (-0.05 * wide, -high)),
            *((0.55 * wide, -0.80 * high - 0.4 * tilt), (1.03 * wide, -tilt)),
        )
        lower = curve(
            *((1.03 * wide, -tilt), (0.50 * wide, 0.86 * low), (-0.05 * wide, low)),
            *((-0.60 * wide, 0.70 * low), (-wide, 0.0045)),
        )
        upper, lower = (line + np.array([_EYE, 0.0]) for line in (upper, lower))
        opening = canvas.mask(*both(np.concatenate([upper, lower[1:-1]])))
        fold = upper[5:] - np.array([0.0, between(0.0085, 0.015)])
        self._lines(both(fold), 0.0030, 0.2 + 0.4 * crease, 0.25 + 0.32 * crease)
        x, y = canvas.x - _EYE * np.sign(canvas.x), canvas.y + 0.0035
        away, edge = np.sqrt(x**2 + y**2) / 0.0205, canvas.side / 44
        self._paint(opening, planes((0.86, 0.84, 0.83)))
        iris = planes(IRIS_COLOURS[person.words["iris"]])
        glow = (1.0 + 15 * np.clip(y, -0.02, 0.02)) * (1.0 - 0.68 * np.clip((away - 0.62) / 0.38, 0.0, 1.0) ** 2)
        self._paint(opening * np.clip((1.0 - away) * edge + 0.5, 0.0, 1.0), iris * glow)
        self._paint(opening * np.clip((0.48 - away) * edge + 0.5, 0.0, 1.0), planes((0.035, 0.03, 0.03)))
        lid = canvas.blur(canvas.lines(np.array(both(upper + np.array([0.0, 0.004]))), 0.010, 1.0), 0.004)
        self._darken(lid * opening, 0.6, 0.6)
        self._lines(both(upper), 0.0072, 1.0, 0.96)
        self._lines(both(lower), 0.0026, 0.5, 0.52)
        glint = np.exp(-0.5 * ((x - 0.006 * person.side) ** 2 + (y + 0.006) ** 2) / 0.0034**2)
        self._paint(np.clip(1.5 * glint, 0.0, 1.0) * opening, planes((1.0, 1.0, 1.0)))

    def _nose_and_mouth(self) -> None:
        person, canvas, between = self.person, self.canvas, self.rng.uniform
        wing, base, corner, y = person.wing, person.base, person.corner, person.lips
        hole = [(0.24, 0.002), (0.42, -0.0055), (0.66, -0.003), (0.62, 0.003), (0.40, 0.0045)]
        holes = canvas.blur(canvas.mask(*both(curve(*((x * wing, base + at) for x, at in hole), closed=True))), 0.002)
        self._darken(holes, 0.85, 0.72)
        side = [(0.80, -0.031), (1.0, -0.018), (0.99, -0.004), (0.76, 0.004)]
        self._lines(both(curve(*((x * wing, base + at) for x, at in side))), 0.0036, 0.6, 0.62)
        tip = curve((0.13 * wing, base + 0.0085), (0.30 * wing, base + 0.004), mirror=True)
        self._lines([tip], 0.0034, 0.5, 0.42)
        fold = curve((wing + 0.012, base - 0.010), (wing + 0.030, base + 0.018), (corner + 0.022, y + 0.004))
        self._lines(both(fold), 0.0034, 0.05 + 0.4 * person.age, 0.10 + 0.42 * person.age)
        full, lift = between(0.0, 1.0), 0.004 + 0.013 * person.smile
        up, down, end = 0.0145 + 0.008 * full, 0.019 + 0.010 * full, (corner, y - lift)
        line = curve((0.0, y + 0.003), (0.52 * corner, y + 0.0028 - 0.2 * lift), end, mirror=True)
        top = [(0.0, y - 0.7 * up), (0.19 * corner, y - up), (0.52 * corner, y - 0.66 * up - 0.3 * lift)]
        upper = curve(*top, end, mirror=True)
        low = [(0.0, y + down), (0.35 * corner, y + 0.92 * down), (0.7 * corner, y + 0.5 * down)]
        lower = curve(*low, end, mirror=True)
        lips = [canvas.blur(canvas.mask(np.concatenate([edge, line[::-1]])), 0.002) for edge in (upper, lower)]
        self.rgb *= 1.0 - between(0.55, 1.0) * np.maximum(*lips) * planes((0.10, 0.34, 0.27))
        self._darken(lips[0], 0.24, 0.24)
        self._darken(lips[1], 0.0, 0.16)
        self._lines([upper], 0.0022, 0.0, 0.36)
        self._lines([lower[len(lower) // 4 : -len(lower) // 4]], 0.0028, 0.0, 0.42)
        self._lines([line], 0.0050, 0.92, 0.86)

    def _hair(self, patches: list[Patch], *, soft: float = 0.0, shade: float = 1.0) -> None:
        """Paint patches of hair strand by strand; the pencil follows the same strands."""
        facing, gloss = self._facing(1.35 * self.person.half, 0.44, 0.0 * self.ink)
        for patch in patches:
            press, thick = self.rng.random((2, len(patch.strands)))
            pulled = self.canvas.lines(patch.strands, 0.0018 + 0.0018 * thick, 0.24 + 0.76 * press**1.3)
            mask = self.canvas.mask(np.concatenate([patch.inner, patch.outer[::-1]]))
            mask = self.canvas.blur(np.maximum(mask, np.minimum(1.6 * pulled, 1.0)), 0.0016 + soft) * patch.cover
            lit = 0.30 + 0.36 * facing
            tone = lit * (0.45 + 0.95 * pulled) + 0.35 * gloss * pulled
            colour = shade * self.person.hair * (0.35 + 1.2 * patch.light * tone)
            colour = np.clip(colour + 0.5 * np.clip(tone - 0.5, 0.0, 1.0), 0.0, 1.0)
            dark = np.clip(
                1.06 - 1.19 * _luma(shade * self.person.hair * (0.30 + 0.85 * patch.light * lit)), 0.05, 0.96
            )
            self._paint(mask, colour, dark * np.clip(0.24 + 0.52 * dark**2 + 0.70 * pulled, 0.0, 1.0))

    def _glasses(self) -> None:
        if self.person.words["glasses"] == "none":
            return
        wide, high, bend = (0.070, 0.058, 1.0) if self.person.words["glasses"] == "round" else (0.078, 0.048, 0.5)
        turn = np.linspace(0.0, 2 * np.pi, 50)
        x, y = (np.sign(wave) * np.abs(wave) ** bend for wave in (np.cos(turn), np.sin(turn)))
        lenses = both(np.stack([wide * x + _EYE + 0.003, high * y + 0.007], axis=1))
        bridge = curve((0.0, -0.017), (_EYE - wide, -0.004), mirror=True)
        temples = both(curve((_EYE + 0.96 * wide, -0.008), (self.person.half, -0.014)))
        self._paint(0.07 * self.canvas.mask(*lenses), planes((1.0, 1.0, 1.0)), 0.0)
        self._lines([*lenses, bridge, *temples], 0.0062 if bend < 1 else 0.0050, 1.15, 0.86)
