"""What `facesketch.load` gives: a model that takes any picture and makes of it what `facesketch translate` writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from facesketch.config import DIRECTIONS, Direction
from facesketch.inference.portraits import FacePipeline, Portrait, Request, Which
from facesketch.inference.translator import EngineName, Picture, Resolution, like, to_image


def load(
    path: str | Path | None = None,
    *,
    weights: Literal["best", "last"] = "best",
    device: str = "auto",
    engine: EngineName = "auto",
    style: str | None = None,
) -> Model:
    """Load a model and return what translates pictures with it.

    Args:
        path: a run folder, a `.safetensors` or `.onnx` file, the name of a method that needs no training (`pencil`), or
            `photo2sketch` or `sketch2photo` for the package's own model of that direction; None for both of these,
            where each picture tells by itself what it is.
        weights: which of a run folder's weights.
        device: `auto`, `cpu`, `cuda` or `mps`.
        engine: `auto` runs an `.onnx` file with ONNX Runtime and everything else with PyTorch.
        style: the hand to draw in when a call names none; None for the model's first.

    Raises:
        CheckpointError: missing, torn or foreign.
        ConfigError: an engine that cannot run this file, or a style that the model does not have.
        MissingExtraError: the engine is not installed.
        ResourceError: the device is not there.
    """
    name = None if path is None else str(path)
    return Model(FacePipeline(Request(model=name, weights=weights, device=device, backend=engine, style=style)))


class Model:
    """Translates any picture, with the same defaults as `facesketch translate` and to the same result.

    A model of aligned faces finds the face, levels it and gives its portrait; any other takes the picture as it is and
    gives it back in its own size. One may serve many threads.

    Args:
        studio: the models, and what is asked where a call does not say.
    """

    def __init__(self, studio: FacePipeline) -> None:
        self._studio = studio

    @property
    def directions(self) -> tuple[Direction, ...]:
        """What it translates."""
        return DIRECTIONS if self._studio.own is None else self._studio.own.directions

    @property
    def styles(self) -> tuple[str, ...]:
        """The hands it draws in; empty where it has one only."""
        return self._studio.translator(self.directions[0]).preprocessing.styles

    def __call__(
        self,
        picture: Picture,
        direction: Direction | None = None,
        *,
        faces: Which | None = None,
        align: bool = True,
        resolution: Resolution = "trained",
        style: str | None = None,
    ) -> Any:
        """Translate one picture and return the same kind of thing.

        Args:
            picture: a path (gives a PIL image), a file's bytes (gives PNG bytes), a PIL image, or an array of (H, W) or
                (H, W, C) with uint8 in [0, 255] or floats in [0, 1] (gives an array of that type).
            direction: needed only where the model serves both and the picture shall not tell.
            faces: `largest`, a number, 1 for the largest, or `all`, which gives a list, the largest first.
            align: look for faces; False takes the picture as it is.
            resolution: `trained`, or `native` for the picture's own pixels.
            style: one of the model's hands.

        Raises:
            ImageError: not a picture.
            FaceError: it shows no face, or none of that number.
            ConfigError: something was asked for that the model does not do.
        """
        studio = self._asked(direction, faces, align, resolution, style, keep=False)
        made = [like(picture, each.picture) for each in studio(to_image(picture), _name(picture))]
        return made if faces == "all" else made[0]

    def portraits(
        self,
        picture: Picture,
        direction: Direction | None = None,
        *,
        faces: Which | None = None,
        align: bool = True,
        resolution: Resolution = "trained",
        style: str | None = None,
    ) -> list[Portrait]:
        """Return the same with what it was made of: the face, how far the picture was turned, and the framed input.

        Arguments and errors are those of a call.
        """
        studio = self._asked(direction, faces, align, resolution, style, keep=True)
        return studio(to_image(picture), _name(picture))

    def _asked(
        self,
        direction: Direction | None,
        faces: Which | None,
        align: bool,
        resolution: Resolution,
        style: str | None,
        *,
        keep: bool,
    ) -> FacePipeline:
        usual = self._studio.request
        request = replace(
            usual,
            direction=direction,
            faces=faces,
            align=align,
            resolution=resolution,
            style=usual.style if style is None else style,
        )
        return self._studio.again(request, keep_sources=keep)


def _name(picture: Any) -> str:
    return str(picture) if isinstance(picture, (str, Path)) else "picture"
