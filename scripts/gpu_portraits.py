"""Train both portrait models on a GPU machine without a network, from one file that is brought there.

    .venv/bin/python scripts/gpu_portraits.py pack people --models MODELS --out pack.zip
    python scripts/gpu_portraits.py train pack.zip --minutes 8 --out OUT

PEOPLE is what `portrait_people.py` wrote. `pack` stores its pictures as WebP beside the weights of the perceptual loss
that MODELS holds, and leaves out people by a hash of their name until the file fits into `--megabytes`. What a filter
drew is not packed: `train` draws it again. `train` times some steps of each direction, trains both at once for as many
steps as fit into `--minutes`, and writes `photo2sketch.onnx`, `sketch2photo.onnx` and both logs into OUT.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from PIL import Image
from portrait_people import digest, filtered

Row = dict[str, str]
WEIGHTS = ("alexnet_features.safetensors", "lpips_alex_heads.safetensors")
QUALITY = {"photo": 75, "sketch": 60}
COMMON = (
    "--size 250 --balance --faces --rotate 6 --zoom 0.06 --shift 0.04 --light 0 --validation 0.003 --enlarge bilinear "
    "--critic features --perceptual-weight 6 --average 0.999 --schedule linear --learning-rate 2e-4"
)
DIRECTIONS = {
    "photo2sketch": "--start-from photo2sketch --styles cuhk,fs2k-0,fs2k-1,fs2k-2 --elastic 0.06 --corrupt 0.4 "
    "--adversarial-weight 0.1",
    "sketch2photo": "--start-from sketch2photo --styles natural,cuhk,fs2k-0,fs2k-1,fs2k-2 --elastic 0.03 --corrupt 0.5 "
    "--rough 0.5 --colours skin,hair,background --l1-weight 5 --edge-weight 1 --adversarial-weight 0.5",
}
FEW, MORE = 10, 60  # steps of the two runs whose difference in time tells how long a step takes


def pack(people: Path, models: Path, out: Path, megabytes: float) -> None:
    """Write the people's pictures, their table and the weights into one zip file."""
    with (people / "pairs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # pairs that artists drew come first, then the others in the order of a hash
    rows.sort(key=lambda row: (row["set"].startswith(("drawn", "filter")), digest(row["subject"])))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in WEIGHTS:
            archive.write(models / name, f"models/{name}")
        written: list[Row] = []
        places: set[str] = set()
        for row in rows:
            if archive.fp is None or archive.fp.tell() > megabytes * 1e6:
                break
            for kind, quality in QUALITY.items():
                row[kind], source = f"{Path(row[kind]).with_suffix('')}.webp", people / row[kind]
                if row[kind] in places or (kind == "sketch" and row["set"] == "filter"):
                    continue
                places.add(row[kind])
                with Image.open(source) as picture:
                    encoded = io.BytesIO()
                    picture.save(encoded, "WEBP", quality=quality)
                archive.writestr(row[kind], encoded.getvalue())
            written.append(row)
        table = io.StringIO()
        writer = csv.DictWriter(table, list(rows[0]))
        writer.writeheader()
        writer.writerows(written)
        archive.writestr("pairs.csv", table.getvalue())
    print(f"{out}: {len(written)} of {len(rows)} pairs, {out.stat().st_size / 1e6:.0f} MB")


def unpack(archive: Path, folder: Path) -> None:
    """Write the pictures of a zip file of `pack` into a folder, and draw what filters draw."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    with (folder / "pairs.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if row["set"] == "filter":
                with Image.open(folder / row["photo"]) as photo:
                    sketch = filtered(photo, row["subject"])
                (folder / row["sketch"]).parent.mkdir(parents=True, exist_ok=True)
                sketch.save(folder / row["sketch"], quality=90)


def train(archive: Path, out: Path, minutes: float, extra: list[str]) -> None:
    """Train both directions at once and write what is to be kept into `out`."""
    end = time.monotonic() + 60 * minutes
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "people"
        unpack(archive, folder)
        environment = {**os.environ, "FACESKETCH_MODELS": str(folder / "models")}

        def start(direction: str, run: str, steps: int) -> subprocess.Popen[bytes]:
            words = ["--data", folder, "--direction", direction, "--out", Path(scratch) / run, "--steps", steps]
            options = [*COMMON.split(), *DIRECTIONS[direction].split(), *extra]
            command = [sys.executable, "-m", "facesketch", "train", "portrait", *map(str, words), *options]
            return subprocess.Popen(command, env=environment)

        def both(name: str, steps: dict[str, int]) -> dict[str, float]:
            """Train both directions for so many steps, and return the seconds that each took."""
            began = time.monotonic()
            running = {each: start(each, f"{name}-{each}", steps[each]) for each in DIRECTIONS}
            took: dict[str, float] = {}
            while len(took) < len(running):
                for each, process in running.items():
                    if each not in took and process.poll() is not None:
                        took[each] = time.monotonic() - began
                        if process.returncode:
                            raise SystemExit(f"{each}: the training ended with {process.returncode}")
                time.sleep(0.2)
            return took

        few, more = (both(str(count), dict.fromkeys(DIRECTIONS, count)) for count in (FEW, MORE))
        step = {each: (more[each] - few[each]) / (MORE - FEW) for each in DIRECTIONS}
        left = end - time.monotonic()
        # a tenth stays for validation, states and the export
        steps = {each: max(int((0.9 * left - few[each]) / max(step[each], 1e-4)), 1) for each in DIRECTIONS}
        print("seconds a step:", step, "steps:", steps)
        both("last", steps)
        for direction in DIRECTIONS:
            run = Path(scratch) / f"last-{direction}"
            command = [
                sys.executable,
                "-m",
                "facesketch",
                "export",
                str(run),
                "--weights",
                "last",
                "--precision",
                "fp16",
            ]
            subprocess.run([*command, "--out", str(out / f"{direction}.onnx")], check=True)
            shutil.copyfile(run / "log.jsonl", out / f"{direction}.jsonl")


def main() -> None:
    """Pack or train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    packing = verbs.add_parser("pack")
    packing.add_argument("people", type=Path)
    packing.add_argument("--models", type=Path, required=True)
    packing.add_argument("--megabytes", type=float, default=40)
    training = verbs.add_parser("train", epilog="other options go to `facesketch train`")
    training.add_argument("pack", type=Path)
    training.add_argument("--minutes", type=float, default=8)
    for each in (packing, training):
        each.add_argument("--out", type=Path, required=True)
    given, extra = parser.parse_known_args()
    if given.verb == "pack":
        if extra:
            parser.error(f"{' '.join(extra)}: unknown")
        pack(given.people, given.models, given.out, given.megabytes)
    else:
        train(given.pack, given.out, given.minutes, extra)


if __name__ == "__main__":
    main()
