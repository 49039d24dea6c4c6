"""Find out what a score says: the constants of `facesketch.search.probability` for each embedder and route.

    .venv/bin/python scripts/search_calibration.py --pairs portraits --described described [--embedder NAME…]

PAIRS is what `scripts/portrait_data.py` wrote and DESCRIBED what `scripts/search_describe.py` wrote. The sketches of
FS2K's 150 strangers look for their photos among all described photos, in galleries of 1 to 6,000 people drawn at random
and in galleries of those who look most like the right person. The sketches of every other one of CUHK's 100 test people
look for theirs among these people alone, and among 50 of them beside everybody of FS2K or FACES. Each search is made
once with the right photo and once without. The constants are those of the maximum likelihood; both sets count the same.
CUHK's other people are left to test them on: after each line of the table the script prints how far chances are off, in
percentage points. Photos that SFace takes for the person of a search are left out of it.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from facesketch.config import Domain
from facesketch.metrics.calibration import calibration_error, reliability
from facesketch.search.embedding.describer import ROUTES
from facesketch.search.embedding.embedders import EMBEDDERS, Learned
from facesketch.search.probability import Calibration, log_ratios, posterior

Array = NDArray[np.float64]
Places = NDArray[np.intp]
Search = tuple[Array, int | None, int]
"""The best scores, the place of the right one if it is among all, and how many more people there are."""

SIZES = (1, 3, 10, 38, 100, 1000, 6000)
ALIKE = 0.363  # cosine of SFace's descriptions above which it takes two photos for one person
LOOKED_AT, PRIOR = 100, 0.5
VIEWS: dict[str, Domain] = {"photo": "photo", "drawn": "sketch", "sketch": "sketch", "made": "photo"}


def search(scores: Array, right: float | None) -> Search:
    """Return a search among others, in which the right one takes the place of the last."""
    others = np.sort(scores)[::-1]
    place = None
    if right is not None:
        others = others[:-1]
        place = int((others > right).sum())
        others = np.insert(others, place, right)
    return others[:LOOKED_AT], place, max(0, len(others) - LOOKED_AT)


def galleries(own: int, pool: Places, alike: Array, sizes: Sequence[int]) -> Iterator[tuple[str, Places]]:
    """Yield galleries for a search: people of a pool at random, and those most like the right one."""
    draw, nearest = np.random.default_rng([0, own]), pool[np.argsort(-alike[pool])]
    for size in (size for size in sizes if size <= len(pool)):
        yield "mixed", draw.choice(pool, size, replace=False)
        if 2 * size <= len(pool):
            yield "alike", draw.choice(nearest[: max(2 * size, min(200, len(pool)))], size, replace=False)


def said(constants: Array, mean: float, spread: float, found: Search) -> tuple[Array, float]:
    """Return the chances of a search; the first constant is a logarithm, so that it stays above 0."""
    known = Calibration(float(np.exp(constants[0])), float(constants[1]), float(constants[2]), mean, spread)
    return posterior(log_ratios(found[0], found[2], known), found[2], PRIOR)


def loss(constants: Array, mean: float, spread: float, searches: Sequence[Search], weights: Array) -> float:
    """Return the mean negative logarithm of the chance of what is so."""
    total = 0.0
    for weight, found in zip(weights, searches, strict=True):
        each, absent = said(constants, mean, spread, found)
        _, right, rest = found
        missed = max(1 - absent - float(each.sum()), 0) / max(rest, 1)
        chance = absent if right is None else each[right] if right < len(each) else missed
        total -= weight * np.log(max(chance, 1e-12))
    return total


def off(constants: Array, mean: float, spread: float, searches: Sequence[Search]) -> str:
    """Return how far the chances of the first and of nobody are off, in percentage points."""
    chances = [said(constants, mean, spread, found) for found in searches]
    first, absent = np.array([each[0] for each, _ in chances]), np.array([absent for _, absent in chances])
    right = np.array([-1 if found[1] is None else found[1] for found in searches])
    errors = [
        calibration_error(reliability(np.clip(told, 0, 1), true))
        for told, true in ((first, right == 0), (absent, right < 0))
    ]
    return f"first {100 * errors[0]:.1f}, nobody {100 * errors[1]:.1f} of {len(searches)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pairs", "described"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--embedder", nargs="*", default=list(EMBEDDERS))
    asked = parser.parse_args()
    with (asked.pairs / "pairs.csv").open(encoding="utf-8", newline="") as file:
        strangers = np.flatnonzero([row["split"] == "test" for row in csv.DictReader(file)])
    told = {
        f"{name}-{view}": dict(np.load(path))
        for name in ("pairs", "cuhk", "faces")
        for view in VIEWS
        if (path := asked.described / f"{name}-{view}.npz").exists()
    }
    for name in asked.embedder:
        embedder = EMBEDDERS[name]()
        rows: dict[str, Array] = {}
        for key, views in told.items():
            parts = {part: views[part].astype(np.float32) for part in ("hog", "sface")}
            domain = VIEWS[key.partition("-")[2]]
            rows[key] = (
                embedder.of([parts[part] for part in embedder.parts], domain)
                if isinstance(embedder, Learned)
                else parts[name]
            ).astype(np.float64)
        for route in ROUTES:
            sets = [
                each
                for each in ("pairs", "cuhk", "faces")
                if f"{each}-drawn" in rows or route in {"direct", "to-photo"}
            ]
            calibrate(name, route, rows, [told[f"{each}-photo"]["sface"] for each in sets], sets, strangers)


def calibrate(
    name: str, route: str, rows: dict[str, Array], faces: list[Array], sets: list[str], strangers: Places
) -> None:
    """Print a line of the table, and how far chances are off with it."""
    photos = np.concatenate([rows[f"{each}-photo"] for each in sets])
    drawn = np.concatenate([rows[f"{each}-drawn"] for each in sets]) if f"{sets[-1]}-drawn" in rows else photos
    ends = np.cumsum([0, *(len(rows[f"{each}-photo"]) for each in sets)])
    where = {each: np.arange(start, stop) for each, start, stop in zip(sets, ends, ends[1:], strict=False)}
    sface = np.concatenate(faces)
    searches: dict[str, list[Search]] = {}
    usual: list[Array] = []
    for one, probes in (("pairs", strangers), ("cuhk", np.arange(len(where["cuhk"])))):
        for number, probe in enumerate(probes):
            own = int(where[one][probe])
            sketch, made = rows[f"{one}-sketch"][probe], rows[f"{one}-made"][probe]
            routes = {"direct": photos @ sketch, "to-photo": photos @ made, "to-sketch": drawn @ sketch}
            scores = routes[route] if route != "fused" else sum(routes.values()) / 3
            others = np.flatnonzero(sface @ sface[own] <= ALIKE)
            others = others[others != own]
            if one == "pairs":
                usual.append(scores[others])
                made_of = list(galleries(own, others, photos @ photos[own], SIZES))
            else:
                mates = np.delete(where[one], probe)
                draw = np.random.default_rng([1, number])
                half = "fitted" if number % 2 == 0 else "tested"
                made_of = [(f"cuhk, {half}", draw.permutation(mates)[:size]) for size in (*SIZES[:4], 99)]
                for each in (each for each in ("pairs", "faces") if each in where):
                    few = draw.permutation(mates)[:50]
                    among = np.concatenate([few, np.intersect1d(others, where[each])])
                    made_of.append((f"cuhk among {each}, {half}", among))
            for kind, places in made_of:
                searches.setdefault(kind, []).extend(
                    (search(scores[places], None), search(scores[places], float(scores[own])))
                )
    mean = float(np.mean([each.mean() for each in usual]))
    spread = float(np.mean([each.std() for each in usual]))
    fitted = {kind: found for kind, found in searches.items() if "tested" not in kind}
    count = {one: sum(len(found) for kind, found in fitted.items() if ("cuhk" in kind) == one) for one in (True, False)}
    weights = np.concatenate([np.full(len(found), 0.5 / count["cuhk" in kind]) for kind, found in fitted.items()])
    flat = [found for each in fitted.values() for found in each]
    best = minimize(loss, (1.0, -9.0, 1.2), args=(mean, spread, flat, weights), method="Nelder-Mead")
    numbers = (np.exp(best.x[0]).round(2), *best.x[1:].round(2), round(mean, 4), round(spread, 4))
    print(f'    ("{name}", "{route}"): Calibration({", ".join(map(str, numbers))}),', flush=True)
    for kind, found in searches.items():
        print(f"        # {kind}: off by {off(best.x, mean, spread, found)}", flush=True)


if __name__ == "__main__":
    main()
