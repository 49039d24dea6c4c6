"""Which faces the finder finds in a picture, whichever side is up, and which of them are chosen."""

from __future__ import annotations

import cmath
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from facesketch.errors import CheckpointError, FaceError
from facesketch.faces import Face, FaceFinder, FaceFrame, align, choose
from facesketch.faces.turns import Turn, turned, turning
from facesketch.faces.yunet import YuNet, _pupils
from facesketch.images.io import open_image
from facesketch.weights import shipped

LARGE = Face((0, 0, 50, 60), ((10, 20), (30, 20)), score=0.9)
SMALL = Face((0, 0, 20, 20), ((5, 8), (15, 8)), score=0.9)


@pytest.mark.parametrize(
    ("which", "chosen"), [("largest", [LARGE]), ("all", [LARGE, SMALL]), (1, [LARGE]), (2, [SMALL])]
)
def test_faces_are_chosen_by_size(which: Any, chosen: list[Face]) -> None:
    assert choose([LARGE, SMALL], which) == chosen


@pytest.mark.parametrize("which", ["largest", "all", 1])
def test_no_face_says_how_to_go_on(which: Any) -> None:
    with pytest.raises(FaceError, match=r"^no face found; give `align=False` if"):
        choose([], which)


@pytest.mark.parametrize(
    ("faces", "number", "said"), [([LARGE, SMALL], 3, "2 faces found"), ([LARGE], 0, "1 face found")]
)
def test_a_number_beyond_the_faces_says_how_many_there_are(faces: list[Face], number: int, said: str) -> None:
    with pytest.raises(FaceError, match=rf"no face {number}: {said}; give `faces` largest"):
        choose(faces, number)


@given(angle=st.floats(-179, 179), apart=st.floats(5, 500))
def test_yunet_s_eyes_are_corrected_whichever_way_a_face_is_turned(angle: float, apart: float) -> None:
    turn = cmath.rect(apart, math.radians(angle))
    true = [complex(40, 70), complex(40, 70) + turn]
    middle = sum(true) / 2 + 0.011 * 1j * turn  # YuNet sees the eyes so much lower, and farther apart
    mouth = middle + 1j * turn
    seen = [middle - 1.027 * turn / 2, middle + 1.027 * turn / 2, middle, mouth - turn / 4, mouth + turn / 4]
    back = _pupils(np.array([(point.real, point.imag) for point in seen]))
    assert np.allclose(back, [(point.real, point.imag) for point in true], atol=1e-3 * apart)


def test_a_face_is_found_with_nothing_fetched(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path / "none"))
    finder = FaceFinder()
    for path in [*sorted((faces / "photos").iterdir()), *sorted((faces / "sketches").iterdir())]:
        (found,) = finder.find(open_image(path))
        (left_x, left_y), (right_x, right_y) = found.eyes  # of 64 pixels; drawn half-way down, an eye apart
        assert 22 < left_x < 29 < 34 < right_x < 42, path
        assert 28 < left_y < 33, path
        assert 28 < right_y < 33, path
        assert found.turn == 0, path


def test_a_face_of_any_size_is_found_in_its_place(faces: Path) -> None:
    photo = open_image(faces / "photos" / "face-0001.png")
    small = FaceFinder().find(photo)[0]
    found = FaceFinder().find(scene(photo, 512))[0]
    for there, here in zip(found.eyes, small.eyes, strict=True):
        assert math.dist(there, (430 + 8 * here[0], 150 + 8 * here[1])) < 10  # of an eye distance of 125


def test_no_face_is_found_on_blank_paper() -> None:
    assert FaceFinder().find(Image.new("RGB", (300, 300), (250, 250, 250))) == []


def test_the_largest_face_comes_first_and_only_so_many_are_given(faces: Path) -> None:
    photo = open_image(faces / "photos" / "face-0001.png")
    page = Image.new("RGB", (900, 500), (200, 205, 210))
    page.paste(photo.resize((256, 256), Image.Resampling.BICUBIC), (20, 100))
    page.paste(photo.resize((420, 420), Image.Resampling.BICUBIC), (420, 40))
    found = FaceFinder().find(page)
    assert len(found) == 2
    assert found[0].area > found[1].area
    assert found[0].box[0] > 420
    assert FaceFinder().find(page, most=1) == found[:1]


def test_one_finder_serves_many_threads(faces: Path) -> None:
    finder = FaceFinder()
    images = [open_image(path) for path in sorted((faces / "photos").iterdir())]
    alone = [finder.find(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(finder.find, images * 2)) == alone * 2


def scene(face: Image.Image, side: int) -> Image.Image:
    """Return a picture of 1000x700 with a face of so many pixels in it, right of the middle."""
    page = Image.new("RGB", (1000, 700), (200, 205, 210))
    page.paste(face.resize((side, side), Image.Resampling.BICUBIC), (430, 150))
    return page


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("kind", ["photos", "sketches"])
def test_a_face_on_its_side_is_framed_as_it_is_upright(faces: Path, kind: str, turn: Turn) -> None:
    finder = FaceFinder()
    for path in sorted((faces / kind).iterdir())[:2]:
        upright = scene(open_image(path), 360)
        lying = turned(upright, 360 - turn)  # type: ignore[arg-type]
        (expected,), (found,) = finder.find(upright), finder.find(lying)
        assert (expected.turn, found.turn) == (0, turn)
        assert found.score == expected.score
        assert np.allclose(found.upright(lying.size).box, expected.box)
        assert np.allclose(found.upright(lying.size).eyes, expected.eyes)
        straight, made = align(upright, expected), align(lying, found)
        assert made.image.tobytes() == straight.image.tobytes()
        for eye, wanted in zip(found.eyes, FaceFrame().eyes, strict=True):
            assert np.allclose(made.matrix @ [*eye, 1], wanted), "the matrix starts at the picture as it lies"
        drawn = Image.new("RGB", (200, 250), (255, 0, 0))
        assert np.array_equal(
            np.asarray(turned(made.undo(drawn, lying), turn)) == (255, 0, 0),
            np.asarray(straight.undo(drawn, upright)) == (255, 0, 0),
        )


def test_a_crop_on_its_side_is_turned_and_otherwise_taken_as_it_is() -> None:
    crop, frame = Image.effect_noise((200, 250), 60), FaceFrame()
    face = Face((50, 60, 100, 140), frame.eyes).turned_back(crop.size, 270)
    assert align(turned(crop, 90), face).image.tobytes() == crop.tobytes()


@given(size=st.tuples(st.integers(1, 9), st.integers(1, 9)), turn=st.sampled_from([0, 90, 180, 270]))
def test_places_turn_with_the_picture(size: tuple[int, int], turn: Turn) -> None:
    image = Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint8).reshape(size[::-1]))
    result = turned(image, turn)
    for x, y in np.ndindex(*size):
        to_x, to_y = turning(size, turn) @ (x + 0.5, y + 0.5, 1)
        assert result.getpixel((int(to_x), int(to_y))) == image.getpixel((x, y))


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.onnx: no such file"):
        FaceFinder(tmp_path / "none.onnx")


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "damaged.onnx").write_bytes(b"no network")
    with pytest.raises(CheckpointError, match=r"damaged\.onnx: ONNX Runtime cannot read .*; fetch it again"):
        FaceFinder(tmp_path / "damaged.onnx")


def test_another_network_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"photo2sketch\.onnx: not YuNet .*face_detection_yunet"):
        FaceFinder(shipped.path("photo2sketch"))
    other = onnx.load(shipped.YUNET)
    for each in (node.input for node in other.graph.node if "input" in node.input):
        each[list(each).index("input")] = "picture"
    other.graph.input[0].name = "picture"
    onnx.save(other, tmp_path / "other.onnx")
    with pytest.raises(CheckpointError, match=r"other\.onnx: not YuNet"):
        FaceFinder(tmp_path / "other.onnx")


def test_a_network_with_yunet_s_names_and_other_numbers_is_told(tmp_path: Path) -> None:
    heads = [f"{head}_{stride}" for head in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    outputs, nodes = (
        ", ".join(f"float[1, 3, n] {head}" for head in heads),
        " ".join(f"{head} = Identity(m)" for head in heads),
    )
    graph = (
        f"ones (float[1, 3, h, w] input) => ({outputs}) {{ m = ReduceMax <axes = [3], keepdims = 0> (input) {nodes} }}"
    )
    onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 13]> {graph}'), tmp_path / "ones.onnx")
    with pytest.raises(CheckpointError, match=r"ones\.onnx: not YuNet"):
        FaceFinder(tmp_path / "ones.onnx")


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that nobody can read from its start")
def test_a_file_that_cannot_be_read_is_reported() -> None:
    with pytest.raises(CheckpointError, match=r"/proc/self/mem: cannot be read"):
        FaceFinder(Path("/proc/self/mem"))


FACE = np.array([(0.30, 0.40), (0.70, 0.40), (0.5, 0.6), (0.34, 0.8253), (0.66, 0.8253)])
"""Five points in shares of the drawn face's side; the mouth is as far below the eyes as in the published crops."""
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255))


def draw(size: tuple[int, int], *places: tuple[float, float, float, float]) -> Image.Image:
    """Draw faces of five coloured discs each, at (left, top, side, degrees)."""
    image = Image.new("RGB", size, (90, 90, 90))
    pen = ImageDraw.Draw(image)
    for left, top, side, degrees in places:
        for (x, y), colour in zip(points_at(left, top, side, degrees), COLOURS, strict=True):
            pen.ellipse([x - side / 9, y - side / 9, x + side / 9, y + side / 9], fill=colour)
    return image


def points_at(left: float, top: float, side: float, degrees: float = 0.0) -> NDArray[np.float64]:
    turn = math.radians(degrees)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return np.asarray((FACE - 0.5) @ matrix.T * side + (left + side / 2, top + side / 2))


HEADS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


@dataclass
class Net:
    """Sees the drawn discs where they are, plus an error; nothing where a face would be below `least` pixels.

    It stands for ONNX Runtime's session of YuNet, and says what it sees by one cell of the finest grid.
    """

    error: tuple[float, float] = (0.0, 0.0)
    least: float = 0.0
    most: float = 1e9
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="input", shape=[1, 3, "h", "w"])]

    def get_outputs(self) -> list[SimpleNamespace]:
        shapes = {f"{head}_{stride}": [1, "n", HEADS[head]] for head in HEADS for stride in (8, 16, 32)}
        return [SimpleNamespace(name=name, shape=shape) for name, shape in shapes.items()]

    def run(self, names: list[str], inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        picture = inputs["input"][0, ::-1].transpose(1, 2, 0)
        height, width = picture.shape[:2]
        self.sizes.append((width, height))
        cells = {stride: height // stride * (width // stride) for stride in (8, 16, 32)}
        heads = {
            f"{head}_{stride}": np.zeros((1, cells[stride], HEADS[head]), np.float32)
            for head in HEADS
            for stride in cells
        }
        points = self.points(picture.astype(np.float64))
        if points is not None:
            side = math.dist(*points[:2]) / 0.4
            low = np.array(points[0]) - (0.3 * side, 0.4 * side) - self.error
            column, row = cell = np.clip(low / 8, 0, np.array([width, height]) / 8 - 1).astype(int)
            there = row * (width // 8) + column
            heads["cls_8"][0, there] = heads["obj_8"][0, there] = 0.9
            heads["bbox_8"][0, there] = [*((low + side / 2) / 8 - cell), *np.log([side / 8, side / 8])]
            heads["kps_8"][0, there] = (np.array(points) / 8 - cell).ravel()
        return [heads[name] for name in names]

    def points(self, seen: NDArray[np.float64]) -> NDArray[np.float64] | None:
        points = []
        for colour in COLOURS:
            weight = np.clip(1 - np.abs(seen - colour).max(axis=-1) / 120, 0, None)
            if weight.sum() < 1:
                return None
            rows, columns = np.indices(weight.shape) + 0.5
            points.append(((columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()))
        left, right = points[:2]
        if right[0] < left[0]:  # a mirrored face: YuNet calls the eye on the left the first one
            points = [points[1], points[0], points[2], points[4], points[3]]
        side = math.dist(*points[:2]) / 0.4
        return np.array(points) + np.array(self.error) if self.least <= side <= self.most else None


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    net = Net()
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda *_, **__: net)
    return net


def eye_distance(face: Face) -> float:
    return math.dist(*face.eyes)


@pytest.mark.parametrize("degrees", [0.0, -25.0, 35.0])
@pytest.mark.parametrize(("size", "side"), [((640, 480), 200.0), ((250, 300), 100.0), ((2000, 1500), 900.0)])
def test_points_are_given_in_the_pictures_own_pixels(
    net: Net, size: tuple[int, int], side: float, degrees: float
) -> None:
    place = (size[0] / 3, size[1] / 5, side, degrees)
    detector = YuNet(shipped.YUNET)
    image = draw(size, place)
    (face,) = detector.detect(image)
    close = detector.refine(image, face)
    assert close.points is not None
    assert np.abs(close.points - points_at(*place)).max() < 0.02 * side
    assert np.allclose(np.mean(face.box[:2], axis=0), np.mean(place[:2]), atol=0.5 * side)
    assert eye_distance(close) == pytest.approx(0.4 * side / 1.027, rel=0.05)


def test_the_close_look_at_both_sides_takes_back_a_finders_leaning(net: Net) -> None:
    net.error = (6.0, 0.0)  # of 320 pixels in the first look, of an eye distance of 100 in the close one
    place = (150.0, 100.0, 200.0, 0.0)
    detector = YuNet(shipped.YUNET)
    image = draw((640, 480), place)
    (face,) = detector.detect(image)
    close = detector.refine(image, face)
    assert face.points is not None
    assert close.points is not None
    assert np.abs(face.points - points_at(*place)).max() > 10
    assert np.abs(close.points - points_at(*place)).max() < 3


def test_a_face_that_the_close_look_does_not_show_stays_as_it_was(net: Net) -> None:
    detector = YuNet(shipped.YUNET)
    image = draw((640, 480), (150.0, 100.0, 200.0, 0.0))
    (face,) = detector.detect(image)
    net.least = 1e9
    assert detector.refine(image, face).eyes == face.eyes


def test_a_small_face_is_sought_again_in_more_detail(net: Net) -> None:
    net.least = 15.0
    crowd = draw((2560, 1600), (900.0, 500.0, 100.0, 0.0))  # 12 pixels at the first look, 50 at the second
    assert len(YuNet(shipped.YUNET).detect(crowd)) == 1
    assert [max(size) for size in net.sizes] == [320, 1280]


def test_a_face_too_large_for_the_first_look_is_sought_from_farther_away(net: Net) -> None:
    net.most = 130.0
    close = draw((300, 300), (50.0, 40.0, 200.0, 0.0))
    assert len(YuNet(shipped.YUNET).detect(close)) == 1
    assert [max(size) for size in net.sizes] == [320, 160]


def test_where_there_is_no_face_none_is_found(net: Net) -> None:
    assert YuNet(shipped.YUNET).detect(Image.new("L", (300, 200), 90)) == []


def test_a_head_turned_away_is_not_enlarged(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    turned = FACE.copy()
    turned[:2, 0] = (0.47, 0.53)
    monkeypatch.setattr(sys.modules[__name__], "FACE", turned)
    image = Image.new("RGB", (400, 400), (90, 90, 90))
    pen = ImageDraw.Draw(image)
    for (x, y), colour in zip(points_at(100, 100, 200), COLOURS, strict=True):
        pen.ellipse([x - 5, y - 5, x + 5, y + 5], fill=colour)
    (face,) = YuNet(shipped.YUNET).detect(image)
    down = 0.4253 * 200
    assert eye_distance(face) == pytest.approx(0.7 * down / 1.027, rel=0.05)
    assert np.mean(face.eyes, axis=0) == pytest.approx((200, 180), abs=4)
    assert align(image, face, FaceFrame()).image.size == (200, 250)
