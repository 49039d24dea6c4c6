"""Hair and beard of a drawn face: patches between two curves, and strands that follow the fall of the hair in them.

A patch spans from an `inner` curve (the hairline, the edge of a beard) to an `outer` one (the silhouette). Strands are
laid out in its own coordinates, u along the curves and v across, so that one recipe serves every head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facesketch.data.synthetic.face import Face, Points, curve, knots, mirrored

_STEPS = 8


@dataclass(frozen=True)
class Patch:
    """Hair between two curves of equal length, with its strands."""

    inner: Points
    """(N, 2) points of the edge towards the face."""
    outer: Points
    """(N, 2) points of the silhouette."""
    strands: Points
    """(S, P, 2) points of the strands, in drawing order."""
    cover: float = 1.0
    """How much of the skin below the hair hides, from 0 to 1."""
    depth: float = 0.0
    """How dark the patch lies, from 0 (in the light) to 1 (behind the neck)."""

    @property
    def outline(self) -> Points:
        """Return the closed outline."""
        return np.concatenate([self.inner, self.outer[::-1]])


@dataclass(frozen=True)
class Hair:
    """What grows on a head: behind the neck, in front, and on the cheeks, each drawn in order."""

    back: tuple[Patch, ...]
    front: tuple[Patch, ...]
    beard: tuple[Patch, ...]
    lumps: Points
    """(K, 3) circles (x, y, radius) that break up the silhouette of curls."""


def grow_hair(face: Face, rng: np.random.Generator) -> Hair:
    """Lay out the hair and beard of a face; how much chance is drawn from `rng` depends on the style."""
    return Hair(_back(face, rng), _front(face, rng), _beard(face, rng), _lumps(face, rng))


def _patch_curves(face: Face, inner: Points, outer: Points) -> tuple[Points, Points]:
    """Return the curves from left to right through knots that are given from the middle to the right."""
    assert len(inner) == len(outer), "the curves of a patch run side by side"
    return mirrored(inner, steps=_STEPS) + face.centre, mirrored(outer, steps=_STEPS) + face.centre


def _onto(inner: Points, outer: Points, u: Points, v: Points) -> Points:
    """Map patch coordinates, each (S, P), to (S, P, 2) points of the unit square."""
    middle = 0.5 * (inner + outer)
    lengths = np.sqrt((np.diff(middle, axis=0) ** 2).sum(axis=1))
    along = np.concatenate([[0.0], np.cumsum(lengths)]) / lengths.sum()
    edges = [np.stack([np.interp(u, along, line[:, axis]) for axis in (0, 1)], axis=-1) for line in (inner, outer)]
    return edges[0] + v[..., None] * (edges[1] - edges[0])


def _sweep(rng: np.random.Generator, count: int, part: float, wave: float = 0.0) -> tuple[Points, Points]:
    """Strands that leave the parting and run along the silhouette to either end."""
    s = np.linspace(0.0, 1.0, 13)
    chance = rng.random((5, count, 1))
    start = 0.72 * chance[0] ** 2.4
    reach = start + (1.0 - start) * (0.35 + 0.65 * chance[1])
    end = (chance[2] < 1 - part).astype(float)
    run = start + (reach - start) * s
    u = part + (end - part) * run
    v = 1.01 * chance[3] + 0.10 * (chance[4] - 0.5) * s - 0.03 * (1 - run) ** 4
    return u, v + wave * run * np.sin(2 * np.pi * (3.1 * run + 0.15 * chance[3] + 0.35 * end))


def _rise(rng: np.random.Generator, count: int, lean: float, length: float) -> tuple[Points, Points]:
    """Strands that leave the hairline towards the silhouette."""
    s = np.linspace(0.0, 1.0, 7)
    chance = rng.random((4, count, 1))
    reach = length * (0.6 + 0.8 * chance[0])
    start = (1.06 - 0.8 * reach) * chance[1] - 0.05
    u = chance[2] + lean * s * reach * (0.4 + s) + 0.05 * (chance[3] - 0.5) * s
    return np.clip(u, 0.0, 1.0), np.minimum(start + reach * s, 1.03)


def _fall(rng: np.random.Generator, count: int, part: float) -> tuple[Points, Points]:
    """Strands that fall from the crown to the brow and spread from the middle."""
    s = np.linspace(0.0, 1.0, 10)
    chance = rng.random((4, count, 1))
    u = part + (chance[0] - part) * (0.72 + 0.28 * s) + 0.03 * (chance[1] - 0.5) * s
    return np.clip(u, 0.0, 1.0), 1.0 - 0.5 * chance[2] - s * (1.0 - 0.5 * chance[2]) * (0.93 + 0.12 * chance[3])


def _curl(rng: np.random.Generator, inner: Points, outer: Points, count: int, size: float) -> Points:
    """Small open rings, scattered."""
    chance = rng.random((6, count, 1))
    middle = _onto(inner, outer, chance[0], 0.02 + 0.98 * chance[1])
    angle = 2 * np.pi * (chance[2] + np.linspace(0.0, 0.78, 10) * np.sign(chance[5] - 0.5))
    radius = size * (0.6 + 0.9 * chance[3])[..., None]
    ring = np.stack([np.cos(angle), np.sin(angle) * (0.6 + 0.4 * chance[4])], axis=-1)
    return np.asarray(middle + radius * ring)


def _hairline(face: Face) -> float:
    return -0.178 - 0.032 * face.traits.hairline - 0.02 * max(0.0, face.traits.age - 0.4)


def _cap(face: Face, volume: float, drop: float, wide: float = 0.0) -> tuple[Points, Points]:
    """Return the curves of hair that ends above or beside the ears."""
    h, top, line = face.half, face.crown - volume, _hairline(face)
    inner = knots(
        (0.0, 0.38 * h, 0.70 * h, 0.86 * h, 0.915 * h, 0.955 * h),
        (line, line + 0.003, line + 0.033, -0.115, -0.045, drop),
    )
    outer = knots(
        (0.0, 0.48 * h, 0.87 * h + wide, 1.045 * h + wide, 1.055 * h + wide, 1.03 * h + 0.6 * wide),
        (top, top + 0.020, top + 0.095, -0.125, -0.05, drop),
    )
    return _patch_curves(face, inner, outer)


def _curtain(face: Face, volume: float, bottom: float, flare: float) -> tuple[Points, Points]:
    """Return the curves of hair that falls beside the face to `bottom`."""
    h, top, line, b = face.half, face.crown - volume, _hairline(face), bottom
    inner = knots(
        (0.0, 0.38 * h, 0.68 * h, 0.87 * h, 0.95 * h, 0.965 * h, 0.93 * h, (0.90 + 0.05 * flare) * h),
        (line, line + 0.008, line + 0.045, -0.095, 0.0, 0.35 * b, 0.62 * b, b),
    )
    low = ((1.21 + 0.14 * flare) * h, (1.24 + 0.28 * flare) * h, (1.10 + 0.46 * flare) * h)
    outer = knots(
        (0.0, 0.50 * h, 0.90 * h, 1.11 * h, 1.18 * h, *low),
        (top, top + 0.022, top + 0.095, -0.125, 0.0, 0.35 * b, 0.66 * b, b + 0.012),
    )
    return _patch_curves(face, inner, outer)


def _ripple(face: Face, curves: tuple[Points, Points]) -> tuple[Points, Points]:
    """Let both edges of a curtain wave, more the lower they hang."""
    inner, outer = curves
    waves = []
    for edge, reach in ((inner, 0.008), (outer, 0.012)):
        hang = np.clip((edge[:, 1] - face.centre[1] + 0.10) / 0.12, 0.0, 1.0)
        side = np.sign(edge[:, 0] - face.centre[0])
        turn = np.sin(2 * np.pi * edge[:, 1] / 0.15 + 1.1 * side + 5 * face.traits.volume)
        waves.append(edge + np.stack([side * reach * hang * turn, 0 * hang], axis=1))
    return waves[0], waves[1]


def _fringe(face: Face, volume: float, rng: np.random.Generator) -> Patch:
    h, top = face.half, face.crown - volume
    edge = -0.062 - 0.022 * face.traits.hairline
    inner = knots((0.0, 0.45 * h, 0.80 * h, 0.955 * h), (edge, edge + 0.001, edge + 0.018, edge + 0.062))
    outer = knots((0.0, 0.42 * h, 0.80 * h, 1.03 * h), (top + 0.05, top + 0.066, top + 0.125, -0.10))
    curves = _patch_curves(face, inner, outer)
    return Patch(*curves, _onto(*curves, *_fall(rng, 230, face.traits.parting)))


def _front(face: Face, rng: np.random.Generator) -> tuple[Patch, ...]:
    traits = face.traits
    volume, part = traits.volume, traits.parting
    if traits.style == "bald":
        return ()
    if traits.style in {"bob", "long", "wavy", "fringe"}:
        return _falling(face, rng)
    if traits.style == "buzz":
        curves = _cap(face, 0.004, 0.005)
        return (Patch(*curves, _onto(*curves, *_rise(rng, 650, 0.0, 0.11)), cover=0.86),)
    if traits.style == "curly":
        wide = 0.015 + 0.035 * volume
        curves = _cap(face, 0.022 + 0.05 * volume, 0.02 + 0.07 * volume, wide)
        return (Patch(*curves, _curl(rng, *curves, 330, 0.0125)),)
    if traits.style == "bun":
        curves = _cap(face, 0.008, 0.0)
        u, v = _rise(rng, 380, 0.0, 0.6)
        return (Patch(*curves, _onto(*curves, u + (0.5 - u) * 0.35 * v, v)),)
    curves = _cap(face, 0.016 + 0.036 * volume, 0.015 + 0.03 * traits.ear)
    if traits.style == "parted":
        return (Patch(*curves, _onto(*curves, *_sweep(rng, 330, part))),)
    return (Patch(*curves, _onto(*curves, *_rise(rng, 400, 0.30 * (part - 0.5), 0.42))),)


def _hanging(face: Face) -> tuple[float, tuple[Points, Points], bool]:
    """Return the volume and the curves of hair that falls to the jaw or the shoulders, and if it is behind the ears."""
    traits = face.traits
    volume = 0.014 + 0.022 * traits.volume
    short = traits.style == "bob" or (traits.style == "fringe" and traits.volume < 0.5)
    bottom, flare = (0.235, 0.1 * traits.volume) if short else (0.53, 0.2 + 0.8 * traits.volume)
    curves = _curtain(face, volume, bottom, flare)
    curves = _ripple(face, curves) if traits.style == "wavy" else curves
    return volume, curves, traits.style in {"long", "bob"} and traits.ear > 0.55


def _falling(face: Face, rng: np.random.Generator) -> tuple[Patch, ...]:
    traits = face.traits
    volume, curves, tucked = _hanging(face)
    if tucked:
        curves = _cap(face, volume, -0.005, 0.004)
        return (Patch(*curves, _onto(*curves, *_sweep(rng, 330, traits.parting))),)
    part = 0.5 if traits.style == "fringe" else traits.parting
    main = Patch(*curves, _onto(*curves, *_sweep(rng, 350, part, 0.05 if traits.style == "wavy" else 0.0)))
    return (main, _fringe(face, volume, rng)) if traits.style == "fringe" else (main,)


def _back(face: Face, rng: np.random.Generator) -> tuple[Patch, ...]:
    style = face.traits.style
    if style == "bun":
        return (_knot(face, rng),)
    if style not in {"bob", "long", "wavy", "fringe"}:
        return ()
    _, (_, outer), tucked = _hanging(face)
    inner = np.stack([0.5 + 0.25 * (outer[:, 0] - 0.5), np.minimum(outer[:, 1], outer[:, 1].max() - 0.01)], axis=1)
    strands = _onto(inner, outer, *_sweep(rng, 260 if tucked else 120, 0.5))
    return (Patch(inner, outer, strands, depth=0.35 if tucked else 0.75),)


def _knot(face: Face, rng: np.random.Generator) -> Patch:
    """Return the bun on top of the head."""
    angle = np.linspace(-np.pi, np.pi, 49)
    ring = np.stack([np.sin(angle), -np.cos(angle)], axis=1)
    radius = 0.060 + 0.018 * face.traits.volume
    middle = face.centre + np.array([0.0, face.crown - 0.55 * radius])
    inner, outer = middle + 0.02 * radius * ring, middle + radius * ring * np.array([1.12, 1.0])
    s = np.linspace(0.0, 1.0, 9)
    chance = rng.random((3, 120, 1))
    strands = _onto(inner, outer, (chance[0] + 0.28 * s) % 1.0, 0.15 + 0.86 * chance[1] + 0.10 * np.sin(np.pi * s))
    keep = (np.abs(np.diff(strands, axis=1)).max(axis=(1, 2)) < radius) & (chance[2, :, 0] < 1.0)
    return Patch(inner, outer, strands[keep])


def _lumps(face: Face, rng: np.random.Generator) -> Points:
    """Return the circles that make a curly silhouette uneven."""
    chance = rng.random((3, 70))
    if face.traits.style != "curly":
        return np.zeros((0, 3))
    patch = _front(face, np.random.Generator(np.random.PCG64(0)))[0]
    at = _onto(patch.inner, patch.outer, chance[:1], 0.90 + 0.08 * chance[1:2])[0]
    return np.concatenate([at, (0.010 + 0.012 * chance[2])[:, None]], axis=1)


def _beard(face: Face, rng: np.random.Generator) -> tuple[Patch, ...]:
    beard = face.traits.beard
    if beard == "none":
        return ()
    if beard == "moustache":
        return (_moustache(face, rng),)
    if beard == "goatee":
        return (_goatee(face, rng), _moustache(face, rng))
    curves = _jaw_curves(face, 0.012 if beard == "full" else 0.0)
    if beard == "stubble":
        return (
            Patch(*curves, _onto(*curves, *_rise(rng, 480, 0.0, 0.05)), cover=0.32),
            _moustache(face, rng, cover=0.32),
        )
    return (Patch(*curves, _onto(*curves, *_rise(rng, 460, 0.0, 0.34)), cover=0.9), _moustache(face, rng))


def _jaw_curves(face: Face, growth: float) -> tuple[Points, Points]:
    h, (wide, y) = face.half, face.mouth
    x = (0.955 * h, 0.88 * h, 0.72 * h, wide + 0.014, 0.6 * wide, 0.0)
    inner = curve(x, (0.01, 0.075, y - 0.060, y - 0.016, y + 0.034, y + 0.038), steps=_STEPS)
    inner = np.concatenate([inner, inner[-2::-1] * np.array([-1.0, 1.0])]) + face.centre
    steps = np.sqrt((np.diff(face.jaw, axis=0) ** 2).sum(axis=1))
    along = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
    at = np.linspace(0.0, 1.0, len(inner))
    outer = np.stack([np.interp(at, along, face.jaw[:, axis]) for axis in (0, 1)], axis=1)
    swell = growth * np.sin(np.pi * at) ** 0.5
    outer = outer + (outer - face.centre - np.array([0.0, 0.08])) / 0.22 * swell[:, None]
    return inner, outer


def _moustache(face: Face, rng: np.random.Generator, cover: float = 0.9) -> Patch:
    (wide, y), base = face.mouth, face.nose[1]
    top = knots(
        (0.0, 0.45 * wide, 1.0 * wide, 1.13 * wide), (0.45 * base + 0.55 * y - 0.012, y - 0.031, y - 0.012, y + 0.008)
    )
    low = knots((0.0, 0.45 * wide, 0.95 * wide, 1.08 * wide), (y - 0.013, y - 0.010, y + 0.002, y + 0.013))
    curves = _patch_curves(face, top, low)
    u, v = _sweep(rng, 170, 0.5) if cover > 0.5 else _rise(rng, 130, 0.0, 0.3)
    if cover > 0.5:
        v = 0.75 * v + 0.3 * np.linspace(0.0, 1.0, v.shape[1])
    return Patch(*curves, _onto(*curves, u, v), cover=cover)


def _goatee(face: Face, rng: np.random.Generator) -> Patch:
    (wide, y), chin = face.mouth, face.chin
    inner = knots((0.0, 0.42 * wide, 0.80 * wide, 1.06 * wide), (y + 0.036, y + 0.038, y + 0.022, y + 0.005))
    outer = knots((0.0, 0.46 * wide, 0.92 * wide, 1.20 * wide), (chin + 0.012, chin + 0.004, chin - 0.030, y + 0.012))
    curves = _patch_curves(face, inner, outer)
    return Patch(*curves, _onto(*curves, *_rise(rng, 260, 0.0, 0.4)), cover=0.9)
