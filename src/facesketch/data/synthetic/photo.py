"""The photo of a drawn face: a height field lit from one side, with features, hair and clothes composited on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facesketch.data.synthetic.canvas import Canvas, Field
from facesketch.data.synthetic.face import EYE_OFFSET, Eye, Face, Points
from facesketch.data.synthetic.hair import Hair, Patch
from facesketch.data.synthetic.traits import HAIR_COLOURS, IRIS_COLOURS, Colour

_SKIN_TONES = (
    np.array([(252, 226, 211), (242, 206, 182), (228, 180, 146), (202, 148, 108), (150, 99, 70), (86, 56, 43)]) / 255.0
)


@dataclass(frozen=True)
class Scene:
    """What the artist sees: the photo before the camera's noise, and which part of it is what.

    Attributes:
        rgb: (side, side, 3) in [0, 1].
        head: where the head is, also where something covers it.
        skin, hair, beard, cloth: where each of them shows.
        shade: how far the skin lies in shadow, from 0 (lit) to 1, whatever its colour.
    """

    rgb: Field
    head: Field
    skin: Field
    hair: Field
    beard: Field
    cloth: Field
    shade: Field


def paint_scene(face: Face, hair: Hair, canvas: Canvas) -> Scene:
    """Paint a face in colour."""
    lamp = np.array([0.74 * face.traits.light, -(0.40 + 0.28 * face.traits.light_height), 0.72])
    lamp = lamp / np.sqrt((lamp**2).sum())  # the unit vector to it: x right, y down, z towards the viewer
    tone = _skin_tone(face)
    glow = 1.04 - 0.10 * face.traits.light * (canvas.x - 0.5) - 0.16 * canvas.y  # brighter behind the lit shoulder
    glow = glow - 0.28 * ((canvas.x - 0.5) ** 2 + (canvas.y - 0.5) ** 2)
    rgb = np.asarray(glow[..., None] * _unit(face.traits.backdrop))
    behind = _paint_hair(rgb, face, hair.back, np.zeros((0, 3)), canvas, lamp)
    head, ears, neck = canvas.mask(face.head), canvas.mask(*face.ears), canvas.mask(face.neck)
    front = _hair_mask(hair.front, hair.lumps, canvas)
    shade = _paint_neck(rgb, face, tone, neck, head, canvas, lamp)
    cloth = _paint_clothes(rgb, face, canvas, lamp)
    side = np.sign(canvas.x - face.centre[0]) + 0.0 * canvas.y
    fold = canvas.blur(canvas.lines(face.ear_folds, 0.010), 0.0035)
    ear = (0.58 + 0.24 * side * np.sign(lamp[0])) * (1 - 0.55 * fold)
    _over(rgb, np.sqrt(ear[..., None] * tone * np.array([1.10, 0.94, 0.90])), ears)
    lit, gloss = _relief(face, canvas, lamp)
    cast = canvas.blur(canvas.shift(front, -0.010 * face.traits.light, 0.014), 0.010)
    lit *= (1.0 - 0.34 * cast)[..., None]
    _over(rgb, _skin(face, tone, lit, gloss, canvas), head)
    for eye in face.eyes:
        _paint_eye(rgb, face, eye, lit, canvas)
    _paint_lips(rgb, face, canvas)
    _darken(rgb, 0.62 * canvas.blur(canvas.lines(face.nose_lines, 0.0042), 0.0030))
    _darken(rgb, 0.85 * canvas.blur(canvas.mask(*face.nostrils), 0.0022))
    _darken(rgb, (0.05 + 0.26 * face.traits.age) * canvas.blur(canvas.lines(face.smile_lines, 0.006), 0.005))
    beard = _paint_hair(rgb, face, hair.beard, np.zeros((0, 3)), canvas, lamp, soft=0.006, within=head)
    _paint_brows(rgb, face, canvas)
    hairy = _paint_hair(rgb, face, hair.front, hair.lumps, canvas, lamp)
    _paint_glasses(rgb, face, canvas)
    shade = shade + head * (1.0 - np.clip(lit[..., 1] / 0.95, 0.0, 1.0) - shade)
    body = np.maximum.reduce([head, ears, neck])
    return Scene(
        rgb=np.clip(rgb, 0.0, 1.0),
        head=head,
        skin=body * (1 - np.maximum(cloth * (1 - head), hairy)),
        hair=np.maximum(hairy, behind * (1 - np.maximum(body, cloth))),
        beard=beard * (1 - hairy),
        cloth=cloth * (1 - np.maximum(head, hairy)),
        shade=shade,
    )


def _over(rgb: Field, colour: Field | tuple[float, ...], alpha: Field) -> None:
    rgb += alpha[..., None] * (np.asarray(colour) - rgb)


def _unit(colour: Colour) -> Field:
    return np.array(colour) / 255.0


def _skin_tone(face: Face) -> Field:
    """Return the skin's colour in linear light (squared: a gamma of 2)."""
    at = face.traits.tone * (len(_SKIN_TONES) - 1)
    tone = np.array([np.interp(at, np.arange(len(_SKIN_TONES)), _SKIN_TONES[:, channel]) for channel in range(3)])
    return (tone * (1.0 + np.array([0.012, 0.0, -0.05]) * face.traits.undertone)) ** 2


def _relief(face: Face, canvas: Canvas, lamp: Points) -> tuple[Field, Field]:
    """Light the head's height field.

    Returns:
        The light that falls on each pixel, (side, side, 3), red reaching further into the shadow as it does in skin;
        and the gloss, (side, side).
    """
    nx = (canvas.x - face.centre[0]) / (1.10 * face.half) + 0 * canvas.y
    ny = (canvas.y - face.centre[1] - 0.005) / 0.345 + 0 * canvas.x
    scale = np.minimum(1.0, 0.97 / np.sqrt(nx**2 + ny**2 + 1e-9))
    nx, ny = 0.97 * nx * scale, 0.88 * ny * scale
    nz = np.sqrt(np.maximum(1.0 - nx**2 - ny**2, 0.03))
    x, y, across, down, height = np.array(_bumps(face)).T[:, :, None]
    gx, gy = (canvas.x - face.centre[0] - x) / across, (canvas.y.T - face.centre[1] - y) / down
    ex, ey = height * np.exp(-0.5 * gx**2), np.exp(-0.5 * gy**2)
    nx, ny = nx / nz - ey.T @ (-gx / across * ex), ny / nz - (-gy / down * ey).T @ ex
    nz = 1.0 / np.sqrt(nx**2 + ny**2 + 1.0)
    nx, ny = nx * nz, ny * nz
    facing = nx * lamp[0] + ny * lamp[1] + nz * lamp[2]
    wrap = np.array([0.42, 0.30, 0.25])
    diffuse = np.maximum((facing[..., None] + wrap) / (1.0 + wrap), 0.0)
    fill = np.maximum(0.35 * nz - 0.22 * nx * np.sign(lamp[0]), 0.0)
    lit = 0.11 + 0.86 * diffuse + 0.14 * fill[..., None] * np.array([0.92, 0.98, 1.08])
    half = lamp + np.array([0.0, 0.0, 1.0])
    half = half / np.sqrt((half**2).sum())
    gloss = np.maximum(nx * half[0] + ny * half[1] + nz * half[2], 0.0) ** 26
    return lit * _hollows(face, canvas)[..., None], gloss


def _bumps(face: Face) -> list[tuple[float, float, float, float, float]]:
    """Return the relief as Gaussians (x, y, across, down, height); positive heights come towards the viewer."""
    t, (wing, base), (mouth, lip), chin = face.traits, face.nose, face.mouth, face.chin
    turn = 0.006 * t.turn
    middle = [
        (turn * 0.5, 0.012, 0.0145, 0.045, 0.0085),
        (turn, base - 0.048, 0.017, 0.034, 0.012),
        (turn, base - 0.016, 0.55 * wing, 0.0165, 0.0155),
        (turn, lip - 0.015, 0.07, 0.045, 0.010),
        (turn, lip - 0.010, 0.5 * mouth, 0.0085, 0.0025),
        (turn, lip + 0.012, 0.45 * mouth, 0.010, 0.0050),
        (turn, lip + 0.038, 0.040, 0.011, -0.0055),
        (turn, chin - 0.042, 0.038, 0.027, 0.0105),
        (turn, base + 0.022, 0.006, 0.014, -0.0020),
        (0.0, -0.058, 0.034, 0.022, 0.0032),
        (0.0, -0.150, 0.115, 0.055, 0.0085),
    ]
    paired = [
        (0.80 * wing, base - 0.012, 0.0105, 0.011, 0.0060),
        (0.088, -0.052, 0.050, 0.016, 0.0055),
        (EYE_OFFSET, -0.022, 0.042, 0.016, -0.0070),
        (0.052, -0.002, 0.016, 0.020, -0.0070),
        (EYE_OFFSET, 0.0, 0.032, 0.018, 0.0070),
        (EYE_OFFSET, 0.031, 0.036, 0.010, -0.0030 - 0.0025 * t.age),
        (0.132, 0.088, 0.048, 0.042, 0.0100 + 0.004 * t.smile),
        (0.150, 0.190, 0.036, 0.050, -0.0065 * (1.1 - t.jaw)),
        (mouth + 0.012, lip, 0.012, 0.020, -0.0035 * (0.4 + t.smile)),
    ]
    return middle + [(side * x, y, a, d, z) for x, y, a, d, z in paired for side in (-1.0, 1.0)]


def _hollows(face: Face, canvas: Canvas) -> Field:
    """Return how much light is let in where the face folds: beside the nose, under it, under the lip."""
    at, base, lip = face.centre, face.nose[1], face.mouth[1]
    dark = 0.30 * canvas.spot(at + np.array([0.0, base + 0.012]), 0.030, 0.010) + 0.14 * canvas.spot(
        at + np.array([0.0, lip + 0.036]), 0.034, 0.009
    )
    for side in (-1.0, 1.0):
        dark += 0.24 * canvas.spot(at + np.array([side * 0.058, -0.012]), 0.018, 0.022)
        dark += 0.13 * canvas.spot(at + np.array([side * EYE_OFFSET, -0.022]), 0.042, 0.013)
    return 1.0 - dark


def _skin(face: Face, tone: Field, lit: Field, gloss: Field, canvas: Canvas) -> Field:
    """Return the head's colour, (side, side, 3): blush, age and gloss included."""
    at, ruddy = face.centre, 0.45 + 0.55 * face.traits.ruddy
    flush = canvas.spot(at + np.array([0.0, face.nose[1] - 0.02]), 0.036, 0.026) * 0.6
    for side in (-1.0, 1.0):
        flush = flush + canvas.spot(at + np.array([side * 0.135, 0.098]), 0.050, 0.036)
    flush = np.clip(flush, 0.0, 1.0)[..., None] * ruddy
    colour = lit * tone * (1.0 - flush * np.array([0.015, 0.18, 0.15]))
    colour += gloss[..., None] * (0.055 + 0.05 * face.traits.tone) * np.array([1.0, 0.96, 0.9])
    return np.asarray(np.sqrt(np.maximum(colour, 0.0)))


def _paint_neck(rgb: Field, face: Face, tone: Field, neck: Field, head: Field, canvas: Canvas, lamp: Points) -> Field:
    """Paint the neck under the chin's shadow and return its shade."""
    nx = np.clip((canvas.x - face.centre[0]) / 0.17, -0.97, 0.97)
    facing = nx * lamp[0] + np.sqrt(1 - nx**2) * lamp[2] + 0.0 * canvas.y
    shadow = canvas.blur(canvas.shift(head, -0.022 * face.traits.light, 0.050), 0.016)
    light = (0.22 + 0.70 * np.maximum((facing + 0.4) / 1.4, 0.0)) * (1.0 - 0.62 * shadow)
    _over(rgb, np.sqrt(light[..., None] * tone * np.array([1.0, 0.95, 0.92])), neck)
    return np.asarray(np.clip(1.0 - light / 0.95, 0.0, 1.0) * neck)


def _paint_clothes(rgb: Field, face: Face, canvas: Canvas, lamp: Points) -> Field:
    mask = np.maximum(canvas.mask(face.torso), canvas.mask(*face.collar))
    soft = canvas.blur(mask, 0.03)
    lean = np.clip((canvas.x - face.centre[0]) / 0.6, -0.9, 0.9) * lamp[0] + 0.0 * canvas.y
    folds = canvas.blur(canvas.lines(face.folds, 0.012), 0.007)
    light = 0.62 + 0.36 * lean + 0.24 * soft - 0.16 * folds
    colour = np.sqrt(np.maximum(light, 0.05))[..., None] * _unit(face.traits.cloth)
    _over(rgb, colour, mask)
    band = canvas.mask(*face.collar)
    edge = canvas.blur(band, 0.006)
    _over(rgb, 0.72 * colour, np.clip(edge - band, 0.0, 1.0) * mask * 0.9)
    _over(rgb, np.minimum(colour * 1.07 + 0.03, 1.0), band)
    return mask


def _darken(rgb: Field, amount: Field) -> None:
    """Deepen a shadow; skin's shadows turn red, not grey."""
    rgb *= 1.0 - amount[..., None] * np.array([0.62, 0.76, 0.80])


def _paint_eye(rgb: Field, face: Face, eye: Eye, lit: Field, canvas: Canvas) -> None:
    opening = canvas.mask(eye.opening)
    _darken(rgb, 0.50 * canvas.blur(canvas.lines((eye.crease,), 0.0035), 0.0025) * (0.35 + 0.65 * face.traits.crease))
    _darken(rgb, 0.30 * canvas.blur(canvas.lines((eye.lower,), 0.004), 0.003))
    (x, y), radius = eye.iris, eye.radius
    light = np.sqrt(np.clip(lit[..., 1:2] + 0.12, 0.0, 1.0))
    _over(rgb, light * np.array([0.955, 0.935, 0.920]), opening)
    away = np.sqrt((canvas.x - x) ** 2 + (canvas.y - y) ** 2) / radius
    edge = canvas.pixels(radius)
    ring = np.clip((away - 0.62) / 0.38, 0.0, 1.0)[..., None] ** 2
    glow = 1.0 + 0.30 * np.clip((canvas.y - y) / radius, -1.0, 1.0)[..., None]
    _over(
        rgb,
        _unit(IRIS_COLOURS[face.traits.iris]) * glow * (1.0 - 0.68 * ring),
        opening * np.clip((1.0 - away) * edge + 0.5, 0.0, 1.0),
    )
    _over(rgb, (0.035, 0.03, 0.03), opening * np.clip((0.44 - away) * edge + 0.5, 0.0, 1.0))
    lid = canvas.blur(canvas.lines((eye.upper + np.array([0.0, 0.004]),), 0.010), 0.004)
    rgb *= 1.0 - (0.55 * lid * opening)[..., None]
    _over(rgb, (0.10, 0.07, 0.065), canvas.lines((eye.upper,), 0.0065) * 0.92)
    _over(rgb, (0.30, 0.20, 0.18), canvas.lines((eye.lower[:-8],), 0.0028) * 0.55)
    glint = canvas.spot(eye.iris + 0.30 * radius * np.array([np.sign(face.traits.light), -1.0]), 0.0034, 0.0034)
    _over(rgb, (1.0, 1.0, 1.0), np.clip(1.6 * glint, 0.0, 1.0) * opening * 0.95)


def _paint_lips(rgb: Field, face: Face, canvas: Canvas) -> None:
    upper, lower = canvas.mask(face.upper_lip), canvas.mask(face.lower_lip)
    rose = 0.55 + 0.45 * face.traits.ruddy
    both = canvas.blur(np.clip(upper + lower, 0.0, 1.0), 0.0025)
    rgb *= 1.0 - (both * rose)[..., None] * np.array([0.10, 0.34, 0.27])
    _darken(rgb, 0.24 * canvas.blur(upper, 0.002))
    middle = face.mouth_line[len(face.mouth_line) // 2]
    shine = canvas.spot(middle + np.array([0.012 * np.sign(face.traits.light), 0.013]), 0.020, 0.0042) * lower
    _over(rgb, (1.0, 0.93, 0.90), 0.20 * shine)
    _darken(rgb, 0.92 * canvas.blur(canvas.lines((face.mouth_line,), 0.0050), 0.0016))


def hairs_of_brow(face: Face, index: int) -> Points:
    """Return the strokes of one brow, (S, 2, 2): from root to tip, fanning outwards."""
    line, thick = face.brows[index]
    side = -1.0 if index == 0 else 1.0
    at = np.linspace(0.0, len(line) - 1.6, 62)
    lanes = np.tile(np.array([-0.7, 0.1, 0.8, -0.3, 0.5]), 13)[:62]
    low = np.floor(at).astype(int)
    root = line[low] + (at - low)[:, None] * (line[low + 1] - line[low])
    half = np.interp(at, np.arange(len(line)), thick)
    root = root + np.stack([np.zeros(62), lanes * half], axis=1)
    steep = np.interp(at, [0.0, len(line) - 1.0], [1.5, 0.1])
    reach = np.stack([side * (0.013 - steep / 300), -0.0065 * steep - 0.4 * lanes * half], axis=1)
    return np.stack([root, root + reach], axis=1)


def _paint_brows(rgb: Field, face: Face, canvas: Canvas) -> None:
    colour = 0.60 * hair_colour(face)
    for index, (line, thick) in enumerate(face.brows):
        up, down = line - np.stack([0 * thick, thick], axis=1), line + np.stack([0 * thick, thick], axis=1)
        body = canvas.blur(canvas.mask(np.concatenate([up, down[::-1]])), 0.0035)
        strokes = canvas.lines(tuple(hairs_of_brow(face, index)), 0.0030)
        _over(rgb, colour, np.clip(0.55 * body + 0.62 * strokes, 0.0, 0.93))


def hair_colour(face: Face) -> Field:
    """Return the colour of the hair, as it varies from person to person."""
    colour = _unit(HAIR_COLOURS[face.traits.hair])
    return np.asarray(np.clip(colour * (1.0 + 0.22 * face.traits.hair_shade), 0.0, 0.9))


def _hair_mask(patches: tuple[Patch, ...], lumps: Points, canvas: Canvas) -> Field:
    image, pen = canvas.blank()
    for patch in patches:
        pen.polygon(canvas.dots(patch.outline), fill=255)
        for path in canvas.paths(patch.strands[::2]):
            pen.line(path, fill=255, width=canvas.width(0.0022))
    for (x, y), radius in zip(canvas.place(lumps[:, :2]).tolist(), lumps[:, 2].tolist(), strict=True):
        reach = canvas.width(radius)
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=255)
    return canvas.blur(canvas.shrink(image), 0.0016)


def _paint_hair(
    rgb: Field,
    face: Face,
    patches: tuple[Patch, ...],
    lumps: Points,
    canvas: Canvas,
    lamp: Points,
    soft: float = 0.0,
    within: Field | float = 0.0,
) -> Field:
    """Paint patches of hair strand by strand, and return where they lie."""
    if not patches:
        return np.zeros(rgb.shape[:2])
    tone = _strand_tones(face, patches, canvas, lamp)
    mask = _hair_mask(patches, lumps, canvas)
    if soft:
        mask = canvas.blur(mask, soft) * np.maximum(mask, 0.8 * within)
    colour = hair_colour(face)
    body = colour * (0.32 + 1.12 * tone[..., None])
    shine = np.clip(tone - 0.55, 0.0, 1.0)[..., None] * (0.30 + 0.35 * colour)
    cover = max(patch.cover for patch in patches)
    _over(rgb, np.clip(body + 0.8 * shine, 0.0, 1.0), mask * cover)
    return mask * cover


def _strand_tones(face: Face, patches: tuple[Patch, ...], canvas: Canvas, lamp: Points) -> Field:
    """Draw each strand with the light on it (Kajiya and Kay's model: bright where it lies across the light)."""
    image, pen = canvas.blank(90)
    width = canvas.width(0.0034)
    for patch in patches:
        pen.polygon(canvas.dots(patch.outline), fill=round(92 * (1 - 0.6 * patch.depth)))
        levels = np.clip(255 * strand_light(face, patch, lamp), 0, 255).astype(int)
        for path, tones in zip(canvas.paths(patch.strands), levels.tolist(), strict=True):
            for piece in range(0, len(tones), 3):
                tone = tones[min(piece + 1, len(tones) - 1)]
                pen.line(path[2 * piece : 2 * piece + 8], fill=tone, width=width)
    return canvas.blur(canvas.shrink(image), 0.0014)


def strand_light(face: Face, patch: Patch, lamp: Points) -> Field:
    """Return the light on every piece of every strand, (S, P - 1), about 0 to 1."""
    start, step = patch.strands[:, :-1], np.diff(patch.strands, axis=1)
    nx = np.clip((start[..., 0] - face.centre[0]) / (1.35 * face.half), -0.9, 0.9)
    ny = np.clip((start[..., 1] - face.centre[1] + 0.02) / 0.40, -0.9, 0.55)
    nz = np.sqrt(np.maximum(1 - nx**2 - ny**2, 0.08))
    tx, ty = step[..., 0], step[..., 1]
    tz = -(nx * tx + ny * ty) / nz
    length = np.sqrt(tx**2 + ty**2 + tz**2) + 1e-9
    half = lamp + np.array([0.0, 0.0, 1.0])
    half = half / np.sqrt((half**2).sum())
    along = (tx * half[0] + ty * half[1] + tz * half[2]) / length
    facing = np.maximum((nx * lamp[0] + ny * lamp[1] + nz * lamp[2] + 0.45) / 1.45, 0.0)
    roots = np.clip(np.linspace(0.15, 2.6, along.shape[1]), 0.0, 1.0)
    gloss = np.maximum(1 - along**2, 0.0) ** 8 * facing * roots
    own = 0.10 * np.sin(np.arange(len(start)) * 2.399963)[:, None]
    return np.asarray((0.15 + 0.36 * facing + 0.30 * gloss + own) * (1 - 0.6 * patch.depth))


def _paint_glasses(rgb: Field, face: Face, canvas: Canvas) -> None:
    if not face.lenses:
        return
    loops = tuple(np.concatenate([lens, lens[:2]]) for lens in face.lenses)
    lens = canvas.mask(*face.lenses)
    shadow = canvas.blur(canvas.lines((*loops, *face.rims), 0.006), 0.004)
    _darken(rgb, 0.30 * canvas.shift(shadow, -0.004 * face.traits.light, 0.008))
    sheen = np.clip(
        1.0 - np.abs((canvas.x - face.centre[0]) % 0.214 - 0.5 * (canvas.y - face.centre[1]) - 0.06) / 0.02, 0.0, 1.0
    )
    _over(rgb, (1.0, 1.0, 1.0), lens * (0.04 + 0.07 * sheen))
    _over(
        rgb,
        (0.11, 0.09, 0.09),
        canvas.lines((*loops, *face.rims), 0.0072 if face.traits.glasses == "square" else 0.0052) * 0.93,
    )
