"""Faces that belong to nobody: a portrait and a pencil sketch of it, drawn from a seed.

The demo, the tests and the documentation show them in place of real faces. A person's traits are drawn by chance, the
photo is painted from a lit height field, and the sketch follows the photo's tones pixel for pixel, so that a model can
learn either direction.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.data.synthetic.canvas import Canvas, Field
from facesketch.data.synthetic.face import build_face
from facesketch.data.synthetic.hair import grow_hair
from facesketch.data.synthetic.photo import paint_scene
from facesketch.data.synthetic.sketch import draw_sketch
from facesketch.data.synthetic.traits import Traits, draw_traits
from facesketch.errors import ConfigError, ImageError, OutputError
from facesketch.files import cannot_write, require_folder_name, write_text
from facesketch.images.io import open_image, save_image

SMALLEST, LARGEST = 32, 2048
_SIDES = {3: "test", 6: "test", 9: "test", 5: "validation"}
"""Which side a face is on, by the last digit of its number; the others are for training."""
COLUMNS = (
    *("stem", "split", "photo", "sketch", "skin", "hair", "haircut", "iris", "glasses", "beard", "collar", "light"),
    *("seed", "size"),
)
_FOLDERS = ("photos", "sketches")
_TABLE = "pairs.csv"


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
    canvas = _canvas(size)
    face = build_face(draw_traits(rng))
    hair = grow_hair(face, rng)
    scene = paint_scene(face, hair, canvas)
    sketch = _shrink(draw_sketch(face, hair, scene, canvas, rng), size)
    return _develop(scene.rgb, rng, size), Image.fromarray(_bytes(sketch))


def draw_photo(rng: np.random.Generator, size: int) -> Image.Image:
    """Draw the photo of `draw_pair` alone, which takes a fifth less time; only its noise differs."""
    canvas = _canvas(size)
    face = build_face(draw_traits(rng))
    return _develop(paint_scene(face, grow_hair(face, rng), canvas).rgb, rng, size)


def write_sample(folder: Path, *, pairs: int = 40, size: int = 128, seed: int = 0) -> None:
    """Write a small data set: `photos/face-0001.png`, `sketches/face-0001.png` and so on, and `pairs.csv`.

    Face number i depends on `seed`, i and `size` alone, so a larger sample begins with the smaller one. Pixels are the
    same on every machine. Of ten faces three are for testing and one for validation. A second call with the same
    arguments finishes a sample that was cut off; nothing else is ever overwritten.

    Examples:
        >>> from facesketch.data.synthetic.draw import write_sample
        >>> from pathlib import Path
        >>> write_sample(Path("drawn"), pairs=2, size=64, seed=1)
        >>> sorted(path.name for path in Path("drawn/photos").iterdir())
        ['face-0001.png', 'face-0002.png']

    Args:
        folder: a new or empty folder, or one that an earlier call with the same arguments filled.
        pairs: how many faces.
        size: pixels of each side, 32 to 2048.
        seed: which people are drawn; 0 or more.

    Raises:
        ConfigError: `pairs`, `size` or `seed` is out of range.
        OutputError: `folder` is a file, holds something else, or cannot be written.
    """
    _canvas(size)
    if pairs < 1:
        raise ConfigError(f"pairs = {pairs}: expected at least 1 face to draw", "give a larger `pairs`")
    if seed < 0:
        raise ConfigError(f"seed = {seed}: expected 0 or more", "give another `seed`")

    def chance(number: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([seed, number]))

    people = {number: draw_traits(chance(number)) for number in range(1, pairs + 1)}
    table = _table(people, seed, size)
    _check_folder(folder, table, {f"{_stem(number)}.png" for number in people})
    write_text(folder / _TABLE, table)
    for number in people:
        for kind, image in zip(_FOLDERS, draw_pair(chance(number), size), strict=True):
            path = folder / kind / f"{_stem(number)}.png"
            if not path.exists():
                save_image(image, path)
            elif not _shows(path, image):
                raise OutputError(f"{path}: is there already and shows something else", "give a new or empty folder")


def _canvas(size: int) -> Canvas:
    if not SMALLEST <= size <= LARGEST:
        raise ConfigError(f"size = {size}: expected {SMALLEST} to {LARGEST} pixels", "give another `size`")
    return Canvas(size if size >= 128 else 2 * size)


def _stem(number: int) -> str:
    return f"face-{number:04d}"


def _develop(rgb: Field, rng: np.random.Generator, size: int) -> Image.Image:
    """Return a painted scene as a photo, with a camera's noise."""
    photo = _shrink(rgb, size)
    grey, colour = rng.standard_normal((size, size, 1)), rng.standard_normal((size, size, 3))
    return Image.fromarray(_bytes(photo + (1.3 * grey + 0.9 * colour) / 255.0))


def _shrink(field: Field, size: int) -> Field:
    if len(field) == size:
        return field
    image = Image.fromarray(_bytes(field)).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image, dtype=np.float64) / 255.0


def _bytes(field: Field) -> NDArray[np.uint8]:
    return (np.clip(field, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _table(people: dict[int, Traits], seed: int, size: int) -> str:
    """Return the text of `pairs.csv`, which holds the seed and the size and so tells samples apart."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for number, traits in people.items():
        files = (f"{kind}/{_stem(number)}.png" for kind in _FOLDERS)
        hair = traits.hair if traits.style != "bald" else "none"
        worn = (traits.skin, hair, traits.style, traits.iris, traits.glasses, traits.beard, traits.collar)
        light = "right" if traits.light > 0 else "left"
        rows.writerow((_stem(number), _SIDES.get(number % 10, "train"), *files, *worn, light, seed, size))
    return text.getvalue()


def _check_folder(folder: Path, table: str, names: set[str]) -> None:
    """Refuse a folder that holds anything but (part of) this sample, apart from hidden files."""
    try:
        if not folder.exists():
            require_folder_name(folder)
            return
        if not folder.is_dir():
            raise OutputError(f"{folder}: is a file", "expected a folder for the sample, so give a new or empty one")
        ours = (folder / _TABLE).is_file() and (folder / _TABLE).read_bytes() == table.encode()
        strangers: list[Path] = []
        for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
            if ours and path.name in _FOLDERS and path.is_dir():
                inner = sorted(each for each in path.iterdir() if not each.name.startswith("."))
                strangers += [each for each in inner if each.name not in names]
            elif not (ours and path.name == _TABLE):
                strangers.append(path)
    except OSError as error:
        raise OutputError(*cannot_write(folder, error)) from error
    if strangers:
        raise OutputError(f"{strangers[0]}: is there already and not part of this sample", "give a new or empty folder")


def _shows(path: Path, image: Image.Image) -> bool:
    try:
        return bool(np.array_equal(np.asarray(open_image(path)), np.asarray(image)))
    except ImageError:
        return False
