"""SFace describes a face by 128 numbers that are similar for pictures of one person (Zhong et al. 2021).

The face is turned and scaled to SFace's 112x112 by five points. They come from YuNet; where YuNet
finds no face, pictures of the aligned frame's 4:5 shape are taken to have the eyes, the nose and
the mouth where that frame has them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesketch.errors import CheckpointError, ImageError
from facesketch.faces.frame import FRAME
from facesketch.faces.yunet import found

DIMENSION = 128
# Where YuNet puts the eyes, the nose and the corners of the mouth on average, over CUHK's photos and sketches
_POINTS = ((71.5, 127.0), (124.5, 127.0), (97.5, 156.0), (75.0, 177.5), (121.0, 179.0))
_SCORE = 0.6  # below this YuNet's find is not taken for a face


class SFace:
    """Describes faces; one may serve several threads, and reads the files once for each of them.

    Args:
        model: SFace (`sface` of the fetched weights).
        detector: YuNet, or None.

    Raises:
        CheckpointError: OpenCV cannot read a file.
    """

    def __init__(self, model: Path, detector: Path | None = None) -> None:
        self._model, self._detector = model, detector
        self._local = threading.local()  # OpenCV's networks keep state between calls
        self._networks()  # so that a damaged file fails here

    def describe(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Return one unit vector per picture; the inner product of two is their cosine similarity, 1 for the same.

        Args:
            pictures: N of (H, W, 3), red first.

        Returns:
            (N, 128).

        Raises:
            ImageError: no face is found in a picture that is not of the aligned frame's shape.
        """
        rows = [self._describe(picture, number) for number, picture in enumerate(pictures, start=1)]
        found = np.array(rows, dtype=np.float64).reshape(len(rows), DIMENSION)
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))

    def _describe(self, picture: NDArray[np.uint8], number: int) -> NDArray[np.float32]:
        recogniser, detector = self._networks()
        picture = np.ascontiguousarray(picture[..., ::-1])  # OpenCV has blue first
        face = _detect(detector, picture)
        if face is None:
            face = _frame_face(picture, number, searched=detector is not None)
        crop = recogniser.alignCrop(picture, face)
        return np.array(recogniser.feature(crop)[0], dtype=np.float32)  # a copy: OpenCV reuses its memory

    def _networks(self) -> tuple[Any, Any]:
        """Return SFace, and YuNet or None, of the thread that asks."""
        networks: tuple[Any, Any] | None = getattr(self._local, "networks", None)
        if networks is None:
            import cv2

            size = (FRAME.width, FRAME.height)
            recogniser = _open(cv2.FaceRecognizerSF, self._model)
            given = self._detector
            detector = None if given is None else _open(cv2.FaceDetectorYN, given, size, _SCORE)
            networks = self._local.networks = recogniser, detector
        return networks


def _detect(detector: Any, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Return the surest face: x, y, width, height, five points, score; or None."""
    if detector is None:
        return None
    faces = found(detector, picture)
    return faces[faces[:, 14].argmax()] if len(faces) else None


def _open(kind: Any, path: Path, *rest: Any) -> Any:
    import cv2

    if not path.is_file():
        raise CheckpointError(f"{path}: no such file", "expected an ONNX model, as `facesketch models fetch` brings")
    try:
        return kind.create(str(path), "", *rest)
    except cv2.error as error:
        raise CheckpointError(f"{path}: OpenCV cannot read it", "expected an ONNX model, so fetch it again") from error


def _frame_face(picture: NDArray[np.uint8], number: int, *, searched: bool) -> NDArray[np.float32]:
    """Return the aligned frame's five points, scaled to the picture, in YuNet's layout."""
    height, width = picture.shape[:2]
    if abs(width / height - FRAME.width / FRAME.height) > 0.01:
        seen = f"picture {number}: no face found" if searched else f"picture {number} is {width}x{height}"
        raise ImageError(seen, f"expected a face, or an aligned picture of {FRAME.width}x{FRAME.height}")
    points = np.array(_POINTS) * (width / FRAME.width, height / FRAME.height)
    return np.concatenate([(0, 0, width, height), points.ravel(), (1.0,)]).astype(np.float32)
