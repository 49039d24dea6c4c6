"""Turn, scale and shift a picture by one matrix, without aliasing, and continue it softly beyond its border."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageFilter

Matrix = NDArray[np.float64]
"""2x3: takes (x, y, 1) to a place in another picture. Pixel centres lie at half numbers."""

Array = NDArray[np.float32]

_TINY = np.float32(1e-6)
_ANY = [0] + [255] * 255
_RIM = 8
_PAPER, _TINT = 150, 12  # of 255: paper is at least so light, and its channels differ by at most so much
_HEAD = 0.6  # share of the frame's width, in its middle, that hair may fill at the top
_BAND = 0.03  # width of the border that is continued, as a share of the shorter side


def similarity(source: ArrayLike, target: ArrayLike) -> Matrix:
    """Return the rotation, scale and shift that brings (N, 2) points nearest to others; two points fit exactly."""
    start, goal = (np.asarray(points, np.float64) @ (1, 1j) for points in (source, target))
    centred = start - start.mean()
    turn = np.vdot(centred, goal) / np.vdot(centred, centred)
    shift = goal.mean() - turn * start.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse of a matrix."""
    back = np.linalg.inv(matrix[:, :2])
    return np.column_stack([back, -back @ matrix[:, 2]])


def scaled(matrix: Matrix, across: float, down: float | None = None) -> Matrix:
    """Return the matrix followed by a stretch of the picture that it leads to."""
    return np.asarray(matrix * np.array([[across], [across if down is None else down]]))


def moved(matrix: Matrix, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (N, 2) points where the matrix takes them."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)


def warp(
    image: Image.Image, matrix: Matrix, size: tuple[int, int], *, quick: bool = False
) -> tuple[Image.Image, NDArray[np.bool_]]:
    """Return a picture seen through a window, and which of the window's pixels it covers.

    If the picture gets smaller, averaging first brings it near its new size, so that nothing flickers.

    Args:
        image: `L` or `RGB`.
        matrix: from the picture to the window.
        size: (width, height) of the window.
        quick: slightly softer, in a third of the time; enough for finding eyes.

    Returns:
        The window, black where the picture does not reach, and (H, W) whether it does.
    """
    inside = depth(image.size, matrix, size) > 0
    zoom = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    finer = 1 if zoom >= 1 or quick else 2  # drawn twice as fine and halved, because turning alone leaves jagged lines
    drawn = (size[0] * finer, size[1] * finer)
    image, matrix = _near(image, scaled(matrix, finer), zoom * finer, drawn)
    if not inside.all():
        # repeat the border's pixels, so that no kernel mixes in what lies beyond them
        grown = np.pad(
            np.asarray(image), ((_RIM, _RIM), (_RIM, _RIM), (0, 0))[: 3 if image.mode == "RGB" else 2], "edge"
        )
        image = Image.fromarray(grown)
        matrix = np.column_stack([matrix[:, :2], matrix[:, 2] - matrix[:, :2] @ (_RIM, _RIM)])
    kernel = Image.Resampling.BILINEAR if finer == 2 or quick else Image.Resampling.BICUBIC
    seen = image.transform(drawn, Image.Transform.AFFINE, tuple(inverse(matrix).ravel()), kernel)
    return seen if finer == 1 else seen.resize(size, Image.Resampling.LANCZOS), inside


def depth(size: tuple[int, int], matrix: Matrix, window: tuple[int, int]) -> Array:
    """Return how deep in the picture each pixel of the window lies, (H, W) in the picture's pixels; below 0 outside."""
    across, down = (np.arange(side, dtype=np.float32) + np.float32(0.5) for side in window)
    nearest = np.full((window[1], window[0]), np.inf, dtype=np.float32)
    for (along, aside, shift), side in zip(inverse(matrix).astype(np.float32), size, strict=True):
        place = (along * across)[None, :] + (aside * down + shift)[:, None]
        np.minimum(nearest, np.minimum(place, side - place), out=nearest)
    return nearest


def _near(image: Image.Image, matrix: Matrix, zoom: float, window: tuple[int, int]) -> tuple[Image.Image, Matrix]:
    """Cut out what the window can see, and shrink it to the window's scale if it is finer."""
    corners = np.array([(0, 0), (window[0], 0), (0, window[1]), window], dtype=np.float64)
    seen = moved(inverse(matrix), corners)
    margin = 4 + 4 / zoom  # the kernels reach beyond the window
    low = np.clip(np.floor(seen.min(axis=0) - margin), 0, np.array(image.size) - 1)
    high = np.clip(np.ceil(seen.max(axis=0) + margin), low + 1, image.size)
    box = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    turn, shift = matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ low
    part = image.crop(box)
    if zoom < 1:
        smaller = (max(1, round(part.width * zoom)), max(1, round(part.height * zoom)))
        turn = turn * (part.width / smaller[0], part.height / smaller[1])
        part = part.resize(smaller, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return part, np.column_stack([turn, shift])


def continued(image: Image.Image, inside: NDArray[np.bool_]) -> Image.Image:
    """Fill what the picture does not cover with the colours of its border, softer the farther away.

    The background beside the head continues, not hair that the border cuts, and a drawing continues as paper without
    strokes, so a model sees nothing there that it should draw.

    Args:
        image: `L` or `RGB`.
        inside: (H, W) what the picture covers; all of it is filled with grey when it covers nothing.
    """
    if inside.all():
        return image
    array = np.asarray(image, dtype=np.float32)
    if not inside.any():
        return Image.new(image.mode, image.size, (128,) * len(image.getbands()))
    band = inside & near_outside(inside, max(2, round(_BAND * min(image.size))))
    colour = array.reshape(*inside.shape, -1)
    light, tint = colour[band].mean(axis=-1), np.ptp(colour[band], axis=-1)
    usual, ground = np.median(light), band.copy()
    if usual > _PAPER and tint.mean() < _TINT:  # a drawing: continue its paper, not its strokes
        ground[band] = light >= usual
    beside = ground & (np.abs((np.arange(image.width) + 0.5) / image.width - 0.5) > _HEAD / 2)
    weight = (beside if beside.any() else ground)[..., None].astype(np.float32)
    fill = _spread(colour * weight, weight)
    filled = np.where(inside[..., None], colour, fill)
    return Image.fromarray(np.clip(filled + 0.5, 0, 255).astype(np.uint8).reshape(array.shape))


def near_outside(inside: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Return the pixels within `reach` rows and columns of one that is not covered."""
    outside = Image.fromarray(np.where(inside, 0, 255).astype(np.uint8))
    for radius in ((reach, 0), (0, reach)):
        outside = outside.filter(ImageFilter.BoxBlur(radius)).point(_ANY)
    return np.asarray(outside) > 0


def _spread(colour: Array, weight: Array) -> Array:
    """Spread known colours everywhere: a hole takes the mean of the nearest known blocks.

    Args:
        colour: (H, W, C), times its weight.
        weight: (H, W, 1), 0 where nothing is known, up to 1.
    """
    height, width = weight.shape[:2]
    if max(height, width) == 1:
        return np.asarray(colour / np.maximum(weight, _TINY), dtype=np.float32)
    together, known = _block_sums(colour), _block_sums(weight)
    sure = np.minimum(known, 1).astype(np.float32)
    coarse = _spread(np.asarray(together / np.maximum(known, _TINY) * sure, dtype=np.float32), sure)
    finer = (2 * coarse.shape[1], 2 * coarse.shape[0])
    layers = (
        Image.fromarray(coarse[..., layer]).resize(finer, Image.Resampling.BILINEAR) for layer in range(coarse.shape[2])
    )
    around = np.stack([np.asarray(layer) for layer in layers], axis=-1)[:height, :width]
    return np.asarray(colour + around * (1 - weight), dtype=np.float32)


def _block_sums(values: Array) -> Array:
    """Return the sums over blocks of 2x2 pixels; beyond the last row and column there is nothing."""
    height, width = values.shape[:2]
    even = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)))
    rows = even[0::2] + even[1::2]
    return np.asarray(rows[:, 0::2] + rows[:, 1::2], dtype=np.float32)
