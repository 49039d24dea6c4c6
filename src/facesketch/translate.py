"""Load a model once, give it any picture, get the same kind of thing back."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from facesketch.checkpoint import load_method, untrained
from facesketch.config import Direction, MethodConfig, RunConfig
from facesketch.errors import ConfigError, ImageError
from facesketch.hardware import pick_device
from facesketch.images import Placement, fit, flatten, open_image, to_image, to_tensor
from facesketch.methods import Method, build, resolve

Picture = TypeVar("Picture", str, Path, bytes, Image.Image, NDArray[Any])
Resolution = Literal["trained", "native"]


def load(path: str | Path, *, weights: Literal["best", "last"] = "best", device: str = "auto") -> Translator:
    """Load a model and return what translates with it.

    Args:
        path: a run folder, a `.safetensors` model file, or the name of a method that needs no training (`pencil`).
        weights: which of a run folder's weights.
        device: `auto`, `cpu`, `cuda` or `mps`.

    Raises:
        CheckpointError: missing, torn or foreign.
    """
    if untrained(str(path)):
        config = resolve(RunConfig(method=MethodConfig(name=str(path))))
        method: Method = build(config).eval()
    else:
        method, config = load_method(Path(path), weights)
    return Translator(method, config, device=device, name=str(path))


class Translator:
    """Translates pictures of any size with one model.

    A picture is fitted as the model's training pictures were: shrunk until its longer side is that of training,
    padded by mirroring inside, cut back, and enlarged to its own size again. With `resolution="native"` networks
    without fixed size work on the picture's own pixels.

    Args:
        method: a method in evaluation mode.
        config: its settings.
        device: `auto`, `cpu`, `cuda` or `mps`.
        name: what to call the model in errors.
    """

    def __init__(self, method: Method, config: RunConfig, *, device: str = "cpu", name: str = "model") -> None:
        self.config, self.name, self.directions = config, name, method.translates
        self._device = torch.device(pick_device(device))
        self._method = method.eval().to(self._device)

    def __call__(
        self, picture: Picture, direction: Direction | None = None, *, resolution: Resolution = "trained"
    ) -> Any:
        """Translate one picture and return the same kind, in the picture's own size.

        Args:
            picture: a path (gives a PIL image), a file's bytes (gives PNG bytes), a PIL image, or an array of (H, W) or
                (H, W, C) with uint8 in [0, 255] or floats in [0, 1] (gives an array of that type).
            direction: needed only for a model that serves both.
            resolution: `trained` or `native`.

        Raises:
            ImageError: not a picture.
            ConfigError: a direction that the model does not serve.
        """
        result = self.translate([_to_image(picture)], direction, resolution=resolution)[0]
        return _like(picture, result)

    @torch.inference_mode()
    def translate(
        self, pictures: Sequence[Image.Image], direction: Direction | None = None, *, resolution: Resolution = "trained"
    ) -> list[Image.Image]:
        """Translate PIL images, those of one size in one batch, and return them in their own sizes as `L` or `RGB`."""
        way = self.choose(direction)
        if not pictures:
            return []
        if resolution == "native" and self._method.fixed:
            raise ConfigError(
                f"{self.name}: this network has a fixed size of {self._method.frame}; leave out --resolution native"
            )
        fitted = [self._fit(flatten(picture), way, resolution) for picture in pictures]
        if len({array.shape for array, _ in fitted}) > 1:
            return [image for picture in pictures for image in self.translate([picture], way, resolution=resolution)]
        images = to_tensor(np.stack([array for array, _ in fitted])).to(self._device)
        results = self._method.translate(images, way)
        return [
            _restore(to_image(place.cut(result)), place) for result, (_, place) in zip(results, fitted, strict=True)
        ]

    def choose(self, direction: Direction | None) -> Direction:
        """Return the direction to take.

        Raises:
            ConfigError: the model does not serve it, or serves both and none was given.
        """
        if direction is None:
            if len(self.directions) > 1:
                raise ConfigError(
                    f"{self.name}: serves both directions; say which with --direction photo2sketch or sketch2photo"
                )
            return self.directions[0]
        if direction not in self.directions:
            served = " and ".join(self.directions)
            raise ConfigError(
                f"{self.name}: translates {served}, not {direction}; give a model trained with --direction {direction}"
            )
        return direction

    def _fit(
        self, picture: Image.Image, direction: Direction, resolution: Resolution
    ) -> tuple[NDArray[np.uint8], Placement]:
        method, data = self._method, self.config.data
        channels = data.channels("photo" if direction == "photo2sketch" else "sketch")
        longest = data.size if resolution == "trained" and method.learned else None
        frame = (method.frame, method.frame) if method.fixed else None
        return fit(picture, channels, longest=longest, frame=frame, multiple=method.multiple)


def _restore(image: Image.Image, placement: Placement) -> Image.Image:
    if image.size == placement.original:
        return image
    return image.resize(placement.original, Image.Resampling.BICUBIC)


def _to_image(picture: Any) -> Image.Image:
    if isinstance(picture, Image.Image):
        return flatten(picture)
    if isinstance(picture, (str, Path, bytes)):
        return open_image(picture)
    if isinstance(picture, np.ndarray):
        return _from_array(picture)
    kind = type(picture).__name__
    raise ImageError(f"a {kind} is not a picture; give a path, bytes, a PIL image or an array of (H, W) or (H, W, 3)")


def _from_array(array: NDArray[Any]) -> Image.Image:
    if array.size == 0 or array.ndim not in {2, 3} or (array.ndim == 3 and array.shape[2] not in {1, 3, 4}):
        raise ImageError(f"an array of shape {array.shape} is not a picture; expected (H, W), (H, W, 3) or (H, W, 4)")
    if array.dtype != np.uint8:
        if array.dtype.kind != "f" or not (array.min() >= 0.0 and array.max() <= 1.0):
            raise ImageError(
                f"an array of {array.dtype} in [{array.min()}, {array.max()}]; expected uint8, or floats in [0, 1]"
            )
        array = (array * 255.0 + 0.5).astype(np.uint8)
    return flatten(Image.fromarray(array[:, :, 0] if array.shape[2:] == (1,) else array))


def _like(picture: Any, result: Image.Image) -> Any:
    if isinstance(picture, bytes):
        return png(result)
    if isinstance(picture, np.ndarray):
        array = np.asarray(result)
        return array if picture.dtype == np.uint8 else (array / 255.0).astype(picture.dtype)
    return result


def png(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
