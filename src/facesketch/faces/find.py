"""Find faces and their eyes, on photos and on sketches, also where the picture lies on its side."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch import pretrained
from facesketch.errors import FaceError
from facesketch.faces.frame import Point
from facesketch.faces.turns import Turn, turned, turning
from facesketch.faces.warp import Matrix, inverse, moved

if TYPE_CHECKING:
    from facesketch.faces.yunet import YuNet

Which = Literal["largest", "all"] | int

# Measured on 724 photos and sketches of CUHK and FS2K, real and drawn, each also turned: YuNet's score of the face is
# 0.86 to 0.96 upright, at most 0.913 upside down and 0.89 on its side, and always at least 0.02 lower than upright.
_SURE = 0.92  # from here on a face stands upright
_LEAST, _BETTER = 0.8, 0.01  # a turn is taken where it shows a face so sure, and by so much surer than the others
_OTHER_TURNS: tuple[Turn, ...] = (90, 270, 180)


@dataclass(frozen=True)
class Face:
    """A face in a picture, in that picture's pixels from its top left corner.

    Attributes:
        box: (left, top, width, height); may reach beyond the picture.
        eyes: (x, y) of both eyes, where `FaceFrame` means them; the one on the left of the upright picture first.
        points: (5, 2) eyes, nose and corners of the mouth as YuNet gives them; None where nobody asked YuNet.
        score: how sure YuNet is, 0 to 1.
        turn: how many degrees clockwise the picture has to be turned to show the face upright: 0, 90, 180 or 270.
    """

    box: tuple[float, float, float, float]
    eyes: tuple[Point, Point]
    points: NDArray[np.float64] | None = field(default=None, compare=False)
    score: float = 0.0
    turn: Turn = 0

    @property
    def area(self) -> float:
        """Return the box's square pixels."""
        return self.box[2] * self.box[3]

    def upright(self, size: tuple[int, int]) -> Face:
        """Return the face as the picture of this size shows it once it is turned."""
        return self if self.turn == 0 else replace(self._moved(turning(size, self.turn)), turn=0)

    def turned_back(self, size: tuple[int, int], turn: Turn) -> Face:
        """Return the upright face of a turned picture of this size as the picture before the turn shows it."""
        if turn == 0:
            return self
        before = size if turn == 180 else size[::-1]
        return replace(self._moved(inverse(turning(before, turn))), turn=turn)

    def _moved(self, matrix: Matrix) -> Face:
        left, top, width, height = self.box
        corners = moved(matrix, np.array([(left, top), (left + width, top + height)]))
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        (first_x, first_y), (second_x, second_y) = moved(matrix, np.array(self.eyes)).tolist()
        points = None if self.points is None else moved(matrix, self.points)
        box, eyes = (left, top, right - left, bottom - top), ((first_x, first_y), (second_x, second_y))
        return replace(self, box=box, eyes=eyes, points=points)


def upright_in(image: Image.Image, face: Face) -> tuple[Image.Image, Face]:
    """Return a picture turned so that a face stands upright in it, and the face there."""
    return turned(image, face.turn), face.upright(image.size)


def calibrated(
    eyes: tuple[Point, Point], *, along: float = 0.0, low: float = 0.0, wide: float = 1.0
) -> tuple[Point, Point]:
    """Return where the published crops have the eyes that a finder puts at these places.

    Args:
        eyes: as the finder gives them.
        along: how far it puts their middle towards the second eye, in eye distances.
        low: how far it puts their middle below the line through both, in eye distances.
        wide: how many times too far apart it puts them.
    """
    first, second = (complex(*eye) for eye in eyes)
    apart = (second - first) / wide
    middle = (first + second) / 2 - apart * complex(along, low)
    first, second = middle - apart / 2, middle + apart / 2
    return (first.real, first.imag), (second.real, second.imag)


class FaceFinder:
    """Finds the faces in any picture with YuNet; one may serve many threads at once.

    A picture that shows no face upright, or only a doubtful one, is looked at on its sides and upside down too. Where
    one of these shows a face better, its faces are returned, in the pixels of the picture as it was given.

    Args:
        model: YuNet's file; None for the one that comes with the package.

    Raises:
        CheckpointError: the file is not there, or OpenCV cannot read it.
    """

    def __init__(self, model: Path | None = None) -> None:
        self._local = threading.local()  # OpenCV's detectors keep state between calls
        self._model = model or pretrained.YUNET
        if model is not None:
            self._detector()  # so that a damaged file is told of here

    def find(self, image: Image.Image, *, most: int | None = None) -> list[Face]:
        """Return the faces of a picture, the largest first; none where no face is found.

        Args:
            image: `L` or `RGB`.
            most: look closely at so many of the largest only, and return these.
        """
        return [self.refine(image, face) for face in self.look(image)[:most]]

    def look(self, image: Image.Image) -> list[Face]:
        """Return the faces of a picture roughly and quickly, the largest first."""
        faces = self._at(image, 0)
        best = _surest(faces)
        if best < _SURE:
            for turn in _OTHER_TURNS:
                found = self._at(image, turn)
                if _surest(found) > max(best, _LEAST) + _BETTER:
                    faces, best = found, _surest(found) - _BETTER
        return sorted(faces, key=lambda face: -face.area)

    def refine(self, image: Image.Image, face: Face) -> Face:
        """Return one that `look` found with its eyes where they are."""
        picture, upright = upright_in(image, face)
        return self._detector().refine(picture, upright).turned_back(picture.size, face.turn)

    def _at(self, image: Image.Image, turn: Turn) -> list[Face]:
        """Return the faces that a picture shows once it is turned, in its own pixels."""
        picture = turned(image, turn)
        return [face.turned_back(picture.size, turn) for face in self._detector().detect(picture)]

    def _detector(self) -> YuNet:
        detector: YuNet | None = getattr(self._local, "detector", None)
        if detector is None:
            from facesketch.faces.yunet import YuNet

            detector = self._local.detector = YuNet(self._model)
        return detector


def _surest(faces: Sequence[Face]) -> float:
    return max((face.score for face in faces), default=0.0)


def choose(faces: Sequence[Face], which: Which = "largest") -> list[Face]:
    """Return the faces that are wanted, of those that `FaceFinder.find` gave.

    Args:
        faces: the largest first.
        which: `largest`, `all`, or a number: 1 is the largest, 2 the next.

    Raises:
        FaceError: there is no face, or none of that number.
    """
    if not faces:
        raise FaceError("no face found; give --no-align if the picture shows one from ear to ear, as a crop does")
    if which == "all":
        return list(faces)
    number = 1 if which == "largest" else which
    if not 1 <= number <= len(faces):
        many = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
        raise FaceError(f"there is no face {number}: {many} found; give --faces largest, all or 1 to {len(faces)}")
    return [faces[number - 1]]
