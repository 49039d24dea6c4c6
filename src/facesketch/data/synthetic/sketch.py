"""The sketch of a drawn face: graphite on paper, laid down where the photo of the same face is dark.

Every tone follows the luminance of the photo, so that a model can learn one from the other; chance adds only what a
hand adds: the tremor of a line, its pressure, and the tooth of the paper.
"""

from __future__ import annotations

import numpy as np

from facesketch.data.synthetic.canvas import Canvas, Field
from facesketch.data.synthetic.face import Face, Points
from facesketch.data.synthetic.hair import Hair
from facesketch.data.synthetic.photo import Scene, hair_colour, hairs_of_brow

Line = tuple[Points, float, float]
"""A curve, the width of the pencil line in unit lengths, and its darkness in [0, 1]."""

_LUMA = np.array([0.299, 0.587, 0.114])
_PAPER = 0.958


def draw_sketch(face: Face, hair: Hair, scene: Scene, canvas: Canvas, rng: np.random.Generator) -> Field:
    """Draw a face in pencil.

    Returns:
        (side, side) in [0, 1], paper bright, aligned with the scene to the pixel.
    """
    luma = scene.rgb[..., 0] * _LUMA[0] + scene.rgb[..., 1] * _LUMA[1] + scene.rgb[..., 2] * _LUMA[2]
    hidden = 1.0 - scene.hair
    bare = hidden * (1.0 - scene.beard)
    light = 1.0 - _skin_tone(scene, luma, canvas, rng)
    light *= 1.0 - _features(face, luma, canvas) * hidden
    dark = 0.98 * (1.0 - 0.62 * float(hair_colour(face) @ _LUMA))
    brows = _pull([hairs_of_brow(face, index) for index in (0, 1)], canvas, rng, lightest=170)
    light *= 1.0 - dark * brows * hidden
    light *= 1.0 - _draw_lines(_lines_behind(face), canvas, rng) * (1.0 - scene.head) * hidden
    through = np.where(scene.beard > 0, 0.35 + 0.65 * bare, hidden)
    light *= 1.0 - _draw_lines(_lines_of_face(face), canvas, rng) * through
    light *= 1.0 - _strokes(hair, luma, scene, canvas, rng)
    light *= 1.0 - _draw_lines(_lines_in_front(face, hair), canvas, rng)
    return _on_paper(1.0 - light, canvas, rng)


def _on_paper(ink: Field, canvas: Canvas, rng: np.random.Generator) -> Field:
    """Let the paper's tooth take up the graphite: grain shows most in middle tones."""
    grain = rng.standard_normal((canvas.side, canvas.side))
    rough = canvas.blur(0.5 + 0.16 * grain, 0.0030) - 0.5
    speck = grain * min(1.0, canvas.side / 256)
    tooth = 1.0 + (0.17 * speck + 1.2 * rough) * (1.0 - ink)
    level = _PAPER + 0.006 * speck + 0.05 * rough
    return np.asarray(np.clip(level * (1.0 - 0.93 * np.clip(ink * tooth, 0.0, 1.0)), 0.0, 1.0))


def _hatching(canvas: Canvas, rng: np.random.Generator, slant: float, gap: float) -> Field:
    """Return a page of parallel pencil strokes, as ink in [0, 1]."""
    image, pen = canvas.blank()
    count = round(1.9 / gap)
    shift, bend, dark, thick, start, end = rng.random((6, count, 1))
    down = np.linspace(0.0, 1.0, 5)
    x = -0.45 + (np.arange(count)[:, None] + 0.55 * shift) * gap + slant * (0.5 - down)
    x = x + 0.012 * (bend - 0.5) * np.sin(5 * down + 6 * shift)
    strokes = np.stack([x, down + 0.04 * (start - end)], axis=-1)
    levels = (150 + 105 * dark[:, 0]).astype(int).tolist()
    widths = [canvas.width(length) for length in (0.0018 + 0.0020 * thick[:, 0]).tolist()]
    for path, level, width in zip(canvas.paths(strokes), levels, widths, strict=True):
        pen.line(path, fill=level, width=width)
    return canvas.shrink(image)


def _skin_tone(scene: Scene, luma: Field, canvas: Canvas, rng: np.random.Generator) -> Field:
    """Smudge the skin's own tone, hatch the side away from the light, and hint at the clothes."""
    slant = 0.75
    first, second = _hatching(canvas, rng, slant, 0.0095), _hatching(canvas, rng, slant * 0.45, 0.0115)
    dark = np.clip(0.86 - luma, 0.0, 1.0)
    skin = scene.skin * (1.0 - 0.6 * scene.beard)
    depth = np.clip((scene.shade - 0.18) * 1.4, 0.0, 1.0)
    smudge = skin * np.clip(0.42 * dark + 0.26 * dark * dark + 0.16 * depth, 0.0, 0.75)
    lines = skin * np.clip(0.36 * depth + 0.16 * dark, 0.0, 0.42)
    hatch = first * lines + second * skin * np.clip(depth - 0.45, 0.0, 0.5) * 0.55
    fade = np.clip((1.06 - canvas.y) / 0.26, 0.0, 1.0)
    cloth = scene.cloth * fade * np.clip(1.0 - luma, 0.0, 0.8) * (0.16 + 0.42 * first)
    return np.asarray(1.0 - (1.0 - smudge) * (1.0 - hatch) * (1.0 - cloth))


def _features(face: Face, luma: Field, canvas: Canvas) -> Field:
    """Return the small dark shapes that are filled rather than outlined: eyes, nostrils, lips."""
    eyes = canvas.mask(*(eye.opening for eye in face.eyes)) * np.clip((0.80 - luma) * 1.45, 0.0, 0.97)
    lips = canvas.mask(face.upper_lip) * 0.24 + canvas.mask(face.lower_lip) * np.clip(0.62 - luma, 0.05, 0.5) * 0.45
    nostrils = 0.72 * canvas.blur(canvas.mask(*face.nostrils), 0.0020)
    return np.asarray(np.clip(np.maximum.reduce([eyes, lips, nostrils]), 0.0, 1.0))


def _lines_behind(face: Face) -> list[Line]:
    """Return the lines that the head hides: ears, neck and clothes."""
    low, high = (0.36, 0.16) if face.traits.collar == "turtle" else (0.42, 0.16)
    height = face.neck[:, 1] - face.centre[1]
    beside = (height > high) & (height < low)
    right = face.neck[:, 0] > face.centre[0]
    lines: list[Line] = [(face.neck[beside & right], 0.0034, 0.55), (face.neck[beside & ~right], 0.0034, 0.55)]
    lines += [(np.concatenate([piece, piece[:1]]), 0.0030, 0.46) for piece in face.collar]
    shoulder = face.torso[np.abs(face.torso[:, 0] - 0.5) > 0.13]
    lines += [(shoulder[shoulder[:, 0] > 0.5], 0.0034, 0.50), (shoulder[shoulder[:, 0] < 0.5], 0.0034, 0.50)]
    lines += [(fold, 0.0026, 0.26) for fold in face.folds]
    lines += [(np.concatenate([ear, ear[:1]]), 0.0034, 0.60) for ear in face.ears]
    return lines + [(fold, 0.0030, 0.45) for fold in face.ear_folds]


def _lines_of_face(face: Face) -> list[Line]:
    """Return the contour of the face, and the lines within it."""
    outline = np.concatenate([face.head, face.head[:1]]) if face.traits.style == "bald" else face.jaw
    lines: list[Line] = [(outline, 0.0036, 0.62), (outline, 0.0024, 0.34)]
    lines += [(line, 0.0024, 0.10 + 0.42 * face.traits.age) for line in face.smile_lines]
    for eye in face.eyes:
        lines += [(eye.crease, 0.0026, 0.25 + 0.32 * face.traits.crease), (eye.lower, 0.0024, 0.52)]
        lines += [(eye.upper, 0.0064, 0.93)]
    lines += [(line, 0.0034, dark) for line, dark in zip(face.nose_lines, (0.62, 0.62, 0.42), strict=True)]
    under = face.lower_lip[len(face.mouth_line) + 8 : -8]
    lines += [(face.upper_lip[: len(face.mouth_line)], 0.0022, 0.36), (under, 0.0028, 0.42)]
    return [*lines, (face.mouth_line, 0.0046, 0.86)]


def _lines_in_front(face: Face, hair: Hair) -> list[Line]:
    """Return the lines that nothing hides: glasses, and the loose outline of the hair."""
    dark = 0.75 * (1.0 - 0.75 * float(hair_colour(face) @ _LUMA))
    lines: list[Line] = []
    if face.traits.style not in {"buzz", "curly"}:
        lines += [(patch.outer, 0.0026, dark) for patch in hair.front[:1]]
    lines += [(np.concatenate([lens, lens[:3]]), 0.0046, 0.86) for lens in face.lenses]
    return lines + [(rim, 0.0042, 0.82) for rim in face.rims]


def _draw_lines(lines: list[Line], canvas: Canvas, rng: np.random.Generator) -> Field:
    """Return the ink of lines as a hand draws them: trembling, swelling in the middle, lifted at the ends."""
    image, pen = canvas.blank()
    chance = rng.random((len(lines), 6))
    for (curve, width, dark), (one, two, three, four, press, skew) in sorted(
        zip(lines, chance.tolist(), strict=True), key=lambda item: item[0][2]
    ):
        ribbon = _ribbon(curve, width, (one, two, three, four, skew))
        pen.polygon(canvas.dots(ribbon), fill=round(255 * dark * (0.90 + 0.10 * press)))
    return canvas.shrink(image)


def _ribbon(curve: Points, width: float, chance: tuple[float, float, float, float, float]) -> Points:
    """Return the outline of one stroke along a curve."""
    step = np.gradient(curve, axis=0)
    length = np.sqrt((step**2).sum(axis=1)) + 1e-9
    across = np.stack([-step[:, 1], step[:, 0]], axis=1) / length[:, None]
    run = np.cumsum(length)
    tremor = 0.0011 * np.sin(run * 46 + 6.28 * chance[0]) + 0.0008 * np.sin(run * 103 + 6.28 * chance[1])
    share = run / run[-1]
    press = 0.78 + 0.22 * np.sin(run * 31 + 6.28 * chance[2]) + 0.15 * np.sin(run * 77 + 6.28 * chance[3])
    taper = np.minimum(1.0, 0.30 + 5.0 * np.minimum(share, (1.0 - share) * (0.8 + 0.4 * chance[4])))
    half = (0.5 * width * press * taper)[:, None]
    middle = curve + across * (tremor * min(1.0, float(run[-1]) / 0.1))[:, None]
    return np.concatenate([middle + across * half, (middle - across * half)[::-1]])


def _strokes(hair: Hair, luma: Field, scene: Scene, canvas: Canvas, rng: np.random.Generator) -> Field:
    """Return the ink of hair and beard: strokes that follow the strands, over a smudge as dark as the hair."""
    where = np.maximum(scene.hair, scene.beard)
    if not where.any():
        return where
    pulled = np.zeros_like(where)
    for patches in (hair.back, hair.beard, hair.front):
        if patches:
            pulled = np.maximum(pulled, _pull([patch.strands for patch in patches], canvas, rng))
    dark = np.clip(1.04 - 1.18 * luma, 0.05, 0.96)
    return np.asarray(where * dark * np.clip(0.24 + 0.52 * dark * dark + 0.70 * pulled, 0.0, 1.0))


def _pull(strands: list[Points], canvas: Canvas, rng: np.random.Generator, *, lightest: int = 60) -> Field:
    """Draw every strand, (S, P, 2) a list's entry, as one pencil stroke, harder here, softer there."""
    image, pen = canvas.blank()
    for group in strands:
        press, thick = rng.random((2, len(group)))
        levels = (lightest + (255 - lightest) * press**1.3).astype(int).tolist()
        widths = [canvas.width(length) for length in (0.0016 + 0.0018 * thick).tolist()]
        for path, level, width in zip(canvas.paths(group), levels, widths, strict=True):
            pen.line(path, fill=level, width=width)
    return canvas.shrink(image)
