"""Faces that belong to nobody: a portrait and a pencil sketch of it, drawn from a seed.

The demo, the tests and the documentation show them in place of real faces.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.data.synthetic.canvas import Canvas, Field
from facesketch.data.synthetic.person import WORDS, Person, describe
from facesketch.data.synthetic.portrait import Portrait
from facesketch.errors import ConfigError, ImageError, OutputError
from facesketch.files import cannot_write, require_folder_name, write_text
from facesketch.images.io import open_image, save_image

SMALLEST, LARGEST = 32, 2048
_SIDES = {3: "test", 6: "test", 9: "test", 5: "validation"}
"""Which side a face is on, by the last digit of its number; the others are for training."""
_FOLDERS = ("photos", "sketches")
_TABLE = "pairs.csv"
_OTHER = "give a new or empty folder"


def draw_pair(rng: np.random.Generator, size: int) -> tuple[Image.Image, Image.Image]:
    """Draw one face and the sketch of it, aligned to the pixel.

    Args:
        rng: source of chance; the same state gives the same person at every size.
        size: pixels of each side, 32 to 2048.

    Returns:
        An `RGB` photo and an `L` sketch, both `size` x `size`. The eyes lie 48 % of the way down, 38 % and 62 % across.

    Raises:
        ConfigError: `size` is out of range.
    """
    _check_size(size)
    portrait = Portrait(Person(rng), Canvas(max(size, 128)))
    photo, sketch = (_shrunk(field, size) for field in (np.moveaxis(portrait.rgb, 0, 2), portrait.on_paper()))
    noise = 1.3 * rng.standard_normal((size, size, 1)) + 0.9 * rng.standard_normal((size, size, 3))
    return Image.fromarray(_bytes(photo + noise / 255.0)), Image.fromarray(_bytes(sketch))


def write_sample(folder: Path, *, pairs: int = 40, size: int = 256, seed: int = 0) -> None:
    """Write a small data set: `photos/face-0001.png`, `sketches/face-0001.png` and so on, and `pairs.csv`.

    Face number i depends only on `seed`, i and `size`, so a larger sample begins with the smaller one. Pixels are the
    same on every machine. Of every ten faces, three are for testing and one is for validation. A second call with the
    same arguments finishes a sample that was cut off. Nothing is ever overwritten.

    Examples:
        >>> from facesketch.data.synthetic.draw import write_sample
        >>> from pathlib import Path
        >>> write_sample(Path("drawn"), pairs=2, size=64, seed=1)
        >>> sorted(path.name for path in Path("drawn/photos").iterdir())
        ['face-0001.png', 'face-0002.png']

    Args:
        folder: a new or empty folder, or one that an earlier call with the same arguments filled.
        pairs: how many faces to draw.
        size: pixels of each side, 32 to 2048.
        seed: which people to draw; 0 or more.

    Raises:
        ConfigError: `pairs`, `size` or `seed` is out of range.
        OutputError: `folder` is a file, holds something else, or cannot be written.
    """
    _check_size(size)
    if pairs < 1:
        raise ConfigError(f"pairs = {pairs}: expected at least 1 face to draw", "give a larger `pairs`")
    if seed < 0:
        raise ConfigError(f"seed = {seed}: expected 0 or more", "give another `seed`")
    names = {f"face-{number:04d}": number for number in range(1, pairs + 1)}

    def chance(name: str) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([seed, names[name]]))

    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("stem", "split", "photo", "sketch", *WORDS, "seed", "size"))
    for name, number in names.items():
        words = describe(chance(name))
        words |= {"hair": "none"} if words["haircut"] == "bald" else {}
        files = (f"{kind}/{name}.png" for kind in _FOLDERS)
        table.writerow((name, _SIDES.get(number % 10, "train"), *files, *words.values(), seed, size))
    _check_folder(folder, text.getvalue(), {f"{kind}/{name}.png" for kind in _FOLDERS for name in names})
    write_text(folder / _TABLE, text.getvalue())
    for name in names:
        for kind, image in zip(_FOLDERS, draw_pair(chance(name), size), strict=True):
            path = folder / kind / f"{name}.png"
            if not path.exists():
                save_image(image, path)
            elif not _shows(path, image):
                raise OutputError(f"{path}: already exists and shows something else", _OTHER)


def _check_size(size: int) -> None:
    if not SMALLEST <= size <= LARGEST:
        raise ConfigError(f"size = {size}: expected {SMALLEST} to {LARGEST} pixels", "give another `size`")


def _bytes(field: Field) -> NDArray[np.uint8]:
    return (np.clip(field, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _shrunk(field: Field, size: int) -> Field:
    if len(field) == size:
        return field
    return np.asarray(Image.fromarray(_bytes(field)).resize((size, size), Image.Resampling.LANCZOS), np.float64) / 255.0


def _check_folder(folder: Path, table: str, pictures: set[str]) -> None:
    """Refuse a folder that holds anything but (part of) this sample, apart from hidden files.

    The table tells samples apart, because it holds the seed and the size.
    """
    try:
        if not folder.exists():
            require_folder_name(folder)
            return
        if not folder.is_dir():
            raise OutputError(f"{folder}: is a file", f"expected a folder for the sample, so {_OTHER}")
        ours = (folder / _TABLE).is_file() and (folder / _TABLE).read_bytes() == table.encode()
        expected = {_TABLE, *_FOLDERS, *pictures} if ours else set()
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(folder)
            if inner.as_posix() not in expected and not any(part.startswith(".") for part in inner.parts):
                raise OutputError(f"{path}: already exists and is not part of this sample", _OTHER)
    except OSError as error:
        raise OutputError(*cannot_write(folder, error)) from error


def _shows(path: Path, image: Image.Image) -> bool:
    try:
        return bool(np.array_equal(np.asarray(open_image(path)), np.asarray(image)))
    except ImageError:
        return False
