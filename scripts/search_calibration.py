"""Find out what a score says: the constants of `facesketch.search.probability` for each embedder and route.

    .venv/bin/python scripts/search_calibration.py --pairs portraits --described described [--embedder NAME…]

PAIRS is what `scripts/portrait_data.py` wrote and DESCRIBED what `scripts/search_describe.py` wrote. The sketches of
FS2K's 150 strangers look for their photos among all described photos, in galleries of 2 to 6,000 people drawn at random
and in galleries of those who look most like the right person. The sketches of CUHK's 100 test people look for theirs
among these people alone, and among 50 of them beside everybody of FS2K or FACES. Each search is made once with the
right photo and once without. The constants are those of the maximum likelihood; both sets count the same.

After each line of the table the script prints how far chances are off, in percentage points, in all galleries of a kind
and by their size. These chances come from constants that were fitted to the other half of the people. It prints, too,
how often the verdict is *Probably not in this gallery* where the right person comes first (so headed) and where the
person is not there, and how far first hits that look sure can be trusted. Galleries too small for chances are judged
too, but nothing is fitted to them. Photos that SFace takes for the person of a search are
left out of it.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from facesketch.config import Domain
from facesketch.metrics.calibration import calibration_error, reliability
from facesketch.search.embedding.describer import ROUTES
from facesketch.search.embedding.embedders import EMBEDDERS, Learned
from facesketch.search.probability import FEWEST, Calibration, leads, log_ratios, posterior

Array = NDArray[np.float64]
Places = NDArray[np.intp]

SIZES = (2, 3, 5, 10, 20, 38, 100, 1000, 6000)
ALIKE = 0.363  # cosine of SFace's descriptions above which it takes two photos for one person
LOOKED_AT, PRIOR, SURE = 100, 0.5, 0.9
VIEWS: dict[str, Domain] = {"photo": "photo", "drawn": "sketch", "sketch": "sketch", "made": "photo"}


@dataclass(frozen=True, eq=False)
class Found:
    """Searches: (S, K) leads of the nearest, and for each of the S the rest.

    Attributes:
        leads: highest first; -inf beyond the last person of a gallery.
        people: how many there are.
        right: the place of the right person, K beyond the nearest, -1 where the person is not there.
        kind: of gallery.
        probe: whose sketch it is.
    """

    leads: Array
    people: NDArray[np.int64]
    right: NDArray[np.int64]
    kind: NDArray[np.str_]
    probe: NDArray[np.int64]

    def where(self, rows: NDArray[np.bool_]) -> Found:
        """Return some of the searches."""
        return Found(*(getattr(self, each.name)[rows] for each in fields(self)))


def search(scores: Array, right: float | None) -> tuple[Array, int, int]:
    """Return a search among others, in which the right one takes the place of the last: leads, people and place."""
    others, place = np.sort(scores)[::-1], -1
    if right is not None:
        place = min(int((others[:-1] > right).sum()), LOOKED_AT)
        others = np.sort(np.append(others[:-1], right))[::-1]
    found = np.full(LOOKED_AT, -np.inf)
    found[: len(others)] = leads(others[:LOOKED_AT], len(others))
    return found, len(others), place


def galleries(own: int, pool: Places, alike: Array) -> Iterator[tuple[str, Places]]:
    """Yield galleries for a search: people of a pool at random, and those most like the right one."""
    draw, nearest = np.random.default_rng([0, own]), pool[np.argsort(-alike[pool])]
    for size in (size for size in SIZES if size <= len(pool)):
        yield "mixed", draw.choice(pool, size, replace=False)
        if 2 * size <= len(pool):
            yield "alike", draw.choice(nearest[: max(2 * size, min(200, len(pool)))], size, replace=False)


def said(constants: Array, found: Found) -> tuple[Array, Array]:
    """Return the chances of searches; the first constant is a logarithm, so that it stays above 0."""
    known = Calibration(float(np.exp(constants[0])), float(constants[1]), float(constants[2]))
    ratios = log_ratios(found.leads, found.people[:, None], known)
    return posterior(ratios, np.maximum(found.people - LOOKED_AT, 0), PRIOR)


def loss(constants: Array, found: Found, weights: Array) -> float:
    """Return the sum of the negative logarithms of the chances of what is so."""
    each, absent = said(constants, found)
    missed = np.maximum(1 - absent - each.sum(axis=1), 0) / np.maximum(found.people - LOOKED_AT, 1)
    chances = np.concatenate([each, missed[:, None], absent[:, None]], axis=1)
    return float(-weights @ np.log(np.maximum(chances[np.arange(len(weights)), found.right], 1e-12)))


def fit(found: Found) -> Array:
    """Return the constants of the maximum likelihood; CUHK counts as much as the strangers."""
    cuhk = np.char.startswith(found.kind, "cuhk")
    weights = np.where(cuhk, 0.5 / cuhk.sum(), 0.5 / (~cuhk).sum())
    best = minimize(loss, (3.0, -10.0, 1.4), args=(found, weights), method="Nelder-Mead", options={"xatol": 1e-3})
    return np.asarray(best.x)


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
            domain = VIEWS[key.partition("-")[2]]
            rows[key] = (
                embedder.of([views[part].astype(np.float32) for part in embedder.parts], domain)
                if isinstance(embedder, Learned)
                else views[name]
            ).astype(np.float32)
        for route in ROUTES:
            sets = [
                each
                for each in ("pairs", "cuhk", "faces")
                if f"{each}-drawn" in rows or route in {"direct", "to-photo"}
            ]
            found = searches(route, rows, [told[f"{each}-photo"]["sface"] for each in sets], sets, strangers)
            show(f'("{name}", "{route}")', found)


def searches(route: str, rows: dict[str, Array], faces: list[Array], sets: list[str], strangers: Places) -> Found:
    """Return the searches of all sketches in all galleries."""
    photos = np.concatenate([rows[f"{each}-photo"] for each in sets])
    drawn = np.concatenate([rows[f"{each}-drawn"] for each in sets]) if f"{sets[-1]}-drawn" in rows else photos
    ends = np.cumsum([0, *(len(rows[f"{each}-photo"]) for each in sets)])
    where = {each: np.arange(start, stop) for each, start, stop in zip(sets, ends, ends[1:], strict=False)}
    sface, made = np.concatenate(faces), []
    for one, probes in (("pairs", strangers), ("cuhk", np.arange(len(where["cuhk"])))):
        own_photos = photos[where[one][probes]] @ photos.T
        sketches, makes = (rows[f"{one}-{view}"][probes] for view in ("sketch", "made"))
        pairs = {"direct": (sketches, photos), "to-photo": (makes, photos), "to-sketch": (sketches, drawn)}
        chosen_routes = pairs.values() if route == "fused" else [pairs[route]]
        likeness = np.mean([queries @ gallery.T for queries, gallery in chosen_routes], axis=0).astype(np.float64)
        for number, probe in enumerate(probes):
            own, scores = int(where[one][probe]), likeness[number]
            others = np.flatnonzero(sface @ sface[own] <= ALIKE)
            others = others[others != own]
            if one == "pairs":
                chosen = list(galleries(own, others, own_photos[number]))
            else:
                mates, draw = np.delete(where[one], probe), np.random.default_rng([1, number])
                chosen = [("cuhk", draw.permutation(mates)[:size]) for size in (*SIZES[:6], 99)]
                for each in (each for each in ("pairs", "faces") if each in where):
                    few = draw.permutation(mates)[:50]
                    among = np.concatenate([few, np.intersect1d(others, where[each])])
                    chosen.append((f"cuhk among {each}", among))
            for kind, places in chosen:
                for right in (None, float(scores[own])):
                    made.append((*search(scores[places], right), kind, number))
    found, people, rights, kinds, whose = zip(*made, strict=True)
    return Found(np.stack(found), np.array(people), np.array(rights), np.array(kinds), np.array(whose))


def show(title: str, found: Found) -> None:
    """Print a line of the table, and how well chances hold for people whom the constants were not fitted to."""
    enough = found.people >= FEWEST
    best = fit(found.where(enough))
    numbers = (np.exp(best[0]).round(1), *best[1:].round(2))
    print(f"    {title}: Calibration({', '.join(map(str, numbers))}),", flush=True)
    first, absent = np.zeros(len(found.right)), np.zeros(len(found.right))
    for half in (0, 1):
        judged = found.probe % 2 == half
        each, absent[judged] = said(fit(found.where(~judged & enough)), found.where(judged))
        first[judged] = each[:, 0]
    for kind in dict.fromkeys(found.kind.tolist()):
        rows = found.kind == kind
        print(f"        # {kind}: {judge(first[rows], absent[rows], found.right[rows])}", flush=True)
        for size in sorted(set(found.people[rows].tolist())) if "among" not in kind else ():
            some = rows & (found.people == size)
            print(f"        #     {size}: {judge(first[some], absent[some], found.right[some])}", flush=True)


def judge(first: Array, absent: Array, right: NDArray[np.int64]) -> str:
    """Return how far chances are off, and how often an answer is headed or sure, in percent."""
    pairs = ((first, right == 0), (absent, right < 0))
    off = [100 * calibration_error(reliability(np.clip(told, 0, 1), true)) for told, true in pairs]
    here, there, sure = right == 0, right < 0, first > SURE
    return (
        f"{len(right)} searches, first off by {off[0]:.1f}, nobody by {off[1]:.1f};"
        f" so headed {(absent[here] >= SURE).mean():.1%}, strangers {(absent[there] >= SURE).mean():.1%};"
        f" strangers with 50 % or more {(first[there] >= 0.5).mean():.1%}, above 90 % {sure[there].mean():.1%},"
        f" first hits above 90 % that are right {right[sure].tolist().count(0) / max(1, sure.sum()):.1%}"
    )


if __name__ == "__main__":
    main()
