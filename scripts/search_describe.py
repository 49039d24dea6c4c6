"""Describe the pictures that search is fitted to and measured on, once, so that other scripts need not.

    .venv/bin/python scripts/search_describe.py --pairs portraits --cuhk CUHK --faces FACES --out described

PAIRS is what `scripts/portrait_data.py` wrote; its test pairs are FS2K's strangers. Of CUHK the test pairs are taken,
and of FACES (`photos/` and `faces.csv`) every photo. Pictures are in the frame already. Each set becomes a file
`SET-VIEW.npz` for each view, with `names`, `hog` (N, 5544) and `sface` (N, 128):

    photo     the photo
    drawn     the sketch that the package makes of it
    sketch    the artist's sketch; of FACES the package's, in one of FS2K's three styles in turn
    made      the photo that the package makes of that sketch

The last two are made of every third of FACES. It takes about 300 ms a pair or face on one core. A file that is there is
not made again.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.files import atomic
from facesketch.images.io import open_image
from facesketch.inference.translator import load
from facesketch.search.embedding.embedders import EMBEDDERS
from facesketch.weights import shipped

Rows = NDArray[np.float32]
Draw = Callable[[list[Image.Image], int], list[Image.Image]]
STYLES = ("fs2k-0", "fs2k-1", "fs2k-2")
VIEWS = ("photo", "drawn", "sketch", "made")
_BATCH = 24


def main() -> None:
    """Describe all sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pairs", "cuhk", "faces", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--views", nargs="+", choices=VIEWS, default=list(VIEWS))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    sets: dict[str, list[tuple[str, Path, Path | None]]] = {"pairs": [], "cuhk": [], "faces": []}
    for name, folder in (("pairs", given.pairs), ("cuhk", given.cuhk)):
        for row in table(folder / "pairs.csv"):
            if name == "pairs" or row["split"] == "test":
                sets[name].append((row["stem"], folder / row["photo"], folder / row["sketch"]))
    for row in table(given.faces / "faces.csv"):
        sets["faces"].append((row["file"], given.faces / "photos" / row["file"], None))
    to_sketch, to_photo = (load(str(shipped.path(each))) for each in ("photo2sketch", "sketch2photo"))
    parts = {name: EMBEDDERS[name]() for name in ("hog", "sface")}
    for name, every in sets.items():
        for view in given.views:
            path = given.out / f"{name}-{view}.npz"
            rows = every[::3] if name == "faces" and view in {"sketch", "made"} else every
            if path.exists():
                continue
            found: dict[str, list[Rows]] = {part: [] for part in parts}
            for start in range(0, len(rows), _BATCH):
                batch = rows[start : start + _BATCH]
                photos = [open_image(photo).convert("RGB") for _, photo, _ in batch]
                if view in {"photo", "drawn"}:
                    shown = photos if view == "photo" else to_sketch.translate(photos, "photo2sketch")
                else:
                    shown = list(sketches(batch, start, photos, to_sketch.translate))
                    shown = to_photo.translate(shown, "sketch2photo") if view == "made" else shown
                for part, embedder in parts.items():
                    found[part].append(embedder.describe(shown, "photo"))
            dtype = {"hog": np.float16, "sface": np.float32}
            arrays = {part: np.concatenate(each).astype(dtype[part]) for part, each in found.items()}
            with atomic(path) as file:
                names = np.array([stem for stem, *_ in rows])
                np.savez(file, names=names, hog=arrays["hog"], sface=arrays["sface"])
            print(f"{path}: {len(rows)} pictures", flush=True)


def sketches(
    batch: list[tuple[str, Path, Path | None]],
    start: int,
    photos: list[Image.Image],
    translate: Callable[..., list[Image.Image]],
) -> Iterator[Image.Image]:
    """Yield the artist's sketch of each, or one in a style that its place says."""
    for number, ((_, _, sketch), photo) in enumerate(zip(batch, photos, strict=True), start=start):
        if sketch is not None:
            yield open_image(sketch).convert("L")
        else:
            yield from translate([photo], "photo2sketch", style=STYLES[number % len(STYLES)])


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
