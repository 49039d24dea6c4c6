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


def spline(knots: Sequence[tuple[float, float]] | Points, *, closed: bool = False, steps: int = 8) -> Points:
    """Return the Catmull-Rom curve through knots, as (N, 2) points."""
    p = np.asarray(knots, dtype=np.float64)
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    p = np.concatenate([ends[0], p, ends[1]])
    a, b, c, d = (part[:, None] for part in (p[:-3], p[1:-2], p[2:-1], p[3:]))
    t = (np.arange(steps) / steps)[None, :, None]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, p[-2:-1]])


def _flip(points: Points, side: float) -> Points:
    return np.asarray(points * np.array([side, 1.0]))


def _both(points: Sequence[tuple[float, float]] | Points) -> tuple[Points, Points]:
    array = np.asarray(points, dtype=np.float64)
    return _flip(array, -1.0), array


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
        jaw=_jaw_line(head) + centre,
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
    return tuple(curve + by for curve in curves)


def _head(traits: Traits, half: float, crown: float, chin: float) -> Points:
    jaw = half * _span(traits.jaw, 0.71, 0.85)
    tip = half * _span(traits.chin, 0.27, 0.42)
    right = [
        (0.50 * half, crown + 0.022),
        (0.86 * half, crown + 0.10),
        (1.00 * half, -0.10),
        (1.00 * half, 0.0),
        (0.965 * half, 0.085),
        (jaw + 0.02 * half, 0.62 * chin),
        (0.5 * (jaw + tip) * 0.98, 0.855 * chin),
        (tip, 0.965 * chin),
    ]
    left = [(-x, y) for x, y in reversed(right)]
    return spline([(0.0, crown), *right, (0.0, chin), *left], closed=True)


def _jaw_line(head: Points) -> Points:
    """Return the part of the outline from one ear along the chin to the other."""
    return head[(head[:, 1] > 0.03)]


def _ears(traits: Traits, half: float) -> tuple[tuple[Points, ...], tuple[Points, ...]]:
    reach = _span(traits.ear, 0.026, 0.040)
    outer = [
        (-0.012, -0.04),
        (0.35 * reach, -0.055),
        (reach, -0.040),
        (reach, 0.0),
        (0.62 * reach, 0.045),
        (0.2 * reach, 0.074),
        (-0.012, 0.062),
    ]
    inner = [
        (0.1 * reach, -0.030),
        (0.55 * reach, -0.036),
        (0.68 * reach, -0.012),
        (0.35 * reach, 0.018),
        (0.25 * reach, 0.042),
    ]
    root = np.array([half * 0.985, 0.012])
    shape, fold = spline(outer, closed=True, steps=6) + root, spline(inner, steps=6) + root
    return _both(shape), _both(fold)


def _shoulders(traits: Traits) -> tuple[Points, Points, tuple[Points, ...], tuple[Points, ...]]:
    wide = _span(traits.jaw, 0.118, 0.138)
    neck_right = [
        (wide * 1.02, 0.13),
        (wide, 0.25),
        (wide * 1.03, 0.33),
        (wide * 1.22, 0.40),
        (wide * 1.9, 0.47),
        (wide * 1.9, 0.62),
    ]
    neck = np.array([*[(-x, y) for x, y in reversed(spline(neck_right).tolist())], *spline(neck_right).tolist()])
    line = spline([(wide * 1.12, 0.375), (0.22, 0.418), (0.34, 0.452), (0.44, 0.50), (0.56, 0.60)])
    necks: dict[str, list[tuple[float, float]]] = {
        "crew": [(wide * 1.12, 0.375), (wide * 0.86, 0.425), (wide * 0.4, 0.455), (0.0, 0.463)],
        "vee": [(wide * 1.12, 0.375), (wide * 0.74, 0.435), (wide * 0.30, 0.495), (0.0, 0.53)],
        "shirt": [(wide * 1.12, 0.375), (wide * 0.66, 0.425), (wide * 0.2, 0.47), (0.0, 0.485)],
        "turtle": [(wide * 1.12, 0.345), (wide * 0.8, 0.366), (wide * 0.4, 0.378), (0.0, 0.382)],
    }
    opening = spline(necks[traits.collar])
    right = np.concatenate([opening[::-1], line, [(0.56, 0.7)]])
    torso = np.concatenate([_flip(right[::-1], -1.0), right])
    return neck, torso, _collar(traits, wide, opening), _both(spline([(0.30, 0.53), (0.335, 0.49), (0.345, 0.455)]))


def _collar(traits: Traits, wide: float, opening: Points) -> tuple[Points, ...]:
    if traits.collar == "shirt":
        flap = [
            (wide * 0.99, 0.340),
            (wide * 1.13, 0.346),
            (wide * 1.30, 0.41),
            (wide * 1.04, 0.505),
            (wide * 0.10, 0.472),
            (wide * 0.60, 0.424),
        ]
        return _both(flap)
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
    upper = spline(
        [
            (-wide, 0.0045),
            (-0.62 * wide, -0.68 * high),
            (-0.05 * wide, -high),
            (0.55 * wide, -0.80 * high - 0.4 * tilt),
            (wide * 1.03, -tilt),
        ],
        steps=6,
    )
    lower = spline(
        [
            (wide * 1.03, -tilt),
            (0.50 * wide, 0.86 * low),
            (-0.05 * wide, low),
            (-0.60 * wide, 0.70 * low),
            (-wide, 0.0045),
        ],
        steps=6,
    )
    lift = np.array([0.0, -_span(traits.crease, 0.0085, 0.015)])
    crease = upper[4:] * np.array([1.02, 1.02]) + lift
    at = centre + np.array([side * EYE_OFFSET, 0.0])
    iris = at + np.array([0.0025 * traits.turn, -0.0035])
    opening = np.concatenate([upper, lower[1:-1]])
    opening, upper, lower, crease = (_flip(curve, side) + at for curve in (opening, upper, lower, crease))
    return Eye(opening, upper, lower, crease, iris, radius=0.0205)


def _brow(traits: Traits, side: float, centre: Points) -> tuple[Points, Points]:
    rise = _span(traits.brow_arch, 0.006, 0.018)
    height = -_span(traits.brow_height, 0.049, 0.060)
    knots = [
        (0.046, height - 0.0022),
        (0.078, height - 0.5 * rise),
        (0.115, height - rise),
        (0.148, height - 0.55 * rise),
        (0.168, height + 0.45 * rise),
    ]
    line = spline(knots, steps=6)
    along = np.linspace(0.0, 1.0, len(line))
    weight = _span(traits.brow_weight, 0.0045, 0.0105)
    thick = weight * np.interp(along, [0.0, 0.12, 0.55, 1.0], [0.40, 1.0, 0.85, 0.12])
    return _flip(line, side) + centre, thick


def _nostrils(nose: tuple[float, float]) -> tuple[Points, ...]:
    wide, base = nose
    shape = [
        (0.24 * wide, base + 0.002),
        (0.42 * wide, base - 0.0055),
        (0.66 * wide, base - 0.003),
        (0.62 * wide, base + 0.003),
        (0.40 * wide, base + 0.0045),
    ]
    return _both(spline(shape, closed=True, steps=5))


def _nose_lines(nose: tuple[float, float]) -> tuple[Points, ...]:
    wide, base = nose
    wing = spline(
        [
            (0.80 * wide, base - 0.031),
            (1.0 * wide, base - 0.018),
            (0.99 * wide, base - 0.004),
            (0.76 * wide, base + 0.004),
        ],
        steps=6,
    )
    tip = spline(
        [
            (-0.30 * wide, base + 0.004),
            (-0.13 * wide, base + 0.0085),
            (0.13 * wide, base + 0.0085),
            (0.30 * wide, base + 0.004),
        ],
        steps=5,
    )
    return (*_both(wing), tip)


def _mouth(traits: Traits, mouth: tuple[float, float]) -> tuple[Points, Points, Points]:
    wide, y = mouth
    up, down = _span(traits.lip_full, 0.0145, 0.0225), _span(traits.lip_full, 0.019, 0.029)
    lift = 0.004 + 0.013 * traits.smile
    half = [(0.0, 0.003), (0.16 * wide, 0.0012), (0.52 * wide, 0.0028 - 0.2 * lift), (wide, -lift)]
    top = [(0.0, -0.70 * up), (0.19 * wide, -up), (0.52 * wide, -0.66 * up - 0.3 * lift), (wide, -lift)]
    low = [(0.0, down), (0.30 * wide, 0.95 * down), (0.66 * wide, 0.56 * down - 0.4 * lift), (wide, -lift)]
    line, top_line, low_line = (_whole(curve) + np.array([0.0, y]) for curve in (half, top, low))
    return np.concatenate([top_line, line[::-1]]), np.concatenate([line, low_line[::-1]]), line


def _whole(right: list[tuple[float, float]]) -> Points:
    return spline([*[(-x, y) for x, y in reversed(right[1:])], *right], steps=6)


def _smile_lines(nose: tuple[float, float], mouth: tuple[float, float]) -> tuple[Points, ...]:
    (wing, base), (corner, y) = nose, mouth
    return _both(
        spline(
            [
                (wing + 0.012, base - 0.010),
                (wing + 0.030, base + 0.018),
                (corner + 0.022, y - 0.016),
                (corner + 0.022, y + 0.012),
            ],
            steps=6,
        )
    )


def _glasses(traits: Traits, half: float) -> tuple[tuple[Points, ...], tuple[Points, ...]]:
    if traits.glasses == "none":
        return (), ()
    wide, high, bend = (0.070, 0.058, 1.0) if traits.glasses == "round" else (0.078, 0.048, 0.5)
    angle = np.linspace(0.0, 2 * np.pi, 48, endpoint=False)
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** bend * wide
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** bend * high
    lens = np.stack([x + EYE_OFFSET + 0.003, y + 0.007], axis=1)
    bridge = spline([(-(EYE_OFFSET - wide), -0.004), (0.0, -0.017), (EYE_OFFSET - wide, -0.004)])
    temple = np.array([(EYE_OFFSET + 0.96 * wide, -0.008), (half * 1.0, -0.014)])
    return _both(lens), (bridge, *_both(temple))
