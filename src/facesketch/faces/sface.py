"""SFace describes a face by 128 numbers that are similar for pictures of one person (Zhong et al. 2021).

Five points bring the face to SFace's 112x112. They come from YuNet. Where YuNet finds no face, a picture of the
aligned frame's 4:5 shape is taken to have the eyes, the nose and the mouth where that frame has them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesketch.errors import ImageError
from facesketch.faces.frame import FRAME
from facesketch.faces.yunet import found, open_network

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
        faces = np.empty((0, 15), np.float32) if detector is None else found(detector, picture)
        if len(faces):
            face = faces[faces[:, 14].argmax()]
        else:  # the aligned frame's five points, in YuNet's layout
            height, width = picture.shape[:2]
            if abs(width / height - FRAME.width / FRAME.height) > 0.01:
                searched = f"picture {number}: no face found"
                seen = f"picture {number} is {width}x{height}" if detector is None else searched
                raise ImageError(seen, f"expected a face, or an aligned picture of {FRAME.width}x{FRAME.height}")
            points = np.array(_POINTS) * (width / FRAME.width, height / FRAME.height)
            face = np.concatenate([(0, 0, width, height), points.ravel(), (1.0,)]).astype(np.float32)
        crop = recogniser.alignCrop(picture, face)
        return np.array(recogniser.feature(crop)[0], dtype=np.float32)  # a copy: OpenCV reuses its memory

    def _networks(self) -> tuple[Any, Any]:
        """Return SFace, and YuNet or None, of the thread that asks."""
        networks: tuple[Any, Any] | None = getattr(self._local, "networks", None)
        if networks is None:
            import cv2

            detector = None
            if self._detector is not None:
                size = (FRAME.width, FRAME.height)
                detector = open_network(cv2.FaceDetectorYN, self._detector, size, _SCORE)
            networks = self._local.networks = open_network(cv2.FaceRecognizerSF, self._model), detector
        return networks
