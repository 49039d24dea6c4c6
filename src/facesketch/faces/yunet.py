"""YuNet (Wu, Peng & Yu 2023) through OpenCV: a quick look for faces, then a close one at the eyes of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.errors import CheckpointError
from facesketch.faces.face import Face
from facesketch.faces.frame import Point
from facesketch.faces.warp import inverse, moved, similarity, warp

Points = NDArray[np.float64]

_SCORE = 0.6
_FIRST, _FARTHER = 320, 1280  # pixels of the longer side
_OTHERS = (160, 224, 640)
_LEAST = 64  # pixels of a side: in a strip of 32 OpenCV reads what it never wrote, and sees faces of any size in it
_SMALL = 0.12  # a largest face of less than this share of the longer side means a crowd

# The close look: the eyes so many pixels apart, amid such a window. Measured on CUHK's crops turned and scaled at
# random, YuNet's eyes scatter by 3.5 of 50 pixels of eye distance in a quick look, by 1.1 in such a close one, and by
# 0.7 when the mirrored window is looked at too.
_APART = 100.0
_WINDOW = (320, 380)
_EYES: tuple[Point, Point] = ((110.0, 171.0), (210.0, 171.0))
_LOOKS, _SETTLED = 4, 0.1  # look again when the eyes were off by more than this share of their distance
_TURNED = 0.7  # least ratio of the eyes' distance to that between eyes and mouth; it is 0.94 in CUHK's crops
# Measured on the 376 published crops, whose eyes are 50 pixels apart: YuNet sees them 51.3 apart and 0.6 lower.
_WIDE, _LOW = 1.027, 0.011
_MIRRORED = [1, 0, 2, 4, 3]


def found(network: Any, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (N, 15) faces of a (H, W, 3) picture, blue first: box, five points, score.

    Args:
        network: OpenCV's `FaceDetectorYN`.
        picture: continued with black, to the right and below, where it is too thin for OpenCV.
    """
    height, width = picture.shape[:2]
    whole = np.zeros((max(_LEAST, height), max(_LEAST, width), 3), dtype=np.uint8)
    whole[:height, :width] = picture
    network.setInputSize((whole.shape[1], whole.shape[0]))
    _, rows = network.detect(whole)
    return np.empty((0, 15), dtype=np.float32) if rows is None else np.asarray(rows)


def open_network(kind: Any, path: Path, *rest: Any) -> Any:
    """Return OpenCV's network of a kind, such as `cv2.FaceDetectorYN`, from an ONNX file.

    Raises:
        CheckpointError: it is not there, or OpenCV cannot read it.
    """
    import cv2

    if not path.is_file():
        raise CheckpointError(f"{path}: no such file", "expected an ONNX model, as `facesketch models fetch` brings")
    try:
        return kind.create(str(path), "", *rest)
    except cv2.error as error:
        raise CheckpointError(f"{path}: OpenCV cannot read it", "expected an ONNX model, so fetch it again") from error


class YuNet:
    """Finds faces from about 20 pixels, tilted by up to 45°, on photos and on sketches.

    Args:
        model: the ONNX file.

    Raises:
        CheckpointError: it is not there, or OpenCV cannot read it.
    """

    def __init__(self, model: Path) -> None:
        import cv2

        self._net = open_network(cv2.FaceDetectorYN, model, (_FIRST, _FIRST), _SCORE)

    def detect(self, image: Image.Image) -> list[Face]:
        """Return the faces in any order; the eyes off by a twelfth of their distance, more on tilted heads."""
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
        for row in found(self._net, np.asarray(small.convert("RGB"))[:, :, ::-1]):
            points = _points(row) * back
            left, top, width, height = (row[:4].astype(np.float64) * np.tile(back, 2)).tolist()
            faces.append(Face((left, top, width, height), _pupils(points), points, min(1.0, float(row[14]))))
        return faces

    def refine(self, image: Image.Image, face: Face) -> Face:
        """Return the face with the points that a close and level look gives; the same face where it shows none."""
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
        """Return the five points by a look at the levelled face, and another at its mirror image."""
        matrix = similarity(_pupils(points), _EYES)
        window, _ = warp(image, matrix, _WINDOW, quick=True)
        mirrored = window.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        back = np.array([_WINDOW[0], 0.0])
        looks = [*self._amid(window), *(back + points[_MIRRORED] * (-1, 1) for points in self._amid(mirrored))]
        return moved(inverse(matrix), np.mean(looks, axis=0)) if looks else None

    def _amid(self, window: Image.Image) -> Iterator[Points]:
        """Yield the points of the face in the middle of the window, if it is there."""
        middle = np.mean(_EYES, axis=0)
        for row in found(self._net, np.asarray(window.convert("RGB"))[:, :, ::-1]):
            points = _points(row)
            if np.abs(points[:2].mean(axis=0) - middle).max() < _APART / 2:
                yield points
                return


def _points(row: NDArray[np.float32]) -> Points:
    return row[4:14].astype(np.float64).reshape(5, 2)


def _pupils(points: Points) -> tuple[Point, Point]:
    """Return where the published crops would have the eyes of a face with these points.

    Where the head is turned away, the eyes draw together; they are taken apart again so that a profile does not fill
    the frame.
    """
    middle, apart = points[:2].mean(axis=0), points[1] - points[0]
    length = max(float(np.hypot(*apart)), 1e-6)
    down = float(np.hypot(*(points[3:].mean(axis=0) - middle)))
    half = apart / 2 * max(1.0, _TURNED * down / length) / _WIDE
    middle = middle - 2 * _LOW * np.array([-half[1], half[0]])
    (left_x, left_y), (right_x, right_y) = (middle - half).tolist(), (middle + half).tolist()
    return (left_x, left_y), (right_x, right_y)
