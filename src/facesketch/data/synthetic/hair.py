"""Hair, brows and beard of a drawn face: patches between two curves, filled with strands.

A patch spans from an `inner` curve (the hairline, the edge of a beard) to an `outer` one (the silhouette). Strands are
laid out in its own coordinates, u along the curves and v across, so that one recipe serves every head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facesketch.data.synthetic.canvas import Points, curve, flipped
from facesketch.data.synthetic.person import Person

Span = tuple[float, float]

_CUTS: dict[str, tuple[Span, Span, Span]] = {
    "buzz": ((0.003, 0.006), (0.000, 0.010), (0.000, 0.000)),
    "short": ((0.014, 0.054), (0.010, 0.050), (0.000, 0.010)),
    "parted": ((0.014, 0.054), (0.010, 0.050), (0.000, 0.010)),
    "curly": ((0.022, 0.075), (0.000, 0.050), (0.020, 0.060)),
    "bun": ((0.006, 0.012), (-0.010, 0.010), (0.000, 0.004)),
    "bob": ((0.014, 0.036), (0.190, 0.270), (0.025, 0.050)),
    "fringe": ((0.014, 0.036), (0.190, 0.530), (0.025, 0.060)),
    "long": ((0.014, 0.036), (0.450, 0.560), (0.030, 0.085)),
    "wavy": ((0.014, 0.036), (0.400, 0.560), (0.040, 0.095)),
}
"""For each haircut: how high it stands on the crown, where it ends, and how far it hangs out beside the ears."""


@dataclass(frozen=True)
class Patch:
    """Hair between two curves of equal length.

    Attributes:
        inner, outer: (N, 2) points of the edge towards the face, and of the silhouette.
        strands: (S, P, 2) points, in drawing order.
        cover: how much of the skin below the hair hides, from 0 to 1.
        light: how brightly it is lit, from 0 to 1.
    """

    inner: Points
    outer: Points
    strands: Points
    cover: float = 1.0
    light: float = 1.0


def grow_hair(person: Person) -> tuple[list[Patch], list[Patch]]:
    """Return what hangs behind the neck, and what lies on the head."""
    rng, cut = person.chance, person.words["haircut"]
    if cut == "bald":
        return [], []
    lift, bottom, wide = (rng.uniform(*span) for span in _CUTS[cut])
    inner, outer = _edges(person, lift, bottom, wide)
    if cut == "buzz":
        return [], [_patch(inner, outer, _grown(rng, 650, 0.0, 0.11), cover=0.86)]
    if cut == "short":
        return [], [_patch(inner, outer, _grown(rng, 400, rng.uniform(-0.07, 0.07), 0.42))]
    if cut == "curly":
        return [], [Patch(inner, outer, _curls(rng, inner, outer))]
    if cut == "bun":
        u, v = _grown(rng, 380, 0.0, 0.6)
        return [_bun(person)], [_patch(inner, outer, (u + (0.5 - u) * 0.35 * v, v))]
    part = rng.uniform(0.27, 0.73) if cut != "fringe" else 0.5
    if cut == "parted":
        return [], [_patch(inner, outer, _combed(rng, 330, part))]
    if cut == "wavy":
        inner, outer = (_rippled(edge, 5 * lift) for edge in (inner, outer))
    tucked = cut in ("long", "bob") and rng.random() < 0.4
    nape = np.stack([0.25 * outer[:, 0], np.minimum(outer[:, 1], outer[:, 1].max() - 0.01)], axis=1)
    behind = _patch(nape, outer, _combed(rng, 220, 0.5), light=0.75 if tucked else 0.5)
    if tucked:
        inner, outer = _edges(person, lift, -0.005, 0.004)
    front = [_patch(inner, outer, _combed(rng, 350, part, 0.05 if cut == "wavy" else 0.0))]
    if cut == "fringe":
        low, high, h = rng.uniform(-0.085, -0.062), person.crown - lift + 0.05, person.half
        edge = curve((0.0, low), (0.45 * h, low), (0.80 * h, low + 0.018), (0.95 * h, low + 0.06), mirror=True)
        roots = curve((0.0, high), (0.42 * h, high + 0.016), (0.8 * h, high + 0.075), (1.03 * h, -0.1), mirror=True)
        front.append(_patch(edge, roots, _grown(rng, 260, 0.0, 0.8)))
    return [behind], front


def grow_brows(person: Person) -> list[Patch]:
    """Return the two brows."""
    between = person.chance.uniform
    y, rise, thick = between(-0.060, -0.049), between(0.006, 0.018), between(0.0045, 0.0105)
    rows = [(0.046, 0.5, 0.0), (0.078, 1.0, -0.5), (0.115, 1.0, -1.0), (0.168, 0.0, 0.45)]
    low, high = (curve(*((x, y + wide * by + up * rise) for x, wide, up in rows)) for by in (thick, -thick))
    right = _patch(low, high, _grown(person.chance, 70, 0.35, 0.8))
    return [right, Patch(flipped(right.inner), flipped(right.outer), flipped(right.strands))]


def grow_beard(person: Person) -> list[Patch]:
    """Return moustache and beard."""
    beard, rng, h, chin = person.words["beard"], person.chance, person.half, person.chin
    wide, y = person.corner, person.lips
    if beard == "none":
        return []
    cover = 0.32 if beard == "stubble" else 0.9
    mouth = [(0.0, y - 0.012), (0.45 * wide, y - 0.010), (0.95 * wide, y + 0.002), (1.08 * wide, y + 0.013)]
    nose = [(0.0, 0.6 * y + 0.4 * person.base - 0.012), (0.45 * wide, y - 0.031), (wide, y - 0.012)]
    lip = curve(*nose, (1.13 * wide, y + 0.008), mirror=True), curve(*mouth, mirror=True)
    patches = [_patch(*lip, _combed(rng, 170, 0.5) if cover > 0.5 else _grown(rng, 130, 0.0, 0.3), cover=cover)]
    if beard == "goatee":
        inner = curve((0.0, y + 0.036), (0.42 * wide, y + 0.038), (0.8 * wide, y + 0.022), mouth[-1], mirror=True)
        outer = curve((0.0, chin + 0.012), (0.5 * wide, chin), (0.95 * wide, chin - 0.03), (1.2 * wide, y), mirror=True)
        patches.append(_patch(inner, outer, _grown(rng, 260, 0.0, 0.4), cover=cover))
    elif beard != "moustache":
        low = [(0.0, y + 0.038), (0.6 * wide, y + 0.034), (wide + 0.014, y - 0.016), (0.72 * h, y - 0.06)]
        inner = curve(*low, (0.88 * h, 0.075), (0.955 * h, 0.01), mirror=True)
        grown = 1.05 if beard == "full" else 1.0
        outer = curve(*((x * grown, at * grown) for x, at in person.edge[:5]), person.edge[5], mirror=True)
        strands = _grown(rng, 460, 0.0, 0.05 if beard == "stubble" else 0.34)
        patches.insert(0, _patch(inner, outer, strands, cover=cover))
    return patches


def _edges(person: Person, lift: float, bottom: float, wide: float) -> tuple[Points, Points]:
    """Return the hairline and the silhouette."""
    h, top, line = person.half, person.crown - lift, person.chance.uniform(-0.210, -0.178)
    inner_x = np.array([0.0, 0.38, 0.69, 0.87, 0.925, 0.955, 0.94, 0.92]) * h
    outer_x = np.array([0.0, 0.49, 0.88, 1.045, 1.055, 1.05, 1.03, 1.0]) * h
    outer_x += wide * np.array([0.0, 0.0, 0.3, 0.7, 0.9, 1.0, 1.3, 1.2])
    hang = np.linspace(-0.045, bottom, 4)
    inner = zip(inner_x, (line, line + 0.004, line + 0.036, -0.115, *hang), strict=True)
    outer = zip(outer_x, (top, top + 0.021, top + 0.095, -0.125, *hang), strict=True)
    return curve(*inner, mirror=True), curve(*outer, mirror=True)


def _rippled(edge: Points, phase: float) -> Points:
    """Let the edge of a curtain wave, more the lower it hangs."""
    x, y = edge.T
    reach = 0.011 * np.clip((y + 0.10) / 0.12, 0.0, 1.0) * np.sin(2 * np.pi * (y / 0.15 + phase) + np.sign(x))
    return np.stack([x + np.sign(x) * reach, y], axis=1)


def _bun(person: Person) -> Patch:
    """Return the bun on top of the head."""
    angle = np.linspace(-np.pi, np.pi, 49)
    radius = person.chance.uniform(0.058, 0.080)
    ring = radius * np.stack([1.12 * np.sin(angle), -np.cos(angle)], axis=1)
    middle = np.array([0.0, person.crown - 0.55 * radius])
    turn, start, wind = person.chance.random((3, 120, 1))
    angles, away = 2 * np.pi * (turn + np.linspace(0.0, 0.25, 9) * wind), 0.15 + 0.85 * start**0.5
    strands = radius * away[..., None] * np.stack([1.12 * np.sin(angles), -np.cos(angles)], axis=-1)
    return Patch(middle + 0.02 * ring, middle + ring, middle + strands)


def _patch(inner: Points, outer: Points, strands: Sequence[Points], *, cover: float = 1.0, light: float = 1.0) -> Patch:
    return Patch(inner, outer, _onto(inner, outer, *strands), cover, light)


def _onto(inner: Points, outer: Points, u: Points, v: Points) -> Points:
    """Map patch coordinates, each (S, P), to (S, P, 2) points of the face."""
    middle = 0.5 * (inner + outer)
    lengths = np.sqrt((np.diff(middle, axis=0) ** 2).sum(axis=1))
    along = np.concatenate([[0.0], np.cumsum(lengths)]) / lengths.sum()
    edges = [np.stack([np.interp(u, along, line[:, axis]) for axis in (0, 1)], axis=-1) for line in (inner, outer)]
    return np.asarray(edges[0] + v[..., None] * (edges[1] - edges[0]))


def _combed(rng: np.random.Generator, count: int, part: float, wave: float = 0.0) -> tuple[Points, Points]:
    """Strands that leave the parting and run along the silhouette to either end."""
    s = np.linspace(0.0, 1.0, 13)
    chance = rng.random((5, count, 1))
    start = 0.72 * chance[0] ** 2.4
    run = start + (1.0 - start) * (0.35 + 0.65 * chance[1]) * s
    end = (chance[2] < 1 - part).astype(float)
    v = 1.01 * chance[3] + 0.10 * (chance[4] - 0.5) * s
    return part + (end - part) * run, v + wave * run * np.sin(2 * np.pi * (3.1 * run + 0.15 * chance[3] + 0.35 * end))


def _grown(rng: np.random.Generator, count: int, lean: float, length: float) -> tuple[Points, Points]:
    """Strands that leave the hairline towards the silhouette."""
    s = np.linspace(0.0, 1.0, 7)
    chance = rng.random((3, count, 1))
    reach = length * (0.6 + 0.8 * chance[0])
    start = (1.06 - 0.8 * reach) * chance[1] - 0.05
    return np.clip(chance[2] + lean * s * reach * (0.4 + s), 0.0, 1.0), np.minimum(start + reach * s, 1.03)


def _curls(rng: np.random.Generator, inner: Points, outer: Points) -> Points:
    """Small open rings, scattered, that break up the silhouette."""
    u, v, turn, size, squeeze, sense = rng.random((6, 330, 1))
    angle = 2 * np.pi * (turn + np.linspace(0.0, 0.78, 10) * np.sign(sense - 0.5))
    ring = np.stack([np.cos(angle), np.sin(angle) * (0.6 + 0.4 * squeeze)], axis=-1)
    return np.asarray(_onto(inner, outer, u, 0.02 + 1.0 * v**0.8) + 0.0125 * (0.6 + 0.9 * size)[..., None] * ring)
