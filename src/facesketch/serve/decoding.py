"""Strangers' pictures are decoded in processes of their own, which can be ended, whatever a decoder is busy with.

A thread in the midst of a decoder cannot be stopped, and nothing bounds its memory. A child process has both limits: so
many seconds, and what a picture of its size may need.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from facesketch.errors import ImageError, TooLargeError
from facesketch.images.io import open_image, pixels_of

_HEAD = struct.Struct("<QQd")
_GO = b"\n"
_PIXEL_BYTES, _SPARE_BYTES = 48, 64 << 20  # what a pixel takes at the most on its way to 8 bits, and all else


class DecodingError(Exception):
    """A picture cannot be decoded.

    Args:
        kind: `foreign` (no picture), `damaged`, `large` (too many pixels), `memory` or `time` (it takes too much).
        text: what is wrong, for `damaged` and `large`.
    """

    def __init__(self, kind: str, text: str = "") -> None:
        super().__init__(text or kind)
        self.kind, self.text = kind, text


class Decoder:
    """A child process that decodes one picture at a time: `measure` it, then `decode` it.

    Attributes:
        ready: whether it can be given another picture.

    Args:
        seconds: how long either of the two may take.
    """

    def __init__(self, seconds: float) -> None:
        # a session of its own, so that Ctrl+C reaches the server alone, which still has answers to give
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._to, self._from, self._seconds, self.ready = self._popen.stdin, self._popen.stdout, seconds, True
        _running.add(self)
        self._end = weakref.finalize(self, _end, self._popen)
        self._from.readline()  # the start is on nobody's time

    def measure(self, data: bytes, most: int) -> int:
        """Return how many pixels a picture has by its header.

        Args:
            data: the file's bytes.
            most: how many it may have.

        Raises:
            DecodingError: it is no picture, or has more pixels.
        """
        told = self._ask(_HEAD.pack(len(data), most, self._seconds), data)
        self.ready = False  # it waits for a word to go on
        return int(told["pixels"])

    def decode(self) -> Image.Image:
        """Return the picture that was measured.

        Raises:
            DecodingError: it cannot be decoded, or takes too long or too much memory.
        """
        told = self._ask(_GO, pixels=True)
        self.ready = True
        return Image.frombytes(told["mode"], tuple(told["size"]), told["data"])

    def kill(self) -> None:
        """End the process now; whoever waits for it hears of it."""
        self.ready = False
        self._popen.kill()

    def close(self) -> None:
        """End the process and let go of all that it holds; nobody may be waiting for it."""
        self.ready = False
        self._end()

    def _ask(self, *parts: bytes, pixels: bool = False) -> dict[str, Any]:
        late = threading.Event()

        def end() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(self._seconds, end)
        timer.start()
        try:
            for part in parts:
                self._to.write(part)
            self._to.flush()
            told: dict[str, Any] = json.loads(self._from.readline())
            if pixels and "error" not in told:
                told["data"] = self._from.read(told["bytes"])
        except (OSError, ValueError) as error:  # it ended: too late, by the system's own limits, or by a crash
            self.ready = False
            raise DecodingError("time" if late.is_set() else "damaged", "the picture is damaged") from error
        finally:
            timer.cancel()
            timer.join()
        if late.is_set():
            raise DecodingError("time")
        if "error" in told:
            self.ready = True
            raise DecodingError(told["error"], told["text"])
        return told


_running: weakref.WeakSet[Decoder] = weakref.WeakSet()


def kill_all() -> None:
    """End all such processes now, for a server that ends without tidying up."""
    for each in list(_running):
        each.kill()


def _end(popen: subprocess.Popen[bytes]) -> None:
    popen.kill()
    for pipe in (popen.stdin, popen.stdout):
        with suppress(OSError):  # what it was still to be given
            if pipe is not None:
                pipe.close()
    popen.wait()


def main() -> None:
    """Decode pictures from the standard input until it ends."""
    given, out = sys.stdin.buffer, sys.stdout.buffer
    _say(out)
    while len(head := given.read(_HEAD.size)) == _HEAD.size:
        length, most, seconds = _HEAD.unpack(head)
        data = given.read(length)
        try:
            _bound(most, seconds)
            pixels = _measured(data, most)
            _say(out, pixels=pixels)
            if given.read(len(_GO)) != _GO:
                return
            _bound(pixels, seconds)
            image = _decoded(data, most)
            content = image.tobytes()
            _say(out, mode=image.mode, size=image.size, bytes=len(content))
            out.write(content)
            out.flush()
            del image, content
        except DecodingError as error:
            _say(out, error=error.kind, text=error.text)
        except MemoryError:
            _say(out, error="memory", text="")
        del data


def _say(out: BinaryIO, **told: Any) -> None:
    out.write(json.dumps(told).encode() + b"\n")
    out.flush()


def _bound(pixels: int, seconds: float) -> None:
    """Let the system end this process when a picture takes more than it should."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime + seconds) + 2  # the parent is quicker, where it still is there
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (until if hard < 0 else min(until, hard), hard))
    with suppress(OSError):  # only Linux tells, and keeps the limit
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        most = mapped + _SPARE_BYTES + _PIXEL_BYTES * pixels
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))


def _measured(data: bytes, most: int) -> int:
    """Return how many pixels decoding takes."""
    try:
        return pixels_of(data, most)
    except ImageError as error:
        raise _refusal(error) from error


def _decoded(data: bytes, most: int) -> Image.Image:
    try:
        image = open_image(data)
    except ImageError as error:
        raise _refusal(error) from error
    if image.width * image.height > most:  # no format may hold more than its header tells of
        raise DecodingError("large", f"The picture of {image.width}x{image.height}")
    return image


def _refusal(error: ImageError) -> DecodingError:
    if isinstance(error, TooLargeError):
        return DecodingError("large", "The picture")
    if isinstance(error.__cause__, UnidentifiedImageError):
        return DecodingError("foreign")
    return DecodingError("damaged", str(error))


if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None  # the server says how many
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each thread would reserve memory that no picture needs
    main()
