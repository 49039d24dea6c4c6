"""One tree of exceptions for everything a user can get wrong; our own mistakes are `assert`s and stay tracebacks.

An error is data: `seen` says what was wrong and `hint` how to fix it. A parameter stands in backticks under its Python
name, such as `batch_size` or `align=False`, and the command line prints it as a flag.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from importlib.util import find_spec


class FacesketchError(Exception):
    """A mistake that the user can fix.

    Examples:
        >>> import facesketch
        >>> try:
        ...     facesketch.load("penicl")
        ... except facesketch.FacesketchError as error:
        ...     print(type(error).__name__)
        CheckpointError

    Args:
        seen: what was wrong, on one line.
        hint: what to do about it; empty where `seen` says it all.
        where: the file or folder that the error is about, when there are several.
    """

    def __init__(self, seen: str, hint: str = "", where: str = "") -> None:
        super().__init__(seen, hint, where)
        self.seen, self.hint, self.where = seen, hint, where

    def __str__(self) -> str:
        """Return all on one line."""
        line = f"{self.seen}; {self.hint}" if self.hint else self.seen
        return f"{self.where}: {line}" if self.where else line


class ConfigError(FacesketchError):
    """An option, a TOML key or a combination of them that is not valid."""


class ImageError(FacesketchError):
    """A picture that cannot be opened, or a file that is not a picture."""


class TooLargeError(ImageError):
    """A picture with more pixels than the limit."""


class FaceError(FacesketchError):
    """A picture in which the face that you asked for is not found."""


class SeveralFacesError(FaceError):
    """A picture with several faces, of which you have to choose one."""


class DataError(FacesketchError):
    """A folder of pictures that gives no usable pairs."""


class CheckpointError(FacesketchError):
    """A model file or training state that is damaged, missing or not from facesketch."""


class GalleryError(FacesketchError):
    """A gallery that is missing, damaged, not from facesketch, or made by a newer version or another embedder."""


class NoGalleryError(GalleryError):
    """A place where there is no gallery."""


class OutputError(FacesketchError):
    """A place that cannot be written to: no rights, no space, or something else is already there."""


class ResourceError(FacesketchError):
    """Not enough memory, or a device that this machine does not have."""


class MissingExtraError(FacesketchError):
    """An extra that is not installed, or weights that were not fetched."""


def nearest(name: str, known: Iterable[str], then: str = "") -> str:
    """Return the hint `did you mean 'x'?` and then `then`; `then` alone where no known name is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'? {then}".rstrip() if close else then


def require_known(value: object, known: Iterable[str], what: str) -> None:
    """Refuse an unknown value.

    Raises:
        ConfigError: with the known values, and the nearest of them.
    """
    known = tuple(known)
    if value not in known:
        raise ConfigError(f"{what} {value!r}", nearest(str(value), known, f"expected {', '.join(known)}"))


def count(number: int, word: str, several: str = "") -> str:
    """Return a number and its noun, as in `1 photo`, `2,000 photos` and `3 people`."""
    return f"{number:,} {word if number == 1 else several or word + 's'}"


def some(names: Sequence[object], most: int = 3) -> str:
    """Return the first few names, as in `a, b, c, …`."""
    return ", ".join([*map(str, names[:most]), *("…" for _ in names[most : most + 1])])


def require_seed(seed: int) -> None:
    """Refuse a seed that NumPy would not take.

    Raises:
        ConfigError: it is below 0.
    """
    if seed < 0:
        raise ConfigError(f"seed = {seed}: expected at least 0", "give another `seed`")


EXTRAS: dict[str, tuple[str, ...]] = {
    "train": ("torch", "filelock", "lightning_fabric", "torchmetrics", "matplotlib", "jinja2", "tomli_w"),
    "export": ("torch", "onnx", "onnxscript"),
    "search": ("lancedb", "pyarrow", "matplotlib"),
    "serve": ("fastapi", "uvicorn", "python_multipart", "prometheus_client"),
    "openvino": ("openvino",),
    "bulk": ("ray",),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "hub": ("huggingface_hub", "tomli_w"),
}
"""The modules that each extra brings, as they are imported."""


def missing(extra: str) -> list[str]:
    """Return the modules of an extra that are not installed.

    Args:
        extra: a key of `EXTRAS`.
    """
    return [name for name in EXTRAS[extra] if find_spec(name) is None]


def require(extra: str, what: str) -> None:
    """Check that an extra is installed.

    Args:
        extra: a key of `EXTRAS`.
        what: what needs it, to begin the message with.

    Raises:
        MissingExtraError: a part of it is missing.
    """
    lacking = missing(extra)
    if lacking:
        be = "is" if len(lacking) == 1 else "are"
        names = " and ".join(filter(None, [", ".join(lacking[:-1]), lacking[-1]]))
        raise MissingExtraError(
            f"{what} needs {names}, which {be} not installed", f"type: pip install 'facesketch[{extra}]'"
        )
