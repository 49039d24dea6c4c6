"""YuNet (Wu, Peng & Yu 2023): a quick look for faces, then a close one at the eyes of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.errors import CheckpointError
from facesketch.faces.face import Face
from facesketch.faces.frame import Point
from facesketch.faces.warp import inverse, moved, similarity, warp
from facesketch.weights.session import open_published

Array = NDArray[np.float32]
Points = NDArray[np.float64]

_SCORE = 0.6
_OVERLAP = 0.3  # share of both boxes' area; beyond it they are one face, and the surer box stays
_MOST = 5000  # the surest boxes; only these are compared with each other
_STRIDES = (8, 16, 32)
_NUMBERS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}  # of a cell: face, there, box, points
_HEADS = {f"{head}_{stride}": numbers for head, numbers in _NUMBERS.items() for stride in _STRIDES}
# ONNX Runtime rejects two things in the published files. Each gets a replacement of as many bytes: names, which stand
# for any length, in place of sides of 640 pixels; and no block size for the 8-bit biases, whose one block holds all 64.
_READABLE = {
    b"\n\x03\x08\x80\x05" * 2: b"\n\x03\x12\x01h\n\x03\x12\x01w",
    b"block_size\x18\x40\xa0\x01\x02*\x0b\n\x04axis\x18\x00": b"block_size\x18\x00\xa0\x01\x02*\x0b\n\x04axis\x18\x00",
}
_FIRST, _FARTHER = 320, 1280  # pixels of the longer side
_OTHERS = (160, 224, 640)
_LEAST = 64  # pixels; black fills up a shorter side to this, and a longer one to the next multiple of 32
_SMALL = 0.12  # if the largest face is below this share of the longer side, the picture shows a crowd

# The close look puts the eyes this many pixels apart, in the middle of a window of this size. On CUHK's crops, turned
# and scaled at random, YuNet's eyes scatter by 3.5 pixels in a quick look, where they are 50 pixels apart; by 1.1 in a
# close one; and by 0.7 with a look at the mirrored window too.
_APART = 100.0
_WINDOW = (320, 380)
_EYES: tuple[Point, Point] = ((110.0, 171.0), (210.0, 171.0))
_LOOKS, _SETTLED = 4, 0.1  # look up to 4 times, until the eyes move by less than this share of their distance
_TURNED = 0.7  # least ratio of the eyes' distance to that of eyes and mouth; in CUHK's crops it is 0.94
# Measured on the 376 published crops, whose eyes are 50 pixels apart: YuNet sees them 51.3 apart and 0.6 lower.
_WIDE, _LOW = 1.027, 0.011
_MIRRORED = [1, 0, 2, 4, 3]


class YuNet:
    """Finds faces of about 20 pixels or more, tilted by up to 45°, in photos and sketches.

    Args:
        model: the ONNX file.

    Raises:
        CheckpointError: the file is missing, ONNX Runtime cannot read it, or it is not YuNet of 2023.
    """

    def __init__(self, model: Path) -> None:
        self._net = open_published(model, _readable)
        pictures, heads = self._net.get_inputs(), {head.name: head.shape[-1:] for head in self._net.get_outputs()}
        sides = [side for picture in pictures for side in picture.shape[2:]]
        named = [picture.name for picture in pictures] == ["input"]
        named &= all(heads.get(name) == [numbers] for name, numbers in _HEADS.items())
        if not named or any(isinstance(side, int) for side in sides):
            raise CheckpointError(f"{model}: not YuNet of 2023", "give face_detection_yunet_2023mar.onnx or its int8bq")

    def found(self, picture: NDArray[np.uint8]) -> Array:
        """Return (N, 15) faces of a (H, W, 3) picture, the surest first: box, five points, score."""
        height, width = picture.shape[:2]
        down, across = (max(_LEAST, 32 * math.ceil(side / 32)) for side in (height, width))
        whole = np.zeros((1, 3, down, across), dtype=np.float32)  # black beyond the picture
        whole[0, :, :height, :width] = picture[..., ::-1].transpose(2, 0, 1)  # blue first
        heads = self._net.run([*_HEADS], {"input": whole})
        levels = [_decoded(heads[level::3], stride, across // stride) for level, stride in enumerate(_STRIDES)]
        return _distinct(np.concatenate(levels))

    def detect(self, image: Image.Image) -> list[Face]:
        """Return the faces in any order; their eyes are off by a twelfth of their distance, or more on tilted heads."""
        faces = self._at(image, _FIRST)
        largest = max((max(face.box[2:]) for face in faces), default=0.0)
        if max(image.size) > 2 * _FIRST and largest < _SMALL * max(image.size):
            faces = self._at(image, _FARTHER) or faces
        for longest in _OTHERS:
            faces = faces or self._at(image, longest)
        return faces

    def _at(self, image: Image.Image, longest: int) -> list[Face]:
        scale = longest / max(image.size)
        size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
        small = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        back = np.array([image.width / size[0], image.height / size[1]])
        faces = []
        for row in self.found(np.asarray(small.convert("RGB"))):
            points = _points(row) * back
            left, top, width, height = (row[:4].astype(np.float64) * np.tile(back, 2)).tolist()
            faces.append(Face((left, top, width, height), _pupils(points), points, min(1.0, float(row[14]))))
        return faces

    def refine(self, image: Image.Image, face: Face) -> Face:
        """Return the face with the points from a close, level look, or unchanged if that look finds no face."""
        points = face.points
        assert points is not None, "YuNet's faces have points"
        for _ in range(_LOOKS):
            seen = self._closely(image, points)
            if seen is None:
                break
            off = np.abs(seen[:2] - points[:2]).max() / math.dist(*_pupils(points))
            points = seen
            if off < _SETTLED:
                break
        return replace(face, points=points, eyes=_pupils(points))

    def _closely(self, image: Image.Image, points: Points) -> Points | None:
        """Return the mean of the five points in the levelled face and in its mirror image."""
        matrix = similarity(_pupils(points), _EYES)
        window, _ = warp(image, matrix, _WINDOW, quick=True)
        mirrored = window.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        back = np.array([_WINDOW[0], 0.0])
        looks = [*self._amid(window), *(back + points[_MIRRORED] * (-1, 1) for points in self._amid(mirrored))]
        return moved(inverse(matrix), np.mean(looks, axis=0)) if looks else None

    def _amid(self, window: Image.Image) -> Iterator[Points]:
        """Yield the points of the face in the middle of the window, if it is there."""
        middle = np.mean(_EYES, axis=0)
        for row in self.found(np.asarray(window.convert("RGB"))):
            points = _points(row)
            if np.abs(points[:2].mean(axis=0) - middle).max() < _APART / 2:
                yield points
                return


def _readable(model: bytes) -> bytes:
    for old, new in _READABLE.items():
        model = model.replace(old, new)
    return model


def _decoded(heads: list[Array], stride: int, across: int) -> Array:
    """Return the (N, 15) faces of a grid of `across` cells a row; sizes come as logarithms, places within cells."""
    face, there, box, points = (head[0] for head in heads)
    score = np.sqrt(face.clip(0, 1) * there.clip(0, 1))[:, 0]
    sure = np.flatnonzero(score >= _SCORE)
    cell = np.stack([sure % across, sure // across], axis=1).astype(np.float32)
    middle, size = (cell + box[sure, :2]) * stride, np.exp(box[sure, 2:]) * stride
    return np.column_stack([middle - size / 2, size, (np.tile(cell, 5) + points[sure]) * stride, score[sure]])


def _distinct(faces: Array) -> Array:
    """Return the faces, the surest first, without those whose box is nearly that of a surer one."""
    faces = faces[np.argsort(-faces[:, 14], kind="stable")[:_MOST]]
    low, size = faces[:, :2].astype(int), faces[:, 2:4].astype(int)  # whole pixels, as in OpenCV
    kept, left = [], np.arange(len(faces))
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        ends = np.minimum(low[first] + size[first], low[left] + size[left])
        shared = (ends - np.maximum(low[first], low[left])).clip(0).prod(axis=1)
        both = size[first].prod() + size[left].prod(axis=1) - shared
        left = left[shared <= _OVERLAP * both]
    return faces[kept]


def _points(row: Array) -> Points:
    return row[4:14].astype(np.float64).reshape(5, 2)


def _pupils(points: Points) -> tuple[Point, Point]:
    """Return where the published crops would have the eyes of a face with these points.

    If the head is turned away, the eyes lie close together; they are moved apart, so that a profile does not fill the
    frame.
    """
    middle, apart = points[:2].mean(axis=0), points[1] - points[0]
    length = max(float(np.hypot(*apart)), 1e-6)
    down = float(np.hypot(*(points[3:].mean(axis=0) - middle)))
    half = apart / 2 * max(1.0, _TURNED * down / length) / _WIDE
    middle = middle - 2 * _LOW * np.array([-half[1], half[0]])
    (left_x, left_y), (right_x, right_y) = (middle - half).tolist(), (middle + half).tolist()
    return (left_x, left_y), (right_x, right_y)
