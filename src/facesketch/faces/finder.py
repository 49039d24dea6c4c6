"""Find faces and their eyes, on photos and on sketches, even if the picture lies on its side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from PIL import Image

from facesketch.errors import FaceError
from facesketch.faces.face import Face
from facesketch.faces.turns import Turn, turned
from facesketch.faces.yunet import YuNet
from facesketch.weights import shipped

Which = Literal["largest", "all"] | int

# Measured on 724 photos and sketches of CUHK and FS2K, real and drawn, each also turned: YuNet's score of the face is
# 0.86 to 0.96 upright, at most 0.913 upside down and 0.89 on its side, and always at least 0.02 lower than upright.
_SURE = 0.92  # with this score, a face stands upright
_LEAST, _BETTER = 0.8, 0.01  # a turn is taken if its face scores at least so much, and more than the others by this
_OTHER_TURNS: tuple[Turn, ...] = (90, 270, 180)


def upright_in(image: Image.Image, face: Face) -> tuple[Image.Image, Face]:
    """Return a picture turned so that a face stands upright in it, and the face as it shows it."""
    return turned(image, face.turn), face.upright(image.size)


class FaceFinder:
    """Finds the faces in any picture with YuNet. Several threads may share one finder.

    If it finds no upright face, or only a doubtful one, it also looks at the picture on its sides and upside down, and
    takes the turn that shows a face best. Faces are always in pixels of the picture that you gave.

    Examples:
        >>> from facesketch.faces import FaceFinder
        >>> from facesketch.images.io import open_image
        >>> [face] = FaceFinder().find(open_image("me.jpg"))
        >>> [round(x) for x, y in face.eyes]
        [144, 187]

    Args:
        model: YuNet's file; None for the one that comes with the package.

    Raises:
        CheckpointError: the file is not there, ONNX Runtime cannot read it, or it is not YuNet.
    """

    def __init__(self, model: Path | None = None) -> None:
        if model is not None:
            self._detector = YuNet(model)  # so that a damaged file fails here

    def find(self, image: Image.Image, *, most: int | None = None) -> list[Face]:
        """Return the faces of a picture, the largest first.

        Args:
            image: `L` or `RGB`.
            most: return at most this many faces, the largest.
        """
        return [self.refine(image, face) for face in self.look(image)[:most]]

    def look(self, image: Image.Image) -> list[Face]:
        """Return the faces of a picture, quickly and roughly, the largest first."""
        faces = self._at(image, 0)
        best = _surest(faces)
        if best < _SURE:
            for turn in _OTHER_TURNS:
                found = self._at(image, turn)
                if _surest(found) > max(best, _LEAST) + _BETTER:
                    faces, best = found, _surest(found) - _BETTER
        return sorted(faces, key=lambda face: -face.area)

    def refine(self, image: Image.Image, face: Face) -> Face:
        """Return a face that `look` found, with its eyes measured closely."""
        picture, upright = upright_in(image, face)
        return self._detector.refine(picture, upright).turned_back(picture.size, face.turn)

    def _at(self, image: Image.Image, turn: Turn) -> list[Face]:
        """Return the faces that a picture shows when turned, in its own pixels."""
        picture = turned(image, turn)
        return [face.turned_back(picture.size, turn) for face in self._detector.detect(picture)]

    @cached_property
    def _detector(self) -> YuNet:
        return YuNet(shipped.YUNET)


def _surest(faces: Sequence[Face]) -> float:
    return max((face.score for face in faces), default=0.0)


def choose(faces: Sequence[Face], which: Which = "largest") -> list[Face]:
    """Choose among the faces that `FaceFinder.find` returned.

    Examples:
        >>> from facesketch.faces import FaceFinder, choose
        >>> from facesketch.images.io import open_image
        >>> faces = FaceFinder().find(open_image("me.jpg"))
        >>> choose(faces, "largest") == faces[:1]
        True

    Args:
        faces: the largest first.
        which: `largest`, `all`, or a number: 1 is the largest, 2 the next.

    Raises:
        FaceError: there is no face, or no face with that number.
    """
    if not faces:
        raise FaceError("no face found", "give `align=False` if the picture is a close crop of a face")
    if which == "all":
        return list(faces)
    number = 1 if which == "largest" else which
    if not 1 <= number <= len(faces):
        many = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
        raise FaceError(f"there is no face {number}: {many} found", f"give `faces` largest, all or 1 to {len(faces)}")
    return [faces[number - 1]]
