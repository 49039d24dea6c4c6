"""Where the features of a drawn face lie: curves in the unit square.

Coordinates are (x, y) in [0, 1] with y down, so that the same face can be drawn at any size. Proportions follow the
drawing-school head: eyes half-way down, one eye's width between the eyes, thirds from hairline to brow, nose and chin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesketch.data.synthetic.traits import Traits

Points = NDArray[np.float64]

EYE_LINE = 0.485
EYE_OFFSET = 0.107


@dataclass(frozen=True)
class Eye:
    """One eye: the opening, its two lids, the crease above, and the iris (centre, radius)."""

    opening: Points
    upper: Points
    lower: Points
    crease: Points
    iris: Points
    radius: float


@dataclass(frozen=True)
class Face:
    """The curves of one face in unit coordinates; outlines are closed polygons, lines are open.

    Attributes:
        half: half of the head's width at the cheekbones.
        crown: height of the skull's top, negative, measured from `centre`.
        chin: height of the chin's tip, measured from `centre`.
        nose: width of half the nose, and the height of its base measured from `centre`.
        mouth: half width of the mouth, and its height measured from `centre`.
        brows: per brow its middle line and, at each point, half its thickness.
    """

    traits: Traits
    centre: Points
    half: float
    crown: float
    chin: float
    nose: tuple[float, float]
    mouth: tuple[float, float]
    head: Points
    jaw: Points
    ears: tuple[Points, ...]
    ear_folds: tuple[Points, ...]
    neck: Points
    torso: Points
    collar: tuple[Points, ...]
    folds: tuple[Points, ...]
    eyes: tuple[Eye, Eye]
    brows: tuple[tuple[Points, Points], ...]
    nostrils: tuple[Points, ...]
    nose_lines: tuple[Points, ...]
    upper_lip: Points
    lower_lip: Points
    mouth_line: Points
    smile_lines: tuple[Points, ...]
    lenses: tuple[Points, ...]
    rims: tuple[Points, ...]


def knots(x: Sequence[float], y: Sequence[float]) -> Points:
    """Return (N, 2) points."""
    return np.stack([np.array(x, dtype=np.float64), np.array(y, dtype=np.float64)], axis=1)


def curve(x: Sequence[float], y: Sequence[float], *, closed: bool = False, steps: int = 8) -> Points:
    """Return the Catmull-Rom curve through the knots (x, y), as (N, 2) points."""
    return spline(knots(x, y), closed=closed, steps=steps)


def mirrored(right: Points, *, steps: int) -> Points:
    """Return the curve, from left to right, through knots that are given from the middle to the right."""
    return spline(np.concatenate([_flip(right[:0:-1], -1.0), right]), steps=steps)


def spline(p: Points, *, closed: bool = False, steps: int = 8) -> Points:
    """Return the Catmull-Rom curve through (K, 2) knots, as (N, 2) points."""
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    p = np.concatenate([ends[0], p, ends[1]])
    a, b, c, d = (part[:, None] for part in (p[:-3], p[1:-2], p[2:-1], p[3:]))
    t = (np.arange(steps) / steps)[None, :, None]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, p[-2:-1]])


def _flip(points: Points, side: float) -> Points:
    return np.asarray(points * np.array([side, 1.0]))


def _both(points: Points) -> tuple[Points, Points]:
    return _flip(points, -1.0), points


def _span(amount: float, low: float, high: float) -> float:
    return low + (high - low) * amount


def build_face(traits: Traits) -> Face:
    """Lay out the curves of a person's head and shoulders."""
    half = _span(traits.head_width, 0.207, 0.232)
    crown, chin = -0.305, _span(traits.length, 0.282, 0.316)
    centre = np.array([0.5, EYE_LINE])
    drift = np.array([0.006 * traits.turn, 0.0])
    nose = (_span(traits.nose_width, 0.034, 0.050), _span(traits.nose_length, 0.114, 0.130) * chin / 0.295)
    mouth = (_span(traits.mouth_width, 0.066, 0.080) + 0.006 * traits.smile, nose[1] + 0.24 * chin)
    head = _head(traits, half, crown, chin)
    neck, torso, collar, folds = _shoulders(traits)
    upper_lip, lower_lip, mouth_line = _mouth(traits, mouth)
    ears, ear_folds = _ears(traits, half)
    lenses, rims = _glasses(traits, half)
    at = centre + drift
    return Face(
        traits=traits,
        centre=centre,
        half=half,
        crown=crown,
        chin=chin,
        nose=nose,
        mouth=mouth,
        head=head + centre,
        jaw=head[head[:, 1] > 0.03] + centre,
        ears=_moved(ears, centre),
        ear_folds=_moved(ear_folds, centre),
        neck=neck + centre,
        torso=torso + centre,
        collar=_moved(collar, centre),
        folds=_moved(folds, centre),
        eyes=(_eye(traits, -1.0, centre), _eye(traits, 1.0, centre)),
        brows=tuple(_brow(traits, side, centre) for side in (-1.0, 1.0)),
        nostrils=_moved(_nostrils(nose), at),
        nose_lines=_moved(_nose_lines(nose), at),
        upper_lip=upper_lip + at,
        lower_lip=lower_lip + at,
        mouth_line=mouth_line + at,
        smile_lines=_moved(_smile_lines(nose, mouth), at),
        lenses=_moved(lenses, centre),
        rims=_moved(rims, centre),
    )


def _moved(curves: Sequence[Points], by: Points) -> tuple[Points, ...]:
    return tuple(each + by for each in curves)


def _head(traits: Traits, half: float, crown: float, chin: float) -> Points:
    jaw = half * _span(traits.jaw, 0.71, 0.85)
    tip = half * _span(traits.chin, 0.27, 0.42)
    right = knots(
        (
            0.50 * half,
            0.86 * half,
            1.00 * half,
            1.00 * half,
            0.965 * half,
            jaw + 0.02 * half,
            0.5 * (jaw + tip) * 0.98,
            tip,
        ),
        (crown + 0.022, crown + 0.10, -0.10, 0.0, 0.085, 0.62 * chin, 0.855 * chin, 0.965 * chin),
    )
    ends = np.array([(0.0, crown), (0.0, chin)])
    return spline(np.concatenate([ends[:1], right, ends[1:], _flip(right[::-1], -1.0)]), closed=True)


def _ears(traits: Traits, half: float) -> tuple[tuple[Points, ...], tuple[Points, ...]]:
    reach = _span(traits.ear, 0.026, 0.040)
    root = np.array([half * 0.985, 0.012])
    shape = curve(
        (-0.012, 0.35 * reach, reach, reach, 0.62 * reach, 0.2 * reach, -0.012),
        (-0.04, -0.055, -0.040, 0.0, 0.045, 0.074, 0.062),
        closed=True,
        steps=6,
    )
    x = (0.1 * reach, 0.55 * reach, 0.68 * reach, 0.35 * reach, 0.25 * reach)
    fold = curve(x, (-0.030, -0.036, -0.012, 0.018, 0.042), steps=6)
    return _both(shape + root), _both(fold + root)


def _shoulders(traits: Traits) -> tuple[Points, Points, tuple[Points, ...], tuple[Points, ...]]:
    wide = _span(traits.jaw, 0.118, 0.138)
    side_x = (wide * 1.02, wide, wide * 1.03, wide * 1.22, wide * 1.9, wide * 1.9)
    side = curve(side_x, (0.13, 0.25, 0.33, 0.40, 0.47, 0.62))
    neck = np.concatenate([_flip(side[::-1], -1.0), side])
    shoulder = curve((wide * 1.12, 0.22, 0.34, 0.44, 0.56), (0.375, 0.418, 0.452, 0.50, 0.60))
    x, y = {
        "crew": ((wide * 1.12, wide * 0.86, wide * 0.4, 0.0), (0.375, 0.425, 0.455, 0.463)),
        "vee": ((wide * 1.12, wide * 0.74, wide * 0.30, 0.0), (0.375, 0.435, 0.495, 0.53)),
        "shirt": ((wide * 1.12, wide * 0.66, wide * 0.2, 0.0), (0.375, 0.425, 0.47, 0.485)),
        "turtle": ((wide * 1.12, wide * 0.8, wide * 0.4, 0.0), (0.345, 0.366, 0.378, 0.382)),
    }[traits.collar]
    opening = curve(x, y)
    right = np.concatenate([opening[::-1], shoulder, [(0.56, 0.7)]])
    torso = np.concatenate([_flip(right[::-1], -1.0), right])
    return neck, torso, _collar(traits, wide, opening), _both(curve((0.30, 0.335, 0.345), (0.53, 0.49, 0.455)))


def _collar(traits: Traits, wide: float, opening: Points) -> tuple[Points, ...]:
    if traits.collar == "shirt":
        x = (wide * 0.99, wide * 1.13, wide * 1.30, wide * 1.04, wide * 0.10, wide * 0.60)
        return _both(knots(x, (0.340, 0.346, 0.41, 0.505, 0.472, 0.424)))
    if traits.collar == "turtle":
        top = np.concatenate([_flip(opening, -1.0), opening[::-1]])
        low = top[::-1] * np.array([1.18, 1.0]) + np.array([0.0, 0.055])
        return (np.concatenate([top, low]),)
    band = opening + np.array([0.0, 0.020])
    band[0] += np.array([0.022, -0.012])
    line = np.concatenate([_flip(opening, -1.0), opening[::-1]])
    low = np.concatenate([_flip(band, -1.0), band[::-1]])
    return (np.concatenate([line, low[::-1]]),)


def _eye(traits: Traits, side: float, centre: Points) -> Eye:
    wide = _span(traits.eye_width, 0.044, 0.050)
    high = _span(traits.eye_open, 0.0175, 0.0235) * (1 - 0.1 * traits.smile)
    low = 0.0115 - 0.002 * traits.smile
    tilt = 0.004 * traits.eye_tilt + 0.0015
    upper = curve(
        (-wide, -0.62 * wide, -0.05 * wide, 0.55 * wide, wide * 1.03),
        (0.0045, -0.68 * high, -high, -0.80 * high - 0.4 * tilt, -tilt),
        steps=6,
    )
    x = (wide * 1.03, 0.50 * wide, -0.05 * wide, -0.60 * wide, -wide)
    lower = curve(x, (-tilt, 0.86 * low, low, 0.70 * low, 0.0045), steps=6)
    lift = np.array([0.0, -_span(traits.crease, 0.0085, 0.015)])
    crease = upper[4:] * np.array([1.02, 1.02]) + lift
    at = centre + np.array([side * EYE_OFFSET, 0.0])
    iris = at + np.array([0.0025 * traits.turn, -0.0035])
    opening = np.concatenate([upper, lower[1:-1]])
    opening, upper, lower, crease = (_flip(each, side) + at for each in (opening, upper, lower, crease))
    return Eye(opening, upper, lower, crease, iris, radius=0.0205)


def _brow(traits: Traits, side: float, centre: Points) -> tuple[Points, Points]:
    rise = _span(traits.brow_arch, 0.006, 0.018)
    height = -_span(traits.brow_height, 0.049, 0.060)
    y = (height - 0.0022, height - 0.5 * rise, height - rise, height - 0.55 * rise, height + 0.45 * rise)
    line = curve((0.046, 0.078, 0.115, 0.148, 0.168), y, steps=6)
    along = np.linspace(0.0, 1.0, len(line))
    weight = _span(traits.brow_weight, 0.0045, 0.0105)
    thick = weight * np.interp(along, [0.0, 0.12, 0.55, 1.0], [0.40, 1.0, 0.85, 0.12])
    return _flip(line, side) + centre, thick


def _nostrils(nose: tuple[float, float]) -> tuple[Points, ...]:
    wide, base = nose
    x = (0.24 * wide, 0.42 * wide, 0.66 * wide, 0.62 * wide, 0.40 * wide)
    y = (base + 0.002, base - 0.0055, base - 0.003, base + 0.003, base + 0.0045)
    return _both(curve(x, y, closed=True, steps=5))


def _nose_lines(nose: tuple[float, float]) -> tuple[Points, ...]:
    wide, base = nose
    x, y = (0.80 * wide, 1.0 * wide, 0.99 * wide, 0.76 * wide), (base - 0.031, base - 0.018, base - 0.004, base + 0.004)
    tip_y = (base + 0.004, base + 0.0085, base + 0.0085, base + 0.004)
    tip = curve((-0.30 * wide, -0.13 * wide, 0.13 * wide, 0.30 * wide), tip_y, steps=5)
    return (*_both(curve(x, y, steps=6)), tip)


def _mouth(traits: Traits, mouth: tuple[float, float]) -> tuple[Points, Points, Points]:
    wide, y = mouth
    up, down = _span(traits.lip_full, 0.0145, 0.0225), _span(traits.lip_full, 0.019, 0.029)
    lift = 0.004 + 0.013 * traits.smile
    half = knots((0.0, 0.16 * wide, 0.52 * wide, wide), (0.003, 0.0012, 0.0028 - 0.2 * lift, -lift))
    top = knots((0.0, 0.19 * wide, 0.52 * wide, wide), (-0.70 * up, -up, -0.66 * up - 0.3 * lift, -lift))
    low = knots((0.0, 0.30 * wide, 0.66 * wide, wide), (down, 0.95 * down, 0.56 * down - 0.4 * lift, -lift))
    line, top_line, low_line = (mirrored(each, steps=6) + np.array([0.0, y]) for each in (half, top, low))
    return np.concatenate([top_line, line[::-1]]), np.concatenate([line, low_line[::-1]]), line


def _smile_lines(nose: tuple[float, float], mouth: tuple[float, float]) -> tuple[Points, ...]:
    (wing, base), (corner, y) = nose, mouth
    x = (wing + 0.012, wing + 0.030, corner + 0.022, corner + 0.022)
    return _both(curve(x, (base - 0.010, base + 0.018, y - 0.016, y + 0.012), steps=6))


def _glasses(traits: Traits, half: float) -> tuple[tuple[Points, ...], tuple[Points, ...]]:
    if traits.glasses == "none":
        return (), ()
    wide, high, bend = (0.070, 0.058, 1.0) if traits.glasses == "round" else (0.078, 0.048, 0.5)
    angle = np.linspace(0.0, 2 * np.pi, 48, endpoint=False)
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** bend * wide
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** bend * high
    lens = np.stack([x + EYE_OFFSET + 0.003, y + 0.007], axis=1)
    bridge = curve((-(EYE_OFFSET - wide), 0.0, EYE_OFFSET - wide), (-0.004, -0.017, -0.004))
    temple = np.array([(EYE_OFFSET + 0.96 * wide, -0.008), (half * 1.0, -0.014)])
    return _both(lens), (bridge, *_both(temple))
