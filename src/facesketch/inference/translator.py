"""Run one model on whole pictures, as they are, without looking for faces; `inference.model` finds faces first.

PyTorch, ONNX Runtime or OpenVINO are imported when a model is loaded for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.checkpoints.header import ONNX_SUFFIX, model_file, read_header
from facesketch.checkpoints.preprocessing import Preprocessing
from facesketch.config import DIRECTIONS, Direction, RunConfig
from facesketch.errors import CheckpointError, ConfigError, ImageError, require, require_known
from facesketch.faces import fill_corners
from facesketch.faces.colours import AUTO, Colours
from facesketch.images.fit import Placement, fit
from facesketch.images.io import encoded, flatten, open_image
from facesketch.inference.engines.base import Engine
from facesketch.methods.registry import untrained
from facesketch.weights import hub, shipped

Picture = TypeVar("Picture", str, Path, bytes, Image.Image, NDArray[Any])
Resolution = Literal["trained", "native"]
Weights = Literal["best", "last"]
EngineName = Literal["auto", "torch", "onnx", "openvino", "openvino-bf16"]


def load(
    path: str | Path,
    *,
    weights: Weights = "best",
    device: str = "auto",
    engine: EngineName = "auto",
) -> Translator:
    """Load a model that translates pictures as they are, without looking for a face.

    Examples:
        >>> from facesketch.inference.translator import load
        >>> translator = load("pencil")
        >>> translator("me.jpg").mode
        'L'

    Args:
        path: a run folder, a `.safetensors` or `.onnx` file, the name of a method that needs no training (`pencil`), or
            `photo2sketch` or `sketch2photo` for the package's own model of that direction, or `hub:OWNER/NAME` for a
            model on the Hugging Face Hub, which is fetched.
        weights: which of a run folder's weights to use.
        device: `auto`, `cpu`, `cuda` or `mps`.
        engine: `auto` runs an `.onnx` file with ONNX Runtime and a run's weights with PyTorch.

    Raises:
        CheckpointError: the file is missing, damaged or not a facesketch model.
        ConfigError: an unknown word, or an engine that cannot run this file.
        MissingExtraError: the engine is not installed, or the hub does not give the model.
        ResourceError: the device is not there.
    """
    require_options(weights, engine, device)
    path = shipped.own(path) or path
    file = hub.fetch(str(path)) if str(path).startswith(hub.PREFIX) else path
    details = shipped.details(file)
    finer = partial(_open, str(details), weights, device, engine) if details else None
    opened = _open(str(file), weights, device, engine)
    source = None if untrained(str(file)) else model_file(Path(file), weights)
    return Translator(opened, name=str(path), file=source, finer=finer)


def require_options(weights: str, engine: str, device: str) -> None:
    """Refuse unknown weights, engines and devices with a ConfigError."""
    require_known(weights, get_args(Weights), "weights")
    require_known(engine, get_args(EngineName), "engine")
    require_known(device, ("auto", "cpu", "cuda", "mps"), "device")


def _open(path: str, weights: str, device: str, engine: EngineName) -> Engine:
    if untrained(path):  # any engine will do
        from facesketch.inference.engines.pencil_engine import PencilEngine

        return PencilEngine()
    exported = path.lower().endswith(ONNX_SUFFIX)
    if engine == "torch" and exported:
        raise ConfigError(f"{path}: PyTorch does not run .onnx files", "give the run folder, or `engine` onnx")
    if engine in {"onnx", "openvino", "openvino-bf16"} and not exported:
        hint = f"type: facesketch export {path} `out` model.onnx, and give that"
        raise ConfigError(f"{path}: {engine} runs .onnx files", hint)
    if not exported:
        read_header(model_file(Path(path), weights))  # a bad path is reported before a missing extra
        require("train", f"{path}: a model that is not exported to .onnx")
        from facesketch.inference.engines.torch_engine import TorchEngine

        return TorchEngine.open(path, weights, device)
    if engine in {"auto", "onnx"}:
        from facesketch.inference.engines.onnx_engine import OnnxEngine

        return OnnxEngine(Path(path), device)
    from facesketch.inference.engines.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(Path(path), "bf16" if engine == "openvino-bf16" else "f32", device)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture that is ready for the network.

    Attributes:
        array: (H, W, C) uint8, fitted into the frame.
        placement: where the picture lies in it.
        finer: the same picture larger, for the network that draws details; None where they are not drawn.
    """

    array: NDArray[np.uint8]
    placement: Placement
    finer: Prepared | None = None

    @property
    def shape(self) -> tuple[tuple[int, ...], ...]:
        """What pictures that go through the networks together have in common."""
        return (self.array.shape,) if self.finer is None else (self.array.shape, self.finer.array.shape)


class Translator:
    """Translates pictures of any size with one model, as they are. To find faces first, use `facesketch.load`.

    Each picture is fitted like the model's training pictures: it is shrunk to the longer side of training and padded by
    mirroring. The result is cut back and enlarged to the picture's own size. For a model of aligned faces, black
    corners that levelling left are filled. With `resolution="native"`, networks without a fixed size work on the
    picture's own pixels.

    Examples:
        >>> from facesketch.inference.translator import load
        >>> translator = load("sketch2photo")
        >>> translator.directions
        ('sketch2photo',)
        >>> translator("pairs/sketches/face-0001.png").size
        (128, 128)

    Args:
        engine: what computes the network.
        name: what to call the model in errors.
        file: the model file, if there is one.
        finer: loads the network that draws details. It gets the picture at twice the size and, as further channels,
            the enlarged drawing of the first network.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        name: str = "model",
        file: Path | None = None,
        finer: Callable[[], Engine] | None = None,
    ) -> None:
        self._engine, self.name, self.file, self._open_finer = engine, name, file, finer

    @cached_property
    def finer(self) -> Engine | None:
        """What runs the network that draws details, or None; it is loaded when it is first needed."""
        return None if self._open_finer is None else self._open_finer()

    @property
    def config(self) -> RunConfig:
        """The settings that the model was trained with."""
        return self._engine.config

    @property
    def preprocessing(self) -> Preprocessing:
        """What pictures the model takes."""
        return self._engine.preprocessing

    @property
    def directions(self) -> tuple[Direction, ...]:
        """What the model translates."""
        return self.preprocessing.directions

    @cached_property
    def sizes(self) -> tuple[str, ...]:
        """The sizes at which it can draw the frame of a face: that of training, and twice that with details."""
        frame = self.preprocessing.faces
        scales = () if frame is None else (1,) if self._open_finer is None else (1, 2)
        return tuple(f"{scale * frame.width}x{scale * frame.height}" for scale in scales if frame)

    def __call__(
        self,
        picture: Picture,
        direction: Direction | None = None,
        *,
        resolution: Resolution = "trained",
        style: str | None = None,
        colours: Colours = AUTO,
    ) -> Any:
        """Translate one picture and return the same kind, in the picture's own size.

        Args:
            picture: a path (gives a PIL image), a file's bytes (gives PNG bytes), a PIL image, or an array of (H, W) or
                (H, W, C) with uint8 in [0, 255] or floats in [0, 1] (gives an array of that type).
            direction: needed only for a model that serves both.
            resolution: `trained` or `native`.
            style: one of the model's styles.
            colours: hints to a model that takes them.

        Raises:
            ImageError: not a picture.
            ConfigError: the model does not know the direction, resolution, style or colour.
        """
        result = self.translate([to_image(picture)], direction, resolution=resolution, style=style, colours=colours)[0]
        return like(picture, result)

    def translate(
        self,
        pictures: Sequence[Image.Image],
        direction: Direction | None = None,
        *,
        resolution: Resolution = "trained",
        style: str | None = None,
        colours: Colours = AUTO,
    ) -> list[Image.Image]:
        """Translate PIL images, and return `L` or `RGB` pictures of the same sizes; equal shapes share a batch."""
        direction = self.choose(direction)
        prepared = [self.prepare(picture, direction, resolution) for picture in pictures]
        shapes: dict[tuple[int, ...], list[int]] = {}
        for place, each in enumerate(prepared):
            shapes.setdefault(each.array.shape, []).append(place)
        results: dict[int, NDArray[np.uint8]] = {}
        for places in shapes.values():
            arrays = self.run([prepared[place] for place in places], direction, style, colours)
            results.update(zip(places, arrays, strict=True))
        return [self.restore(results[place], each) for place, each in enumerate(prepared)]

    def choose(self, direction: Direction | None) -> Direction:
        """Return the direction to take.

        Raises:
            ConfigError: the model does not serve it, or serves both and none was given.
        """
        if direction is None:
            if len(self.directions) > 1:
                hint = "say which with `direction` photo2sketch or sketch2photo"
                raise ConfigError(f"{self.name}: serves both directions", hint)
            return self.directions[0]
        require_known(direction, DIRECTIONS, "direction")
        if direction not in self.directions:
            seen = f"{self.name}: translates {' and '.join(self.directions)}, not {direction}"
            raise ConfigError(seen, f"give a model trained with `direction` {direction}")
        return direction

    def prepare(
        self,
        picture: Image.Image,
        direction: Direction,
        resolution: Resolution = "trained",
        larger: Image.Image | None = None,
    ) -> Prepared:
        """Fit a picture for the network, which is not run; may be called from several threads.

        Args:
            picture: what to translate.
            direction: one of `directions`.
            resolution: `trained` or `native`.
            larger: the same picture larger, to draw details from; only where there is a network `finer`.

        Raises:
            ConfigError: a resolution of no known name, or the native one of a network whose size is fixed.
        """
        require_known(resolution, get_args(Resolution), "resolution")
        needs = self.preprocessing
        if resolution == "native" and needs.frame is not None:
            seen = f"{self.name}: this network has a fixed size of {needs.frame}"
            raise ConfigError(seen, "leave out `resolution` native")
        frame = None if needs.frame is None else (needs.frame, needs.frame)
        longest = needs.longest_side if resolution == "trained" else None
        channels = needs.source_channels(direction)
        image = flatten(picture) if needs.faces is None else fill_corners(flatten(picture))
        finer = None
        if larger is not None and self.finer is not None:
            finer = Prepared(*fit(larger, channels, longest=None, multiple=self.finer.preprocessing.multiple))
        return Prepared(*fit(image, channels, longest=longest, frame=frame, multiple=needs.multiple), finer)

    def run(
        self, prepared: Sequence[Prepared], direction: Direction, style: str | None = None, colours: Colours = AUTO
    ) -> list[NDArray[np.uint8]]:
        """Run the network alone on fitted pictures of one shape, and return as many (H, W, C) uint8 arrays.

        Raises:
            ConfigError: a style or a colour that the model does not have.
            CheckpointError: what it draws holds NaN or infinity.
        """
        if not prepared:
            return []
        arrays = self._run(self._engine, [each.array for each in prepared], direction, style, colours)
        if prepared[0].finer is None:
            return arrays
        assert self.finer is not None, "`prepare` was given a larger picture"
        both = []
        for array, each in zip(arrays, prepared, strict=True):
            assert each.finer is not None, "pictures of one batch are drawn at one size"
            drawn = self.restore(array, replace(each, finer=None))
            enlarged = drawn.resize(each.finer.placement.original, Image.Resampling.BICUBIC)
            fitted = fit(enlarged, array.shape[2], longest=None, multiple=self.finer.preprocessing.multiple)[0]
            both.append(np.concatenate([each.finer.array, fitted], axis=2))
        return self._run(self.finer, both, direction, style if self.finer.preprocessing.styles else None)

    def _run(
        self,
        engine: Engine,
        arrays: Sequence[NDArray[np.uint8]],
        direction: Direction,
        style: str | None,
        colours: Colours = AUTO,
    ) -> list[NDArray[np.uint8]]:
        images = np.ascontiguousarray(np.stack(arrays).transpose(0, 3, 1, 2), dtype=np.float32)  # (N, C, H, W)
        images /= 127.5
        images -= 1.0
        results = engine.run(images, direction, style, colours)
        if not np.isfinite(results).all():
            raise CheckpointError(f"{self.name}: outputs NaN or infinity", "its weights are damaged")
        rounded = np.rint((results + 1.0) * 127.5).clip(0, 255).astype(np.uint8)
        return list(np.ascontiguousarray(rounded.transpose(0, 2, 3, 1)))

    def restore(self, array: NDArray[np.uint8], prepared: Prepared) -> Image.Image:
        """Cut a result out of its frame and return it in the picture's own size; may be called from several threads."""
        placement = (prepared.finer or prepared).placement
        cut = np.ascontiguousarray(placement.cut(array.transpose(2, 0, 1)).transpose(1, 2, 0))
        image = Image.fromarray(cut[:, :, 0] if cut.shape[2] == 1 else cut)
        if image.size == placement.original:
            return image
        return image.resize(placement.original, Image.Resampling.BICUBIC)


def to_image(picture: Any) -> Image.Image:
    """Return a path's, a file's bytes', a PIL image's or an array's picture as `L` or `RGB`.

    Raises:
        ImageError: none of these, or not a picture.

    Examples:
        >>> to_image(np.zeros((8, 9, 3))).size
        (9, 8)
    """
    if isinstance(picture, Image.Image):
        return flatten(picture)
    if isinstance(picture, (str, Path, bytes)):
        return open_image(picture)
    if isinstance(picture, np.ndarray):
        return _from_array(picture)
    kind = type(picture).__name__
    raise ImageError(f"a {kind} is not a picture", "give a path, bytes, a PIL image or an array of (H, W) or (H, W, 3)")


def _from_array(array: NDArray[Any]) -> Image.Image:
    if array.size == 0 or array.ndim not in {2, 3} or (array.ndim == 3 and array.shape[2] not in {1, 3, 4}):
        raise ImageError(f"an array of shape {array.shape} is not a picture", "expected (H, W), (H, W, 3) or (H, W, 4)")
    if array.dtype != np.uint8:
        if array.dtype.kind != "f" or not (array.min() >= 0.0 and array.max() <= 1.0):
            seen = f"an array of {array.dtype} in [{array.min()}, {array.max()}]"
            raise ImageError(seen, "expected uint8, or floats in [0, 1]")
        array = (array * 255.0 + 0.5).astype(np.uint8)
    return flatten(Image.fromarray(array[:, :, 0] if array.shape[2:] == (1,) else array))


def like(picture: Any, result: Image.Image) -> Any:
    """Return a result as the kind of thing that a picture came as: PNG bytes, an array of its type, or a PIL image."""
    if isinstance(picture, bytes):
        return encoded(result, "PNG")
    if isinstance(picture, np.ndarray):
        array = np.array(result)  # a copy, because a view of Pillow's is read-only
        return array if picture.dtype == np.uint8 else (array / 255.0).astype(picture.dtype)
    return result
