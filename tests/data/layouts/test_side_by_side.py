from __future__ import annotations

import bz2
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesketch.data.index import Index, index
from facesketch.data.pairs import NoPairsError


def sides(found: Index) -> dict[str, str | None]:
    return {pair.stem: pair.split for pair in found.pairs}


class TestSideBySide:
    def halves(self, path: Path, *, photo_left: bool, grey: bool = False, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        photo = np.stack([rng.normal(tone, 12, (40, 32)) for tone in ((120,) * 3 if grey else (190, 130, 100))], axis=2)
        photo = photo.mean(axis=2, keepdims=True).repeat(3, axis=2) if grey else photo
        sketch = np.full((40, 32, 3), 245.0)
        sketch[rng.integers(0, 40, 60), rng.integers(0, 32, 60)] = 30
        both = np.concatenate([photo, sketch] if photo_left else [sketch, photo], axis=1)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(both, 0, 255).astype(np.uint8)).save(path)

    @pytest.mark.parametrize("photo_left", [True, False])
    @pytest.mark.parametrize("grey", [True, False])
    def test_the_photo_is_the_more_colourful_or_the_fuller_half(
        self, tmp_path: Path, photo_left: bool, grey: bool
    ) -> None:
        for side, number in (("train", 1), ("val", 2), ("test", 3)):
            self.halves(tmp_path / side / f"{number}.png", photo_left=photo_left, grey=grey, seed=number)
        found = index(tmp_path)
        assert found.layout == "side-by-side"
        assert sides(found) == {"1": "train", "2": "validation", "3": "test"}
        pair = found.pairs[0]
        assert (pair.photo.half, pair.sketch.half) == (("left", "right") if photo_left else ("right", "left"))
        assert pair.photo.open().size == pair.sketch.open().size == (32, 40)
        assert np.median(np.asarray(pair.sketch.open())) == 245
        assert np.median(np.asarray(pair.photo.open())) < 200

    def test_one_person_in_two_pictures_is_one_person_in_any_folder(self, tmp_path: Path) -> None:
        for name in ("m-001-01", "m-001-02", "m-002-01", "anna"):
            self.halves(tmp_path / "faces" / f"{name}.png", photo_left=True)
            self.halves(tmp_path / "more" / f"{name}.png", photo_left=True)
        whole = {pair.stem: pair.subject for pair in index(tmp_path).pairs}
        assert whole["faces-m-001-01"] == whole["faces-m-001-02"] == whole["more-m-001-01"] != whole["more-m-002-01"]
        assert (whole["faces-anna"], whole["more-anna"]) == ("faces-anna", "more-anna"), "two who share a name"

    def test_colour_counts_before_mid_tones(self, tmp_path: Path) -> None:
        both = np.full((40, 64, 3), 128, dtype=np.uint8)  # the sketch: nothing but mid-tones
        both[:, 32:] = (255, 225, 235)  # the photo: pale, but of some colour
        Image.fromarray(both).save(tmp_path / "a.png")
        assert index(tmp_path).pairs[0].photo.half == "right"

    def test_the_majority_decides_for_the_whole_folder(self, tmp_path: Path) -> None:
        for number in range(5):
            self.halves(tmp_path / f"{number}.png", photo_left=number == 0, seed=number)
        found = index(tmp_path)
        assert {pair.photo.half for pair in found.pairs} == {"right"}
        assert found.notes == ("the photo is the right half",)

    def test_narrow_damaged_and_double_pictures_are_reported(self, tmp_path: Path) -> None:
        for name in ("a.png", "b.png", "c.png", "c.bmp"):
            self.halves(tmp_path / name, photo_left=True)
        Image.new("RGB", (20, 20)).save(tmp_path / "square.png")
        (tmp_path / "damaged.png").write_bytes(b"nothing")
        found = index(tmp_path)
        assert [(pair.stem, pair.photo.path.name) for pair in found.pairs] == [
            ("a", "a.png"),
            ("b", "b.png"),
            ("c", "c.bmp"),
        ]
        assert found.orphan_photos == ("square.png",)
        assert found.unreadable == ("damaged.png: not a picture that can be read",)
        assert found.duplicates == (("c.bmp", "c.png"),)

    def test_a_picture_cut_short_does_not_stop_the_look(self, tmp_path: Path) -> None:
        for number in range(3):
            self.halves(tmp_path / f"{number}.png", photo_left=False, seed=number)
        whole = (tmp_path / "0.png").read_bytes()
        (tmp_path / "0.png").write_bytes(whole[: len(whole) // 2])
        found = index(tmp_path)
        assert [pair.photo.half for pair in found.pairs] == ["right"] * 3

    def test_packed_pictures_are_looked_at_too(self, tmp_path: Path) -> None:
        for number in range(3):
            self.halves(tmp_path / f"{number}.ppm", photo_left=False, seed=number)
            packed = bz2.compress((tmp_path / f"{number}.ppm").read_bytes())
            (tmp_path / f"{number}.ppm").unlink()
            (tmp_path / f"{number}.ppm.bz2").write_bytes(packed)
        assert [pair.photo.half for pair in index(tmp_path).pairs] == ["right"] * 3

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("x.avif", b"\0\0\0\x1cftypavif\0\0\0\0av01iloc"),
            ("x.png", b"\x89PNG\r\n\x1a\n\0\0\0\0tRNS\0\0\0\0"),
            ("x.tif", b"II*\0\xff\xff\xff\xff"),
        ],
    )
    def test_a_damaged_header_is_no_pair(self, tmp_path: Path, name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(NoPairsError):
            index(tmp_path)

    def test_a_folder_of_upright_pictures_is_not_one(self, tmp_path: Path) -> None:
        for name in ("a.png", "b.png"):
            Image.new("RGB", (29, 20)).save(tmp_path / name)  # 1.45 times wider than high
        with pytest.raises(NoPairsError):
            index(tmp_path)

    def test_the_way_a_camera_was_held_counts(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # stored lying, shown upright
        Image.new("RGB", (60, 30)).save(tmp_path / "a.jpg", exif=exif)
        with pytest.raises(NoPairsError):
            index(tmp_path)
