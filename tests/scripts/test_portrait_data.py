"""`scripts/portrait_data.py`: which people it holds out, and which corners it fills."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from tests.scripts.conftest import Run

from facesketch.images.io import open_image


@pytest.fixture(scope="module")
def prepare(script: Callable[[str], ModuleType]) -> ModuleType:
    """Return the script."""
    return script("portrait_data")


def test_fifty_of_each_artist_are_held_out_in_any_order(prepare: ModuleType) -> None:
    rows = [{"stem": f"{style}-{number}", "style": str(style)} for style in range(3) for number in range(70 + style)]
    kept = prepare.strangers(rows)
    assert [sum(stem.startswith(f"{style}-") for stem in kept) for style in range(3)] == [50, 50, 50]
    assert prepare.strangers(rows[::-1]) == kept


@pytest.mark.parametrize("paper", [True, False])
def test_black_wedge_is_filled_and_black_hair_stays(prepare: ModuleType, *, paper: bool) -> None:
    pixels = np.full((250, 200, 3), 230, np.uint8)
    pixels[40:100, 60:140] = 5
    whole = Image.fromarray(pixels)
    assert prepare.mended(whole, paper=paper) is whole
    rows, columns = np.mgrid[:250, :200]
    wedge = rows < 12 - columns * 12 / 120
    pixels[wedge] = 0
    mended = np.asarray(prepare.mended(Image.fromarray(pixels), paper=paper))
    assert mended[wedge].min() > 200
    assert (mended[40:100, 60:140] == 5).all()


def test_both_sets_get_one_frame(tmp_path: Path, prepare: ModuleType, run_script: Run, shared: Path) -> None:
    sets = {"cuhk": shared / "data" / "cuhk", "fs2k": shared / "data" / "fs2k_train"}
    for name, folder in sets.items():
        rows = [row for row in prepare.read(folder) if row["split"] == "train"][:3]
        for row in rows:
            for kind in ("photo", "sketch"):
                (tmp_path / name / row[kind]).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / row[kind], tmp_path / name / row[kind])
        with (tmp_path / name / "pairs.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    given = [word for name in sets for word in (f"--{name}", tmp_path / name)]
    said = run_script("portrait_data", *given, "--out", tmp_path / "out")
    assert said.startswith("6 pairs in ")
    made = prepare.read(tmp_path / "out")
    assert [(row["set"], row["split"]) for row in made] == [("fs2k", "test")] * 3 + [("cuhk", "train")] * 3
    for row in made:
        for kind in ("photo", "sketch"):
            assert open_image(tmp_path / "out" / row[kind]).size == (200, 250)
