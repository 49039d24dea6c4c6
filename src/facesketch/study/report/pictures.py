"""Sample sheets as pictures inside the page: small, in WebP, each with words for those who do not see it."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from facesketch.config import ENDS
from facesketch.images.contact_sheet import sheet
from facesketch.images.io import open_image
from facesketch.study.aggregate import PRIMARY, VariantResult
from facesketch.study.grid import IN_WORDS
from facesketch.study.report.summary import best_of_families
from facesketch.study.study import Study

_CELL = (104, 130)
"""Pixels that a picture of a person is shrunk into."""
_QUALITY = 78
_WIDEST = 1400


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, and what there is to see in it."""

    title: str
    source: str
    width: int
    height: int
    alt: str


def embed(image: Image.Image, title: str, alt: str) -> Picture:
    """Return a picture as WebP inside a data URI, shrunk to at most 1,400 pixels across."""
    if image.width > _WIDEST:
        height = max(1, round(image.height * _WIDEST / image.width))
        image = image.resize((_WIDEST, height), Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    image.convert("RGB").save(encoded, format="WEBP", quality=_QUALITY, method=4)
    text = base64.b64encode(encoded.getvalue()).decode("ascii")
    return Picture(title, f"data:image/webp;base64,{text}", image.width, image.height, alt)


def overview(study: Study, found: Mapping[str, VariantResult]) -> list[Picture]:
    """Return, for each direction, four people: the input, what the best variant of each family made, and the target."""
    pictures = []
    for direction, words in IN_WORDS.items():
        source, target = ENDS[direction]
        cells = [each.cell for each in best_of_families(found, direction, PRIMARY)]
        said = f"the best variant of each family ({', '.join(cell.label for cell in cells)})"
        columns = {textwrap.fill(cell.label, 14): cell.results[direction] for cell in cells}
        columns = {source: source} | columns | {f"true {target}": target}
        title = words.capitalize()
        picture = people_sheet(study, columns, title, f"{source}, {said}, true {target}", most=4) if cells else None
        pictures += [picture] if picture else []
    return pictures


def result_sheets(study: Study) -> dict[str, list[Picture]]:
    """Return, by direction, a sheet per result: input, result and target of each person, a row each."""
    sheets: dict[str, list[Picture]] = {}
    for direction, words in IN_WORDS.items():
        source, target = ENDS[direction]
        for cell in study.cells:
            if direction not in cell.results:
                continue
            title = f"{cell.label}, {words}" + (f", seed {cell.seed}" if cell.seed else "")
            columns = {source: source, "result": cell.results[direction], target: target}
            picture = people_sheet(study, columns, title, f"{source}, result and true {target}")
            if picture:
                sheets.setdefault(words, []).append(picture)
    return sheets


def people_sheet(
    study: Study, columns: dict[str, str], title: str, said: str, most: int | None = None
) -> Picture | None:
    """Return a sheet with a row per person from folders of pictures, or None when one folder has none.

    `columns` has the folders of `pictures/` by what stands above them, and `said` the columns in words.
    """
    folders = [study.out / "pictures" / folder for folder in columns.values()]
    if not all(any(folder.glob("*.png")) for folder in folders):
        return None
    stems = sorted(path.stem for path in folders[0].glob("*.png"))[:most]
    files = [[folder / f"{stem}.png" for folder in folders] for stem in stems]
    rows = [[open_image(file) if file.exists() else None for file in row] for row in files]
    first = next(picture for row in rows for picture in row if picture is not None)
    scale = min(_CELL[0] / first.width, _CELL[1] / first.height, 1.0)
    cell = (round(first.width * scale), round(first.height * scale))
    people = f"{len(stems)} test people" if len(stems) > 1 else "one test person"
    return embed(sheet(rows, list(columns), cell=cell), title, f"{title}: of {people}, a row each, the {said}.")
