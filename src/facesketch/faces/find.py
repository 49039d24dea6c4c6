"""Find faces and their eyes, on photos and on sketches, with the best finder that is there.

YuNet where its file is, Haar cascades where OpenCV is without it, the middle of the picture where there is no OpenCV.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.errors import FaceError, MissingExtraError
from facesketch.faces.frame import FRAME, FaceFrame, Point
from facesketch.weights import locate

Finder = Literal["yunet", "haar", "centre"]
Which = Literal["largest", "all"] | int


@dataclass(frozen=True)
class Face:
    """A face in a picture, in that picture's pixels from its top left corner.

    Attributes:
        box: (left, top, width, height); may reach beyond the picture.
        eyes: (x, y) of both eyes, the one on the picture's left first, where `FaceFrame` means them.
        points: (5, 2) eyes, nose and corners of the mouth as YuNet gives them; None from other finders.
        score: how sure the finder is, 0 to 1; 0 where it did not look.
        source: which finder it was.
    """

    box: tuple[float, float, float, float]
    eyes: tuple[Point, Point]
    points: NDArray[np.float64] | None = field(default=None, compare=False)
    score: float = 0.0
    source: Finder = "centre"

    @property
    def area(self) -> float:
        """Return the box's square pixels."""
        return self.box[2] * self.box[3]


class Detector(Protocol):
    """What looks for faces in one picture, in any order."""

    def detect(self, image: Image.Image) -> list[Face]:
        """Return the faces roughly, quickly."""

    def refine(self, image: Image.Image, face: Face) -> Face:
        """Return the same face with its eyes where they are."""


def centred(size: tuple[int, int], frame: FaceFrame = FRAME) -> Face:
    """Return the face that an aligned picture would show: the largest box of the frame's shape amid the picture.

    Args:
        size: (width, height) of the picture.
        frame: whose shape and eyes are meant.
    """
    scale = min(size[0] / frame.width, size[1] / frame.height)
    left, top = (size[0] - scale * frame.width) / 2, (size[1] - scale * frame.height) / 2
    first, second = ((left + scale * x, top + scale * y) for x, y in frame.eyes)
    return Face((left, top, scale * frame.width, scale * frame.height), (first, second))


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
    """Finds the faces in any picture; one may serve many threads at once.

    Attributes:
        source: which finder it uses: `yunet`, `haar`, or `centre` when it can only guess.
        notice: one line for the user when it is not the best finder, else empty.

    Args:
        model: YuNet's file; when None, that of `facesketch models fetch yunet` if it is there.

    Raises:
        MissingExtraError: the given file is not there, or there is no OpenCV to use it.
        CheckpointError: OpenCV cannot read the file.
    """

    def __init__(self, model: Path | None = None) -> None:
        self._local = threading.local()  # OpenCV's detectors keep state between calls
        self.notice = ""
        self._model: Path | None = None
        if not _has_opencv():
            if model is not None:
                raise MissingExtraError(f"{model}: finding faces {_NO_OPENCV}")
            self.source: Finder = "centre"
            self.notice = f"faces are taken to be in the middle of each picture: finding them {_NO_OPENCV}"
            return
        try:
            self._model = locate("yunet", model)
            self.source = "yunet"
        except MissingExtraError:
            if model is not None:
                raise
            self.source = "haar"
            self.notice = (
                "faces are sought the old way, which misses many: type `facesketch models fetch yunet` (0.1 MB)"
            )
        self._detector()  # so that a damaged file is told of here

    def find(self, image: Image.Image, *, most: int | None = None) -> list[Face]:
        """Return the faces of a picture, the largest first; none where no face is found.

        Args:
            image: `L` or `RGB`, upright.
            most: look closely at so many of the largest only, and return these.
        """
        return [self.refine(image, face) for face in self.look(image)[:most]]

    def look(self, image: Image.Image) -> list[Face]:
        """Return the faces of a picture roughly and quickly, the largest first."""
        if self.source == "centre":
            return [centred(image.size)]
        return sorted(self._detector().detect(image), key=lambda face: -face.area)

    def refine(self, image: Image.Image, face: Face) -> Face:
        """Return one that `look` found with its eyes where they are."""
        return face if self.source == "centre" else self._detector().refine(image, face)

    def _detector(self) -> Detector:
        detector: Detector | None = getattr(self._local, "detector", None)
        if detector is None:
            detector = self._local.detector = _open(self._model)
        return detector


_NO_OPENCV = "needs OpenCV, which is not installed: pip install 'facesketch[faces]'"


def _has_opencv() -> bool:
    try:
        import cv2  # noqa: F401
    except ImportError:
        return False
    return True


def _open(model: Path | None) -> Detector:
    if model is None:
        from facesketch.faces.haar import Haar

        return Haar()
    from facesketch.faces.yunet import YuNet

    return YuNet(model)


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
