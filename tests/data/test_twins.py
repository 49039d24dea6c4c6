from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from facesketch.data.index import index
from facesketch.data.split import Split, split
from facesketch.data.twins import twin_warnings, twins


def sides(folder: Path) -> Split:
    return split(index(folder).pairs)


def stems(parts: Split, side: str = "test") -> list[tuple[str, str]]:
    return [(pair.stem, twin.stem) for pair, twin in twins(parts, side)]  # type: ignore[arg-type]


def of_side(folder: Path, side: str, kind: str = "photos") -> list[Path]:
    return sorted((folder / kind).glob(f"{side}-*.png"))


def test_a_set_without_twins_is_independent(tmp_path: Path, arrange: Callable[..., Path]) -> None:
    parts = sides(arrange(tmp_path))
    assert stems(parts) == stems(parts, "validation") == twin_warnings(parts) == []


@pytest.mark.parametrize("kind", ["photos", "sketches"])
@pytest.mark.parametrize("seen", ["train", "validation"])
def test_one_shared_picture_makes_a_twin(tmp_path: Path, arrange: Callable[..., Path], kind: str, seen: str) -> None:
    folder = arrange(tmp_path)
    tested, known = of_side(folder, "test", kind)[1], of_side(folder, seen, kind)[0]
    shutil.copyfile(known, tested)
    parts = sides(folder)
    assert stems(parts) == [(tested.stem.removeprefix("test-"), known.stem.removeprefix(f"{seen}-"))]
    (warning,) = twin_warnings(parts)
    assert "test set is not independent" in warning
    assert "1 of 2 test pairs" in warning
    assert "subject in pairs.csv" in warning


def test_validation_is_held_against_training_only(tmp_path: Path, arrange: Callable[..., Path]) -> None:
    folder = arrange(tmp_path)
    shutil.copyfile(of_side(folder, "test")[0], of_side(folder, "validation")[0])
    assert stems(sides(folder), "validation") == []
    shutil.copyfile(of_side(folder, "train")[0], of_side(folder, "validation")[1])
    assert len(stems(sides(folder), "validation")) == 1


def test_equal_sizes_alone_make_no_twin(tmp_path: Path, arrange: Callable[..., Path]) -> None:
    folder = arrange(tmp_path)
    tested, known = of_side(folder, "test")[0], of_side(folder, "train")[0]
    content = bytearray(known.read_bytes())
    content[-20] ^= 1
    tested.write_bytes(content)
    assert stems(sides(folder)) == []


def test_what_cannot_be_read_has_no_twin(tmp_path: Path, arrange: Callable[..., Path]) -> None:
    folder = arrange(tmp_path)
    parts = sides(folder)
    shutil.rmtree(folder / "photos")
    assert stems(parts) == []


def test_one_subject_for_both_ends_it(tmp_path: Path, arrange: Callable[..., Path]) -> None:
    folder = arrange(tmp_path)
    tested, known = of_side(folder, "test")[0], of_side(folder, "train")[0]
    shutil.copyfile(known, tested)
    names = [path.stem.partition("-")[2] for path in (tested, known)]
    table = (folder / "pairs.csv").read_text().replace(f"{names[1]},{names[1]},", f"{names[1]},{names[0]},")
    (folder / "pairs.csv").write_text(table)
    assert twin_warnings(sides(folder)) == []
