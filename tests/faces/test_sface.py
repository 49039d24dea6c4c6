"""SFace's embeddings of whole pictures."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from facesketch.errors import CheckpointError, ImageError
from facesketch.faces.sface import SFace, without_prelu
from facesketch.metrics.retrieval import cmc, cosine_distances
from facesketch.weights import shipped
from facesketch.weights.catalogue import locate

Pictures = list[NDArray[np.uint8]]
CONSTANT = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["": 17]> no_input () => (float y) { y = Constant <value_float = 1.0> () }'
)


def test_files_that_are_no_models_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"sface\.onnx: no such file"):
        SFace(tmp_path / "sface.onnx")
    (tmp_path / "sface.onnx").write_bytes(b"no model")
    with pytest.raises(CheckpointError, match=r"sface\.onnx: damaged, or not a model file .*; fetch it again"):
        SFace(tmp_path / "sface.onnx")
    with pytest.raises(CheckpointError, match=r"yunet.*: not SFace"):
        SFace(shipped.YUNET)
    onnx.save(CONSTANT, tmp_path / "sface.onnx")
    with pytest.raises(CheckpointError, match=r"sface.*: not SFace"):
        SFace(tmp_path / "sface.onnx")


def test_a_prelu_taken_apart_gives_the_same_to_the_bit() -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["": 17]> faces (float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y)
        <float[3, 1, 1] slope = {-0.4, 0.3, 1.2}> { bent = PRelu(x, slope) y = Abs(bent) }
    """).SerializeToString()
    apart = without_prelu(model)
    assert [node.op_type for node in onnx.load_from_string(apart).graph.node] == ["Relu", "Sub", "Mul", "Add", "Abs"]
    onnx.checker.check_model(onnx.load_from_string(apart), full_check=True)
    pictures = {"x": np.random.default_rng(0).normal(0, 50, (1, 3, 8, 8)).astype(np.float32)}
    one, other = (onnxruntime.InferenceSession(each).run(None, pictures)[0] for each in (model, apart))
    assert np.array_equal(one, other)


@pytest.fixture
def models(shared: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("FACESKETCH_MODELS", str(shared / "models"))
    return locate("sface"), shipped.YUNET


@lru_cache
def _rows(shared: Path) -> list[dict[str, str]]:
    with (shared / "data" / "cuhk" / "pairs.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _cuhk(shared: Path, kind: str, count: int | None = None, mode: str = "RGB") -> Pictures:
    names = [shared / "data" / "cuhk" / row[kind] for row in _rows(shared)[:count]]
    return [np.asarray(Image.open(name).convert(mode).convert("RGB")) for name in names]


@pytest.mark.shared
@pytest.mark.slow
def test_sface_finds_cuhk_photos_without_training(shared: Path, models: tuple[Path, Path]) -> None:
    network, names = SFace(*models), [row["stem"] for row in _rows(shared)]
    distances = cosine_distances(network.describe(_cuhk(shared, "sketch")), network.describe(_cuhk(shared, "photo")))
    curve = cmc(distances, names, names)
    assert curve[[0, 4, 9]] == pytest.approx([0.745, 0.920, 0.947], abs=0.02)


@pytest.mark.shared
def test_embeddings_are_unit_vectors_and_alike_for_one_person(shared: Path, models: tuple[Path, Path]) -> None:
    photos, network = _cuhk(shared, "photo", 6), SFace(*models)
    rows = network.describe(photos)
    assert rows.shape == (6, 128)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1)
    darker = network.describe([(photo * 0.8).astype(np.uint8) for photo in photos])
    assert np.diag(darker @ rows.T).min() > 0.9
    assert (darker @ rows.T - 2 * np.eye(6)).max() < 0.7
    assert network.describe(_cuhk(shared, "photo", 1, "L"))[0] @ rows[0] > 0.8
    assert not np.allclose(network.describe([photos[0][..., ::-1]]), rows[:1], atol=1e-3)
    assert network.describe([]).shape == (0, 128)


@pytest.mark.shared
def test_embeddings_are_opencv_s(shared: Path, models: tuple[Path, Path]) -> None:
    detector = cv2.FaceDetectorYN.create(str(models[1]), "", (200, 250), 0.6)
    recogniser = cv2.FaceRecognizerSF.create(str(models[0]), "")
    pictures = [*_cuhk(shared, "photo", 8), *_cuhk(shared, "sketch", 8)]
    for picture, row in zip(pictures, SFace(*models).describe(pictures), strict=True):
        turned = np.ascontiguousarray(picture[..., ::-1])
        expected = recogniser.feature(recogniser.alignCrop(turned, detector.detect(turned)[1][0]))[0]
        assert row @ expected / np.linalg.norm(expected) > 0.9995


@pytest.mark.shared
def test_the_frame_stands_in_where_no_face_is_found(shared: Path, models: tuple[Path, Path]) -> None:
    photos = _cuhk(shared, "photo", 4)
    with_detector, without = SFace(*models), SFace(models[0])
    framed = without.describe(photos)
    assert np.diag(with_detector.describe(photos) @ framed.T).min() > 0.75
    blank = np.full((250, 200, 3), 128, dtype=np.uint8)
    assert np.array_equal(with_detector.describe([blank]), without.describe([blank]))
    small = [np.asarray(Image.fromarray(photo).resize((100, 125), Image.Resampling.BOX)) for photo in photos]
    assert np.diag(without.describe(small) @ framed.T).min() > 0.7
    for network, seen in ((with_detector, "picture 1: no face found"), (without, "picture 1 is 200x150")):
        with pytest.raises(ImageError, match=seen):
            network.describe([blank[:150]])
