"""Find out what a score says: the two constants of `facesketch.search.probability` for each embedder and route.

    .venv/bin/python scripts/search_calibration.py --data portraits [--others FOLDER…] [--embedder NAME…]

No translator and no embedder has learned from the test pairs of DATA. Their sketches look for their photos in galleries
of 5 to 400 people, made of these photos and of OTHERS, once with their own photo in it and once without. A third of the
galleries are random, a third hold the people who look most like the right person, and a third those who look most like
another person, to measure what a score says where everybody looks alike. The constants are those of the maximum
likelihood over all galleries. Photos that SFace takes for one person count as one. The script prints the table of
`facesketch.search.probability`.
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
from facesketch.images.io import is_picture, open_image
from facesketch.search.embedding.describer import ROUTES, Describer, Route, choose_face, describer, frame_face
from facesketch.search.embedding.embedders import EMBEDDERS
from facesketch.search.probability import Calibration, company, distances, posterior

Array = NDArray[np.float64]
Search = tuple[Array, int | None, int]
"""How far the nearest stand out, the place of the right one if it is there, and how many more people there are."""

SIZES = (5, 20, 100, 400)
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
    return np.array([each.vector for each in made if not isinstance(each, FaceError)], dtype=np.float64)


def galleries(probe: int, people: NDArray[np.intp], alike: Array) -> Iterator[NDArray[np.intp]]:
    """Yield galleries of other people for a probe: places of photos, one a person."""
    draw = np.random.default_rng([0, probe])
    _, first = np.unique(people, return_index=True)
    others = first[people[first] != people[probe]]
    for size in (size for size in SIZES if size <= len(others)):
        yield draw.choice(others, size, replace=False)
        for centre in (probe, draw.integers(len(alike))):
            yield others[np.argsort(-alike[centre, others])][:size]


def searches_of(scores: Array, people: NDArray[np.intp], alike: Array, mixed: Calibration) -> list[Search]:
    """Return searches, each with the right one in the gallery and without."""
    found: list[Search] = []
    for probe, row in enumerate(scores):  # probe i and photo i show one person
        for places in galleries(probe, people, alike):
            others = np.sort(row[places])[::-1]
            right = int((others[:-1] > row[probe]).sum())
            for values, place in ((others, None), (np.insert(others[:-1], right, row[probe]), right)):
                rest = max(0, len(values) - LOOKED_AT)
                found.append((distances(values[:LOOKED_AT], rest, company(values, mixed)), place, rest))
    return found


def loss(constants: Array, searches: list[Search]) -> float:
    """Return the mean negative logarithm of the chance of what is so."""
    total = 0.0
    for outstanding, right, rest in searches:
        each, absent = posterior(np.exp(constants[0]) * outstanding + constants[1], rest, PRIOR)
        missed = max(1 - absent - each.sum(), 0) / max(rest, 1)
        said = absent if right is None else each[right] if right < len(each) else missed
        total -= np.log(max(said, 1e-12))
    return total / len(searches)


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
        between = vectors[:, : describe.dimension // 2] @ vectors[:, : describe.dimension // 2].T
        probes = [describe.probe(sketch) for sketch in sketches]
        for route in ROUTES:
            queries = np.array([describe.query(probe, route) for probe in probes])
            report(name, route, queries @ vectors.T, people, between)


def who_is_who(photos: list[Image.Image]) -> NDArray[np.intp]:
    """Return a number for each photo, the same for photos that SFace takes for one person."""
    finder = FaceFinder()
    faces = EMBEDDERS["sface"]().describe([frame_face(photo, choose_face(finder, photo)) for photo in photos], "photo")
    alike = faces @ faces.T > ALIKE
    numbers = np.arange(len(faces))
    for _ in range(len(faces)):  # until the smallest number has gone through every chain
        spread = np.array([numbers[row].min() for row in alike])
        if (spread == numbers).all():
            break
        numbers = spread
    return numbers


def report(name: str, route: Route, scores: Array, people: NDArray[np.intp], alike: Array) -> None:
    """Print one line of the table."""
    others = [row[people != people[probe]] for probe, row in enumerate(scores)]
    mean, spread = float(np.mean([row.mean() for row in others])), float(np.mean([row.std() for row in others]))
    searches = searches_of(scores, people, alike, Calibration(1.0, 0.0, mean, spread))
    best = minimize(loss, (0.3, -8.0), args=(searches,), method="Nelder-Mead")
    slope, offset = float(np.exp(best.x[0])), float(best.x[1])
    said = f"{len(searches)} searches, mean log loss {best.fun:.3f}"
    constants = f"{slope:.2f}, {offset:.2f}, {mean:.4f}, {spread:.4f}"
    print(f'    ("{name}", "{route}"): Calibration({constants}),  # {said}', flush=True)


if __name__ == "__main__":
    main()
