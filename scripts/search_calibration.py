"""Find out what a score says: the two constants of `facesketch.search.chance` for each embedder and route.

    .venv/bin/python scripts/search_calibration.py --data portraits [--others FOLDER…] [--embedder NAME…]

The test pairs of DATA are people of whom neither the translators nor the embedders have learned. Their sketches look
for their photos in random galleries of 20 to 1,000 people, made of these photos and of OTHERS, once with their own
photo in it and once without. The constants are those that give the truth the highest chance, over all galleries: the
maximum of the likelihood. Photos that SFace takes for one person count as one. It prints the table that stands in
`chance.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.optimize import minimize

from facesketch.data.index import index
from facesketch.errors import FaceError
from facesketch.faces import FaceFinder
from facesketch.images import is_picture, open_image
from facesketch.search.chance import Calibration, chances
from facesketch.search.describe import ROUTES, Describer, Route, describer
from facesketch.search.embedders import EMBEDDERS
from facesketch.search.framing import framed

Array = NDArray[np.float64]
Trial = tuple[Array, int | None, int]
"""The scores of the nearest, at which place the right one comes if it is in the gallery, and how many people more."""

SIZES = (20, 50, 200, 1000)
ALIKE = 0.5  # cosine of SFace's descriptions above which two photos show one person
LOOKED_AT = 100
PRIOR = 0.5


def photos_of(folders: list[Path]) -> list[Image.Image]:
    """Return the photos below some folders."""
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if is_picture(path)]
    return [open_image(path) for path in paths]


def described(describe: Describer, pictures: list[Image.Image]) -> Array:
    """Return the vectors of photos, all of which show a face."""
    made = [each for start in range(0, len(pictures), 32) for each in describe.gallery(pictures[start : start + 32])]
    return np.array([each for each in made if not isinstance(each, FaceError)], dtype=np.float64)


def galleries(probe: int, people: NDArray[np.intp], seed: int) -> Iterator[NDArray[np.intp]]:
    """Yield galleries of other people for a probe: places of photos, one a person."""
    draw = np.random.default_rng([seed, probe])
    _, first = np.unique(people, return_index=True)
    others = first[people[first] != people[probe]]
    for size in SIZES:
        if size <= len(others):
            yield draw.choice(others, size, replace=False)


def loss(constants: Array, trials: list[Trial]) -> float:
    """Return the mean negative logarithm of the chance that the truth was given."""
    known = Calibration(float(np.exp(constants[0])), float(constants[1]))
    total = 0.0
    for scores, right, rest in trials:
        each, absent = chances(scores, rest, known, PRIOR)
        missed = max(1 - absent - each.sum(), 0) / max(rest, 1)
        said = absent if right is None else each[right] if right < len(each) else missed
        total -= np.log(max(said, 1e-12))
    return total / len(trials)


def trials_of(scores: Array, people: NDArray[np.intp]) -> list[Trial]:
    """Return searches, each with the right one in the gallery and without."""
    found: list[Trial] = []
    for probe, row in enumerate(scores):  # probe i and photo i show one person
        for places in galleries(probe, people, seed=0):
            others = np.sort(row[places])[::-1]
            found.append((others[:LOOKED_AT], None, max(0, len(others) - LOOKED_AT)))
            right = int((others[:-1] > row[probe]).sum())
            scores = np.insert(others[:-1], right, row[probe])
            found.append((scores[:LOOKED_AT], right, max(0, len(scores) - LOOKED_AT)))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--others", type=Path, nargs="*", default=[])
    parser.add_argument("--embedder", nargs="*", default=list(EMBEDDERS))
    asked = parser.parse_args()
    pairs = [pair for pair in index(asked.data).pairs if pair.split == "test"]
    finder = FaceFinder()
    shown = [pair for pair in pairs if finder.look(pair.sketch.open()) and finder.look(pair.photo.open())]
    sketches, others = [pair.sketch.open() for pair in shown], photos_of(asked.others)
    photos = [pair.photo.open() for pair in shown] + [photo for photo in others if finder.look(photo)]
    print(f"# {len(shown)} of {len(pairs)} people, {len(photos) - len(shown)} photos of others")
    people = who_is_who(photos)
    for name in asked.embedder:
        describe = describer(name)
        vectors = described(describe, photos)
        probes = [describe.probe(sketch) for sketch in sketches]
        for route in ROUTES:
            report(name, route, np.array([describe.query(probe, route) for probe in probes]) @ vectors.T, people)


def who_is_who(photos: list[Image.Image]) -> NDArray[np.intp]:
    """Return a number for each photo, the same for photos that SFace takes for one person."""
    finder = FaceFinder()
    faces = EMBEDDERS["sface"]().describe([framed(finder, photo) for photo in photos], "photo")
    alike = faces @ faces.T > ALIKE
    numbers = np.arange(len(faces))
    for _ in range(len(faces)):  # until the smallest number has gone through every chain
        spread = np.array([numbers[row].min() for row in alike])
        if (spread == numbers).all():
            break
        numbers = spread
    return numbers


def report(name: str, route: Route, scores: Array, people: NDArray[np.intp]) -> None:
    """Print one line of the table."""
    trials = trials_of(scores, people)
    best = min(
        (minimize(loss, start, args=(trials,), method="Nelder-Mead") for start in ((2.5, -5.0), (3.5, -10.0))),
        key=lambda each: each.fun,
    )
    slope, offset = float(np.exp(best.x[0])), float(best.x[1])
    said = f"{len(trials)} searches, mean log loss {best.fun:.3f}"
    print(f'    ("{name}", "{route}"): Calibration({slope:.2f}, {offset:.2f}),  # {said}', flush=True)


if __name__ == "__main__":
    main()
