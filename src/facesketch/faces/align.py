"""Bring a face into the frame with its eyes level, and put the frame back where it was cut."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from facesketch.faces.black_corners import fill_corners
from facesketch.faces.face import Face
from facesketch.faces.finder import upright_in
from facesketch.faces.frame import FRAME, FaceFrame
from facesketch.faces.turns import turning
from facesketch.faces.warp import Matrix, continued, depth, inverse, moved, scaled, similarity, warp

_SAME_PLACE = 0.06  # of the eye distance: 3 pixels of the default frame
_SAME_SHAPE = 0.01


@dataclass(frozen=True, eq=False)
class Aligned:
    """A face in the frame, and how to put it back.

    Attributes:
        image: the frame, `L` or `RGB` as the picture was.
        face: the face in the picture.
        matrix: 2x3, takes (x, y, 1) in the picture to pixels of `image`; a pixel's centre lies at half numbers.
    """

    image: Image.Image
    face: Face
    matrix: Matrix

    def undo(self, picture: Image.Image, original: Image.Image, *, feather: float = 0.0) -> Image.Image:
        """Return a copy of the original picture in which another picture replaces the frame.

        Args:
            picture: `L` or `RGB`, of the frame's shape and any size.
            original: the picture that was aligned.
            feather: the share of the frame's shorter side over which the edge fades; 0 is a hard edge.

        Returns:
            A picture of the original's size, `RGB` when either is, else `L`.
        """
        mode = "RGB" if "RGB" in {picture.mode, original.mode} else "L"
        result, picture = original.convert(mode), picture.convert(mode)  # copies, also of the same mode
        back = inverse(scaled(self.matrix, picture.width / self.image.width, picture.height / self.image.height))
        corners = moved(back, np.array([(0, 0), (picture.width, 0), (0, picture.height), picture.size], float))
        low = np.clip(np.floor(corners.min(axis=0)), 0, original.size).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)), 0, original.size).astype(int)
        if (high <= low).any():  # the frame lies beside the picture
            return result
        window = (int(high[0] - low[0]), int(high[1] - low[1]))
        there = np.column_stack([back[:, :2], back[:, 2] - low])
        patch, inside = warp(picture, there, window)
        edge = max(feather * min(picture.size), 1e-6)
        opaque = np.clip(depth(picture.size, there, window) / edge, 0, 1)
        mask = Image.fromarray((opaque * inside * 255 + 0.5).astype(np.uint8))
        result.paste(patch, (int(low[0]), int(low[1])), mask)
        return result


def align(image: Image.Image, face: Face, frame: FaceFrame = FRAME, *, scale: float = 1.0) -> Aligned:
    """Turn, scale and shift a picture so that a face's eyes lie where the frame has them.

    A picture that is already aligned, to within 6 % of the eye distance, is only resized. Beyond the picture's border,
    and in black corners that an earlier alignment left, its colours continue softly. A picture on its side is turned
    upright first.

    Examples:
        >>> from facesketch.faces import FaceFinder, align
        >>> from facesketch.images.io import open_image
        >>> picture = open_image("me.jpg")
        >>> [face] = FaceFinder().find(picture)
        >>> align(picture, face, scale=2.0).image.size
        (400, 500)

    Args:
        image: `L` or `RGB`.
        face: one found in it.
        frame: where the eyes go.
        scale: how many times the frame's size the result has.
    """
    assert scale > 0, "the scale must be positive"
    if face.turn:
        made, first = align(*upright_in(image, face), frame, scale=scale), turning(image.size, face.turn)
        matrix = np.column_stack([made.matrix[:, :2] @ first[:, :2], moved(made.matrix, first[:, 2])])
        return Aligned(made.image, face, matrix)
    image = fill_corners(image)
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    across, down = frame.width / image.width, frame.height / image.height
    off = (math.dist((x * across, y * down), eye) for (x, y), eye in zip(face.eyes, frame.eyes, strict=True))
    if abs(across / down - 1) <= _SAME_SHAPE and max(off) <= _SAME_PLACE * frame.eye_distance:
        matrix = scaled(np.eye(2, 3), size[0] / image.width, size[1] / image.height)
        return Aligned(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0), face, matrix)
    matrix = scaled(similarity(face.eyes, frame.eyes), scale)
    return Aligned(continued(*warp(image, matrix, size)), face, matrix)
