"""Load a model once and call it on any picture: it finds the face, frames it, translates it and gives it back large.

A call has three stages, of which only `Model.run` needs the network, so that a folder job or a server can overlap them:
`Model.prepare` finds and frames the faces, and `Model.restore` makes a portrait of what the network gives.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.config import DIRECTIONS, Direction
from facesketch.errors import ConfigError, FaceError, require_known
from facesketch.faces import Face, FaceFinder, FaceFrame, align, choose, fill_corners
from facesketch.faces.colours import AUTO, LIGHT_GREY, PARTS, VARIANTS, Colours, Part, named
from facesketch.faces.finder import Which, upright_in
from facesketch.faces.turns import Turn, turned
from facesketch.images.photo_or_sketch import kind_of
from facesketch.inference.translator import (
    EngineName,
    Picture,
    Prepared,
    Resolution,
    Translator,
    Weights,
    like,
    require_options,
    to_image,
)
from facesketch.inference.translator import load as load_translator
from facesketch.weights import shipped

USEFUL_SIZE = (400, 500)
"""Least pixels across and down of a portrait, unless that is more than four times its frame."""
_MOST_SCALE = 4
_DETAILED = 1.5
"""How many times as far apart as in the frame the eyes of a photo must be for it to be drawn with more details."""
_MOST_MARGIN = 2.0
_WHOLE = 1024  # pixels of the longer side at which a whole picture is drawn at most


def load(
    path: str | Path | None = None,
    *,
    weights: Weights = "best",
    device: str = "auto",
    engine: EngineName = "auto",
    style: str | None = None,
) -> Model:
    """Load a model.

    Examples:
        >>> import facesketch
        >>> model = facesketch.load()
        >>> model.directions
        ('photo2sketch', 'sketch2photo')

    Args:
        path: a run folder, a `.safetensors` or `.onnx` file, the name of a method that needs no training (`pencil`), or
            `photo2sketch` or `sketch2photo` for the package's own model of that direction, or `hub:OWNER/NAME` for a
            model on the Hugging Face Hub, which is fetched; None for both of the package's own.
        weights: which of a run folder's weights to use.
        device: `auto`, `cpu`, `cuda` or `mps`.
        engine: `auto` runs an `.onnx` file with ONNX Runtime and everything else with PyTorch.
        style: the style to draw in when a call names none; None for the model's first.

    Raises:
        CheckpointError: the file is missing, damaged or not a model of facesketch.
        ConfigError: the engine cannot run this file, or the model does not have the style.
        MissingExtraError: the engine is not installed.
        ResourceError: this machine does not have the device.
    """
    require_options(weights, engine, device)
    opened = partial(load_translator, weights=weights, device=device, engine=engine)
    if path is not None:
        return Model(opened(path), style=style)
    model = Model({each: partial(opened, shipped.path(each)) for each in DIRECTIONS}, style=style)
    if style is not None:
        model.check(Request(style=style))
    return model


@dataclass(frozen=True)
class Request:
    """What to do with a picture.

    Attributes:
        direction: None for the model's only one or, where it serves both, for the one that suits the picture.
        faces: which faces to draw, with a model of aligned faces; None for the largest.
        align: whether to look for faces at all.
        margin: how much to draw around the frame, on each side and as a share of its sides.
        whole: draw the whole picture instead of the frame.
        size: (width)x(height) to draw the frame at, one of `Translator.sizes`; None for what the face has details for.
        resolution: `trained`, or `native` for the picture's own pixels; of a framed face, those of the portrait.
        style: one of the model's styles; None for the one given when it was loaded.
        skin, hair, background: colours for a photo drawn from a sketch, as `faces.colours.named` takes them. None is
            `auto`, the model's choice, for skin and hair, and a light grey for the background.
        variants: draw a photo three times, side by side, in three tones of skin.
    """

    direction: Direction | None = None
    faces: Which | None = None
    align: bool = True
    margin: float = 0.0
    whole: bool = False
    size: str | None = None
    resolution: Resolution = "trained"
    style: str | None = None
    skin: str | None = None
    hair: str | None = None
    background: str | None = None
    variants: bool = False

    @property
    def hints(self) -> tuple[Colours, ...]:
        """The colours to draw with: those given, or with `variants` those of three tones of skin.

        Raises:
            ConfigError: what was given is no colour, or a colour of skin beside `variants`.
        """
        given = Colours(*(named(part, getattr(self, part) or "auto") for part in PARTS))
        if not self.variants:
            return (given,)
        if given.skin is not None:
            raise ConfigError("`variants` shows several colours of skin", "leave out `variants` or `skin`")
        return tuple(given._replace(skin=named("skin", step)) for step in VARIANTS)


DEFAULT = Request()


@dataclass(frozen=True, eq=False)
class FramedFace:
    """A face, or a whole picture, that is ready for the network.

    Attributes:
        prepared: what the network gets.
        direction: what to translate it into.
        style: the style to draw in; None for the model's first.
        hints: the colours to draw with; more than one are drawn side by side.
        size: (width, height) of the portrait.
        face: the face that was framed, or None for a whole picture.
        source: what is translated, in the portrait's size, where it was asked for.
    """

    prepared: Prepared
    direction: Direction
    style: str | None
    hints: tuple[Colours, ...]
    size: tuple[int, int]
    face: Face | None = None
    source: Image.Image | None = None

    @property
    def batch(self) -> tuple[object, ...]:
        """What faces that go through the network together have in common."""
        return self.direction, self.style, self.hints, self.prepared.shape


@dataclass(frozen=True, eq=False)
class Portrait:
    """A face or a whole picture, and its translation.

    Examples:
        >>> import facesketch
        >>> [portrait] = facesketch.load().portraits("me.jpg", faces="all")
        >>> portrait.direction, portrait.turned, portrait.source.size
        ('photo2sketch', 0, (400, 500))

    Attributes:
        picture: the translation, `L` or `RGB`.
        direction: the direction of the translation.
        face: the face that was framed, or None for a whole picture.
        source: what was translated, at the same size, if it was asked for.
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


def _framed(image: Image.Image, face: Face, *, frame: FaceFrame, scale: int) -> Image.Image:
    return align(image, face, frame, scale=scale).image


def _whole(image: Image.Image, face: Face, *, frame: FaceFrame, scale: int) -> Image.Image:
    """Return a picture upright and so large that a face in it is as large as in the frame."""
    image, face = upright_in(fill_corners(image), face)
    zoom = scale * min(frame.eye_distance / math.dist(*face.eyes), _WHOLE / max(image.size))
    size = (max(1, round(zoom * image.width)), max(1, round(zoom * image.height)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


class Model:
    """Translates any picture, with the same defaults and results as `facesketch translate`.

    A model of aligned faces finds the face, levels it and returns a portrait. Any other model takes the picture as it
    is and returns a picture of the same size. Several threads may share one model.

    Examples:
        >>> import facesketch
        >>> model = facesketch.load()
        >>> sketch = model("me.jpg")
        >>> sketch.mode, sketch.size
        ('L', (400, 500))
        >>> model(sketch).mode
        'RGB'
        >>> model("me.jpg", style="fs2k-1").save("ink.png")

    Args:
        translator: the network, or a function that loads one for a direction when it is first needed.
        style: the style to draw in when a call names none; None for the model's first.
        finder: what finds faces; None for a `FaceFinder`.

    Raises:
        ConfigError: a style that the model does not have.
    """

    def __init__(
        self,
        translator: Translator | Mapping[Direction, Callable[[], Translator]],
        *,
        style: str | None = None,
        finder: Finder | None = None,
    ) -> None:
        self._own = translator if isinstance(translator, Translator) else None
        self._openers = {} if isinstance(translator, Translator) else translator
        self._opened: dict[Direction, Translator] = {}
        self._lock = threading.Lock()
        self._style, self._finder = style, finder or FaceFinder()
        self.check()

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions that the model translates."""
        return tuple(self._openers) if self._own is None else self._own.directions

    @property
    def colours(self) -> tuple[Part, ...]:
        """The parts of a photo whose colour the model takes as a hint; empty if it takes none."""
        return self.translator(self.directions[-1]).preprocessing.colours

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles that the model draws in; empty if it has only one."""
        return self.translator(self.directions[0]).preprocessing.styles

    def translator(self, direction: Direction) -> Translator:
        """Return the network for a direction, which is loaded when it is first needed."""
        if self._own is not None:
            return self._own
        with self._lock:
            if direction not in self._opened:
                self._opened[direction] = self._openers[direction]()
            return self._opened[direction]

    def __call__(
        self,
        picture: Picture,
        direction: Direction | None = None,
        *,
        faces: Which | None = None,
        align: bool = True,
        margin: float = 0.0,
        whole: bool = False,
        size: str | None = None,
        resolution: Resolution = "trained",
        style: str | None = None,
        skin: str | None = None,
        hair: str | None = None,
        background: str | None = None,
        variants: bool = False,
    ) -> Any:
        """Translate one picture and return the same kind of thing.

        Args:
            picture: a path (gives a PIL image), a file's bytes (gives PNG bytes), a PIL image, or an array of (H, W) or
                (H, W, C) with uint8 in [0, 255] or floats in [0, 1] (gives an array of that type).
            direction: by default the model's only one or, if it serves both, the one that suits the picture.
            faces: `largest`, a number (1 is the largest), or `all`, which returns a list, the largest first.
            align: look for faces; False takes the picture as it is.
            margin: draw more than the frame: add this share of it on each side, 0 to 2.
            whole: draw the whole picture at its own size instead of the frame.
            size: size at which to draw the portrait, `200x250` or `400x500`; by default `400x500` for photos and for
                sketches of large faces.
            resolution: `trained`, or `native` for the picture's own pixels.
            style: one of the model's styles.
            skin: the colour of the skin in a photo drawn from a sketch: `1` (lightest) to `10` on the Monk scale, a CSS
                colour such as `#c68642`, or `auto`; only for a model that takes colours.
            hair: the colour of the hair, a CSS colour or `auto`.
            background: the colour of the background; light grey if you give none.
            variants: draw the photo three times, side by side, in three skin tones.

        Raises:
            ImageError: this is not a picture.
            FaceError: it shows no face, or none of that number.
            ConfigError: something was asked for that the model does not do.
        """
        asked = Request(
            direction, faces, align, margin, whole, size, resolution, style, skin, hair, background, variants
        )
        made = [like(picture, each.picture) for each in self._portraits(picture, asked)]
        return made if faces == "all" else made[0]

    def portraits(self, picture: Picture, direction: Direction | None = None, **asked: Any) -> list[Portrait]:
        """Translate like a call, and return `Portrait`s with the face, the turn and the framed input.

        Arguments and errors are the same as those of a call.
        """
        return self._portraits(picture, Request(direction, **asked), keep_source=True)

    def _portraits(self, picture: Any, asked: Request, *, keep_source: bool = False) -> list[Portrait]:
        name = str(picture) if isinstance(picture, (str, Path)) else "picture"
        framed = self.prepare(to_image(picture), asked, name, keep_source=keep_source)
        return [self.restore(array, each) for each in framed for array in self.run([each])]

    def check(self, asked: Request = DEFAULT) -> None:
        """Refuse what the model does not do.

        Raises:
            ConfigError: an unknown word, or something that the model does not do.
        """
        if isinstance(asked.faces, str):
            require_known(asked.faces, ("largest", "all"), "faces")
        elif asked.faces is not None and (type(asked.faces) is not int or asked.faces < 1):
            raise ConfigError(f"faces = {asked.faces!r}: expected `largest`, `all` or a number from 1")
        if not isinstance(asked.align, bool):
            raise ConfigError(f"align = {asked.align!r}: expected True or False")
        if not (isinstance(asked.margin, (int, float)) and 0 <= asked.margin <= _MOST_MARGIN):
            raise ConfigError(f"margin = {asked.margin!r}: expected 0 to {_MOST_MARGIN:g}")
        needing = [name for name in ("margin", "faces", "whole", "size") if getattr(asked, name)]
        if needing and not asked.align:
            seen = f"`{needing[0]}` needs a face, which `align=False` does not look for"
            raise ConfigError(seen, "leave out one of them")
        if asked.whole and (asked.margin or asked.faces == "all"):
            raise ConfigError(f"`whole` draws one picture, without `{needing[0]}`", "leave out one of them")
        _ = asked.hints  # refuses what is no colour, whatever a picture shows
        require_known(asked.resolution, get_args(Resolution), "resolution")
        if asked.direction is not None:
            require_known(asked.direction, DIRECTIONS, "direction")
        if self._own is None and asked.direction is None:  # each model checks its own pictures
            if asked.style is not None:
                self._chosen_style(asked, "photo2sketch")
            return
        translator = self.translator(asked.direction or self.directions[0])
        needs, name = translator.preprocessing, translator.name
        if asked.direction is not None:
            translator.choose(asked.direction)
        if needing and needs.faces is None:
            seen = f"{name}: translates each picture as it is, without finding faces"
            raise ConfigError(seen, f"leave out `{needing[0]}`")
        larger = [f"`{each}`" for each in needing if each in {"margin", "whole"}]
        larger += ["`resolution` native"] if asked.resolution == "native" else []
        if larger and needs.frame is not None:
            raise ConfigError(f"{name}: this network has a fixed size of {needs.frame}", f"leave out {larger[0]}")
        self._chosen_style(asked, translator.directions[0])
        self._chosen_hints(asked, translator.directions[0])

    def _chosen_style(self, asked: Request, direction: Direction) -> str | None:
        """Return the style to draw in; of two models without a named direction, it is meant for the one that has it."""
        style = asked.style or self._style
        if style is None or (self._own is None and asked.direction is None and direction == "sketch2photo"):
            return None
        self.translator(direction).preprocessing.conditions(style, AUTO, 1)
        return style

    def _chosen_hints(self, asked: Request, direction: Direction) -> tuple[Colours, ...]:
        """Return the colours to draw with; of two models without a named direction, they are meant for sketch2photo."""
        if self._own is None and asked.direction is None and direction == "photo2sketch":
            return (AUTO,)
        needs = self.translator(direction).preprocessing
        if asked.background is None and "background" in needs.colours:
            asked = replace(asked, background=LIGHT_GREY)
        for hints in asked.hints:
            needs.conditions(None, hints, 1)
        return asked.hints

    def prepare(
        self, image: Image.Image, asked: Request = DEFAULT, name: str = "picture", *, keep_source: bool = False
    ) -> list[FramedFace]:
        """Return a picture's faces, or the picture, ready for the network; may be called from several threads.

        Args:
            image: an `L` or `RGB` picture.
            asked: what to do.
            name: what to call the picture in errors.
            keep_source: keep what is translated, in the portrait's size.

        Raises:
            FaceError: it shows no face, or none of that number.
            ConfigError: something was asked for that the model does not do.
        """
        self.check(asked)
        direction = asked.direction or self.directions[0]
        if asked.direction is None and len(self.directions) > 1:
            direction = "photo2sketch" if kind_of(image) == "photo" else "sketch2photo"
        translator, style = self.translator(direction), self._chosen_style(asked, direction)
        hints = self._chosen_hints(asked, direction)
        frame = translator.preprocessing.faces if asked.align else None
        if frame is None:
            prepared = translator.prepare(image, direction, asked.resolution)
            return [FramedFace(prepared, direction, style, hints, image.size, source=image if keep_source else None)]
        if asked.size is not None:
            require_known(asked.size, translator.sizes, "size")
        which = asked.faces or "largest"
        most = None if which == "all" else 1 if which == "largest" else which
        try:
            faces = choose(self._finder.find(image, most=most), which)
        except FaceError as error:
            error.where = name
            raise
        wide, framed = frame.widened(asked.margin), []
        for face in faces:
            scale = useful_scale(frame, face) if asked.size is None else translator.sizes.index(asked.size) + 1
            whole = turned(image, face.turn) if asked.whole else None
            cut = partial(_whole, frame=frame) if asked.whole else partial(_framed, frame=wide)
            # by default the network sees a face in the very frame that it learned from
            resolution = asked.resolution if wide == frame and not whole else "native"
            close = direction == "sketch2photo" or math.dist(*face.eyes) >= _DETAILED * frame.eye_distance
            detailed = close if asked.size is None else scale > 1
            detailed &= len(translator.sizes) > 1 and asked.resolution == "trained"
            larger = cut(image, face, scale=2) if detailed else None
            if larger is None:
                given = cut(image, face, scale=scale if asked.resolution == "native" else 1)
            else:  # cutting it out of the picture again would take as long as reading the picture
                half = max(1, larger.width // 2), max(1, larger.height // 2)
                given = larger.resize(half, Image.Resampling.LANCZOS)
            prepared = translator.prepare(given, direction, resolution, larger)
            source = (whole or cut(image, face, scale=scale)) if keep_source else None
            size = whole.size if whole else (wide.width * scale, wide.height * scale)
            framed.append(FramedFace(prepared, direction, style, hints, size, face, source))
        return framed

    def run(self, framed: Sequence[FramedFace]) -> list[NDArray[np.uint8]]:
        """Run the network alone on faces of one `batch`, and return as many (H, W, C) uint8 arrays, or (H, 3 W, C)."""
        if not framed:
            return []
        first, prepared = framed[0], [each.prepared for each in framed]
        translator = self.translator(first.direction)
        drawn = [translator.run(prepared, first.direction, first.style, colours) for colours in first.hints]
        return [np.concatenate(tones, axis=1) for tones in zip(*drawn, strict=True)]

    def restore(self, array: NDArray[np.uint8], framed: FramedFace) -> Portrait:
        """Make a portrait of what the network gave; may be called from several threads."""
        translator, (width, height) = self.translator(framed.direction), framed.size
        tones = np.split(array, len(framed.hints), axis=1)
        picture = Image.new("L" if array.shape[2] == 1 else "RGB", (width * len(tones), height))
        for place, tone in enumerate(tones):
            drawn = translator.restore(tone, framed.prepared)
            drawn = drawn if drawn.size == framed.size else drawn.resize(framed.size, Image.Resampling.BICUBIC)
            picture.paste(drawn, (place * width, 0))
        return Portrait(picture, framed.direction, framed.face, framed.source)
