"""A whole evaluation over drawn pairs, with a describer that looks at grey thumbnails."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facesketch.data.index import index
from facesketch.data.split import split
from facesketch.errors import ConfigError, DataError, FaceError, OutputError
from facesketch.search.embedding.describer import ROUTES, PhotoVector, Probe
from facesketch.search.evaluation import evaluate as module
from facesketch.search.evaluation.distractors import SyntheticFaces
from facesketch.search.evaluation.evaluate import evaluate_search, read_task
from facesketch.search.evaluation.plot import save_figure
from facesketch.search.evaluation.results import SearchResults
from facesketch.search.probability import FEWEST

SIDE = 12


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    values = values - values.mean()
    return np.asarray(values / np.linalg.norm(values), dtype=np.float32)


class Thumbs:
    """Compares thumbnails; a picture of one grey shows no face. Its translation to a photo is the wrong way round."""

    query_fingerprint, embedder, notice, dimension = "thumbs-1", "hog", "", 2 * SIDE * SIDE

    def __init__(self) -> None:
        self.seen: list[str] = []

    def _look(self, picture: Image.Image) -> NDArray[np.float32]:
        self.seen.append(hashlib.sha256(picture.tobytes()).hexdigest())
        grey = np.asarray(picture.convert("L").resize((SIDE, SIDE)), dtype=np.float32).ravel()
        if np.ptp(grey) == 0:
            raise FaceError("no face found")
        return _unit(grey)

    def gallery(self, pictures: Sequence[Image.Image]) -> list[PhotoVector | FaceError]:
        found: list[PhotoVector | FaceError] = []
        for picture in pictures:
            try:
                found.append(PhotoVector(np.tile(self._look(picture), 2)))
            except FaceError as error:
                found.append(error)
        return found

    def probe(self, picture: Image.Image, name: str = "probe", face: int | None = None) -> Probe:
        assert face == 1, "nobody can say which face of a data set is meant"
        vector = self._look(picture)
        return Probe(vector, -vector, picture, picture)

    def query(self, probe: Probe, route: str) -> NDArray[np.float32]:
        nothing = np.zeros_like(probe.sketch)
        parts = {
            "direct": (probe.sketch, nothing),
            "to-photo": (probe.photo, nothing),
            "to-sketch": (nothing, probe.sketch),
            "fused": (0.6 * probe.sketch + 0.1 * probe.photo, 0.5 * probe.sketch),
        }
        return np.concatenate(parts[route]).astype(np.float32)


@pytest.fixture(scope="module")
def results(faces: Path) -> SearchResults:
    """Return what is found of 12 people, alone and among 24 drawn ones."""
    others = SyntheticFaces(24, seed=9)
    return evaluate_search(Thumbs(), read_task(faces, "all"), distractors=others, divisions=4)  # type: ignore[arg-type]


def test_results_say_what_was_measured(results: SearchResults, faces: Path) -> None:
    pairs = index(faces).pairs
    assert results.stems == tuple(sorted(pair.stem for pair in pairs))
    assert results.stems_hash == hashlib.sha256("\n".join(results.stems).encode()).hexdigest()
    assert (results.protocol, results.split, results.data) == ("own", "all", "faces")
    assert (results.embedder, results.fingerprint, results.halves) == ("hog", "thumbs-1", 8)
    assert results.left_out == {}
    assert any("1 % of 12 people" in line for line in results.warnings)
    assert any("training people" in line for line in results.warnings)
    assert set(results.seconds) == {"sketches", "photos", "distractors", "measuring"}


def test_every_route_is_measured_in_both_galleries(results: SearchResults) -> None:
    assert list(results.galleries) == ["alone", "distractors"]
    alone, among = results.galleries["alone"], results.galleries["distractors"]
    assert (alone.people, alone.distractors, alone.title) == (12, 0, "12 people")
    assert (among.people, among.distractors, among.title) == (12, 24, "12 people among 24 synthetic faces")
    assert alone.chance == {"1": pytest.approx(1 / 12), "5": pytest.approx(5 / 12), "10": pytest.approx(10 / 12)}
    assert among.chance["1"] == pytest.approx(1 / 36)
    assert tuple(alone.routes) == tuple(among.routes) == ROUTES
    for route in ROUTES:
        fewer, more = alone.routes[route].ranks, among.routes[route].ranks
        assert all(first <= second for first, second in zip(fewer, more, strict=True))
        assert len(alone.routes[route].curve) == 12
        assert len(among.routes[route].curve) == 36
        assert None not in (alone.routes[route].first, alone.routes[route].absent, among.routes[route].first)
    assert alone.routes["direct"].ranks == alone.routes["to-sketch"].ranks == alone.routes["fused"].ranks
    assert alone.routes["direct"].rank["1"].value > 0.4 > alone.routes["to-photo"].rank["1"].value


def test_too_few_people_have_no_chances(faces: Path) -> None:
    task = read_task(faces, "test")
    few = len(set(task.subjects)) // 2
    assert few < FEWEST
    found = evaluate_search(Thumbs(), task, routes=("direct",), divisions=1)  # type: ignore[arg-type]
    assert f"chances of {few} people" in found.left_out
    assert found.galleries["alone"].routes["direct"].first is None


def test_places_are_those_of_comparing_by_hand(results: SearchResults, faces: Path) -> None:
    eye, pairs = Thumbs(), index(faces).pairs
    for pair, place in zip(pairs, results.galleries["alone"].routes["direct"].ranks, strict=True):
        sketch = eye._look(pair.sketch.open())
        own = float(sketch @ eye._look(pair.photo.open()))
        before = sum(float(sketch @ eye._look(other.photo.open())) > own + 1e-6 for other in pairs)
        assert place == 1 + before


def test_baselines_compare_the_pictures_as_they_are(results: SearchResults) -> None:
    baselines = results.galleries["alone"].baselines
    assert {name: baseline.title for name, baseline in baselines.items()} == {
        "pixels": "raw pixels",
        "hog": "oriented gradients",
    }
    assert all(baseline.first is None and len(baseline.ranks) == 12 for baseline in baselines.values())
    assert results.galleries["distractors"].baselines == {}


def test_each_picture_is_described_once(faces: Path) -> None:
    eye = Thumbs()
    evaluate_search(eye, read_task(faces, "all"), distractors=SyntheticFaces(3), divisions=1)  # type: ignore[arg-type]
    assert len(eye.seen) == len(set(eye.seen)) == 12 + 12 + 3


def test_routes_can_be_chosen_and_progress_is_reported(faces: Path) -> None:
    told: list[tuple[int, int, str]] = []
    found = evaluate_search(
        Thumbs(),  # type: ignore[arg-type]
        read_task(faces, "all"),
        routes=("to-sketch",),
        divisions=1,
        progress=lambda *step: told.append(step),
    )
    assert list(found.galleries["alone"].routes) == ["to-sketch"]
    assert list(found.galleries) == ["alone"]
    assert {what for _, _, what in told} == {"sketches", "photos", "measuring"}
    assert all(0 <= done <= total for done, total, _ in told)


def test_the_test_side_is_that_of_every_other_measure(faces: Path) -> None:
    parts = split(index(faces).pairs)
    assert read_task(faces).stems_hash == parts.hash("test")
    assert {pair.stem for pair in read_task(faces, "train").pairs} == {
        pair.stem for pair in (*parts.train, *parts.validation)
    }
    assert len(read_task(faces, "all").pairs) == 12


def _folder(faces: Path, folder: Path) -> Path:
    """Return a copy in which person 1 has a second pair, sketch 2 and photo 3 show no face, and all are for testing."""
    shutil.copytree(faces / "photos", folder / "photos")
    shutil.copytree(faces / "sketches", folder / "sketches")
    blank = Image.new("L", (64, 64), 200)
    blank.save(folder / "sketches/face-0002.png")
    blank.save(folder / "photos/face-0003.png")
    rows = [[f"face-{n:04d}", "one" if n <= 1 else f"p{n:02d}", *_files(n), "test"] for n in range(1, 9)]
    rows.append(["face-0001-again", "one", *_files(9), "test"])
    with (folder / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["stem", "subject", "photo", "sketch", "split"], *rows])
    return folder


def _files(number: int) -> tuple[str, str]:
    return f"photos/face-{number:04d}.png", f"sketches/face-{number:04d}.png"


def test_faceless_pictures_count_as_not_found_and_photos_of_one_person_as_one(faces: Path, tmp_path: Path) -> None:
    found = evaluate_search(Thumbs(), read_task(_folder(faces, tmp_path / "odd")), divisions=2)  # type: ignore[arg-type]
    ranks = dict(zip(found.stems, found.galleries["alone"].routes["direct"].ranks, strict=True))
    assert found.galleries["alone"].people == 8
    assert ranks["face-0002"] == ranks["face-0003"] == 8
    assert ranks["face-0001"] == ranks["face-0001-again"] == 1
    assert any("no face found in 1 sketch, such as face-0002" in line for line in found.warnings)
    assert any("no face found in 1 photo, such as face-0003" in line for line in found.warnings)


def test_distractors_without_a_face_are_counted_in_a_warning(faces: Path, tmp_path: Path) -> None:
    class Blank:
        title, count = "2 blanks", 3

        def chunks(self) -> list[list[object]]:
            return [[Image.new("L", (9, 9)), DataError("damaged")], [Image.effect_noise((30, 30), 90)]]

    found = evaluate_search(Thumbs(), read_task(faces, "all"), distractors=Blank(), divisions=1)  # type: ignore[arg-type]
    assert found.galleries["distractors"].distractors == 1
    assert found.galleries["distractors"].title == "12 people among 1 of 2 blanks"
    assert any("2 of 3 distractors show no face or cannot be read" in line for line in found.warnings)


def test_people_are_grouped_by_columns_of_the_data(faces: Path) -> None:
    task = read_task(faces, "all")
    found = evaluate_search(Thumbs(), task, group_by=("skin", "glasses"), divisions=2)  # type: ignore[arg-type]
    for route in found.galleries["alone"].routes.values():
        for column in ("skin", "glasses"):
            says = [pair.attributes[column] for pair in task.pairs]
            assert {value: group.sketches for value, group in route.groups[column].items()} == Counter(says)
    with pytest.raises(ConfigError, match="`group_by` skim: no column of that name; did you mean 'skin'"):
        evaluate_search(Thumbs(), task, group_by=("skim",))  # type: ignore[arg-type]


def test_pictures_of_several_sizes_have_no_baselines(faces: Path, tmp_path: Path) -> None:
    folder = _folder(faces, tmp_path / "sizes")
    Image.open(folder / "photos/face-0005.png").resize((96, 96)).save(folder / "photos/face-0005.png")
    found = evaluate_search(Thumbs(), read_task(folder), divisions=1)  # type: ignore[arg-type]
    assert found.galleries["alone"].baselines == {}
    assert "need one size" in found.left_out["baselines"]


def test_without_a_calibration_the_rest_is_measured(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(embedder: str, route: str) -> None:
        raise ConfigError(f"{embedder}, {route}: nothing measured")

    monkeypatch.setattr(module, "calibration", unknown)
    others = SyntheticFaces(24, seed=9)
    found = evaluate_search(Thumbs(), read_task(faces, "all"), distractors=others, divisions=1)  # type: ignore[arg-type]
    assert found.left_out["chances of fused"] == "hog, fused: nothing measured"
    assert all(route.first is route.absent is None for route in found.galleries["distractors"].routes.values())


def test_unknown_protocols_and_single_people_are_refused(
    faces: Path, tmp_path: Path, arrange: Callable[..., Path]
) -> None:
    with pytest.raises(ConfigError, match="unknown protocol 'cuhl'; did you mean 'cuhk'"):
        read_task(faces, "all", "cuhl")
    lonely = arrange(tmp_path / "lonely", train=4, validation=2, test=1)
    with pytest.raises(DataError, match="1 person on the test side; expected two or more"):
        read_task(lonely)
    assert any("cufs expects 268/338, found" in line for line in read_task(faces, "all", "cufs").warnings)


def test_results_come_back_as_they_were_written(results: SearchResults, tmp_path: Path) -> None:
    path = results.save(tmp_path / "deep" / "out")
    assert path == tmp_path / "deep" / "out" / "search.json"
    assert SearchResults.load(path) == results
    value = json.loads(path.read_text())
    path.write_text(json.dumps(value | {"seed": "many"}))
    with pytest.raises(DataError, match=r"damaged results \(seed = 'many'.*\)"):
        SearchResults.load(path)
    path.write_text(json.dumps(value | {"format": "facesketch results 1"}))
    with pytest.raises(DataError, match="expected 'facesketch search results 1'"):
        SearchResults.load(path)
    path.write_text("[1")
    with pytest.raises(DataError, match="not a results file"):
        SearchResults.load(path)
    with pytest.raises(DataError, match="no such file"):
        SearchResults.load(tmp_path / "nothing.json")


def test_the_figure_shows_every_route_in_a_colour_of_its_own(results: SearchResults, tmp_path: Path) -> None:
    save_figure(results, tmp_path / "out" / "search.png")
    with Image.open(tmp_path / "out" / "search.png") as picture:
        assert picture.width > picture.height > 1000  # a row for each of two galleries
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}
    assert {(0, 114, 178), (213, 94, 0), (0, 158, 115), (0, 0, 0)} <= colours
    save_figure(results, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out" / "search.png").read_bytes()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        save_figure(results, tmp_path / "file" / "search.png")
