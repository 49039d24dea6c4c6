"""Which finder is used, what it makes of a picture, and which of the faces are chosen."""

from __future__ import annotations

import math
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from facesketch.errors import CheckpointError, FaceError, MissingExtraError
from facesketch.faces import Face, FaceFinder, FaceFrame, align, choose
from facesketch.faces.find import calibrated, centred
from facesketch.faces.yunet import YuNet
from facesketch.images import open_image

LARGE = Face((0, 0, 50, 60), ((10, 20), (30, 20)), score=0.9, source="haar")
SMALL = Face((0, 0, 20, 20), ((5, 8), (15, 8)), score=0.9, source="haar")


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESKETCH_MODELS", str(tmp_path / "models"))


@pytest.fixture
def no_opencv(no_weights: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)


@pytest.mark.parametrize(
    ("which", "chosen"), [("largest", [LARGE]), ("all", [LARGE, SMALL]), (1, [LARGE]), (2, [SMALL])]
)
def test_faces_are_chosen_by_size(which: Any, chosen: list[Face]) -> None:
    assert choose([LARGE, SMALL], which) == chosen


@pytest.mark.parametrize("which", ["largest", "all", 1])
def test_no_face_says_how_to_go_on(which: Any) -> None:
    with pytest.raises(FaceError, match=r"^no face found; give --no-align if"):
        choose([], which)


@pytest.mark.parametrize(
    ("faces", "number", "said"), [([LARGE, SMALL], 3, "2 faces found"), ([LARGE], 0, "1 face found")]
)
def test_a_number_beyond_the_faces_says_how_many_there_are(faces: list[Face], number: int, said: str) -> None:
    with pytest.raises(FaceError, match=rf"no face {number}: {said}; give --faces largest"):
        choose(faces, number)


@given(
    along=st.floats(-0.2, 0.2),
    low=st.floats(-0.2, 0.2),
    wide=st.floats(0.7, 1.4),
    angle=st.floats(-3, 3),
    apart=st.floats(1, 500),
)
def test_calibrating_takes_back_what_a_finder_does(
    along: float, low: float, wide: float, angle: float, apart: float
) -> None:
    turn = complex(math.cos(angle), math.sin(angle)) * apart
    true = [complex(40, 70), complex(40, 70) + turn]
    middle = sum(true) / 2 + complex(along, low) * turn
    seen = [middle - wide * turn / 2, middle + wide * turn / 2]
    back = calibrated(((seen[0].real, seen[0].imag), (seen[1].real, seen[1].imag)), along=along, low=low, wide=wide)
    assert np.allclose(back, [(point.real, point.imag) for point in true], atol=1e-6 * apart)


@pytest.mark.parametrize(
    ("size", "box"),
    [((400, 500), (0, 0, 400, 500)), ((1000, 500), (300, 0, 400, 500)), ((200, 350), (0, 50, 200, 250))],
)
def test_the_guess_is_the_largest_frame_amid_the_picture(size: tuple[int, int], box: tuple[int, ...]) -> None:
    face = centred(size)
    assert np.allclose(face.box, box)
    scale = box[2] / 200
    assert np.allclose(face.eyes[0], (box[0] + 75 * scale, box[1] + 125 * scale))
    assert (face.source, face.score, face.points) == ("centre", 0.0, None)


def test_without_opencv_the_middle_is_taken_and_it_is_said(no_opencv: None) -> None:
    finder = FaceFinder()
    image = Image.new("L", (120, 90), 200)
    assert finder.source == "centre"
    assert finder.notice == (
        "faces are taken to be in the middle of each picture: finding them needs OpenCV, which is not installed: "
        "pip install 'facesketch[faces]'"
    )
    assert finder.find(image) == [centred((120, 90))]
    crop = Image.effect_noise((200, 250), 60)
    assert align(crop, finder.find(crop)[0]).image.tobytes() == crop.tobytes()


def test_without_opencv_a_given_file_cannot_be_used(no_opencv: None, tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match="needs OpenCV, which is not installed"):
        FaceFinder(tmp_path / "yunet.onnx")


def test_without_yunet_the_cascades_find_the_drawn_faces(no_weights: None, faces: Path) -> None:
    finder = FaceFinder()
    assert finder.source == "haar"
    assert "facesketch models fetch yunet" in finder.notice
    for path in [*sorted((faces / "photos").iterdir())[:4], *sorted((faces / "sketches").iterdir())[:4]]:
        found = finder.find(open_image(path))
        assert [face.source for face in found] == ["haar"], path
        (left_x, left_y), (right_x, right_y) = found[0].eyes  # of 64 pixels; drawn half-way down, an eye apart
        assert 22 < left_x < 29 < 34 < right_x < 42, path
        assert 28 < left_y < 33, path
        assert 28 < right_y < 33, path


def test_the_cascades_find_a_face_of_any_size_in_its_place(no_weights: None, faces: Path) -> None:
    photo = open_image(faces / "photos" / "face-0001.png")
    small = FaceFinder().find(photo)[0]
    page = Image.new("RGB", (1000, 700), (200, 205, 210))
    page.paste(photo.resize((512, 512), Image.Resampling.BICUBIC), (430, 150))
    found = FaceFinder().find(page)[0]
    for there, here in zip(found.eyes, small.eyes, strict=True):
        assert math.dist(there, (430 + 8 * here[0], 150 + 8 * here[1])) < 20  # of an eye distance of 125


def test_the_cascades_find_no_face_on_blank_paper(no_weights: None) -> None:
    assert FaceFinder().find(Image.new("RGB", (300, 300), (250, 250, 250))) == []


def test_the_largest_face_comes_first_and_only_so_many_are_given(no_weights: None, faces: Path) -> None:
    photo = open_image(faces / "photos" / "face-0001.png")
    page = Image.new("RGB", (900, 500), (200, 205, 210))
    page.paste(photo.resize((256, 256), Image.Resampling.BICUBIC), (20, 100))
    page.paste(photo.resize((420, 420), Image.Resampling.BICUBIC), (420, 40))
    found = FaceFinder().find(page)
    assert len(found) == 2
    assert found[0].area > found[1].area
    assert found[0].box[0] > 420
    assert FaceFinder().find(page, most=1) == found[:1]


def test_one_finder_serves_many_threads(no_weights: None, faces: Path) -> None:
    finder = FaceFinder()
    images = [open_image(path) for path in sorted((faces / "photos").iterdir())]
    alone = [finder.find(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(finder.find, images * 2)) == alone * 2


def test_an_opencv_without_cascades_asks_for_yunet(no_weights: None, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2 = pytest.importorskip("cv2")
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(MissingExtraError, match="type `facesketch models fetch yunet`"):
        FaceFinder()


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"none\.onnx: no such file"):
        FaceFinder(tmp_path / "none.onnx")


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "torn.onnx").write_bytes(b"no network")
    with pytest.raises(CheckpointError, match=r"torn\.onnx: OpenCV cannot read it"):
        FaceFinder(tmp_path / "torn.onnx")


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


@dataclass
class Net:
    """Sees the drawn discs where they are, plus an error; nothing where a face would be below `least` pixels."""

    error: tuple[float, float] = (0.0, 0.0)
    least: float = 0.0
    most: float = 1e9
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802 OpenCV's name
        self.sizes.append(size)

    def detect(self, picture: NDArray[np.uint8]) -> tuple[int, NDArray[np.float32] | None]:
        assert picture.shape[1::-1] == self.sizes[-1]
        seen = picture[:, :, ::-1].astype(np.float64)
        points = []
        for colour in COLOURS:
            weight = np.clip(1 - np.abs(seen - colour).max(axis=-1) / 120, 0, None)
            if weight.sum() < 1:
                return 0, None
            rows, columns = np.indices(weight.shape) + 0.5
            points.append(((columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()))
        left, right = points[:2]
        if right[0] < left[0]:  # a mirrored face: YuNet calls the eye on the left the first one
            points = [points[1], points[0], points[2], points[4], points[3]]
        side = math.dist(*points[:2]) / 0.4
        if not self.least <= side <= self.most:
            return 0, None
        found = np.array(points) + np.array(self.error)
        box = [points[0][0] - 0.3 * side, points[0][1] - 0.4 * side, side, side]
        return 1, np.array([[*box, *found.ravel(), 0.9]], dtype=np.float32)


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    cv2 = pytest.importorskip("cv2")
    net = Net()
    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *_: net)
    return net


def eye_distance(face: Face) -> float:
    return math.dist(*face.eyes)


@pytest.mark.parametrize("degrees", [0.0, -25.0, 35.0])
@pytest.mark.parametrize(("size", "side"), [((640, 480), 200.0), ((250, 300), 100.0), ((2000, 1500), 900.0)])
def test_points_are_given_in_the_pictures_own_pixels(
    net: Net, size: tuple[int, int], side: float, degrees: float
) -> None:
    place = (size[0] / 3, size[1] / 5, side, degrees)
    detector = YuNet(Path("yunet.onnx"))
    image = draw(size, place)
    (face,) = detector.detect(image)
    close = detector.refine(image, face)
    assert close.points is not None
    assert np.abs(close.points - points_at(*place)).max() < 0.02 * side
    assert np.allclose(np.mean(face.box[:2], axis=0), np.mean(place[:2]), atol=0.5 * side)
    assert close.source == "yunet"
    assert eye_distance(close) == pytest.approx(0.4 * side / 1.027, rel=0.05)


def test_the_close_look_at_both_sides_takes_back_a_finders_leaning(net: Net) -> None:
    net.error = (6.0, 0.0)  # of 320 pixels in the first look, of an eye distance of 100 in the close one
    place = (150.0, 100.0, 200.0, 0.0)
    detector = YuNet(Path("yunet.onnx"))
    image = draw((640, 480), place)
    (face,) = detector.detect(image)
    close = detector.refine(image, face)
    assert face.points is not None
    assert close.points is not None
    assert np.abs(face.points - points_at(*place)).max() > 10
    assert np.abs(close.points - points_at(*place)).max() < 3


def test_a_face_that_the_close_look_does_not_show_stays_as_it_was(net: Net) -> None:
    detector = YuNet(Path("yunet.onnx"))
    image = draw((640, 480), (150.0, 100.0, 200.0, 0.0))
    (face,) = detector.detect(image)
    net.least = 1e9
    assert detector.refine(image, face).eyes == face.eyes


def test_a_small_face_is_sought_again_in_more_detail(net: Net) -> None:
    net.least = 15.0
    crowd = draw((2560, 1600), (900.0, 500.0, 100.0, 0.0))  # 12 pixels at the first look, 50 at the second
    assert len(YuNet(Path("yunet.onnx")).detect(crowd)) == 1
    assert [max(size) for size in net.sizes] == [320, 1280]


def test_a_face_too_large_for_the_first_look_is_sought_from_farther_away(net: Net) -> None:
    net.most = 130.0
    close = draw((300, 300), (50.0, 40.0, 200.0, 0.0))
    assert len(YuNet(Path("yunet.onnx")).detect(close)) == 1
    assert [max(size) for size in net.sizes] == [320, 160]


def test_where_there_is_no_face_none_is_found(net: Net) -> None:
    assert YuNet(Path("yunet.onnx")).detect(Image.new("L", (300, 200), 90)) == []


def test_eyes_of_a_head_turned_away_do_not_blow_it_up(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    turned = FACE.copy()
    turned[:2, 0] = (0.47, 0.53)
    monkeypatch.setattr(sys.modules[__name__], "FACE", turned)
    image = Image.new("RGB", (400, 400), (90, 90, 90))
    pen = ImageDraw.Draw(image)
    for (x, y), colour in zip(points_at(100, 100, 200), COLOURS, strict=True):
        pen.ellipse([x - 5, y - 5, x + 5, y + 5], fill=colour)
    (face,) = YuNet(Path("yunet.onnx")).detect(image)
    down = 0.4253 * 200
    assert eye_distance(face) == pytest.approx(0.7 * down / 1.027, rel=0.05)
    assert np.mean(face.eyes, axis=0) == pytest.approx((200, 180), abs=4)
    assert align(image, face, FaceFrame()).image.size == (200, 250)
