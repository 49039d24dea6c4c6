"""Bring the face that is meant into the frame in which faces are compared."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

from facesketch.errors import FaceError, SeveralFacesError
from facesketch.faces import Face, FaceFinder, align
from facesketch.faces.finder import upright_in
from facesketch.faces.frame import FRAME

_BESIDE = 0.25  # faces smaller than this share of the largest one's area are passers-by
_AS_CROPPED = 0.2  # of the eye distance: 10 pixels


def meant(finder: FaceFinder, picture: Image.Image, number: int | None = None, *, only: bool = False) -> Face:
    """Return the face of a picture that is meant.

    Args:
        finder: what finds faces.
        picture: `L` or `RGB`, of any size.
        number: which face, 1 for the largest; None for the largest.
        only: refuse, without a number, a picture that shows several large faces.

    Raises:
        FaceError: no face, none of that number, or several.
    """
    return finder.refine(picture, _meant(finder.look(picture), number, only=only))


def framed(picture: Image.Image, face: Face) -> Image.Image:
    """Return a face of a picture in the frame, 200x250.

    A picture that has the frame's own size and its eyes nearly in place was cropped to it by somebody. It stays as it
    is: sketch and photo of one person share what that crop is off by, and would be levelled each in its own way.
    """
    upright, there = upright_in(picture, face)
    return upright if _is_cropped(upright, there) else align(upright, there).image


def _meant(faces: Sequence[Face], number: int | None, *, only: bool) -> Face:
    """Return the face of a number, or the largest, which in a picture of `only` one person has no equal beside it."""
    if not faces:
        raise FaceError("no face found", "give a picture that shows one from the front, as large as possible")
    if number is None:
        large = [face for face in faces if face.area >= _BESIDE * faces[0].area]
        if only and len(large) > 1:
            raise SeveralFacesError(
                f"{len(large)} faces", "choose one with `face` N, 1 being the largest, or crop the picture"
            )
        return faces[0]
    if not 1 <= number <= len(faces):
        there = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
        raise FaceError(f"there is no face {number}: {there} found", f"give `face` 1 to {len(faces)}")
    return faces[number - 1]


def _is_cropped(picture: Image.Image, face: Face) -> bool:
    if picture.size != (FRAME.width, FRAME.height):
        return False
    return all(
        math.dist(found, meant) <= _AS_CROPPED * FRAME.eye_distance
        for found, meant in zip(face.eyes, FRAME.eyes, strict=True)
    )
