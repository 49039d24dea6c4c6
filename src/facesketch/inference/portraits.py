"""Portraits: find the faces of a picture, frame each as its model's were, translate, and give it back at a useful size.

There are three stages, of which only the middle one needs the network, so that a pipeline can overlap them:
`FacePipeline.prepare`, which finds and frames the faces, `FacePipeline.run` and `FacePipeline.restore`.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.config import Direction
from facesketch.errors import ConfigError, FaceError, require_known
from facesketch.inference.translator import EngineName, Prepared, Resolution, Translator, load

if TYPE_CHECKING:
    from facesketch.faces import Face
    from facesketch.faces.frame import FaceFrame
    from facesketch.faces.turns import Turn

Which = Literal["largest", "all"] | int
USEFUL_SIZE = (400, 500)
"""Pixels across and down that a portrait has at the least, unless that is more than four times its frame."""
_MOST_SCALE = 4


@dataclass(frozen=True)
class Request:
    """What to do with pictures; plain values only, so that it can be sent to another machine.

    Attributes:
        model: a run folder, a model file or a method's name; None for the models that come with the package.
        weights: which of a run folder's weights.
        device: `auto`, `cpu`, `cuda` or `mps`.
        backend: what runs the network.
        direction: None where the model serves one only, or where the pictures shall tell.
        resolution: `trained`, or `native` for the picture's own pixels; of a framed face, those of the portrait.
        style: one of the model's hands; None for its first.
        faces: which faces to draw, with a model of aligned faces; None for the largest.
        align: whether to look for faces at all.
    """

    model: str | None = None
    weights: Literal["best", "last"] = "best"
    device: str = "auto"
    backend: EngineName = "auto"
    direction: Direction | None = None
    resolution: Resolution = "trained"
    style: str | None = None
    faces: Which | None = None
    align: bool = True


@dataclass(frozen=True, eq=False)
class FramedFace:
    """A face, or a whole picture, that is ready for the network.

    Attributes:
        prepared: what the network gets.
        direction: what it is to do.
        size: (width, height) of the portrait.
        face: the face that was framed, or None for a whole picture.
        source: what is translated, in the portrait's size; None when nobody asked to keep it.
    """

    prepared: Prepared
    direction: Direction
    size: tuple[int, int]
    face: Face | None = None
    source: Image.Image | None = None

    @property
    def batch(self) -> tuple[Direction, tuple[int, ...]]:
        """What sittings that go through the network together have in common."""
        return self.direction, self.prepared.array.shape


@dataclass(frozen=True, eq=False)
class Portrait:
    """A face or a whole picture, and its translation.

    Attributes:
        picture: the translation, `L` or `RGB`.
        direction: what was done.
        face: the face that was framed, or None for a whole picture.
        source: what was translated, in the same size; None when nobody asked to keep it.
    """

    picture: Image.Image
    direction: Direction
    face: Face | None = None
    source: Image.Image | None = None

    @property
    def turned(self) -> Turn:
        """How many degrees clockwise the picture was turned so that the face stands upright."""
        return 0 if self.face is None else self.face.turn


class Finder(Protocol):
    """What finds faces: a `FaceFinder`, or something that stands for one."""

    def find(self, image: Image.Image, *, most: int | None = None) -> list[Face]:
        """Return the faces of a picture, the largest first, and no more than `most`."""
        ...


def useful_scale(frame: FaceFrame, face: Face) -> int:
    """Return how many times its frame a portrait is: near the face's own resolution, 1 to 4, and of a useful size."""
    least = math.ceil(max(USEFUL_SIZE[0] / frame.width, USEFUL_SIZE[1] / frame.height))
    own = round(math.dist(*face.eyes) / frame.eye_distance)
    return min(_MOST_SCALE, max(least, own))


class FacePipeline:
    """Makes portraits as one request says, with one model or with those that come with the package.

    Attributes:
        own: the model that is used for everything; None for those that come with the package.
        turned: by the name of each picture that lay on its side or upside down, how far it was turned.

    Args:
        request: what to do.
        translator: a loaded model to use instead of the request's.
        keep_sources: keep what was translated beside its translation.
        finder: what finds faces; None for a `FaceFinder`.

    Raises:
        CheckpointError: the model is missing, torn or foreign.
        ConfigError: something was asked for that the model does not do.
    """

    def __init__(
        self,
        request: Request = Request(),
        translator: Translator | None = None,
        *,
        keep_sources: bool = False,
        finder: Finder | None = None,
    ) -> None:
        from facesketch.faces import FaceFinder

        self.request, self._keep = request, keep_sources
        self.turned: dict[str, Turn] = {}
        self._finder = finder or FaceFinder()
        self._shipped: dict[Direction, Translator] = {}
        self._lock = threading.Lock()
        if translator is None and request.model is not None:
            translator = self._load(request.model)
        self.own = translator
        self._check()

    def again(self, request: Request, *, keep_sources: bool) -> FacePipeline:
        """Return a studio for another request to the same models, which are not loaded again.

        Raises:
            ConfigError: something was asked for that the model does not do.
        """
        other = copy.copy(self)
        other.request, other._keep, other.turned = request, keep_sources, {}
        other._check()
        return other

    def __call__(self, image: Image.Image, name: str = "picture") -> list[Portrait]:
        """Return the portraits of one picture, as `prepare`, `run` and `restore` make them."""
        sittings = self.prepare(image, name)
        return [self.restore(array, each) for each in sittings for array in self.run([each])]

    def translator(self, direction: Direction) -> Translator:
        """Return the model for a direction; one that comes with the package is loaded when it is first needed."""
        if self.own is not None:
            return self.own
        with self._lock:
            if direction not in self._shipped:
                self._shipped[direction] = self._load(_shipped(direction))
            translator = self._shipped[direction]
        _check_style(translator, self._style(direction))
        return translator

    def prepare(self, image: Image.Image, name: str = "picture") -> list[FramedFace]:
        """Return a picture's faces, or the picture, ready for the network; may be called from several threads.

        Args:
            image: an `L` or `RGB` picture.
            name: what to call it in errors.

        Raises:
            FaceError: it shows no face, or none of that number.
        """
        direction = self._direction(image)
        translator = self.translator(direction)
        frame = _frame(translator) if self.request.align else None
        if frame is None:
            prepared = translator.prepare(image, direction, self.request.resolution)
            return [FramedFace(prepared, direction, image.size, source=image if self._keep else None)]
        faces = self._faces(image, name)
        if faces[0].turn:  # all faces of a picture stand the same way
            self.turned[name] = faces[0].turn
        return [self._sit(image, face, frame, translator, direction) for face in faces]

    def run(self, sittings: Sequence[FramedFace]) -> list[NDArray[np.uint8]]:
        """Run the network alone on sittings of one `batch`, and return as many (H, W, C) uint8 arrays."""
        if not sittings:
            return []
        direction = sittings[0].direction
        prepared = [each.prepared for each in sittings]
        return self.translator(direction).run(prepared, direction, self._style(direction))

    def restore(self, array: NDArray[np.uint8], sitting: FramedFace) -> Portrait:
        """Make a portrait of what the network gave; may be called from several threads."""
        picture = self.translator(sitting.direction).restore(array, sitting.prepared)
        if picture.size != sitting.size:
            picture = picture.resize(sitting.size, Image.Resampling.BICUBIC)
        return Portrait(picture, sitting.direction, sitting.face, sitting.source)

    def _load(self, path: str) -> Translator:
        asked = self.request
        return load(path, weights=asked.weights, device=asked.device, engine=asked.backend)

    def _style(self, direction: Direction) -> str | None:
        """Return the hand to draw in; among pictures of both kinds it is asked of the sketches, as photos have none."""
        both = self.own is None and self.request.direction is None
        return None if both and direction == "sketch2photo" else self.request.style

    def _check(self) -> None:
        request, translator = self.request, self.own
        if isinstance(request.faces, str):
            require_known(request.faces, ("largest", "all"), "faces")
        if request.faces is not None and not request.align:
            raise ConfigError(
                "`faces` picks among faces, which `align=False` does not look for", "leave out one of them"
            )
        if translator is None:
            if request.direction is not None:
                self.translator(request.direction)
            return
        needs, name = translator.preprocessing, translator.name
        if request.direction is not None:
            translator.choose(request.direction)
        if request.faces is not None and needs.faces is None:
            raise ConfigError(
                f"{name}: knows no aligned faces and translates each picture as it is", "leave out `faces`"
            )
        if request.resolution == "native" and needs.frame is not None:
            raise ConfigError(
                f"{name}: this network has a fixed size of {needs.frame}", "leave out `resolution` native"
            )
        _check_style(translator, request.style)

    def _direction(self, image: Image.Image) -> Direction:
        """Return what to do with a picture: what was asked, what the model does, or what the picture tells."""
        if self.request.direction is not None:
            return self.request.direction
        if self.own is not None and len(self.own.directions) == 1:
            return self.own.directions[0]
        from facesketch.images.photo_or_sketch import kind_of

        return "photo2sketch" if kind_of(image) == "photo" else "sketch2photo"

    def _faces(self, image: Image.Image, name: str) -> list[Face]:
        from facesketch.faces import choose

        which = self.request.faces or "largest"
        most = None if which == "all" else 1 if which == "largest" else which
        try:
            return choose(self._finder.find(image, most=most), which)
        except FaceError as error:
            raise FaceError(f"{name}: {error}") from error

    def _sit(
        self, image: Image.Image, face: Face, frame: FaceFrame, translator: Translator, direction: Direction
    ) -> FramedFace:
        from facesketch.faces import align

        scale = useful_scale(frame, face)
        native = self.request.resolution == "native"
        large = align(image, face, frame, scale=scale).image if native or self._keep else None
        # at the resolution of training the network sees a face in the very frame that it learned from
        given = large if native and large is not None else align(image, face, frame).image
        prepared = translator.prepare(given, direction, self.request.resolution)
        return FramedFace(prepared, direction, (frame.width * scale, frame.height * scale), face, large)


def _frame(translator: Translator) -> FaceFrame | None:
    if translator.preprocessing.faces is None:
        return None
    from facesketch.faces.frame import FaceFrame

    return FaceFrame.from_header(translator.preprocessing.faces)


def _check_style(translator: Translator, style: str | None) -> None:
    if style is not None:
        translator.preprocessing.style_weights(style, 1)


def _shipped(direction: Direction) -> str:
    from facesketch.weights import shipped

    return str(shipped.path(direction))
