"""Fit the maps that the package ships: `learned.safetensors`, or `lite.safetensors` with `--parts hog`.

    .venv/bin/python scripts/search_fit.py --pairs portraits --described described --out learned.safetensors

PAIRS is what `scripts/portrait_data.py` wrote, DESCRIBED what `scripts/search_describe.py` wrote. The maps are
fitted to the training pairs; the photos of FACES say how much people differ. Nobody whom SFace takes for one of the
test people, FS2K's 150 strangers or CUHK's 100, is among either.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from facesketch.search.embedding.lda import Map

ALIKE = 0.5  # cosine of SFace's descriptions above which two photos show one person


def main() -> None:
    """Fit a map and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pairs", "described", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", default=["hog", "sface"])
    given = parser.parse_args()
    told = {name: np.load(given.described / f"{name}.npz") for name in ("pairs-photo", "pairs-sketch", "faces-photo")}
    cuhk = np.load(given.described / "cuhk-photo.npz")["sface"]
    with (given.pairs / "pairs.csv").open(encoding="utf-8", newline="") as file:
        split = np.array([row["split"] for row in csv.DictReader(file)])
    photos, faces = told["pairs-photo"]["sface"], told["faces-photo"]["sface"]
    tested = np.concatenate([photos[split == "test"], cuhk])
    kept, others = ((rows @ tested.T <= ALIKE).all(axis=1) for rows in (photos, faces))
    kept &= split != "test"
    print(f"{kept.sum()} pairs of {(split != 'test').sum()}, {others.sum()} other people of {len(others)}")
    chosen = (("pairs-photo", kept), ("pairs-sketch", kept), ("faces-photo", others))
    rows = [[told[name][part][where].astype(np.float32) for part in given.parts] for name, where in chosen]
    fitted = Map.fit(given.parts, rows[0], rows[1], others=rows[2])
    fitted.write(given.out)
    print(f"{given.out}: {fitted.dimension} numbers")


if __name__ == "__main__":
    main()
