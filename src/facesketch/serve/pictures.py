"""Pictures in and out of requests: what a stranger sent is measured before it is decoded; answers are encoded."""

from __future__ import annotations

import base64
import io
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from facesketch.errors import ImageError
from facesketch.images import FORMATS, open_image
from facesketch.serve.problems import ProblemError, told

Kind = Literal["png", "jpeg", "webp", "json"]
MEDIA: dict[Kind, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "json": "application/json",
}
_QUALITY = 92
_NOT_ONE = "The upload is not a picture that can be read."
_EXPECTED = "Send PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or PPM; its content counts, not its name."
_SAMPLE_SEED, _SAMPLE_SIZE = 21, 512


class Darkroom:
    """Decodes pictures, and lets no more than so many pixels be decoded at once, however many threads there are.

    Args:
        pixels: most pixels of one picture, and of all that are being worked on at once.
    """

    def __init__(self, pixels: int) -> None:
        self._most, self._taken = pixels, 0
        self._line, self._changed = deque[object](), threading.Condition()

    @contextmanager
    def open(self, data: bytes) -> Iterator[Image.Image]:
        """Decode a picture, and hold its pixels until the block ends.

        Raises:
            ProblemError: 413 too many pixels, 415 not a picture, 400 damaged.
        """
        pixels = self._measured(data)
        self._enter(pixels)
        try:
            yield _decoded(data)
        finally:
            with self._changed:
                self._taken -= pixels
                self._changed.notify_all()

    def _enter(self, pixels: int) -> None:
        """Wait until there is room, behind those who came before, so that small pictures never keep a large one out."""
        place = object()
        with self._changed:
            self._line.append(place)
            self._changed.wait_for(lambda: self._line[0] is place and self._taken + pixels <= self._most)
            self._line.popleft()
            self._taken += pixels
            self._changed.notify_all()

    def _measured(self, data: bytes) -> int:
        """Return how many pixels the header tells of; what is wrong with the rest is told by decoding it."""
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
        except UnidentifiedImageError as error:
            raise ProblemError(415, _NOT_ONE, _EXPECTED) from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise self._too_many("The picture") from error
        except Exception:  # damaged headers make Pillow raise anything; opened again, they are told of in one line
            return 0
        if width * height > self._most:
            raise self._too_many(f"The picture of {width}x{height}")
        return width * height

    def _too_many(self, what: str) -> ProblemError:
        return ProblemError(413, f"{what} has more than {self._most:,} pixels.", "Scale it down and send it again.")


def _decoded(data: bytes) -> Image.Image:
    try:
        return open_image(data)
    except ImageError as error:
        if isinstance(error.__cause__, UnidentifiedImageError):
            raise ProblemError(415, _NOT_ONE, _EXPECTED) from error
        raise told(error) from error


def encoded(image: Image.Image, kind: Literal["png", "jpeg", "webp"]) -> bytes:
    """Return an `L` or `RGB` picture as a file's bytes."""
    buffer = io.BytesIO()
    if kind == "png":
        image.save(buffer, "PNG")
    else:
        image.save(buffer, kind.upper(), quality=_QUALITY)
    return buffer.getvalue()


def data_url(image: Image.Image, kind: Literal["png", "jpeg"]) -> str:
    """Return a picture as a `data:` URL."""
    return f"data:{MEDIA[kind]};base64,{base64.b64encode(encoded(image, kind)).decode()}"


def shrunk(image: Image.Image, side: int) -> Image.Image:
    """Return a picture whose longer side is at most so many pixels."""
    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


@lru_cache(maxsize=1)
def samples() -> dict[str, bytes]:
    """Return a synthetic face as PNG, under `photo` and under `sketch`."""
    from facesketch.data.synthetic import draw_pair

    photo, sketch = draw_pair(np.random.default_rng(_SAMPLE_SEED), _SAMPLE_SIZE)
    return {"photo": encoded(photo, "png"), "sketch": encoded(sketch, "png")}


def acceptable(accept: str) -> Kind:
    """Return the kind of answer that an `Accept` header prefers; PNG where it leaves the choice.

    Raises:
        ProblemError: 406, it wants none of them.
    """
    best: tuple[float, int, Kind] | None = None
    ranges = [_range(each) for each in accept.split(",") if each.strip()] or [("*/*", 1.0)]
    for place, (kind, media) in enumerate(MEDIA.items()):
        main = media.partition("/")[0] + "/*"
        # the most specific range that fits decides
        weights = [next((q for name, q in ranges if name == asked), None) for asked in (media, main, "*/*")]
        weight = next((q for q in weights if q is not None), 0.0)
        if weight > 0 and (best is None or (weight, -place) > best[:2]):
            best = (weight, -place, kind)
    if best is None:
        hint = "Send Accept: image/png, image/jpeg, image/webp or application/json."
        raise ProblemError(406, "None of the accepted kinds of answer can be given.", hint)
    return best[2]


def _range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, min(1.0, max(0.0, float(value)))
            except ValueError:
                return name, 0.0
    return name, 1.0
