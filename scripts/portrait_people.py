"""Add photos without sketches to the pairs of `portrait_data.py`, with sketches that the package and filters draw.

    .venv/bin/python scripts/portrait_people.py --faces FACES --pairs portraits --out people

FACES holds aligned photos, 200x250, in `photos/`. Each photo gets two sketches: one that the package's photo2sketch
model draws in one of its styles, and one that a filter draws: pencil, or outlines thin, thick or with shading (XDoG,
Winnemöller et al., 2012). Every choice follows from a hash of the photo's name. People who resemble one of the
strangers, those of the pairs or those in `strangers_faces.txt`, are left out, according to SFace.

`people/` links to the photos and the pairs, and its `pairs.csv` lists them in five sets of equal weight for
`--balance`. The pairs of FS2K are listed twice, in their artist's style and in the style `natural`, which all these
photos have.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesketch.faces.sface import SFace
from facesketch.images.io import open_image
from facesketch.inference.translator import load
from facesketch.weights import shipped
from facesketch.weights.catalogue import locate

Grey = NDArray[np.float32]
ALIKE, BATCH, COUNT = 0.5, 8, 300
STRANGERS = Path(__file__).with_name("strangers_faces.txt")


def digest(name: str, why: str = "stranger") -> str:
    """Return the hash that decides about a photo."""
    return hashlib.sha256(f"{why} {name}".encode()).hexdigest()


def is_stranger(name: str) -> bool:
    """Tell whether a photo of `faces` is kept out of everything."""
    return digest(name)[:16] in STRANGERS.read_text(encoding="ascii").split()


def pencil(grey: Grey) -> Grey:
    """Dodge the grey picture by its blurred negative."""
    return np.minimum(grey / (1 - cv2.GaussianBlur(1 - grey, (0, 0), 5) + 1e-3), 1)


def outlines(sigma: float, sharpness: float, level: float, slope: float) -> Callable[[Grey], Grey]:
    """Return an extended difference of Gaussians: white where it exceeds `level`, and a soft step to black below."""

    def draw(grey: Grey) -> Grey:
        narrow, wide = (cv2.GaussianBlur(grey, (0, 0), each) for each in (sigma, 1.6 * sigma))
        sharp = (1 + sharpness) * narrow - sharpness * wide
        return np.asarray(np.where(sharp >= level, 1, 1 + np.tanh(slope * (sharp - level))), np.float32).clip(0, 1)

    return draw


def lines(grey: Grey) -> Grey:
    """Draw edges as dark lines on white paper, without shading."""
    narrow, wide = (cv2.GaussianBlur(grey, (0, 0), each) for each in (0.8, 2.2))
    return np.asarray((1 - 9 * np.maximum(wide - narrow - 0.008, 0)).clip(0.15, 1), np.float32)


FILTERS: tuple[Callable[[Grey], Grey], ...] = (
    pencil,
    lines,
    outlines(1.0, 18, 0.5, 2.5),
    outlines(0.7, 30, 0.35, 5),
    outlines(1.6, 12, 0.6, 1.5),
)


def filtered(photo: Image.Image, name: str) -> Image.Image:
    """Draw a photo with one of the filters, its tones stretched first."""
    grey = np.asarray(photo.convert("L"), np.float32)
    low, high = np.percentile(grey, [1, 99])
    unit = ((grey - low) / max(high - low, 1)).clip(0, 1).astype(np.float32)
    drawn = FILTERS[int(digest(name, "filter"), 16) % len(FILTERS)](unit)
    return Image.fromarray(np.rint(drawn * 255).astype(np.uint8))


def embedded(faces: SFace, paths: list[Path]) -> Iterator[NDArray[np.float64]]:
    """Yield SFace's embedding of each photo."""
    for path in paths:
        yield faces.describe([np.asarray(open_image(path).convert("RGB"))])[0]


def main() -> None:
    """Choose, draw and list."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("faces", "pairs", "out"):
        arguments.add_argument(f"--{name}", type=Path, required=True)
    given = arguments.parse_args()
    with (given.pairs / "pairs.csv").open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    photos = sorted((given.faces / "photos").iterdir())
    if not STRANGERS.exists():
        chosen = sorted(digest(path.stem) for path in photos)[:COUNT]
        STRANGERS.write_text("".join(f"{each[:16]}\n" for each in chosen), encoding="ascii")
    embed = SFace(locate("sface"), shipped.YUNET)
    known = [path for path in photos if is_stranger(path.stem)]
    tested = [given.pairs / row["photo"] for row in pairs if row["split"] == "test"]
    strangers = np.stack([*embedded(embed, known), *embedded(embed, tested)])
    (given.out / "sketches").mkdir(parents=True, exist_ok=True)
    for kind, folder in (("faces", given.faces), ("pairs", given.pairs)):
        if not (given.out / kind).exists():
            (given.out / kind).symlink_to(folder.resolve(), target_is_directory=True)
    rows = []
    for row in pairs:  # those to test on stay: without any, a fifth of all people would be kept for it
        row = row | {kind: f"pairs/{row[kind]}" for kind in ("photo", "sketch")} | {"subject": row["stem"]}
        rows.append(row)
        if row["set"] == "fs2k" and row["split"] != "test":
            rows.append(row | {"stem": f"{row['stem']}-natural", "style": "natural"})
    drawer = load("photo2sketch")
    others = [path for path in photos if not is_stranger(path.stem)]
    kept = [p for p, e in zip(others, embedded(embed, others), strict=True) if (strangers @ e).max() <= ALIKE]
    print(f"{len(kept)} photos of {len(photos)}; {len(known)} strangers, {len(others) - len(kept)} resemble one")
    styles = drawer.preprocessing.styles
    for style in styles:
        mine = [p for p in kept if styles[int(digest(p.stem, "style"), 16) % len(styles)] == style]
        for start in range(0, len(mine), BATCH):
            part = mine[start : start + BATCH]
            images = [open_image(path).convert("RGB") for path in part]
            for path, image, drawn in zip(part, images, drawer.translate(images, style=style), strict=True):
                for kind, sketch in (("drawn", drawn), ("filter", filtered(image, path.stem))):
                    place = f"sketches/{path.stem}-{kind}.png"
                    sketch.save(given.out / place)
                    group = f"{kind}-{int(digest(path.stem, 'group'), 16) % 2}" if kind == "drawn" else kind
                    rows.append(
                        {"stem": f"{path.stem}-{kind}", "split": "train", "photo": f"faces/photos/{path.name}"}
                        | {"subject": path.stem, "sketch": place, "style": "natural", "set": group}
                    )
    with (given.out / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["subject", *pairs[0]], restval="")
        table.writeheader()
        table.writerows(sorted(rows, key=lambda row: str(row["stem"])))
    print(f"{len(rows)} pairs in {given.out}")


if __name__ == "__main__":
    main()
