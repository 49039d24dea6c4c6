"""`scripts/gpu_portraits.py`: what it packs, and that it trains both directions from the pack."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from tests.scripts.conftest import Run

import facesketch
from facesketch.data.synthetic.draw import write_sample
from facesketch.images.io import open_image

Pack = Callable[[float], Path]


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Return a folder as `portrait_people.py` writes it: 3 pairs, each again in the set of the filters."""
    folder = tmp_path / "people"
    write_sample(folder, pairs=3, size=64, seed=0)
    with (folder / "pairs.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["stem", "subject", "split", "photo", "sketch", "style", "set"])
        for number, name in enumerate(sorted(path.name for path in (folder / "photos").iterdir())):
            split = "test" if number == 2 else "train"
            table.writerow([f"a-{number}", str(number), split, f"photos/{name}", f"sketches/{name}", "cuhk", "cuhk"])
            table.writerow([f"f-{number}", str(number), split, f"photos/{name}", f"lines/{name}", "natural", "filter"])
    models = tmp_path / "models"
    models.mkdir()
    for name in ("alexnet_features.safetensors", "lpips_alex_heads.safetensors"):
        (models / name).write_bytes(b"weights")
    return folder


@pytest.fixture
def packed(people: Path, run_script: Run) -> Pack:
    """Return a function that packs the people into so many megabytes."""

    def pack(megabytes: float) -> Path:
        out = people.parent / "pack.zip"
        given = ("--models", people.parent / "models", "--megabytes", megabytes, "--out", out)
        run_script("gpu_portraits", "pack", people, *given)
        return out

    return pack


def test_a_pack_holds_each_picture_once_and_no_filter_s_sketch(
    packed: Pack, script: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    archive = packed(40)
    with zipfile.ZipFile(archive) as file:
        names = file.namelist()
    assert len([name for name in names if name.startswith("photos/")]) == 3
    assert len([name for name in names if name.startswith("sketches/")]) == 3
    assert not any(name.startswith("lines/") for name in names)
    script("gpu_portraits").unpack(archive, tmp_path / "unpacked")
    assert len(list((tmp_path / "unpacked" / "lines").iterdir())) == 3
    assert all(open_image(path).size == (64, 64) for path in (tmp_path / "unpacked").rglob("*.webp"))


def test_a_full_pack_keeps_what_artists_drew(packed: Pack) -> None:
    with zipfile.ZipFile(packed(0.001)) as file:
        rows = list(csv.DictReader(file.read("pairs.csv").decode().splitlines()))
    assert 0 < len(rows) < 6
    assert {row["set"] for row in rows} == {"cuhk"}


def test_both_directions_are_trained_and_exported(
    packed: Pack,
    script: Callable[[str], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainer = script("gpu_portraits")
    monkeypatch.setattr(trainer, "COMMON", "--size 64 --faces --perceptual none --width 2 --blocks 0 --device cpu")
    colours = {"photo2sketch": "", "sketch2photo": "--colours skin,hair,background"}
    monkeypatch.setattr(trainer, "DIRECTIONS", {each: f"--styles cuhk,natural {colours[each]}" for each in colours})
    monkeypatch.setattr(trainer, "FEW", 1)
    monkeypatch.setattr(trainer, "MORE", 2)
    trainer.train(packed(40), tmp_path / "out", 0.0, ["--batch-size", "1"])
    for direction in colours:
        assert facesketch.load(tmp_path / "out" / f"{direction}.onnx").directions == (direction,)
        assert (tmp_path / "out" / f"{direction}.jsonl").stat().st_size > 0
