"""The drawn faces: repeatable, aligned, varied, and written without touching what is a user's."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

from facesketch.data.synthetic.draw import draw_pair, write_sample
from facesketch.data.synthetic.person import WORDS
from facesketch.errors import ConfigError, OutputError

Grey = NDArray[np.float64]
LEFT_EYE, RIGHT_EYE, HEIGHT = 0.38, 0.62, 0.48


@dataclass(frozen=True)
class Sample:
    """A written sample, read back: grey photos, sketches and the rows of its table."""

    folder: Path
    photos: list[Grey]
    sketches: list[Grey]
    rows: list[dict[str, str]]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("sample") / "faces"
    write_sample(folder, pairs=40, size=64, seed=0)
    return read_sample(folder)


def read_sample(folder: Path) -> Sample:
    with (folder / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    photos, sketches = (
        [np.asarray(Image.open(folder / row[kind]).convert("L"), float) for row in rows] for kind in ("photo", "sketch")
    )
    return Sample(folder, photos, sketches, rows)


def chance(number: int, seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, number]))


def window(image: Grey, x: float, y: float, reach: float) -> Grey:
    size = len(image)
    return image[
        round((y - reach) * size) : round((y + reach) * size) + 1,
        round((x - reach) * size) : round((x + reach) * size) + 1,
    ]


def cheek(image: Grey) -> float:
    return float(window(image, LEFT_EYE, 0.60, 0.03).mean() + window(image, RIGHT_EYE, 0.60, 0.03).mean()) / 2


def correlation(one: Grey | list[float], other: Grey | list[float]) -> float:
    return float(np.corrcoef(np.ravel(one), np.ravel(other))[0, 1])


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sample(tmp_path / name, pairs=3, size=48, seed=7)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert len(digests(tmp_path / "one")) == 7


def test_a_face_depends_on_seed_number_and_size_alone(sample: Sample, tmp_path: Path) -> None:
    write_sample(tmp_path / "few", pairs=2, size=64, seed=0)
    few, many = digests(tmp_path / "few"), digests(sample.folder)
    pictures = [name for name in few if name.endswith(".png")]
    assert len(pictures) == 4
    assert all(few[name] == many[name] for name in pictures)
    photo, sketch = draw_pair(chance(17), 64)
    assert np.array_equal(photo, Image.open(sample.folder / "photos/face-0017.png"))
    assert np.array_equal(sketch, Image.open(sample.folder / "sketches/face-0017.png"))


def test_other_seeds_and_numbers_draw_other_people(sample: Sample) -> None:
    drawn = [np.asarray(draw_pair(chance(1, seed), 64)[0].convert("L"), float) for seed in (1, 2)]
    faces = [*sample.photos[:6], *drawn]
    apart = [np.abs(one - other).mean() for i, one in enumerate(faces) for other in faces[:i]]
    assert min(apart) > 5


def test_a_person_looks_the_same_at_every_size() -> None:
    for number in (1, 5):
        small, large = (draw_pair(chance(number), size) for size in (64, 128))
        for one, other in zip(small, large, strict=True):
            shrunk = np.asarray(other.resize((64, 64), Image.Resampling.BOX).convert("L"), float)
            assert correlation(np.asarray(one.convert("L"), float), shrunk) > 0.97


@pytest.mark.parametrize("size", [32, 63, 96, 101, 128, 161])
def test_both_pictures_have_the_size_asked_for(size: int) -> None:
    photo, sketch = draw_pair(chance(3), size)
    assert (photo.mode, photo.size) == ("RGB", (size, size))
    assert (sketch.mode, sketch.size) == ("L", (size, size))


def test_eyes_are_dark_in_every_picture(sample: Sample) -> None:
    for photo, sketch in zip(sample.photos, sample.sketches, strict=True):
        for x in (LEFT_EYE, RIGHT_EYE):
            assert window(photo, x, HEIGHT, 0.025).min() < 85
            assert window(sketch, x, HEIGHT, 0.025).min() < 75
            assert window(sketch, x, 0.60, 0.025).mean() - window(sketch, x, HEIGHT, 0.025).min() > 60


def test_eyes_are_where_the_documentation_says(sample: Sample) -> None:
    for pictures in (sample.photos, sample.sketches):
        mean = np.mean(pictures, axis=0)
        blobs = gaussian_filter(mean, 1.4) - gaussian_filter(mean, 5.0)  # lowest at dark spots as wide as an iris
        for x in (LEFT_EYE, RIGHT_EYE):
            around = window(blobs, x, HEIGHT, 0.055)
            row, column = np.unravel_index(around.argmin(), around.shape)
            top, left = round((HEIGHT - 0.055) * 64), round((x - 0.055) * 64)
            assert abs((top + row + 0.5) / 64 - HEIGHT) < 0.02
            assert abs((left + column + 0.5) / 64 - x) < 0.02


def test_the_sketch_is_drawn_over_its_own_photo(sample: Sample) -> None:
    edges = [gaussian_gradient_magnitude(photo, 1.0) for photo in sample.photos]
    lines = [gaussian_gradient_magnitude(sketch, 1.0) for sketch in sample.sketches]
    own = np.mean([correlation(edge, line) for edge, line in zip(edges, lines, strict=True)])
    shuffled = np.mean([correlation(edge, line) for edge, line in zip(edges, lines[1:] + lines[:1], strict=True)])
    assert own > 0.8
    assert shuffled < own - 0.25


@pytest.mark.parametrize("step", [(0, 1), (1, 0), (0, -1), (-1, 0)])
def test_a_shift_by_one_pixel_breaks_the_alignment(sample: Sample, step: tuple[int, int]) -> None:
    for photo, sketch in zip(sample.photos[:10], sample.sketches[:10], strict=True):
        edge, line = (gaussian_gradient_magnitude(image, 1.0) for image in (photo, sketch))
        assert correlation(edge, np.roll(line, step, (0, 1))) < correlation(edge, line)


def test_the_sketch_is_pencil_on_bright_paper(sample: Sample) -> None:
    for sketch in sample.sketches:
        paper = np.concatenate([sketch[:6, :6].ravel(), sketch[:6, -6:].ravel()])
        assert 236 < paper.mean() < 250
        assert 0.2 < paper.std() < 6
        assert sketch.mean() > 140
        assert sketch.min() < 60


def test_skin_and_hair_vary_and_the_sketch_shows_how_dark_they_are(sample: Sample) -> None:
    skin = [cheek(photo) for photo in sample.photos]
    crown = [float(window(photo, 0.5, 0.2, 0.04).mean()) for photo in sample.photos]
    assert max(skin) - min(skin) > 110
    assert max(crown) - min(crown) > 120
    assert correlation(skin, [cheek(sketch) for sketch in sample.sketches]) > 0.9
    assert correlation(crown, [float(window(sketch, 0.5, 0.2, 0.04).mean()) for sketch in sample.sketches]) > 0.85


def test_the_table_describes_what_is_drawn(sample: Sample) -> None:
    for column, names in WORDS.items():
        seen = {row[column] for row in sample.rows}
        assert seen <= {*names, "none"}
        assert len(seen) >= min(3, len(names))
    by_skin = {
        name: [cheek(p) for p, row in zip(sample.photos, sample.rows, strict=True) if row["skin"] == name]
        for name in WORDS["skin"]
    }
    means = [np.mean(values) for values in by_skin.values()]
    assert means == sorted(means, reverse=True)
    hair = {row["hair"] for row in sample.rows}
    assert set(WORDS["hair"]) <= hair
    worn = sum(row["glasses"] != "none" for row in sample.rows)
    assert 0.1 < worn / len(sample.rows) < 0.45


def test_the_light_falls_from_the_side_that_the_table_names(sample: Sample) -> None:
    for photo, row in zip(sample.photos, sample.rows, strict=True):
        left, right = (window(photo, x, 0.62, 0.02).mean() for x in (0.36, 0.64))
        assert (right > left) == (row["light"] == "right")


def test_three_faces_in_ten_are_for_testing(sample: Sample, tmp_path: Path) -> None:
    assert [row["split"] for row in sample.rows].count("test") == 12
    assert [row["split"] for row in sample.rows].count("validation") == 4
    assert {row["split"] for row in sample.rows} == {"train", "validation", "test"}
    assert [row["split"] for row in sample.rows[:6]].count("test") == 2
    assert list(sample.rows[0])[:4] == ["stem", "split", "photo", "sketch"]
    assert sample.rows[39]["photo"] == "photos/face-0040.png"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"pairs": 0}, "pairs = 0"),
        ({"size": 31}, "size = 31"),
        ({"size": 4096}, "size = 4096"),
        ({"seed": -1}, "seed = -1"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_written(
    options: dict[str, int], named: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=named):
        write_sample(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()
    with pytest.raises(ConfigError, match="size = 16: expected 32 to 2048"):
        draw_pair(chance(1), 16)


def test_a_file_in_the_folder_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        write_sample(tmp_path / "taken", pairs=1, size=32)
    assert (tmp_path / "taken").read_text() == "mine"


def test_running_it_again_finishes_what_was_cut_off_and_rewrites_nothing(tmp_path: Path) -> None:
    write_sample(tmp_path, pairs=2, size=32)
    before = digests(tmp_path)
    kept = (tmp_path / "photos/face-0001.png").stat()
    (tmp_path / "sketches/face-0002.png").unlink()
    (tmp_path / "photos/.face-0002.png.1.part").write_bytes(b"left by a process that was killed")
    write_sample(tmp_path, pairs=2, size=32)
    after = digests(tmp_path)
    assert {name: after[name] for name in before} == before
    assert (tmp_path / "photos/face-0001.png").stat().st_mtime_ns == kept.st_mtime_ns
    assert (tmp_path / "photos/face-0001.png").stat().st_ino == kept.st_ino


@pytest.mark.parametrize("other", [{"seed": 1}, {"size": 33}, {"pairs": 1}, {"pairs": 3}])
def test_another_sample_is_never_written_over(other: dict[str, int], tmp_path: Path) -> None:
    same = {"pairs": 2, "size": 32, "seed": 0}
    write_sample(tmp_path, **same)
    before = digests(tmp_path)
    with pytest.raises(OutputError, match="give a new or empty folder"):
        write_sample(tmp_path, **{**same, **other})
    assert digests(tmp_path) == before


@pytest.mark.parametrize("place", ["thesis.txt", "photos/grandmother.jpg", "photos/face-0001.png"])
@pytest.mark.parametrize("begun", [False, True])
def test_what_is_the_user_s_is_never_written_over(place: str, begun: bool, tmp_path: Path) -> None:
    if begun:
        write_sample(tmp_path, pairs=1, size=32)
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"mine")
    before = digests(tmp_path)
    with pytest.raises(OutputError, match="give a new or empty folder"):
        write_sample(tmp_path, pairs=1, size=32)
    assert digests(tmp_path) == before
