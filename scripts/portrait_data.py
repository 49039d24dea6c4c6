"""Prepare the pairs that the models of the package learned from: CUHK's training pairs and FS2K's, in one frame.

    .venv/bin/python scripts/portrait_data.py --cuhk CUHK --fs2k FS2K --out portraits

FS2K's faces are levelled and brought to CUHK's frame, 200x250; 150 of its subjects, 50 of each artist, become test
pairs and are never trained on. CUHK's published crops are used as they are, except that the black corners which their
own levelling left are filled: in sketches with paper, in photos with what is around them.
`facesketch faces align` levels any other data in the same way.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facesketch.faces import FaceFinder, align
from facesketch.images.io import open_image

STRANGERS = 50
"""Subjects of each artist that are kept out."""


def opened(path: Path) -> Image.Image:
    """Return a picture upright, in colour."""
    return open_image(path).convert("RGB")


def framed(finder: FaceFinder, path: Path) -> Image.Image | None:
    """Return the largest face of a picture, level and in the frame, or None where no face is found."""
    image = opened(path)
    faces = finder.find(image, most=1)
    return align(image, faces[0]).image if faces else None


def mended(image: Image.Image, *, paper: bool) -> Image.Image:
    """Return a published crop without the black corners of its levelling."""
    pixels = np.array(image)
    dark = (pixels.max(axis=2) < (24 if paper else 14)).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
    wedges = np.zeros(dark.shape, np.uint8)
    for label in range(1, count):
        part = labels == label
        width, height, area = boxes[label][2:]
        in_corner = part[0, 0] | part[0, -1] | part[-1, 0] | part[-1, -1]
        along_edge = max(part[0].mean(), part[:, 0].mean(), part[:, -1].mean()) > 0.25
        if in_corner and along_edge and area > 60 and (paper or min(width, height) < 30):  # black clothes are wider
            wedges |= part.astype(np.uint8)
    if not wedges.any():
        return image
    wedges = cv2.dilate(wedges, np.ones((5, 5), np.uint8))
    if paper:
        pixels[wedges > 0] = np.percentile(pixels, 90)
    else:
        pixels = cv2.inpaint(pixels, wedges, 5, cv2.INPAINT_TELEA)
    return Image.fromarray(pixels)


def strangers(rows: list[dict[str, str]]) -> set[str]:
    """Return the subjects to keep out: of each artist those with the smallest hash."""
    kept: set[str] = set()
    for style in sorted({row["style"] for row in rows}):
        stems = [row["stem"] for row in rows if row["style"] == style]
        stems.sort(key=lambda stem: hashlib.sha256(f"stranger {stem}".encode()).hexdigest())
        kept |= set(stems[:STRANGERS])
    return kept


def read(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a folder's pairs.csv."""
    with (folder / "pairs.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(out: Path, row: dict[str, str], photo: Image.Image, sketch: Image.Image) -> dict[str, str]:
    """Write a pair and return its row with the new places."""
    places = {kind: f"{kind if kind == 'photo' else 'sketche'}s/{row['stem']}.png" for kind in ("photo", "sketch")}
    photo.save(out / places["photo"])
    sketch.convert("L").save(out / places["sketch"])
    return {**row, **places}


def main() -> None:
    """Read both sets and write the one."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("cuhk", "fs2k", "out"):
        arguments.add_argument(f"--{name}", type=Path, required=True)
    given = arguments.parse_args()
    for name in ("photos", "sketches"):
        (given.out / name).mkdir(parents=True, exist_ok=True)
    finder = FaceFinder()
    fs2k = read(given.fs2k)
    kept_out, rows = strangers(fs2k), []
    for row in fs2k:
        photo, sketch = (framed(finder, given.fs2k / row[kind]) for kind in ("photo", "sketch"))
        if photo is None or sketch is None:
            print(f"left out, no face: {row['stem']}")
            continue
        split = "test" if row["stem"] in kept_out else "train"
        rows.append(
            write(given.out, row | {"split": split, "set": "fs2k", "style": f"fs2k-{row['style']}"}, photo, sketch)
        )
    for row in read(given.cuhk):
        if row["split"] == "train":
            photo, sketch = (
                mended(opened(given.cuhk / row[kind]), paper=kind == "sketch") for kind in ("photo", "sketch")
            )
            rows.append(write(given.out, row | {"set": "cuhk", "style": "cuhk"}, photo, sketch))
    with (given.out / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [*fs2k[0], "set"], restval="")
        table.writeheader()
        table.writerows(rows)
    print(f"{len(rows)} pairs in {given.out}")


if __name__ == "__main__":
    main()
