"""Pictures in and out of requests: uploads are measured before they are decoded, answers are encoded."""

from __future__ import annotations

import base64
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

from PIL import Image

from facesketch.errors import ImageError
from facesketch.images.fit import content_size
from facesketch.images.io import MAX_PIXELS, encoded
from facesketch.serve.decoding import DecoderProcess, DecodingError
from facesketch.serve.problems import ProblemError, stopping, user_problem

Kind = Literal["png", "jpeg", "webp", "json"]
MEDIA: dict[Kind, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "json": "application/json",
}
QUALITY = 92


class ImageDecoder:
    """Decodes uploads in child processes, with a limit on the pixels of all that are open at once.

    Attributes:
        largest: the most pixels of one picture.

    Args:
        pixels: the most pixels of all open pictures together, and of one, up to `MAX_PIXELS`.
        seconds: how long one picture may take to decode.
    """

    def __init__(self, pixels: int, seconds: float) -> None:
        self._most, self.largest = pixels, min(pixels, MAX_PIXELS)
        self._seconds, self._taken = seconds, 0
        self._line, self._changed = deque[object](), threading.Condition()
        self._idle, self._busy, self._closed = list[DecoderProcess](), set[DecoderProcess](), False

    @contextmanager
    def open(self, data: bytes) -> Iterator[Image.Image]:
        """Decode a picture; its pixels count as open until the block ends.

        Raises:
            ProblemError: 413 too many pixels, 415 not a picture, 400 damaged, 422 too much time or memory to decode,
                503 the server is stopping.
        """
        with ExitStack() as held:
            with self._process() as process:
                try:
                    pixels = process.measure(data, self.largest)
                    self._enter(pixels)
                    held.callback(self._leave, pixels)
                    image = process.decode()
                except DecodingError as error:
                    raise stopping() if self._closed else self._problem(error) from error
            yield image

    def close(self) -> None:
        """End all decoding; requests that wait for it get a 503."""
        with self._changed:
            self._closed = True
            for each in self._busy:
                each.kill()
            while self._idle:
                self._idle.pop().close()
            self._changed.notify_all()

    @contextmanager
    def _process(self) -> Iterator[DecoderProcess]:
        """Lend an idle process or a new one; there are never more processes than threads that ask."""
        with self._changed:
            if self._closed:
                raise stopping()
            process = None
            while self._idle and process is None:
                process = self._idle.pop()
                if not process.alive:  # as when the system ran out of memory
                    process.close()
                    process = None
        process = process or DecoderProcess(self._seconds)
        with self._changed:
            self._busy.add(process)
        try:
            yield process
        finally:
            with self._changed:
                self._busy.remove(process)
                if process.ready and not self._closed:
                    self._idle.append(process)
                else:
                    process.close()

    def _enter(self, pixels: int) -> None:
        """Wait in line until there is room, so that small pictures never keep a large one out."""
        turn = object()
        with self._changed:
            self._line.append(turn)
            self._changed.wait_for(
                lambda: self._closed or (self._line[0] is turn and self._taken + pixels <= self._most)
            )
            self._line.remove(turn)
            if self._closed:
                raise stopping()
            self._taken += pixels
            self._changed.notify_all()

    def _leave(self, pixels: int) -> None:
        with self._changed:
            self._taken -= pixels
            self._changed.notify_all()

    def _problem(self, error: DecodingError) -> ProblemError:
        match error.kind:
            case "foreign":
                hint = "Send PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or PPM; only the content counts, not the name."
                return ProblemError(415, "The upload is not a picture.", hint)
            case "large":
                hint = "Scale it down and send it again."
                return ProblemError(413, f"The picture has more than {self.largest:,} pixels.", hint)
            case "time" | "memory":
                what = "time" if error.kind == "time" else "memory"
                return ProblemError(
                    422, f"The picture takes too much {what} to decode.", "Save it again and send the new file."
                )
            case _:
                return user_problem(ImageError(error.text, error.hint))


def data_url(image: Image.Image, kind: Literal["png", "jpeg"]) -> str:
    """Return a picture as a `data:` URL."""
    return f"data:{MEDIA[kind]};base64,{base64.b64encode(encoded(image, kind.upper(), QUALITY)).decode()}"


def shrunk(image: Image.Image, side: int) -> Image.Image:
    """Return the picture, shrunk to a longer side of at most `side` pixels."""
    size = content_size(image.size, side)
    return image if size == image.size else image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def acceptable(accept: str) -> Kind:
    """Return the kind of answer that an `Accept` header prefers, PNG first.

    Raises:
        ProblemError: 406, it accepts none of them.
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
        raise ProblemError(406, "The server cannot answer in any of the accepted media types.", hint)
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
