"""Prepare the pairs that the models of the package learned from: CUHK's training pairs and FS2K's, in one frame.

    .venv/bin/python scripts/portrait_data.py --cuhk CUHK --fs2k FS2K --yunet YUNET.onnx --out portraits

FS2K's faces are levelled and brought to CUHK's frame, 200x250; 150 of its subjects, 50 of each artist, become test
pairs and are never trained on. CUHK's published crops are used as they are, except that the black corners which their
own levelling left are filled: in sketches with paper, in photos with what is around them.
`facesketch faces align` does the levelling for any data; this file is what the shipped weights were made with.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

SIZE = (200, 250)
EYES = np.array([[71.5, 127.0], [124.5, 127.0]])
"""Where YuNet sees the eyes of CUHK's published crops on average."""
STRANGERS = 50
"""Subjects of each artist that are kept out."""


def opened(path: Path) -> Image.Image:
    """Return a picture upright, in colour."""
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


def eyes_of(detector: Any, image: Image.Image) -> Any:
    """Return the eyes of the largest face, (2, 2), or None."""
    pixels = np.array(image)[:, :, ::-1].copy()
    height, width = pixels.shape[:2]
    for side in (480, 256, 800):
        scale = side / max(height, width)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=how)
        detector.setInputSize((small.shape[1], small.shape[0]))
        faces = detector.detect(small)[1]
        if faces is not None:
            return faces[np.argmax(faces[:, 2] * faces[:, 3])][4:8].reshape(2, 2) / scale
    return None


def _similarity(eyes: Any) -> complex:
    return complex(*(EYES[1] - EYES[0])) / complex(*(eyes[1] - eyes[0]))


def aligned(image: Image.Image, eyes: Any, *, paper: bool) -> Image.Image:
    """Return the face in the frame; what lies beyond the picture is paper, or a soft continuation of the photo."""
    pixels = np.array(image)
    turn = _similarity(eyes)
    if abs(turn) < 0.6:  # shrink first, lest fine detail turns into noise
        factor, (height, width) = max(abs(turn) * 1.2, 0.05), pixels.shape[:2]
        pixels = cv2.resize(pixels, (round(width * factor), round(height * factor)), interpolation=cv2.INTER_AREA)
        eyes = eyes * [pixels.shape[1] / width, pixels.shape[0] / height]
        turn = _similarity(eyes)
    rotation = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    matrix = np.hstack([rotation, (EYES[0] - rotation @ eyes[0])[:, None]])
    framed = cv2.warpAffine(pixels, matrix, SIZE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.full(pixels.shape[:2], 255, np.uint8), matrix, SIZE)
    share = cv2.GaussianBlur(inside, (0, 0), 1.5).astype(np.float32)[..., None] / 255
    share = np.where(inside[..., None] < 255, np.minimum(share, inside[..., None] / 255.0), 1)
    beyond = np.full_like(framed, np.percentile(pixels, 85)) if paper else cv2.GaussianBlur(framed, (0, 0), 25)
    return Image.fromarray((framed * share + beyond * (1 - share) + 0.5).clip(0, 255).astype(np.uint8))


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
    for name in ("cuhk", "fs2k", "yunet", "out"):
        arguments.add_argument(f"--{name}", type=Path, required=True)
    given = arguments.parse_args()
    for name in ("photos", "sketches"):
        (given.out / name).mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    detector = cv2.FaceDetectorYN.create(str(given.yunet), "", (320, 320), 0.5)
    fs2k = read(given.fs2k)
    kept_out, rows = strangers(fs2k), []
    for row in fs2k:
        pictures = {kind: opened(given.fs2k / row[kind]) for kind in ("photo", "sketch")}
        found = {kind: eyes_of(detector, picture) for kind, picture in pictures.items()}
        if any(eyes is None for eyes in found.values()):
            print(f"left out, no face: {row['stem']}")
            continue
        photo, sketch = (aligned(pictures[kind], found[kind], paper=kind == "sketch") for kind in ("photo", "sketch"))
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
