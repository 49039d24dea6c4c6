"""The figures of the study's results, Figures 12 to 24 in its order, as this study redraws them: a page to print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facesketch import __version__
from facesketch.config import ENDS, Direction
from facesketch.files import write_text
from facesketch.study.grid import IN_WORDS, Cell
from facesketch.study.report.build import environment
from facesketch.study.report.curves import loss_charts
from facesketch.study.report.pictures import Picture, people_sheet
from facesketch.study.study import Study

FILE = "figures.html"
_PEOPLE = 5


_FIGURES: tuple[tuple[int, str, Direction | None, str], ...] = (
    (12, "conv-ae", "photo2sketch", "pictures"),
    (13, "conv-ae", "photo2sketch", "losses"),
    (14, "conv-ae", "sketch2photo", "losses"),
    (15, "conv-ae", "sketch2photo", "pictures"),
    (16, "conv-vae", "photo2sketch", "pictures"),
    (17, "conv-vae", "photo2sketch", "losses"),
    (18, "conv-vae", "sketch2photo", "losses"),
    (19, "conv-vae", "sketch2photo", "pictures"),
    (20, "pix2pix", "photo2sketch", "pictures"),
    (21, "pix2pix", "photo2sketch", "losses"),
    (22, "pix2pix", "sketch2photo", "pictures"),
    (23, "cyclegan", None, "pictures"),
    (24, "cyclegan", None, "losses"),
)
_VALIDATION, _GENERATOR = "validation loss, first to last:", "generator loss, mean of the last 100 steps:"
_PRINTED = {
    13: f"{_VALIDATION} MSE .5709 to .1318, lowest .1235 at epoch 48; MAE .2241 to .2156, lowest .2097 at epoch 84",
    14: f"{_VALIDATION} MSE .4689 to .0295, lowest .0267 at epoch 71; MAE .1178 to .1208, lowest .1106 at epoch 10; "
    "BCE .5937 to .5821, lowest .5771 at epoch 419",
    17: f"{_VALIDATION} latent 2 44,684 to 31,794, lowest 26,528 at epoch 47; latent 4 44,196 to 28,571, "
    "lowest 26,040 at epoch 65; latent 12 43,799 to 26,992, lowest 25,321 at epoch 56",
    18: f"{_VALIDATION} latent 2 45,378 to 41,438, lowest 37,283 at epoch 77; latent 4 45,249 to 38,244, "
    "lowest 37,440 at epoch 64; latent 12 ends at 38,071, lowest 37,112 at epoch 55",
    21: f"{_GENERATOR} 6.43 after 20 epochs, 4.96 after 40, 5.80 after 100",
    22: f"{_GENERATOR} 6.39 after 20 epochs, 4.60 after 40, 4.09 after 100",
}
"""What the study's notebooks printed beside some of its figures."""


def build_figures(study_folder: Path, out: Path | None = None) -> Path:
    """Write the page of figures and return where it is.

    The page needs nothing beside it. A figure whose cells are missing says so.

    Args:
        study_folder: the folder of a study, complete or not.
        out: the HTML file; `figures.html` in the study's folder when None.

    Raises:
        DataError: no study there.
        OutputError: the place cannot be written.
    """
    study = Study.read(Path(study_folder))
    found = [_figure(study, *figure) for figure in _FIGURES]
    path = Path(out) if out is not None else study.out / FILE
    page = environment().get_template("figures.html.j2")
    write_text(path, page.render(study=study, version=__version__, figures=found))
    return path


def _figure(study: Study, number: int, method: str, direction: Direction | None, shows: str) -> dict[str, Any]:
    cells = [
        cell
        for cell in study.cells
        if (cell.method, cell.direction) == (method, direction) and cell.built and not cell.seed
    ]
    title = f"{Cell(method, method, direction).family}, {IN_WORDS[direction] if direction else 'both directions'}"
    figure: dict[str, Any] = {"number": number, "printed": _PRINTED.get(number), "sheet": None, "charts": []}
    if shows == "pictures":
        return figure | {"title": title, "sheet": _sheet(study, cells, direction, title)}
    continued = {cell.extends for cell in cells}  # a longer run's log has the shorter one's losses
    charts = [chart for cell in cells if cell.name not in continued for chart in loss_charts(study, cell)]
    return figure | {"title": f"{title}: losses", "charts": charts}


def _sheet(study: Study, cells: list[Cell], direction: Direction | None, title: str) -> Picture | None:
    done = [cell for cell in cells if study.done(cell)]
    if not done:
        return None
    if direction is None:
        to_sketch, to_photo = (done[0].results[each] for each in IN_WORDS)
        columns = {"photo": "photo", "drawn sketch": to_sketch, "sketch": "sketch", "drawn photo": to_photo}
    else:
        source, target = ENDS[direction]
        shown = {cell.label.partition(" (")[2].rstrip(")"): cell.results[direction] for cell in done}
        columns = {source: source} | shown | {f"true {target}": target}
    return people_sheet(study, columns, title, ", ".join(columns), most=_PEOPLE)
