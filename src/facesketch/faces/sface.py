"""SFace describes a face by 128 numbers that are similar for pictures of one person (Zhong et al. 2021).

Five points bring the face to SFace's 112x112. They come from YuNet. If YuNet finds no face in a picture of the aligned
frame's 4:5 shape, the points are those where that frame has the eyes, the nose and the mouth.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.errors import CheckpointError, ImageError
from facesketch.faces.frame import FRAME
from facesketch.faces.warp import inverse, similarity
from facesketch.faces.yunet import YuNet
from facesketch.weights.protobuf import content, field, replace
from facesketch.weights.session import open_published

DIMENSION = 128
# Where YuNet puts the eyes, the nose and the corners of the mouth on average, over CUHK's photos and sketches
_POINTS = ((71.5, 127.0), (124.5, 127.0), (97.5, 156.0), (75.0, 177.5), (121.0, 179.0))
# Where SFace has them; pixel centres are whole numbers
_SIZE = (112, 112)
_ALIGNED = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))

# Field numbers of ModelProto, GraphProto and NodeProto in onnx.proto.
_GRAPH, _NODE = 7, 1
_INPUT, _OUTPUT, _OPERATOR = 1, 2, 4


class SFace:
    """Describes faces; several threads may share one.

    Args:
        model: the file of SFace (`sface` of the fetched weights).
        detector: the file of YuNet; without it, only aligned pictures can be described.

    Raises:
        CheckpointError: a file is missing, ONNX Runtime cannot read it, or it is another network.
    """

    def __init__(self, model: Path, detector: Path | None = None) -> None:
        self._network = open_published(model, without_prelu)
        pictures, found = self._network.get_inputs(), self._network.get_outputs()
        if [each.shape for each in (*pictures[:1], *found[:1])] != [[1, 3, *_SIZE], [1, DIMENSION]]:
            raise CheckpointError(f"{model}: not SFace", "type `facesketch models fetch sface`")
        # the Zoo's 8-bit file lists the weights that it replaced as further inputs
        self._picture = pictures[0].name
        self._unused = {each.name: np.zeros(each.shape, np.float32) for each in pictures[1:]}
        self._detector = None if detector is None else YuNet(detector)

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
        faces = np.empty((0, 15), np.float32) if self._detector is None else self._detector.found(picture)
        if len(faces):
            points = faces[0, 4:14].reshape(5, 2).astype(np.float64)
        else:  # the aligned frame's five points
            height, width = picture.shape[:2]
            if abs(width / height - FRAME.width / FRAME.height) > 0.01:
                searched = f"picture {number}: no face found"
                seen = f"picture {number} is {width}x{height}" if self._detector is None else searched
                raise ImageError(seen, f"expected a face, or an aligned picture of {FRAME.width}x{FRAME.height}")
            points = np.array(_POINTS) * (width / FRAME.width, height / FRAME.height)
        matrix = tuple(inverse(similarity(points + 0.5, np.array(_ALIGNED) + 0.5)).ravel())
        channels = [Image.fromarray(channel) for channel in picture.astype(np.float32).transpose(2, 0, 1)]
        how = (_SIZE, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        crop = np.rint([np.asarray(channel.transform(*how)) for channel in channels])  # whole levels, as in OpenCV's
        return np.asarray(self._network.run(None, {self._picture: crop[None], **self._unused})[0][0])


def without_prelu(model: bytes) -> bytes:
    """Return an ONNX model in which each PReLU is max(x, 0) + slope * min(x, 0), with the same results to the bit.

    ONNX Runtime spends half of SFace's time in PReLU. The four operators that replace it take a fifth of that.

    Raises:
        ValueError: this is no ONNX model.
    """
    return replace(model, _GRAPH, lambda graph: [replace(graph, _NODE, _apart)])


def _apart(node: bytes) -> list[bytes]:
    """Return the nodes that stand for a PReLU, or any other node as it is."""
    if content(node, _OPERATOR) != [b"PRelu"]:
        return [node]
    (x, slope), (y,) = content(node, _INPUT), content(node, _OUTPUT)
    above, below, less = y + b"+", y + b"-", y + b"*"
    steps = ((b"Relu", [x], above), (b"Sub", [x, above], below), (b"Mul", [below, slope], less))
    return [
        b"".join((*(field(_INPUT, each) for each in inputs), field(_OUTPUT, output), field(_OPERATOR, operator)))
        for operator, inputs, output in (*steps, (b"Add", [above, less], y))
    ]
