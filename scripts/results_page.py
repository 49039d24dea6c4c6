"""Print what a study measured as Markdown: the tables, the claims and the losses of docs/results.md.

    .venv/bin/python scripts/results_page.py STUDY [--notebooks OUT] [--brief]

`--notebooks` names the folder of `benchmarks/notebook_losses.py`; `--brief` prints only the main measures.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facesketch.config import DIRECTIONS
from facesketch.errors import FacesketchError
from facesketch.evaluation.results import Results
from facesketch.metrics.bootstrap import Interval
from facesketch.study.aggregate import variant_results
from facesketch.study.claims import ledger
from facesketch.study.grid import IN_WORDS, Cell
from facesketch.study.report import tables
from facesketch.study.report.summary import verdict
from facesketch.study.study import Study

WIDTH = 120
PRINTED = {
    "conv-ae-mse.photo2sketch": "0.5709 → 0.1318, 0.1235 at 48",
    "conv-ae-mae.photo2sketch": "0.2241 → 0.2156, 0.2097 at 84",
    "conv-ae-mse.sketch2photo": "0.4689 → 0.0295, 0.0267 at 71",
    "conv-ae-mae.sketch2photo": "0.1178 → 0.1208, 0.1106 at 10",
    "conv-ae-bce.sketch2photo": "0.5937 → 0.5821, 0.5771 at 419",
    "conv-vae-2.photo2sketch": "44,684 → 31,794, 26,528 at 47",
    "conv-vae-4.photo2sketch": "44,196 → 28,571, 26,040 at 65",
    "conv-vae-12.photo2sketch": "43,799 → 26,992, 25,321 at 56",
    "conv-vae-2.sketch2photo": "45,378 → 41,438, 37,283 at 77",
    "conv-vae-4.sketch2photo": "45,249 → 38,244, 37,440 at 64",
    "conv-vae-12.sketch2photo": "… → 38,071, 37,112 at 55",
    "pix2pix-20.photo2sketch": "6.43",
    "pix2pix-40.photo2sketch": "4.96",
    "pix2pix-100.photo2sketch": "5.80",
    "pix2pix-20.sketch2photo": "6.39",
    "pix2pix-40.sketch2photo": "4.60",
    "pix2pix-100.sketch2photo": "4.09",
}
"""What the study's notebooks printed: the validation loss from first to last epoch and where it was lowest; for Pix2Pix
the mean of the generator's last 100 losses."""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows])


def measures(ranked: tables.Table) -> str:
    """Return a ranked table, with each value's interval and baselines in italics."""

    def shown(name: str, it: Interval | None) -> str:
        digits = 1 if name == "psnr" else 2 if name.startswith(("rank", "nlda")) else 3
        return "–" if it is None else f"{it.value:.{digits}f} [{it.low:.{digits}f}, {it.high:.{digits}f}]"

    columns = {name: column for name, column in ranked.columns.items() if "rank-5" not in name}
    rows = [
        [
            "" if row.rank is None else str(row.rank),
            f"*{row.label}*" if row.rank is None else row.label,
            *(shown(name, row.measured.get(name)) for name in columns),
        ]
        for row in ranked.rows
    ]
    heads = [f"{'↓ ' if better == 'lower' else ''}{title}" for title, better in columns.values()]
    return table(["", "result", *heads], rows)


def training(study: Study) -> str:
    """Return what each result took, one row per seed."""
    directions = {name: words for cell in study.cells for name, words in named(cell)}
    done = {name: Results.load(path) for name in directions if (path := study.result_file(name)).exists()}
    columns = ("Seed", "Parameters", "Kept epoch", "Training")
    rows = [
        [f"{cost['Result']}, {directions[cost['Folder']]}", *(cost[column] for column in columns)]
        for cost in tables.costs(study, done)
    ]
    return table(["Result", *columns], rows)


def named(cell: Cell) -> list[tuple[str, str]]:
    """Return the name of each of a cell's results, and its direction in words."""
    return [(name, IN_WORDS[direction]) for direction, name in cell.results.items()]


def losses(study: Study, notebooks: Path | None) -> str:
    """Return the losses that the notebooks printed beside those with their flaws put back and those of this study."""
    cells = {name: (cell, words) for cell in study.cells for name, words in named(cell)}
    rows = []
    for name, printed in PRINTED.items():
        if name not in cells or not study.result_file(name).exists():
            continue
        cell, words = cells[name]
        course = study.course(cell)
        flawed = notebooks / f"{name.replace('conv-', 'c')}.json" if notebooks else None
        put_back = _course([each[1] for each in json.loads(flawed.read_text())]) if flawed and flawed.exists() else "–"
        if name.startswith("pix2pix"):
            here = f"{np.mean(course.losses['generator'][-100:]):.2f}"
        else:
            here = _course([epoch["validation"]["loss"] for epoch in course.epochs])
        rows.append([f"{cell.label}, {words}", printed, put_back, here])
    return table(["loss", "the notebooks printed", "their flaws put back", "this study"], rows)


def _course(values: Sequence[float]) -> str:
    best = int(np.argmin(values))
    first, last, lowest = (
        f"{value:,.0f}" if value > 100 else f"{value:.4f}" for value in (values[0], values[-1], values[best])
    )
    return f"{first} → {last}, {lowest} at {best + 1}"


def main() -> None:
    """Print a study's tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--notebooks", type=Path)
    parser.add_argument("--brief", action="store_true")
    arguments = parser.parse_args()
    try:
        study = Study.read(arguments.study)
    except FacesketchError as error:
        parser.error(str(error))
    found = variant_results(study)
    for direction in DIRECTIONS:
        heading, lines = verdict(found, direction)
        print(f"### {heading}\n")
        if not arguments.brief:
            print("".join(f"{textwrap.fill(line, WIDTH)}\n\n" for line in lines if line), end="")
        print(f"{measures(tables.ranked_table(found, direction, main=True))}\n")
        if not arguments.brief:
            print(f"{measures(tables.ranked_table(found, direction, main=False))}\n")
    if arguments.brief:
        return
    print(f"### What it cost\n\n{training(study)}\n\n## The study's claims\n")
    for claim in ledger(study, found):
        text = f"**{claim.number}. {claim.text}** {claim.verdict.capitalize()}. {claim.why} In the study: {claim.flaws}"
        print(f"{textwrap.fill(text, WIDTH, break_on_hyphens=False)}\n")
    print(f"## The notebooks' losses\n\n{losses(study, arguments.notebooks)}")


if __name__ == "__main__":
    main()
