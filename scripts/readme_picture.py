"""Draw the first picture of README: photos, what the package's models draw of them, and a photo of a sketch.

    .venv/bin/python scripts/readme_picture.py --people /work/shared/data/faces_large/photos

Run it when the models change, and look at the result. Where the London Set is not at hand, `--people` may name any
folder that holds the files of `PEOPLE`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from facesketch import load
from facesketch.faces.colours import measure
from facesketch.faces.frame import FRAME
from facesketch.images.contact_sheet import sheet
from facesketch.images.io import save_image
from facesketch.inference.translator import load as load_translator

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
ASTRONAUT = PICTURES / "astronaut.jpg"
"""Eileen Collins, photographed by NASA, in the public domain: scikit-image's `data.astronaut()`, cropped."""
PEOPLE = ("london_039.jpg", "london_042.jpg")
"""Photos of the Face Research Lab London Set (DeBruine and Jones 2017, CC BY 4.0) that no model was trained on."""
STYLES = {"cuhk": "soft pencil", "fs2k-0": "outlines", "fs2k-1": "ink", "fs2k-2": "shaded"}
"""What `--style` takes, and what stands above its column."""


def picture(photos: list[Path]) -> Image.Image:
    """Return one row per photo: its face, a sketch in each style, and the first sketch drawn in the photo's colours."""
    model, photographer, rows = load(), load_translator("sketch2photo"), list[list[Image.Image | None]]()
    for photo in photos:
        portraits = [model.portraits(photo, "photo2sketch", style=style)[0] for style in STYLES]
        sketches = [portrait.picture for portrait in portraits]
        source = portraits[0].source
        assert source is not None, "portraits keep it"
        face, sketch = (each.resize((FRAME.width, FRAME.height)) for each in (source, sketches[0]))
        prepared = photographer.prepare(sketch, "sketch2photo", larger=sketches[0].resize((400, 500)))
        (array,) = photographer.run([prepared], "sketch2photo", colours=measure(np.asarray(face)))
        rows.append([face, *sketches, photographer.restore(array, prepared)])
    return sheet(rows, ["a photo", *STYLES.values(), "back to a photo"], cell=(200, 250))


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=Path, required=True, help="the folder that holds the photos of `PEOPLE`")
    parser.add_argument("--out", type=Path, default=PICTURES / "shipped.jpg")
    arguments = parser.parse_args()
    save_image(picture([ASTRONAUT, *(arguments.people / name for name in PEOPLE)]), arguments.out)


if __name__ == "__main__":
    main()
