"""Haar cascades (Viola & Jones 2001), which OpenCV brings along: for upright faces that look at the viewer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.errors import MissingExtraError
from facesketch.faces.find import Face, calibrated
from facesketch.faces.frame import Point

Grey = NDArray[np.uint8]

_LONGEST = 320  # pixels of the longer side
_ROOM = 0.2  # of that added around the picture, since a face that fills it would not be found
_LEAST = 1 / 8  # of the longer side: smaller finds are mostly wrong
_STEP, _VOTES = 1.1, 3
_SURE, _ALIKE = 1.0, 0.5  # the scores with both eyes seen, and without

# Measured on 126 of the published crops, whose eyes are 50 pixels apart: where the eyes are, in shares of the found
# box's width from its corner; and the eyes' own boxes lie 51.3 apart, 1.0 to the left and 0.6 lower.
_IN_BOX = ((0.325, 0.389), (0.676, 0.389))
_ALONG, _LOW, _WIDE = -0.020, 0.011, 1.026
_CLOSE = 240  # pixels of the box's width when its eyes are looked for
_EYE = (0.16, 0.32)  # least and largest width of an eye's own box, in shares of the face's
_NEAR = 0.1  # an eye farther than this from where it should be, in shares of the face's width, is something else


class Haar:
    """Finds faces of at least an eighth of the picture.

    Raises:
        MissingExtraError: this OpenCV brings no cascades, as versions from 5 on.
    """

    def __init__(self) -> None:
        self._faces = _cascade("haarcascade_frontalface_alt2.xml")
        self._eyes = _cascade("haarcascade_eye.xml")

    def detect(self, image: Image.Image) -> list[Face]:
        """Return the faces in any order, with the eyes where they usually are in such a box."""
        scale = _LONGEST / max(image.size)
        size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
        grey = np.asarray(image.convert("L").resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
        room = round(_ROOM * _LONGEST)
        least = round(_LEAST * _LONGEST)
        boxes = self._faces.detectMultiScale(np.pad(grey, room, mode="edge"), _STEP, _VOTES, minSize=(least, least))
        return [_face((box - np.array([room, room, 0, 0])) / scale) for box in np.reshape(boxes, (-1, 4))]

    def refine(self, image: Image.Image, face: Face) -> Face:
        """Return the face with the eyes where both are seen; the same face where they are not."""
        left, top, width, height = face.box
        box = (round(left), round(top), round(left + width), round(top + height))
        grey = image.convert("L").crop(box).resize((_CLOSE, _CLOSE), Image.Resampling.BILINEAR, reducing_gap=2.0)
        seen = [self._eye(np.asarray(grey), place) for place in _IN_BOX]
        if seen[0] is None or seen[1] is None:
            return face
        first, second = ((left + width * x, top + height * y) for x, y in (seen[0], seen[1]))
        eyes = calibrated((first, second), along=_ALONG, low=_LOW, wide=_WIDE)
        return replace(face, eyes=eyes, score=_SURE)

    def _eye(self, face: Grey, place: Point) -> Point | None:
        """Return the middle of the eye nearest to a place, both in shares of the face's box."""
        least, most = (round(share * _CLOSE) for share in _EYE)
        boxes = self._eyes.detectMultiScale(face, _STEP, _VOTES, minSize=(least, least), maxSize=(most, most))
        middles = [((x + w / 2) / _CLOSE, (y + h / 2) / _CLOSE) for x, y, w, h in boxes]
        near = [eye for eye in middles if max(abs(eye[0] - place[0]), abs(eye[1] - place[1])) < _NEAR]
        return min(near, key=lambda eye: abs(eye[0] - place[0]) + abs(eye[1] - place[1]), default=None)


def _cascade(name: str) -> Any:
    import cv2

    folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
    if not hasattr(cv2, "CascadeClassifier") or not (Path(folder) / name).is_file():
        raise MissingExtraError(
            f"OpenCV {cv2.__version__} brings no {name}: type `facesketch models fetch yunet`, or install OpenCV 4"
        )
    return cv2.CascadeClassifier(str(Path(folder) / name))


def _face(box: NDArray[np.float64]) -> Face:
    left, top, width, height = (float(value) for value in box)
    first, second = ((left + width * x, top + height * y) for x, y in _IN_BOX)
    return Face((left, top, width, height), (first, second), score=_ALIKE, source="haar")
