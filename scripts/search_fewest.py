"""Find out how many people a gallery needs before its chances hold: `FEWEST` of `facesketch.search.probability`.

    .venv/bin/python scripts/search_fewest.py --data cuhk [--embedder NAME…] [--route NAME…] [--galleries N]

The sketches of DATA's test people look for their photos in random galleries of others, once with their own photo in it
and once without. The script prints, for each embedder, route and size, how many strangers get a chance of more than
90 %, and how many first hits with such a chance are right.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesketch.errors import FaceError
from facesketch.search.embedding.describer import ROUTES, Describer, Route, describer
from facesketch.search.embedding.embedders import EMBEDDERS
from facesketch.search.evaluation.evaluate import Task, read_task
from facesketch.search.probability import Calibration, calibration, chances

Array = NDArray[np.float64]

SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 40, 49, 50, 60, 80, 99)
HIGH, PRIOR, LOOKED_AT = 0.9, 0.5, 100


def scores_of(describe: Describer, task: Task, routes: list[Route]) -> Array:
    """Return (R, P, P) scores by route, of each sketch with each photo; pair i shows one person."""
    rows = [describe.gallery([pair.photo.open()])[0] for pair in task.pairs]
    photos = np.stack([row.vector for row in rows if not isinstance(row, FaceError)])
    assert len(photos) == len(task.pairs), "every photo shows a face"
    probes = [describe.probe(pair.sketch.open(), pair.stem, 1) for pair in task.pairs]
    queries = np.array([[describe.query(probe, route) for probe in probes] for route in routes], dtype=np.float64)
    return np.asarray(queries @ photos.T.astype(np.float64))


def first(scores: Array, known: Calibration) -> float:
    """Return the chance of the first hit among photos of one person each."""
    best = np.sort(scores)[::-1][:LOOKED_AT]
    return float(chances(best, len(scores) - len(best), known, PRIOR)[0][0])


def sure(scores: Array, size: int, known: Calibration, galleries: int) -> tuple[float, float]:
    """Return the share of strangers with a chance of more than 90 %, and of first hits with such a chance the right."""
    draw, people = np.random.default_rng(0), np.arange(len(scores))
    strangers: list[bool] = []
    right: list[bool] = []
    for probe, row in enumerate(scores):
        for _ in range(galleries):
            others = draw.choice(np.delete(people, probe), size, replace=False)
            with_own = np.append(others[:-1], probe)
            for places in (others, with_own):
                high = first(row[places], known) > HIGH
                if places is others:
                    strangers.append(high)
                if high:
                    right.append(bool(places[row[places].argmax()] == probe))
    return float(np.mean(strangers)), float(np.mean(right)) if right else float("nan")


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--embedder", nargs="+", default=list(EMBEDDERS))
    arguments.add_argument("--route", nargs="+", choices=ROUTES, default=list(ROUTES))
    arguments.add_argument("--galleries", type=int, default=30, help="for each sketch and size")
    given = arguments.parse_args()
    task = read_task(given.data, "test")
    for embedder in given.embedder:
        for route, scores in zip(given.route, scores_of(describer(embedder), task, given.route), strict=True):
            for size in (size for size in SIZES if size < len(scores)):
                strangers, right = sure(scores, size, calibration(embedder, route), given.galleries)
                line = f"{embedder:8} {route:9} {size:3} people: strangers {strangers:6.1%}, right {right:6.1%}"
                print(line, flush=True)


if __name__ == "__main__":
    main()
