"""Decoding in child processes, whose time and memory the system can limit as it cannot limit a thread's.

`images.bounds` reads a file's bytes first and refuses most bombs before anything is allocated. That matters here too: a
child that its limits kill costs seconds and a new process, so an attacker could keep all of them busy. But its checks
cover only the tricks that are known today. A child process limits any decoder to a number of seconds, and to the memory
that a picture of its size may need.
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
from facesketch.files import parse_json
from facesketch.images.io import open_image, pixels_of

_HEAD = struct.Struct("<QQd")
_GO = b"\n"
_PIXEL_BYTES, _SPARE_BYTES = 48, 64 << 20  # at most, of a pixel until it has 8 bits, and of everything else


class DecodingError(Exception):
    """A picture cannot be decoded.

    Args:
        kind: `foreign` (not a picture), `damaged`, `large` (too many pixels), `memory` or `time` (it takes too much).
        text: what is wrong, for `damaged`.
        hint: how to mend it, for `damaged`.
    """

    def __init__(self, kind: str, text: str = "", hint: str = "") -> None:
        super().__init__(text or kind)
        self.kind, self.text, self.hint = kind, text, hint


class DecoderProcess:
    """A child process that decodes one picture at a time: `measure` it, then `decode` it.

    Attributes:
        ready: whether it can take another picture.

    Args:
        seconds: how long each of the two may take.
    """

    def __init__(self, seconds: float) -> None:
        # a session of its own, so that Ctrl+C reaches only the server, which still has answers to give
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._to, self._from, self._seconds, self.ready = self._popen.stdin, self._popen.stdout, seconds, True
        _running.add(self)
        self._end = weakref.finalize(self, _end, self._popen)
        self._from.readline()  # starting up does not count as decoding

    def measure(self, data: bytes, most: int) -> int:
        """Return how many pixels a picture takes to decode, from its header.

        Args:
            data: the file's bytes.
            most: how many it may have.

        Raises:
            DecodingError: it is not a picture, or has more pixels.
        """
        answer = self._ask(_HEAD.pack(len(data), most, self._seconds), data)
        self.ready = False  # not before `decode`, for which it waits
        return int(answer["pixels"])

    def decode(self) -> Image.Image:
        """Return the picture that was measured.

        Raises:
            DecodingError: it cannot be decoded, or takes too long or too much memory.
        """
        answer = self._ask(_GO, pixels=True)
        self.ready = True
        return Image.frombytes(answer["mode"], tuple(answer["size"]), answer["data"])

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._popen.poll() is None

    def kill(self) -> None:
        """End the process now; a thread that waits for it gets a `DecodingError`."""
        self.ready = False
        self._popen.kill()

    def close(self) -> None:
        """End the process and free what it holds; no thread may be waiting for it."""
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
            answer: dict[str, Any] = parse_json(self._from.readline())
            if pixels and "error" not in answer:
                answer["data"] = self._from.read(answer["bytes"])
        except (
            OSError,
            ValueError,
        ) as error:  # it has ended: by the timer, by the system's limits or by a crash
            self.ready = False
            raise DecodingError("time" if late.is_set() else "damaged", "the picture is damaged") from error
        finally:
            timer.cancel()
            timer.join()
        if late.is_set():
            raise DecodingError("time")
        if "error" in answer:
            self.ready = True
            raise DecodingError(answer["error"], answer["text"], answer["hint"])
        return answer


_running: weakref.WeakSet[DecoderProcess] = weakref.WeakSet()


def kill_all() -> None:
    """End all decoder processes now, for a server that ends without cleaning up."""
    for each in list(_running):
        each.kill()


def _end(popen: subprocess.Popen[bytes]) -> None:
    popen.kill()
    for pipe in (popen.stdin, popen.stdout):
        with suppress(OSError):  # closing sends bytes that nobody reads any more
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
            pixels = pixels_of(data, most)
            _say(out, pixels=pixels)
            if given.read(len(_GO)) != _GO:
                return
            _bound(pixels, seconds)
            image = open_image(data)
            if image.width * image.height > most:  # no format may hold more than its header says
                raise TooLargeError(f"{image.width}x{image.height} pixels")
            content = image.tobytes()
            _say(out, mode=image.mode, size=image.size, bytes=len(content))
            out.write(content)
            out.flush()
            del image, content
        except ImageError as error:
            foreign = isinstance(error.__cause__, UnidentifiedImageError)
            kind = "large" if isinstance(error, TooLargeError) else "foreign" if foreign else "damaged"
            _say(out, error=kind, text=error.seen, hint=error.hint)
        except MemoryError:
            _say(out, error="memory", text="", hint="")
        del data


def _say(out: BinaryIO, **answer: Any) -> None:
    out.write(json.dumps(answer).encode() + b"\n")
    out.flush()


def _bound(pixels: int, seconds: float) -> None:
    """Let the system end this process when a picture takes more time or memory than it should."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime + seconds) + 2  # the parent ends it sooner, if it is still there
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (until if hard < 0 else min(until, hard), hard))
    with suppress(OSError):  # only Linux has this file and enforces the limit
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        most = mapped + _SPARE_BYTES + _PIXEL_BYTES * pixels
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))


if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None  # the server sets the limit
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each thread would reserve memory that no picture needs
    main()
