"""Sample sheets as pictures inside the page: small, in WebP, each with words for those who do not see it."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from facesketch.images.contact_sheet import sheet
from facesketch.images.io import open_image
from facesketch.study.aggregate import PRIMARY, WAYS, VariantResult, label
from facesketch.study.grid import Cell
from facesketch.study.report.summary import best_of_families
from facesketch.study.study import Study

_CELL = (104, 130)
"""Pixels that a picture of a person is shrunk into."""
_QUALITY = 78
_WIDEST = 1400


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI.

    Attributes:
        title: what it is of.
        source: the data URI.
        width, height: pixels.
        alt: what there is to see.
    """

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
    """Return, for each direction, four people: the input, what the best variant of each family made, and the truth."""
    pictures = []
    for direction, way in WAYS.items():
        source, truth = direction.split("2")
        shown = {textwrap.fill(each.label, 14): each for each in best_of_families(found, direction, PRIMARY)}
        columns = {title: each.cells[0].results[direction] for title, each in shown.items()}
        names = ", ".join(each.label for each in shown.values())
        said = f"{source}, the best variant of each family ({names}), true {truth}"
        columns = {source: source} | columns | {f"true {truth}": truth}
        picture = people_sheet(study, columns, way.capitalize(), said, most=4) if shown else None
        pictures += [picture] if picture else []
    return pictures


def result_sheets(study: Study) -> dict[str, list[Picture]]:
    """Return, by direction, a sheet per result: input, result and truth of each person, a row each."""
    sheets: dict[str, list[Picture]] = {}
    for direction, way in WAYS.items():
        source, truth = direction.split("2")
        for cell in study.cells:
            if direction not in cell.results:
                continue
            title = f"{label(cell)}, {way}" + (f", seed {_seed(cell)}" if _seed(cell) else "")
            columns = {source: source, "result": cell.results[direction], truth: truth}
            picture = people_sheet(study, columns, title, f"{source}, result and true {truth}")
            if picture:
                sheets.setdefault(way, []).append(picture)
    return sheets


def _seed(cell: Cell) -> int:
    return int(cell.settings.get("seed", 0))


def people_sheet(
    study: Study, columns: dict[str, str], title: str, said: str, most: int | None = None
) -> Picture | None:
    """Return a sheet with a row per person from folders of pictures, or None when one folder has none.

    Args:
        study: where the pictures are.
        columns: folders of `pictures/` by what stands above them.
        title: what it is of.
        said: the columns in words.
        most: how many people to show; None for all.
    """
    folders = [study.out / "pictures" / folder for folder in columns.values()]
    if not all(any(folder.glob("*.png")) for folder in folders):
        return None
    stems = sorted(path.stem for path in folders[0].glob("*.png"))[:most]
    rows = [[_open(folder / f"{stem}.png") for folder in folders] for stem in stems]
    first = next(picture for row in rows for picture in row if picture is not None)
    scale = min(_CELL[0] / first.width, _CELL[1] / first.height, 1.0)
    cell = (round(first.width * scale), round(first.height * scale))
    people = f"{len(stems)} test people" if len(stems) > 1 else "one test person"
    return embed(sheet(rows, list(columns), cell=cell), title, f"{title}: of {people}, a row each, the {said}.")


def _open(path: Path) -> Image.Image | None:
    return open_image(path) if path.exists() else None
